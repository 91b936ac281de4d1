#include "buffer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 256
#define KEPT_SIZE (64u << 10) /* what a reset keeps at most */

void buffer_init(struct buffer *b, size_t max)
{
    memset(b, 0, sizeof(*b));
    b->max = max;
}

void buffer_release(struct buffer *b)
{
    free(b->data);
    buffer_init(b, b->max);
}

void buffer_reset(struct buffer *b)
{
    if (b->size > KEPT_SIZE)
        buffer_release(b);
    b->len = 0;
    b->error = 0;
}

/* Makes room for `more` bytes and a NUL behind them. */
static int grow(struct buffer *b, size_t more)
{
    if (b->error)
        return b->error;
    if (more > b->max - b->len)
        return b->error = -EMSGSIZE;

    size_t needed = b->len + more + 1;
    if (needed <= b->size)
        return 0;
    size_t size = b->size ? b->size : FIRST_SIZE;
    while (size < needed)
        size *= 2;
    char *data = realloc(b->data, size);
    if (!data)
        return b->error = -ENOMEM;
    b->data = data;
    b->size = size;
    return 0;
}

int buffer_add(struct buffer *b, const char *bytes, size_t len)
{
    int err = grow(b, len);
    if (err)
        return err;
    if (len)
        memcpy(b->data + b->len, bytes, len);
    b->len += len;
    b->data[b->len] = '\0';
    return 0;
}

int buffer_add_string(struct buffer *b, const char *s)
{
    return buffer_add(b, s, strlen(s));
}

int buffer_addf(struct buffer *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int err;
    int len = vsnprintf(NULL, 0, format, args);
    if (len < 0)
        err = b->error = b->error ? b->error : -EINVAL;
    else
        err = grow(b, (size_t)len);
    if (!err) {
        vsnprintf(b->data + b->len, (size_t)len + 1, format, again);
        b->len += (size_t)len;
    }
    va_end(again);
    va_end(args);
    return err;
}

int buffer_error(const struct buffer *b)
{
    return b->error;
}

int buffer_take(struct buffer *b, char **out, size_t *len)
{
    int err = buffer_add(b, "", 0); /* an untouched buffer has no NUL yet */
    if (!err) {
        *out = b->data;
        if (len)
            *len = b->len;
        b->data = NULL;
    }
    buffer_release(b);
    return err;
}
