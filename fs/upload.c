#include "upload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errnos.h"
#include "message.h"
#include "names.h"
#include "prompt.h"
#include "query.h"
#include "render.h"
#include "store.h"
#include "text.h"

struct upload {
    struct input *input;
    struct blob *blob; /* NULL: a link */
    bool used;         /* the blob is open for us */
    bool background;
    bool retried;  /* with a new session */
    bool ended;    /* the backend has answered; the record is being written */
    bool all_sent; /* it, or what it superseded: the backend may have it, whatever comes */
    char *session_id;
    client_call call;
    uint64_t sent, total;
    struct parked_list closers;
    struct need need;
    struct saving saving;
    struct store_job opening;
    int open_error;
};

bool upload_is_tentative(const struct upload *u)
{
    return !u->background && !u->ended;
}

bool upload_may_have_replaced(const struct input *in)
{
    return in->upload && in->upload->all_sent && in->previous && in->previous->present &&
           in->previous_state == INPUT_UPLOADED;
}

int upload_percent(const struct upload *u)
{
    return u->ended ? 100 : u->total ? (int)(u->sent * 100 / u->total) : 0;
}

static bool is_current(const struct upload *u)
{
    return u->input->upload == u;
}

static void count(struct session *s, int more)
{
    struct fs *fs = s->fs;

    s->uploading = (size_t)((long)s->uploading + more);
    fs->uploads = (size_t)((long)fs->uploads + more);
    status_changed(s);
    if (!fs->uploads)
        pthread_cond_broadcast(&fs->uploads_ended);
    if (s->uploading)
        return;
    prompt_uploads_ended(s);
    message_uploads_ended(s);
    render_uploads_ended(s);
}

/* It is not the input's upload any more; its object lives until its last callback. */
static void detach(struct upload *u)
{
    if (!is_current(u))
        return;
    u->input->upload = NULL;
    count(u->input->session, -1);
}

static void end(struct upload *u)
{
    detach(u);
    if (u->blob) {
        if (u->used)
            blob_unuse(u->blob);
        blob_unref(u->blob);
    }
    input_unref(u->input);
    free(u->session_id);
    free(u);
}

/* ---- outcome ---- */

static void set_text(char **where, const char *text)
{
    free(*where);
    *where = text ? strdup(text) : NULL;
}

static void saved(struct fs *fs, struct saving *w, int error)
{
    struct upload *u = container_of(w, struct upload, saving);
    struct input *in = u->input;

    if (is_current(u)) {
        int told = in->state == INPUT_FAILED ? in->error : -error;

        input_drop_previous(in);
        if (told && u->background)
            in->unreported = true;
        park_error_all(fs, &u->closers, told);
    }
    end(u);
}

static void save(struct upload *u)
{
    u->ended = true;
    u->background = u->background || TAILQ_EMPTY(&u->closers);
    store_save(u->input->session, &u->saving, saved);
}

void upload_tell(struct input *in, const struct fault *f, const char *what_to_do)
{
    char words[ERROR_WORDS_MAX], hint[ERROR_WORDS_MAX], line[2 * ERROR_WORDS_MAX];
    char name[NAMES_MAX + 1];

    session_fault_text(in->session, f, words, hint);
    if (f->kind == FAULT_LOCAL && f->error == EBADMSG)
        snprintf(words, sizeof(words), "%s", _("The file is cut short (a cancelled copy?)."));
    set_text(&in->words, words);
    input_shown_name(in, name);
    snprintf(line, sizeof(line), _("Upload of %s failed: %s"), name, words);
    session_failed_words(in->session, line, what_to_do ? what_to_do : hint);
}

static void fail(struct upload *u, const struct fault *f)
{
    u->input->state = INPUT_FAILED;
    u->input->error = errnos_of(f);
    upload_tell(u->input, f, NULL);
    save(u);
}

static void succeed(struct upload *u, const char *url)
{
    struct input *in = u->input;
    struct session *s = in->session;
    char name[NAMES_MAX + 1];

    in->state = INPUT_UPLOADED;
    in->error = 0;
    in->unreported = false;
    set_text(&in->words, NULL);
    set_text(&in->url, url);
    input_shown_name(in, name);
    history_add(s, "upload", name);
    session_succeeded(s);
    query_state_changed(s);
    session_refresh(s);
    save(u);
}

/* The mount is going away: the next one sends it. */
static void leave_to_next_mount(struct upload *u)
{
    struct session *s = u->input->session;

    u->background = true;
    park_error_all(s->fs, &u->closers, ESHUTDOWN);
    store_save(s, NULL, NULL);
    end(u);
}

static void send_it(struct fs *fs, struct need *n, const struct fault *f);

static void uploaded(void *user, const struct fault *f, const char *url)
{
    struct upload *u = user;
    struct session *s = u->input->session;
    struct fs *fs = s->fs;

    fs_lock(fs);
    u->call = 0;
    if (!is_current(u)) {
        end(u);
    } else if (f->kind == FAULT_SESSION && !u->retried) {
        u->retried = true;
        session_lost(s, u->session_id);
        session_need(s, &u->need, send_it);
    } else if (f->kind == FAULT_CANCELLED) {
        leave_to_next_mount(u);
    } else if (f->kind == FAULT_NONE) {
        succeed(u, url);
    } else {
        fail(u, f);
    }
    fs_unlock(fs);
}

