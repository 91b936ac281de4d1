#include "inputs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errnos.h"
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

void input_shown_name(const struct input *in, char *out)
{
    fault_clean_text(in->name, strlen(in->name), out, NAMES_MAX + 1);
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

void input_forget_previous(struct input *in)
{
    keep_until_recorded(in->session, in->previous);
    input_drop_previous(in);
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

static bool may_be_evicted(const struct input *in)
{
    return in->state == INPUT_UPLOADED && in->url && in->content && in->content->present &&
           !in->content->users && !in->unsynced && !in->upload;
}

/* So many are found in one look through all inputs. */
#define EVICT_BATCH 64

/* Those longest unused, the longest first. How many. */
static size_t oldest_evictable(struct fs *fs, struct input *found[EVICT_BATCH])
{
    struct input *in, *next;
    size_t count = 0, i;

    HASH_ITER(hh_ino, fs->inputs, in, next)
    {
        if (!may_be_evicted(in))
            continue;
        for (i = count; i > 0 && in->atime.tv_sec < found[i - 1]->atime.tv_sec; i--)
            if (i < EVICT_BATCH)
                found[i] = found[i - 1];
        if (i < EVICT_BATCH)
            found[i] = in;
        count += count < EVICT_BATCH;
    }
    return count;
}

void inputs_evict(struct fs *fs, uint64_t bytes)
{
    struct input *oldest[EVICT_BATCH];
    uint64_t freed = 0;
    size_t count;

    do {
        count = oldest_evictable(fs, oldest);
        for (size_t i = 0; i < count && freed < bytes; i++) {
            freed += oldest[i]->content->size;
            blob_drop(oldest[i]->content);
            store_save(oldest[i]->session, NULL, NULL);
        }
    } while (count == EVICT_BATCH && freed < bytes);
}

/* ---- renaming ---- */

/* A temporary file that its writer gave its final name although the close had failed. */
static void refuse_renamed(struct input *in)
{
    struct fault f = fault_local(EBADMSG);

    in->state = INPUT_FAILED;
    in->unreported = true;
    upload_tell(in, &f, _("Copy it again, or remove it."));
}

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
