/*
 * The backend, as the file system sees it: one function per thing that it can do.
 *
 * Threads. client_new starts one thread that owns every curl handle, all timers and all callbacks (and a
 * helper for file data, so that no slow disk holds it up). Every function below may be called from any
 * thread, also with locks held and from inside callbacks: none waits for anything (client_stop and _free aside),
 * and none calls back before it returned. Callbacks run on the client's thread; they must not block.
 *
 * Calls. A function that returns a negative errno (-ENOMEM, -ESHUTDOWN, -EINVAL, what dup() says) makes no callback.
 * Otherwise the final callback comes exactly once, and no other one of that call after it. *call (may be NULL)
 * is set before any callback of it can run. Everything passed in is copied, unless said otherwise; everything
 * passed to a callback is valid during that callback only. The fault pointer is never NULL; kind is FAULT_NONE
 * on success.
 *
 * Faults. 1001 is dealt with here (one new anonymous token for all the calls that failed together, then each
 * call once more), so is 429 (one retry after Retry-After or retry_wait, unless CLIENT_ONE_TRY). 1002 is
 * reported: the caller has the inputs that a new session needs. Passing faults of free, repeatable calls
 * are retried with CLIENT_RETRY. Every answer is bounded in size and time.
 *
 * Secrets. The token is in memory and in token_path (0600) only. It goes to the API's own origin only.
 */
#ifndef LIPSYNC_CLIENT_H
#define LIPSYNC_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"

struct client;
typedef uint64_t client_call; /* never 0, never used twice */

struct client_options {
    const char *api_url;  /* root, no trailing slash; https, or http to a loopback address */
    const char *web_url;  /* root of links for the browser, no trailing slash */
    const char *platform; /* attribution: clawhub, cursor, unknown, or SKILL_SOURCE */
    const char *token;          /* from NEMO_TOKEN: used as it is, never replaced; or NULL */
    const char *client_id;      /* from NEMO_CLIENT_ID; or NULL */
    const char *client_id_path; /* shared file of NemoVideo tools, made when missing */
    const char *token_path;     /* the anonymous token with its expiry, 0600 */
    int64_t poll_ms;            /* longest pause between render polls */
    int64_t retry_wait_ms;      /* before the retry after 429 and before the first look after a break */
    int64_t quiet_ms;
    int64_t turn_timeout_ms;
    int64_t render_timeout_ms;
    void (*log)(const char *line); /* diagnostics for -d, without secrets; may be NULL; any thread */
};

/* NULL with *error set to a negative errno. Contacts nobody yet. */
struct client *client_new(const struct client_options *options, int *error);

/* Ends every outstanding call with FAULT_CANCELLED: no callback comes any more, and new calls get
 * -ESHUTDOWN. Not from a callback, and by one thread. */
void client_stop(struct client *c);

/* client_stop, then the end of the threads and of all that c owns. */
void client_free(struct client *c);

/* Ends one call with FAULT_CANCELLED, from the client's thread; unknown and ended ones are ignored. */
void client_cancel(struct client *c, client_call call);

enum client_patience {
    CLIENT_ONE_TRY, /* queries of an open(): one try and one re-authentication */
    CLIENT_RETRY,   /* passing faults again with backoff and jitter for 30 s in all */
};

/* ---- account ---- */

struct client_account {
    bool anonymous;
    char user_id[128]; /* "" until known */
};

/* A copy of what is known now. */
void client_account(struct client *c, struct client_account *out);

/* ---- session ---- */

struct client_session {
    const char *session_id; /* never NULL nor empty */
    const char *task_id;    /* may be NULL */
    const char *user_id;    /* may be NULL */
};

typedef void client_session_fn(void *user, const struct fault *f, const struct client_session *s);

/* POST with-session. Not repeated after a break that may have reached the backend. */
int client_session_create(struct client *c, const char *name, const char *lang,
                          client_session_fn *done, void *user, client_call *call);

/* `url` is the browser link, NULL on a fault (FAULT_NOT_FOUND: this deployment has none). */
typedef void client_link_fn(void *user, const struct fault *f, const char *url, int expires_in_s);
int client_link(struct client *c, const char *task_id, const char *session_id, client_link_fn *done,
                void *user, client_call *call);

/* ---- upload ---- */

typedef void client_upload_progress_fn(void *user, uint64_t sent, uint64_t total);

/* `url` is where the backend keeps the file, as it spells it (it may be relative to the API); NULL on a fault, and
 * if it does not tell. */
typedef void client_upload_fn(void *user, const struct fault *f, const char *url);

