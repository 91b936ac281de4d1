#include "inputs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "container.h"
#include "errnos.h"
#include "lookout.h"
#include "names.h"
#include "store.h"
#include "text.h"
#include "tree.h"
#include "upload.h"

/* ---- in the tree ---- */

struct input *input_new(struct session *s, const char *name)
{
    struct fs *fs = s->fs;
    struct input *in;

    if (HASH_CNT(hh_name, s->inputs) >= INPUTS_MAX)
        return NULL;
    in = calloc(1, sizeof(*in));
    if (!in)
        return NULL;
    in->name = strdup(name);
    if (!in->name)
        goto nomem;
    in->refs = 1;
    in->revision = 1;
    in->ino = fs->next_ino++;
    pthread_mutex_init(&in->io, NULL);
    in->mtime = in->atime = in->ctime = clock_now();
    HASH_ADD_KEYPTR(hh_name, s->inputs, in->name, strlen(in->name), in);
    if (!in->hh_name.tbl)
        goto nomem;
    HASH_ADD(hh_ino, fs->inputs, ino, sizeof(in->ino), in);
    if (!in->hh_ino.tbl) {
        HASH_DELETE(hh_name, s->inputs, in);
        goto nomem;
    }
    in->session = session_ref(s);
    s->inputs_changed = clock_now();
    return in;
nomem:
    free(in->name);
    free(in);
    return NULL;
}

struct input *input_find(struct session *s, const char *name)
{
    struct input *in;

    HASH_FIND(hh_name, s->inputs, name, strlen(name), in);
    return in;
}

struct input *input_ref(struct input *in)
{
    in->refs++;
    return in;
}

void input_unref(struct input *in)
{
    if (--in->refs > 0)
        return;
    HASH_DELETE(hh_ino, in->session->fs->inputs, in);
    blob_unref(in->content);
    blob_unref(in->work);
    blob_unref(in->previous);
    session_unref(in->session);
    pthread_mutex_destroy(&in->io);
    free(in->name);
    free(in->link);
    free(in->url);
    free(in->previous_url);
    free(in->words);
    free(in);
}

uint64_t input_size(const struct input *in)
{
    if (in->link)
        return strlen(in->link);
    return in->work ? in->work->size : in->content ? in->content->size : 0;
}

bool input_is_sent(const struct input *in)
{
    return in->state == INPUT_UPLOADED || (in->previous && in->previous_state == INPUT_UPLOADED);
}

/* A content that the record on disk still names. */
struct leaving {
    struct saving saving;
    struct blob *blob;
};

static void left(struct fs *fs, struct saving *w, int error)
{
    struct leaving *l = container_of(w, struct leaving, saving);

    (void)fs;
    (void)error; /* the next record does without it in any case */
    blob_unref(l->blob);
    free(l);
}

/* Its file stays until a record without it is on disk: were we killed between, it would be gone
 * from both. */
static void keep_until_recorded(struct session *s, struct blob *b)
{
    struct leaving *l = b ? malloc(sizeof(*l)) : NULL;

    if (!l)
        return;
    l->blob = blob_ref(b);
    store_save(s, &l->saving, left);
}

void input_remove(struct input *in)
{
    struct session *s = in->session;

    if (in->removed)
        return;
    in->removed = true;
    keep_until_recorded(s, in->content);
    keep_until_recorded(s, in->previous);
    in->dirty = false;
    HASH_DELETE(hh_name, s->inputs, in);
    s->inputs_changed = in->ctime = clock_now();
    upload_cancel(in, ENOENT);
    store_save(s, NULL, NULL);
    input_unref(in);
}

/* The kernel did not ask for this: its caches have to be told. */
static void vanish(struct input *in)
{
    struct session *s = in->session;
    uint64_t dir = s->number * NODES_PER_SESSION + NODE_INPUTS;

    watch_invalidate_entry(s->fs->watch, s->fs->se, dir, in->name);
    watch_invalidate_inode(s->fs->watch, s->fs->se, dir);
    watch_input_gone(s->fs->watch, s->name, in->name);
    input_remove(in);
}

