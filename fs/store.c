#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "draft.h"
#include "files.h"
#include "inputs.h"
#include "message.h"
#include "record.h"
#include "session.h"
#include "text.h"

#define HISTORY_MAX (8u << 20) /* bytes; then its older half goes */
#define SYNCS_MAX 64           /* contents brought to disk with one save */

struct store {
    int state_dir, sessions_dir, removed_dir, lock_fd;
    pthread_t thread;
    bool running, ending;
    pthread_cond_t wake;
    TAILQ_HEAD(, session) sessions; /* to be saved */
    STAILQ_HEAD(, store_job) jobs;
    int64_t retry_ms;        /* the failed ones again, 0: none */
    pthread_mutex_t writing; /* one session's folder at a time; before fs->lock */
};

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

static int open_below(int dir, const char *name, int *fd)
{
    if (mkdirat(dir, name, 0700) && errno != EEXIST)
        return -errno;
    *fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return *fd < 0 ? -errno : 0;
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
        r = -EPROTO;
    if (r) {
        uuid_generate(uuid);
        uuid_unparse_lower(uuid, id);
        r = files_write_atomic(fs->store->state_dir, "instance", id, strlen(id), 0600, true);
    } else {
        uuid_unparse_lower(uuid, id);
    }
    free(text);
    if (!r)
        r = open_private(fs->options->cache_dir, &cache);
    if (!r)
        r = open_below(cache, id, &fs->cache_dir);
    if (cache >= 0)
        close(cache);
    return r;
}

int store_open(struct fs *fs, char *why, size_t size)
{
    struct store *st = calloc(1, sizeof(*st));
    pthread_condattr_t attr;
    int r;

    if (!st) {
        snprintf(why, size, "%s", strerror(ENOMEM));
        return -ENOMEM;
    }
    fs->store = st;
    st->state_dir = st->sessions_dir = st->removed_dir = st->lock_fd = -1;
    TAILQ_INIT(&st->sessions);
    STAILQ_INIT(&st->jobs);
    pthread_mutex_init(&st->writing, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&st->wake, &attr);
    pthread_condattr_destroy(&attr);

    r = open_private(fs->options->state_dir, &st->state_dir);
    if (r) {
        snprintf(why, size, _("state directory %s: %s"), fs->options->state_dir,
                 r == -EPERM ? _("it must belong to you, and nobody else may write there")
                             : strerror(-r));
        return r;
    }
    r = files_lock(st->state_dir, "lock", &st->lock_fd);
    if (r == -EWOULDBLOCK) {
        snprintf(why, size, _("another mount is using the state directory %s"),
                 fs->options->state_dir);
        return r;
    }
    if (!r)
        r = open_below(st->state_dir, "sessions", &st->sessions_dir);
    if (!r)
        r = open_below(st->state_dir, "removed", &st->removed_dir);
    if (r) {
        snprintf(why, size, _("state directory %s: %s"), fs->options->state_dir, strerror(-r));
        return r;
    }
    r = open_cache(fs);
    if (r)
        snprintf(why, size, _("cache directory %s: %s"), fs->options->cache_dir,
                 r == -EPERM ? _("it must belong to you, and nobody else may write there")
                             : strerror(-r));
    return r;
}

/* ---- loading ---- */

static int open_session_dir(struct store *st, const char *uuid)
{
    return openat(st->sessions_dir, uuid, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static size_t file_size(int dir, const char *name)
{
    struct stat st;

    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)
               ? (size_t)st.st_size
               : 0;
}

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
    int dir = open_session_dir(fs->store, uuid);
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
        s->history_size = file_size(dir, "history.txt");
        /* Sizes of files that must be true; the record may be older by one step. */
        if (file_size(dir, "state.json") != s->state_size)
            s->state_size = s->timeline_size = 0;
        if (file_size(dir, "reply.txt") != s->reply->len)
            s->reply->len = 0;
    }
    close(dir);
    return r;
}

static bool blob_known(struct fs *fs, const char *name)
{
    struct session *s, *next;
    struct input *in, *next_in;

    HASH_ITER(hh_number, fs->by_number, s, next)
    {
        if (s->output && strcmp(s->output->blob->name, name) == 0)
            return true;
        HASH_ITER(hh_name, s->inputs, in, next_in)
        if (in->content && strcmp(in->content->name, name) == 0)
            return true;
    }
    return false;
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
            fprintf(stderr, _("lipsyncfs: session %s cannot be read and is left alone: %s\n"),
                    e->d_name, strerror(-r));
            all = false;
        }
    }
    fs_unlock(fs);
    closedir(dir);
    /* What an unreadable record owns is unknown: then nothing is swept. */
    if (all)
        blob_sweep(fs, blob_known);
    return 0;
}

