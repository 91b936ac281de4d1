/* One save of one session: what is taken under the lock, written without it, settled under it
 * again. */
#include "store_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "inputs.h"
#include "message.h"
#include "record.h"

#define HISTORY_MAX (8u << 20) /* bytes; then its older half goes */

int store_open_session_dir(struct store *st, const char *uuid)
{
    int fd = openat(st->sessions_dir, uuid, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int r = fd < 0 ? 0 : files_check_private_dir(fd);

    if (r) {
        close(fd);
        errno = -r;
        return -1;
    }
    return fd;
}

size_t store_file_size(int dir, const char *name)
{
    struct stat st;

    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)
               ? (size_t)st.st_size
               : 0;
}

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
    struct synced *synced; /* what the record speaks of must be there first */
    size_t syncs;
};

struct synced {
    struct input *input;
    struct blob *blob;
};

static int take_syncs(struct session *s, struct save *save)
{
    struct input *in, *next;
    size_t count = 0;

    HASH_ITER(hh_name, s->inputs, in, next)
    count += in->unsynced && in->content;
    if (!count)
        return 0;
    save->synced = malloc(count * sizeof(*save->synced));
    if (!save->synced)
        return -ENOMEM;
    HASH_ITER(hh_name, s->inputs, in, next)
    if (in->unsynced && in->content)
        save->synced[save->syncs++] = (struct synced){input_ref(in), blob_ref(in->content)};
    return 0;
}

static void drop_syncs(struct save *save)
{
    for (size_t i = 0; i < save->syncs; i++) {
        blob_unref(save->synced[i].blob);
        input_unref(save->synced[i].input);
    }
    free(save->synced);
    save->synced = NULL;
    save->syncs = 0;
}

/* Large inputs take their time, in which other sessions' folders are written. No lock. */
static int sync_inputs(struct fs *fs, struct session *s, struct save *save)
{
    int r;

    fs_lock(fs);
    drop_syncs(save);
    r = take_syncs(s, save);
    fs_unlock(fs);
    for (size_t i = 0; !r && i < save->syncs; i++)
        r = blob_sync(save->synced[i].blob);
    if (!r && save->syncs)
        r = blob_sync_names(fs);
    fs_lock(fs);
    for (size_t i = 0; !r && i < save->syncs; i++)
        save->synced[i].blob->synced = true;
    fs_unlock(fs);
    return r;
}

static bool all_synced(struct session *s)
{
    struct input *in, *next;

    HASH_ITER(hh_name, s->inputs, in, next)
    if (in->unsynced && in->content && !in->content->synced)
        return false;
    return true;
}

/* Both locks are held on return, and the record, if it is written now, speaks of nothing that is
 * not on disk. */
static int sync_and_lock(struct fs *fs, struct session *s, struct save *save)
{
    for (;;) {
        int r = sync_inputs(fs, s, save);

        pthread_mutex_lock(&fs->store->writing);
        fs_lock(fs);
        if (r || s->stored_away || all_synced(s))
            return r;
        fs_unlock(fs);
        pthread_mutex_unlock(&fs->store->writing);
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
    return 0;
}

/* Keeps the newer half, from a line's start. */
static int halve_history(int dir)
{
    char *text = NULL, *from;
    size_t len;
    int r;

    r = files_read(dir, "history.txt", HISTORY_MAX + (HISTORY_MAX >> 1), &text, &len);
    if (r)
        return r;
    from = memchr(text + len / 2, '\n', len - len / 2);
    from = from ? from + 1 : text;
    r = files_write_atomic(dir, "history.txt", from, len - (size_t)(from - text), 0600);
    free(text);
    return r;
}

static int write_history(int dir, struct save *save)
{
    size_t now;
    int fd, r = 0;

    if (!save->history_len)
        return 0;
    /* Not what is remembered: a save that failed may have halved it already. */
    now = store_file_size(dir, "history.txt");
    if (now < save->history_size)
        save->history_size = now;
    if (save->history_size + save->history_len > HISTORY_MAX && save->history_size > 1) {
        r = halve_history(dir);
        if (r)
            return r;
        save->history_size = store_file_size(dir, "history.txt");
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
    return files_write_atomic(dir, name, data, len, 0600);
}

static int write_save(struct fs *fs, struct save *save)
{
    struct store *st = fs->store;
    int dir, r = 0;

    if (mkdirat(st->sessions_dir, save->uuid, 0700) && errno != EEXIST)
        return -errno;
    dir = store_open_session_dir(st, save->uuid);
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
    if (!store_file_size(dir, "session.json") && (r = files_sync_dir(st->sessions_dir)))
        goto out; /* the folder is still new */
    r = write_bytes(dir, "session.json", save->record, strlen(save->record));
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
        struct synced *y = &save->synced[i];

        if (!error && y->input->content == y->blob)
            y->input->unsynced = false;
    }
    drop_syncs(save);
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

/* The user may have removed removed/ itself. */
static int move_away(struct store *st, const char *uuid)
{
    int removed, r = store_open_below(st->state_dir, "removed", &removed);

    if (r)
        return r;
    if (renameat(st->sessions_dir, uuid, removed, uuid) && errno != ENOENT)
        r = -errno;
    files_sync_dir(removed);
    files_sync_dir(st->sessions_dir);
    close(removed);
    return r;
}

int store_save_session(struct fs *fs, struct session *s, bool remove)
{
    struct store *st = fs->store;
    struct save save = {.change = 0};
    int moved = 0, r = sync_and_lock(fs, s, &save);
    bool gone = s->stored_away;

    s->stored_away |= remove;
    if (!r && !gone)
        r = take(s, &save);
    save.change = s->change;
    fs_unlock(fs);
    if (!r && !gone)
        r = write_save(fs, &save);
    if (remove && !gone)
        moved = move_away(st, s->uuid);
    fs_lock(fs);
    if (moved)
        s->stored_away = false;
    settle(s, &save, r);
    fs_unlock(fs);
    pthread_mutex_unlock(&st->writing);
    return remove ? moved : r;
}
