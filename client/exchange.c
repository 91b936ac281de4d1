#include "exchange.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "text.h"

#define BACKOFF_MIN_MS 500
#define BACKOFF_DOUBLINGS 4

static void attempt(struct exchange *x);

static void fail_later(struct exchange *x, struct fault f)
{
    x->failure = f;
    loop_timer_set(x->client->loop, &x->timer, 0);
}

static void attempt_later(struct exchange *x, int64_t delay_ms)
{
    x->failure = fault_make(FAULT_NONE, NULL);
    loop_timer_set(x->client->loop, &x->timer, delay_ms);
}

static void on_timer(struct timer *timer)
{
    struct exchange *x = container_of(timer, struct exchange, timer);

    struct fault f = x->failure; /* a copy: the exchange may be started anew, or freed */

    if (f.kind == FAULT_NONE)
        attempt(x);
    else
        x->ops->done(x->user, &f);
}

/* ---- again? ---- */

/* Half of it is chance, so that clients that failed together do not come back together. */
static int64_t backoff_ms(unsigned tries)
{
    int64_t most = (int64_t)BACKOFF_MIN_MS
                   << (tries < BACKOFF_DOUBLINGS ? tries : BACKOFF_DOUBLINGS);

    return most / 2 + arc4random_uniform((uint32_t)(most / 2 + 1));
}

static bool again_after_rate(struct exchange *x, const struct fault *f)
{
    if (f->kind != FAULT_RATE || x->no_rate_wait || x->rate_waited)
        return false;
    x->rate_waited = true;
    attempt_later(x, f->retry_after_s >= 0 ? (int64_t)f->retry_after_s * 1000
                                           : x->client->retry_wait_ms);
    return true;
}

/* A timeout is trouble that began earlier than its report. */
static int64_t trouble_began_ms(const struct exchange *x, const struct fault *f, int64_t now)
{
    int64_t span = x->stall_ms ? x->stall_ms : x->timeout_ms;

    if (f->kind != FAULT_TIMEOUT)
        return now;
    return now - span > x->attempted_ms ? now - span : x->attempted_ms;
}

static bool again_after_passing(struct exchange *x, const struct fault *f)
{
    int64_t now = clock_ms(), delay = backoff_ms(x->tries);

    if (!fault_is_passing(f) || f->kind == FAULT_RATE)
        return false;
    if (x->again == EXCHANGE_NEVER || (x->again == EXCHANGE_UNSENT && (f->sent || x->tries)))
        return false;
    if (!x->trouble_since_ms)
        x->trouble_since_ms = trouble_began_ms(x, f, now);
    if (delay < (int64_t)f->retry_after_s * 1000)
        delay = (int64_t)f->retry_after_s * 1000;
    if (now + delay > x->trouble_since_ms + EXCHANGE_PATIENCE_MS)
        return false;
    x->tries++;
    attempt_later(x, delay);
    return true;
}

static bool again_with_new_token(struct exchange *x, const struct fault *f)
{
    if (f->kind != FAULT_TOKEN || !x->own || x->reauthed)
        return false;
    if (!account_refused(&x->client->account, x->generation))
        return false;
    x->reauthed = true;
    attempt_later(x, 0);
    return true;
}

/* ---- one attempt ---- */

static void on_token(struct account_waiter *w, const struct fault *f)
{
    struct exchange *x = container_of(w, struct exchange, waiter);
    struct fault refused = fault_make(FAULT_TOKEN, NULL);

    if (f->kind == FAULT_NONE) {
        attempt(x);
        return;
    }
    /* What is wrong is the token, though there is no other one to be had now. */
    if (f->kind == FAULT_RATE && x->reauthed)
        f = &refused;
    /* A refusal of the token call is final, 429 too: it may not be asked for again and again. */
    if (!again_after_passing(x, f))
        x->ops->done(x->user, f);
}

static enum transfer_verdict on_head(void *user, struct transfer *t)
{
    struct exchange *x = user;

    return x->ops->head(x->user, t);
}

static enum transfer_verdict on_data(void *user, struct transfer *t, const char *bytes, size_t len)
{
    struct exchange *x = user;

    return x->ops->data(x->user, t, bytes, len);
}

static ssize_t on_send(void *user, struct transfer *t, char *out, size_t size)
{
    struct exchange *x = user;

    return x->ops->send(x->user, t, out, size);
}

static void on_rewind(void *user)
{
    struct exchange *x = user;

    x->ops->rewind(x->user);
}

