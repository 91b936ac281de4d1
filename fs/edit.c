#include "job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "draft.h"
#include "errnos.h"
#include "render.h"
#include "text.h"

/* To be freed; NULL: no memory. No lock: it takes its time, as state_news_init does. */
static char *describe_changes(const struct bytes *before, const struct bytes *after)
{
    char *text = NULL;
    bool changed = false;

    if (!after || draft_changes(before ? before->data : NULL, before ? before->len : 0, after->data,
                                after->len, &changed, &text))
        return strdup(_("The timeline could not be read."));
    if (changed)
        return text;
    free(text);
    return strdup(_("Nothing changed in the timeline."));
}

/* What follows from the state after the edit: a render, or the end. */
static void conclude(struct job *j, const struct state_news *news, bool changed, unsigned wishes)
{
    struct session *s = j->session;
    struct fs *fs = s->fs;
    bool wanted = wishes & TRANSLATE_EXPORT;
    struct reply *r = reply_ref(j->reply);

    if (wishes & TRANSLATE_TIMELINE)
        job_tell_listing(j, news);
    if (changed && fs->options->render_manual && !wanted)
        reply_line(fs, r, "%s", _("The draft changed. Write `export` to instruct to render it."));
    if (!fs->options->render_manual)
        wanted |= changed;
    job_remember_reply(j);
    park_error_all(fs, &j->closers, 0);
    query_balance_changed(fs);
    query_balance(fs, NULL);
    if (wanted && news->text) /* before the next message may begin another */
        render_start(s, news, r, NULL);
    else
        message_end_reply(s, r);
    job_leave(j);
    reply_unref(fs, r);
}

static void taken(void *user)
{
    struct job *j = user;
    struct fs *fs = j->session->fs;

    fs_lock(fs);
    j->taken = true;
    park_error_all(fs, &j->closers, 0);
    fs_unlock(fs);
}

static void text_out(void *user, const char *text, size_t len)
{
    struct job *j = user;

    reply_add(j->session->fs, j->reply, text, len);
}

static void text_in(void *user, const char *text, size_t len)
{
    struct job *j = user;
    struct fs *fs = j->session->fs;

    fs_lock(fs);
    if (!j->stopped)
        translate_feed(j->translate, text, len);
    fs_unlock(fs);
}

static const char *notice_words(enum turn_notice notice)
{
    switch (notice) {
    case TURN_QUIET:
        return _("Hang on, still processing...");
    case TURN_BROKEN:
        return _("The connection broke. The message is not sent twice; the timeline will tell "
                 "whether it was carried out.");
    case TURN_RECHECK:
        return _("No change in the timeline yet; looking again.");
    }
    return "";
}

static void noticed(void *user, enum turn_notice notice)
{
    struct job *j = user;
    struct fs *fs = j->session->fs;

    fs_lock(fs);
    if (!j->stopped) {
        if (notice == TURN_BROKEN) /* no more text comes: what is held was said before */
            j->wishes |= translate_finish(j->translate);
        reply_line(fs, j->reply, "%s", notice_words(notice));
    }
    fs_unlock(fs);
}

static void connect_again(struct job *j)
{
    struct session *s = j->session;

    j->renewed = true;
    bytes_unref(j->before);
    j->before = NULL;
    session_lost(s, j->session_id);
    j->wants_uploads = true;
    message_uploads_ended(s);
}

static void edit_done(struct job *j, const struct fault *f, const struct turn_result *r,
                      const struct state_news *news, const char *changes)
{
    struct session *s = j->session;
    unsigned wishes = j->wishes | translate_finish(j->translate);

    if (r->state) {
        query_state_taken(s);
        session_take_state(s, news);
    }
    if (r->recovered)
        reply_line(s->fs, j->reply, "%s", _("The edit was carried out:"));
    if (changes)
        reply_line(s->fs, j->reply, "%s", changes);
    if (f->kind != FAULT_NONE)
        job_tell_fault(j, f);
    else
        session_succeeded(s);
    conclude(j, news, r->changed, wishes);
    if (s->render && f->kind != FAULT_NONE)
        s->render->after_fault = true;
}

