/*
 * What an edit works on, and its spelling as a draft.
 *
 * A timeline here has at most one clip, one voiceover and one title; drafts that this backend did
 * not write are read as far as they look like that. Pure. A draft is hostile input: it comes from
 * the client.
 */
#ifndef BACKEND_TIMELINE_H
#define BACKEND_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "ids.h"

#define TIMELINE_NAME_MAX 512

struct segment {
    bool used;
    char material[ID_MAX];        /* of the upload; "" for a title */
    char name[TIMELINE_NAME_MAX]; /* the file's, or the title's text */
    int64_t start_ms;             /* on the timeline */
    int64_t duration_ms;
    int64_t source_ms; /* where in the material it begins */
    double volume;     /* 1: as recorded */
};

struct timeline {
    int64_t duration_ms;
    int revision;
    struct segment clip;
    struct segment voice;
    struct segment title;
};

/* As a draft: keys t, tt, sg, d, m, and values that only come back unharmed if nobody re-spells
 * them. */
void timeline_write(const struct timeline *t, struct bytes *out);

/* 0, or -EPROTO: no draft at all. */
int timeline_read(const char *draft, size_t len, struct timeline *out);

#endif
