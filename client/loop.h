/*
 * The client's thread: epoll drives libcurl's multi interface, timers, and tasks from other
 * threads.
 *
 * Every callback (tasks, timers, ends of transfers) runs on that thread, one at a time. loop_post
 * may be called from any thread; all other functions on the loop's thread only, loop_new and
 * loop_free aside. There are no wake-ups at rest: the thread sleeps in epoll_wait until a socket,
 * the next deadline or a task.
 *
 * No limit on connections, in all or to one host: a stalled exchange never holds up another one.
 */
#ifndef LIPSYNC_LOOP_H
#define LIPSYNC_LOOP_H

#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "timers.h"

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

struct loop;

/* Embedded in whatever it is about, so that posting cannot fail; not to be posted again until it
 * ran. */
struct loop_task {
    struct loop_task *next;
    void (*run)(struct loop_task *task);
};

/* A transfer that libcurl works on; `easy` stays the caller's. */
struct loop_easy {
    CURL *easy;
    int fd; /* the socket that is waited for, -1: none; libcurl does not tell it in mid-transfer */
    void (*done)(struct loop_easy *e, CURLcode code); /* already detached from the loop */
};

/* NULL with *error set to a negative errno. All signals are blocked in the thread. */
struct loop *loop_new(int *error);

/* Runs the tasks that were posted, then ends the thread. No transfer may be attached any more. From
 * outside the thread; NULL is fine. */
void loop_free(struct loop *loop);

/* Runs the task soon, in order of posting. Any thread. */
void loop_post(struct loop *loop, struct loop_task *task);

/* By the clock of clock.h. delay 0: soon, but not before the caller has returned. */
void loop_timer_set(struct loop *loop, struct timer *timer, int64_t delay_ms);
void loop_timer_stop(struct loop *loop, struct timer *timer);

/* 0 or -ENOMEM, -EIO. Not from inside a libcurl callback; the same goes for detach. */
int loop_attach(struct loop *loop, struct loop_easy *e);

/* Aborts: `done` is not called. A transfer that is not attached is left alone. */
void loop_detach(struct loop *loop, struct loop_easy *e);

/* TLS sessions, shared by all transfers: valid as long as the loop. (Names are the multi handle's.)
 */
CURLSH *loop_share(struct loop *loop);

#endif
