#include "translate_strip.h"

#include <string.h>

#include "utf8.h"

#define REPLACEMENT 0xfffd

static const char *const token_prefixes[] = {"nmv_usr_", "clm_"};
static const char token_stand_in[] = "***";

/* ---- JSON ---- */

static void emit(struct strip *s, uint32_t c)
{
    if (c == '\n')
        s->line_start = true;
    else if (c != ' ' && c != '\t')
        s->line_start = false;
    s->out(s->user, c);
}

enum verdict { NO, MAYBE, YES };

static size_t skip_space(const uint32_t *c, size_t count, size_t at)
{
    while (at < count && (c[at] == ' ' || c[at] == '\t' || c[at] == '\n'))
        at++;
    return at;
}

/* Is this the opening of an object, {"key": or, with whole lines, {}; or of an array of objects?
 * Python's spelling, with single quotes, counts too. */
static enum verdict opens_json(const uint32_t *c, size_t count, bool whole_lines)
{
    size_t at = 0;
    if (c[at] == '[')
        at = skip_space(c, count, at + 1);
    if (at == count)
        return MAYBE;
    if (c[at] != '{')
        return NO;
    at = skip_space(c, count, at + 1);
    if (at == count)
        return MAYBE;
    if (c[at] == '}')
        return whole_lines ? YES : NO;
    uint32_t quote = c[at];
    if (quote != '"' && quote != '\'')
        return NO;
    for (at++; at < count && c[at] != quote; at++) {
        if (c[at] == '\n' || c[at] == '{')
            return NO;
    }
    if (at == count)
        return MAYBE;
    at = skip_space(c, count, at + 1);
    if (at == count)
        return MAYBE;
    return c[at] == ':' ? YES : NO;
}

static void json_inside(struct strip *s, uint32_t c)
{
    if (c == '\n') {
        /* No JSON string goes over a line's end, and no blank line is in it: it was cut off. */
        s->quote = 0;
        if (s->blank) {
            s->json = STRIP_JSON_NONE;
            return;
        }
        s->blank = true;
        return;
    }
    if (c != ' ' && c != '\t')
        s->blank = false;

    if (s->quote) {
        if (s->escaped)
            s->escaped = false;
        else if (c == '\\')
            s->escaped = true;
        else if (c == s->quote)
            s->quote = 0;
    } else if (c == '"' || c == '\'') {
        s->quote = c;
    } else if (c == '{' || c == '[') {
        s->depth++;
    } else if ((c == '}' || c == ']') && --s->depth == 0) {
        s->json = s->whole_lines ? STRIP_JSON_AFTER : STRIP_JSON_NONE;
    }
}

static void json_begin(struct strip *s)
{
    s->json = STRIP_JSON_INSIDE;
    s->quote = 0;
    s->escaped = false;
    s->blank = false;
    s->depth = 0;
    if (s->whole_lines)
        s->out(s->user, STRIP_JSON);
    for (size_t i = 0; i < s->opening_count; i++)
        json_inside(s, s->opening[i]);
    s->opening_count = 0;
}

static void json_push(struct strip *s, uint32_t c);

/* The brace opened no JSON: it goes out, and the next one is looked at. */
static void json_give_back(struct strip *s)
{
    uint32_t held[STRIP_JSON_OPENING_MAX];
    size_t count = s->opening_count;
    memcpy(held, s->opening, count * sizeof(held[0]));
    s->opening_count = 0;
    s->json = STRIP_JSON_NONE;
    emit(s, held[0]);
    for (size_t i = 1; i < count; i++)
        json_push(s, held[i]);
}

static void json_push(struct strip *s, uint32_t c)
{
    if (s->json == STRIP_JSON_AFTER) {
        if (c == ' ' || c == '\t')
            return;
        s->json = STRIP_JSON_NONE;
        if (c == '\n')
            return;
    }
    if (s->json == STRIP_JSON_INSIDE) {
        json_inside(s, c);
        return;
    }
    if (s->json == STRIP_JSON_NONE) {
        if (c != '{' && c != '[') {
            emit(s, c);
            return;
        }
        s->json = STRIP_JSON_OPENING;
        s->whole_lines = s->line_start;
    }

    s->opening[s->opening_count++] = c;
    switch (opens_json(s->opening, s->opening_count, s->whole_lines)) {
    case YES:
        json_begin(s);
        break;
    case MAYBE:
        if (s->opening_count < STRIP_JSON_OPENING_MAX)
            break;
        json_give_back(s);
        break;
    case NO:
        json_give_back(s);
        break;
    }
}

/* ---- tokens ---- */

static bool is_token_character(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-' || c == '+' || c == '/' || c == '=' || c == '~' || c == '%';
}