/* Sends `size` bytes of `fd` from its start as `name` (UTF-8, no '/'). The descriptor is duplicated; the file
 * must not change meanwhile. `progress` may be NULL; it comes at most ten times a second, and once `sent` is
 * `total`. Passing faults are retried for 30 s in all. */
int client_upload_file(struct client *c, const char *session_id, int fd, uint64_t size,
                       const char *name, client_upload_progress_fn *progress, client_upload_fn *done,
                       void *user, client_call *call);
int client_upload_url(struct client *c, const char *session_id, const char *url, client_upload_fn *done,
                      void *user, client_call *call);

/* ---- message ---- */

enum turn_notice {
    TURN_QUIET,    /* nothing for the user for `quiet` ("Hang on, still processing...") */
    TURN_BROKEN,   /* the stream broke; the state will be read instead */
    TURN_RECHECK,  /* still unchanged, will look again */
};

struct turn_result {
    bool answered;      /* text for the user came */
    bool changed;       /* the draft is not what it was in `before` */
    bool recovered;     /* the stream broke, and the state tells that the edit was done */
    const char *state;  /* the newest state known, exact bytes; NULL: none could be read */
    size_t state_len;
};

/* The functions run in this order: taken (unless refused before), any number of text and notice, done. */
struct turn_events {
    void (*taken)(void *user); /* the stream began; or it broke after the request left: it is not sent again */
    void (*text)(void *user, const char *utf8, size_t len); /* the backend's words, each once, live */
    void (*notice)(void *user, enum turn_notice notice);
    void (*done)(void *user, const struct fault *f, const struct turn_result *r);
};

struct client_turn {
    const char *session_id;
    const char *message;
    const char *before; /* the state before the message, exact bytes; NULL: unknown */
    size_t before_len;
    bool resume; /* the message left in an earlier life of the program: read the state only, send nothing */
};

/* One message to its end, recovery after a broken stream included; the message is never sent twice. A
 * fault without taken() is a definite refusal. A fault after it: FAULT_AGENT, or what broke the stream
 * when the state showed no change. */
int client_turn(struct client *c, const struct client_turn *turn, const struct turn_events *events,
                void *user, client_call *call);

/* ---- state, balance ---- */

typedef void client_state_fn(void *user, const struct fault *f, const char *state, size_t len);
int client_state(struct client *c, const char *session_id, enum client_patience patience,
                 client_state_fn *done, void *user, client_call *call);

struct client_balance {
    int64_t available, frozen, total; /* credits, never negative */
};

typedef void client_balance_fn(void *user, const struct fault *f, const struct client_balance *b);
int client_balance(struct client *c, enum client_patience patience, client_balance_fn *done,
                   void *user, client_call *call);

/* ---- export ---- */

/* A new render id, "render_<ms since the epoch>", never the same twice in this process, and never lower
 * than the last. */
void client_render_id(char out[40]);

typedef void client_done_fn(void *user, const struct fault *f);

/* Submits the draft, byte for byte. An error because the id exists already counts as success. */
int client_render_submit(struct client *c, const char *session_id, const char *render_id,
                         const char *draft, size_t draft_len, client_done_fn *done, void *user,
                         client_call *call);

/* percent: 0-100, or -1 if not told. late: render_timeout is over; polling goes on, slowly. */
typedef void client_render_progress_fn(void *user, int percent, bool late);

/* url: where the backend says the file is; NULL: not told (the download then uses the id). */
typedef void client_render_fn(void *user, const struct fault *f, const char *url);

/* Polls to the end: success, FAULT_RENDER, FAULT_NOT_FOUND (the id is unknown there), FAULT_TOKEN, … Passing
 * faults and 429 are polled through. */
int client_render_wait(struct client *c, const char *render_id, client_render_progress_fn *progress,
                       client_render_fn *done, void *user, client_call *call);

typedef void client_download_progress_fn(void *user, uint64_t received, uint64_t total); /* 0: unknown */
typedef void client_download_fn(void *user, const struct fault *f, uint64_t size);

/* Where from: a URL, or (url NULL) the download call of a render id. With a URL that fails and an id given,
 * the id's download call is tried too. */
struct client_download {
    const char *url;       /* may be NULL */
    const char *render_id; /* may be NULL */
    int fd;                /* duplicated; truncated, then written from its start */
    uint64_t max_size;     /* bytes; more is FAULT_TOO_LARGE. 0: no bound but the disk */
    bool expect_mp4;       /* what is no MP4 file is FAULT_PROTOCOL */
};

/* Resumed with Range after a cut; length checked. */
int client_download(struct client *c, const struct client_download *what,
                    client_download_progress_fn *progress, client_download_fn *done, void *user,
                    client_call *call);

#endif
