#include "jsontext.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* ---- tokens ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && is_space(*p))
        p++;
    return p;
}

static bool is_hex_digit(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Each scan_ function takes a token's first byte and returns the byte behind it, NULL if it is
 * malformed. */

static const char *scan_escape(const char *p, const char *end)
{
    if (p >= end)
        return NULL;
    if (*p != 'u')
        return strchr("\"\\/bfnrt", *p) && *p ? p + 1 : NULL;
    if (end - p < 5)
        return NULL;
    for (int i = 1; i <= 4; i++)
        if (!is_hex_digit(p[i]))
            return NULL;
    return p + 5;
}

static const char *scan_string(const char *p, const char *end)
{
    p++;
    while (p < end) {
        unsigned char c = (unsigned char)*p;
        if (c == '"')
            return p + 1;
        if (c < 0x20)
            return NULL;
        p++;
        if (c == '\\' && !(p = scan_escape(p, end)))
            return NULL;
    }
    return NULL;
}

static const char *scan_digits(const char *p, const char *end)
{
    if (p >= end || !is_digit(*p))
        return NULL;
    while (p < end && is_digit(*p))
        p++;
    return p;
}

static const char *scan_number(const char *p, const char *end)
{
    if (*p == '-')
        p++;
    if (p < end && *p == '0')
        p++;
    else if (!(p = scan_digits(p, end)))
        return NULL;
    if (p < end && *p == '.' && !(p = scan_digits(p + 1, end)))
        return NULL;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        p = scan_digits(p, end);
    }
    return p;
}

static const char *scan_word(const char *p, const char *end, const char *word)
{
    size_t len = strlen(word);
    return (size_t)(end - p) >= len && !memcmp(p, word, len) ? p + len : NULL;
}

static const char *scan_scalar(const char *p, const char *end)
{
    switch (*p) {
    case '"':
        return scan_string(p, end);
    case 't':
        return scan_word(p, end, "true");
    case 'f':
        return scan_word(p, end, "false");
    case 'n':
        return scan_word(p, end, "null");
    default:
        return scan_number(p, end);
    }
}

/* ---- values ---- */

/* The open containers of a scan, one bit each: is it an object? */
struct nesting {
    unsigned char object[JSONTEXT_DEPTH_MAX / 8];
    size_t depth;
};

static bool nest(struct nesting *n, bool object)
{
    if (n->depth == JSONTEXT_DEPTH_MAX)
        return false;
    unsigned char bit = (unsigned char)(1u << n->depth % 8);
    if (object)
        n->object[n->depth / 8] |= bit;
    else
        n->object[n->depth / 8] &= (unsigned char)~bit;
    n->depth++;
    return true;
}

static bool in_object(const struct nesting *n)
{
    size_t top = n->depth - 1;
    return n->object[top / 8] >> top % 8 & 1;
}

/* A member's name and its colon, up to the value. */
static const char *scan_name(const char *p, const char *end)
{
    p = skip_space(p, end);
    if (p >= end || *p != '"' || !(p = scan_string(p, end)))
        return NULL;
    p = skip_space(p, end);
    return p < end && *p == ':' ? p + 1 : NULL;
}

/* Closes what ends behind a value, up to where the next value begins; *done: there is none. */
static const char *scan_after_value(const char *p, const char *end, struct nesting *n, bool *done)
{
    while (n->depth) {
        bool object = in_object(n);
        p = skip_space(p, end);
        if (p >= end)
            return NULL;
        if (*p == ',')
            return object ? scan_name(p + 1, end) : p + 1;
        if (*p != (object ? '}' : ']'))
            return NULL;
        p++;
        n->depth--;
    }
    *done = true;
    return p;
}

/* The one grammar: a value of any kind from its first byte on; NULL if it is malformed or too deep.
 */
static const char *scan_value(const char *p, const char *end)
{
    struct nesting n = {.depth = 0};
    bool done = false;
    while (p && !done) {
        p = skip_space(p, end);
        if (p >= end)
            return NULL;
        if (*p == '{' || *p == '[') {
            bool object = *p == '{';
            if (!nest(&n, object))
                return NULL;
            p = skip_space(p + 1, end);
            if (p < end && *p == (object ? '}' : ']'))
                p = scan_after_value(p, end, &n, &done);
            else if (object)
                p = scan_name(p, end);
        } else {
            p = scan_scalar(p, end);
            if (p)
                p = scan_after_value(p, end, &n, &done);
        }
    }
    return p;
}

