/*
 * Reading a session's state: what client_state does, and what a message needs after it.
 */
#ifndef LIPSYNC_STATE_H
#define LIPSYNC_STATE_H

#include "exchange.h"

/* The URL of a session's state; malloc'd, the caller frees it. NULL: no memory. */
char *state_url(struct client *c, const char *session_id);

/* Makes an initialized exchange one that reads a state: limits, and the URL, which is taken over.
 */
void state_exchange_set(struct exchange *x, char *url);

#endif
