/*
 * What outlives the program: the registry of sessions on disk, written by a thread of its own.
 *
 * STATE_DIR/lock                       one mount at a time
 * STATE_DIR/instance                   names this registry's folder in the cache
 * STATE_DIR/sessions/<uuid>/session.json, history.txt, reply.txt, state.json, before.json
 * STATE_DIR/removed/<uuid>/            sessions that were removed with rmdir
 *
 * A session is saved as it is when its turn comes, so many changes cost one write. Files are
 * replaced as a whole and are on disk, data of inputs included, before `saved` is called. A save
 * that fails is told, and tried again every STORE_RETRY_MS until it succeeds.
 *
 * store_save and store_run need fs->lock, and call back on the store's thread with fs->lock held.
 */
#ifndef LIPSYNCFS_STORE_H
#define LIPSYNCFS_STORE_H

#include "fs.h"

#define STORE_RETRY_MS 2000

/* Wants to know when what the session is now is on disk. Embedded; queued at most once. */
struct saving {
    TAILQ_ENTRY(saving) link;
    uint64_t change;
    void (*saved)(struct fs *fs, struct saving *w, int error); /* 0 or -errno */
};

/* A piece of slow work: `run` without the lock, then `done` with it. */
struct store_job {
    STAILQ_ENTRY(store_job) link;
    void (*run)(struct fs *fs, struct store_job *job);
    void (*done)(struct fs *fs, struct store_job *job);
};

/* Opens (makes) the directories and takes the lock. -EWOULDBLOCK: another mount has it; -EPERM:
 * somebody else may write there. The reason is in `why`. Opens fs->cache_dir too. */
int store_open(struct fs *fs, char *why, size_t size);

/* Reads all sessions into the tree. Before the threads start. Unreadable ones are left alone, with
 * a line on stderr. 0 or -errno. */
int store_load(struct fs *fs);

int store_start(struct fs *fs);

/* Writes what is unsaved, then ends the thread. No lock held. */
void store_stop(struct fs *fs);

/* `w` may be NULL. */
void store_save(struct session *s, struct saving *w,
                void (*saved)(struct fs *fs, struct saving *w, int error));
void store_run(struct fs *fs, struct store_job *job);

/* No lock; the caller has a reference. Saves on this thread: what changes names is on disk when it
 * returns to its user. 0 or -errno. */
int store_save_now(struct session *s);

/* No lock; the caller has a reference. Moves the session's folder to removed/, with all that is
 * known of it; nothing is written for it any more. 0 or -errno: it is where it was. */
int store_remove(struct session *s);

/* No lock. A file of the session's folder, malloc'd. 0 or -errno. */
int store_read_file(struct fs *fs, const char *uuid, const char *file, size_t max, char **out,
                    size_t *len);
/* No lock. Opens one for reading: a descriptor or -errno. */
int store_open_file(struct fs *fs, const char *uuid, const char *file);

#endif
