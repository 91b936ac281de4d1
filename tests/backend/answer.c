#include "answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "store.h"

void answer_init(struct answer *a)
{
    memset(a, 0, sizeof(*a));
    a->source.fd = -1;
}

void answer_release(struct answer *a)
{
    source_release(&a->source);
}

void answer_header(struct answer *a, const char *name, const char *format, ...)
{
    va_list args;
    int i = 0;

    while (i < a->header_count && strcasecmp(a->headers[i].name, name) != 0)
        i++;
    if (i == ANSWER_HEADERS_MAX)
        return;
    if (i == a->header_count)
        a->header_count++;
    a->headers[i].name = name;
    va_start(args, format);
    vsnprintf(a->headers[i].value, ANSWER_VALUE_MAX, format, args);
    va_end(args);
}

void answer_json(struct answer *a, int status, struct bytes *b)
{
    size_t len = 0;
    char *text = bytes_take(b, &len);

    source_release(&a->source);
    if (!text) {
        text = strdup("{\"code\":500,\"message\":\"out of memory\"}");
        len = text ? strlen(text) : 0;
        status = 500;
    }
    a->status = status;
    source_bytes(&a->source, text, len, 1);
    answer_header(a, "Content-Type", "application/json");
}

void answer_data(struct answer *a, struct bytes *data)
{
    struct bytes b;

    bytes_init(&b, STORE_RECORD_MAX);
    bytes_text(&b, "{\"code\":0,\"message\":\"success\",\"data\":");
    bytes_add(&b, data->data, data->len);
    bytes_text(&b, "}");
    b.failed |= data->failed;
    bytes_release(data);
    answer_json(a, 200, &b);
}

void answer_code(struct answer *a, int status, int code, const char *message)
{
    struct bytes b;

    bytes_init(&b, STORE_RECORD_MAX);
    bytes_format(&b, "{\"code\":%d,\"message\":", code);
    bytes_json(&b, message);
    bytes_text(&b, ",\"data\":null}");
    answer_json(a, status, &b);
}

void answer_render_failure(struct answer *a, int status, int code, const char *message)
{
    struct bytes b;

    bytes_init(&b, STORE_RECORD_MAX);
    bytes_format(&b, "{\"success\":false,\"code\":%d,\"error\":", code);
    bytes_json(&b, message);
    bytes_text(&b, "}");
    answer_json(a, status, &b);
}

void answer_detail(struct answer *a, int status, const char *message)
{
    struct bytes b;

    bytes_init(&b, STORE_RECORD_MAX);
    bytes_text(&b, "{\"detail\":");
    bytes_json(&b, message);
    bytes_text(&b, "}");
    answer_json(a, status, &b);
}

void answer_no_session(struct answer *a)
{
    answer_code(a, 200, 1002, "session not found");
}

void answer_bad_body(struct answer *a)
{
    answer_detail(a, 422, "the body makes no sense");
}

void answer_broken(struct answer *a)
{
    answer_code(a, 500, 500, "internal error");
}
