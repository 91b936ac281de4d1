#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blob.h"
#include "draft.h"
#include "errnos.h"
#include "message.h"
#include "output.h"
#include "query.h"
#include "render_inside.h"
#include "text.h"

/* ---- life ---- */

static struct render *render_new(struct session *s)
{
    struct render *n = calloc(1, sizeof(*n));

    if (!n)
        return NULL;
    n->session = session_ref(s);
    n->refs = 1;
    n->percent = -1;
    TAILQ_INIT(&n->closers);
    return n;
}

void render_unref(struct render *n)
{
    if (--n->refs > 0)
        return;
    if (n->blob) {
        if (n->used)
            blob_unuse(n->blob);
        blob_unref(n->blob);
    }
    bytes_unref(n->state);
    reply_unref(n->session->fs, n->reply);
    session_unref(n->session);
    free(n->session_id);
    free(n);
}

bool render_is_current(const struct render *n)
{
    return n->session->render == n;
}

void render_end(struct render *n, int error)
{
    struct session *s = n->session;

    s->render = NULL;
    park_error_all(s->fs, &n->closers, error);
    if (n->reply)
        message_end_reply(s, n->reply);
    status_changed(s);
    store_save(s, NULL, NULL);
    render_unref(n);
}

void render_fail(struct render *n, const struct fault *f)
{
    struct session *s = n->session;
    char words[ERROR_WORDS_MAX], hint[ERROR_WORDS_MAX], line[2 * ERROR_WORDS_MAX];

    if (f->kind == FAULT_CANCELLED)
        return; /* the mount is going away: the next one goes on */
    session_fault_text(s, f, words, hint);
    /* The backend took it: what it does not have any more can be made again. */
    if (f->kind == FAULT_NOT_FOUND && n->phase >= RENDER_WAITING)
        snprintf(hint, ERROR_WORDS_MAX, "%s", _("Write export to instruct to try again."));
    snprintf(line, sizeof(line), _("There is no output.mp4: %s"), words);
    if (n->reply) {
        reply_line(s->fs, n->reply, "%s", line);
        if (*hint)
            reply_line(s->fs, n->reply, "%s", hint);
    }
    session_failed_words(s, line, hint);
    render_end(n, errnos_of(f));
}

void render_fail_local(struct render *n, int error)
{
    struct fault f = fault_local(error);

    render_fail(n, &f);
}

void render_drop(struct session *s)
{
    struct render *n = s->render;

    if (!n)
        return;
    if (n->call)
        client_cancel(s->fs->client, n->call);
    session_need_cancel(s, &n->need);
    if (n->reply)
        reply_line(s->fs, n->reply, "%s", _("The draft changed; this render was dropped."));
    render_end(n, EIO);
}

void render_leave_reply(struct session *s)
{
    if (!s->render || !s->render->reply)
        return;
    reply_end(s->fs, s->render->reply);
    reply_unref(s->fs, s->render->reply);
    s->render->reply = NULL;
}

/* Was its session lost, whoever found that out? */
static bool outlives_session(const struct render *n)
{
    const char *now = n->session->id;

    return n->renewed || (n->session_id && (!now || strcmp(n->session_id, now) != 0));
}

void render_draft_known(struct session *s)
{
    if (s->output && s->output->fingerprint != s->fingerprint)
        output_remove(s, true);
    if (!s->render || s->render->fingerprint == s->fingerprint)
        return;
    /* A session made in place of a lost one begins with an empty timeline: no edit did that, and
     * the render is what there is of the work. */
    if (outlives_session(s->render) && !s->ready)
        s->render->fingerprint = s->fingerprint;
    else
        render_drop(s);
}

/* ---- submit and wait ---- */

static void submit(struct fs *fs, struct need *need, const struct fault *f);

static void recorded(struct fs *fs, struct saving *w, int error)
{
    struct render *n = container_of(w, struct render, saving);

    (void)fs;
    if (render_is_current(n)) {
        if (error)
            render_fail_local(n, -error);
        else
            session_need(n->session, &n->need, submit);
    }
    render_unref(n);
}

