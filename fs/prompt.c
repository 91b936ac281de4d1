#include "prompt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errnos.h"
#include "lookout.h"
#include "message.h"
#include "names.h"
#include "route.h"
#include "utf8.h"

/* ---- opening ---- */

static void check(struct handle *h);

static void stop_waiting(struct handle *h)
{
    query_leave(&h->prompt.state_wait);
    query_leave(&h->prompt.balance_wait);
    h->prompt.waiting = 0;
}

static void refuse(struct handle *h, int error)
{
    struct session *s = h->session;
    struct parked *p = h->prompt.opener;

    stop_waiting(h);
    h->prompt.opener = NULL;
    park_error(s->fs, p, error);
    if (s->admitted == h) {
        s->admitted = NULL;
        prompt_next(s);
    }
    handle_free(h);
}

static void opener_gives_up(struct fs *fs, struct parked *p, void *owner, int error)
{
    struct handle *h = owner;

    (void)fs;
    (void)p;
    refuse(h, error);
}

static void checked(struct handle *h)
{
    struct session *s = h->session;
    struct prompt *pr = &h->prompt;
    struct parked *p = pr->opener;

    if (pr->waiting)
        return;
    if (pr->fault.kind == FAULT_SESSION && !pr->again) {
        /* A new session was made by whoever found out; its inputs are on their way. */
        pr->again = true;
        pr->fault = (struct fault){.kind = FAULT_NONE};
        check(h);
        return;
    }
    if (pr->fault.kind != FAULT_NONE) {
        session_failed(s, &pr->fault);
        refuse(h, errnos_of(&pr->fault));
        return;
    }
    if (s->uploading) { /* a new session was made meanwhile, and the inputs go there again */
        check(h);
        return;
    }
    pr->no_credits = s->fs->balance.known && s->fs->balance.now.available <= 0;
    pr->opener = NULL;
    pr->fi.fh = (uintptr_t)h;
    park_open(s->fs, p, &pr->fi);
}

static void state_known(struct fs *fs, struct query_wait *w, const struct fault *f,
                        const struct state_news *news)
{
    struct handle *h = container_of(w, struct handle, prompt.state_wait);

    (void)fs;
    h->prompt.waiting--;
    if (f->kind != FAULT_NONE) {
        h->prompt.fault = *f;
    } else {
        bytes_unref(h->prompt.before);
        h->prompt.before = bytes_ref(news->text);
        h->prompt.before_seq = h->session->state_seq;
    }
    checked(h);
}

static void balance_known(struct fs *fs, struct query_wait *w, const struct fault *f,
                          const struct state_news *news)
{
    struct handle *h = container_of(w, struct handle, prompt.balance_wait);

    (void)fs;
    (void)news;
    h->prompt.waiting--;
    if (f->kind != FAULT_NONE && h->prompt.fault.kind == FAULT_NONE)
        h->prompt.fault = *f;
    checked(h);
}

static void ask(struct handle *h)
{
    struct session *s = h->session;
    struct prompt *pr = &h->prompt;

    park_wait(s->fs, pr->opener, &s->checks, clock_ms() + PROMPT_OPEN_MS, opener_gives_up, h);
    /* One more, so that an answer that comes at once does not end the open before the other was
     * asked. */
    pr->waiting = 3;
    pr->state_wait.done = state_known;
    pr->balance_wait.done = balance_known;
    query_state(s, &pr->state_wait);
    query_balance(s->fs, &pr->balance_wait);
    pr->waiting--;
    checked(h);
}

static void check(struct handle *h)
{
    struct session *s = h->session;
    struct prompt *pr = &h->prompt;
    int error;

    if (s->uploading) {
        park_wait(s->fs, pr->opener, &s->upload_waiters, 0, opener_gives_up, h);
        return;
    }
    error = inputs_report(s);
    if (error)
        refuse(h, error);
    else
        ask(h);
}

void prompt_uploads_ended(struct session *s)
{
    struct parked *p;

    while (!s->uploading && (p = TAILQ_FIRST(&s->upload_waiters)))
        check(park_owner(p));
}

static bool is_busy(const struct session *s)
{
    return s->job || s->admitted || !TAILQ_EMPTY(&s->openers);
}

void prompt_open(struct handle *h, struct parked *p, const struct fuse_file_info *fi)
{
    struct session *s = h->session;

    h->prompt.opener = p;
    h->prompt.fi = *fi;
    buffer_init(&h->prompt.text, PROMPT_MAX);
    if (!is_busy(s))
        check(h);
    else if (fi->flags & O_NONBLOCK)
        refuse(h, EAGAIN);
    else
        park_wait(s->fs, p, &s->openers, 0, opener_gives_up, h);
}