void input_drop_previous(struct input *in)
{
    blob_unref(in->previous);
    in->previous = NULL;
    free(in->previous_url);
    in->previous_url = NULL;
}

static void drop_work(struct input *in)
{
    if (!in->work)
        return;
    if (in->work_used)
        blob_unuse(in->work);
    blob_unref(in->work);
    in->work = NULL;
    in->work_used = false;
    in->cut = false;
    in->lost = 0;
}

void input_abandon(struct input *in)
{
    struct session *s = in->session;

    in->dirty = false;
    in->revision++;
    drop_work(in);
    if (in->upload) {
        /* of another writer, who closed before */
    } else if (in->previous) {
        blob_unref(in->content);
        free(in->url);
        in->content = in->previous;
        in->url = in->previous_url;
        in->previous = NULL;
        in->previous_url = NULL;
        in->state = in->previous_state;
        if (in->state == INPUT_UPLOADING)
            upload_start(in, NULL);
    } else if (in->state == INPUT_UPLOADING) {
        blob_unref(in->content);
        in->content = NULL;
    }
    if (!in->content && !in->removed)
        vanish(in);
    else
        watch_invalidate_inode(s->fs->watch, s->fs->se, in->ino);
    store_save(s, NULL, NULL);
}

size_t inputs_submit_again(struct session *s)
{
    struct input *in, *next;
    size_t n = 0;

    HASH_ITER(hh_name, s->inputs, in, next)
    {
        /* What was dropped from the cache can only be fetched from the session that is gone. */
        if (in->state != INPUT_UPLOADED || in->upload || (in->content && !in->content->present))
            continue;
        upload_start(in, NULL);
        n++;
    }
    return n;
}

void inputs_resume(struct session *s)
{
    struct input *in, *next;

    HASH_ITER(hh_name, s->inputs, in, next)
    if (in->state == INPUT_UPLOADING && !in->upload)
        upload_start(in, NULL);
}

int inputs_report(struct session *s)
{
    struct input *in, *next;

    HASH_ITER(hh_name, s->inputs, in, next)
    {
        if (!in->unreported)
            continue;
        in->unreported = false;
        store_save(s, NULL, NULL);
        return in->error ? in->error : EIO;
    }
    return 0;
}

static struct input *oldest_evictable(struct fs *fs)
{
    struct input *in, *next, *oldest = NULL;

    HASH_ITER(hh_ino, fs->inputs, in, next)
    {
        if (in->state != INPUT_UPLOADED || !in->url || !in->content || !in->content->present ||
            in->content->users || in->unsynced || in->upload)
            continue;
        if (!oldest || in->atime.tv_sec < oldest->atime.tv_sec)
            oldest = in;
    }
    return oldest;
}

void inputs_evict(struct fs *fs, uint64_t bytes)
{
    struct input *in;

    for (uint64_t freed = 0; freed < bytes; freed += in->content->size) {
        in = oldest_evictable(fs);
        if (!in)
            return;
        blob_drop(in->content);
        store_save(in->session, NULL, NULL);
    }
}

/* ---- cut short ---- */

void input_shown_name(const struct input *in, char *out)
{
    fault_clean_text(in->name, strlen(in->name), out, NAMES_MAX + 1);
}

static void tell_cut_short(struct input *in, const char *hint)
{
    char line[ERROR_WORDS_MAX], name[NAMES_MAX + 1];

    input_shown_name(in, name);
    snprintf(line, sizeof(line), _("%s is cut short (a cancelled copy?) and was not uploaded"),
             name);
    session_failed_words(in->session, line, hint);
}

