/*
 * Fetches a file: from a URL, through its redirects, with what was cut off resumed; then, if that
 * fails, by the download call of the render id.
 */
#include "exchange.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "clock.h"
#include "mp4.h"
#include "sink.h"
#include "text.h"

#define REDIRECTS_MAX 5
#define IDLE_TRIES_MAX 5 /* attempts in a row that bring no byte */
#define RETRY_MIN_MS 500
#define STALL_MS 30000
#define RECEIVE_BUFFER (256L << 10) /* bytes */
#define REFUSAL_MAX (256u << 10)    /* bytes of an answer that is not the file */
#define PROGRESS_EVERY_MS 100
#define VALIDATOR_MAX 256

struct download_call {
    struct call call;
    struct exchange x;
    struct sink *sink;
    int fd; /* until the sink has it; -1 */
    uint64_t max_size;
    bool expect_mp4;
    struct mp4 mp4;
    char *first;    /* where this source begins, before redirects */
    char *other;    /* the source to try after it; NULL: none */
    char *redirect; /* where the last answer sends us */
    unsigned redirects;
    bool flushing; /* all bytes came */
    unsigned idle_tries;
    uint64_t had; /* bytes before the attempt */
    struct timer retry;
    uint64_t total;                /* bytes of the whole file; 0: not told */
    char validator[VALIDATOR_MAX]; /* ETag or date of the first answer; "": none */
    int64_t reported_ms;
    client_download_progress_fn *progress;
    client_download_fn *done;
    void *user;
};

static void start_source(struct download_call *d);

/* ---- headers ---- */

static struct curl_slist *download_headers(void *user, struct curl_slist *list)
{
    struct download_call *d = user;
    char range[64];

    d->had = sink_position(d->sink);
    if (d->had == 0)
        return list;
    snprintf(range, sizeof range, "bytes=%" PRIu64 "-", d->had);
    list = header_add(list, "Range", range);
    if (d->validator[0])
        list = header_add(list, "If-Range", d->validator);
    return list;
}

/* A decimal number that ends where it should. */
static bool read_number(const char **text, uint64_t *out)
{
    char *end;

    if (!isdigit((unsigned char)**text))
        return false;
    errno = 0;
    *out = strtoull(*text, &end, 10);
    *text = end;
    return errno == 0;
}

/* "bytes 100-199/200": does it go on where we are, to the end of the same file? */
static bool range_fits(struct download_call *d, const char *value)
{
    uint64_t from, to, total;

    if (!value || strncasecmp(value, "bytes ", 6))
        return false;
    value += 6;
    if (!read_number(&value, &from) || *value++ != '-' || !read_number(&value, &to) ||
        *value++ != '/')
        return false;
    if (from != d->had || to < from)
        return false;
    if (*value == '*')
        return !d->total || to + 1 == d->total;
    if (!read_number(&value, &total) || to + 1 != total || (d->total && d->total != total))
        return false;
    d->total = total;
    return true;
}

static void keep_validator(struct download_call *d, struct transfer *t)
{
    const char *value = transfer_header(t, "ETag");

    d->validator[0] = '\0';
    if (value && !strncmp(value, "W/", 2)) /* a weak one does not vouch for bytes */
        value = NULL;
    if (!value)
        value = transfer_header(t, "Last-Modified");
    if (value && strlen(value) < sizeof d->validator)
        strcpy(d->validator, value);
}

static void rewind_file(struct download_call *d)
{
    sink_rewind(d->sink);
    mp4_init(&d->mp4);
    d->total = 0;
    d->validator[0] = '\0';
}

/* A whole file: also where a part was asked for, if the file has changed or parts are not known
 * there. */
static enum transfer_verdict begin_whole(struct download_call *d, struct transfer *t)
{
    const char *length = transfer_header(t, "Content-Length");

    if (sink_position(d->sink))
        rewind_file(d);
    if (!length || !read_number(&length, &d->total))
        d->total = 0;
    keep_validator(d, t);
    if (d->max_size && d->total > d->max_size)
        return transfer_fail(t, fault_make(FAULT_TOO_LARGE, NULL));
    t->streamed = true;
    return TRANSFER_GO_ON;
}

static bool is_json(struct transfer *t)
{
    const char *type = transfer_header(t, "Content-Type");

    return type && !strncasecmp(type, "application/json", 16);
}

