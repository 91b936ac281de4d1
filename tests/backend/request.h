/*
 * One request, from its headers to the end of its answer.
 *
 * Made, used and freed on the thread of its connection.
 */
#ifndef BACKEND_REQUEST_H
#define BACKEND_REQUEST_H

#include <microhttpd.h>
#include <nettle/sha2.h>

#include "answer.h"
#include "backend.h"
#include "faults.h"
#include "ids.h"
#include "journal.h"

#define REQUEST_PATH_MAX 2048
#define REQUEST_TEXT_MAX (1u << 20)    /* bytes of a body that is kept in memory */
#define REQUEST_DRAFT_MAX (100u << 20) /* of one with a draft in it */

struct upload;
struct route;

struct request {
    struct backend *b;
    struct MHD_Connection *connection;
    int fd; /* the socket, libmicrohttpd's */
    const struct route *route;
    char path[REQUEST_PATH_MAX]; /* cut if longer */
    char arg[ID_MAX];            /* the variable part of the path */
    struct entry *entry;         /* NULL for control */
    struct effects fx;
    int account; /* negative: no good token */
    char user_id[ID_MAX];
    struct bytes body;
    struct upload *upload; /* takes the body instead; NULL: none */
    struct sha256_ctx sha;
    uint64_t received; /* bytes of the body */
    int64_t began_ms;
    bool body_over;
    bool answered;
    bool cut;        /* by a fault rule */
    bool stall_over; /* the stall of a fault rule */
};

/* A request header, or NULL. */
const char *request_header(const struct request *r, const char *name);

/* What a wait on behalf of this request listens to. */
struct wait request_wait(const struct request *r);

void hex_of(char *out, const uint8_t *raw, size_t len);

#endif
