/*
 * What never reaches people's eyes: tokens and raw JSON, taken out of streamed text.
 *
 * Pure; one user at a time. A token of the backend (nmv_…, clm_…) becomes "***"; inside
 * a word, where waiting for it would hold up too much, what follows the prefix does. An object with
 * a quoted first name, or an array of such, is left out up to its closing bracket. Text is held
 * back only while it could still become one of these, and never more than SCRUB_HOLD_MAX bytes of
 * it.
 */
#ifndef LIPSYNC_SCRUB_H
#define LIPSYNC_SCRUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRUB_HOLD_MAX 256

typedef void scrub_out_fn(void *user, const char *text, size_t len);

struct scrub {
    scrub_out_fn *out;
    void *user;
    int state;
    size_t held_len;
    char held[SCRUB_HOLD_MAX];
    size_t depth;  /* open brackets of the JSON that is being left out */
    char quote;    /* inside one of its strings: which quote ends it */
    bool escaped;  /* the last byte was a backslash in that string */
    uint32_t tail; /* the last four bytes that were not held */
};

/* `out` gets finished text, never empty, inside feed and finish only. */
void scrub_init(struct scrub *s, scrub_out_fn *out, void *user);
void scrub_feed(struct scrub *s, const char *text, size_t len);

/* The text ends here: lets go of what is held. May be fed again afterwards. */
void scrub_finish(struct scrub *s);

#endif
