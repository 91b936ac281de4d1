#include "scrub.h"

#include <string.h>

enum {
    PLAIN,
    PREFIX,    /* held: the beginning of a token's prefix */
    TOKEN,     /* inside a token */
    BRACKETS,  /* held: brackets and white space */
    NAME,      /* held: and the beginning of a quoted name */
    NAME_DONE, /* held: and its closing quote */
    JSON,      /* inside JSON: nothing is held, all is left out */
};

static const char *const PREFIXES[] = {"nmv_", "clm_"};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_token(char c)
{
    return is_word(c) || c == '-' || c == '.' || c == '~' || c == '+' || c == '/' || c == '=';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void scrub_init(struct scrub *s, scrub_out_fn *out, void *user)
{
    memset(s, 0, sizeof(*s));
    s->out = out;
    s->user = user;
    s->state = PLAIN;
}

static void show(struct scrub *s, const char *text, size_t len)
{
    if (len)
        s->out(s->user, text, len);
}

static void remember(struct scrub *s, char c)
{
    s->tail = s->tail << 8 | (unsigned char)c;
}

/* A token inside a word: nothing was held, so its prefix is out. */
static bool ends_prefix(const struct scrub *s)
{
    for (size_t i = 0; i < sizeof(PREFIXES) / sizeof(*PREFIXES); i++) {
        uint32_t prefix = 0;
        for (const char *p = PREFIXES[i]; *p; p++)
            prefix = prefix << 8 | (unsigned char)*p;
        if (s->tail == prefix)
            return true;
    }
    return false;
}

static void begin_token(struct scrub *s)
{
    show(s, "***", 3);
    s->held_len = 0;
    s->tail = '*';
    s->state = TOKEN;
}

/* Shows what is held as the plain text that it turned out to be; but for a token in it. */
static void let_go(struct scrub *s)
{
    size_t len = s->held_len, plain = 0;
    s->held_len = 0;
    s->state = PLAIN;
    for (size_t i = 0; i < len; i++) {
        if (s->state == TOKEN) {
            if (is_token(s->held[i]))
                continue;
            s->state = PLAIN;
            plain = i;
        }
        remember(s, s->held[i]);
        if (ends_prefix(s)) {
            show(s, s->held + plain, i + 1 - plain);
            begin_token(s);
        }
    }
    if (s->state == PLAIN)
        show(s, s->held + plain, len - plain);
}

/* Is what is held the beginning of a token's prefix; *whole: all of one? */
static bool is_prefix(const struct scrub *s, bool *whole)
{
    for (size_t i = 0; i < sizeof(PREFIXES) / sizeof(*PREFIXES); i++) {
        if (!strncmp(PREFIXES[i], s->held, s->held_len)) {
            *whole = !PREFIXES[i][s->held_len];
            return true;
        }
    }
    return false;
}

static void begin(struct scrub *s, int state, char c)
{
    s->held[0] = c;
    s->held_len = 1;
    s->depth = 0;
    s->quote = 0;
    s->escaped = false;
    s->state = state;
}

/* One byte of a string or between strings of JSON. */
static void track_json(struct scrub *s, char c)
{
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
    } else if (c == '}' || c == ']') {
        s->depth--;
        if (!s->depth)
            s->state = PLAIN;
    }
}

static void count_brackets(struct scrub *s)
{
    for (size_t i = 0; i < s->held_len && s->held[i] != '"' && s->held[i] != '\''; i++)
        s->depth += s->held[i] == '{' || s->held[i] == '[';
}

/* Does one more byte fit what is held? */
static bool fits(struct scrub *s, char c)
{
    char last = s->held[s->held_len - 1];
    switch (s->state) {
    case PREFIX:
        return true;
    case BRACKETS:
        if (c == '"' || c == '\'') {
            /* A name stands in an object only: the innermost bracket has to be a brace. */
            size_t i = s->held_len;
            while (i && is_space(s->held[i - 1]))
                i--;
            s->quote = c;
            s->state = NAME;
            return s->held[i - 1] == '{';
        }
        return is_space(c) || c == '{' || (c == '[' && last != '{');
    case NAME:
        if (c == s->quote && last != '\\')
            s->state = NAME_DONE;
        return c != '\n';
    default:
        if (c != ':')
            return is_space(c);
        s->quote = 0;
        count_brackets(s);
        s->held_len = 0;
        s->state = JSON;
        return true;
    }
}

/* No room for another byte; where a character could be cut, a little sooner. */
static bool is_full(const struct scrub *s, char c)
{
    bool continues = ((unsigned char)c & 0xc0) == 0x80;
    return s->held_len >= sizeof(s->held) - (continues ? 0 : 3);
}

/* One byte in a state that holds some; false if it has to be looked at again, as plain text. */
static bool hold(struct scrub *s, char c)
{
    if (is_full(s, c) || !fits(s, c)) {
        let_go(s);
        return false;
    }
    if (s->state == JSON)
        return true;
    s->held[s->held_len++] = c;
    if (s->state != PREFIX)
        return true;

    bool whole = false;
    if (!is_prefix(s, &whole)) {
        s->held_len--;
        let_go(s);
        return false;
    }
    if (whole)
        begin_token(s);
    return true;
}

static bool starts_prefix(char c)
{
    for (size_t i = 0; i < sizeof(PREFIXES) / sizeof(*PREFIXES); i++)
        if (PREFIXES[i][0] == c)
            return true;
    return false;
}

/* One byte of plain text; false if something began with it that is not to be shown as it stands. */
static bool stays_plain(struct scrub *s, char c)
{
    if (c == '{' || c == '[') {
        begin(s, BRACKETS, c);
        return false;
    }
    if (!is_word((char)(s->tail & 0xff)) && starts_prefix(c)) {
        begin(s, PREFIX, c);
        return false;
    }
    remember(s, c);
    return true;
}

void scrub_feed(struct scrub *s, const char *text, size_t len)
{
    size_t plain = 0, i = 0; /* [plain, i) is to be shown */
    while (i < len) {
        char c = text[i];
        if (s->state == PLAIN) {
            bool plainly = stays_plain(s, c);
            bool token = plainly && ends_prefix(s);
            i++;
            if (!plainly || token) {
                show(s, text + plain, i - plain - !plainly);
                plain = i;
            }
            if (token)
                begin_token(s);
            continue;
        }
        bool taken = true;
        if (s->state == TOKEN) {
            taken = is_token(c);
            if (!taken)
                s->state = PLAIN;
        } else if (s->state == JSON) {
            track_json(s, c);
        } else {
            taken = hold(s, c);
        }
        i += taken;
        plain = i;
    }
    if (s->state == PLAIN)
        show(s, text + plain, len - plain);
}

void scrub_finish(struct scrub *s)
{
    let_go(s);
    s->state = PLAIN;
    s->tail = 0;
}
