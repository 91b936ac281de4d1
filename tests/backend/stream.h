/*
 * One answer as an event stream: events made on one thread, read as bytes on another.
 *
 * The maker is the agent, on a crew thread; the reader is the connection. Each holds the stream and
 * lets go of it on its own: an agent whose reader is gone goes on undisturbed. A reader that has
 * waited `heartbeat_ms` gets a heartbeat.
 */
#ifndef BACKEND_STREAM_H
#define BACKEND_STREAM_H

#include <stdint.h>
#include <sys/types.h>

#include "clock.h"
#include "options.h"

struct stream;

/* One holder. NULL: no memory or descriptors. */
struct stream *stream_new(enum event_shape shape, int64_t heartbeat_ms);
struct stream *stream_hold(struct stream *s);
void stream_release(struct stream *s); /* NULL is fine */

/* Events. `args` and `response` are JSON texts. */
void stream_call(struct stream *s, const char *id, const char *name, const char *args);
void stream_result(struct stream *s, const char *id, const char *name, const char *response);
void stream_thought(struct stream *s, const char *text);
/* Words for the user, in pieces. */
void stream_say(struct stream *s, const char *text);
void stream_failure(struct stream *s, const char *code, const char *message);

/* Bytes as they are, for scripts. */
void stream_raw(struct stream *s, const char *data, size_t len);

/* No more events. */
void stream_end(struct stream *s);

/* Waits for bytes (w's event is set here). Their number, 0 at the end, -1 when the wait ended
 * otherwise. */
ssize_t stream_read(struct stream *s, struct wait w, char *buf, size_t max);

#endif
