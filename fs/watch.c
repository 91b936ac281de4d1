#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "lookout.h"
#include "watchers.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#define FILE_PATH_MAX (2 * NAME_MAX + sizeof("/inputs/"))

enum kind {
    APPEARED,
    GONE,
    STATUS,
    INVALIDATE_INODE,
    INVALIDATE_ENTRY,
};

struct job {
    UT_hash_handle hh;
    enum kind kind;
    struct fuse_session *se;
    uint64_t ino;
    int64_t done_ms;  /* of a recent status: when it was told */
    bool again;       /* of a recent status: it changed since */
    const char *name; /* inside key */
    char key[];       /* kind, inode and name: equal ones are the same work */
};

struct watch {
    char *mountpoint;
    dev_t device;
    struct watchers watchers; /* the thread's */
    pthread_t thread;
    _Atomic pid_t tid;

    pthread_mutex_t lock; /* the fields below */
    pthread_cond_t wake;
    bool stopping;
    struct job *queue;  /* in the order of their turns */
    struct job *recent; /* statuses told less than an interval ago, the oldest first */
    unsigned int again; /* how many of them changed since */
};

/* ---- the queue; under the lock ---- */

static struct job *job_new(enum kind kind, struct fuse_session *se, uint64_t ino, const char *name)
{
    char prefix[32];
    int n = snprintf(prefix, sizeof(prefix), "%d:%llx:", kind, (unsigned long long)ino);
    size_t size = (size_t)n + strlen(name) + 1;
    struct job *job = malloc(sizeof(*job) + size);

    if (!job)
        return NULL;
    memset(job, 0, sizeof(*job));
    job->kind = kind;
    job->se = se;
    job->ino = ino;
    memcpy(job->key, prefix, (size_t)n);
    memcpy(job->key + n, name, size - (size_t)n);
    job->name = job->key + n;
    return job;
}

/* Puts the job at the end of the list. False: no memory, and the job is gone. */
static bool append(struct job **list, struct job *job)
{
    HASH_ADD_KEYPTR(hh, *list, job->key, strlen(job->key), job);
    if (job->hh.tbl)
        return true;
    free(job);
    return false;
}

static struct job *take_out(struct job **list, struct job *job)
{
    HASH_DELETE(hh, *list, job);
    return job;
}

static struct job *find(struct job *list, const struct job *like)
{
    struct job *job;

    HASH_FIND(hh, list, like->key, strlen(like->key), job);
    return job;
}

static void clear(struct job **list)
{
    struct job *job, *next;

    HASH_ITER(hh, *list, job, next)
    free(take_out(list, job));
}

/* Queues the job, which it takes over, in place of an equal one. */
static void enqueue(struct watch *w, struct job *job)
{
    struct job *recent = job->kind == STATUS ? find(w->recent, job) : NULL;
    struct job *equal = find(w->queue, job);

    if (recent) {
        w->again += !recent->again;
        recent->again = true;
        free(job);
        return;
    }
    if (equal)
        free(take_out(&w->queue, equal));
    if (HASH_COUNT(w->queue) + HASH_COUNT(w->recent) < WATCH_QUEUE_MAX)
        append(&w->queue, job);
    else
        free(job);
}

