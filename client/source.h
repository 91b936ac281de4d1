/*
 * A file on its way out: read ahead by the disk helper into two buffers, taken by libcurl without
 * waiting.
 *
 * Loop thread only. Owns its descriptor; closing it is the helper's work too.
 */
#ifndef LIPSYNC_SOURCE_H
#define LIPSYNC_SOURCE_H

#include <stdint.h>
#include <sys/types.h>

#include "disk.h"

struct source;

/* `ready` comes when source_read() said -EAGAIN and has bytes (or an error) now. The descriptor is
 * taken over, on failure too. NULL: no memory. */
struct source *source_new(struct disk *disk, int fd, uint64_t size, void (*ready)(void *user),
                          void *user);

/* No `ready` after this. NULL is fine. */
void source_free(struct source *s);

/* Bytes copied (0: all of it was read); -EAGAIN; or another negative errno: -ENODATA if the file is
 * shorter than it was said to be. */
ssize_t source_read(struct source *s, char *out, size_t size);

/* From the start again. */
void source_rewind(struct source *s);

/* Bytes that were read since the start. */
uint64_t source_position(const struct source *s);

#endif
