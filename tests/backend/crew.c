#include <errno.h>
#include <stdlib.h>

#include "backend.h"

struct errand {
    struct crew *crew;
    void (*fn)(void *arg);
    void *arg;
};

static void *run(void *user)
{
    struct errand e = *(struct errand *)user;

    free(user);
    e.fn(e.arg);
    pthread_mutex_lock(&e.crew->lock);
    if (--e.crew->running == 0)
        pthread_cond_broadcast(&e.crew->idle);
    pthread_mutex_unlock(&e.crew->lock);
    return NULL;
}

int crew_run(struct crew *crew, void (*fn)(void *arg), void *arg)
{
    struct errand *e = malloc(sizeof(*e));
    pthread_attr_t attr;
    pthread_t thread;

    if (!e)
        return -ENOMEM;
    *e = (struct errand){.crew = crew, .fn = fn, .arg = arg};
    pthread_mutex_lock(&crew->lock);
    crew->running++;
    pthread_mutex_unlock(&crew->lock);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int err = pthread_create(&thread, &attr, run, e);
    pthread_attr_destroy(&attr);
    if (err) {
        free(e);
        pthread_mutex_lock(&crew->lock);
        crew->running--;
        pthread_mutex_unlock(&crew->lock);
    }
    return -err;
}

void crew_wait(struct crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    while (crew->running)
        pthread_cond_wait(&crew->idle, &crew->lock);
    pthread_mutex_unlock(&crew->lock);
}
