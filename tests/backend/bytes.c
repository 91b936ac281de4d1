#include "bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bytes_init(struct bytes *b, size_t max)
{
    *b = (struct bytes){.max = max};
}

void bytes_release(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){.max = b->max};
}

/* Room for `len` more bytes and the NUL. */
static bool bytes_reserve(struct bytes *b, size_t len)
{
    if (b->failed || len > b->max || b->len > b->max - len) {
        b->failed = true;
        return false;
    }
    if (b->data && b->len + len < b->cap)
        return true;
    size_t cap = b->cap ? b->cap : 256;
    while (cap <= b->len + len)
        cap *= 2;
    char *data = realloc(b->data, cap);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void bytes_add(struct bytes *b, const void *data, size_t len)
{
    if (!bytes_reserve(b, len))
        return;
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void bytes_text(struct bytes *b, const char *text)
{
    bytes_add(b, text, strlen(text));
}

void bytes_format(struct bytes *b, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0 || !bytes_reserve(b, (size_t)len)) {
        b->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf(b->data + b->len, (size_t)len + 1, format, args);
    va_end(args);
    b->len += (size_t)len;
}

void bytes_json(struct bytes *b, const char *text)
{
    bytes_text(b, "\"");
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            bytes_format(b, "\\%c", *c);
        else if ((unsigned char)*c < 0x20 || *c == 0x7f)
            bytes_format(b, "\\u%04x", (unsigned)(unsigned char)*c);
        else
            bytes_add(b, c, 1);
    }
    bytes_text(b, "\"");
}

char *bytes_take(struct bytes *b, size_t *len)
{
    bytes_add(b, "", 0);
    if (b->failed) {
        bytes_release(b);
        return NULL;
    }
    char *data = b->data;
    if (len)
        *len = b->len;
    *b = (struct bytes){.max = b->max};
    return data;
}
