/*
 * Is a file that comes in pieces a whole MP4 file? Looks at the top-level boxes only.
 *
 * Pure. An `ftyp` box must be the first; boxes that MP4 knows must lie one after the other and
 * inside the file. After a box that it does not know nothing is judged any more.
 */
#ifndef LIPSYNC_MP4_H
#define LIPSYNC_MP4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mp4 {
    uint64_t position; /* bytes fed */
    uint64_t next;     /* where the next box begins */
    unsigned char head[16];
    size_t head_len;
    bool begun; /* the ftyp box was seen */
    bool bad;
    bool unjudged;   /* there is a box that nobody knows */
    bool open_ended; /* the last box reaches to the end, whatever that is */
};

void mp4_init(struct mp4 *m);

/* The next bytes. False if it cannot be an MP4 file any more. */
bool mp4_feed(struct mp4 *m, const char *bytes, size_t len);

/* All was fed: is it one, and whole? */
bool mp4_is_whole(const struct mp4 *m);

#endif
