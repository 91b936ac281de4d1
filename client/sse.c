#include "sse.h"

#include <errno.h>
#include <string.h>

#include "utf8.h"

static const char BOM[3] = "\xef\xbb\xbf";
static const char DATA[] = "data";

void sse_init(struct sse *s, size_t event_max, sse_event_fn *event, void *user)
{
    memset(s, 0, sizeof(*s));
    s->event = event;
    s->user = user;
    s->event_max = event_max;
    buffer_init(&s->line, event_max);
    buffer_init(&s->data, event_max);
    buffer_init(&s->clean, event_max * 3); /* one bad byte becomes three */
}

void sse_release(struct sse *s)
{
    buffer_release(&s->line);
    buffer_release(&s->data);
    buffer_release(&s->clean);
}

static const char *data_of(const struct sse *s)
{
    return s->data.len ? s->data.data : "";
}

static void dispatch(struct sse *s)
{
    if (s->has_data)
        s->event(s->user, data_of(s), s->data.len);
    s->has_data = false;
    buffer_reset(&s->data);
}

static int add_data(struct sse *s, const char *value, size_t len)
{
    /* Each data line but the first brings a line feed along; so the trailing one never has to go.
     */
    if (s->has_data)
        buffer_add(&s->data, "\n", 1);
    s->has_data = true;
    return buffer_add(&s->data, value, len);
}

/* Replaces what is no UTF-8; most values are clean and stay where they are. */
static int make_utf8(struct sse *s, const char **text, size_t *len)
{
    if (utf8_is_valid(*text, *len))
        return 0;
    buffer_reset(&s->clean);
    for (size_t at = 0; at < *len;) {
        uint32_t c;
        size_t n = utf8_decode(*text + at, *len - at, &c);
        if (c == UTF8_BAD)
            buffer_add_string(&s->clean, UTF8_REPLACEMENT);
        else
            buffer_add(&s->clean, *text + at, n);
        at += n;
    }
    *text = s->clean.data;
    *len = s->clean.len;
    return buffer_error(&s->clean);
}

static int line(struct sse *s, const char *text, size_t len)
{
    if (!s->started) {
        s->started = true;
        if (len >= sizeof(BOM) && !memcmp(text, BOM, sizeof(BOM))) {
            text += sizeof(BOM);
            len -= sizeof(BOM);
        }
    }
    if (!len) {
        dispatch(s);
        return 0;
    }
    const char *colon = memchr(text, ':', len);
    size_t name_len = colon ? (size_t)(colon - text) : len;
    if (name_len != strlen(DATA) || memcmp(text, DATA, name_len))
        return 0; /* a comment, or what means nothing here */
    text += name_len + !!colon;
    len -= name_len + !!colon;
    if (len && *text == ' ') {
        text++;
        len--;
    }
    int err = make_utf8(s, &text, &len);
    return err ? err : add_data(s, text, len);
}

static const char *find_line_end(const char *p, const char *end)
{
    while (p < end && *p != '\n' && *p != '\r')
        p++;
    return p < end ? p : NULL;
}

/* One line whose end has come: `rest` is what was fed last of it. */
static int end_line(struct sse *s, const char *rest, size_t len)
{
    if (len > s->event_max - s->line.len)
        return -EMSGSIZE;
    if (!s->line.len)
        return line(s, rest, len);
    int err = buffer_add(&s->line, rest, len);
    if (!err)
        err = line(s, s->line.data, s->line.len);
    buffer_reset(&s->line);
    return err;
}

int sse_feed(struct sse *s, const void *bytes, size_t len)
{
    const char *p = bytes, *end = p + len;
    while (p < end && !s->error) {
        if (s->after_cr && *p == '\n')
            p++;
        s->after_cr = false;
        if (p == end)
            break;
        const char *stop = find_line_end(p, end);
        if (stop) {
            s->error = end_line(s, p, (size_t)(stop - p));
            s->after_cr = *stop == '\r';
            p = stop + 1;
        } else {
            s->error = buffer_add(&s->line, p, (size_t)(end - p));
            p = end;
        }
    }
    return s->error;
}

bool sse_rest(struct sse *s, const char **data, size_t *len)
{
    if (!s->error && s->line.len)
        s->error = end_line(s, "", 0);
    if (s->error || !s->has_data)
        return false;
    *data = data_of(s);
    *len = s->data.len;
    return true;
}
