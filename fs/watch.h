/*
 * The thread that tells onlookers: inotify watchers, by small calls on our own mount, and the
 * kernel's caches.
 *
 * Changes that a FUSE daemon makes inside itself, and cache invalidations too, give no inotify
 * event; a rename or a write that comes through the mount does. One thread makes those calls, one
 * after the other, and the invalidations, which must not come from a request's thread. It may block
 * in the kernel, so nothing ever waits for it and it holds no lock meanwhile.
 *
 * The functions that give it work may be called from any thread, with locks held: they only queue.
 * The same work queued twice is done once, at the later place. At most WATCH_QUEUE_MAX pieces wait;
 * more are dropped: watchers then miss an event, and caches live on until their timeouts. So is
 * everything that fails: a session may be renamed or gone by the time its turn comes, and that is
 * told by other means. No wake-ups while there is nothing to do. The calls on the mount are made
 * only while somebody watches it (watchers.h).
 *
 * A mount works without it, so NULL is taken everywhere: then nothing is done.
 *
 * The file system recognises the thread's requests by watch_is_self and lets it do what nobody else
 * may.
 */
#ifndef LIPSYNC_WATCH_H
#define LIPSYNC_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define WATCH_QUEUE_MAX 65536
#define WATCH_STATUS_INTERVAL_MS 1000

#define WATCH_OUTPUT_NEW ".output.mp4.new" /* what output.mp4 is renamed from */

struct fuse_session;
struct watch;

/* Starts the thread, all signals blocked. `device` is the mount's (see mounts.h): after an unmount
 * the same path leads elsewhere, and nothing is done there; 0: not compared. NULL with *error set
 * to a negative errno. */
struct watch *watch_new(const char *mountpoint, dev_t device, int *error);

/* From now on nothing more is done or taken; returns at once. */
void watch_stop(struct watch *w);

/* Stops and joins. The thread may be inside a request to the mount: only when those are still
 * answered, or after the connection has been closed. */
void watch_free(struct watch *w);

/* Comes this request from the watch thread? `tid` as FUSE tells it. */
bool watch_is_self(const struct watch *w, pid_t tid);

/* Renames WATCH_OUTPUT_NEW to output.mp4 in the session's directory. */
void watch_output_appeared(struct watch *w, const char *session);

/* Unlinks output.mp4 in it. */
void watch_output_gone(struct watch *w, const char *session);

/* Unlinks an input there, which is gone already. */
void watch_input_gone(struct watch *w, const char *session, const char *name);

/* Writes one byte to its status.txt, or touches it if that is refused; at most once in
 * WATCH_STATUS_INTERVAL_MS for a session, the last change always. */
void watch_status(struct watch *w, const char *session);

/* Drops the kernel's cached attributes and content (for a directory: the listing) of an inode. `se`
 * must live until watch_free. */
void watch_invalidate_inode(struct watch *w, struct fuse_session *se, uint64_t ino);

/* Drops the kernel's cached lookup of a name. */
void watch_invalidate_entry(struct watch *w, struct fuse_session *se, uint64_t parent,
                            const char *name);

#endif
