/*
 * Content that was dropped from the cache comes back from the backend, for an open that waits.
 * All functions need fs->lock.
 */
#ifndef LIPSYNCFS_FETCH_H
#define LIPSYNCFS_FETCH_H

#include "handle.h"
#include "inputs.h"

bool fetch_is_needed(const struct input *in);

/* Parks the open of `h` until the content is here. Opens of the same input share one download. */
void fetch_for_open(struct handle *h, struct parked *p, const struct fuse_file_info *fi);

#endif
