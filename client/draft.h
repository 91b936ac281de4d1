/*
 * The backend's state and the draft in it: tracks, the listing, what changed between two.
 *
 * Pure. A state is hostile input: any bytes, any depth, any number of tracks. Every function takes
 * the exact text of `data.state` as it came; nothing is kept of it. Source: the "State" part of the
 * protocol; keys t (tracks), tt (track type), sg (segments), d (duration in ms), m (metadata).
 */
#ifndef LIPSYNC_DRAFT_H
#define LIPSYNC_DRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATE_MAX (64u << 20)          /* bytes of a state that is read at all */
#define DRAFT_TRACKS_SHOWN_MAX 1000    /* more are counted, and said to be left out */
#define DRAFT_LISTING_MAX (256u << 10) /* bytes of a listing */

/* The exact bytes of the draft inside a state: 0, and *draft points into `state`; -ENOENT if there is
 * none (or null); -EPROTO if the text is no JSON object. */
int draft_find(const char *state, size_t len, const char **draft, size_t *draft_len);

/* Ready for export: `t` has a track with a non-empty `sg`. False for anything unreadable. */
bool draft_is_ready(const char *state, size_t len);

/* Duration of the draft in ms: `d`, or the end of the last segment; -1 if unknown. */
int64_t draft_duration_ms(const char *state, size_t len);

/* A number that is the same for the same draft (white space between tokens aside), 0 for no draft.
 * Never 0 for a draft. */
uint64_t draft_fingerprint(const char *state, size_t len);

/* The track listing that users see, with a trailing newline, in the language of the texts. *out is
 * malloc'd, the caller frees it. 0, -ENOMEM, -EPROTO (unreadable state). A state without draft or tracks
 * gives "Timeline (0 tracks)" and a newline. Names are shown without control characters. */
int draft_listing(const char *state, size_t len, char **out);

/* What changed from one state to the other, in words, one line each ("Added audio track: …"), malloc'd; "The
 * draft changed." if it is nothing that has words of its own, "" if they do not differ. *changed tells whether the drafts differ at all. Either state may be
 * NULL (unknown, or none yet). 0, -ENOMEM, -EPROTO. */
int draft_changes(const char *before, size_t before_len, const char *after, size_t after_len,
                  bool *changed, char **out);

#endif
