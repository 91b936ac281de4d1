#include "token.h"

#include <string.h>

#include "utf8.h"

uint32_t token_fold(uint32_t c)
{
    if (c >= 0xff01 && c <= 0xff5e)
        c -= 0xff01 - '!';
    if (c >= 'A' && c <= 'Z')
        c += 'a' - 'A';
    return c == 0x2019 ? '\'' : c;
}

static bool is_han(uint32_t c)
{
    return (c >= 0x3400 && c <= 0x9fff) || (c >= 0xf900 && c <= 0xfaff) ||
           (c >= 0x20000 && c <= 0x3ffff);
}

static bool is_space(uint32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200b) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000 || c == 0xfeff;
}

static bool is_plain_alnum(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
}

/* Punctuation and symbols; what is neither these nor Han is taken for a letter. */
static bool is_mark(uint32_t c)
{
    if (c < 0x80)
        return !is_plain_alnum(c);
    return (c >= 0xa1 && c <= 0xbf && c != 0xaa && c != 0xb5 && c != 0xba) || c == 0xd7 ||
           c == 0xf7 || (c >= 0x2010 && c <= 0x2bff) ||
           (c >= 0x3001 && c <= 0x303f && c != 0x3005 && c != 0x3007) ||
           (c >= 0xfe00 && c <= 0xfe6f) || (c >= 0xff61 && c <= 0xff65) ||
           (c >= 0xffe0 && c <= 0xffef) || (c >= 0x1f000 && c <= 0x1faff) ||
           (c >= 0xe0000 && c <= 0xe01ef);
}

static enum token_kind kind_of(uint32_t c)
{
    if (c == UTF8_BAD)
        return TOKEN_BAD;
    if (is_space(c))
        return TOKEN_SPACE;
    if (c < 0x20 || (c >= 0x7f && c <= 0x9f))
        return TOKEN_BAD;
    c = token_fold(c);
    if (is_han(c))
        return TOKEN_HAN;
    return is_mark(c) ? TOKEN_MARK : TOKEN_WORD;
}

static enum token_kind kind_at(const char *text, size_t len, size_t at, size_t *size)
{
    uint32_t c;
    *size = utf8_decode(text + at, len - at, &c);
    return kind_of(c);
}

/* Does the text go on with this plain ASCII, in any case? */
static bool goes_on_with(const char *text, size_t len, size_t at, const char *plain)
{
    size_t n = strlen(plain);
    if (len - at < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (token_fold((unsigned char)text[at + i]) != (unsigned char)plain[i])
            return false;
    }
    return true;
}

static size_t scheme_length(const char *text, size_t len, size_t at)
{
    if (goes_on_with(text, len, at, "http://"))
        return strlen("http://");
    return goes_on_with(text, len, at, "https://") ? strlen("https://") : 0;
}

/* The bytes of a URL at `at`, 0 if there is none. Marks that end a sentence or close a bracket that
 * was opened before the URL are not part of it; nor is a comma before the next URL. */
static size_t url_length(const char *text, size_t len, size_t at)
{
    size_t scheme = scheme_length(text, len, at);
    if (!scheme)
        return 0;

    size_t end = at + scheme;
    long open = 0;
    for (; end < len; end++) {
        char c = text[end];
        if (c <= ' ' || c == 0x7f || strchr("\"<>\\^`{}|", c))
            break;
        if ((c == ',' || c == ';') && end + 1 < len && scheme_length(text, len, end + 1))
            break;
        open += (c == '(') - (c == ')');
        if (open < 0)
            break;
    }
    while (end > at + scheme && strchr(".,;:!?'*", text[end - 1]))
        end--;
    uint32_t host = end > at + scheme ? (unsigned char)text[at + scheme] : 0;
    return is_plain_alnum(token_fold(host)) || host == '[' ? end - at : 0;
}

/* An apostrophe, hyphen or underscore belongs to a word when a letter or digit follows. */
static bool joins_word(const char *text, size_t len, size_t at, size_t size)
{
    uint32_t c;
    utf8_decode(text + at, len - at, &c);
    c = token_fold(c);
    size_t next;
    return (c == '\'' || c == '-' || c == '_') && at + size < len &&
           kind_at(text, len, at + size, &next) == TOKEN_WORD;
}

struct token token_at(const char *text, size_t len, size_t at)
{
    struct token t = {.start = at};
    uint32_t c;
    t.len = utf8_decode(text + at, len - at, &c);
    t.kind = kind_of(c);
    if (t.kind != TOKEN_BAD)
        t.character = token_fold(c);

    if (t.kind == TOKEN_WORD) {
        size_t url = url_length(text, len, at);
        if (url) {
            t.kind = TOKEN_URL;
            t.len = url;
            return t;
        }
    }
    if (t.kind != TOKEN_WORD && t.kind != TOKEN_SPACE)
        return t;
    while (at + t.len < len) {
        size_t size;
        enum token_kind kind = kind_at(text, len, at + t.len, &size);
        if (kind != t.kind && !(t.kind == TOKEN_WORD && kind == TOKEN_MARK &&
                                joins_word(text, len, at + t.len, size)))
            break;
        t.len += size;
    }
    return t;
}

/* How far the text (up to `end`) is the same as the phrase, character by character, words only. */
static size_t same_word(const char *text, size_t at, size_t end, const char **phrase)
{
    while (at < end && **phrase && **phrase != ' ') {
        uint32_t c, wanted;
        size_t size = utf8_decode(text + at, end - at, &c);
        size_t step = utf8_decode(*phrase, strlen(*phrase), &wanted);
        if (c == UTF8_BAD || token_fold(c) != wanted)
            break;
        at += size;
        *phrase += step;
    }
    return at;
}

enum token_match token_match(const char *text, size_t len, size_t at, const char *phrase,
                             bool open_end, size_t *end)
{
    for (;;) {
        if (at == len)
            return open_end ? TOKEN_BEGINS : TOKEN_DIFFERS;
        struct token t = token_at(text, len, at);
        if (t.kind == TOKEN_SPACE)
            return TOKEN_DIFFERS;
        size_t token_end = at + t.len;
        if (same_word(text, at, token_end, &phrase) != token_end)
            return TOKEN_DIFFERS;
        if (t.kind == TOKEN_WORD && *phrase && *phrase != ' ') {
            size_t size;
            if (kind_at(phrase, strlen(phrase), 0, &size) != TOKEN_HAN)
                return open_end && token_end == len ? TOKEN_BEGINS : TOKEN_DIFFERS;
        }
        at = token_end;
        if (!*phrase) {
            *end = at;
            return TOKEN_MATCHES;
        }
        if (*phrase != ' ')
            continue;
        phrase++;
        if (at < len) {
            t = token_at(text, len, at);
            if (t.kind != TOKEN_SPACE)
                return TOKEN_DIFFERS;
            at += t.len;
        }
    }
}
