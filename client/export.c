#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ask.h"

#define RENDER_PATH "/api/render/proxy/lambda"
#define SUBMIT_TIMEOUT_MS 120000 /* a draft may be long and the line slow */
#define POLL_FIRST_MS 2000
#define POLL_ANSWER_MAX (256u << 10)

/* ---- ids ---- */

void client_render_id(char out[40])
{
    static int64_t last; /* by all threads */
    struct timespec now;
    int64_t seen, ms;

    clock_gettime(CLOCK_REALTIME, &now);
    seen = __atomic_load_n(&last, __ATOMIC_RELAXED);
    do {
        ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
        if (ms <= seen)
            ms = seen + 1;
    } while (
        !__atomic_compare_exchange_n(&last, &seen, ms, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    snprintf(out, 40, "render_%lld", (long long)ms);
}

/* ---- submission ---- */

struct submit_call {
    struct ask ask;
    client_done_fn *done;
    void *user;
};

static void submit_read(struct ask *a, const struct wire_answer *answer, struct fault *f)
{
    (void)a;
    /* The id is ours alone: if it is taken, an earlier attempt got there. */
    if (!wire_read_done(answer, f) && wire_render_exists(f))
        *f = fault_make(FAULT_NONE, NULL);
}

static void submit_tell(struct ask *a, const struct fault *f)
{
    struct submit_call *s = container_of(a, struct submit_call, ask);

    s->done(s->user, f);
}

int client_render_submit(struct client *c, const char *session_id, const char *render_id,
                         const char *draft, size_t draft_len, client_done_fn *done, void *user,
                         client_call *call)
{
    static const struct ask_class class = {submit_read, submit_tell};
    struct submit_call *s = ask_new(sizeof *s, c, &class);
    struct exchange *x;
    int err;

    if (!s)
        return -ENOMEM;
    s->done = done;
    s->user = user;
    x = &s->ask.x;
    x->method = "POST";
    x->again = EXCHANGE_PASSING;
    x->timeout_ms = SUBMIT_TIMEOUT_MS;
    x->url = api_url(c, RENDER_PATH);
    err = wire_render_body(render_id, session_id, draft, draft_len, &x->body, &x->body_len);
    return ask_launch(&s->ask, err, call);
}

/* ---- waiting for the end ---- */

struct wait_call {
    struct call call;
    struct exchange x;
    struct wire_render render;
    struct timer next;
    struct timer late;
    int64_t pause_ms; /* before the next poll */
    bool is_late;
    int told_percent; /* -2: nothing yet */
    bool told_late;
    client_render_progress_fn *progress;
    client_render_fn *done;
    void *user;
};

static void tell_progress(struct wait_call *w)
{
    if (w->told_percent == w->render.percent && w->told_late == w->is_late)
        return;
    w->told_percent = w->render.percent;
    w->told_late = w->is_late;
    if (w->progress)
        w->progress(w->user, w->render.percent, w->is_late);
}

/* From 2 s growing by half up to poll_ms; late ones at twice that. */
static void poll_later(struct wait_call *w, int64_t at_least_ms)
{
    struct client *c = w->call.client;
    int64_t most = w->is_late ? 2 * c->poll_ms : c->poll_ms;

    if (w->pause_ms > most)
        w->pause_ms = most;
    loop_timer_set(c->loop, &w->next, w->pause_ms > at_least_ms ? w->pause_ms : at_least_ms);
    w->pause_ms += w->pause_ms / 2 + 1;
}

static void on_next(struct timer *timer)
{
    struct wait_call *w = container_of(timer, struct wait_call, next);

    exchange_start(&w->x);
}

static void on_late(struct timer *timer)
{
    struct wait_call *w = container_of(timer, struct wait_call, late);

    w->is_late = true;
    tell_progress(w);
}

static void wait_read(void *user, struct transfer *t, struct fault *f)
{
    struct wait_call *w = user;
    struct wire_answer answer = {t->http, t->body.data, t->body.len};

    wire_read_render(&answer, &w->render, f);
}

static void wait_done(void *user, const struct fault *f)
{
    struct wait_call *w = user;
    struct fault failed;

    if (f->kind == FAULT_NONE) {
        tell_progress(w);
        switch (w->render.status) {
        case WIRE_RENDER_COMPLETED:
            call_end(&w->call, f);
            return;
        case WIRE_RENDER_FAILED:
            failed = fault_make(FAULT_RENDER, w->render.detail);
            call_end(&w->call, &failed);
            return;
        case WIRE_RENDER_PENDING:
        case WIRE_RENDER_PROCESSING:
            break;
        }
    } else if (!fault_is_passing(f) && f->kind != FAULT_RATE) {
        call_end(&w->call, f);
        return;
    }
    poll_later(w, f->retry_after_s > 0 ? (int64_t)f->retry_after_s * 1000 : 0);
}

static void wait_start(struct call *call)
{
    struct wait_call *w = container_of(call, struct wait_call, call);

    loop_timer_set(call->client->loop, &w->late, call->client->render_timeout_ms);
    poll_later(w, 0);
}

static void wait_tell(struct call *call, const struct fault *f)
{
    struct wait_call *w = container_of(call, struct wait_call, call);

    w->done(w->user, f, f->kind == FAULT_NONE && w->render.url[0] ? w->render.url : NULL);
}

static void wait_release(struct call *call)
{
    struct wait_call *w = container_of(call, struct wait_call, call);

    loop_timer_stop(w->x.client->loop, &w->next);
    loop_timer_stop(w->x.client->loop, &w->late);
    exchange_release(&w->x);
    free(w);
}

int client_render_wait(struct client *c, const char *render_id, client_render_progress_fn *progress,
                       client_render_fn *done, void *user, client_call *call)
{
    static const struct call_class class = {wait_start, wait_tell, wait_release};
    static const struct exchange_ops ops = {.read = wait_read, .done = wait_done};
    struct wait_call *w = calloc(1, sizeof *w);
    char *id = url_escape(render_id);

    if (w) {
        exchange_init(&w->x, c, &ops, w);
        w->progress = progress;
        w->done = done;
        w->user = user;
        w->pause_ms = POLL_FIRST_MS;
        w->told_percent = -2;
        w->next.fire = on_next;
        w->late.fire = on_late;
        w->x.no_rate_wait = true; /* a poll has its own pauses */
        w->x.answer_max = POLL_ANSWER_MAX;
        if (id)
            w->x.url = api_url(c, RENDER_PATH "/%s", id);
        if (!w->x.url) {
            wait_release(&w->call);
            w = NULL;
        }
    }
    curl_free(id);
    return w ? call_launch(c, &w->call, &class, call) : -ENOMEM;
}