/* How the held characters stand to the prefixes: NO: the beginning of none, YES: all of one. */
static enum verdict opens_token(const struct strip *s)
{
    enum verdict best = NO;
    for (size_t i = 0; i < sizeof(token_prefixes) / sizeof(token_prefixes[0]); i++) {
        size_t n = strlen(token_prefixes[i]), same = 0;
        while (same < s->prefix_count && same < n &&
               s->prefix[same] == (unsigned char)token_prefixes[i][same])
            same++;
        if (same == n)
            return YES;
        if (same == s->prefix_count)
            best = MAYBE;
    }
    return best;
}

static void prefix_drop_first(struct strip *s)
{
    s->prefix_count--;
    memmove(s->prefix, s->prefix + 1, s->prefix_count * sizeof(s->prefix[0]));
}

static void token_push(struct strip *s, uint32_t c)
{
    if (s->in_token) {
        if (is_token_character(c)) {
            s->token_dot = false;
            return;
        }
        if (c == '.' && !s->token_dot) {
            s->token_dot = true;
            return;
        }
        if (s->token_dot)
            json_push(s, '.');
        s->in_token = s->token_dot = false;
    }

    s->prefix[s->prefix_count++] = c;
    while (s->prefix_count) {
        enum verdict verdict = opens_token(s);
        if (verdict == MAYBE)
            return;
        if (verdict == YES) {
            for (const char *p = token_stand_in; *p; p++)
                json_push(s, (unsigned char)*p);
            s->prefix_count = 0;
            s->in_token = true;
            return;
        }
        json_push(s, s->prefix[0]);
        prefix_drop_first(s);
    }
}

/* ---- control characters ---- */

/* True: the character belongs to an escape sequence. */
static bool in_escape(struct strip *s, uint32_t c)
{
    enum strip_escape was = s->escape;
    switch (was) {
    case STRIP_PLAIN:
        return false;
    case STRIP_ESC:
    case STRIP_STRING_ESC:
        s->escape = STRIP_PLAIN;
        if (c == '[')
            s->escape = STRIP_CSI;
        else if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_')
            s->escape = STRIP_STRING;
        else if (c >= 0x20 && c <= 0x2f)
            s->escape = STRIP_ESC;
        return c >= 0x20 && c <= 0x7e;
    case STRIP_CSI:
        if (c >= 0x20 && c <= 0x3f)
            return true;
        s->escape = STRIP_PLAIN;
        return c >= 0x40 && c <= 0x7e;
    case STRIP_STRING:
        if (c == 0x1b)
            s->escape = STRIP_STRING_ESC;
        else if (c == 0x07 || c == 0x9c || c == '\n')
            s->escape = STRIP_PLAIN;
        return c != '\n';
    }
    return false;
}

static void control_push(struct strip *s, uint32_t c)
{
    if (in_escape(s, c))
        return;
    switch (c) {
    case 0x1b:
        s->escape = STRIP_ESC;
        return;
    case 0x9b:
        s->escape = STRIP_CSI;
        return;
    case 0x90:
    case 0x98:
    case 0x9d:
    case 0x9e:
    case 0x9f:
        s->escape = STRIP_STRING;
        return;
    default:
        if ((c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7f && c <= 0x9f))
            return;
        token_push(s, c);
    }
}

/* ---- bytes ---- */

static void byte_push(struct strip *s, char byte)
{
    s->bytes[s->byte_count++] = byte;
    while (s->byte_count) {
        uint32_t c;
        size_t size = utf8_decode(s->bytes, s->byte_count, &c);
        unsigned char lead = (unsigned char)s->bytes[0];
        if (c == UTF8_BAD && size == s->byte_count && lead >= 0xc2 && lead <= 0xf4)
            return; /* more of it may come */
        control_push(s, c == UTF8_BAD ? REPLACEMENT : c);
        s->byte_count -= size;
        memmove(s->bytes, s->bytes + size, s->byte_count);
    }
}

void strip_init(struct strip *s, void (*out)(void *user, uint32_t character), void *user)
{
    *s = (struct strip){.out = out, .user = user, .line_start = true};
}

void strip_feed(struct strip *s, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        byte_push(s, bytes[i]);
}

void strip_finish(struct strip *s)
{
    if (s->byte_count)
        control_push(s, REPLACEMENT);
    for (size_t i = 0; i < s->prefix_count; i++)
        json_push(s, s->prefix[i]);
    if (s->token_dot)
        json_push(s, '.');
    while (s->json == STRIP_JSON_OPENING)
        json_give_back(s);
    strip_init(s, s->out, s->user);
}
