/*
 * The text that a user sees of an event stream: each word once, as soon as it is known to be
 * wanted.
 *
 * Pure; one user at a time. Partial texts are shown as they come, the whole that repeats them adds
 * only what is new. Texts that stand alone are parted by a newline. A closing "I encountered a
 * temporary issue" after an answer is dropped; text is held back only while it could still become
 * that, or a token (which is never shown). What is shown is bounded by TRANSCRIPT_MAX; then a note
 * tells that it was cut.
 */
#ifndef LIPSYNC_TRANSCRIPT_H
#define LIPSYNC_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "event.h"

#define TRANSCRIPT_MAX (1u << 20) /* bytes shown, the note aside */

struct transcript;

/* `out` gets UTF-8 text, never empty, at most once in each call of the functions below. NULL: no
 * memory. */
struct transcript *transcript_new(void (*out)(void *user, const char *text, size_t len),
                                  void *user);
void transcript_free(struct transcript *t);

/* Items of every kind, in their order. 0 or -ENOMEM. */
int transcript_add(struct transcript *t, const struct event_item *item);

/* The stream ended: lets go of what is still held. 0 or -ENOMEM. */
int transcript_finish(struct transcript *t);

/* Text for the user came out (white space alone is none). True at the latest after
 * transcript_finish. */
bool transcript_answered(const struct transcript *t);

/* The first EVENT_ERROR; FAULT_NONE while there was none. Never NULL, valid as long as the
 * transcript. */
const struct fault *transcript_fault(const struct transcript *t);

#endif