void prompt_next(struct session *s)
{
    struct parked *p;

    if (s->job || s->admitted || !(p = TAILQ_FIRST(&s->openers)))
        return;
    s->admitted = park_owner(p);
    check(s->admitted);
}

/* ---- writing ---- */

/* The length without a last character that is not finished yet. */
static size_t whole_length(const char *data, size_t len)
{
    for (size_t back = 1; back <= 3 && back <= len; back++) {
        unsigned char c = (unsigned char)data[len - back];
        size_t need = c >= 0xf5 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 1;

        if ((c & 0xc0) != 0x80)
            return need > back ? len - back : len;
    }
    return len;
}

/* Is what came so far UTF-8, perhaps with its last character still coming? A NUL is no text. */
static bool is_text(struct prompt *pr)
{
    const char *from = pr->text.data + pr->checked;
    size_t len = whole_length(pr->text.data, pr->text.len) - pr->checked;

    if (memchr(from, '\0', len) || !utf8_is_valid(from, len))
        return false;
    pr->checked += len;
    return true;
}

static void forget(struct prompt *pr)
{
    buffer_reset(&pr->text);
    pr->checked = 0;
}

static int judge(struct prompt *pr)
{
    if (!is_text(pr))
        return EILSEQ;
    return pr->no_credits && !route_may_become_free(pr->text.data, pr->text.len) ? EDQUOT : 0;
}

int prompt_write(struct handle *h, const char *data, size_t len)
{
    struct prompt *pr = &h->prompt;
    int r;

    if (pr->refused)
        return pr->refused;
    r = buffer_add(&pr->text, data, len);
    pr->refused = r == -EMSGSIZE ? EMSGSIZE : r ? ENOMEM : judge(pr);
    if (pr->refused)
        forget(pr); /* half a message is none */
    if (pr->refused == EDQUOT) {
        struct fault none_left = fault_make(FAULT_CREDITS, NULL);

        session_failed(h->session, &none_left);
    }
    return pr->refused;
}

void prompt_truncate(struct handle *h, size_t size)
{
    if (size == 0)
        h->prompt.refused = 0;
    if (size >= h->prompt.text.len)
        return;
    h->prompt.text.len = size;
    h->prompt.checked = 0; /* a character may have been cut */
}

/* ---- closing ---- */

static void left(struct handle *h)
{
    struct session *s = h->session;

    if (s->admitted != h)
        return;
    s->admitted = NULL;
    prompt_next(s);
}

/* Hands the text over. `p` may be NULL. */
static void send_text(struct handle *h, struct parked *p)
{
    struct prompt *pr = &h->prompt;
    struct fs *fs = h->fs;
    int error = 0;
    char *text;
    size_t len;

    if (!utf8_is_valid(pr->text.data, pr->text.len))
        error = EILSEQ;
    else if (pr->no_credits && route_of(pr->text.data, pr->text.len, NULL) == ROUTE_EDIT)
        error = EDQUOT;
    else if (h->session->removed)
        error = ENOENT;
    if (!error)
        error = -buffer_take(&pr->text, &text, &len);
    if (error)
        forget(pr);
    else
        buffer_init(&pr->text, PROMPT_MAX);
    pr->checked = 0;
    if (error) {
        if (p)
            park_error(fs, p, error);
        left(h);
        return;
    }
    if (h->session->admitted == h)
        h->session->admitted = NULL; /* the message itself holds the next ones back now */
    message_submit(h->session, text, len, pr->before, pr->before_seq, p);
}

void prompt_flush(struct handle *h, struct parked *p)
{
    struct fs *fs = h->fs;
    struct session *s = h->session;
    char tail[2 * NAMES_MAX];
    struct closer_file file = {.tail = tail,
                               .ino = s->number * NODES_PER_SESSION + NODE_INSTRUCT,
                               .device = fs->device,
                               .mount_id = fs->mount_id};
    enum closer_state state;
    bool nothing;

    fs_lock(fs);
    snprintf(tail, sizeof(tail), "/%s/instruct", s->name);
    nothing = h->prompt.text.len == 0 && s->admitted != h;
    if (nothing)
        park_error(fs, p, 0);
    fs_unlock(fs);
    if (nothing)
        return;
    state = lookout_closer(park_tid(p), &file);
    fs_lock(fs);
    if (state == CLOSER_KILLED) {
        forget(&h->prompt);
        left(h);
    }
    if (state == CLOSER_KILLED || state == CLOSER_OTHERS || state == CLOSER_EXECUTING) {
        park_error(fs, p, 0);
    } else if (!h->prompt.text.len) {
        left(h);
        park_error(fs, p, 0);
    } else {
        send_text(h, p);
    }
    fs_unlock(fs);
}

void prompt_release(struct handle *h, bool killed)
{
    if (h->prompt.text.len && !killed)
        send_text(h, NULL);
    forget(&h->prompt);
    left(h);
}
