#include "query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

#define SHARED_MAX (64u << 10) /* bytes of an answer that is kept to be shared */

struct query_run {
    int refs; /* the call under way, and who points to it as the newest */
    struct fs *fs;
    struct session *session; /* NULL: the balance */
    uint64_t seq;
    int64_t started_ms;
    bool ended;
    bool changed;             /* something changed since it began */
    bool asked;               /* somebody waited for it: it is no refresh in the background */
    bool renewed;             /* asked again of a new session */
    char *session_id;         /* asked about */
    struct state_news answer; /* to share: kept while it is small */
    struct need need;
    TAILQ_HEAD(, query_wait) waits;
};

static uint64_t last_seq; /* under fs->lock */

static void run_unref(struct query_run *run)
{
    if (--run->refs > 0)
        return;
    session_unref(run->session);
    state_news_release(&run->answer);
    free(run->session_id);
    free(run);
}

static void tell_waits(struct query_run *run, const struct fault *f, const struct state_news *news)
{
    struct query_wait *w;

    while ((w = TAILQ_FIRST(&run->waits))) {
        TAILQ_REMOVE(&run->waits, w, link);
        w->run = NULL;
        w->done(run->fs, w, f, news);
    }
}

static void end(struct query_run *run, const struct fault *f, const struct state_news *news)
{
    run->ended = true;
    /* A failure is not shared with those who come later. */
    if (f->kind != FAULT_NONE)
        run->changed = true;
    else
        run->fs->down_until_ms = 0;
    tell_waits(run, f, news);
    run_unref(run);
}

static void connected(struct fs *fs, struct need *n, const struct fault *f);

static void take_over(struct query_run *run, const struct state_news *news)
{
    struct session *s = run->session;

    if (run->seq > s->state_seq && !s->removed) {
        s->state_seq = run->seq;
        session_take_state(s, news);
    }
    if (news->text && news->text->len <= SHARED_MAX)
        run->answer = state_news_share(news);
}

static void state_known(void *user, const struct fault *f, const char *state, size_t len)
{
    struct query_run *run = user;
    struct session *s = run->session;
    struct fs *fs = run->fs;
    struct fault nomem = fault_local(ENOMEM);
    struct state_news news = {0};

    if (f->kind == FAULT_NONE)
        state_news_init(&news, state, len);
    fs_lock(fs);
    /* Only for somebody who waits: a refresh follows each new session, and would make the next one
     * of a backend that does not know these either. */
    if (f->kind == FAULT_SESSION && run->asked && !run->renewed && !s->removed) {
        run->renewed = true;
        session_lost(s, run->session_id);
        session_need(s, &run->need, connected);
        fs_unlock(fs);
        return;
    }
    if (f->kind == FAULT_NONE) {
        take_over(run, &news);
        if (!news.text)
            f = &nomem;
    }
    end(run, f, news.text ? &news : NULL);
    fs_unlock(fs);
    state_news_release(&news);
}

static void balance_known(void *user, const struct fault *f, const struct client_balance *b)
{
    struct query_run *run = user;
    struct fs *fs = run->fs;

    fs_lock(fs);
    if (f->kind == FAULT_NONE && run->seq > fs->balance_seq) {
        fs->balance_seq = run->seq;
        fs->balance.known = true;
        fs->balance.now = *b;
        fs->balance_changed = clock_now();
    }
    end(run, f, NULL);
    fs_unlock(fs);
}

static void connected(struct fs *fs, struct need *n, const struct fault *f)
{
    struct query_run *run = container_of(n, struct query_run, need);
    struct fault failed;
    int r;

    if (f->kind != FAULT_NONE) {
        end(run, f, NULL);
        return;
    }
    free(run->session_id);
    run->session_id = strdup(run->session->id);
    run->started_ms = clock_ms();
    r = run->session_id
            ? client_state(fs->client, run->session_id, CLIENT_ONE_TRY, state_known, run, NULL)
            : -ENOMEM;
    if (r) {
        failed = fault_local(-r);
        end(run, &failed, NULL);
    }
}