static enum transfer_verdict download_head(void *user, struct transfer *t)
{
    struct download_call *d = user;

    if (t->http == 200 && !(d->x.own && is_json(t)))
        return begin_whole(d, t);
    if (t->http == 206) {
        if (!d->had || !range_fits(d, transfer_header(t, "Content-Range")))
            return transfer_fail(t, fault_make(FAULT_PROTOCOL, _("a part that was not asked for")));
        t->streamed = true;
    }
    return TRANSFER_GO_ON;
}

/* ---- bytes ---- */

static void report(struct download_call *d, bool last)
{
    int64_t now = clock_ms();

    if (!d->progress || (!last && now - d->reported_ms < PROGRESS_EVERY_MS))
        return;
    d->reported_ms = now;
    d->progress(d->user, sink_position(d->sink), d->total);
}

static enum transfer_verdict download_data(void *user, struct transfer *t, const char *bytes,
                                           size_t len)
{
    struct download_call *d = user;
    int err;

    if (d->max_size && sink_position(d->sink) + len > d->max_size)
        return transfer_fail(t, fault_make(FAULT_TOO_LARGE, NULL));
    err = sink_write(d->sink, bytes, len);
    if (err == -EAGAIN)
        return TRANSFER_PAUSE;
    if (err)
        return transfer_fail(t, fault_local(-err));
    if (d->expect_mp4 && !mp4_feed(&d->mp4, bytes, len))
        return transfer_fail(t, fault_make(FAULT_PROTOCOL, _("not an MP4 file")));
    report(d, false);
    return TRANSFER_GO_ON;
}

/* ---- the end of an attempt ---- */

static void fail(struct download_call *d, const struct fault *f)
{
    /* No other source helps where the trouble is here, or the size of the file. */
    if (!d->other || f->kind == FAULT_LOCAL || f->kind == FAULT_TOO_LARGE) {
        call_end(&d->call, f);
        return;
    }
    free(d->first);
    d->first = d->other;
    d->other = NULL;
    d->idle_tries = 0;
    rewind_file(d);
    start_source(d);
}

static void fail_as(struct download_call *d, enum fault_kind kind, const char *detail)
{
    struct fault f = fault_make(kind, detail);

    fail(d, &f);
}

static void on_retry(struct timer *timer)
{
    start_source(container_of(timer, struct download_call, retry));
}

static bool try_again(struct download_call *d, const struct fault *f)
{
    bool moved = sink_position(d->sink) > d->had;
    int64_t delay = RETRY_MIN_MS << d->idle_tries;

    if (f->http == 416 && d->had) { /* it has changed: from the start */
        rewind_file(d);
        moved = false;
    } else if (!fault_is_passing(f)) {
        return false;
    }
    d->idle_tries = moved ? 0 : d->idle_tries + 1;
    if (d->idle_tries >= IDLE_TRIES_MAX)
        return false;
    if (delay < (int64_t)f->retry_after_s * 1000)
        delay = (int64_t)f->retry_after_s * 1000;
    loop_timer_set(d->call.client->loop, &d->retry, delay);
    return true;
}

static void download_read(void *user, struct transfer *t, struct fault *f)
{
    struct download_call *d = user;
    struct wire_answer answer = {t->http, t->body.data, t->body.len};

    if (t->streamed)
        return;
    if (t->http >= 300 && t->http < 400) {
        const char *to = transfer_header(t, "Location");
        if (!to || origin_resolve(d->x.url, to, &d->redirect))
            *f = fault_make(FAULT_PROTOCOL, _("a redirect to nowhere"));
        return;
    }
    if (wire_read_done(&answer, f))
        *f = fault_make(FAULT_PROTOCOL, _("no file"));
}

static void download_done(void *user, const struct fault *f)
{
    struct download_call *d = user;

    if (f->kind != FAULT_NONE) {
        if (!try_again(d, f))
            fail(d, f);
        return;
    }
    if (d->redirect) {
        free(d->x.url);
        d->x.url = d->redirect;
        d->redirect = NULL;
        if (++d->redirects > REDIRECTS_MAX)
            fail_as(d, FAULT_PROTOCOL, _("too many redirects"));
        else
            exchange_start(&d->x);
        return;
    }
    d->flushing = true;
    sink_flush(d->sink);
}

