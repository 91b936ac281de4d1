/*
 * The entries of a directory as they were when its listing began, so that a long listing neither
 * misses nor repeats anything. Owned by its handle.
 */
#ifndef LIPSYNCFS_LISTING_H
#define LIPSYNCFS_LISTING_H

#include "tree.h"

struct listing;

/* Lock held. NULL: no memory. */
struct listing *listing_new(struct fs *fs, const struct node *dir);
void listing_free(struct listing *l);

/* Fills `buf` from entry `offset` on; returns the bytes used. No lock. */
size_t listing_read(const struct listing *l, fuse_req_t req, char *buf, size_t size, off_t offset);

#endif
