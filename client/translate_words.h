/*
 * A sentence as words, phrases and marks with their classes: what translate's rules are about.
 *
 * Pure. The text is UTF-8 without control characters (others are read as words of no class) and
 * stays the caller's; a sentence is large (see below) and lives on the stack of who reads it.
 */
#ifndef LIPSYNC_TRANSLATE_WORDS_H
#define LIPSYNC_TRANSLATE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "translate.h"
#include "translate_rules.h"

#define WORDS_REACH_MAX 40 /* units that a verb looks around itself: keeps the work linear */

enum {
    UNIT_SPACED = 1, /* white space before it */
    UNIT_HAN = 2,
    UNIT_CAPITAL = 4, /* a word that begins with a capital */
    UNIT_GERUND = 8,
    UNIT_URL = 16,
};

/* A word, a phrase of the lexicon, or a mark. */
struct unit {
    uint16_t start, end; /* bytes */
    uint16_t pair;       /* of a quotation mark: the other one */
    uint8_t class;       /* enum word_class */
    uint8_t flags;
};

struct sentence {
    const char *text;
    size_t len;
    bool you;     /* it speaks to the user */
    bool url;     /* it has a URL */
    bool chinese; /* its words outside of quotations are */
    size_t count;
    struct unit unit[TRANSLATE_HOLD_MAX];
};

/* Reads at most TRANSLATE_HOLD_MAX bytes. */
void words_read(struct sentence *s, const char *text, size_t len);

/* The first character of a unit, full-width forms and capitals made plain. */
uint32_t words_character(const struct sentence *s, size_t i);

bool words_is_verb(const struct unit *u);

/* The border of a clause: punctuation, "and". */
bool words_is_border(const struct unit *u);
bool words_starts_clause(const struct sentence *s, size_t i);

/* Does it begin with a digit? */
bool words_is_number(const struct sentence *s, size_t i);

/* The first unit from `i` on that is not Markdown's emphasis; may be `count`. */
size_t words_next(const struct sentence *s, size_t i);

#endif
