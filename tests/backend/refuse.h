/*
 * Whether a request is carried out, and the answer if it is not: fault rules, tokens.
 */
#ifndef BACKEND_REFUSE_H
#define BACKEND_REFUSE_H

#include "request.h"

/* Fills in the refusal that the headers alone call for; false: none. */
bool refuse_early(struct request *r, struct answer *a);

/* Fills in the answer: the one that the fault rules want, or the true one. */
void refuse_or_handle(struct request *r, struct answer *a);

#endif
