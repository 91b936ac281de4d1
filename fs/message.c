#include "message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "draft.h"
#include "errnos.h"
#include "inputs.h"
#include "job.h"
#include "prompt.h"
#include "render.h"
#include "text.h"

bool job_has_left(const struct job *j)
{
    return j->left;
}

struct bytes *job_before(const struct job *j)
{
    return j->before;
}

bool job_before_unsaved(const struct job *j)
{
    return j->before_unsaved;
}

void job_before_saved(struct job *j, const struct bytes *before)
{
    if (j->before == before)
        j->before_unsaved = false;
}

/* ---- life ---- */

static struct job *job_new(struct session *s, char *text, size_t len)
{
    struct job *j = calloc(1, sizeof(*j));

    if (!j)
        return NULL;
    j->session = session_ref(s);
    j->refs = 1;
    j->text = text;
    j->len = len;
    TAILQ_INIT(&j->closers);
    return j;
}

static void job_unref(struct job *j)
{
    struct fs *fs = j->session->fs;

    if (--j->refs > 0)
        return;
    for (size_t i = 0; i < j->sent_count; i++)
        input_unref(j->sent[i]);
    reply_unref(fs, j->reply);
    bytes_unref(j->before);
    translate_free(j->translate);
    session_unref(j->session);
    free(j->session_id);
    free(j->text);
    free(j);
}

static void start_next(struct session *s);

/* The session is free for the next one. The reply may go on (a render). */
void job_leave(struct job *j)
{
    struct session *s = j->session;

    j->left = false;
    j->stopped = true;
    s->job = NULL;
    status_changed(s);
    store_save(s, NULL, NULL);
    job_unref(j);
    start_next(s);
    prompt_next(s);
}

struct ending {
    struct saving saving;
    struct session *session;
    struct reply *reply;
};

static void reply_saved(struct fs *fs, struct saving *w, int error)
{
    struct ending *e = container_of(w, struct ending, saving);

    (void)error; /* its readers have it; the save is tried again */
    reply_end(fs, e->reply);
    reply_unref(fs, e->reply);
    session_unref(e->session);
    free(e);
}

void message_end_reply(struct session *s, struct reply *r)
{
    struct ending *e = r == s->reply && !r->final ? malloc(sizeof(*e)) : NULL;

    if (r->len && r->text && r->text[r->len - 1] != '\n')
        reply_add(s->fs, r, "\n", 1);
    if (!e) {
        reply_end(s->fs, r);
        return;
    }
    r->final = true;
    e->session = session_ref(s);
    e->reply = reply_ref(r);
    store_save(s, &e->saving, reply_saved);
}

static void remember_reply(struct job *j)
{
    struct reply *r = j->reply;
    char *text;

    if (!r || !r->len || !r->text)
        return;
    text = strndup(r->text, r->len);
    if (text)
        history_add(j->session, "reply", text);
    free(text);
}

/* All is done: the reply ends here. */
void job_finish(struct job *j, int error)
{
    struct session *s = j->session;

    remember_reply(j);
    park_error_all(s->fs, &j->closers, error);
    message_end_reply(s, j->reply);
    job_leave(j);
}

static void tell_fault(struct job *j, const struct fault *f)
{
    struct session *s = j->session;
    char words[ERROR_WORDS_MAX], hint[ERROR_WORDS_MAX];

    session_fault_text(s, f, words, hint);
    reply_line(s->fs, j->reply, "%s", words);
    if (*hint)
        reply_line(s->fs, j->reply, "%s", hint);
    session_failed(s, f);
}

void job_refuse(struct job *j, const struct fault *f)
{
    tell_fault(j, f);
    job_finish(j, errnos_of(f));
}

/* ---- an edit ---- */

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

void job_tell_listing(struct job *j, const struct state_news *news)
{
    if (news->timeline)
        reply_line(j->session->fs, j->reply, "%s", news->timeline->data);
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
    remember_reply(j);
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
    if (!j->stopped)
        reply_line(fs, j->reply, "%s", notice_words(notice));
    fs_unlock(fs);
}

static void send_it(struct fs *fs, struct need *n, const struct fault *f);

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
    unsigned wishes = translate_finish(j->translate);

    if (r->state) {
        query_state_taken(s);
        session_take_state(s, news);
    }
    if (r->recovered)
        reply_line(s->fs, j->reply, "%s", _("The edit was carried out:"));
    if (changes)
        reply_line(s->fs, j->reply, "%s", changes);
    if (f->kind != FAULT_NONE)
        tell_fault(j, f);
    else
        session_succeeded(s);
    conclude(j, news, r->changed, wishes);
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
        session_need(j->session, &j->need, send_it);
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

