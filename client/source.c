#include "source.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK (512u << 10) /* bytes of each of the two buffers */

struct piece {
    char *bytes;
    size_t len, used;
};

struct source {
    struct disk *disk;
    struct disk_job job;
    bool busy;     /* the helper has the job, and what is marked with (h) */
    bool orphan;   /* free it when the helper gives it back */
    bool stale;    /* what the helper reads is not wanted any more */
    bool starving; /* the reader waits */
    int fd;        /* (h) */
    int error;     /* negative errno, sticks until rewound */
    uint64_t size;
    uint64_t offset;    /* where the next piece begins (h) */
    uint64_t delivered; /* bytes that were read by the owner */
    size_t chunk;
    struct piece piece[2]; /* [0] is read by the owner, [1] filled by the helper (h) */
    int result;            /* of the helper (h) */
    void (*ready)(void *user);
    void *user;
};

static void fill(struct disk_job *job)
{
    struct source *s = container_of(job, struct source, job);
    struct piece *p = &s->piece[1];
    uint64_t left = s->size - s->offset;
    size_t want = left < s->chunk ? (size_t)left : s->chunk;

    p->len = p->used = 0;
    s->result = 0;
    while (p->len < want && !s->result) {
        ssize_t n = pread(s->fd, p->bytes + p->len, want - p->len, (off_t)(s->offset + p->len));
        if (n > 0)
            p->len += (size_t)n;
        else if (n == 0)
            s->result = -ENODATA;
        else if (errno != EINTR)
            s->result = -errno;
    }
}

static void destroy(struct disk_job *job)
{
    struct source *s = container_of(job, struct source, job);

    free(s->piece[0].bytes);
    free(s->piece[1].bytes);
    free(s);
}

static void close_file(struct disk_job *job)
{
    struct source *s = container_of(job, struct source, job);

    close(s->fd); /* only read from: nothing can be lost */
}

static void submit_close(struct source *s)
{
    s->job.work = close_file;
    s->job.done = destroy;
    disk_submit(s->disk, &s->job);
}

static void read_ahead(struct source *s);

/* The filled piece becomes the one that is read, once that is used up. */
static void advance(struct source *s)
{
    if (s->busy || s->piece[0].used < s->piece[0].len || s->piece[1].len == 0)
        return;
    struct piece swap = s->piece[0];
    s->piece[0] = s->piece[1];
    s->piece[1] = swap;
    s->piece[1].len = s->piece[1].used = 0;
    read_ahead(s);
}

static void filled(struct disk_job *job)
{
    struct source *s = container_of(job, struct source, job);

    s->busy = false;
    if (s->orphan) {
        submit_close(s);
        return;
    }
    if (s->stale) {
        s->stale = false;
        s->offset = 0;
        s->piece[1].len = 0;
        read_ahead(s);
        return;
    }
    s->error = s->result;
    s->offset += s->piece[1].len;
    advance(s);
    if (s->starving) {
        s->starving = false;
        s->ready(s->user);
    }
}

static void read_ahead(struct source *s)
{
    if (s->busy || s->error || s->offset == s->size || s->piece[1].len)
        return;
    s->busy = true;
    s->job.work = fill;
    s->job.done = filled;
    disk_submit(s->disk, &s->job);
}

ssize_t source_read(struct source *s, char *out, size_t size)
{
    struct piece *p = &s->piece[0];

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
    s->piece[0].len = s->piece[0].used = 0;
    if (s->busy) {
        s->stale = true;
        return;
    }
    s->offset = 0;
    s->piece[1].len = 0;
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

    if (s) {
        s->chunk = size < CHUNK ? (size_t)size + 1 : CHUNK;
        s->piece[0].bytes = malloc(s->chunk);
        s->piece[1].bytes = malloc(s->chunk);
    }
    if (!s || !s->piece[0].bytes || !s->piece[1].bytes) {
        if (s)
            destroy(&s->job);
        close(fd);
        return NULL;
    }
    s->disk = disk;
    s->fd = fd;
    s->size = size;
    s->ready = ready;
    s->user = user;
    read_ahead(s);
    return s;
}

void source_free(struct source *s)
{
    if (!s)
        return;
    if (s->busy)
        s->orphan = true;
    else
        submit_close(s);
}
