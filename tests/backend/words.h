/*
 * What a message asks for, as far as this backend understands English and Chinese.
 *
 * Pure. What is in quotes is content (a title's text), never an instruction.
 */
#ifndef BACKEND_WORDS_H
#define BACKEND_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORDS_MAX 65536 /* bytes of a message that are looked at */
#define WORDS_TITLE_MAX 256

struct wish {
    bool chinese; /* the language of the message, and of the answer */
    bool undo;
    bool sync;
    bool trim;
    int64_t trim_ms; /* new length */
    bool title;
    char title_text[WORDS_TITLE_MAX]; /* "": remove it */
    bool volume;
    double level; /* 1: as recorded */
};

/* Nothing understood: no wish is set. */
void words_read(const char *text, struct wish *out);

bool words_any(const struct wish *w);

#endif
