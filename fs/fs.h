/*
 * The mount as a whole: the one lock, what is done after it, and what everything shares.
 *
 * Threads. FUSE workers, the client's thread, the store's, the watch's and the parking attendant's
 * all work on the tree and the sessions under fs->lock, which is held for memory work only: no I/O,
 * no call into libfuse, nothing that waits. What has to follow (an answer to the kernel, closing or
 * removing a file) is deferred with fs_defer and runs on the thread that lets go of the lock, in
 * order. The client's functions only queue a command and may be called with the lock held.
 *
 * Locks are taken in this order: an input's `io`, then fs->lock, then what the client and watch
 * have inside.
 */
#ifndef LIPSYNCFS_FS_H
#define LIPSYNCFS_FS_H

#define FUSE_USE_VERSION 314

#include <fuse3/fuse_lowlevel.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <time.h>

/* A table that cannot grow must not end the program: the element is then simply not in it. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "client.h"
#include "clock.h" /* clock_ms: by which all waits */
#include "options.h"
#include "park.h"
#include "watch.h"

struct session;
struct input;
struct output;
struct store;
struct query_run;
struct handle;

#define SESSIONS_MAX 100000
#define INPUTS_MAX 10000 /* of one session */

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define ERROR_WORDS_MAX 512 /* bytes of a message for people */

/* Something to do once the lock is let go; embedded in what it is about. */
struct later {
    STAILQ_ENTRY(later) link;
    void (*run)(struct later *l);
};

struct balance {
    bool known;
    struct client_balance now;
};

struct fs {
    pthread_mutex_t lock;
    STAILQ_HEAD(, later) later;

    struct options *options;
    struct client *client;
    struct store *store;
    struct watch *watch;
    struct fuse_session *se;
    struct park park;

    uid_t uid;
    gid_t gid;
    dev_t device; /* of the mount; 0: not known */
    int mount_id;
    struct timespec started;
    char *readme;
    size_t readme_len;

    struct session *by_name;   /* uthash, handle hh_name */
    struct session *by_number; /* uthash, handle hh_number; in order of number */
    struct timespec root_changed;
    struct input *inputs; /* uthash, by inode number, handle hh_ino */
    LIST_HEAD(, handle) handles;
    struct output *outputs; /* uthash, by inode number */
    uint64_t next_session;
    uint64_t next_ino; /* of inputs and outputs */

    struct balance balance;
    struct timespec balance_changed;
    struct query_run *balance_run; /* the newest query of the balance */
    uint64_t balance_seq;          /* the newest answer taken over */
    struct parked_list askers;     /* opens that wait for a query */
    int64_t down_until_ms;         /* queries fail at once until then */

    int cache_dir;
    uint64_t cache_used; /* bytes */

    size_t uploads; /* under way, all sessions */
    pthread_cond_t uploads_ended;
    bool closing; /* the mount is going away */
};

/* 0 or -errno. */
int fs_init(struct fs *fs, struct options *options);

void fs_lock(struct fs *fs);
void fs_unlock(struct fs *fs);

/* Runs l->run after the lock is let go. The lock is held; `l` is not queued already. */
void fs_defer(struct fs *fs, struct later *l, void (*run)(struct later *l));

/* Closes a descriptor once the lock is let go. */
void fs_defer_close(struct fs *fs, int fd);

/* An open was answered, but its process is gone and no release will come: frees the handle. No lock
 * held. (fs/ops.c) */
void fs_open_unclaimed(struct fs *fs, uint64_t handle);

struct timespec clock_now(void); /* real time */

#endif
