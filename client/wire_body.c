/* The bodies of requests. */
#include "wire.h"

#include <errno.h>
#include <string.h>

#include "buffer.h"
#include "draft.h"
#include "jsontext.h"

#define BODY_MAX ((size_t)STATE_MAX + (1u << 20))

/* Strings between fixed pieces of JSON; the first text that is no UTF-8 tells. */
struct body {
    struct buffer buffer;
    int error;
};

static void body_init(struct body *b)
{
    buffer_init(&b->buffer, BODY_MAX);
    b->error = 0;
}

static void add(struct body *b, const char *json)
{
    buffer_add_string(&b->buffer, json);
}

static void add_string(struct body *b, const char *text)
{
    int err = jsontext_quote(&b->buffer, text, strlen(text));
    if (!b->error)
        b->error = err;
}

static int body_take(struct body *b, char **out, size_t *len)
{
    if (!b->error)
        return buffer_take(&b->buffer, out, len);
    buffer_release(&b->buffer);
    return b->error;
}

int wire_session_body(const char *task_name, const char *lang, char **out, size_t *len)
{
    struct body b;
    body_init(&b);
    add(&b, "{\"task_name\":");
    add_string(&b, task_name);
    add(&b, ",\"language\":");
    add_string(&b, lang);
    add(&b, "}");
    return body_take(&b, out, len);
}

int wire_claim_body(const char *task_id, const char *session_id, char **out, size_t *len)
{
    struct body b;
    body_init(&b);
    add(&b, "{\"task_id\":");
    add_string(&b, task_id);
    add(&b, ",\"session_id\":");
    add_string(&b, session_id);
    add(&b, "}");
    return body_take(&b, out, len);
}

int wire_url_body(const char *url, char **out, size_t *len)
{
    struct body b;
    body_init(&b);
    add(&b, "{\"urls\":[");
    add_string(&b, url);
    add(&b, "],\"source_type\":\"url\"}");
    return body_take(&b, out, len);
}

int wire_message_body(const char *session_id, const char *message, char **out, size_t *len)
{
    struct body b;
    body_init(&b);
    add(&b, "{\"app_name\":\"nemo_agent\",\"user_id\":\"me\",\"session_id\":");
    add_string(&b, session_id);
    add(&b, ",\"new_message\":{\"parts\":[{\"text\":");
    add_string(&b, message);
    add(&b, "}]}}");
    return body_take(&b, out, len);
}

int wire_render_body(const char *render_id, const char *session_id, const char *draft,
                     size_t draft_len, char **out, size_t *len)
{
    struct jsontext value;
    if (jsontext_parse(draft, draft_len, &value) || jsontext_type(value) != JSONTEXT_OBJECT)
        return -EINVAL;
    struct body b;
    body_init(&b);
    add(&b, "{\"id\":");
    add_string(&b, render_id);
    add(&b, ",\"sessionId\":");
    add_string(&b, session_id);
    add(&b, ",\"draft\":");
    buffer_add(&b.buffer, draft, draft_len);
    add(&b, ",\"output\":{\"format\":\"mp4\",\"quality\":\"high\"}}");
    return body_take(&b, out, len);
}
