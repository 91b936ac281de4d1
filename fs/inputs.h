/*
 * inputs/: files in the cache on their way to the backend.
 *
 *   NEW ──last close──> UPLOADING ──> UPLOADED
 *    │  (a temporary name)   │  └──> FAILED ──written again, renamed──> UPLOADING
 *    └──> TEMPORARY ──rename─┘
 *
 * `content` is what was closed last and never changes; writing goes to `work`, a new file (a copy,
 * where the old bytes are still wanted), which becomes the content at the last close. While a
 * replacement is on its way the old content, sent or not, waits in `previous`: an interrupted
 * writer gives it back, and until its close succeeds the record on disk has nothing else. What
 * its own container says is cut short, or what lacks a write that was refused, is never uploaded. A
 * copy (made by a program that would not write over another file, whose source is still there) goes
 * with the last handle that writes, unless it is written on: it was cancelled. Anything else stays,
 * to be gone on with.
 *
 * Functions need fs->lock, except those marked "no lock", which do I/O.
 */
#ifndef LIPSYNCFS_INPUTS_H
#define LIPSYNCFS_INPUTS_H

#include "blob.h"
#include "fs.h"
#include "session.h"

struct upload;
struct fetch;

enum input_state {
    INPUT_NEW,       /* never closed with anything in it */
    INPUT_TEMPORARY, /* closed under a temporary name */
    INPUT_UPLOADING,
    INPUT_UPLOADED,
    INPUT_FAILED,
};

struct input {
    struct session *session; /* has a reference */
    uint64_t ino;
    char *name;
    int refs; /* the session's list, handles, uploads */
    UT_hash_handle hh_name, hh_ino;
    enum input_state state;
    bool removed; /* not in the tree any more */

    pthread_mutex_t io; /* writers, one at a time; before fs->lock */
    struct blob *content, *work, *previous;
    bool work_used; /* `work` is open */
    bool dirty;     /* written since the last close that counted */
    bool copy;      /* created with O_EXCL */
    bool cut;       /* the copy is cut short, as its closer was told, and was not touched since */
    bool unsynced;  /* the content may not be on disk yet */
    /* `work` lacks the write of lost_at, refused with this positive errno; 0: none. */
    int lost;
    off_t lost_at;
    int writers; /* handles open for writing */
    /* Counted up when what readers see changed otherwise than by the kernel's own calls, and the
     * one that its page cache has: see handle_keeps_cache. */
    uint64_t revision, cached_revision;
    char *link; /* a URL input; then there is no content */
    char *url;  /* where the backend keeps it; NULL: not told */
    char *previous_url;
    enum input_state previous_state;
    struct timespec mtime, atime, ctime;

    struct upload *upload; /* under way; upload.h */
    struct fetch *fetch;   /* dropped content coming back; fetch.h */

    /* the last failure */
    int error; /* positive errno */
    char *words;
    bool unreported;
};

/* A new one in the tree, NULL: no memory or INPUTS_MAX. */
struct input *input_new(struct session *s, const char *name);
struct input *input_find(struct session *s, const char *name);

/* Its name as texts for people have it: one line, no control characters. NAMES_MAX + 1 bytes. */
void input_shown_name(const struct input *in, char *out);
struct input *input_ref(struct input *in);
void input_unref(struct input *in);

uint64_t input_size(const struct input *in);

/* May it be removed, or given a name under which nothing is uploaded? Not once the backend has it.
 */
bool input_is_sent(const struct input *in);

/* Takes it out of the tree; an upload under way is cancelled. */
void input_remove(struct input *in);

/* Gives it another name (taken over) in the same session, replacing `target` (may be NULL); uploads
 * it if that is due now. */
void input_rename(struct input *in, struct input *target, char *name);

/* The writer is gone: what was written since goes, what was there before stays. */
void input_abandon(struct input *in);

/* Drops what waits in `previous`. Its file goes at once, or once a record without it is on disk. */
void input_drop_previous(struct input *in);
void input_forget_previous(struct input *in);

/* After a session was lost: what was there goes there again. How many. */
size_t inputs_submit_again(struct session *s);

/* Goes on with what an earlier life left. */
void inputs_resume(struct session *s);

/* The unreported background failure, if there is one: its errno (once), else 0. */
int inputs_report(struct session *s);

/* Makes room in the cache: drops content that the backend can give back, longest unused first. */
void inputs_evict(struct fs *fs, uint64_t bytes);

/* ---- input_bytes.c; no lock; 0 (a count) or a negative errno ---- */

int input_truncate(struct input *in, uint64_t size);
ssize_t input_write(struct input *in, const void *data, size_t size, off_t offset);
ssize_t input_read(struct input *in, void *data, size_t size, off_t offset);

/* ---- closing.c; no lock ---- */

/* A FLUSH of a handle open for writing: answers it, or parks it until the upload has ended. */
void input_flush(struct input *in, struct parked *p);

/* A handle that was open for writing is gone. */
void input_released(struct input *in);

#endif
