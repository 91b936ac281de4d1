#include "utf8.h"

#include <string.h>

size_t utf8_decode(const char *text, size_t len, uint32_t *character)
{
    unsigned char first = (unsigned char)text[0];
    if (first < 0x80) {
        *character = first;
        return 1;
    }

    /* Which second bytes are allowed keeps out overlong forms, surrogates and what is beyond
     * U+10FFFF. */
    unsigned char low = 0x80, high = 0xbf;
    size_t needed;
    uint32_t value;
    if (first >= 0xc2 && first <= 0xdf) {
        needed = 1;
        value = first & 0x1fu;
    } else if (first >= 0xe0 && first <= 0xef) {
        needed = 2;
        value = first & 0x0fu;
        if (first == 0xe0)
            low = 0xa0;
        if (first == 0xed)
            high = 0x9f;
    } else if (first >= 0xf0 && first <= 0xf4) {
        needed = 3;
        value = first & 0x07u;
        if (first == 0xf0)
            low = 0x90;
        if (first == 0xf4)
            high = 0x8f;
    } else {
        *character = UTF8_BAD;
        return 1;
    }

    for (size_t i = 1; i <= needed; i++) {
        unsigned char next = i < len ? (unsigned char)text[i] : 0;
        if (next < low || next > high) {
            *character = UTF8_BAD;
            return i;
        }
        value = value << 6 | (next & 0x3fu);
        low = 0x80;
        high = 0xbf;
    }
    *character = value;
    return needed + 1;
}

size_t utf8_encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

bool utf8_is_valid(const char *text, size_t len)
{
    while (len) {
        uint32_t c;
        size_t n = utf8_decode(text, len, &c);
        if (c == UTF8_BAD)
            return false;
        text += n;
        len -= n;
    }
    return true;
}

size_t utf8_cut(const char *text, size_t len, size_t max)
{
    if (len <= max)
        return len;
    size_t cut = max;
    while (cut && max - cut < 4 && ((unsigned char)text[cut] & 0xc0) == 0x80)
        cut--;
    return cut;
}
