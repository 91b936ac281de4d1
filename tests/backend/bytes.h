/*
 * A growing run of bytes with a bound, always followed by a NUL.
 *
 * Plain data, for one thread at a time. Appending fails for good when the bound or the memory is
 * reached: `failed` is set, and what is there stays valid. Callers look at it once, at the end.
 */
#ifndef BACKEND_BYTES_H
#define BACKEND_BYTES_H

#include <stdbool.h>
#include <stddef.h>

struct bytes {
    char *data; /* NULL while empty */
    size_t len;
    size_t cap;
    size_t max;
    bool failed;
};

void bytes_init(struct bytes *b, size_t max);
void bytes_release(struct bytes *b);
void bytes_add(struct bytes *b, const void *data, size_t len);
void bytes_text(struct bytes *b, const char *text);
void bytes_format(struct bytes *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The text as a JSON string, quotes included. */
void bytes_json(struct bytes *b, const char *text);

/* Hands the memory to the caller, who frees it; NULL if something failed. *len may be NULL. */
char *bytes_take(struct bytes *b, size_t *len);

#endif
