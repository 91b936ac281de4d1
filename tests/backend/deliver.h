/*
 * Giving an answer, with whatever the fault rules do to it on its way.
 */
#ifndef BACKEND_DELIVER_H
#define BACKEND_DELIVER_H

#include "request.h"

/* Queues the answer and releases it. MHD_NO ends the connection. */
enum MHD_Result deliver(struct request *r, struct answer *a);

/* What the rules do while the request's body comes; `size` more bytes are here. False: end the
 * connection. */
bool deliver_body_faults(struct request *r, size_t size);

#endif
