/*
 * A file on its way in: bytes are gathered in two buffers and written by the disk helper, in order,
 * from the start of the file on.
 *
 * Loop thread only. Owns its descriptor; closing it is the helper's work too.
 */
#ifndef LIPSYNC_SINK_H
#define LIPSYNC_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "disk.h"

struct sink;

/* `ready` comes when sink_write() said -EAGAIN and has room (or an error) now, and once after
 * sink_flush(). The file is truncated first. The descriptor is taken over, on failure too. NULL: no
 * memory. */
struct sink *sink_new(struct disk *disk, int fd, void (*ready)(void *user), void *user);

/* No `ready` after this. What was not flushed may be lost. NULL is fine. */
void sink_free(struct sink *s);

/* All or nothing: 0; -EAGAIN; another negative errno, the first that writing met. */
int sink_write(struct sink *s, const char *bytes, size_t len);

/* Writes out what is gathered: `ready` comes when all is in the file, or failed (sink_error). */
void sink_flush(struct sink *s);

/* From the start of an empty file again. */
void sink_rewind(struct sink *s);

/* The first error that writing met, negative errno, or 0. */
int sink_error(const struct sink *s);

/* Bytes that were given since the start. */
uint64_t sink_position(const struct sink *s);

#endif
