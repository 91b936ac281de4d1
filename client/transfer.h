/*
 * One HTTP exchange: a request, its answer, limits on both.
 *
 * Loop thread only. Everything is bounded: the connection by 10 s, the headers, the body (unless it
 * is taken as it comes), the silence (stall) and the whole (timeout). HTTP/1.1, TLS 1.2 or better
 * with verified peers, no proxy, no redirects. Plain http goes to loopback addresses only, whatever
 * the name resolves to.
 *
 * libcurl repeats a request by itself when a kept connection turns out to be dead. What must not be
 * sent twice asks for a fresh one.
 */
#ifndef LIPSYNC_TRANSFER_H
#define LIPSYNC_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <curl/curl.h>

#include "buffer.h"
#include "fault.h"
#include "loop.h"
#include "origin.h"

#define TRANSFER_HEADERS_MAX (256u << 10) /* bytes of an answer's headers, trailers included */

struct transfer;

enum transfer_verdict {
    TRANSFER_GO_ON,
    TRANSFER_PAUSE, /* data: the same bytes come again after transfer_resume() */
    TRANSFER_STOP,  /* transfer_fail() was called, or the rest is not wanted */
};

/* Any of them may be NULL, `done` aside. form, head and data are called inside libcurl: they must
 * not free the transfer nor start another one. */
struct transfer_ops {
    /* The next bytes of a body of spec.body_len bytes that is not in memory: how many; -EAGAIN:
     * none until transfer_resume(); another negative errno ends the transfer. */
    ssize_t (*send)(void *user, struct transfer *t, char *out, size_t size);
    /* That body is wanted from its start again. */
    void (*rewind)(void *user);
    /* Status and headers are there. With t->streamed set the body goes to `data`, else into
     * t->body. */
    enum transfer_verdict (*head)(void *user, struct transfer *t);
    enum transfer_verdict (*data)(void *user, struct transfer *t, const char *bytes, size_t len);
    /* The end, never before transfer_start returned. t->fault tells how it went; HTTP errors are no
     * fault here. The owner frees the transfer, here or later. */
    void (*done)(void *user, struct transfer *t);
};

struct transfer_spec {
    const char *method; /* "GET" or "POST" */
    const char *url;
    struct curl_slist *headers; /* taken over, on failure too */
    const void *body;           /* must live as long as the transfer; NULL with `send` */
    uint64_t body_len;
    size_t answer_max;   /* bytes of t->body */
    int64_t timeout_ms;  /* for all of it; 0: none */
    int64_t stall_ms;    /* without a byte either way, pauses aside, a quarter more where `send`
                            is; 0: none */
    long send_buffer;    /* bytes; 0: libcurl's choice */
    long receive_buffer; /* bytes; 0: libcurl's choice */
    enum reach nearest;  /* addresses nearer than this are not contacted */
    bool fresh;          /* a connection of its own */
    const struct transfer_ops *ops;
    void *user;
    void (*log)(const char *line); /* may be NULL */
};

struct transfer {
    /* For the owner to read. */
    struct fault fault;
    int http;           /* status, 0: none came */
    struct buffer body; /* what was not streamed */
    bool sent;          /* the request may have reached the server */
    bool streamed;
    enum reach reach; /* of the address last tried */

    /* Its own. */
    struct loop *loop;
    struct loop_easy e;
    const struct transfer_ops *ops;
    void *user;
    void (*log)(const char *line);
    struct curl_slist *headers;
    enum reach nearest;
    bool loopback_only;
    bool attached;
    bool paused;
    bool head_done;
    bool kept_away;   /* from an address that is too near */
    bool tried;       /* another one */
    int socket_error; /* errno: what there were too many of; 0: none */
    size_t header_bytes;
    int64_t started_ms;
    int64_t stall_ms;
    int64_t moved_ms; /* when a byte last went either way */
    int64_t arrived;  /* bytes of the request, when that was last looked at */
    struct timer stall;
    char method[8];
    char path[256];
};

/* NULL with *error set to a negative errno; then there is no `done`. */
struct transfer *transfer_start(struct loop *loop, const struct transfer_spec *spec, int *error);

/* Aborts at once if it still runs (without `done`). NULL is fine. Not inside send, head and data.
 */
void transfer_free(struct transfer *t);

/* For head and data: the fault that the transfer ends with. Returns TRANSFER_STOP. */
enum transfer_verdict transfer_fail(struct transfer *t, struct fault fault);

/* After a pause of either way; calls `data` at once if bytes were kept. Not inside send, head and
 * data. */
void transfer_resume(struct transfer *t);

/* A header of the answer, from `head` on, valid until the next call; NULL: not there. */
const char *transfer_header(struct transfer *t, const char *name);

#endif
