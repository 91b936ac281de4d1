/*
 * Where in a sentence an instruction stands, which, and from where to where.
 *
 * Pure. All positions are indices of units, but for labels, which are bytes of the text.
 */
#ifndef LIPSYNC_TRANSLATE_FIND_H
#define LIPSYNC_TRANSLATE_FIND_H

#include "translate_sentence.h"
#include "translate_words.h"

/* What is replaced by an advice. */
struct hit {
    enum advice advice;
    bool gerund;
    bool broken_in;          /* it begins inside a clause */
    bool firm;               /* the label is marked as one */
    size_t first, end;       /* never empty */
    size_t label, label_end; /* label_end 0: none */
};

/* Is the verb that of an instruction? What lies before `from` is not touched. */
bool find_hit(const struct sentence *s, const struct sentence_context *c, size_t verb, size_t from,
              struct hit *h);

/* ---- the parts of it ---- */

/* translate_stance.c: what stands before a verb. */
struct stance {
    unsigned position; /* enum position; 0: no instruction */
    bool negated;      /* "don't click", "before you click" */
    bool you;
    size_t chain;            /* the first unit of "you can please" before the verb */
    size_t start;            /* the first unit that belongs to the verb: 把, "in the Text tab" */
    size_t place, place_end; /* place_end 0: none */
    unsigned signs;
};
struct stance find_stance(const struct sentence *s, size_t verb, bool glued);

/* Does somebody in the video do it, who was named before this clause? */
bool find_is_done_by_person(const struct sentence *s, size_t verb);

/* translate_object.c: what stands after a verb. */
struct object {
    unsigned signs;
    bool content;            /* 点击了: tells what was done */
    size_t end;              /* as far as was looked */
    size_t label, label_end; /* label_end 0: none */
    size_t place, place_end; /* place_end 0: none */
};
struct object find_object(const struct sentence *s, size_t verb);

/* Does the clause of the verb end before this unit? */
bool find_ends_clause(const struct sentence *s, size_t verb, size_t i);

/* Something that an instruction can be given "in", "on" or "with"; and the sign that it is then. A
 * corner alone is none: content stands in corners too. */
bool find_is_place(enum word_class class);
unsigned find_sign_of_place(enum word_class class);

#endif
