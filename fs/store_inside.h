/*
 * The inside of store.h, for store.c (directories, loading, the thread) and save.c (one save).
 */
#ifndef LIPSYNCFS_STORE_INSIDE_H
#define LIPSYNCFS_STORE_INSIDE_H

#include "session.h"
#include "store.h"

struct store {
    int state_dir, sessions_dir, lock_fd;
    pthread_t thread;
    bool running, ending;
    pthread_cond_t wake;
    TAILQ_HEAD(, session) sessions; /* to be saved */
    STAILQ_HEAD(, store_job) jobs;
    int64_t retry_ms;        /* the failed ones again, 0: none */
    pthread_mutex_t writing; /* one session's folder at a time; before fs->lock */
};

/* No lock. What is unsaved of a session goes to disk; with `remove` its folder then goes to
 * removed/, though it may lack what could not be saved. 0 or -errno, with `remove` that of the
 * move: the session is then as it was. */
int store_save_session(struct fs *fs, struct session *s, bool remove);

/* No lock. Opens a directory of ours, and makes it if it is not there. 0 or -errno. */
int store_open_below(int dir, const char *name, int *fd_out);

/* No lock. A session's folder: a descriptor or -1 with errno. */
int store_open_session_dir(struct store *st, const char *uuid);

/* No lock. 0 for what is no regular file. */
size_t store_file_size(int dir, const char *name);

#endif
