/*
 * Bytes that grow up to a bound.
 *
 * Pure; one user at a time. Errors stick: after the first one nothing is added any more, so a
 * caller may add many pieces and look once, with buffer_error() or buffer_take().
 */
#ifndef LIPSYNC_BUFFER_H
#define LIPSYNC_BUFFER_H

#include <stddef.h>

struct buffer {
    char *data; /* NULL while nothing was added */
    size_t len;
    size_t size; /* allocated, bytes */
    size_t max;  /* most that len may become, bytes */
    int error;
};

/* Allocates nothing yet. */
void buffer_init(struct buffer *b, size_t max);
void buffer_release(struct buffer *b);

/* Forgets the bytes and the error, keeps the memory (unless it is much). */
void buffer_reset(struct buffer *b);

/* 0, -ENOMEM, or -EMSGSIZE when the bound would be crossed (nothing of it is added then). */
int buffer_add(struct buffer *b, const char *bytes, size_t len);
int buffer_add_string(struct buffer *b, const char *s);
int buffer_addf(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The error that stuck, or 0. */
int buffer_error(const struct buffer *b);

/* Hands the bytes over, NUL-terminated (the NUL is not counted in *len, which may be NULL); the
 * caller frees them. The buffer is released, also on failure. 0 or the error that stuck. */
int buffer_take(struct buffer *b, char **out, size_t *len);

#endif
