/*
 * One call of the API, made again as often as the protocol allows: the token, 1001, 429, passing
 * faults.
 *
 * Loop thread only; embedded in a call. The token goes along if, and only if, the URL is of the
 * API's own origin; so do the attribution headers. Other hosts are not contacted at addresses
 * nearer than the API's.
 */
#ifndef LIPSYNC_EXCHANGE_H
#define LIPSYNC_EXCHANGE_H

#include "internal.h"
#include "transfer.h"
#include "wire.h"

#define EXCHANGE_TIMEOUT_MS 20000      /* what a short call may take */
#define EXCHANGE_ANSWER_MAX (1u << 20) /* bytes of a short answer */
#define EXCHANGE_PATIENCE_MS                                                                       \
    30000 /* passing faults are retried until trouble has lasted that long */

enum exchange_again {
    EXCHANGE_NEVER,  /* beyond what is always done: once more after a new token, once more after 429
                      */
    EXCHANGE_UNSENT, /* once more after a passing fault that certainly never reached the server */
    EXCHANGE_PASSING, /* after passing faults, with backoff and jitter */
};

/* `user` is that of the exchange. Any may be NULL, read and done aside. */
struct exchange_ops {
    /* Before every attempt. 0 or a negative errno. */
    int (*begin)(void *user);
    /* Adds headers; consumes the list, NULL: no memory. */
    struct curl_slist *(*headers)(void *user, struct curl_slist *list);
    /* As in transfer_ops. */
    ssize_t (*send)(void *user, struct transfer *t, char *out, size_t size);
    void (*rewind)(void *user);
    enum transfer_verdict (*head)(void *user, struct transfer *t);
    enum transfer_verdict (*data)(void *user, struct transfer *t, const char *bytes, size_t len);
    /* A complete answer: what it means. FAULT_NONE is success. Results may point into t->body: it
     * stays until the exchange is started again or stopped. */
    void (*read)(void *user, struct transfer *t, struct fault *f);
    void (*done)(void *user, const struct fault *f);
};

struct exchange {
    /* Set by the owner before exchange_start. */
    struct client *client;
    const struct exchange_ops *ops;
    void *user;
    const char *method;
    char *url;  /* malloc'd, taken over */
    char *body; /* malloc'd, taken over; may be NULL */
    size_t body_len;
    const char *accept;
    const char *content_type; /* of the body */
    enum exchange_again again;
    bool no_rate_wait; /* 429 is reported at once */
    bool fresh;
    size_t answer_max;
    int64_t timeout_ms, stall_ms; /* 0: none */
    long send_buffer, receive_buffer;

    /* For the owner to set in `head`: whatever comes now, it is the end. */
    bool final;

    /* Its own. */
    bool own; /* the API's own origin */
    struct transfer *transfer;
    struct transfer_ops transfer_ops;
    struct account_waiter waiter;
    struct timer timer;
    struct fault failure; /* told by the timer, if not FAULT_NONE */
    uint64_t generation;  /* of the token that was used */
    bool reauthed, rate_waited;
    unsigned tries;
    int64_t attempted_ms;     /* start of the last attempt */
    int64_t trouble_since_ms; /* 0: none yet */
};

/* Plain calls: defaults for method, limits, and so on; the rest is zero. */
void exchange_init(struct exchange *x, struct client *c, const struct exchange_ops *ops,
                   void *user);

/* `done` comes later, once. May be called again after it, with everything as it was or set anew. */
void exchange_start(struct exchange *x);

/* Aborts what is under way; no `done` after this. */
void exchange_stop(struct exchange *x);

/* exchange_stop, and frees what it owns. */
void exchange_release(struct exchange *x);

/* url = API root and a path made by `format`, whose string arguments were escaped by url_escape.
 * NULL: no memory. */
__attribute__((format(printf, 2, 3))) char *api_url(struct client *c, const char *format, ...);

/* One segment of a path, percent-encoded; curl_free it. NULL: no memory. */
char *url_escape(const char *segment);

#endif
