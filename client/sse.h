/*
 * Server-sent events: bytes in any split, events out, as the WHATWG HTML standard interprets them
 * (BOM; LF, CR and CRLF lines; comments; several data lines). Of an event only the data is told:
 * types, ids and the time to reconnect mean nothing to a stream that is never taken up again. An
 * event that no blank line ended before the stream did is none there; here it is given to who asks
 * for it.
 *
 * Pure; one user at a time. Bytes that are no UTF-8 become U+FFFD. Work is linear in the bytes fed.
 * The memory is bounded by `event_max`, for endless lines too.
 */
#ifndef LIPSYNC_SSE_H
#define LIPSYNC_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

#define SSE_EVENT_MAX (4u << 20) /* bytes; the usual bound */

/* UTF-8, NUL-terminated, may hold NULs too; "" for empty data lines; valid during the call. Called
 * inside sse_feed only; must not feed or release the parser. */
typedef void sse_event_fn(void *user, const char *data, size_t len);

struct sse {
    sse_event_fn *event;
    void *user;
    size_t event_max;
    struct buffer line; /* the beginning of a line whose end has not come */
    struct buffer data;
    struct buffer clean; /* the value of a line, made UTF-8 */
    bool has_data;
    bool started; /* past where a BOM may be */
    bool after_cr;
    int error;
};

/* event_max bounds the bytes of one event, and of one line of any kind. */
void sse_init(struct sse *s, size_t event_max, sse_event_fn *event, void *user);
void sse_release(struct sse *s);

/* 0; -EMSGSIZE (the bound was crossed) or -ENOMEM, and the same for ever after. */
int sse_feed(struct sse *s, const void *bytes, size_t len);

/* After the last byte: is there data of an event that was not ended? It is valid until
 * sse_release. */
bool sse_rest(struct sse *s, const char **data, size_t *len);

#endif
