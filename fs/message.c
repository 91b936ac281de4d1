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

void job_unref(struct job *j)
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

void job_remember_reply(struct job *j)
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

    job_remember_reply(j);
    park_error_all(s->fs, &j->closers, error);
    message_end_reply(s, j->reply);
    job_leave(j);
}

void job_tell_fault(struct job *j, const struct fault *f)
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
    job_tell_fault(j, f);
    job_finish(j, errnos_of(f));
}

void job_tell_listing(struct job *j, const struct state_news *news)
{
    if (news->timeline)
        reply_line(j->session->fs, j->reply, "%s", news->timeline->data);
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
        edit_send(j);
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
        edit_begin(j);
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
    edit_send(j);
}
