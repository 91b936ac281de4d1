/*
 * The first half of translate: bytes in any split become characters that are fit to be shown.
 *
 * Taken out: control characters other than newline and tab, escape sequences, tokens (nmv_usr_…,
 * clm_…: "***" stands for them) and JSON objects. Bytes that are no UTF-8 become U+FFFD. Pure;
 * holds back a few characters at most; everything else goes to `out` at once, on the caller's
 * thread.
 */
#ifndef LIPSYNC_TRANSLATE_STRIP_H
#define LIPSYNC_TRANSLATE_STRIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STRIP_JSON UINT32_MAX /* given to `out` where JSON was taken out at the start of a line */

#define STRIP_JSON_OPENING_MAX 96 /* characters that show whether a brace opens JSON */
#define STRIP_TOKEN_PREFIX_MAX 8

enum strip_escape {
    STRIP_PLAIN,
    STRIP_ESC,    /* after ESC */
    STRIP_CSI,    /* after ESC [: to its final character */
    STRIP_STRING, /* after ESC ] and its kin: to BEL, ST or the end of the line */
    STRIP_STRING_ESC,
};

enum strip_json {
    STRIP_JSON_NONE,
    STRIP_JSON_OPENING, /* a brace that may open JSON; its characters are held */
    STRIP_JSON_INSIDE,
    STRIP_JSON_AFTER, /* the rest of its line, if blank, goes too */
};

struct strip {
    void (*out)(void *user, uint32_t character);
    void *user;

    char bytes[4]; /* of a character that is not complete */
    size_t byte_count;
    enum strip_escape escape;

    uint32_t prefix[STRIP_TOKEN_PREFIX_MAX]; /* what may become the beginning of a token */
    size_t prefix_count;
    bool in_token;
    bool token_dot; /* a dot after a token: part of it only if it goes on */

    enum strip_json json;
    uint32_t opening[STRIP_JSON_OPENING_MAX];
    size_t opening_count;
    uint32_t quote; /* of the string that we are in, or 0 */
    bool escaped;
    bool blank;       /* nothing but white space since the last newline in the JSON */
    bool whole_lines; /* this JSON began at the start of a line */
    size_t depth;
    bool line_start; /* only white space went out since the last newline */
};

void strip_init(struct strip *s, void (*out)(void *user, uint32_t character), void *user);
void strip_feed(struct strip *s, const char *bytes, size_t len);

/* Lets go of what is held. May be fed again afterwards. */
void strip_finish(struct strip *s);

#endif
