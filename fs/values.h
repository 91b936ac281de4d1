/*
 * Values as people write them on a command line, checked and converted.
 *
 * Pure. Functions that can be wrong about a text return NULL when it is right, else what is wrong
 * with it, as a text for people; results are untouched then.
 */
#ifndef LIPSYNC_VALUES_H
#define LIPSYNC_VALUES_H

#include <stddef.h>
#include <stdint.h>

/* "500M", "1.5G", "100000": bytes, decimal units k M G T. More than 0. */
const char *values_size(const char *text, uint64_t *out);

/* "30", "0.2": seconds to milliseconds, rounded up. At most VALUES_SECONDS_MAX. */
#define VALUES_SECONDS_MAX 10000000
const char *values_seconds(const char *text, int64_t *out_ms);

enum values_url {
    VALUES_URL_SECRET, /* https, or http to a loopback address: the token goes there */
    VALUES_URL_LINK,   /* https or http */
};

/* A root URL: no user, query or fragment; trailing slashes are stripped. *out is malloc'd, the
 * caller frees it. */
const char *values_url(const char *text, enum values_url rule, char **out);

/* The first part of a locale or language tag in lower case: "de_DE.UTF-8" gives "de", "C" gives
 * "en". */
#define VALUES_LANG_SIZE 9
const char *values_lang(const char *text, char out[VALUES_LANG_SIZE]);

/* Fit for an HTTP header: 1 to `max` printable ASCII characters without spaces. */
const char *values_token(const char *text, size_t max);

#endif
