/*
 * The three envelopes of the backend's answers: {"code","message","data"},
 * {"success","data","error"}, bare JSON.
 *
 * Pure. A non-zero code is an error whatever the HTTP status; it may be a number or a string that
 * spells one.
 */
#ifndef LIPSYNC_ENVELOPE_H
#define LIPSYNC_ENVELOPE_H

#include "fault.h"
#include "jsontext.h"

/* What the answer says of its success: FAULT_NONE, or the fault with its code and detail. `http` is
 * 0 where the JSON did not come as the body of an answer (inside an event stream). */
struct fault envelope_fault(struct jsontext root, int http);

#define ENVELOPE_WORDS_MAX (4 * FAULT_DETAIL_MAX)

/* The backend's words about a failure (message, error, detail), as they came; false and "" if there
 * are none. */
bool envelope_words(struct jsontext root, char words[ENVELOPE_WORDS_MAX]);

/* Its `data`, or the whole where there is no envelope. */
struct jsontext envelope_payload(struct jsontext root);

/* Do the backend's words speak of an unknown session? */
bool envelope_says_no_session(const char *text, size_t len);

#endif