static void on_done(void *user, struct transfer *t)
{
    struct exchange *x = user;
    struct fault f = t->fault;

    if (x->own && t->sent && t->reach > x->client->api_reach)
        x->client->api_reach = t->reach;
    if (f.kind == FAULT_NONE)
        x->ops->read(x->user, t, &f);
    f.sent = t->sent;
    if (f.kind != FAULT_NONE && t->http)
        f.retry_after_s = wire_retry_after_s(transfer_header(t, "Retry-After"), time(NULL));
    if (f.kind == FAULT_NONE || x->final ||
        !(again_with_new_token(x, &f) || again_after_rate(x, &f) || again_after_passing(x, &f)))
        x->ops->done(x->user, &f);
}

static struct curl_slist *headers(struct exchange *x, const char *token)
{
    struct curl_slist *list = header_first("Accept", x->accept);

    if (x->own)
        list = client_headers(x->client, list, token);
    if (!strcmp(x->method, "POST"))
        list = header_add(list, "Content-Type", x->content_type);
    return list && x->ops->headers ? x->ops->headers(x->user, list) : list;
}

static int send_it(struct exchange *x, const char *token)
{
    struct transfer_spec spec = {
        .method = x->method,
        .url = x->url,
        .body = x->body,
        .body_len = x->body_len,
        .answer_max = x->answer_max,
        .timeout_ms = x->timeout_ms,
        .stall_ms = x->stall_ms,
        .send_buffer = x->send_buffer,
        .receive_buffer = x->receive_buffer,
        .nearest = x->own ? REACH_LOOPBACK : x->client->api_reach,
        .fresh = x->fresh,
        .ops = &x->transfer_ops,
        .user = x,
        .log = x->client->log,
    };
    int err = x->ops->begin ? x->ops->begin(x->user) : 0;

    if (err)
        return err;
    spec.headers = headers(x, token);
    if (!spec.headers)
        return -ENOMEM;
    x->transfer = transfer_start(x->client->loop, &spec, &err);
    return x->transfer ? 0 : err;
}

static void attempt(struct exchange *x)
{
    const char *token = NULL;
    int err;

    transfer_free(x->transfer);
    x->transfer = NULL;
    x->attempted_ms = clock_ms();
    if (x->own) {
        token = account_token(&x->client->account, &x->generation);
        if (!token) {
            account_wait(&x->client->account, &x->waiter);
            return;
        }
    }
    err = send_it(x, token);
    if (err)
        fail_later(x, fault_of_errno(err));
}

/* ---- life ---- */

void exchange_init(struct exchange *x, struct client *c, const struct exchange_ops *ops, void *user)
{
    memset(x, 0, sizeof *x);
    x->client = c;
    x->ops = ops;
    x->user = user;
    x->transfer_ops = (struct transfer_ops){
        .send = ops->send ? on_send : NULL,
        .rewind = ops->rewind ? on_rewind : NULL,
        .head = ops->head ? on_head : NULL,
        .data = ops->data ? on_data : NULL,
        .done = on_done,
    };
    x->method = "GET";
    x->accept = "application/json";
    x->content_type = "application/json";
    x->answer_max = EXCHANGE_ANSWER_MAX;
    x->timeout_ms = EXCHANGE_TIMEOUT_MS;
    x->timer.fire = on_timer;
    x->waiter.done = on_token;
}

void exchange_start(struct exchange *x)
{
    struct origin o;
    int err = origin_of(x->url, &o);

    exchange_stop(x);
    x->reauthed = x->rate_waited = x->final = false;
    x->tries = 0;
    x->trouble_since_ms = 0;
    if (!err && !origin_is_allowed(&o)) {
        fail_later(x, fault_make(FAULT_PROTOCOL, _("a URL that is not allowed")));
        return;
    }
    if (err) {
        fail_later(x, err == -ENOMEM ? fault_local(ENOMEM) : fault_make(FAULT_PROTOCOL, NULL));
        return;
    }
    x->own = origin_same(&o, &x->client->api);
    attempt_later(x, 0);
}

void exchange_stop(struct exchange *x)
{
    loop_timer_stop(x->client->loop, &x->timer);
    account_leave(&x->waiter);
    transfer_free(x->transfer);
    x->transfer = NULL;
}

void exchange_release(struct exchange *x)
{
    if (!x->client)
        return;
    exchange_stop(x);
    free(x->url);
    free(x->body);
    x->url = x->body = NULL;
}

char *api_url(struct client *c, const char *format, ...)
{
    char *path = NULL, *url = NULL;
    va_list ap;
    int len;

    va_start(ap, format);
    len = vasprintf(&path, format, ap);
    va_end(ap);
    if (len < 0)
        return NULL;
    if (asprintf(&url, "%s%s", c->api_url, path) < 0)
        url = NULL;
    free(path);
    return url;
}

char *url_escape(const char *segment)
{
    return curl_easy_escape(NULL, segment, 0);
}