static void done(void *user, const struct fault *f, const struct turn_result *r)
{
    struct job *j = user;
    struct session *s = j->session;
    struct fs *fs = s->fs;
    struct state_news news = {0};
    char *changes = NULL;

    if (r->state)
        state_news_init(&news, r->state, r->state_len);
    /* Nobody touches `before` until this call is over. */
    if (r->recovered || (f->kind == FAULT_NONE && !r->answered))
        changes = describe_changes(j->before, news.text);
    fs_lock(fs);
    j->call = 0;
    if (j->stopped) {
        /* the session is gone */
    } else if (f->kind == FAULT_CANCELLED) {
        /* The mount is going away. The record says that it left: the next mount looks what became
         * of it. */
        park_error_all(fs, &j->closers, ESHUTDOWN);
        reply_end(fs, j->reply);
    } else if (f->kind == FAULT_SESSION && !j->taken && !j->renewed && !j->resumed) {
        connect_again(j);
    } else if (f->kind != FAULT_NONE && !j->taken && !j->resumed) {
        job_refuse(j, f);
    } else {
        edit_done(j, f, r, &news, changes);
    }
    job_unref(j);
    fs_unlock(fs);
    state_news_release(&news);
    free(changes);
}

static const struct turn_events turn_events = {taken, text_in, noticed, done};

static int send_turn(struct fs *fs, struct job *j)
{
    struct client_turn turn = {
        .message = j->text,
        .before = j->before ? j->before->data : NULL,
        .before_len = j->before ? j->before->len : 0,
        .resume = j->resumed,
    };
    int r;

    translate_free(j->translate);
    j->wishes = 0;
    j->translate = translate_new(fs->options->render_manual, text_out, j);
    free(j->session_id);
    j->session_id = strdup(j->session->id);
    if (!j->translate || !j->session_id)
        return -ENOMEM;
    turn.session_id = j->session_id;
    j->refs++;
    r = client_turn(fs->client, &turn, &turn_events, j, &j->call);
    if (r)
        j->refs--;
    return r;
}

static void send_it(struct fs *fs, struct need *n, const struct fault *f)
{
    struct job *j = container_of(n, struct job, need);
    struct fault failed;
    int r;

    if (f->kind == FAULT_NONE) {
        r = send_turn(fs, j);
        if (!r)
            return;
        failed = fault_local(-r);
        f = &failed;
    }
    job_refuse(j, f);
}

void edit_send(struct job *j)
{
    session_need(j->session, &j->need, send_it);
}

static void recorded(struct fs *fs, struct saving *w, int error)
{
    struct job *j = container_of(w, struct job, saving);
    struct fault f = fault_local(-error);

    (void)fs;
    if (j->stopped) {
        /* nothing */
    } else if (error) {
        job_refuse(j, &f);
    } else {
        edit_send(j);
    }
    job_unref(j);
}

static void record(struct job *j)
{
    j->left = true;
    j->before_unsaved = j->before != NULL;
    j->refs++;
    store_save(j->session, &j->saving, recorded);
}

static void before_known(struct fs *fs, struct query_wait *w, const struct fault *f,
                         const struct state_news *news)
{
    struct job *j = container_of(w, struct job, wait);

    (void)fs;
    if (f->kind != FAULT_NONE) {
        job_refuse(j, f);
        return;
    }
    bytes_unref(j->before);
    j->before = bytes_ref(news->text);
    record(j);
}

void edit_begin(struct job *j)
{
    if (j->before && j->before_seq == j->session->state_seq) {
        record(j);
        return;
    }
    /* Another message came between: what its open saw is not what is there now. */
    j->wait.done = before_known;
    query_state(j->session, &j->wait);
}
