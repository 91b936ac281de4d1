/*
 * The running server: what its parts share.
 *
 * Made by main before the first request and gone after the last one. Every part has its own lock,
 * held for memory work and small records only, and none is taken while another is held. HTTP
 * connections have a thread each; edits and renders run on threads of the crew, which the server
 * waits for at its end. `stop_fd` becomes readable when the server ends: everything that waits
 * watches it.
 */
#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H

#include <pthread.h>
#include <stdatomic.h>

#include "options.h"
#include "store.h"

struct accounts;
struct sessions;
struct jobs;
struct journal;
struct faults;

struct crew {
    pthread_mutex_t lock;
    pthread_cond_t idle;
    int running;
};

struct backend {
    struct options options;
    struct store store;
    struct accounts *accounts;
    struct sessions *sessions;
    struct jobs *jobs;
    struct journal *journal;
    struct faults *faults;
    struct crew crew;
    atomic_int silent_share; /* sums up the percent of edits that answer without a text */
    int stop_fd;
    char url[64];        /* root URL of the API */
    char media_url[192]; /* root URL of media, no trailing slash */
};

/* Runs fn(arg) on a thread of its own. 0 or a negative errno. */
int crew_run(struct crew *crew, void (*fn)(void *arg), void *arg);

/* Waits until no thread is left. */
void crew_wait(struct crew *crew);

#endif