int jsontext_parse(const char *text, size_t len, struct jsontext *value)
{
    const char *end = text + len;
    const char *start = skip_space(text, end);
    if (start == end)
        return -EPROTO;
    const char *stop = scan_value(start, end);
    if (!stop || skip_space(stop, end) != end)
        return -EPROTO;
    value->text = start;
    value->len = (size_t)(stop - start);
    return 0;
}

enum jsontext_type jsontext_type(struct jsontext value)
{
    switch (value.text[0]) {
    case '{':
        return JSONTEXT_OBJECT;
    case '[':
        return JSONTEXT_ARRAY;
    case '"':
        return JSONTEXT_STRING;
    case 't':
    case 'f':
        return JSONTEXT_BOOL;
    case 'n':
        return JSONTEXT_NULL;
    default:
        return JSONTEXT_NUMBER;
    }
}

bool jsontext_is_true(struct jsontext value)
{
    return value.text[0] == 't';
}

/* ---- walking ---- */

void jsontext_walk_init(struct jsontext_walk *w, struct jsontext container)
{
    enum jsontext_type type = jsontext_type(container);
    w->object = type == JSONTEXT_OBJECT;
    w->at = w->end = container.text + container.len;
    if (w->object || type == JSONTEXT_ARRAY) {
        w->at = container.text + 1;
        w->end--;
    }
}

/* A value that jsontext_parse has seen: where it ends, without checking it again. */
static const char *skip_value(const char *p, const char *end)
{
    size_t depth = 0;
    do {
        switch (*p) {
        case '"':
            for (p++; p < end && *p != '"'; p++)
                if (*p == '\\')
                    p++;
            p++;
            break;
        case '{':
        case '[':
            depth++;
            p++;
            break;
        case '}':
        case ']':
            depth--;
            p++;
            break;
        default:
            p++;
            if (!depth)
                while (p < end && *p != ',' && *p != '}' && *p != ']' && !is_space(*p))
                    p++;
        }
    } while (depth && p < end);
    return p < end ? p : end;
}

bool jsontext_walk_next(struct jsontext_walk *w, struct jsontext *name, struct jsontext *value)
{
    const char *p = w->at;
    while (p < w->end && (is_space(*p) || *p == ','))
        p++;
    if (p >= w->end) {
        w->at = w->end;
        return false;
    }
    if (w->object) {
        const char *stop = skip_value(p, w->end);
        if (name)
            *name = (struct jsontext){p, (size_t)(stop - p)};
        p = skip_space(stop, w->end);
        if (p < w->end && *p == ':')
            p++;
        p = skip_space(p, w->end);
        if (p >= w->end)
            return false;
    }
    w->at = skip_value(p, w->end);
    *value = (struct jsontext){p, (size_t)(w->at - p)};
    return true;
}

static int find_member(struct jsontext object, const char *key, struct jsontext *found)
{
    if (jsontext_type(object) != JSONTEXT_OBJECT)
        return -ENOENT;
    int err = -ENOENT;
    struct jsontext_walk w;
    struct jsontext name, value;
    jsontext_walk_init(&w, object);
    while (jsontext_walk_next(&w, &name, &value)) {
        if (jsontext_equals(name, key)) {
            *found = value;
            err = 0;
        }
    }
    return err;
}

int jsontext_find(struct jsontext value, struct jsontext *found, ...)
{
    va_list path;
    va_start(path, found);
    int err = 0;
    const char *key;
    while (!err && (key = va_arg(path, const char *)))
        err = find_member(value, key, &value);
    va_end(path);
    if (!err)
        *found = value;
    return err;
}

/* ---- fingerprint ---- */

uint64_t jsontext_fingerprint(struct jsontext value)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    bool in_string = false;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.text[i];
        if (!in_string && is_space(c))
            continue;
        hash = (hash ^ (unsigned char)c) * UINT64_C(0x100000001b3);
        if (c == '"')
            in_string = !in_string;
        /* The byte behind a backslash ends no string. */
        if (in_string && c == '\\' && i + 1 < value.len)
            hash = (hash ^ (unsigned char)value.text[++i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}
