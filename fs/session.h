/*
 * The life of one session.
 *
 *   connection:  NONE ──first use──> RUNNING ──> MADE         (mkdir is a first use)
 *                  ^                    └──> FAILED ──next use──> RUNNING
 *                  └── the backend forgot it (1002): a new one, inputs sent again
 *
 *   message:     at rest ──close of instruct──> saved ──> sent ──> answered ──> state known ──> at
 * rest (one at a time; opens of instruct wait their turn)
 *
 *   render:      none ──draft changed, or `export`──> submitted ──> rendering ──> downloading ──>
 * output.mp4 (a newer draft drops it)
 *
 * One struct holds all of it, for every part needs the others; each part's functions are in a file
 * of their own (inputs.c, prompt.c, message.c, render.c, query.c, status.c). Everything here needs
 * fs->lock.
 */
#ifndef LIPSYNCFS_SESSION_H
#define LIPSYNCFS_SESSION_H

#include "bytes.h"
#include "fs.h"
#include "reply.h"
#include "store.h"

/* One who needs the backend session. Embedded; `go` comes exactly once for each session_need. */
struct need {
    TAILQ_ENTRY(need) link;
    bool waiting;
    void (*go)(struct fs *fs, struct need *n, const struct fault *f);
};

enum connection { CONNECTION_NONE, CONNECTION_RUNNING, CONNECTION_MADE, CONNECTION_FAILED };

/* What an error is of. Work that succeeds takes any away; a session that was made and the answer to
 * a query, a late one too, their own only. */
enum error_of { ERROR_OF_WORK, ERROR_OF_CONNECTION, ERROR_OF_QUERY };

struct render;
struct job;
TAILQ_HEAD(job_list, job);

struct session {
    struct fs *fs;
    int refs; /* the tree, handles, inputs, calls under way */
    uint64_t number;
    char uuid[37];
    char *name;
    bool removed;
    struct timespec created, changed, inputs_changed;
    UT_hash_handle hh_name, hh_number;

    /* the backend's session */
    enum connection connection;
    char *id, *task_id, *user_id;
    client_call connecting;
    TAILQ_HEAD(, need) needs;
    char *link;
    int64_t link_until_ms;
    bool link_asked;

    /* inputs */
    struct input *inputs; /* uthash by name, handle hh_name */
    size_t uploading;
    struct parked_list upload_waiters; /* opens of instruct */

    /* the last state */
    struct bytes *state; /* NULL: none yet, or on disk only */
    bool state_unsaved;
    size_t state_size, timeline_size; /* of the files, bytes */
    struct timespec state_changed;
    uint64_t fingerprint; /* of the draft, 0: none */
    int64_t duration_ms;
    bool ready; /* the draft can be exported */
    struct query_run *state_run;
    uint64_t state_seq;

    /* instruct */
    struct parked_list openers; /* waiting their turn */
    struct parked_list checks;  /* asking the backend */
    struct handle *admitted;    /* came from `openers`, has not sent yet */
    struct job *job;            /* the one being worked on */
    struct job_list jobs;       /* the next ones */
    char *message;              /* the last one */
    struct timespec message_time;

    struct reply *reply;
    struct render *render; /* under way, render.h; NULL: none */
    struct output *output; /* NULL: there is none */

    /* what failed last; NULL: nothing */
    char *error, *hint;
    enum error_of error_of;

    /* history.txt */
    size_t history_size; /* on disk */
    char *history;       /* not yet on disk */
    size_t history_len, history_room;
    struct timespec history_changed;

    struct timespec status_changed;

    /* saving */
    uint64_t change, saved_change;
    bool save_queued, save_failed;
    bool stored_away; /* in removed/ */
    TAILQ_ENTRY(session) save_link;
    TAILQ_HEAD(, saving) savings;
};

/* A new one in the tree, not connected. 0 or -errno (-ENOSPC: SESSIONS_MAX). */
int session_new(struct fs *fs, const char *name, struct session **out);
struct session *session_find(struct fs *fs, const char *name);
struct session *session_by_number(struct fs *fs, uint64_t number);
struct session *session_ref(struct session *s);
void session_unref(struct session *s); /* NULL is fine */
int session_rename(struct session *s, const char *name);
void session_remove(struct session *s);

/* Makes the backend session if there is none, then n->go; at once if there is one (never before it
 * returns: from the end of the lock). `n` NULL: in the background. */
void session_need(struct session *s, struct need *n,
                  void (*go)(struct fs *fs, struct need *n, const struct fault *f));
void session_need_cancel(struct session *s, struct need *n);

/* The backend does not know session `id` any more: the next use makes a new one and the inputs go
 * there again. */
void session_lost(struct session *s, const char *id);

/* What a state says. Working it out takes its time (a second for 10^6 tracks), so it is done
 * without the lock. */
struct state_news {
    struct bytes *text;     /* as a file has it, with a newline; NULL: no memory */
    struct bytes *timeline; /* timeline.txt; NULL: no memory */
    const char *draft;      /* inside `text`; NULL: it has none */
    size_t draft_len;
    uint64_t fingerprint;
    int64_t duration_ms;
    bool ready;
};

void state_news_init(struct state_news *n, const char *state, size_t len);
struct state_news state_news_share(const struct state_news *n); /* to be released, too */
void state_news_release(struct state_news *n);

/* Takes over a newer state; output.mp4 goes if the draft is another. */
void session_take_state(struct session *s, const struct state_news *n);

/* The state is on disk: its text need not stay in memory. */
void session_rest_state(struct session *s);

/* Asks for state and balance in the background. */
void session_refresh(struct session *s);

/* The session's reply from now on, taken over; who reads the old one gets its end. */
void session_set_reply(struct session *s, struct reply *r);

/* Goes on with what an earlier life left: uploads, a message, a render. */
void session_resume(struct session *s);

/* Failure and success of work as users see them. `f` is not FAULT_NONE. Words are bounded by
 * ERROR_WORDS_MAX. */
void session_failed(struct session *s, const struct fault *f);
void session_failed_words(struct session *s, const char *words, const char *hint);
void session_succeeded(struct session *s);

/* How something else ended. */
void session_tell(struct session *s, enum error_of of, const struct fault *f);

void session_fault_text(struct session *s, const struct fault *f, char *words, char *hint); /* both
                                                                        ERROR_WORDS_MAX */

/* One line of history.txt: time, who, text (its newlines are indented). */
void history_add(struct session *s, const char *who, const char *text);

/* status.txt as it is now; NULL: no memory. */
struct bytes *status_text(struct session *s);
void status_changed(struct session *s);

/* timeline.txt from a state's text (may be NULL); NULL: no memory. */
struct bytes *timeline_text(const struct bytes *state);

#endif
