/*
 * The first step of translate: bytes in any split become characters that are fit to be shown.
 *
 * Control characters other than newline and tab, and escape sequences, are taken out; bytes that
 * are no UTF-8 become U+FFFD. Pure. Nothing is held back but the bytes of a character that is not
 * complete.
 */
#ifndef LIPSYNC_TRANSLATE_STRIP_H
#define LIPSYNC_TRANSLATE_STRIP_H

#include <stddef.h>
#include <stdint.h>

enum strip_escape {
    STRIP_PLAIN,
    STRIP_ESC,    /* after ESC */
    STRIP_CSI,    /* after ESC [: to its final character */
    STRIP_STRING, /* after ESC ] and its kin: to BEL, ST or the end of the line */
    STRIP_STRING_ESC,
};

struct strip {
    void (*out)(void *user, const char *character, size_t size);
    void *user;
    char bytes[4]; /* of a character that is not complete */
    size_t count;
    enum strip_escape escape;
};

/* `out` gets one character at a time, on the caller's thread, inside feed and finish only. */
void strip_init(struct strip *s, void (*out)(void *user, const char *character, size_t size),
                void *user);
void strip_feed(struct strip *s, const char *bytes, size_t len);

/* The text ends here. May be fed again afterwards. */
void strip_finish(struct strip *s);

#endif
