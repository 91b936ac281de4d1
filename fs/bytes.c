#include "bytes.h"

#include <stdlib.h>
#include <string.h>

static struct bytes *make(const void *data, size_t len, size_t more)
{
    struct bytes *b = malloc(sizeof(*b) + len + more + 1);

    if (!b)
        return NULL;
    atomic_init(&b->refs, 1);
    b->len = len + more;
    if (len)
        memcpy(b->data, data, len);
    b->data[b->len] = '\0';
    return b;
}

struct bytes *bytes_new(const void *data, size_t len)
{
    return make(data, len, 0);
}

struct bytes *bytes_new_line(const void *data, size_t len)
{
    struct bytes *b = make(data, len, 1);

    if (b)
        b->data[len] = '\n';
    return b;
}

struct bytes *bytes_ref(struct bytes *b)
{
    if (b)
        atomic_fetch_add(&b->refs, 1);
    return b;
}

void bytes_unref(struct bytes *b)
{
    if (b && atomic_fetch_sub(&b->refs, 1) == 1)
        free(b);
}