static void progress(void *user, uint64_t sent, uint64_t total)
{
    struct upload *u = user;
    struct fs *fs = u->input->session->fs;

    fs_lock(fs);
    u->sent = sent;
    u->total = total;
    if (is_current(u)) {
        status_changed(u->input->session);
        if (sent == total && !u->all_sent) {
            u->all_sent = true;
            if (upload_may_have_replaced(u->input))
                store_save(u->input->session, NULL, NULL);
        }
    }
    fs_unlock(fs);
}

/* ---- sending ---- */

static int send_to(struct fs *fs, struct upload *u)
{
    struct input *in = u->input;

    free(u->session_id);
    u->session_id = strdup(in->session->id);
    if (!u->session_id)
        return -ENOMEM;
    if (in->link)
        return client_upload_url(fs->client, u->session_id, in->link, uploaded, u, &u->call);
    return client_upload_file(fs->client, u->session_id, u->blob->fd, u->blob->size, in->name,
                              progress, uploaded, u, &u->call);
}

static void send_it(struct fs *fs, struct need *n, const struct fault *f)
{
    struct upload *u = container_of(n, struct upload, need);
    struct fault failed;
    int r;

    if (!is_current(u)) {
        end(u);
        return;
    }
    if (f->kind == FAULT_NONE) {
        r = send_to(fs, u);
        if (!r)
            return;
        failed = fault_local(-r);
        f = &failed;
    }
    if (f->kind == FAULT_CANCELLED)
        leave_to_next_mount(u);
    else
        fail(u, f);
}

static void open_blob(struct fs *fs, struct store_job *job)
{
    struct upload *u = container_of(job, struct upload, opening);

    (void)fs;
    u->open_error = blob_use(u->blob);
}

static void blob_is_open(struct fs *fs, struct store_job *job)
{
    struct upload *u = container_of(job, struct upload, opening);
    struct fault f = fault_local(-u->open_error);

    (void)fs;
    u->used = u->open_error == 0;
    if (!is_current(u))
        end(u);
    else if (u->open_error)
        fail(u, &f);
    else
        session_need(u->input->session, &u->need, send_it);
}

static void closer_gives_up(struct fs *fs, struct parked *p, void *owner, int error)
{
    struct upload *u = owner;
    struct input *in = u->input;

    park_error(fs, p, error);
    if (error != EINTR || !TAILQ_EMPTY(&u->closers) || u->background || u->ended)
        return;
    history_add(in->session, "upload", _("interrupted; the file is not kept"));
    if (upload_may_have_replaced(in))
        in->previous_state = INPUT_UPLOADING;
    input_ref(in);
    upload_cancel(in, EINTR);
    input_abandon(in);
    input_unref(in);
}

/* Takes over the closes that wait for what is not the newest content any more. */
static void supersede(struct fs *fs, struct upload *u, struct upload *old)
{
    struct parked *p;

    u->background = u->background && old->background;
    u->all_sent = old->all_sent;
    while ((p = TAILQ_FIRST(&old->closers)))
        park_wait(fs, p, &u->closers, 0, closer_gives_up, u);
}

void upload_start(struct input *in, struct parked *closer)
{
    struct session *s = in->session;
    struct upload *u = calloc(1, sizeof(*u));

    if (!u) {
        in->state = INPUT_FAILED;
        in->error = ENOMEM;
        if (closer)
            park_error(s->fs, closer, ENOMEM);
        return;
    }
    u->input = input_ref(in);
    u->background = !closer;
    TAILQ_INIT(&u->closers);
    if (in->upload) {
        supersede(s->fs, u, in->upload);
        upload_cancel(in, EIO);
    }
    if (closer) {
        park_wait(s->fs, closer, &u->closers, 0, closer_gives_up, u);
        park_set_patient(closer);
    }
    if (in->content) {
        u->blob = blob_ref(in->content);
        u->total = u->blob->size;
    }
    in->state = INPUT_UPLOADING;
    in->error = 0;
    in->unreported = false;
    in->upload = u;
    count(s, 1);
    if (u->blob && u->blob->fd < 0) {
        u->opening = (struct store_job){.run = open_blob, .done = blob_is_open};
        store_run(s->fs, &u->opening);
        return;
    }
    if (u->blob) {
        u->blob->users++;
        u->used = true;
    }
    session_need(s, &u->need, send_it);
}

void upload_cancel(struct input *in, int error)
{
    struct upload *u = in->upload;
    struct fs *fs = in->session->fs;

    if (!u)
        return;
    park_error_all(fs, &u->closers, error);
    detach(u);
    if (u->call) {
        client_cancel(fs->client, u->call);
    } else if (u->need.waiting) {
        session_need_cancel(in->session, &u->need);
        end(u);
    }
    /* else: a job or a save of ours is about to come back and ends it */
}
