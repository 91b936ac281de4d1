/*
 * One content of an input on its way to the backend, and the closes that wait for it.
 *
 *   wait for the session ──> send ──> record on disk ──> answer the closes
 *
 * A newer content supersedes the upload under way and takes over who waits for it. All functions
 * need fs->lock.
 */
#ifndef LIPSYNCFS_UPLOAD_H
#define LIPSYNCFS_UPLOAD_H

#include "inputs.h"

struct upload;

/* Sends the input's content, or its link. `closer` waits for the outcome; NULL: in the background,
 * where a failure is told by the next open of `instruct`. */
void upload_start(struct input *in, struct parked *closer);

/* Ends the upload under way, if there is one; who waits gets `error`. */
void upload_cancel(struct input *in, int error);

/* Says in the session's and the input's own words why it is not at the backend. `what_to_do`
 * replaces the fault's own hint; may be NULL. */
void upload_tell(struct input *in, const struct fault *f, const char *what_to_do);

/* Were the program to end now, would its close not have succeeded, and the file not be there? */
bool upload_is_tentative(const struct upload *u);

/* May the backend have the new content in place of one that it has for certain? Should the new one
 * not stay here, the old one has to be sent again. */
bool upload_may_have_replaced(const struct input *in);
int upload_percent(const struct upload *u); /* 0-100 */

#endif
