/*
 * The second half of translate: one sentence, in which instructions to use a GUI become what users
 * of files can do. Everything else goes out byte for byte. Pure; time and memory are linear in the
 * length, which is at most TRANSLATE_HOLD_MAX.
 *
 * A sentence is read as words with classes (translate_rules.h). A verb of a GUI, where an
 * instruction can stand ("click", "you can click"; not "the man clicks"), with the signs that a
 * rule asks for ("the Audio panel"), makes its clause an instruction; the clause is replaced, its
 * neighbours stay.
 */
#ifndef LIPSYNC_TRANSLATE_SENTENCE_H
#define LIPSYNC_TRANSLATE_SENTENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "translate_rules.h"

/* What one sentence of an answer has to know of those before it. Zero at the start of an answer. */
struct sentence_context {
    bool manual;         /* an export is advised, not wished for */
    bool glued;          /* what went before ended within a word: no clause begins here */
    bool exporting;      /* it was said that the video is being exported */
    bool in_steps;       /* the last item of the numbered list was an instruction */
    enum advice repeats; /* the last sentence was this advice and nothing else */
};

typedef void sentence_out_fn(void *user, const char *text, size_t len);

/* Gives the sentence to `out`, in pieces or not at all. Returns wishes (enum translate_wish). */
unsigned sentence_rewrite(struct sentence_context *c, const char *text, size_t len,
                          sentence_out_fn *out, void *user);

/* The same for a sentence that is known not to be open (below). */
void sentence_pass(struct sentence_context *c, const char *text, size_t len, sentence_out_fn *out,
                   void *user);

/* Is there an instruction in it, or could there be if its end is none ("Open the v1.")? */
bool sentence_is_open(const char *text, size_t len);

/* Does it end where an instruction must go on ("click the")? */
bool sentence_is_dangling(const char *text, size_t len);

/* Where to cut a text without a sentence's end, after its middle and before what may be an
 * instruction. */
size_t sentence_cut(const char *text, size_t len);

#endif
