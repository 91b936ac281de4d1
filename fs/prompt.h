/*
 * instruct: what an open checks, what one open writes, when it is a message.
 *
 *   open ──> its turn ──> uploads ended ──> session, state and balance known ──> open
 *   close by the last holder ──> one message (message.h)
 *
 * While a message is being answered opens wait, in order of arrival; the one let in next is alone
 * until it has sent or closed. All functions need fs->lock, prompt_flush aside.
 */
#ifndef LIPSYNCFS_PROMPT_H
#define LIPSYNCFS_PROMPT_H

#include "fs.h"
#include "handle.h"

#define PROMPT_MAX (64u << 10) /* bytes of a message */
#define PROMPT_OPEN_MS 10000   /* what the checks may take, once the uploads have ended */

/* Answers the open or parks it. The handle is freed if the open fails. */
void prompt_open(struct handle *h, struct parked *p, const struct fuse_file_info *fi);

/* 0 or a positive errno: EMSGSIZE, EILSEQ, EDQUOT. */
int prompt_write(struct handle *h, const char *data, size_t len);
void prompt_truncate(struct handle *h, size_t size);

/* No lock. A FLUSH: sends what was written if this was the last close, and answers when the backend
 * took it. */
void prompt_flush(struct handle *h, struct parked *p);

/* The handle is going: what was written and not sent goes now, in the background. */
void prompt_release(struct handle *h, bool killed);

/* The session's uploads have ended. */
void prompt_uploads_ended(struct session *s);

/* The message is done: the next open. */
void prompt_next(struct session *s);

#endif