/* A new id, on disk before the backend hears of it. */
static void record(struct render *n)
{
    client_render_id(n->id);
    n->phase = RENDER_RECORDING;
    n->percent = -1;
    n->restored = false;
    n->refs++;
    store_save(n->session, &n->saving, recorded);
}

/* Once more, with a new id; false if that was done already or the draft is not known. */
static bool submit_again(struct render *n)
{
    if (n->again || !n->draft)
        return false;
    n->again = true;
    record(n);
    return true;
}

void render_uploads_ended(struct session *s)
{
    struct render *n = s->render;

    if (!n || !n->wants_uploads || s->uploading)
        return;
    n->wants_uploads = false;
    record(n);
}

/* Once more in a new session, when that has the inputs: the draft is made of them. */
static void renew(struct render *n)
{
    n->renewed = true;
    if (n->session_id)
        session_lost(n->session, n->session_id);
    n->wants_uploads = true;
    render_uploads_ended(n->session);
}

static void rendered(void *user, const struct fault *f, const char *url)
{
    struct render *n = user;
    struct fs *fs = n->session->fs;

    fs_lock(fs);
    n->call = 0;
    if (!render_is_current(n) || f->kind == FAULT_CANCELLED) {
        /* dropped, or the next mount goes on */
    } else if (f->kind == FAULT_NONE) {
        render_fetch(n, url);
    } else if (f->kind == FAULT_SESSION && n->draft && !n->renewed) {
        renew(n);
    } else if (f->kind == FAULT_NOT_FOUND && n->draft && n->restored) {
        record(n);
    } else if (f->kind == FAULT_RENDER || f->kind == FAULT_NOT_FOUND) {
        if (!submit_again(n))
            render_fail(n, f);
    } else {
        render_fail(n, f);
    }
    render_unref(n);
    fs_unlock(fs);
}

static void tell_late(struct render *n)
{
    struct session *s = n->session;

    n->late = true;
    session_failed_words(s, _("The render takes longer than usual."),
                         s->link ? s->link : _("It goes on; output.mp4 appears when it is done."));
    if (!n->reply)
        return;
    reply_line(s->fs, n->reply, "%s",
               _("The render takes longer than usual. It goes on; output.mp4 appears when it is "
                 "done."));
    if (s->link)
        reply_line(s->fs, n->reply, "%s", s->link);
    message_end_reply(s, n->reply);
    reply_unref(s->fs, n->reply);
    n->reply = NULL;
}

static void render_progress(void *user, int percent, bool late)
{
    struct render *n = user;
    struct fs *fs = n->session->fs;

    fs_lock(fs);
    if (render_is_current(n)) {
        n->percent = percent;
        if (late && !n->late)
            tell_late(n);
        status_changed(n->session);
    }
    fs_unlock(fs);
}

static void wait_for_it(struct render *n)
{
    int r;

    n->phase = RENDER_WAITING;
    n->refs++;
    r = client_render_wait(n->session->fs->client, n->id, render_progress, rendered, n, &n->call);
    if (r) {
        n->refs--;
        render_fail_local(n, -r);
    }
}

static void submitted(void *user, const struct fault *f)
{
    struct render *n = user;
    struct session *s = n->session;
    struct fs *fs = s->fs;

    fs_lock(fs);
    n->call = 0;
    if (!render_is_current(n) || f->kind == FAULT_CANCELLED) {
        /* dropped, or the next mount goes on */
    } else if (f->kind == FAULT_SESSION && !n->renewed) {
        renew(n);
    } else if (f->kind != FAULT_NONE) {
        render_fail(n, f);
    } else {
        park_error_all(fs, &n->closers, 0);
        wait_for_it(n);
    }
    render_unref(n);
    fs_unlock(fs);
}

static int submit_draft(struct fs *fs, struct render *n)
{
    int r;

    if (!n->draft)
        return -ENODATA;
    free(n->session_id);
    n->session_id = strdup(n->session->id);
    if (!n->session_id)
        return -ENOMEM;
    n->refs++;
    r = client_render_submit(fs->client, n->session_id, n->id, n->draft, n->draft_len, submitted, n,
                             &n->call);
    if (r)
        n->refs--;
    return r;
}

