/*
 * Where a voiceover belongs on a clip, from the clip's own sound: generalized cross-correlation
 * with phase transform (GCC-PHAT), in the band of speech.
 *
 * A match must stand out from every other place, and its parts must agree: the same words in
 * another order, or spoken at another pace, match here and there, but not throughout.
 *
 * Pure. Takes up to 32 bytes of memory for every sample of both.
 */
#ifndef BACKEND_SYNC_H
#define BACKEND_SYNC_H

#include <stdbool.h>
#include <stddef.h>

struct sync_match {
    double offset_s;  /* of the voiceover's first sample on the clip; negative: before it */
    double strength;  /* the peak, in standard deviations of everything else */
    double margin;    /* the peak against the highest other one */
    double agreement; /* 0-1: how much of the voiceover says the same on its own */
    bool sure;
};

/* Both at `rate` samples a second. 0; -ENODATA: one of them is silent or too short; -ENOMEM. */
int sync_find(const float *clip, size_t clip_count, const float *voice, size_t voice_count,
              int rate, struct sync_match *out);

#endif
