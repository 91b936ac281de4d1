/*
 * Bodies that no honest server sends, made on the fly: any size, or without an end.
 *
 * Pure: byte `pos` of a body depends on kind, size and pos alone.
 */
#ifndef BACKEND_HOSTILE_H
#define BACKEND_HOSTILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum hostile {
    HOSTILE_NONE,
    HOSTILE_NOISE,       /* "noise": bytes without sense */
    HOSTILE_DEEP_JSON,   /* "deep_json": an envelope whose draft is a tower of brackets */
    HOSTILE_WIDE_JSON,   /* "wide_json": an envelope whose draft has tracks without number */
    HOSTILE_LONG_STRING, /* "long_string": an envelope with one huge message */
    HOSTILE_LONG_LINE,   /* "long_line": an event stream of one line */
    HOSTILE_EVENTS,      /* "events": an event stream of text events without number */
    HOSTILE_SPACE,       /* "space": white space */
    HOSTILE_LONG_HEADER, /* "long_header": one header of that size, not a body */
    HOSTILE_HEADERS,     /* "headers": headers without number, not a body */
    HOSTILE_COUNT,
};

extern const char *const hostile_names[HOSTILE_COUNT];

/* Bytes of the body (or head) from `pos` on: their number, 0 at the end. size 0: endless. */
size_t hostile_read(enum hostile kind, uint64_t size, uint64_t pos, char *buf, size_t max);

#endif
