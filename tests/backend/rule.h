/*
 * One fault rule: its spelling as JSON, and its effects.
 *
 * Plain data; the strings that it points to belong to the JSON it was read from, which outlives it.
 */
#ifndef BACKEND_RULE_H
#define BACKEND_RULE_H

#include <cjson/cJSON.h>

#include "faults.h"

struct rule {
    int endpoint;     /* -1: all but "accept" */
    const char *path; /* a part of the path, or NULL */
    uint64_t from, to;
    uint64_t seen;
    char *file; /* contents of body_file or events_file */
    char *retry_after;
    struct effects fx; /* what it sets; `set` tells which */
    uint64_t set;
};

/* False, and `words` says why, if it makes no sense. Release it in any case. */
bool rule_read(struct rule *r, const cJSON *json, char words[FAULTS_WORDS_MAX]);
void rule_release(struct rule *r);

/* Adds its effects to those of the rules before. */
void rule_apply(const struct rule *r, struct effects *out);

#endif
