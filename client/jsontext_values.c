/* What the scalar values mean: strings decoded and encoded, numbers. */
#include "jsontext.h"

#include <errno.h>
#include <string.h>

#include "buffer.h"
#include "utf8.h"

/* ---- strings ---- */

static uint32_t hex4(const char *p)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t letter = (uint32_t)(p[i] | 0x20);
        value = value << 4 | (letter >= 'a' ? letter - 'a' + 10 : letter - '0');
    }
    return value;
}

/* Decodes the escape behind a backslash; returns where it ends. */
static const char *decode_escape(const char *p, const char *end, uint32_t *c)
{
    static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
    if (*p != 'u') {
        const char *name = strchr(names, *p);
        *c = (unsigned char)(name ? values[name - names] : *p);
        return p + 1;
    }
    *c = hex4(p + 1);
    p += 5;
    if (*c < 0xd800 || *c > 0xdfff)
        return p;
    if (*c < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        uint32_t low = hex4(p + 2);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);
            return p + 6;
        }
    }
    *c = UTF8_BAD;
    return p;
}

/* A string's characters, one after the other: the UTF-8 of each in piece[0..n), 0 at the end. */
struct string_walk {
    const char *at, *end;
};

static bool string_walk_init(struct string_walk *w, struct jsontext string)
{
    if (jsontext_type(string) != JSONTEXT_STRING)
        return false;
    w->at = string.text + 1;
    w->end = string.text + string.len - 1;
    return true;
}

static size_t string_walk_next(struct string_walk *w, char piece[4])
{
    uint32_t c;
    if (w->at >= w->end)
        return 0;
    if (*w->at == '\\')
        w->at = decode_escape(w->at + 1, w->end, &c);
    else
        w->at += utf8_decode(w->at, (size_t)(w->end - w->at), &c);
    if (c == UTF8_BAD || c == 0)
        c = 0xfffd;
    return utf8_encode(c, piece);
}

bool jsontext_equals(struct jsontext string, const char *s)
{
    struct string_walk w;
    char piece[4];
    size_t n, len = strlen(s);
    if (!string_walk_init(&w, string))
        return false;
    while ((n = string_walk_next(&w, piece))) {
        if (n > len || memcmp(piece, s, n))
            return false;
        s += n;
        len -= n;
    }
    return !len;
}

size_t jsontext_copy(struct jsontext string, char *out, size_t size)
{
    struct string_walk w;
    char piece[4];
    size_t n, len = 0;
    if (string_walk_init(&w, string)) {
        while ((n = string_walk_next(&w, piece)) && n < size - len) {
            memcpy(out + len, piece, n);
            len += n;
        }
    }
    out[len] = '\0';
    return len;
}

int jsontext_quote(struct buffer *b, const char *text, size_t len)
{
    static const char escapes[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    if (!utf8_is_valid(text, len))
        return -EILSEQ;
    buffer_add(b, "\"", 1);
    size_t done = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buffer_add(b, text + done, i - done);
        const char *escape = c ? strchr(escapes, c) : NULL;
        if (escape)
            buffer_addf(b, "\\%c", names[escape - escapes]);
        else
            buffer_addf(b, "\\u%04x", c);
        done = i + 1;
    }
    buffer_add(b, text + done, len - done);
    buffer_add(b, "\"", 1);
    return buffer_error(b);
}

/* ---- numbers ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits of a number as an integer and a power of ten. strtod would ask the locale for its
 * decimal point. */
struct decimal {
    bool negative;
    uint64_t digits; /* the first 19 */
    int64_t exponent;
};

#define EXPONENT_MAX 100000

/* Digits into d->digits; `scale` is what one digit does to the exponent (-1 behind the point). */
static const char *read_digits(const char *p, const char *end, int scale, struct decimal *d)
{
    for (; p < end && is_digit(*p); p++) {
        if (d->digits < UINT64_C(1000000000000000000)) {
            d->digits = d->digits * 10 + (uint64_t)(*p - '0');
            d->exponent += scale;
        } else if (d->exponent < EXPONENT_MAX) {
            d->exponent += scale + 1;
        }
    }
    return p;
}

static void read_decimal(const char *p, const char *end, struct decimal *d)
{
    memset(d, 0, sizeof(*d));
    if (*p == '-') {
        d->negative = true;
        p++;
    }
    p = read_digits(p, end, 0, d);
    if (p < end && *p == '.')
        p = read_digits(p + 1, end, -1, d);
    if (p == end)
        return;
    bool negative = p[1] == '-';
    int64_t exponent = 0;
    for (p++; p < end; p++)
        if (is_digit(*p) && exponent < EXPONENT_MAX)
            exponent = exponent * 10 + (*p - '0');
    d->exponent += negative ? -exponent : exponent;
}

/* A number's text, also from inside a string. */
static bool number_of(struct jsontext value, struct decimal *d)
{
    if (jsontext_type(value) == JSONTEXT_STRING &&
        jsontext_parse(value.text + 1, value.len - 2, &value))
        return false;
    if (jsontext_type(value) != JSONTEXT_NUMBER)
        return false;
    read_decimal(value.text, value.text + value.len, d);
    return true;
}

int jsontext_double(struct jsontext value, double *out)
{
    struct decimal d;
    if (!number_of(value, &d))
        return -EINVAL;
    long double x = (long double)d.digits;
    long double limit = 1e300L;
    for (; d.exponent > 0 && x && x < limit; d.exponent--)
        x *= 10;
    for (; d.exponent < 0 && x > 1e-300L; d.exponent++)
        x /= 10;
    if (d.exponent < 0)
        x = 0;
    if (x > limit)
        x = limit;
    *out = (double)(d.negative ? -x : x);
    return 0;
}

int jsontext_int64(struct jsontext value, int64_t *out)
{
    struct decimal d;
    if (!number_of(value, &d))
        return -EINVAL;
    uint64_t x = d.digits;
    for (; d.exponent < 0 && x; d.exponent++)
        x /= 10;
    for (; d.exponent > 0 && x && x <= INT64_MAX; d.exponent--)
        x = x > INT64_MAX / 10 ? UINT64_MAX : x * 10;
    if (x > INT64_MAX)
        *out = d.negative ? INT64_MIN : INT64_MAX;
    else
        *out = d.negative ? -(int64_t)x : (int64_t)x;
    return 0;
}
