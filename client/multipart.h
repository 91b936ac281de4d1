/*
 * A multipart/form-data body with one file in it: what comes before and after the file's bytes.
 *
 * Pure. (libcurl's own form cannot be used: in 7.88 one that is paused after it gave a few bytes is
 * never unpaused.)
 */
#ifndef LIPSYNC_MULTIPART_H
#define LIPSYNC_MULTIPART_H

#include <stddef.h>

#define MULTIPART_BOUNDARY_MAX 64 /* bytes, terminated */

struct multipart {
    char type[MULTIPART_BOUNDARY_MAX + 64]; /* the body's Content-Type */
    char *head;
    size_t head_len;
    char *tail;
    size_t tail_len;
};

/* The boundary must not occur in the file: let it be long and random. Quotes and line ends in the
 * file's name are percent-encoded, as browsers do. 0 or -ENOMEM. */
int multipart_init(struct multipart *m, const char *boundary, const char *field, const char *name,
                   const char *type);
void multipart_release(struct multipart *m);

/* The MIME type that goes with a file's name. */
const char *multipart_type_of(const char *name);

#endif