/* ---- one save ---- */

/* What one save writes, taken under the lock, written without it. */
struct save {
    char uuid[37];
    uint64_t change;
    char *record;
    char *history;
    size_t history_len;
    size_t history_size; /* of the file before */
    bool write_state, write_before;
    struct bytes *state, *before;
    struct reply *reply;
    char *reply_text;
    size_t reply_len;
    struct input *synced[SYNCS_MAX];
    struct blob *blobs[SYNCS_MAX];
    int fds[SYNCS_MAX];
    size_t syncs;
};

static void take_syncs(struct session *s, struct save *save)
{
    struct input *in, *next;

    HASH_ITER(hh_name, s->inputs, in, next)
    {
        struct blob *b = in->content;

        if (!in->unsynced || !b || b->fd < 0 || save->syncs == SYNCS_MAX)
            continue;
        b->users++;
        save->synced[save->syncs] = input_ref(in);
        save->blobs[save->syncs] = blob_ref(b);
        save->fds[save->syncs++] = b->fd;
    }
}

static int take_reply(struct session *s, struct save *save)
{
    struct reply *r = s->reply;

    if (!r->final || r->stored || (r->len && !r->text))
        return 0;
    save->reply_text = malloc(r->len + 1);
    if (!save->reply_text)
        return -ENOMEM;
    if (r->len)
        memcpy(save->reply_text, r->text, r->len);
    save->reply_len = r->len;
    save->reply = reply_ref(r);
    return 0;
}

static int take(struct session *s, struct save *save)
{
    memset(save, 0, sizeof(*save));
    memcpy(save->uuid, s->uuid, sizeof(save->uuid));
    save->change = s->change;
    save->record = record_write(s);
    if (!save->record || take_reply(s, save))
        return -ENOMEM;
    save->history = s->history;
    save->history_len = s->history_len;
    save->history_size = s->history_size;
    s->history = NULL;
    s->history_len = s->history_room = 0;
    save->write_state = s->state_unsaved;
    if (save->write_state)
        save->state = bytes_ref(s->state);
    if (s->job && job_before_unsaved(s->job)) {
        save->write_before = true;
        save->before = bytes_ref(job_before(s->job));
    }
    take_syncs(s, save);
    return 0;
}

/* Keeps the newer half, from a line's start. */
static int halve_history(int dir, size_t size)
{
    char *text = NULL, *from;
    size_t len;
    int r;

    r = files_read(dir, "history.txt", HISTORY_MAX + (HISTORY_MAX >> 1), &text, &len);
    if (r)
        return r;
    from = memchr(text + size / 2, '\n', len - size / 2);
    from = from ? from + 1 : text;
    r = files_write_atomic(dir, "history.txt", from, len - (size_t)(from - text), 0600, true);
    free(text);
    return r;
}

