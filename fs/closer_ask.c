/* closer_look on a thread that may be left behind. */
#include "closer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STACK_BYTES (256u << 10)

/* Shared by the one who asks and the thread that looks; the last one frees it. */
struct question {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    int refs;
    bool done;
    enum closer_state state;
    atomic_bool past_flusher;
    pid_t tid;
    struct closer_file file;
    char tail[];
};

static atomic_int asking;

static void leave(struct question *q)
{
    bool last;

    pthread_mutex_lock(&q->lock);
    last = --q->refs == 0;
    pthread_mutex_unlock(&q->lock);
    if (!last)
        return;
    pthread_cond_destroy(&q->answered);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

static void *look(void *user)
{
    struct question *q = user;
    enum closer_state state = closer_look(q->tid, &q->file);

    pthread_mutex_lock(&q->lock);
    q->state = state;
    q->done = true;
    pthread_cond_signal(&q->answered);
    pthread_mutex_unlock(&q->lock);
    leave(q);
    atomic_fetch_sub(&asking, 1);
    return NULL;
}

static struct question *question_new(pid_t tid, const struct closer_file *file)
{
    size_t len = strlen(file->tail) + 1;
    struct question *q = calloc(1, sizeof(*q) + len);
    pthread_condattr_t attr;

    if (!q)
        return NULL;
    memcpy(q->tail, file->tail, len);
    q->file = *file;
    q->file.tail = q->tail;
    q->file.past_flusher = &q->past_flusher;
    q->tid = tid;
    q->refs = 2;
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&q->answered, &attr);
    pthread_condattr_destroy(&attr);
    return q;
}

static int start(struct question *q)
{
    pthread_attr_t attr;
    pthread_t thread;
    int r;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    r = pthread_create(&thread, &attr, look, q);
    pthread_attr_destroy(&attr);
    return r;
}

static enum closer_state await(struct question *q)
{
    enum closer_state state;
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += CLOSER_ASK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&q->lock);
    while (!q->done && pthread_cond_timedwait(&q->answered, &q->lock, &until) != ETIMEDOUT)
        ;
    state = q->done ? q->state : atomic_load(&q->past_flusher) ? CLOSER_UNKNOWN : CLOSER_LOCKED;
    pthread_mutex_unlock(&q->lock);
    leave(q);
    return state;
}

enum closer_state closer_ask(pid_t tid, const struct closer_file *file)
{
    struct question *q = NULL;

    if (atomic_fetch_add(&asking, 1) < CLOSER_ASKING_MAX)
        q = question_new(tid, file);
    if (q && start(q) == 0)
        return await(q);
    atomic_fetch_sub(&asking, 1);
    free(q);
    return CLOSER_UNKNOWN;
}
