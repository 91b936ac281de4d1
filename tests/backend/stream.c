#include "stream.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bytes.h"
#include "ids.h"

#define STREAM_MAX (64u << 20) /* bytes not read yet */

struct stream {
    pthread_mutex_t lock;
    int refs;
    enum event_shape shape;
    int64_t heartbeat_ms;
    char invocation[ID_MAX];
    struct bytes out;
    size_t taken;
    bool ended;
    int ready_fd; /* readable while there are bytes, or the end */
};

struct stream *stream_new(enum event_shape shape, int64_t heartbeat_ms)
{
    struct stream *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->ready_fd < 0) {
        free(s);
        return NULL;
    }
    s->refs = 1;
    s->shape = shape;
    s->heartbeat_ms = heartbeat_ms;
    id_hex(s->invocation, "e-", 32);
    bytes_init(&s->out, STREAM_MAX);
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

struct stream *stream_hold(struct stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->refs++;
    pthread_mutex_unlock(&s->lock);
    return s;
}

void stream_release(struct stream *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    bool last = --s->refs == 0;
    pthread_mutex_unlock(&s->lock);
    if (!last)
        return;
    close(s->ready_fd);
    bytes_release(&s->out);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void stream_raw(struct stream *s, const char *data, size_t len)
{
    pthread_mutex_lock(&s->lock);
    bytes_add(&s->out, data, len);
    eventfd_write(s->ready_fd, 1);
    pthread_mutex_unlock(&s->lock);
}

void stream_end(struct stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->ended = true;
    eventfd_write(s->ready_fd, 1);
    pthread_mutex_unlock(&s->lock);
}

/* One event; `body` is what differs. */
static void emit_adk(struct stream *s, const char *body)
{
    char id[ID_MAX];
    struct bytes e;

    id_hex(id, "", 8);
    bytes_init(&e, STREAM_MAX);
    bytes_format(&e, "data: {\"author\":\"nemo_agent\",\"invocationId\":\"%s\",%s,\"id\":\"%s\",",
                 s->invocation, body, id);
    bytes_text(&e,
               "\"actions\":{\"stateDelta\":{},\"artifactDelta\":{},\"requestedAuthConfigs\":{},"
               "\"requestedToolConfirmations\":{}},\"longRunningToolIds\":[],");
    bytes_format(&e, "\"timestamp\":%lld}\n\n", (long long)clock_epoch_ms());
    if (!e.failed)
        stream_raw(s, e.data, e.len);
    bytes_release(&e);
}

static void emit_part(struct stream *s, const char *part, bool partial)
{
    struct bytes body;

    bytes_init(&body, STREAM_MAX);
    bytes_format(&body, "\"content\":{\"role\":\"model\",\"parts\":[%s]}%s", part,
                 partial ? ",\"partial\":true" : "");
    if (!body.failed)
        emit_adk(s, body.data);
    bytes_release(&body);
}

static void emit_typed(struct stream *s, const char *body)
{
    struct bytes e;

    bytes_init(&e, STREAM_MAX);
    bytes_format(&e, "data: {%s}\n\n", body);
    if (!e.failed)
        stream_raw(s, e.data, e.len);
    bytes_release(&e);
}

void stream_call(struct stream *s, const char *id, const char *name, const char *args)
{
    struct bytes e;

    bytes_init(&e, STREAM_MAX);
    if (s->shape == EVENTS_TYPED) {
        bytes_format(&e, "\"type\":\"tool_call\",\"name\":\"%s\",\"args\":%s", name, args);
        emit_typed(s, e.data);
    } else {
        bytes_format(&e, "{\"functionCall\":{\"id\":\"%s\",\"name\":\"%s\",\"args\":%s}}", id, name,
                     args);
        emit_part(s, e.data, false);
    }
    bytes_release(&e);
}

void stream_result(struct stream *s, const char *id, const char *name, const char *response)
{
    struct bytes e;

    bytes_init(&e, STREAM_MAX);
    if (s->shape == EVENTS_TYPED) {
        bytes_format(&e, "\"type\":\"tool_result\",\"name\":\"%s\",\"result\":%s", name, response);
        emit_typed(s, e.data);
    } else {
        bytes_format(&e, "{\"functionResponse\":{\"id\":\"%s\",\"name\":\"%s\",\"response\":%s}}",
                     id, name, response);
        emit_part(s, e.data, false);
    }
    bytes_release(&e);
}

void stream_thought(struct stream *s, const char *text)
{
    struct bytes e;

    if (s->shape == EVENTS_TYPED)
        return;
    bytes_init(&e, STREAM_MAX);
    bytes_text(&e, "{\"text\":");
    bytes_json(&e, text);
    bytes_text(&e, ",\"thought\":true}");
    emit_part(s, e.data, true);
    bytes_release(&e);
}

static void say_piece(struct stream *s, const char *text, size_t len, bool partial)
{
    struct bytes e, words;

    bytes_init(&words, STREAM_MAX);
    bytes_add(&words, text, len);
    bytes_init(&e, STREAM_MAX);
    bytes_text(&e, s->shape == EVENTS_TYPED ? "\"type\":\"text\",\"content\":" : "{\"text\":");
    bytes_json(&e, words.data ? words.data : "");
    if (s->shape == EVENTS_TYPED) {
        emit_typed(s, e.data);
    } else {
        bytes_text(&e, "}");
        emit_part(s, e.data, partial);
    }
    bytes_release(&words);
    bytes_release(&e);
}

/* A piece is a few words: to a blank or the end of a character, 24 bytes or a bit more. */
static size_t piece_length(const char *text)
{
    size_t n = strlen(text);

    for (size_t i = 24; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == ' ' || c >= 0xc0)
            return i;
    }
    return n;
}

