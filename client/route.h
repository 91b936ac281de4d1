/*
 * Where a text written to `instruct` goes: the protocol's routing table, as data in route.c.
 * Pure; English and Chinese.
 */
#ifndef LIPSYNC_ROUTE_H
#define LIPSYNC_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#define ROUTE_URLS_MAX 32

enum route {
    ROUTE_BLANK,   /* nothing but white space */
    ROUTE_EXPORT,
    ROUTE_CREDITS,
    ROUTE_STATUS,
    ROUTE_UPLOAD, /* "upload" and http(s) URLs */
    ROUTE_EDIT,   /* everything else: to the backend, whole */
};

struct route_urls {
    size_t count;
    struct {
        const char *start; /* points into the text */
        size_t len;
    } url[ROUTE_URLS_MAX];
};

/* `urls` is filled for ROUTE_UPLOAD (may be NULL). More than ROUTE_URLS_MAX URLs make it ROUTE_EDIT. */
enum route route_of(const char *text, size_t len, struct route_urls *urls);

/* Could a longer text that begins like this still be blank or one of the free commands? (A writer may
 * write in pieces.) */
bool route_may_become_free(const char *text, size_t len);

#endif
