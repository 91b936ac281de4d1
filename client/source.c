#include "source.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "double_buffer.h"

/* Read by the owner from `mine`, filled into `theirs`. */
struct source {
    struct double_buffer buffer;
    bool stale;    /* what the helper reads is not wanted any more */
    bool starving; /* the reader waits */
    int error;     /* negative errno, sticks until rewound */
    uint64_t size;
    uint64_t offset;    /* where the next piece begins (h) */
    uint64_t delivered; /* bytes that were read by the owner */
    size_t chunk;
    int result; /* of the helper (h) */
    void (*ready)(void *user);
    void *user;
};

static void fill(struct disk_job *job)
{
    struct source *s = container_of(job, struct source, buffer.job);
    struct piece *p = &s->buffer.theirs;
    uint64_t left = s->size - s->offset;
    size_t want = left < s->chunk ? (size_t)left : s->chunk;

    p->len = p->used = 0;
    s->result = 0;
    while (p->len < want && !s->result) {
        ssize_t n =
            pread(s->buffer.fd, p->bytes + p->len, want - p->len, (off_t)(s->offset + p->len));
        if (n > 0)
            p->len += (size_t)n;
        else if (n == 0)
            s->result = -ENODATA;
        else if (errno != EINTR)
            s->result = -errno;
    }
}

static void read_ahead(struct source *s);

/* The filled piece becomes the one that is read, once that is used up. */
static void advance(struct source *s)
{
    if (s->buffer.busy || s->buffer.mine.used < s->buffer.mine.len || s->buffer.theirs.len == 0)
        return;
    double_buffer_swap(&s->buffer);
    s->buffer.theirs.len = s->buffer.theirs.used = 0;
    read_ahead(s);
}

static void filled(struct disk_job *job)
{
    struct source *s = container_of(job, struct source, buffer.job);

    if (!double_buffer_is_back(&s->buffer))
        return;
    if (s->stale) {
        s->stale = false;
        s->offset = 0;
        s->buffer.theirs.len = 0;
        read_ahead(s);
        return;
    }
    s->error = s->result;
    s->offset += s->buffer.theirs.len;
    advance(s);
    if (s->starving) {
        s->starving = false;
        s->ready(s->user);
    }
}

static void read_ahead(struct source *s)
{
    if (s->buffer.busy || s->error || s->offset == s->size || s->buffer.theirs.len)
        return;
    double_buffer_submit(&s->buffer, fill, filled);
}

ssize_t source_read(struct source *s, char *out, size_t size)
{
    struct piece *p = &s->buffer.mine;

    advance(s);
    if (p->used == p->len) {
        if (s->delivered == s->size)
            return 0;
        if (s->error)
            return s->error;
        s->starving = true;
        return -EAGAIN;
    }
    if (size > p->len - p->used)
        size = p->len - p->used;
    memcpy(out, p->bytes + p->used, size);
    p->used += size;
    s->delivered += size;
    return (ssize_t)size;
}

void source_rewind(struct source *s)
{
    s->delivered = 0;
    s->error = 0;
    s->starving = false;
    s->buffer.mine.len = s->buffer.mine.used = 0;
    if (s->buffer.busy) {
        s->stale = true;
        return;
    }
    s->offset = 0;
    s->buffer.theirs.len = 0;
    read_ahead(s);
}

uint64_t source_position(const struct source *s)
{
    return s->delivered;
}

struct source *source_new(struct disk *disk, int fd, uint64_t size, void (*ready)(void *user),
                          void *user)
{
    struct source *s = calloc(1, sizeof *s);

    if (!s) {
        close(fd);
        return NULL;
    }
    s->chunk = size < DOUBLE_BUFFER_SIZE ? (size_t)size + 1 : DOUBLE_BUFFER_SIZE;
    if (double_buffer_init(&s->buffer, s, disk, fd, s->chunk))
        return NULL;
    s->size = size;
    s->ready = ready;
    s->user = user;
    read_ahead(s);
    return s;
}

void source_free(struct source *s)
{
    if (s)
        double_buffer_free(&s->buffer);
}
