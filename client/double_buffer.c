#include "double_buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static void destroy(struct disk_job *job)
{
    struct double_buffer *b = container_of(job, struct double_buffer, job);

    free(b->mine.bytes);
    free(b->theirs.bytes);
    free(b->owner);
}

static void close_file(struct disk_job *job)
{
    struct double_buffer *b = container_of(job, struct double_buffer, job);

    close(b->fd); /* a duplicate, or only read from: nothing can be lost */
}

static void submit_close(struct double_buffer *b)
{
    b->job.work = close_file;
    b->job.done = destroy;
    disk_submit(b->disk, &b->job);
}

int double_buffer_init(struct double_buffer *b, void *owner, struct disk *disk, int fd, size_t size)
{
    *b = (struct double_buffer){.disk = disk, .owner = owner, .fd = fd};
    b->mine.bytes = malloc(size);
    b->theirs.bytes = malloc(size);
    if (b->mine.bytes && b->theirs.bytes)
        return 0;
    close(fd);
    destroy(&b->job);
    return -ENOMEM;
}

void double_buffer_free(struct double_buffer *b)
{
    if (b->busy)
        b->orphan = true;
    else
        submit_close(b);
}

void double_buffer_swap(struct double_buffer *b)
{
    struct piece swap = b->mine;

    b->mine = b->theirs;
    b->theirs = swap;
}

void double_buffer_submit(struct double_buffer *b, void (*work)(struct disk_job *job),
                          void (*done)(struct disk_job *job))
{
    b->busy = true;
    b->job.work = work;
    b->job.done = done;
    disk_submit(b->disk, &b->job);
}

bool double_buffer_is_back(struct double_buffer *b)
{
    b->busy = false;
    if (b->orphan)
        submit_close(b);
    return !b->orphan;
}
