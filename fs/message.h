/*
 * One message at a time: from the close of `instruct` to the end of the work.
 *
 * A message for the backend is recorded on disk before it is sent, so that a program that is killed
 * knows it may have left: it is never sent again, the state is read instead. The free commands are
 * carried out here. All functions need fs->lock.
 */
#ifndef LIPSYNCFS_MESSAGE_H
#define LIPSYNCFS_MESSAGE_H

#include "session.h"

struct job;

/* Takes over `text` (len bytes and a NUL, valid UTF-8). `before`: the state when instruct was
 * opened (may be NULL), known as `before_seq`. `closer` is answered when the backend has taken it,
 * or when a command is done; may be NULL. */
void message_submit(struct session *s, char *text, size_t len, struct bytes *before,
                    uint64_t before_seq, struct parked *closer);

/* Ends it, and what waits behind it: the session is going. */
void message_stop(struct session *s);

/* Goes on with what an earlier life sent. */
void message_resume(struct session *s);

/* The session's uploads have ended: a message that waits for them goes. */
void message_uploads_ended(struct session *s);

/* No more text will come: recorded first, then its readers are told. */
void message_end_reply(struct session *s, struct reply *r);

/* For the record: has it (perhaps) left, and what the state was before. */
bool job_has_left(const struct job *j);
struct bytes *job_before(const struct job *j);
bool job_before_unsaved(const struct job *j);
void job_before_saved(struct job *j, const struct bytes *before);
int job_restore(struct session *s, const char *message, bool before);

#endif
