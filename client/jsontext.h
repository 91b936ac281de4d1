/*
 * JSON as text: values are slices of the bytes they came in, never re-spelled. (Nineteen-digit
 * integers, number spellings, escapes and unknown members survive only so.)
 *
 * Pure. The grammar is RFC 8259 to the letter, nesting is bounded, no function recurses. Inside
 * strings any byte above 0x7f is let through, and made UTF-8 where the string is decoded. Of
 * members with the same name the last one counts, as in JSON.parse. Slices live as long as the
 * text.
 */
#ifndef LIPSYNC_JSONTEXT_H
#define LIPSYNC_JSONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSONTEXT_DEPTH_MAX 512

/* One value, without the white space around it. Only jsontext_parse makes one out of bytes; all
 * other functions take values that go back to it. */
struct jsontext {
    const char *text;
    size_t len;
};

enum jsontext_type {
    JSONTEXT_NULL,
    JSONTEXT_BOOL,
    JSONTEXT_NUMBER,
    JSONTEXT_STRING,
    JSONTEXT_ARRAY,
    JSONTEXT_OBJECT,
};

/* Checks that the bytes are exactly one value (white space around it aside). 0 or -EPROTO. */
int jsontext_parse(const char *text, size_t len, struct jsontext *value);

enum jsontext_type jsontext_type(struct jsontext value);
bool jsontext_is_true(struct jsontext value);

/* The value at a path of member names, ended by NULL: jsontext_find(root, &v, "data", "state",
 * NULL). 0, or -ENOENT if a name is missing or something on the way is no object. */
int jsontext_find(struct jsontext value, struct jsontext *found, ...) __attribute__((sentinel));

/* Walks the members of an object or the elements of an array in their order; nothing for other
 * values. */
struct jsontext_walk {
    const char *at, *end;
    bool object;
};

void jsontext_walk_init(struct jsontext_walk *w, struct jsontext container);

/* False at the end. `name` (may be NULL) gets the member's name, a string; in arrays it is
 * untouched. */
bool jsontext_walk_next(struct jsontext_walk *w, struct jsontext *name, struct jsontext *value);

/* Does the string, decoded, equal `s`? False for all that is no string. */
bool jsontext_equals(struct jsontext string, const char *s);

/* Decodes a string into `out`, cut at a character border, always terminated; lone surrogates, bad
 * bytes and NULs become U+FFFD. Three times its bytes are room for all of it. Returns the length; 0
 * and "" for all that is no string. */
size_t jsontext_copy(struct jsontext string, char *out, size_t size);

/* A number, or a string that spells one. 0, or -EINVAL: neither. Out of range is clamped. The
 * integer is cut towards zero. Does not depend on the locale. */
int jsontext_double(struct jsontext value, double *out);
int jsontext_int64(struct jsontext value, int64_t *out);

/* FNV-1a (64 bits) over the tokens: the same for texts that differ in white space between tokens
 * only. */
uint64_t jsontext_fingerprint(struct jsontext value);

struct buffer;

/* Adds UTF-8 text as a JSON string, quotes included. 0, -EILSEQ if it is no UTF-8, or the buffer's
 * error. */
int jsontext_quote(struct buffer *b, const char *text, size_t len);

#endif