/* Why the file as it was closed cannot be uploaded. `hint` is for what is cut short. */
static void tell_unfit(struct input *in, int error, const char *hint)
{
    struct fault f = error == EFBIG ? fault_make(FAULT_TOO_LARGE, NULL) : fault_local(error);

    if (error != EBADMSG) {
        upload_tell(in, &f);
        return;
    }
    free(in->words);
    in->words = strdup(_("the file is cut short"));
    tell_cut_short(in, hint);
}

/* A temporary file that its writer gave its final name although the close had failed. */
static void refuse_renamed(struct input *in)
{
    in->state = INPUT_FAILED;
    in->unreported = true;
    tell_cut_short(in, _("Copy it again, or remove it."));
}

/* ---- renaming ---- */

/* The backend shall know it, by the name that it has now. */
static void send_renamed(struct input *in)
{
    bool media = names_is_media(in->name) && !names_is_temporary(in->name);

    if (media && in->error == EBADMSG)
        refuse_renamed(in);
    else if (media)
        upload_start(in, NULL);
    else if (!in->upload) /* whoever closed it waits for that */
        in->state = INPUT_TEMPORARY;
}

void input_rename(struct input *in, struct input *target, char *name)
{
    struct session *s = in->session;

    if (target)
        input_remove(target);
    HASH_DELETE(hh_name, s->inputs, in);
    free(in->name);
    in->name = name;
    HASH_ADD_KEYPTR(hh_name, s->inputs, in->name, strlen(in->name), in);
    in->ctime = s->inputs_changed = clock_now();
    if (in->link ? in->state == INPUT_FAILED : in->content && !in->dirty)
        send_renamed(in);
    store_save(s, NULL, NULL);
}

/* ---- closing ---- */

static void forget_previous(struct input *in)
{
    keep_until_recorded(in->session, in->previous);
    input_drop_previous(in);
}

/* The work becomes the content; it is in use for the caller. */
static struct blob *freeze(struct input *in)
{
    if (in->upload && upload_is_tentative(in->upload)) {
        blob_unref(in->content); /* nobody was told that this one is kept */
        free(in->url);
    } else if (in->content) {
        forget_previous(in);
        in->previous = in->content;
        in->previous_url = in->url;
        in->previous_state = in->state;
    }
    in->url = NULL;
    in->content = in->work;
    in->work = NULL;
    in->work_used = false;
    in->dirty = false;
    in->lost = 0;
    in->unsynced = true;
    return in->content;
}

/* A close under a temporary name waits until the file is on disk. */
struct keeping {
    struct saving saving;
    struct input *input;
    struct blob *content;
    struct parked_list closers;
};

static void kept(struct fs *fs, struct saving *w, int error)
{
    struct keeping *k = container_of(w, struct keeping, saving);

    park_error_all(fs, &k->closers, -error);
    blob_unuse(k->content);
    blob_unref(k->content);
    input_unref(k->input);
    free(k);
}

static void keep(struct input *in, struct parked *p)
{
    struct fs *fs = in->session->fs;
    struct keeping *k = calloc(1, sizeof(*k));

    in->content->users += k != NULL;
    if (!k) {
        if (p)
            park_error(fs, p, ENOMEM);
        return;
    }
    TAILQ_INIT(&k->closers);
    k->input = input_ref(in);
    k->content = blob_ref(in->content);
    if (p)
        park_wait(fs, p, &k->closers, 0, NULL, NULL);
    store_save(in->session, &k->saving, kept);
}

/* Its writer is done with it, and it is not whole, or (`error`) cannot be read. in->io and the lock
 * held. */
static void finish_unfit(struct input *in, int error)
{
    bool incomplete = in->lost || error == EBADMSG;
    bool goes = incomplete && in->copy && !in->content && !names_is_temporary(in->name);
    struct blob *b;

    tell_unfit(in, error, goes ? _("Copy it again.") : _("Copy it again, or remove it."));
    if (goes || !in->dirty) {
        in->dirty = false;
        in->cut = goes;
        return;
    }
    upload_cancel(in, error);
    b = freeze(in);
    in->state = INPUT_FAILED;
    in->error = incomplete ? EBADMSG : error;
    forget_previous(in);
    keep(in, NULL);
    blob_unuse(b);
}

