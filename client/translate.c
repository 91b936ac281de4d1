#include "translate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "token.h"
#include "translate_sentence.h"
#include "translate_strip.h"
#include "utf8.h"

struct translate {
    void (*out)(void *user, const char *text, size_t len);
    void *user;
    unsigned wishes;
    struct strip strip;
    struct sentence_context context;

    char hold[TRANSLATE_HOLD_MAX]; /* the sentence so far, whole characters */
    size_t len;
    bool ended;      /* its end was seen, unless what comes next shows that it was none */
    bool open;       /* it may become an instruction: wait for its end */
    bool line_ended; /* a newline was seen where an instruction must go on */
    bool line_start; /* the sentence is the first one of its line */
    bool fence;      /* it is the line that opens a block of code */
    bool fence_gone; /* JSON and the line before it went: so must the line after it */
    uint32_t before; /* the last character that was let go */
};

/* What can go on with a word after a dot: "output.mp4". A capital begins a sentence. */
static bool is_word_tail(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
}

static void let_go(struct translate *t, size_t len)
{
    if (!len)
        return;
    t->context.glued = t->before == '.' && is_word_tail(t->hold[0]);
    t->wishes |= sentence_rewrite(&t->context, t->hold, len, t->out, t->user);

    t->before = (unsigned char)t->hold[len - 1];
    t->line_start = t->before == '\n';
    t->len -= len;
    memmove(t->hold, t->hold + len, t->len);
    t->ended = t->open = t->line_ended = t->fence = false;
}

static void append(struct translate *t, uint32_t c)
{
    char bytes[4];
    size_t size = utf8_encode(c, bytes);
    if (t->len + size > sizeof(t->hold))
        let_go(t, sentence_cut(t->hold, t->len));
    memcpy(t->hold + t->len, bytes, size);
    t->len += size;
}

/* ---- where a sentence ends ---- */

static bool is_blank(uint32_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == 0x3000;
}

static bool is_full_stop(uint32_t c)
{
    return c == '.' || c == '!' || c == '?';
}

static bool is_chinese_full_stop(uint32_t c)
{
    return c == 0x3002 || c == 0xff01 || c == 0xff1f || c == 0xff1b || c == 0x2026;
}

/* What may stand between the full stop and the space after it. */
static bool is_closer(uint32_t c)
{
    switch (c) {
    case '"':
    case '\'':
    case ')':
    case ']':
    case '*':
    case '_':
    case '`':
    case 0x201d:
    case 0x2019:
    case 0x300d:
    case 0x300f:
    case 0x3011:
    case 0x300b:
    case 0xff09:
        return true;
    default:
        return is_full_stop(c) || is_chinese_full_stop(c);
    }
}

/* Is the dot at the end of the hold that of "e.g." or of "1." at the start of a line? */
static bool is_abbreviation(const struct translate *t)
{
    static const char *const words[] = {"e.g", "i.e", "vs", "etc", "approx",
                                        "no",  "fig", "mr", "mrs", "dr"};
    size_t end = t->len - 1, start = end;
    while (start > 0 && !is_blank((unsigned char)t->hold[start - 1]) && t->hold[start - 1] != '(')
        start--;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t n = strlen(words[i]), same = 0;
        while (same < n && start + same < end &&
               token_fold((unsigned char)t->hold[start + same]) == (unsigned char)words[i][same])
            same++;
        if (same == n && start + n == end)
            return true;
    }
    for (size_t i = 0; i < end; i++) {
        if (!is_blank((unsigned char)t->hold[i]) && (t->hold[i] < '0' || t->hold[i] > '9'))
            return false;
    }
    return t->line_start;
}

/* ---- blocks of code ---- */

/* Is the hold a line of three backquotes, with the name of a language at most? */
static bool is_fence(const struct translate *t)
{
    size_t i = 0;
    while (i < t->len && (t->hold[i] == ' ' || t->hold[i] == '\t'))
        i++;
    if (!t->line_start || t->len - i < 3 || memcmp(t->hold + i, "```", 3) != 0)
        return false;
    for (i += 3; i < t->len && t->hold[i] != '\n'; i++) {
        if (token_at(t->hold, t->len, i).kind != TOKEN_WORD && !is_blank((unsigned char)t->hold[i]))
            return false;
    }
    return true;
}

static void json_was_here(struct translate *t)
{
    if (t->fence) {
        t->len = 0;
        t->fence = false;
        t->fence_gone = true;
    }
}

/* ---- characters ---- */

static void end_line(struct translate *t)
{
    if (is_fence(t)) {
        if (t->fence_gone)
            t->len = 0;
        else
            t->fence = true;
        t->fence_gone = false;
        return;
    }
    if (!t->ended && sentence_is_dangling(t->hold, t->len)) {
        t->line_ended = true;
        return;
    }
    let_go(t, t->len);
}

/* Settles what the last character left open. True: the sentence goes on with this one. */
static void settle(struct translate *t, uint32_t c)
{
    if (t->fence && !is_blank(c))
        let_go(t, t->len);
    if (t->line_ended && !is_blank(c))
        t->line_ended = false;
    else if (t->line_ended && c == '\n')
        let_go(t, t->len);
    if (!t->ended || is_closer(c) || c == '\n')
        return;

    bool plain = c < 0x80 && !is_blank(c);
    char last = t->hold[t->len - 1];
    if ((plain && is_full_stop((unsigned char)last)) || (last == '.' && is_abbreviation(t)))
        t->ended = false;
    else
        let_go(t, t->len);
}

static void take(void *user, uint32_t c)
{
    struct translate *t = user;
    if (c == STRIP_JSON) {
        json_was_here(t);
        return;
    }
    settle(t, c);
    append(t, c);
    if (c == '\n') {
        end_line(t);
        return;
    }
    if (!is_full_stop(c) && !is_chinese_full_stop(c))
        return;
    t->ended = true;
    if (t->open || (c == '.' && is_abbreviation(t)))
        return;
    t->open = sentence_is_open(t->hold, t->len);
    if (!t->open)
        let_go(t, t->len);
}

/* ---- the seam ---- */

struct translate *translate_new(bool manual, void (*out)(void *user, const char *text, size_t len),
                                void *user)
{
    struct translate *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->out = out;
    t->user = user;
    t->context.manual = manual;
    t->line_start = true;
    strip_init(&t->strip, take, t);
    return t;
}

void translate_free(struct translate *t)
{
    free(t);
}

void translate_feed(struct translate *t, const char *text, size_t len)
{
    strip_feed(&t->strip, text, len);
}

unsigned translate_finish(struct translate *t)
{
    strip_finish(&t->strip);
    if (t->fence_gone && is_fence(t))
        t->len = 0;
    let_go(t, t->len);

    unsigned wishes = t->wishes;
    t->wishes = 0;
    t->context = (struct sentence_context){.manual = t->context.manual};
    t->line_start = true;
    t->fence_gone = false;
    t->before = 0;
    return wishes;
}