static int write_history(int dir, struct save *save)
{
    int fd, r = 0;

    if (!save->history_len)
        return 0;
    if (save->history_size + save->history_len > HISTORY_MAX && save->history_size > 1) {
        r = halve_history(dir, save->history_size);
        if (r)
            return r;
        save->history_size = file_size(dir, "history.txt");
    }
    fd = openat(dir, "history.txt", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    /* At the size that is known, not appended: a half write of a full disk is written over. */
    for (size_t done = 0; !r && done < save->history_len;) {
        ssize_t n = pwrite(fd, save->history + done, save->history_len - done,
                           (off_t)(save->history_size + done));

        if (n < 0 && errno != EINTR)
            r = -errno;
        else if (n > 0)
            done += (size_t)n;
    }
    if (!r && ftruncate(fd, (off_t)(save->history_size + save->history_len)))
        r = -errno;
    if (!r && fdatasync(fd))
        r = -errno;
    close(fd);
    return r;
}

static int write_bytes(int dir, const char *name, const char *data, size_t len)
{
    return files_write_atomic(dir, name, data, len, 0600, true);
}

static int write_save(struct store *st, struct save *save)
{
    bool fresh = false;
    int dir, r = 0;

    for (size_t i = 0; i < save->syncs; i++)
        if (fdatasync(save->fds[i]))
            return -errno;
    if (mkdirat(st->sessions_dir, save->uuid, 0700) == 0)
        fresh = true;
    else if (errno != EEXIST)
        return -errno;
    dir = open_session_dir(st, save->uuid);
    if (dir < 0)
        return -errno;
    /* The record comes last: what it speaks of is there when it is. */
    if ((r = write_history(dir, save)))
        goto out;
    if (save->write_state && save->state &&
        (r = write_bytes(dir, "state.json", save->state->data, save->state->len)))
        goto out;
    if (save->write_before && save->before &&
        (r = write_bytes(dir, "before.json", save->before->data, save->before->len)))
        goto out;
    if (save->reply && (r = write_bytes(dir, "reply.txt", save->reply_text, save->reply_len)))
        goto out;
    if ((r = write_bytes(dir, "session.json", save->record, strlen(save->record))))
        goto out;
    if (fresh)
        r = files_sync_dir(st->sessions_dir);
out:
    close(dir);
    return r;
}

/* A failed save gives its history back, in front of what came meanwhile. */
static void return_history(struct session *s, struct save *save)
{
    char *text;

    if (!save->history_len)
        return;
    text = realloc(save->history, save->history_len + s->history_len + 1);
    if (!text)
        return; /* out of memory: lines of the log are what can be missed most easily */
    if (s->history_len)
        memcpy(text + save->history_len, s->history, s->history_len);
    free(s->history);
    s->history = text;
    s->history_len += save->history_len;
    s->history_room = s->history_len + 1;
    save->history = NULL;
}

static void tell_savings(struct session *s, uint64_t change, int error)
{
    struct saving *w;

    for (;;) {
        /* From the start each time: whoever is told may change the list. */
        TAILQ_FOREACH(w, &s->savings, link)
        if (w->change <= change)
            break;
        if (!w)
            return;
        TAILQ_REMOVE(&s->savings, w, link);
        w->saved(s->fs, w, error);
    }
}

static void settle(struct session *s, struct save *save, int error)
{
    struct fs *fs = s->fs;

    for (size_t i = 0; i < save->syncs; i++) {
        if (!error && save->synced[i]->content == save->blobs[i])
            save->synced[i]->unsynced = false;
        blob_unuse(save->blobs[i]);
        blob_unref(save->blobs[i]);
        input_unref(save->synced[i]);
    }
    if (error) {
        return_history(s, save);
        s->save_failed = true;
        fs->store->retry_ms = clock_ms() + STORE_RETRY_MS;
    } else {
        s->save_failed = false;
        s->saved_change = save->change;
        s->history_size = save->history_size + save->history_len;
        if (save->write_state && s->state == save->state) {
            s->state_unsaved = false;
            session_rest_state(s);
        }
        if (save->write_before && s->job)
            job_before_saved(s->job, save->before);
        if (save->reply && save->reply == s->reply)
            reply_set_stored(save->reply);
    }
    if (save->reply)
        reply_unref(fs, save->reply);
    bytes_unref(save->state);
    bytes_unref(save->before);
    free(save->record);
    free(save->history);
    free(save->reply_text);
    tell_savings(s, save->change, error);
}

static void move_away(struct store *st, const char *uuid)
{
    if (renameat(st->sessions_dir, uuid, st->removed_dir, uuid) && errno != ENOENT)
        fprintf(stderr, "lipsyncfs: removed/%s: %s\n", uuid, strerror(errno));
    files_sync_dir(st->removed_dir);
    files_sync_dir(st->sessions_dir);
}

/* What is unsaved of a session goes to disk; with `remove` its folder then goes to removed/. No
 * lock. */
static void save_session(struct fs *fs, struct session *s, bool remove)
{
    struct store *st = fs->store;
    struct save save;
    bool gone;
    int r = 0;

    pthread_mutex_lock(&st->writing);
    fs_lock(fs);
    gone = s->stored_away;
    s->stored_away |= remove;
    if (gone)
        memset(&save, 0, sizeof(save));
    else
        r = take(s, &save);
    save.change = s->change;
    fs_unlock(fs);
    if (!r && !gone)
        r = write_save(st, &save);
    if (remove)
        move_away(st, save.uuid);
    fs_lock(fs);
    settle(s, &save, r);
    fs_unlock(fs);
    pthread_mutex_unlock(&st->writing);
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
            save_session(fs, s, false);
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

void store_remove(struct session *s)
{
    save_session(s->fs, s, true);
}

int store_read_file(struct fs *fs, const char *uuid, const char *file, size_t max, char **out,
                    size_t *len)
{
    int dir = open_session_dir(fs->store, uuid);
    int r;

    if (dir < 0)
        return -errno;
    r = files_read(dir, file, max, out, len);
    close(dir);
    return r;
}

int store_open_file(struct fs *fs, const char *uuid, const char *file)
{
    int dir = open_session_dir(fs->store, uuid);
    int fd;

    if (dir < 0)
        return -errno;
    fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        fd = -errno;
    close(dir);
    return fd;
}
