#include "disk.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct disk {
    struct loop *loop;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t more;
    struct disk_job *first;
    struct disk_job **last;
    size_t pending; /* submitted, and `done` not over yet */
    bool stopping;
};

static struct disk_job *next_job(struct disk *disk)
{
    pthread_mutex_lock(&disk->lock);
    while (!disk->first && !disk->stopping)
        pthread_cond_wait(&disk->more, &disk->lock);
    struct disk_job *job = disk->first;
    if (job) {
        disk->first = job->next;
        if (!disk->first)
            disk->last = &disk->first;
    }
    pthread_mutex_unlock(&disk->lock);
    return job;
}

static void job_done(struct loop_task *task)
{
    struct disk_job *job = container_of(task, struct disk_job, task);
    struct disk *disk = job->disk;

    job->done(job); /* may free the job, or submit it again: then it counts twice for a moment */
    pthread_mutex_lock(&disk->lock);
    if (--disk->pending == 0)
        pthread_cond_broadcast(&disk->more);
    pthread_mutex_unlock(&disk->lock);
}

static void *disk_main(void *user)
{
    struct disk *disk = user;
    struct disk_job *job;

    pthread_setname_np(pthread_self(), "lipsync-disk");
    while ((job = next_job(disk))) {
        job->work(job);
        job->task.run = job_done;
        loop_post(disk->loop, &job->task);
    }
    return NULL;
}

void disk_submit(struct disk *disk, struct disk_job *job)
{
    job->next = NULL;
    job->disk = disk;
    pthread_mutex_lock(&disk->lock);
    disk->pending++;
    *disk->last = job;
    disk->last = &job->next;
    pthread_cond_broadcast(&disk->more);
    pthread_mutex_unlock(&disk->lock);
}

static void disk_release(struct disk *disk)
{
    pthread_cond_destroy(&disk->more);
    pthread_mutex_destroy(&disk->lock);
    free(disk);
}

struct disk *disk_new(struct loop *loop, int *error)
{
    struct disk *disk = calloc(1, sizeof *disk);
    sigset_t all, old;
    int err;

    if (!disk) {
        *error = -ENOMEM;
        return NULL;
    }
    disk->loop = loop;
    disk->last = &disk->first;
    pthread_mutex_init(&disk->lock, NULL);
    pthread_cond_init(&disk->more, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    err = pthread_create(&disk->thread, NULL, disk_main, disk);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err) {
        disk_release(disk);
        *error = -err;
        return NULL;
    }
    return disk;
}

void disk_free(struct disk *disk)
{
    if (!disk)
        return;
    pthread_mutex_lock(&disk->lock);
    while (disk->pending)
        pthread_cond_wait(&disk->more, &disk->lock);
    disk->stopping = true;
    pthread_cond_broadcast(&disk->more);
    pthread_mutex_unlock(&disk->lock);
    pthread_join(disk->thread, NULL);
    disk_release(disk);
}
