#include "sink.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK (512u << 10) /* bytes of each of the two buffers */

struct piece {
    char *bytes;
    size_t len;
};

struct sink {
    struct disk *disk;
    struct disk_job job;
    bool busy;     /* the helper has the job, and what is marked with (h) */
    bool orphan;   /* free it when the helper gives it back */
    bool truncate; /* before the next write */
    bool waiting;  /* a writer waits for room */
    bool flushing;
    int fd;                /* (h) */
    bool cut;              /* truncate now (h) */
    uint64_t offset;       /* where piece[1] goes (h) */
    int result;            /* of the helper (h) */
    int error;             /* negative errno, sticks until rewound */
    bool stale;            /* what the helper writes was rewound away */
    uint64_t position;     /* bytes given */
    struct piece piece[2]; /* [0] is filled by the owner, [1] written by the helper (h) */
    void (*ready)(void *user);
    void *user;
};

static void drain(struct disk_job *job)
{
    struct sink *s = container_of(job, struct sink, job);
    struct piece *p = &s->piece[1];
    size_t done = 0;

    s->result = 0;
    if (s->cut && ftruncate(s->fd, 0) < 0)
        s->result = -errno;
    while (done < p->len && !s->result) {
        ssize_t n = pwrite(s->fd, p->bytes + done, p->len - done, (off_t)(s->offset + done));
        if (n > 0)
            done += (size_t)n;
        else if (n == 0)
            s->result = -EIO;
        else if (errno != EINTR)
            s->result = -errno;
    }
}

static void destroy(struct disk_job *job)
{
    struct sink *s = container_of(job, struct sink, job);

    free(s->piece[0].bytes);
    free(s->piece[1].bytes);
    free(s);
}

static void close_file(struct disk_job *job)
{
    struct sink *s = container_of(job, struct sink, job);

    close(s->fd); /* a duplicate: the owner of the file syncs and closes it for good */
}

static void submit_close(struct sink *s)
{
    s->job.work = close_file;
    s->job.done = destroy;
    disk_submit(s->disk, &s->job);
}

static void drained(struct disk_job *job);

/* Hands what is gathered to the helper. */
static void write_out(struct sink *s)
{
    struct piece swap = s->piece[1];

    s->piece[1] = s->piece[0];
    s->piece[0] = swap;
    s->piece[0].len = 0;
    s->offset = s->position - s->piece[1].len;
    s->cut = s->truncate;
    s->truncate = false;
    s->busy = true;
    s->job.work = drain;
    s->job.done = drained;
    disk_submit(s->disk, &s->job);
}

static bool has_work(const struct sink *s)
{
    return !s->error && (s->piece[0].len || s->truncate);
}

static void drained(struct disk_job *job)
{
    struct sink *s = container_of(job, struct sink, job);

    s->busy = false;
    if (s->orphan) {
        submit_close(s);
        return;
    }
    if (s->stale)
        s->stale = false;
    else if (s->result && !s->error)
        s->error = s->result;
    if (s->flushing && has_work(s)) {
        write_out(s);
        return;
    }
    if (s->waiting || s->flushing) {
        s->waiting = s->flushing = false;
        s->ready(s->user);
    }
}

int sink_write(struct sink *s, const char *bytes, size_t len)
{
    if (s->error)
        return s->error;
    if (len > CHUNK)
        return -EMSGSIZE;
    if (s->piece[0].len + len > CHUNK) {
        if (s->busy) {
            s->waiting = true;
            return -EAGAIN;
        }
        write_out(s);
    }
    memcpy(s->piece[0].bytes + s->piece[0].len, bytes, len);
    s->piece[0].len += len;
    s->position += len;
    return 0;
}

void sink_flush(struct sink *s)
{
    s->flushing = true;
    if (s->error)
        s->piece[0].len = 0; /* no use after a hole */
    if (!s->busy)
        write_out(s); /* also when there is nothing: `ready` comes by the same way */
}

void sink_rewind(struct sink *s)
{
    s->position = 0;
    s->error = 0;
    s->piece[0].len = 0;
    s->truncate = true;
    s->waiting = s->flushing = false;
    s->stale = s->busy;
}

int sink_error(const struct sink *s)
{
    return s->error;
}

uint64_t sink_position(const struct sink *s)
{
    return s->position;
}

struct sink *sink_new(struct disk *disk, int fd, void (*ready)(void *user), void *user)
{
    struct sink *s = calloc(1, sizeof *s);

    if (s) {
        s->piece[0].bytes = malloc(CHUNK);
        s->piece[1].bytes = malloc(CHUNK);
    }
    if (!s || !s->piece[0].bytes || !s->piece[1].bytes) {
        if (s)
            destroy(&s->job);
        close(fd);
        return NULL;
    }
    s->disk = disk;
    s->fd = fd;
    s->truncate = true;
    s->ready = ready;
    s->user = user;
    return s;
}

void sink_free(struct sink *s)
{
    if (!s)
        return;
    if (s->busy)
        s->orphan = true;
    else
        submit_close(s);
}
