/*
 * One answer: status, headers, and where its body comes from.
 *
 * Belongs to one request and its thread.
 */
#ifndef BACKEND_ANSWER_H
#define BACKEND_ANSWER_H

#include <stdbool.h>

#include "bytes.h"
#include "source.h"

#define ANSWER_HEADERS_MAX 32
#define ANSWER_VALUE_MAX 1024

struct answer {
    int status;
    struct {
        const char *name; /* outlives the answer */
        char value[ANSWER_VALUE_MAX];
    } headers[ANSWER_HEADERS_MAX];
    int header_count;
    bool close; /* the connection ends with the answer */
    struct source source;
};

void answer_init(struct answer *a);
void answer_release(struct answer *a);

/* Replaces an earlier value. Too many are left out. */
void answer_header(struct answer *a, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The body is this JSON text, taken over from `b`; one that failed becomes a 500. */
void answer_json(struct answer *a, int status, struct bytes *b);

/* {"code":0,"message":"success","data":DATA}; DATA is taken over. */
void answer_data(struct answer *a, struct bytes *data);

/* {"code":CODE,"message":MESSAGE,"data":null} */
void answer_code(struct answer *a, int status, int code, const char *message);

/* {"success":false,"code":CODE,"error":MESSAGE}, as the render calls fail. */
void answer_render_failure(struct answer *a, int status, int code, const char *message);

/* {"detail":MESSAGE} */
void answer_detail(struct answer *a, int status, const char *message);

/* The usual refusals. */
void answer_no_session(struct answer *a); /* 1002 */
void answer_bad_body(struct answer *a);   /* 422 */
void answer_broken(struct answer *a);     /* 500 */

#endif
