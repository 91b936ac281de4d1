/*
 * A finished video: what output.mp4 is. It lives on while somebody reads it, when a newer one has
 * taken its place. All functions need fs->lock.
 */
#ifndef LIPSYNCFS_OUTPUT_H
#define LIPSYNCFS_OUTPUT_H

#include "session.h"

struct output {
    struct fs *fs;
    int refs;
    uint64_t ino;
    UT_hash_handle hh;
    struct blob *blob;
    uint64_t fingerprint; /* of its draft */
    int64_t duration_ms;
    struct timespec time;
};

/* Takes over the blob's reference. NULL: no memory (the blob is then let go). */
struct output *output_new(struct fs *fs, struct blob *blob, uint64_t fingerprint,
                          int64_t duration_ms, struct timespec time);
struct output *output_ref(struct output *o);
void output_unref(struct output *o); /* NULL is fine */

/* Takes the session's output.mp4 away. `watchers`: they have to be told (a user's rm tells them
 * itself). */
void output_remove(struct session *s, bool watchers);

/* Tells of the session's output.mp4, which there is. */
void output_tell_ready(struct session *s, struct reply *r);

#endif
