/*
 * Who we are to the backend: NEMO_TOKEN as it is, or an anonymous token for a client id, kept and
 * renewed.
 *
 * Loop thread only, account_init and account_show aside. However many calls need a token, one token
 * call is under way at a time. A token near its end is renewed in the background while it is still
 * in use; the client id stays the same unless the backend says that it has none (400). A refused
 * token call (429 included) is the fault of all who wait for it; after 429 nobody asks again before
 * Retry-After. A new token is on disk before it is used. The token is never logged.
 */
#ifndef LIPSYNC_ACCOUNT_H
#define LIPSYNC_ACCOUNT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "disk.h"
#include "transfer.h"
#include "vault.h"

struct account_waiter {
    struct account_waiter *next, **link; /* link NULL: not waiting */
    void (*done)(struct account_waiter *w, const struct fault *f);
};

struct account {
    struct client *client;
    bool fixed;             /* NEMO_TOKEN: never replaced */
    bool id_given;          /* NEMO_CLIENT_ID: never replaced */
    bool id_agreed;         /* the file has it, or need not */
    bool id_replaced;       /* once in a token call, after a 400 */
    bool busy;              /* a token call is under way */
    bool usable;            /* vault.token is good as far as we know */
    uint64_t generation;    /* of the token, never 0 */
    int64_t next_renewal_s; /* no earlier */
    char client_id[WIRE_ID_MAX];
    struct vault_token vault;
    char *id_path, *token_path;
    struct transfer *transfer;
    struct timer fail; /* tells `failure` to those who wait; the end of the last wait */
    struct fault failure;
    struct fault rate; /* what the token call said, good until then */
    int64_t rate_until_ms;
    bool stopped;
    void (*gone)(struct account *a); /* due after account_stop */
    struct disk_job job;       /* agrees on the client id */
    char refused[WIRE_ID_MAX]; /* by a 400; "": none */
    int job_error;
    struct account_waiter *waiters;

    pthread_mutex_t lock; /* guards what any thread may see */
    struct client_account shown;
};

void account_init(struct account *a, struct client *client);

/* Reads what is kept; what cannot be read is as good as not there. 0, -ENOMEM, -EINVAL (a token or
 * an id that fits no header). */
int account_load(struct account *a, const struct client_options *options);

void account_release(struct account *a);

/* Asks nothing more; there are no waiters any more. A token that may have been granted already is
 * waited for, 3 s at most, for there is no second one: then `gone`, here or later. */
void account_stop(struct account *a, void (*gone)(struct account *a));

/* The token to use now and its generation, valid until the loop's next turn; NULL: account_wait().
 */
const char *account_token(struct account *a, uint64_t *generation);

/* `done` comes later, once: FAULT_NONE means that account_token() is worth another look. */
void account_wait(struct account *a, struct account_waiter *w);

/* Not waiting any more; also when it was not. */
void account_leave(struct account_waiter *w);

/* The backend refused the token of this generation. True: a new one is to be had, ask again. */
bool account_refused(struct account *a, uint64_t generation);

/* Any thread. */
void account_show(struct account *a, struct client_account *out);

#endif
