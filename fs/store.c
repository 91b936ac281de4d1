#include "store_inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "files.h"
#include "inputs.h"
#include "output.h"
#include "record.h"
#include "text.h"

/* ---- opening ---- */

static int open_private(const char *path, int *fd)
{
    int r = files_mkdirs(path, 0700);

    if (!r)
        r = files_open_dir(path, fd);
    if (!r)
        r = files_check_private_dir(*fd);
    return r;
}

int store_open_below(int dir, const char *name, int *fd_out)
{
    int fd, r = mkdirat(dir, name, 0700) ? -errno : files_sync_dir(dir);

    if (r && r != -EEXIST)
        return r;
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    r = files_check_private_dir(fd);
    if (r)
        close(fd);
    else
        *fd_out = fd;
    return r;
}

static const char *why_not(int error)
{
    return error == -EPERM ? _("it must belong to you, and nobody else may write there")
                           : strerror(-error);
}

/* The folder in the cache is named by an id in the state directory, so two registries may share a
 * cache. */
static int open_cache(struct fs *fs)
{
    char id[37], *text = NULL;
    size_t len = 0;
    uuid_t uuid;
    int cache = -1, r;

    r = files_read(fs->store->state_dir, "instance", 64, &text, &len);
    if (!r && (len < 36 || (text[36] = '\0', uuid_parse(text, uuid))))
        r = -ENOENT;
    /* A passing fault must not give us an empty cache. */
    if (r && r != -ENOENT) {
        free(text);
        return r;
    }
    if (r) {
        uuid_generate(uuid);
        uuid_unparse_lower(uuid, id);
        r = files_write_atomic(fs->store->state_dir, "instance", id, strlen(id), 0600);
    } else {
        uuid_unparse_lower(uuid, id);
    }
    free(text);
    if (!r)
        r = open_private(fs->options->cache_dir, &cache);
    if (!r)
        r = store_open_below(cache, id, &fs->cache_dir);
    if (cache >= 0)
        close(cache);
    return r;
}

int store_open(struct fs *fs, char *why, size_t size)
{
    struct store *st = calloc(1, sizeof(*st));
    pthread_condattr_t attr;
    int removed, r;

    if (!st) {
        snprintf(why, size, "%s", strerror(ENOMEM));
        return -ENOMEM;
    }
    fs->store = st;
    st->state_dir = st->sessions_dir = st->lock_fd = -1;
    TAILQ_INIT(&st->sessions);
    STAILQ_INIT(&st->jobs);
    pthread_mutex_init(&st->writing, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&st->wake, &attr);
    pthread_condattr_destroy(&attr);

    r = open_private(fs->options->state_dir, &st->state_dir);
    if (r) {
        snprintf(why, size, _("state directory %s: %s"), fs->options->state_dir, why_not(r));
        return r;
    }
    /* Somebody else's token would send what is said here to their account. */
    r = files_check_private_file(st->state_dir, "token");
    if (r) {
        snprintf(why, size, "%s/token: %s", fs->options->state_dir, why_not(r));
        return r;
    }
    r = files_lock(st->state_dir, "lock", &st->lock_fd);
    if (r == -EWOULDBLOCK) {
        snprintf(why, size, _("another mount is using the state directory %s"),
                 fs->options->state_dir);
        return r;
    }
    if (!r)
        r = store_open_below(st->state_dir, "sessions", &st->sessions_dir);
    if (!r)
        r = store_open_below(st->state_dir, "removed", &removed);
    if (!r)
        close(removed); /* opened when needed, for it may be removed meanwhile */
    if (r) {
        snprintf(why, size, _("state directory %s: %s"), fs->options->state_dir, why_not(r));
        return r;
    }
    r = open_cache(fs);
    if (r)
        snprintf(why, size, _("cache directory %s: %s"), fs->options->cache_dir, why_not(r));
    return r;
}

/* ---- loading ---- */

/* Left by a kill between writing and renaming. */
static void remove_temporaries(int dir)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;

    if (!d) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while ((e = readdir(d)))
        if (strncmp(e->d_name, FILES_TEMPORARY, strlen(FILES_TEMPORARY)) == 0)
            unlinkat(dir, e->d_name, 0);
    closedir(d);
}

static int load_one(struct fs *fs, const char *uuid)
{
    int dir = store_open_session_dir(fs->store, uuid);
    struct session *s;
    char *text = NULL;
    size_t len;
    int r;

    if (dir < 0)
        return -errno;
    remove_temporaries(dir);
    r = files_read(dir, "session.json", RECORD_MAX, &text, &len);
    if (r == -ENOENT) { /* killed between the folder and its first record: mkdir had not returned */
        close(dir);
        return 0;
    }
    if (!r)
        r = record_read(fs, uuid, text, &s);
    free(text);
    if (!r) {
        s->history_size = store_file_size(dir, "history.txt");
        /* Sizes of files that must be true; the record may be older by one step. */
        if (store_file_size(dir, "state.json") != s->state_size)
            s->state_size = s->timeline_size = 0;
        if (store_file_size(dir, "reply.txt") != s->reply->len)
            s->reply->len = 0;
    }
    close(dir);
    return r;
}