void stream_say(struct stream *s, const char *text)
{
    for (const char *rest = text; *rest;) {
        size_t n = piece_length(rest);
        say_piece(s, rest, n, true);
        rest += n;
    }
    if (s->shape == EVENTS_ADK)
        say_piece(s, text, strlen(text), false);
}

void stream_failure(struct stream *s, const char *code, const char *message)
{
    struct bytes e;

    bytes_init(&e, STREAM_MAX);
    if (s->shape == EVENTS_TYPED) {
        bytes_text(&e, "\"error\":");
        bytes_json(&e, message);
        emit_typed(s, e.data);
    } else {
        bytes_format(&e, "\"errorCode\":\"%s\",\"errorMessage\":", code);
        bytes_json(&e, message);
        emit_adk(s, e.data);
    }
    bytes_release(&e);
}

static ssize_t take(struct stream *s, char *buf, size_t max)
{
    eventfd_t ignored;

    size_t n = s->out.len - s->taken;
    if (n > max)
        n = max;
    memcpy(buf, s->out.data + s->taken, n);
    s->taken += n;
    if (s->taken == s->out.len) {
        s->taken = s->out.len = 0;
        if (!s->ended)
            eventfd_read(s->ready_fd, &ignored);
    }
    return (ssize_t)n;
}

static void heartbeat(struct stream *s)
{
    const char *beat =
        s->shape == EVENTS_TYPED ? "data: {\"type\":\"heartbeat\"}\n\n" : ": heartbeat\n\n";

    stream_raw(s, beat, strlen(beat));
}

ssize_t stream_read(struct stream *s, struct wait w, char *buf, size_t max)
{
    w.event = s->ready_fd;
    enum wake why = wait_for(&w, clock_ms() + s->heartbeat_ms);
    if (why == WAKE_TIME)
        heartbeat(s);
    else if (why != WAKE_EVENT)
        return -1;
    ssize_t n = 0;
    pthread_mutex_lock(&s->lock);
    if (s->out.len > s->taken)
        n = take(s, buf, max);
    pthread_mutex_unlock(&s->lock);
    return n;
}
