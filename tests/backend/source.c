#include "source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void source_bytes(struct source *s, char *data, size_t len, uint64_t repeat)
{
    *s = (struct source){.kind = SOURCE_BYTES, .data = data, .len = data ? len : 0, .fd = -1};
    s->length = s->len && repeat > (SOURCE_ENDLESS - 1) / s->len ? SOURCE_ENDLESS : s->len * repeat;
}

void source_file(struct source *s, int fd, uint64_t offset, uint64_t length)
{
    *s = (struct source){.kind = SOURCE_FILE, .fd = fd, .offset = offset, .length = length};
}

void source_hostile(struct source *s, enum hostile kind, uint64_t size)
{
    *s = (struct source){
        .kind = SOURCE_HOSTILE, .hostile = kind, .size = size, .length = SOURCE_ENDLESS, .fd = -1};
}

void source_stream(struct source *s, struct stream *stream)
{
    *s = (struct source){
        .kind = SOURCE_STREAM, .stream = stream, .length = SOURCE_ENDLESS, .fd = -1};
}

void source_script(struct source *s, char *data, size_t len, int64_t gap_ms, bool endless,
                   struct stream *heartbeats)
{
    *s = (struct source){.kind = SOURCE_SCRIPT,
                         .data = data,
                         .len = data ? len : 0,
                         .gap_ms = gap_ms,
                         .endless = endless,
                         .stream = heartbeats,
                         .length = SOURCE_ENDLESS,
                         .fd = -1};
}

void source_release(struct source *s)
{
    free(s->data);
    if (s->kind == SOURCE_FILE && s->fd >= 0)
        close(s->fd);
    stream_release(s->stream);
    *s = (struct source){.fd = -1};
}

static ssize_t read_bytes(struct source *s, uint64_t pos, char *buf, size_t max)
{
    size_t filled = 0;

    while (filled < max && s->len && pos + filled < s->length) {
        size_t at = (pos + filled) % s->len;
        size_t n = s->len - at;
        if (n > max - filled)
            n = max - filled;
        memcpy(buf + filled, s->data + at, n);
        filled += n;
    }
    return (ssize_t)filled;
}

static ssize_t read_file(struct source *s, uint64_t pos, char *buf, size_t max)
{
    uint64_t left = s->length - pos;

    for (;;) {
        ssize_t n = pread(s->fd, buf, left < max ? left : max, (off_t)(s->offset + pos));
        if (n >= 0 || errno != EINTR)
            return n;
    }
}

/* The length of the event at `text`: through its blank line. */
static size_t event_length(const char *text, size_t len)
{
    for (size_t i = 1; i < len; i++) {
        if (text[i] != '\n')
            continue;
        if (text[i - 1] == '\n' || (i >= 3 && memcmp(text + i - 3, "\r\n\r", 3) == 0))
            return i + 1;
    }
    return len;
}

/* After the script: heartbeats, as long as the rules are in force. */
static ssize_t read_heartbeats(struct source *s, struct wait w, char *buf, size_t max)
{
    ssize_t n = stream_read(s->stream, w, buf, max);

    w.event = -1;
    return n < 0 && wait_for(&w, 0) == WAKE_RULES ? 0 : n;
}

static ssize_t read_script(struct source *s, struct wait w, uint64_t pos, char *buf, size_t max)
{
    if (pos >= s->len)
        return s->endless ? read_heartbeats(s, w, buf, max) : 0;
    w.event = w.rules = -1;
    if (pos == s->event_end) {
        s->event_end += event_length(s->data + pos, s->len - (size_t)pos);
        if (pos > 0 && s->gap_ms > 0 && wait_for(&w, clock_ms() + s->gap_ms) != WAKE_TIME)
            return -1;
    }
    size_t n = s->event_end - (size_t)pos;
    if (n > max)
        n = max;
    memcpy(buf, s->data + pos, n);
    return (ssize_t)n;
}

ssize_t source_read(struct source *s, struct wait w, uint64_t pos, char *buf, size_t max)
{
    switch (s->kind) {
    case SOURCE_EMPTY:
        return 0;
    case SOURCE_BYTES:
        return read_bytes(s, pos, buf, max);
    case SOURCE_FILE:
        return read_file(s, pos, buf, max);
    case SOURCE_HOSTILE:
        return (ssize_t)hostile_read(s->hostile, s->size, pos, buf, max);
    case SOURCE_STREAM:
        w.rules = -1;
        return stream_read(s->stream, w, buf, max);
    case SOURCE_SCRIPT:
        return read_script(s, w, pos, buf, max);
    }
    return -1;
}
