#include "sink.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "double_buffer.h"

/* Gathered in `mine`, written from `theirs`. */
struct sink {
    struct double_buffer buffer;
    bool truncate; /* before the next write */
    bool waiting;  /* a writer waits for room */
    bool flushing;
    bool cut;          /* truncate now (h) */
    uint64_t offset;   /* where `theirs` goes (h) */
    int result;        /* of the helper (h) */
    int error;         /* negative errno, sticks until rewound */
    bool stale;        /* what the helper writes was rewound away */
    uint64_t position; /* bytes given */
    void (*ready)(void *user);
    void *user;
};

static void drain(struct disk_job *job)
{
    struct sink *s = container_of(job, struct sink, buffer.job);
    struct piece *p = &s->buffer.theirs;
    size_t done = 0;

    s->result = 0;
    if (s->cut && ftruncate(s->buffer.fd, 0) < 0)
        s->result = -errno;
    while (done < p->len && !s->result) {
        ssize_t n = pwrite(s->buffer.fd, p->bytes + done, p->len - done, (off_t)(s->offset + done));
        if (n > 0)
            done += (size_t)n;
        else if (n == 0)
            s->result = -EIO;
        else if (errno != EINTR)
            s->result = -errno;
    }
}

static void drained(struct disk_job *job);

/* Hands what is gathered to the helper. */
static void write_out(struct sink *s)
{
    double_buffer_swap(&s->buffer);
    s->buffer.mine.len = 0;
    s->offset = s->position - s->buffer.theirs.len;
    s->cut = s->truncate;
    s->truncate = false;
    double_buffer_submit(&s->buffer, drain, drained);
}

static bool has_work(const struct sink *s)
{
    return !s->error && (s->buffer.mine.len || s->truncate);
}

static void drained(struct disk_job *job)
{
    struct sink *s = container_of(job, struct sink, buffer.job);

    if (!double_buffer_is_back(&s->buffer))
        return;
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
    if (len > DOUBLE_BUFFER_SIZE)
        return -EMSGSIZE;
    if (s->buffer.mine.len + len > DOUBLE_BUFFER_SIZE) {
        if (s->buffer.busy) {
            s->waiting = true;
            return -EAGAIN;
        }
        write_out(s);
    }
    memcpy(s->buffer.mine.bytes + s->buffer.mine.len, bytes, len);
    s->buffer.mine.len += len;
    s->position += len;
    return 0;
}

void sink_flush(struct sink *s)
{
    s->flushing = true;
    if (s->error)
        s->buffer.mine.len = 0; /* no use after a hole */
    if (!s->buffer.busy)
        write_out(s); /* also when there is nothing: `ready` comes by the same way */
}

void sink_rewind(struct sink *s)
{
    s->position = 0;
    s->error = 0;
    s->buffer.mine.len = 0;
    s->truncate = true;
    s->waiting = s->flushing = false;
    s->stale = s->buffer.busy;
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

    if (!s) {
        close(fd);
        return NULL;
    }
    if (double_buffer_init(&s->buffer, s, disk, fd, DOUBLE_BUFFER_SIZE))
        return NULL;
    s->truncate = true;
    s->ready = ready;
    s->user = user;
    return s;
}

void sink_free(struct sink *s)
{
    if (s)
        double_buffer_free(&s->buffer);
}
