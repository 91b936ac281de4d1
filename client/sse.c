#include "sse.h"

#include <errno.h>
#include <string.h>

#include "utf8.h"

static const char BOM[3] = "\xef\xbb\xbf";

void sse_init(struct sse *s, size_t event_max, sse_event_fn *event, sse_comment_fn *comment,
              void *user)
{
    memset(s, 0, sizeof(*s));
    s->event = event;
    s->comment = comment;
    s->user = user;
    s->event_max = event_max;
    s->retry_ms = -1;
    buffer_init(&s->line, event_max);
    buffer_init(&s->data, event_max);
    buffer_init(&s->type, event_max);
    buffer_init(&s->id, event_max);
    buffer_init(&s->clean, event_max * 3); /* one bad byte becomes three */
}

void sse_release(struct sse *s)
{
    buffer_release(&s->line);
    buffer_release(&s->data);
    buffer_release(&s->type);
    buffer_release(&s->id);
    buffer_release(&s->clean);
}

static int set(struct buffer *b, const char *text, size_t len)
{
    buffer_reset(b);
    return buffer_add(b, text, len);
}

static const char *string_of(const struct buffer *b, const char *otherwise)
{
    return b->len ? b->data : otherwise;
}

static void dispatch(struct sse *s)
{
    if (s->has_data) {
        struct sse_event event = {
            .type = string_of(&s->type, "message"),
            .data = string_of(&s->data, ""),
            .len = s->data.len,
            .last_id = string_of(&s->id, ""),
        };
        s->event(s->user, &event);
    }
    s->has_data = false;
    buffer_reset(&s->data);
    buffer_reset(&s->type);
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

static void set_retry(struct sse *s, const char *value, size_t len)
{
    int64_t ms = 0;
    for (size_t i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9')
            return;
        if (ms < INT64_MAX / 10 - 1)
            ms = ms * 10 + (value[i] - '0');
    }
    if (len)
        s->retry_ms = ms;
}

static bool is_named(const char *name, size_t len, const char *field)
{
    return len == strlen(field) && !memcmp(name, field, len);
}

static int field(struct sse *s, const char *name, size_t name_len, const char *value, size_t len)
{
    if (is_named(name, name_len, "data"))
        return add_data(s, value, len);
    if (is_named(name, name_len, "event"))
        return set(&s->type, value, len);
    if (is_named(name, name_len, "id") && !(len && memchr(value, '\0', len)))
        return set(&s->id, value, len);
    if (is_named(name, name_len, "retry"))
        set_retry(s, value, len);
    return 0;
}

/* Replaces what is no UTF-8; most lines are clean and stay where they are. */
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
    if (text[0] == ':') {
        if (s->comment)
            s->comment(s->user);
        return 0;
    }
    int err = make_utf8(s, &text, &len);
    if (err)
        return err;
    const char *colon = memchr(text, ':', len);
    if (!colon)
        return field(s, text, len, "", 0);
    size_t name_len = (size_t)(colon - text);
    const char *value = colon + 1;
    size_t value_len = len - name_len - 1;
    if (value_len && *value == ' ') {
        value++;
        value_len--;
    }
    return field(s, text, name_len, value, value_len);
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
    *data = string_of(&s->data, "");
    *len = s->data.len;
    return true;
}

int64_t sse_retry_ms(const struct sse *s)
{
    return s->retry_ms;
}
