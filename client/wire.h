/*
 * The bodies of the backend's HTTP calls, out and in.
 *
 * Pure. Answers are hostile input. All three envelopes are read: {"code","message","data"},
 * {"success","data","error"}, and bare JSON. Unknown members are ignored.
 */
#ifndef LIPSYNC_WIRE_H
#define LIPSYNC_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client.h"
#include "fault.h"

#define WIRE_ID_MAX 128      /* bytes of an id, terminated */
#define WIRE_SECRET_MAX 2048 /* bytes of a token, terminated */
#define WIRE_URL_MAX 8192    /* bytes of a URL, terminated */
#define WIRE_RETRY_AFTER_MAX_S 120

/* ---- requests ----
 *
 * 0 and a malloc'd, terminated body that the caller frees; -ENOMEM; -EILSEQ if a text is no UTF-8;
 * -EINVAL if the draft is no JSON object; -EMSGSIZE if it is beyond all measure. */

int wire_session_body(const char *task_name, const char *lang, char **out, size_t *len);
int wire_claim_body(const char *task_id, const char *session_id, char **out, size_t *len);
int wire_url_body(const char *url, char **out, size_t *len);
int wire_message_body(const char *session_id, const char *message, char **out, size_t *len);

/* The draft goes in byte for byte. */
int wire_render_body(const char *render_id, const char *session_id, const char *draft,
                     size_t draft_len, char **out, size_t *len);

/* ---- answers ----
 *
 * True if the call succeeded; *fault tells why not (kind FAULT_NONE on success; http, code and
 * detail are filled; retry_after_s is -1, the caller knows the header). Results are untouched on
 * failure. */

struct wire_answer {
    int http; /* status */
    const char *body;
    size_t len;
};

/* Any call of whose answer only the success counts (the body may be empty). */
bool wire_read_done(const struct wire_answer *a, struct fault *fault);

struct wire_token {
    char token[WIRE_SECRET_MAX]; /* not empty, and fit for a header: printable ASCII without spaces
                                  */
    char user_id[WIRE_ID_MAX];   /* "" if not told */
    int64_t expires_at_s;        /* since the epoch; 0: not told */
    int64_t credits;             /* -1: not told */
};

/* The only call where 400 gives FAULT_CLIENT_ID. */
bool wire_read_token(const struct wire_answer *a, struct wire_token *out, struct fault *fault);

struct wire_session {
    char session_id[WIRE_ID_MAX]; /* not empty; strings, or the digits of a number */
    char task_id[WIRE_ID_MAX];    /* "" if not told */
    char user_id[WIRE_ID_MAX];    /* "" if not told */
};

bool wire_read_session(const struct wire_answer *a, struct wire_session *out, struct fault *fault);

struct wire_claim {
    char claim_token[WIRE_SECRET_MAX]; /* not empty; letters, digits, '-', '_', '.', '~' only */
    int expires_in_s;                  /* INT_MAX: not told */
};

bool wire_read_claim(const struct wire_answer *a, struct wire_claim *out, struct fault *fault);

/* Where the backend keeps what was uploaded (the first file that it lists), as it spells it; "" if
 * not told, or beyond the bound. An empty or missing list is FAULT_PROTOCOL. */
bool wire_read_upload(const struct wire_answer *a, char url[WIRE_URL_MAX], struct fault *fault);

/* The exact bytes of `data.state`, pointing into the body; "null" for a session that has none yet:
 * the backend says null, one that leaves the state out makes no sense. */
bool wire_read_state(const struct wire_answer *a, const char **state, size_t *len,
                     struct fault *fault);

bool wire_read_balance(const struct wire_answer *a, struct client_balance *out,
                       struct fault *fault);

enum wire_render_status {
    WIRE_RENDER_PENDING,
    WIRE_RENDER_PROCESSING, /* and all words that the protocol does not know */
    WIRE_RENDER_COMPLETED,
    WIRE_RENDER_FAILED,
};

struct wire_render {
    enum wire_render_status status;
    int percent;            /* 0-100, -1: not told */
    char url[WIRE_URL_MAX]; /* COMPLETED: "" if not told (or relative, or beyond the bound) */
    char detail[FAULT_DETAIL_MAX]; /* FAILED: the backend's words, clean; "" if none */
};

/* A render that failed is no fault of this call. */
bool wire_read_render(const struct wire_answer *a, struct wire_render *out, struct fault *fault);

/* Does the fault of a submission say that the render id is taken already? */
bool wire_render_exists(const struct fault *fault);

/* The value of a Retry-After header (seconds, or an HTTP date) in seconds from `now_s` (since the
 * epoch), from 0 to WIRE_RETRY_AFTER_MAX_S; -1 if unreadable or NULL. */
int wire_retry_after_s(const char *value, int64_t now_s);

#endif