static struct query_run *run_new(struct fs *fs, struct session *s)
{
    struct query_run *run = calloc(1, sizeof(*run));

    if (!run)
        return NULL;
    run->fs = fs;
    run->refs = 2;
    run->session = s ? session_ref(s) : NULL;
    run->seq = ++last_seq;
    run->started_ms = clock_ms();
    TAILQ_INIT(&run->waits);
    return run;
}

/* The answer to a refresh in the background is not what an open asked for; one that is under way
 * serves. */
static bool may_share(const struct query_run *run)
{
    return run && !run->changed && (run->asked || !run->ended) &&
           clock_ms() - run->started_ms < QUERY_SHARE_MS;
}

static void wait_for(struct query_run *run, struct query_wait *w)
{
    if (!w)
        return;
    run->asked = true;
    TAILQ_INSERT_TAIL(&run->waits, w, link);
    w->run = run;
}

/* Waits for a running query; true if it could. */
static bool join(struct query_run *run, struct query_wait *w)
{
    if (!may_share(run) || run->ended)
        return false;
    wait_for(run, w);
    return true;
}

static void no_memory(struct fs *fs, struct query_wait *w)
{
    struct fault f = fault_local(ENOMEM);

    if (w)
        w->done(fs, w, &f, NULL);
}

void query_state(struct session *s, struct query_wait *w)
{
    struct query_run *run = s->state_run;
    struct fault none = {.kind = FAULT_NONE};

    if (w)
        w->run = NULL;
    if (may_share(run) && run->ended && run->answer.text) {
        if (w)
            w->done(s->fs, w, &none, &run->answer);
        return;
    }
    if (join(run, w))
        return;
    run = run_new(s->fs, s);
    if (!run) {
        no_memory(s->fs, w);
        return;
    }
    if (s->state_run)
        run_unref(s->state_run);
    s->state_run = run;
    wait_for(run, w);
    session_need(s, &run->need, connected);
}

void query_balance(struct fs *fs, struct query_wait *w)
{
    struct query_run *run = fs->balance_run;
    struct fault f = {.kind = FAULT_NONE};
    int r;

    if (w)
        w->run = NULL;
    if (may_share(run) && run->ended) {
        if (w)
            w->done(fs, w, &f, NULL);
        return;
    }
    if (join(run, w))
        return;
    run = run_new(fs, NULL);
    if (!run) {
        no_memory(fs, w);
        return;
    }
    if (fs->balance_run)
        run_unref(fs->balance_run);
    fs->balance_run = run;
    wait_for(run, w);
    r = client_balance(fs->client, CLIENT_ONE_TRY, balance_known, run, NULL);
    if (r) {
        f = fault_local(-r);
        end(run, &f, NULL);
    }
}

void query_leave(struct query_wait *w)
{
    if (!w->run)
        return;
    TAILQ_REMOVE(&w->run->waits, w, link);
    w->run = NULL;
}

void query_state_taken(struct session *s)
{
    s->state_seq = ++last_seq;
    query_state_changed(s);
}

void query_drop(struct session *s)
{
    if (s->state_run)
        run_unref(s->state_run);
    s->state_run = NULL;
}

void query_state_changed(struct session *s)
{
    if (s->state_run)
        s->state_run->changed = true;
}

void query_balance_changed(struct fs *fs)
{
    if (fs->balance_run)
        fs->balance_run->changed = true;
}

bool query_is_down(const struct fs *fs)
{
    return clock_ms() < fs->down_until_ms;
}

void query_set_down(struct fs *fs)
{
    fs->down_until_ms = clock_ms() + QUERY_DOWN_MS;
}

struct bytes *query_credits_text(const struct fs *fs)
{
    const struct client_balance *b = &fs->balance.now;
    char text[128];
    int n;

    if (!fs->balance.known)
        return bytes_new("", 0);
    n = snprintf(text, sizeof(text), "available %lld\nfrozen %lld\ntotal %lld\n",
                 (long long)b->available, (long long)b->frozen, (long long)b->total);
    return bytes_new(text, (size_t)n);
}
