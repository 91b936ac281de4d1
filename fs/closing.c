/* The close of an input that was written: who closed it, is it whole, and what becomes of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "container.h"
#include "inputs.h"
#include "lookout.h"
#include "names.h"
#include "store.h"
#include "text.h"
#include "upload.h"

/* The work becomes the content; it is in use for the caller. */
static struct blob *freeze(struct input *in)
{
    if (in->upload && upload_is_tentative(in->upload)) {
        blob_unref(in->content); /* nobody was told that this one is kept */
        free(in->url);
    } else if (in->content) {
        input_forget_previous(in);
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
    struct fault f = error == EFBIG ? fault_make(FAULT_TOO_LARGE, NULL) : fault_local(error);
    struct blob *b;

    upload_tell(in, &f,
                error != EBADMSG ? NULL
                : goes           ? _("Copy it again.")
                                 : _("Copy it again, or remove it."));
    if (goes || !in->dirty) {
        in->dirty = false;
        in->cut = goes;
        return;
    }
    upload_cancel(in, error);
    b = freeze(in);
    in->state = INPUT_FAILED;
    in->error = incomplete ? EBADMSG : error;
    input_forget_previous(in);
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
        input_forget_previous(in);
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
