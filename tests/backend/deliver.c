#include "deliver.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define BLOCK_STREAM 8192
#define BLOCK_BODY 262144
#define DRAIN_MS 5000 /* longest wait for sent bytes to arrive before a reset */

struct delivery {
    struct request *r;
    struct source source;
    int64_t began_ms;
};

/* A RST, once what was sent has arrived. Dissolving the association sends it at once, and leaves
 * the descriptor to its owner. */
static void reset_peer(struct request *r)
{
    struct wait w = {.stop = r->b->stop_fd, .peer = r->fd, .rules = -1, .event = -1};
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    int64_t deadline = clock_ms() + DRAIN_MS;
    int unsent = 0;

    while (ioctl(r->fd, SIOCOUTQ, &unsent) == 0 && unsent > 0 && clock_ms() < deadline) {
        if (wait_for(&w, clock_ms() + 1) != WAKE_TIME)
            break;
    }
    connect(r->fd, &nowhere, sizeof(nowhere));
}

static void cut_off(struct request *r)
{
    r->cut = true;
    if (r->fx.reset)
        reset_peer(r);
}

/* Holds until the rules are gone; false when there is nobody left to go on for. */
static bool hold(struct request *r)
{
    struct wait w = request_wait(r);
    enum wake why = wait_for(&w, CLOCK_NEVER);

    r->stall_over = true;
    return why == WAKE_RULES;
}

/* Waits until `bytes` may have passed at `rate` a second. */
static bool pace(struct request *r, int64_t began_ms, uint64_t bytes, uint64_t *rate)
{
    struct wait w = request_wait(r);
    enum wake why = wait_for(&w, began_ms + (int64_t)((double)bytes * 1000 / (double)*rate));

    if (why == WAKE_RULES)
        *rate = 0;
    return why == WAKE_TIME || why == WAKE_RULES;
}

bool deliver_body_faults(struct request *r, size_t size)
{
    struct effects *fx = &r->fx;
    uint64_t after = r->received + size;

    if (fx->cut == CUT_REQUEST && after > fx->cut_after) {
        cut_off(r);
        return false;
    }
    if (fx->stall == STALL_REQUEST && !r->stall_over && after > fx->stall_after && !hold(r))
        return false;
    return !fx->request_rate || pace(r, r->began_ms, after, &fx->request_rate);
}

static size_t smaller(size_t a, uint64_t b)
{
    return b < a ? (size_t)b : a;
}

static ssize_t read_block(void *user, uint64_t pos, char *buf, size_t max)
{
    struct delivery *d = user;
    struct request *r = d->r;
    struct effects *fx = &r->fx;

    if (fx->cut == CUT_BODY) {
        if (pos >= fx->cut_after) {
            cut_off(r);
            return MHD_CONTENT_READER_END_WITH_ERROR;
        }
        max = smaller(max, fx->cut_after - pos);
    }
    if (fx->stall == STALL_BODY && !r->stall_over) {
        if (pos < fx->stall_after)
            max = smaller(max, fx->stall_after - pos);
        else if (!hold(r))
            return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (fx->rate) {
        max = smaller(max, fx->rate / 20 + 1);
        if (!pace(r, d->began_ms, pos, &fx->rate))
            return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    ssize_t n = source_read(&d->source, request_wait(r), pos, buf, max);
    if (n == 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    return n < 0 ? MHD_CONTENT_READER_END_WITH_ERROR : n;
}

static void delivery_free(void *user)
{
    struct delivery *d = user;

    source_release(&d->source);
    free(d);
}

static bool is_plain(const struct effects *fx)
{
    return !fx->cut && !fx->stall && !fx->rate;
}

static struct MHD_Response *make_response(struct request *r, struct answer *a)
{
    struct source *s = &a->source;
    struct MHD_Response *response;

    if (is_plain(&r->fx) && s->kind == SOURCE_BYTES && s->length == s->len) {
        response = MHD_create_response_from_buffer(s->len, s->data, MHD_RESPMEM_MUST_FREE);
        if (response)
            s->data = NULL;
        return response;
    }
    if (is_plain(&r->fx) && s->kind == SOURCE_FILE) {
        response = MHD_create_response_from_fd_at_offset64(s->length, s->fd, s->offset);
        if (response)
            s->fd = -1;
        return response;
    }
    if (s->kind == SOURCE_EMPTY)
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    struct delivery *d = malloc(sizeof(*d));
    if (!d)
        return NULL;
    *d = (struct delivery){.r = r, .source = *s, .began_ms = clock_ms()};
    bool live = s->kind == SOURCE_STREAM || s->kind == SOURCE_SCRIPT;
    response = MHD_create_response_from_callback(
        s->length == SOURCE_ENDLESS ? MHD_SIZE_UNKNOWN : s->length,
        live ? BLOCK_STREAM : BLOCK_BODY, read_block, d, delivery_free);
    if (response)
        *s = (struct source){.fd = -1};
    else
        free(d);
    return response;
}

/* Headers that no library would send, by hand. */
static void send_raw(struct request *r)
{
    char buf[16384];
    uint64_t pos = 0;
    size_t n, sent = 0;
    struct pollfd p[] = {{.fd = r->fd, .events = POLLOUT | POLLRDHUP},
                         {.fd = r->b->stop_fd, .events = POLLIN},
                         {.fd = ruleset_fd(r->fx.rules), .events = POLLIN}};

    while ((n = hostile_read(r->fx.hostile, r->fx.size, pos, buf, sizeof(buf))) > 0) {
        for (sent = 0; sent < n;) {
            if (poll(p, 3, -1) < 0 && errno != EINTR)
                return;
            if ((p[0].revents & ~POLLOUT) || p[1].revents || p[2].revents)
                return;
            ssize_t done = send(r->fd, buf + sent, n - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (done < 0 && errno != EAGAIN && errno != EINTR)
                return;
            sent += done > 0 ? (size_t)done : 0;
        }
        pos += n;
    }
}

static bool delay(struct request *r)
{
    struct wait w = request_wait(r);
    enum wake why = WAKE_TIME;

    if (r->fx.delay_ms)
        why = wait_for(&w, clock_ms() + r->fx.delay_ms);
    return why == WAKE_TIME || why == WAKE_RULES;
}

enum MHD_Result deliver(struct request *r, struct answer *a)
{
    enum MHD_Result result = MHD_NO;
    struct MHD_Response *response = NULL;

    r->answered = true;
    if (!delay(r))
        goto out;
    if (r->fx.cut == CUT_HEADERS) {
        cut_off(r);
        goto out;
    }
    journal_status(r->b->journal, r->entry, a->status);
    if (r->fx.hostile == HOSTILE_HEADERS || r->fx.hostile == HOSTILE_LONG_HEADER) {
        send_raw(r);
        r->cut = true;
        goto out;
    }
    response = make_response(r, a);
    if (!response)
        goto out;
    for (int i = 0; i < a->header_count; i++)
        MHD_add_response_header(response, a->headers[i].name, a->headers[i].value);
    if (a->close)
        MHD_add_response_header(response, "Connection", "close");
    result = MHD_queue_response(r->connection, (unsigned)a->status, response);
    MHD_destroy_response(response);
out:
    answer_release(a);
    return result;
}
