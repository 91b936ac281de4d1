/*
 * The backend's words that speak of a GUI, turned into what users of files can do; English and Chinese,
 * on streamed text. Source: the protocol's "Backend text that speaks of a GUI".
 *
 * Pure. Text goes in as it comes (any split, also inside a UTF-8 character); what is finished comes out
 * through the callback. Nothing is held back longer than a sentence or TRANSLATE_HOLD_MAX bytes; nor
 * less, for what stands before a verb decides whether it instructs (who does it, where, what for) and
 * is replaced with it, so the beginning of a sentence is not known before its end. Content
 * is kept; no instruction to use a GUI gets through. Control characters other than newline and tab, and
 * escape sequences, never get through.
 */
#ifndef LIPSYNC_TRANSLATE_H
#define LIPSYNC_TRANSLATE_H

#include <stdbool.h>
#include <stddef.h>

#define TRANSLATE_HOLD_MAX 4096

/* What the text asked for beside words; bits. */
enum translate_wish {
    TRANSLATE_EXPORT = 1,   /* an Export button: start the export */
    TRANSLATE_TIMELINE = 2, /* preview in the timeline: append the track listing */
};

struct translate;

/* `out` gets finished text (UTF-8, never empty), on the caller's thread, inside feed and finish only. NULL:
 * no memory. `manual` (render=manual): "click Export" becomes advice to write `export`, not a wish. */
struct translate *translate_new(bool manual, void (*out)(void *user, const char *text, size_t len),
                                void *user);
void translate_free(struct translate *t);

void translate_feed(struct translate *t, const char *text, size_t len);

/* Lets go of what is still held. Returns the wishes of the whole text. May be fed again afterwards. */
unsigned translate_finish(struct translate *t);

#endif