static void submit(struct fs *fs, struct need *need, const struct fault *f)
{
    struct render *n = container_of(need, struct render, need);
    int r;

    if (f->kind != FAULT_NONE) {
        render_fail(n, f);
        return;
    }
    n->phase = RENDER_SUBMITTING;
    r = submit_draft(fs, n);
    if (r)
        render_fail_local(n, -r);
}

/* ---- starting ---- */

/* A failure only of who asked for a render: an edit that took all away was done. */
static void nothing_to_render(struct session *s, struct reply *r, struct parked *closer)
{
    const char *words = _("There is nothing to render yet: the timeline has no segments.");

    if (r) {
        reply_line(s->fs, r, "%s", words);
        message_end_reply(s, r);
    }
    if (closer) {
        session_failed_words(s, words, _("Write to instruct what to do with the inputs."));
        park_error(s->fs, closer, 0);
    }
}

/* One reply is told of the outcome: the newest. */
static void attach(struct render *n, struct reply *r, struct parked *closer)
{
    struct session *s = n->session;

    if (r) {
        if (n->reply) {
            reply_end(s->fs, n->reply);
            reply_unref(s->fs, n->reply);
        }
        n->reply = reply_ref(r);
    }
    if (closer && n->phase <= RENDER_SUBMITTING)
        park_wait(s->fs, closer, &n->closers, 0, NULL, NULL);
    else if (closer)
        park_error(s->fs, closer, 0);
}

void render_start(struct session *s, const struct state_news *news, struct reply *reply,
                  struct parked *closer)
{
    struct render *n;

    if (s->output && s->output->fingerprint == s->fingerprint) {
        if (reply) {
            output_tell_ready(s, reply);
            history_add(s, "output", _("output.mp4 is ready"));
            message_end_reply(s, reply);
        }
        if (closer)
            park_error(s->fs, closer, 0);
        return;
    }
    if (!s->ready) {
        nothing_to_render(s, reply, closer);
        return;
    }
    if (s->render) { /* of this draft: another one was dropped when this one became known */
        attach(s->render, reply, closer);
        return;
    }
    n = render_new(s);
    if (!n) {
        if (reply)
            message_end_reply(s, reply);
        if (closer)
            park_error(s->fs, closer, ENOMEM);
        return;
    }
    s->render = n;
    n->state = bytes_ref(news->text);
    n->draft = news->draft;
    n->draft_len = news->draft_len;
    n->fingerprint = s->fingerprint;
    n->duration_ms = s->duration_ms;
    attach(n, reply, closer);
    if (reply)
        reply_line(s->fs, reply, "%s", _("Rendering ..."));
    status_changed(s);
    record(n);
}

int render_restore(struct session *s, const char *id, uint64_t fingerprint, int64_t duration_ms)
{
    struct render *n;

    if (!id || strlen(id) >= sizeof(n->id))
        return -EPROTO;
    n = render_new(s);
    if (!n)
        return -ENOMEM;
    s->render = n;
    if (s->id) {
        n->session_id = strdup(s->id);
        if (!n->session_id)
            return -ENOMEM;
    }
    strcpy(n->id, id);
    n->fingerprint = fingerprint;
    n->duration_ms = duration_ms;
    n->phase = RENDER_WAITING;
    n->restored = true;
    return 0;
}

static void read_state(struct fs *fs, struct store_job *job)
{
    struct render *n = container_of(job, struct render, job);
    char *data = NULL;
    size_t len;

    /* Without it the render can be waited for, only not be submitted again. */
    if (store_read_file(fs, n->session->uuid, "state.json", STATE_MAX, &data, &len) == 0 &&
        draft_fingerprint(data, len) == n->fingerprint && draft_is_ready(data, len))
        n->state = bytes_new(data, len);
    if (n->state && draft_find(n->state->data, n->state->len, &n->draft, &n->draft_len))
        n->draft = NULL;
    free(data);
}

static void state_read(struct fs *fs, struct store_job *job)
{
    struct render *n = container_of(job, struct render, job);

    (void)fs;
    if (render_is_current(n))
        wait_for_it(n);
    render_unref(n);
}

void render_resume(struct session *s)
{
    struct render *n = s->render;

    if (!n)
        return;
    n->job = (struct store_job){.run = read_state, .done = state_read};
    n->refs++;
    store_run(s->fs, &n->job);
}