static void submit(struct watch *w, enum kind kind, struct fuse_session *se, uint64_t ino,
                   const char *name)
{
    struct job *job = w ? job_new(kind, se, ino, name) : NULL;

    if (!job)
        return;
    pthread_mutex_lock(&w->lock);
    if (w->stopping)
        free(job);
    else
        enqueue(w, job);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

/* Statuses told an interval ago are not recent any more; those that changed since have their turn.
 */
static void let_go_of_recent(struct watch *w, int64_t now)
{
    while (w->recent && w->recent->done_ms + WATCH_STATUS_INTERVAL_MS <= now) {
        struct job *job = take_out(&w->recent, w->recent);

        if (job->again) {
            w->again--;
            job->again = false;
            enqueue(w, job);
        } else {
            free(job);
        }
    }
}

/* ---- the work; without the lock ---- */

/* A directory of the mount, or -1. After an unmount the path leads to what was below the mount:
 * hands off. */
static int open_below(const struct watch *w, const char *path)
{
    int root = open(w->mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct statx stx;
    int dir = -1;

    if (root < 0)
        return -1;
    /* DONT_SYNC: the device is wanted only, so no request to the mount is needed */
    if (w->device == 0 || (statx(root, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &stx) == 0 &&
                           makedev(stx.stx_dev_major, stx.stx_dev_minor) == w->device))
        dir = openat(root, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    close(root);
    return dir;
}

static void tell_status(int dir, const char *file)
{
    int fd = openat(dir, file, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    bool told = fd >= 0 && write(fd, "\n", 1) == 1;

    if (fd >= 0)
        close(fd);
    if (!told)
        utimensat(dir, file, NULL, AT_SYMLINK_NOFOLLOW);
}

/* `path`: session/…/file */
static void tell(struct watch *w, enum kind kind, const char *path)
{
    const char *file = strrchr(path, '/') + 1;
    char folder[FILE_PATH_MAX];
    int dir;

    if (!watchers_exist(&w->watchers, clock_ms()))
        return;
    snprintf(folder, sizeof(folder), "%.*s", (int)(file - 1 - path), path);
    dir = open_below(w, folder);
    if (dir < 0)
        return;
    if (kind == APPEARED)
        renameat(dir, WATCH_OUTPUT_NEW, dir, file);
    else if (kind == GONE)
        unlinkat(dir, file, 0);
    else
        tell_status(dir, file);
    close(dir);
}

static void carry_out(struct watch *w, const struct job *job)
{
    switch (job->kind) {
    case INVALIDATE_INODE:
        fuse_lowlevel_notify_inval_inode(job->se, job->ino, 0, 0);
        break;
    case INVALIDATE_ENTRY:
        fuse_lowlevel_notify_inval_entry(job->se, job->ino, job->name, strlen(job->name));
        break;
    case APPEARED:
    case GONE:
    case STATUS:
        tell(w, job->kind, job->name);
        break;
    }
}

/* ---- the thread ---- */

/* Waits for the next job; NULL: stop. Under the lock. */
static struct job *next_job(struct watch *w)
{
    while (!w->stopping) {
        let_go_of_recent(w, clock_ms());
        if (w->queue)
            return take_out(&w->queue, w->queue);
        if (w->again) {
            int64_t due = w->recent->done_ms + WATCH_STATUS_INTERVAL_MS;
            struct timespec until = {.tv_sec = due / 1000, .tv_nsec = due % 1000 * 1000000};

            pthread_cond_timedwait(&w->wake, &w->lock, &until);
        } else {
            pthread_cond_wait(&w->wake, &w->lock);
        }
    }
    return NULL;
}

static void *run(void *user)
{
    struct watch *w = user;
    struct job *job;

    w->tid = gettid();
    pthread_mutex_lock(&w->lock);
    while ((job = next_job(w))) {
        struct job *told = NULL;

        if (job->kind == STATUS) { /* from now on, so that no change is told twice */
            told = job_new(STATUS, NULL, 0, job->name);
            if (told) {
                told->done_ms = clock_ms();
                append(&w->recent, told);
            }
        }
        pthread_mutex_unlock(&w->lock);
        carry_out(w, job);
        free(job);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* The thread inherits the mask that its maker has at that moment. */
static int start_thread(struct watch *w)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&w->thread, NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -rc;
}

struct watch *watch_new(const char *mountpoint, dev_t device, int *error)
{
    struct watch *w = calloc(1, sizeof(*w));
    pthread_condattr_t attr;

    *error = -ENOMEM;
    if (!w)
        return NULL;
    w->mountpoint = strdup(mountpoint);
    if (!w->mountpoint)
        goto fail;
    w->device = device;
    w->watchers = (struct watchers){.look = lookout_is_watched, .device = device};
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);

    *error = start_thread(w);
    if (*error == 0)
        return w;
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
fail:
    free(w->mountpoint);
    free(w);
    return NULL;
}

void watch_stop(struct watch *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    watch_stop(w);
    pthread_join(w->thread, NULL);
    clear(&w->queue);
    clear(&w->recent);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w->mountpoint);
    free(w);
}

bool watch_is_self(const struct watch *w, pid_t tid)
{
    return w && tid > 0 && w->tid == tid;
}

static void submit_file(struct watch *w, enum kind kind, const char *session, const char *folder,
                        const char *file)
{
    char path[FILE_PATH_MAX];

    if (snprintf(path, sizeof(path), "%s/%s%s", session, folder, file) < (int)sizeof(path))
        submit(w, kind, NULL, 0, path);
}

void watch_output_appeared(struct watch *w, const char *session)
{
    submit_file(w, APPEARED, session, "", "output.mp4");
}

void watch_output_gone(struct watch *w, const char *session)
{
    submit_file(w, GONE, session, "", "output.mp4");
}

void watch_input_gone(struct watch *w, const char *session, const char *name)
{
    submit_file(w, GONE, session, "inputs/", name);
}

void watch_status(struct watch *w, const char *session)
{
    submit_file(w, STATUS, session, "", "status.txt");
}

void watch_invalidate_inode(struct watch *w, struct fuse_session *se, uint64_t ino)
{
    submit(w, INVALIDATE_INODE, se, ino, "");
}

void watch_invalidate_entry(struct watch *w, struct fuse_session *se, uint64_t parent,
                            const char *name)
{
    submit(w, INVALIDATE_ENTRY, se, parent, name);
}