/* What the sessions have in the cache stays there, the rest goes. */
static void sweep_cache(struct fs *fs)
{
    size_t room = HASH_CNT(hh_ino, fs->inputs) + HASH_CNT(hh_number, fs->by_number), count = 0;
    const char **names = calloc(room + 1, sizeof(*names));
    struct session *s, *next;
    struct input *in, *next_in;

    if (!names)
        return; /* the next start has the memory, or the one after it */
    HASH_ITER(hh_number, fs->by_number, s, next)
    if (s->output)
        names[count++] = s->output->blob->name;
    HASH_ITER(hh_ino, fs->inputs, in, next_in)
    if (in->content)
        names[count++] = in->content->name;
    qsort(names, count, sizeof(*names), blob_compare_names);
    blob_sweep(fs, names, count);
    free(names);
}

int store_load(struct fs *fs)
{
    int fd = openat(fs->store->sessions_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    bool all = true;
    struct dirent *e;
    uuid_t id;
    int r;

    if (!dir) {
        r = -errno;
        if (fd >= 0)
            close(fd);
        return r;
    }
    fs_lock(fs);
    while ((e = readdir(dir))) {
        if (uuid_parse(e->d_name, id))
            continue;
        r = load_one(fs, e->d_name);
        if (r) {
            fprintf(stderr, _("lipsyncfs: %s/sessions/%s cannot be read and is left alone: %s\n"),
                    fs->options->state_dir, e->d_name, strerror(-r));
            all = false;
        }
    }
    fs_unlock(fs);
    closedir(dir);
    /* What an unreadable record owns is unknown: then nothing is swept. */
    if (all)
        sweep_cache(fs);
    return 0;
}

/* ---- the thread ---- */

static void queue_session(struct store *st, struct session *s)
{
    if (s->save_queued)
        return;
    s->save_queued = true;
    session_ref(s);
    TAILQ_INSERT_TAIL(&st->sessions, s, save_link);
    pthread_cond_signal(&st->wake);
}

static void queue_failed(struct fs *fs)
{
    struct session *s, *next;

    fs->store->retry_ms = 0;
    HASH_ITER(hh_number, fs->by_number, s, next)
    if (s->save_failed)
        queue_session(fs->store, s);
}

static void run_job(struct fs *fs, struct store_job *job)
{
    STAILQ_REMOVE_HEAD(&fs->store->jobs, link);
    fs_unlock(fs);
    job->run(fs, job);
    fs_lock(fs);
    job->done(fs, job);
}

static void *work(void *arg)
{
    struct fs *fs = arg;
    struct store *st = fs->store;

    fs_lock(fs);
    for (;;) {
        struct store_job *job = STAILQ_FIRST(&st->jobs);
        struct session *s = TAILQ_FIRST(&st->sessions);

        if (job)
            run_job(fs, job);
        if (s) {
            TAILQ_REMOVE(&st->sessions, s, save_link);
            s->save_queued = false;
            fs_unlock(fs);
            store_save_session(fs, s, false);
            fs_lock(fs);
            session_unref(s);
        }
        if (job || s) { /* what they deferred leaves now */
            fs_unlock(fs);
            fs_lock(fs);
            continue;
        }
        if (st->ending)
            break;
        if (st->retry_ms && clock_ms() >= st->retry_ms) {
            queue_failed(fs);
        } else if (st->retry_ms) {
            struct timespec t = {st->retry_ms / 1000, st->retry_ms % 1000 * 1000000};
            pthread_cond_timedwait(&st->wake, &fs->lock, &t);
        } else {
            pthread_cond_wait(&st->wake, &fs->lock);
        }
    }
    fs_unlock(fs);
    return NULL;
}

int store_start(struct fs *fs)
{
    int r = pthread_create(&fs->store->thread, NULL, work, fs);

    fs->store->running = r == 0;
    return -r;
}

void store_stop(struct fs *fs)
{
    struct store *st = fs->store;

    if (!st || !st->running)
        return;
    fs_lock(fs);
    st->ending = true;
    queue_failed(fs);
    pthread_cond_signal(&st->wake);
    fs_unlock(fs);
    pthread_join(st->thread, NULL);
    st->running = false;
}

void store_save(struct session *s, struct saving *w,
                void (*saved)(struct fs *fs, struct saving *w, int error))
{
    s->change++;
    if (w) {
        w->change = s->change;
        w->saved = saved;
        TAILQ_INSERT_TAIL(&s->savings, w, link);
    }
    queue_session(s->fs->store, s);
}

void store_run(struct fs *fs, struct store_job *job)
{
    STAILQ_INSERT_TAIL(&fs->store->jobs, job, link);
    pthread_cond_signal(&fs->store->wake);
}

int store_save_now(struct session *s)
{
    return store_save_session(s->fs, s, false);
}

int store_remove(struct session *s)
{
    return store_save_session(s->fs, s, true);
}

int store_read_file(struct fs *fs, const char *uuid, const char *file, size_t max, char **out,
                    size_t *len)
{
    int dir = store_open_session_dir(fs->store, uuid);
    int r;

    if (dir < 0)
        return -errno;
    r = files_read(dir, file, max, out, len);
    close(dir);
    return r;
}

int store_open_file(struct fs *fs, const char *uuid, const char *file)
{
    int dir = store_open_session_dir(fs->store, uuid);
    int fd;

    if (dir < 0)
        return -errno;
    fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        fd = -errno;
    close(dir);
    return fd;
}
