/*
 * Two buffers before one file: the owner works on one while the disk's helper works on the other.
 *
 * For the client's thread alone, but for what is marked (h): that belongs to the helper from
 * double_buffer_submit until the job is done.
 */
#ifndef LIPSYNC_DOUBLE_BUFFER_H
#define LIPSYNC_DOUBLE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "disk.h"

#define DOUBLE_BUFFER_SIZE (512u << 10) /* bytes of each, at most */

struct piece {
    char *bytes;
    size_t len, used;
};

struct double_buffer {
    struct disk *disk;
    struct disk_job job;
    void *owner; /* malloc'd; lives and ends with the buffers */
    bool busy;   /* the helper has the job */
    bool orphan; /* to be freed when it is done */
    int fd;      /* (h) */
    struct piece mine;
    struct piece theirs; /* (h) */
};

/* Takes over `owner` and `fd`. -ENOMEM: both are gone. */
int double_buffer_init(struct double_buffer *b, void *owner, struct disk *disk, int fd,
                       size_t size);

/* Closes the file and frees the owner, when the helper is done with them. */
void double_buffer_free(struct double_buffer *b);

/* Not while busy. */
void double_buffer_swap(struct double_buffer *b);

/* Lets the helper do `work` on `theirs`; then `done` runs, and asks double_buffer_is_back first:
 * false means that all is being freed. */
void double_buffer_submit(struct double_buffer *b, void (*work)(struct disk_job *job),
                          void (*done)(struct disk_job *job));
bool double_buffer_is_back(struct double_buffer *b);

#endif
