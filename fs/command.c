/* What is written to `instruct` and carried out here: export, credits, status, upload URL…. */
#include "job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inputs.h"
#include "names.h"
#include "render.h"
#include "text.h"
#include "upload.h"

static void export_state_known(struct fs *fs, struct query_wait *w, const struct fault *f,
                               const struct state_news *news)
{
    struct job *j = container_of(w, struct job, wait);
    struct session *s = j->session;
    struct parked *closer;

    (void)fs;
    if (f->kind != FAULT_NONE) {
        job_refuse(j, f);
        return;
    }
    closer = TAILQ_FIRST(&j->closers);
    render_start(s, news, j->reply, closer);
    job_leave(j);
}

static void credits_known(struct fs *fs, struct query_wait *w, const struct fault *f,
                          const struct state_news *news)
{
    struct job *j = container_of(w, struct job, wait);
    struct bytes *text;

    (void)news;
    if (f->kind != FAULT_NONE) {
        job_refuse(j, f);
        return;
    }
    text = query_credits_text(fs);
    if (text)
        reply_line(fs, j->reply, "%s", text->data);
    bytes_unref(text);
    job_finish(j, 0);
}

static void status_known(struct fs *fs, struct query_wait *w, const struct fault *f,
                         const struct state_news *news)
{
    struct job *j = container_of(w, struct job, wait);

    (void)fs;
    if (f->kind != FAULT_NONE) {
        job_refuse(j, f);
        return;
    }
    job_tell_listing(j, news);
    job_finish(j, 0);
}

/* The last part of the URL's path if it can be a media name, else one of ours; not taken yet. */
static int name_for_url(struct session *s, const char *url, size_t len, char *out, size_t size)
{
    const char *end = url + len, *start, *dot;
    char last[NAMES_MAX + 1] = "";
    size_t path = strcspn(url, "?#");

    if (path < len)
        end = url + path;
    for (start = end; start > url && start[-1] != '/'; start--)
        ;
    if (end - start > 0 && end - start <= NAMES_MAX) {
        memcpy(last, start, (size_t)(end - start));
        last[end - start] = '\0';
    }
    if (!names_valid(last) || names_judge(last) != NAMES_MEDIA)
        strcpy(last, "link.mp4");
    snprintf(out, size, "%s", last);
    dot = strrchr(last, '.');
    for (int n = 2; input_find(s, out); n++) {
        if (n > INPUTS_MAX)
            return -ENOSPC;
        snprintf(out, size, "%.*s-%d%s", (int)(dot - last < 200 ? dot - last : 200), last, n, dot);
    }
    return 0;
}

static int add_url(struct job *j, const char *url, size_t len)
{
    char name[NAMES_MAX + 1];
    struct input *in;
    int r = name_for_url(j->session, url, len, name, sizeof(name));

    if (r)
        return r;
    in = input_new(j->session, name);
    if (!in)
        return -ENOMEM;
    in->link = strndup(url, len);
    if (!in->link) {
        input_remove(in);
        return -ENOMEM;
    }
    j->sent[j->sent_count++] = input_ref(in);
    upload_start(in, NULL);
    return 0;
}

void command_uploads_ended(struct job *j)
{
    struct fs *fs = j->session->fs;
    int error = 0;

    for (size_t i = 0; i < j->sent_count; i++) {
        struct input *in = j->sent[i];
        char name[NAMES_MAX + 1];

        input_shown_name(in, name);
        in->unreported = false; /* told here */
        if (in->state == INPUT_UPLOADED) {
            reply_line(fs, j->reply, _("Uploaded %s."), name);
        } else {
            error = error ? error : in->error ? in->error : EIO;
            reply_line(fs, j->reply, _("Upload of %s failed: %s"), name,
                       in->words ? in->words : strerror(in->error));
        }
    }
    job_finish(j, error);
}

static void begin_urls(struct job *j)
{
    struct route_urls urls;
    struct fault f;
    int r = 0;

    route_of(j->text, j->len, &urls);
    for (size_t i = 0; i < urls.count && !r; i++)
        r = add_url(j, urls.url[i].start, urls.url[i].len);
    if (r) {
        f = fault_local(-r);
        job_refuse(j, &f);
        return;
    }
    j->wants_uploads = true;
    message_uploads_ended(j->session);
}

void command_begin(struct job *j)
{
    struct session *s = j->session;

    switch (j->route) {
    case ROUTE_EXPORT:
        j->wait.done = export_state_known;
        query_state_changed(s); /* an answer from before the command is not good enough */
        query_state(s, &j->wait);
        break;
    case ROUTE_STATUS:
        j->wait.done = status_known;
        query_state(s, &j->wait);
        break;
    case ROUTE_CREDITS:
        j->wait.done = credits_known;
        query_balance(s->fs, &j->wait);
        break;
    case ROUTE_UPLOAD:
        begin_urls(j);
        break;
    case ROUTE_EDIT: /* not ours */
    case ROUTE_BLANK:
        break;
    }
}
