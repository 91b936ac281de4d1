/*
 * A call that is one exchange: a question, an answer, what it means.
 *
 * Made and filled in on the caller's thread, read and told on the loop's.
 */
#ifndef LIPSYNC_ASK_H
#define LIPSYNC_ASK_H

#include "exchange.h"

struct ask;

struct ask_class {
    /* A complete answer: what it means, as exchange_ops.read. Results may point into it. */
    void (*read)(struct ask *a, const struct wire_answer *answer, struct fault *f);
    /* Makes the final callback. */
    void (*tell)(struct ask *a, const struct fault *f);
};

/* The owner's struct begins with it. */
struct ask {
    struct call call;
    struct exchange x; /* its URL and the rest are the owner's to set */
    const struct ask_class *class;
};

/* `size` zeroed bytes that begin with a struct ask, its exchange initialized. NULL: no memory. */
void *ask_new(size_t size, struct client *c, const struct ask_class *class);

/* Starts it, or frees it: if there is no URL (-ENOMEM), if `err`, that of making its body, is not 0
 * (-ENOMEM, else -EINVAL), or as call_launch. 0 or the error. */
int ask_launch(struct ask *a, int err, client_call *id);

#endif
