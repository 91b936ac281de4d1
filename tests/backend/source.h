/*
 * Where the bytes of an answer's body come from: memory, a file, a hostile generator, an event
 * stream, or a script of events played with pauses.
 *
 * Belongs to one answer, and is read in order on its connection's thread.
 */
#ifndef BACKEND_SOURCE_H
#define BACKEND_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "clock.h"
#include "hostile.h"
#include "stream.h"

#define SOURCE_ENDLESS UINT64_MAX

enum source_kind {
    SOURCE_EMPTY,
    SOURCE_BYTES, /* repeated as often as asked for */
    SOURCE_FILE,
    SOURCE_HOSTILE,
    SOURCE_STREAM,
    SOURCE_SCRIPT, /* bytes in events, then perhaps nothing but heartbeats */
};

struct source {
    enum source_kind kind;
    uint64_t length; /* SOURCE_ENDLESS: not known beforehand */
    char *data;      /* owned */
    size_t len;
    int fd; /* owned; SOURCE_FILE */
    uint64_t offset;
    enum hostile hostile;
    uint64_t size;         /* of the hostile body */
    struct stream *stream; /* held */
    int64_t gap_ms;
    size_t event_end; /* of the script's event that is being read */
    bool endless;
};

/* Each takes over what it is given, also when it fails (no memory: an empty body). */
void source_bytes(struct source *s, char *data, size_t len, uint64_t repeat);
void source_file(struct source *s, int fd, uint64_t offset, uint64_t length);
void source_hostile(struct source *s, enum hostile kind, uint64_t size);
void source_stream(struct source *s, struct stream *stream);
void source_script(struct source *s, char *data, size_t len, int64_t gap_ms, bool endless,
                   struct stream *heartbeats);
void source_release(struct source *s);

/* Bytes from `pos` on (where the last read ended): their number, 0 at the end, -1 when the peer is
 * gone, the server ends, or the file cannot be read. */
ssize_t source_read(struct source *s, struct wait w, uint64_t pos, char *buf, size_t max);

#endif
