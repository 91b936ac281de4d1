/*
 * What was asked of the backend: the list that tests count with (GET /_local/requests).
 *
 * An entry is made when a request's headers have come and filled in as it goes on. Tokens are not
 * in it, only whether one was good and which it was. Bounded: the oldest entries go. Safe from
 * every thread.
 */
#ifndef BACKEND_JOURNAL_H
#define BACKEND_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "endpoint.h"

#define JOURNAL_MAX 50000 /* entries */

struct journal;
struct entry;

struct journal *journal_new(void);
void journal_free(struct journal *j);

/* One holder more than the list; journal_end lets go of it. `headers` is a JSON object's text and
 * is taken over (NULL is fine). NULL: no memory; the other calls then do nothing. */
struct entry *journal_begin(struct journal *j, enum endpoint endpoint, const char *method,
                            const char *path, char *headers);
void journal_token(struct journal *j, struct entry *e, bool good, int index);
void journal_body(struct journal *j, struct entry *e, uint64_t received, bool complete,
                  const char *sha256);
void journal_text(struct journal *j, struct entry *e, const char *text);
void journal_status(struct journal *j, struct entry *e, int status);
void journal_end(struct journal *j, struct entry *e, bool aborted);

void journal_clear(struct journal *j);
void journal_write(struct journal *j, struct bytes *out);

#endif
