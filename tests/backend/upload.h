/*
 * Uploads: a multipart form streamed to disk as it comes, or URLs that are fetched.
 */
#ifndef BACKEND_UPLOAD_H
#define BACKEND_UPLOAD_H

#include "request.h"

#define UPLOAD_PARTS_MAX 64
#define UPLOAD_FORM_MAX 65536 /* bytes of a request beside its files */

/* Ready to take a form's body; NULL if the request is none (its body is then kept in memory). */
struct upload *upload_new(struct request *r);
void upload_feed(struct upload *u, const char *data, size_t size);

/* Unfinished files go. NULL is fine. */
void upload_free(struct upload *u);

#endif
