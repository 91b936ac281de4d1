#include "refuse.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "route.h"
#include "upload.h"

bool refuse_early(struct request *r, struct answer *a)
{
    if (effects_replace(&r->fx))
        return false;
    if (!r->route->open && r->account < 0) {
        answer_code(a, 401, 1001, "token is invalid or expired");
        return true;
    }
    const char *length = request_header(r, "Content-Length");
    if (r->route->endpoint == ENDPOINT_UPLOAD && length &&
        strtoull(length, NULL, 10) > r->b->options.max_upload + UPLOAD_FORM_MAX) {
        answer_code(a, 413, 4002, "file too large");
        return true;
    }
    return false;
}

/* The body that the rules want. */
static void fill_replacement(const struct request *r, struct answer *a)
{
    const struct effects *fx = &r->fx;
    const char *message = fx->message ? fx->message : "refused";

    if (fx->body) {
        char *copy = malloc(fx->body_len + 1);
        if (copy)
            memcpy(copy, fx->body, fx->body_len + 1);
        source_release(&a->source);
        source_bytes(&a->source, copy, fx->body_len, fx->repeat);
        a->status = 200;
        answer_header(a, "Content-Type", "application/json");
    } else if (fx->hostile) {
        source_release(&a->source);
        source_hostile(&a->source, fx->hostile, fx->size);
        a->status = 200;
        bool events = fx->hostile == HOSTILE_EVENTS || fx->hostile == HOSTILE_LONG_LINE;
        answer_header(a, "Content-Type", events ? "text/event-stream" : "application/json");
    } else if (fx->code &&
               (r->route->endpoint == ENDPOINT_RENDER || r->route->endpoint == ENDPOINT_POLL)) {
        answer_render_failure(a, 200, fx->code, message);
    } else if (fx->code) {
        answer_code(a, 200, fx->code, message);
    } else {
        answer_detail(a, fx->status, message);
    }
    if (fx->status)
        a->status = fx->status;
}

void refuse_or_handle(struct request *r, struct answer *a)
{
    const struct effects *fx = &r->fx;
    bool allowed = r->route->open || r->account >= 0;

    if (fx->cut == CUT_HEADERS && fx->edit == 0) {
        answer_detail(a, 500, "not carried out");
    } else if (!effects_replace(fx)) {
        r->route->handle(r, a);
    } else {
        if (fx->edit == 1 && allowed)
            r->route->handle(r, a);
        fill_replacement(r, a);
    }
    for (int i = 0; i < fx->header_count; i++)
        answer_header(a, fx->headers[i].name, "%s", fx->headers[i].value);
}
