/*
 * What went wrong, as a value: kind, HTTP status, backend code, the backend's own words.
 *
 * Pure: no I/O, no clock; usable from every thread. A fault is plain data and is copied by
 * assignment. The error table of the backend's protocol lives here and in fault.c only; the errno
 * that a caller of the file system gets is chosen in fs/errnos.c only.
 */
#ifndef LIPSYNC_FAULT_H
#define LIPSYNC_FAULT_H

#include <stdbool.h>
#include <stddef.h>

enum fault_kind {
    FAULT_NONE,
    FAULT_TOKEN,       /* 1001, HTTP 401: bad or expired token */
    FAULT_SESSION,     /* 1002, HTTP 404 "Session not found" */
    FAULT_CREDITS,     /* 2001: no credits left */
    FAULT_TYPE,        /* 4001: cannot handle that file type */
    FAULT_TOO_LARGE,   /* 4002, HTTP 413 */
    FAULT_CLIENT_ID,   /* 400 from the token call: no X-Client-Id */
    FAULT_PLAN,        /* 402: the free plan's export limit */
    FAULT_RATE,        /* 429 */
    FAULT_FORBIDDEN,   /* HTTP 403 */
    FAULT_NOT_FOUND,   /* any other 404 */
    FAULT_SERVER,      /* HTTP 5xx, or a code that the table does not know */
    FAULT_UNREACHABLE, /* host not found or not reachable */
    FAULT_REFUSED,     /* connection refused */
    FAULT_TIMEOUT,     /* no answer in time */
    FAULT_BROKEN,      /* the connection broke in mid-exchange */
    FAULT_TLS,         /* no trustworthy connection */
    FAULT_PROTOCOL,    /* an answer that makes no sense */
    FAULT_AGENT,       /* the backend reported a failure inside the event stream */
    FAULT_RENDER,      /* a render ended as "failed" */
    FAULT_LOCAL,       /* this machine: `error` is a positive errno (ENOSPC, ENOMEM, EIO, …) */
    FAULT_CANCELLED,   /* cancelled by the caller, or the client is being freed */
};

#define FAULT_DETAIL_MAX 256

struct fault {
    enum fault_kind kind;
    int http;                      /* HTTP status, 0: none */
    int code;                      /* `code` of the envelope, 0: none */
    int error;                     /* FAULT_LOCAL: positive errno */
    int retry_after_s;             /* Retry-After, -1: none; bounded to 120 */
    bool sent;                     /* part of the request may have reached the backend */
    bool in_doubt;                 /* a message: nobody can tell whether it was carried out */
    char detail[FAULT_DETAIL_MAX]; /* the backend's words: UTF-8, no control characters, no JSON, no
                                      token; "" if none */
};

/* Who is asking: what the advice depends on. Strings may be NULL. */
struct fault_context {
    const char *web_url; /* no trailing slash */
    const char *user_id;
    bool anonymous; /* the token is an anonymous one */
};

/* A fault of `kind` with an optional detail (NULL: none; cleaned as said above). */
struct fault fault_make(enum fault_kind kind, const char *detail);

/* A local failure; `error` is a positive errno. */
struct fault fault_local(int error); /* ESHUTDOWN: FAULT_CANCELLED */

/* The fault that an HTTP status means, looking at the body for nothing. 2xx gives FAULT_NONE. */
enum fault_kind fault_of_http(int status);

/* The fault that an envelope's `code` means. 0 gives FAULT_NONE. */
enum fault_kind fault_of_code(int code);

/* May the same free, repeatable call succeed if it is made again soon? (5xx, network, no sockets)
 */
bool fault_is_passing(const struct fault *f);

/* What happened, in the language of the texts: one line without a newline. Always terminated. */
void fault_words(const struct fault *f, char *out, size_t size);

/* What the user can do about it, one line; "" when there is nothing to say. Always terminated. */
void fault_hint(const struct fault *f, const struct fault_context *who, char *out, size_t size);

/* Copies at most size-1 bytes of UTF-8 without control characters or escape sequences, cut at a
 * character border; bad bytes become U+FFFD. Always terminated. Names and texts from the backend
 * pass through here before people see them. */
void fault_clean_text(const char *text, size_t len, char *out, size_t size);

#endif
