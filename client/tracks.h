/*
 * The tracks of a draft as values: what the listing shows and what changes are told of.
 *
 * Pure. Only t, tt, sg, d and m are published; names, starts and volumes are looked for under the
 * spellings that are usual, in the segment and in its metadata. Bounded: what is beyond the bounds
 * is counted, not kept.
 */
#ifndef LIPSYNC_TRACKS_H
#define LIPSYNC_TRACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jsontext.h"

#define TRACKS_NAME_MAX 256      /* bytes of a name, terminated */
#define TRACKS_ID_MAX 80         /* bytes of an id, terminated */
#define TRACKS_SEGMENTS_MAX 1000 /* segments kept of one track */

enum track_type { TRACK_VIDEO = 0, TRACK_AUDIO = 1, TRACK_TEXT = 7, TRACK_OTHER = -1 };

struct segment {
    char name[TRACKS_NAME_MAX]; /* clean; "" if there is none */
    char id[TRACKS_ID_MAX];     /* "" if there is none */
    int64_t start_ms;           /* told, or the end of the segment before it */
    int64_t duration_ms;        /* -1: not told */
    double volume;              /* -1: not told */
    uint64_t fingerprint;
};

struct track {
    size_t number; /* in the listing, from 1 */
    enum track_type type;
    char id[TRACKS_ID_MAX];
    double volume; /* -1: not told */
    uint64_t fingerprint;
    struct segment *segments; /* the first ones */
    size_t kept;
    size_t count; /* all segments */
};

struct tracks {
    struct track *tracks; /* the first ones */
    size_t kept;
    size_t count;   /* all tracks */
    int64_t end_ms; /* of the last segment; -1: not told */
};

/* 0 or -ENOMEM; the caller releases them. A draft without tracks gives none. */
int tracks_read(struct jsontext draft, struct tracks *tracks);
void tracks_release(struct tracks *tracks);

struct buffer;

/* "interview clip (0-45s)", in the language of the texts. */
void tracks_describe_segment(const struct segment *s, struct buffer *out);

/* All segments of a track, or "empty"; long ones are cut, and the rest counted. */
void tracks_describe(const struct track *t, struct buffer *out);

#define TRACKS_SECONDS_MAX 32

/* "45" or "7.5": seconds with at most one decimal. */
void tracks_seconds(int64_t ms, char out[TRACKS_SECONDS_MAX]);

#endif
