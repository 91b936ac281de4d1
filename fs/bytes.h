/*
 * Bytes that never change, shared by reference: the backend's last answer and what open files read
 * of it. Counting is atomic: any thread, with or without the lock.
 */
#ifndef LIPSYNCFS_BYTES_H
#define LIPSYNCFS_BYTES_H

#include <stdatomic.h>
#include <stddef.h>

struct bytes {
    atomic_int refs;
    size_t len;
    char data[]; /* followed by a NUL that len does not count */
};

/* One reference for the caller; NULL: no memory. `data` is copied. */
struct bytes *bytes_new(const void *data, size_t len);
struct bytes *bytes_new_line(const void *data, size_t len); /* a newline is added */
struct bytes *bytes_ref(struct bytes *b);                   /* NULL is passed through */
void bytes_unref(struct bytes *b);                          /* NULL is fine */

#endif