/* All of it is on disk. */
static void finish(struct download_call *d)
{
    struct fault ok = fault_make(FAULT_NONE, NULL);
    uint64_t size = sink_position(d->sink);

    if (d->total && size != d->total) {
        fail_as(d, FAULT_PROTOCOL, _("a file of another length"));
    } else if (d->expect_mp4 && !mp4_is_whole(&d->mp4)) {
        fail_as(d, FAULT_PROTOCOL, _("not a whole MP4 file"));
    } else {
        report(d, true);
        call_end(&d->call, &ok);
    }
}

/* From the disk: there is room again, or all was flushed, or an error. */
static void on_ready(void *user)
{
    struct download_call *d = user;

    if (!d->flushing) {
        if (d->x.transfer)
            transfer_resume(d->x.transfer); /* an error is met by the next write */
        return;
    }
    d->flushing = false;
    if (sink_error(d->sink)) {
        struct fault f = fault_local(-sink_error(d->sink));
        fail(d, &f);
        return;
    }
    finish(d);
}

/* ---- the call ---- */

static void start_source(struct download_call *d)
{
    struct fault f = fault_local(ENOMEM);
    char *url = strdup(d->first);

    if (!url) {
        call_end(&d->call, &f);
        return;
    }
    free(d->x.url);
    d->x.url = url;
    d->redirects = 0;
    exchange_start(&d->x);
}

static void download_start(struct call *call)
{
    struct download_call *d = container_of(call, struct download_call, call);

    d->sink = sink_new(call->client->disk, d->fd, on_ready, d);
    d->fd = -1;
    if (d->sink) {
        start_source(d);
    } else {
        struct fault f = fault_local(ENOMEM);
        call_end(call, &f);
    }
}

static void download_tell(struct call *call, const struct fault *f)
{
    struct download_call *d = container_of(call, struct download_call, call);

    d->done(d->user, f, f->kind == FAULT_NONE ? sink_position(d->sink) : 0);
}

static void download_release(struct call *call)
{
    struct download_call *d = container_of(call, struct download_call, call);

    loop_timer_stop(d->x.client->loop, &d->retry);
    exchange_release(&d->x);
    sink_free(d->sink);
    if (d->fd >= 0)
        close(d->fd);
    free(d->first);
    free(d->other);
    free(d->redirect);
    free(d);
}

/* The sources in their order; URLs may be relative to the API. 0, -ENOMEM. */
static int set_sources(struct download_call *d, struct client *c,
                       const struct client_download *what)
{
    char *id = what->render_id ? url_escape(what->render_id) : NULL;
    int err = 0;

    if (what->url) {
        err = origin_resolve(c->api_url, what->url, &d->first);
        if (err == -EINVAL) {
            d->first = strdup(what->url); /* fails when its turn comes */
            err = d->first ? 0 : -ENOMEM;
        }
    }
    if (!err && what->render_id) {
        char **slot = d->first ? &d->other : &d->first;
        *slot = id ? api_url(c, "/api/render/proxy/%s/download", id) : NULL;
        err = *slot ? 0 : -ENOMEM;
    }
    curl_free(id);
    return err;
}

int client_download(struct client *c, const struct client_download *what,
                    client_download_progress_fn *progress, client_download_fn *done, void *user,
                    client_call *call)
{
    static const struct call_class class = {download_start, download_tell, download_release};
    static const struct exchange_ops ops = {
        .headers = download_headers,
        .head = download_head,
        .data = download_data,
        .read = download_read,
        .done = download_done,
    };
    struct download_call *d;
    int err;

    if (!what->url && !what->render_id)
        return -EINVAL;
    d = calloc(1, sizeof *d);
    if (!d)
        return -ENOMEM;
    exchange_init(&d->x, c, &ops, d);
    d->x.accept = "*/*";
    d->x.answer_max = REFUSAL_MAX;
    d->x.timeout_ms = 0; /* as long as bytes come */
    d->x.stall_ms = STALL_MS;
    d->x.receive_buffer = RECEIVE_BUFFER;
    d->retry.fire = on_retry;
    d->max_size = what->max_size;
    d->expect_mp4 = what->expect_mp4;
    d->progress = progress;
    d->done = done;
    d->user = user;
    mp4_init(&d->mp4);
    d->fd = fcntl(what->fd, F_DUPFD_CLOEXEC, 0);
    err = d->fd < 0 ? -errno : set_sources(d, c, what);
    if (err) {
        download_release(&d->call);
        return err;
    }
    return call_launch(c, &d->call, &class, call);
}