/* in->io and the lock held. */
static void finish_writing(struct input *in, struct parked *p)
{
    struct blob *b = freeze(in);

    if (names_is_temporary(in->name)) {
        in->state = INPUT_TEMPORARY;
        in->error = 0;
        forget_previous(in);
        keep(in, p);
    } else {
        upload_start(in, p);
    }
    blob_unuse(b);
}

/* No lock. `last`: as far as anyone can tell nobody else writes. */
static void close_writing(struct input *in, struct parked *p)
{
    struct fs *fs = in->session->fs;
    bool due;
    int error;

    pthread_mutex_lock(&in->io);
    fs_lock(fs);
    error = in->lost;
    due = in->dirty && in->work && !in->removed;
    fs_unlock(fs);
    if (due && !error)
        error = -container_check(in->work->fd, (off_t)in->work->size, in->name);
    fs_lock(fs);
    due = due && !in->removed;
    if (in->removed)
        error = 0;
    if (error)
        finish_unfit(in, error);
    else if (due)
        finish_writing(in, p);
    if (p && (error || !due))
        park_error(fs, p, error);
    fs_unlock(fs);
    pthread_mutex_unlock(&in->io);
}

static enum closer_state look(struct input *in, struct parked *p)
{
    struct fs *fs = in->session->fs;
    char tail[3 * NAMES_MAX];
    struct closer_file file = {
        .tail = tail, .ino = in->ino, .device = fs->device, .mount_id = fs->mount_id};

    fs_lock(fs);
    snprintf(tail, sizeof(tail), "/%s/inputs/%s", in->session->name, in->name);
    fs_unlock(fs);
    return lookout_closer(park_tid(p), &file);
}

void input_flush(struct input *in, struct parked *p)
{
    struct fs *fs = in->session->fs;
    enum closer_state state;
    bool nothing;

    fs_lock(fs);
    nothing = in->removed || (!in->dirty && !in->lost && in->state != INPUT_NEW);
    if (nothing)
        park_error(fs, p, 0);
    else
        input_ref(in); /* once answered, the handle may be released while this is still at work */
    fs_unlock(fs);
    if (nothing)
        return;
    state = look(in, p);
    if (state == CLOSER_KILLED) {
        pthread_mutex_lock(&in->io);
        fs_lock(fs);
        if (!in->removed && (in->work || in->state == INPUT_NEW))
            input_abandon(in);
        park_error(fs, p, 0);
        fs_unlock(fs);
        pthread_mutex_unlock(&in->io);
    } else if (state == CLOSER_OTHERS || state == CLOSER_EXECUTING) {
        fs_lock(fs);
        park_error(fs, p, 0);
        fs_unlock(fs);
    } else {
        close_writing(in, p);
    }
    fs_lock(fs);
    input_unref(in);
    fs_unlock(fs);
}

/* Unless somebody writes it on. No lock. */
static void drop_cut(struct input *in)
{
    struct fs *fs = in->session->fs;

    pthread_mutex_lock(&in->io);
    fs_lock(fs);
    if (in->cut && !in->writers && !in->removed)
        input_abandon(in);
    fs_unlock(fs);
    pthread_mutex_unlock(&in->io);
}

void input_released(struct input *in)
{
    struct fs *fs = in->session->fs;
    bool last, due;

    fs_lock(fs);
    last = --in->writers == 0;
    due = last && in->dirty && !in->removed;
    if (last && !due)
        in->lost = 0;
    if (last && in->work && in->work_used && !due) {
        blob_unuse(in->work);
        in->work_used = false;
    }
    fs_unlock(fs);
    /* Written after the last close that was seen (mmap), or that close looked like another's. */
    if (due)
        close_writing(in, NULL);
    if (last)
        drop_cut(in);
}
