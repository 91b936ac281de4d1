/*
 * Words, Chinese characters and marks of a text, and the comparison of phrases with them: what
 * routing and the GUI text have in common.
 *
 * Pure. A text is any bytes; nothing is copied or allocated, a token points into the text. Phrases
 * of the rule tables are lower case, their English words are separated by one space, Chinese has
 * none. They are found in any case, full-width or not, whatever white space is between the words.
 */
#ifndef LIPSYNC_TOKEN_H
#define LIPSYNC_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum token_kind {
    TOKEN_SPACE, /* a run of white space */
    TOKEN_WORD, /* letters and digits, with the apostrophes, hyphens and underscores between them */
    TOKEN_HAN,  /* one Chinese character */
    TOKEN_URL,  /* http:// or https:// with a host, as far as a URL's characters go */
    TOKEN_MARK, /* one other character */
    TOKEN_BAD,  /* bytes that are no UTF-8, or a control character */
};

struct token {
    enum token_kind kind;
    size_t start, len;  /* bytes of the text */
    uint32_t character; /* the first one, full-width forms made plain; 0 for TOKEN_BAD */
};

/* The token that begins at `at`, which must be less than `len`. */
struct token token_at(const char *text, size_t len, size_t at);

/* Upper case, full-width forms and the curly apostrophe made plain. */
uint32_t token_fold(uint32_t character);

enum token_match {
    TOKEN_DIFFERS,
    TOKEN_MATCHES,
    TOKEN_BEGINS, /* the text ends inside the phrase */
};

/* Compares the text from `at` (the start of a token) with a phrase. TOKEN_MATCHES: *end is where
 * the token after the phrase begins. A word at the very end of the text may be one that only began:
 * with `open_end`, such a text may also "begin" the phrase. */
enum token_match token_match(const char *text, size_t len, size_t at, const char *phrase,
                             bool open_end, size_t *end);

#endif
