/*
 * Single UTF-8 characters, as the Encoding standard decodes them: no surrogates, nothing overlong,
 * one U+FFFD for each longest beginning of a character that was not finished. Pure.
 */
#ifndef LIPSYNC_UTF8_H
#define LIPSYNC_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_BAD UINT32_MAX /* no character: show U+FFFD in its place */
#define UTF8_REPLACEMENT "\xef\xbf\xbd"

/* How many bytes the character at `text` has (1-4; `len` must not be 0), and what it is. */
size_t utf8_decode(const char *text, size_t len, uint32_t *character);

/* Writes a character (no surrogate, at most U+10FFFF), returns how many bytes. */
size_t utf8_encode(uint32_t character, char out[4]);

bool utf8_is_valid(const char *text, size_t len);

/* The longest beginning of at most `max` bytes that does not end inside a character. */
size_t utf8_cut(const char *text, size_t len, size_t max);

#endif
