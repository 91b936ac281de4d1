/*
 * Files of the cache: the bytes of an input or of a render, counted against the cache's size.
 *
 * A blob is shared by reference (its handles, its upload, its input); while anyone uses its bytes
 * it has one open descriptor. Losing the last reference removes the file: who wants it kept over an
 * unmount keeps its reference. Functions marked "no lock" do I/O; the rest need fs->lock.
 */
#ifndef LIPSYNCFS_BLOB_H
#define LIPSYNCFS_BLOB_H

#include "fs.h"

#define BLOB_NAME_MAX 37 /* a UUID and its NUL */

struct blob {
    struct later later;
    struct fs *fs;
    int refs;
    int users; /* of fd, and of its place in the cache */
    int fd;    /* -1: not open */
    char name[BLOB_NAME_MAX];
    uint64_t size; /* bytes, as counted in fs->cache_used */
    bool present;  /* false: dropped from the cache, to be fetched again */
    bool synced;   /* an input's content, which does not change any more, is on disk */
    bool kept;     /* the file stays though nobody here needs it */
};

/* No lock. A new empty file, in use once by the caller, who has its one reference. 0 or -errno. */
int blob_create(struct fs *fs, struct blob **out);

/* One that is on disk from an earlier life; counted. NULL: no memory. */
struct blob *blob_adopt(struct fs *fs, const char *name, uint64_t size, bool present);

struct blob *blob_ref(struct blob *b);
void blob_unref(struct blob *b); /* NULL is fine */

/* No lock; the caller has a reference. Opens the file if it is not open. -ENODATA: dropped from the
 * cache. */
int blob_use(struct blob *b);
void blob_unuse(struct blob *b);

/* Accounts for a new size. -ENOSPC: no room in the cache, even after dropping what can come again.
 */
int blob_resize(struct blob *b, uint64_t size);

/* Drops the file; it will have to be fetched again. */
void blob_drop(struct blob *b);

/* No lock; the caller has a reference. The bytes are on disk when it returns; of a file that is not
 * there any more there is nothing to sync. 0 or -errno. */
int blob_sync(struct blob *b);

/* No lock. The names in the cache are on disk when it returns. 0 or -errno. */
int blob_sync_names(struct fs *fs);

/* No lock. Removes the files of the cache that are not among these `count` names, which are in
 * order (others are left by a crash). */
void blob_sweep(struct fs *fs, const char *const *known, size_t count);
int blob_compare_names(const void *a, const void *b); /* their order, for qsort */

#endif
