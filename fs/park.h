/*
 * Requests that wait: each is answered exactly once, by whoever claims it first.
 *
 *   park_begin      (no lock)  registers the request for interrupts; not waiting yet, so the
 *                              beginner alone may answer it
 *   park_wait       (lock)     now it waits in a list, perhaps with a deadline
 *   park_error …    (lock)     claims it; the answer leaves after the lock is let go
 *
 * A waiting request ends in one of: an answer; an interrupt by a signal that ends its process
 * (EINTR); its deadline (ETIMEDOUT); the mount going away (ESHUTDOWN). For the last three the
 * attendant, a thread of this module, calls give_up with the error: it must answer (or park again);
 * NULL answers with the error.
 *
 * The kernel tells of one signal for each request, whichever it is. So the attendant looks in /proc
 * which one is meant, and goes on looking at such a request from time to time: the next signal may
 * be one that counts. libfuse may still run an interrupt callback after the answer, so it gets an
 * id, never a pointer.
 */
#ifndef LIPSYNCFS_PARK_H
#define LIPSYNCFS_PARK_H

#include "timers.h"

#define PARK_MAX 100000 /* waiting requests; more get ENOMEM */
#define PARK_LOOK_MS 20 /* between two looks at an interrupted process */

struct fs;
struct parked;
TAILQ_HEAD(parked_list, parked);

struct park {
    struct parked *by_id; /* uthash */
    uint64_t last_id;
    size_t count;
    TAILQ_HEAD(, parked) waiting;
    struct timers deadlines;          /* of those that wait */
    TAILQ_HEAD(, parked) interrupted; /* waiting or about to, told of a signal */
    pthread_cond_t wake;
    pthread_t attendant;
    bool running, ending;
};

typedef void park_give_up_fn(struct fs *fs, struct parked *p, void *owner, int error);

/* 0 or -errno. park_stop: no thread of this module runs afterwards. */
int park_start(struct fs *fs);
void park_stop(struct fs *fs);

/* NULL: the request was answered with an error. No lock held. */
struct parked *park_begin(struct fs *fs, fuse_req_t req);

/* Lock held, all of these. deadline_ms as clock_ms(), 0: none. */
void park_wait(struct fs *fs, struct parked *p, struct parked_list *list, int64_t deadline_ms,
               park_give_up_fn *give_up, void *owner);
void park_error(struct fs *fs, struct parked *p, int error); /* positive errno, 0: success */
void park_open(struct fs *fs, struct parked *p, const struct fuse_file_info *fi);
void park_bytes(struct fs *fs, struct parked *p, const void *bytes, size_t len); /* copied */

/* Answers the whole list. */
void park_error_all(struct fs *fs, struct parked_list *list, int error);

/* Gives up what waits (the mount is going away), without the lock; `patient` ones too, or not yet.
 * From the first call on new requests that could wait are refused. */
void park_give_up_all(struct fs *fs, int error, bool patient);

/* This request is worth waiting for while the mount goes away (an upload). Lock held. */
void park_set_patient(struct parked *p);

/* The thread that asked. */
pid_t park_tid(const struct parked *p);
void *park_owner(const struct parked *p);

/* The next in the same list, NULL: none. */
struct parked *park_next(const struct parked *p);

#endif
