/*
 * The exact bytes of a value inside a JSON text.
 *
 * A draft must come back from the client as it was sent; a parser that makes numbers of it could
 * not tell. Pure. The text is checked as JSON by whoever calls, before.
 */
#ifndef BACKEND_SPAN_H
#define BACKEND_SPAN_H

#include <stdbool.h>
#include <stddef.h>

/* Finds the value of the last member `key` of the top-level object (parsers let the last one win).
 * The span points into `text`. False if there is none, or the text is no object. */
bool span_member(const char *text, size_t len, const char *key, const char **value,
                 size_t *value_len);

#endif