static void begin_edit(struct job *j)
{
    if (j->before && j->before_seq == j->session->state_seq) {
        record(j);
        return;
    }
    /* Another message came between: what its open saw is not what is there now. */
    j->wait.done = before_known;
    query_state(j->session, &j->wait);
}

void message_uploads_ended(struct session *s)
{
    struct job *j = s->job;

    if (!j || !j->wants_uploads || s->uploading)
        return;
    j->wants_uploads = false;
    if (j->route == ROUTE_UPLOAD)
        command_uploads_ended(j);
    else
        session_need(s, &j->need, send_it);
}

/* ---- one after the other ---- */

static int new_reply(struct job *j)
{
    struct session *s = j->session;
    struct reply *r = reply_new();

    if (!r)
        return -ENOMEM;
    render_leave_reply(s);
    session_set_reply(s, r);
    j->reply = reply_ref(r);
    return 0;
}

static void start_next(struct session *s)
{
    struct job *j = TAILQ_FIRST(&s->jobs);
    char *message;

    if (s->job || !j || s->removed)
        return;
    TAILQ_REMOVE(&s->jobs, j, link);
    s->job = j;
    message = strdup(j->text);
    if (!message || new_reply(j)) {
        free(message);
        park_error_all(s->fs, &j->closers, ENOMEM);
        job_leave(j);
        return;
    }
    free(s->message);
    s->message = message;
    s->message_time = clock_now();
    session_succeeded(s);
    history_add(s, "instruct", j->text);
    status_changed(s);
    if (j->route == ROUTE_EDIT)
        begin_edit(j);
    else
        command_begin(j);
}

void message_submit(struct session *s, char *text, size_t len, struct bytes *before,
                    uint64_t before_seq, struct parked *closer)
{
    enum route route;
    struct job *j;

    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        text[--len] = '\0';
    route = route_of(text, len, NULL);
    j = route == ROUTE_BLANK ? NULL : job_new(s, text, len);
    if (!j) {
        free(text);
        if (closer)
            park_error(s->fs, closer, route == ROUTE_BLANK ? 0 : ENOMEM);
        prompt_next(s);
        return;
    }
    j->route = route;
    j->before = bytes_ref(before);
    j->before_seq = before_seq;
    if (closer)
        park_wait(s->fs, closer, &j->closers, 0, NULL, NULL);
    TAILQ_INSERT_TAIL(&s->jobs, j, link);
    start_next(s);
}

static void stop(struct job *j)
{
    struct session *s = j->session;

    j->stopped = true;
    park_error_all(s->fs, &j->closers, ENOENT);
    query_leave(&j->wait);
    session_need_cancel(s, &j->need);
    if (j->call)
        client_cancel(s->fs->client, j->call);
    job_unref(j);
}

void message_stop(struct session *s)
{
    struct job *j = s->job;

    s->job = NULL;
    if (j)
        stop(j);
    while ((j = TAILQ_FIRST(&s->jobs))) {
        TAILQ_REMOVE(&s->jobs, j, link);
        stop(j);
    }
}

/* ---- an earlier life ---- */

int job_restore(struct session *s, const char *message, bool before)
{
    char *text = message ? strdup(message) : NULL, *data = NULL;
    struct job *j = text ? job_new(s, text, strlen(text)) : NULL;
    size_t len;

    if (!j) {
        free(text);
        return message ? -ENOMEM : -EPROTO;
    }
    j->route = ROUTE_EDIT;
    j->left = j->resumed = true;
    /* Without it a change cannot be told, and that is what is then reported. */
    if (before && store_read_file(s->fs, s->uuid, "before.json", STATE_MAX, &data, &len) == 0)
        j->before = bytes_new(data, len);
    free(data);
    s->job = j;
    return 0;
}

void message_resume(struct session *s)
{
    struct job *j = s->job;

    if (!j)
        return;
    if (new_reply(j)) {
        job_leave(j);
        return;
    }
    reply_line(s->fs, j->reply, "%s",
               _("The program ended while this message was being worked on. It is not sent again; "
                 "the timeline will tell whether it was carried out."));
    session_need(s, &j->need, send_it);
}
