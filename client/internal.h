/*
 * What the files of the client share: the client itself, and its calls.
 *
 * A call is an object of its own kind (struct state_call, …) with a struct call in front. It is
 * made on the caller's thread, started, ended and freed on the loop's. Ending tells the caller and
 * frees the call: not inside a libcurl callback, which may only ask the transfer to stop.
 */
#ifndef LIPSYNC_INTERNAL_H
#define LIPSYNC_INTERNAL_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

#include "account.h"
#include "client.h"
#include "disk.h"
#include "loop.h"
#include "origin.h"

#define CALL_BUCKETS 256

struct call;

struct call_class {
    void (*start)(struct call *call);
    /* Makes the final callback. The fault is what the call was ended with. */
    void (*tell)(struct call *call, const struct fault *f);
    /* Stops all that is under way, and frees the call. */
    void (*release)(struct call *call);
};

struct call {
    struct client *client;
    const struct call_class *class;
    client_call id;
    struct call *next, **link; /* in its bucket; link NULL: ended */
    struct loop_task start;
    struct loop_task cancel;
    bool cancelling; /* `cancel` was posted; under the client's lock */
    bool freeable;   /* ended, and waits for `cancel` to run */
};

struct client {
    struct loop *loop;
    struct disk *disk;
    struct account account;
    struct origin api;
    char *api_url;
    char *web_url;
    char *platform;
    enum reach api_reach; /* how near the API itself was */
    int64_t poll_ms, retry_wait_ms, quiet_ms, turn_timeout_ms, render_timeout_ms;
    void (*log)(const char *line);

    pthread_mutex_t lock; /* guards the table of calls and what follows */
    struct call *buckets[CALL_BUCKETS];
    client_call last_id;
    bool closing;

    struct loop_task shutdown;
    sem_t shut;
};

/* Gives the call its id and starts it. On failure (-ESHUTDOWN) the call was released. */
int call_launch(struct client *c, struct call *call, const struct call_class *class,
                client_call *id);

/* Tells and frees the call. */
void call_end(struct call *call, const struct fault *f);

/* Lists of headers. What adds to a list consumes it and returns NULL if there is no memory; a NULL
 * list stays NULL. An empty value takes away a header of libcurl's own. */
struct curl_slist *header_first(const char *name, const char *value);
struct curl_slist *header_add(struct curl_slist *list, const char *name, const char *value);

/* The attribution, and Authorization if a token is given: for the API's own origin only. */
struct curl_slist *client_headers(struct client *c, struct curl_slist *list, const char *token);

/* A line for -d; may be NULL. */
__attribute__((format(printf, 2, 3))) void client_say(struct client *c, const char *format, ...);

/* A fault for a negative errno. */
struct fault fault_of_errno(int err);

#endif
