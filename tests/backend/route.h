/*
 * Which call a request is: method and path to endpoint and handler.
 */
#ifndef BACKEND_ROUTE_H
#define BACKEND_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "endpoint.h"
#include "request.h"

struct route {
    const char *method;
    const char *pattern; /* one '*' stands for the variable part; it may hold no '/', unless it is
                            the end */
    enum endpoint endpoint;
    bool open; /* needs no token */
    size_t body_max;
    /* Fills in the answer. */
    void (*handle)(struct request *r, struct answer *a);
};

/* Never NULL. `arg` gets the variable part, "" if there is none or it is too long. */
const struct route *route_find(const char *method, const char *path, char arg[ID_MAX]);

#endif
