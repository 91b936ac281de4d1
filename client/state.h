/*
 * Reading a session's state: what client_state does, and what a message needs after it.
 */
#ifndef LIPSYNC_STATE_H
#define LIPSYNC_STATE_H

#include "exchange.h"

/* The URL of a session's state; malloc'd, the caller frees it. NULL: no memory. */
char *state_url(struct client *c, const char *session_id);

/* Sets up an exchange that reads a state: limits, and the URL, which is taken over. */
void state_exchange_init(struct exchange *x, struct client *c, const struct exchange_ops *ops,
                         void *user, char *url);

#endif
