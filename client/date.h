/*
 * Dates as the backend writes them, in seconds since the epoch. Pure: no clock, no locale, no time
 * zone of this machine.
 */
#ifndef LIPSYNC_DATE_H
#define LIPSYNC_DATE_H

#include <stdint.h>

/* "2026-11-29T08:15:00.250Z", with an offset instead of the Z, or without either (then it is UTC);
 * fractions are dropped. 0 or -EINVAL. */
int date_from_iso8601(const char *text, int64_t *epoch_s);

/* The three forms of HTTP: IMF-fixdate, RFC 850, asctime. 0 or -EINVAL. */
int date_from_http(const char *text, int64_t *epoch_s);

#endif
