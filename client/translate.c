#include "translate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scrub.h"
#include "token.h"
#include "translate_sentence.h"
#include "translate_strip.h"
#include "utf8.h"

struct translate {
    void (*out)(void *user, const char *text, size_t len);
    void *user;
    unsigned wishes;
    struct strip strip; /* what is fed goes through here, */
    struct scrub scrub; /* here, for what the control characters had hidden, and into the hold */
    struct sentence_context context;

    char hold[TRANSLATE_HOLD_MAX]; /* the sentence so far, whole characters */
    size_t len;
    bool ended;      /* its end was seen, unless what comes next shows that it was none */
    bool open;       /* it has an instruction: wait until its end is certain */
    bool line_ended; /* a newline was seen where an instruction must go on */
    bool two_lines;  /* that was done already */
    bool line_start; /* the sentence is the first one of its line */
    size_t fence;    /* bytes of the line in the hold that opens a block of code, or 0 */
    char before;     /* the last byte that was let go */
};

/* What can go on with a word after a dot: "output.mp4". A capital begins a sentence. */
static bool is_word_tail(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
}

/* The first bytes of the hold are out. */
static void drop_first(struct translate *t, size_t len)
{
    t->before = t->hold[len - 1];
    t->line_start = t->before == '\n';
    t->len -= len;
    memmove(t->hold, t->hold + len, t->len);
    t->ended = t->open = t->line_ended = t->two_lines = false;
    t->fence = 0;
}

static void let_go(struct translate *t, size_t len)
{
    if (!len)
        return;
    t->context.glued = t->before == '.' && is_word_tail(t->hold[0]);
    t->wishes |= sentence_rewrite(&t->context, t->hold, len, t->out, t->user);
    drop_first(t, len);
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
    return c == U'。' || c == U'！' || c == U'？' || c == U'；' || c == U'…';
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
    case U'”':
    case U'’':
    case U'」':
    case U'』':
    case U'】':
    case U'》':
    case U'）':
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

/* Is this a line of three backquotes, with the name of a language at most? */
static bool is_fence(const char *line, size_t len)
{
    size_t i = 0;
    while (i < len && is_blank((unsigned char)line[i]))
        i++;
    if (len - i < 3 || memcmp(line + i, "```", 3) != 0)
        return false;
    for (i += 3; i < len; i++) {
        if (!is_blank((unsigned char)line[i]) && token_at(line, len, i).kind != TOKEN_WORD)
            return false;
    }
    return true;
}

/* A block of code that had nothing but raw JSON in it is empty by now: its two fences go. True: the
 * line at the end of the hold was dealt with. */
static bool end_fence(struct translate *t)
{
    if (!t->fence) {
        t->fence = t->line_start && is_fence(t->hold, t->len) ? t->len : 0;
        return t->fence;
    }
    size_t i = t->fence;
    while (i < t->len && is_blank((unsigned char)t->hold[i]))
        i++;
    if (i < t->len && !is_fence(t->hold + i, t->len - i))
        return false;
    if (i < t->len)
        t->len = t->fence = 0;
    return true;
}

/* ---- characters ---- */

static void end_line(struct translate *t)
{
    if (end_fence(t))
        return;
    /* Over one line's end only: looking again at every line would cost. */
    if (!t->ended && !t->two_lines && sentence_is_dangling(t->hold, t->len))
        t->line_ended = t->two_lines = true;
    else
        let_go(t, t->len);
}

/* Settles what the last character left open. */
static void settle(struct translate *t, uint32_t c)
{
    if (t->fence && !is_blank(c) && c != '`')
        let_go(t, t->fence);
    if (t->line_ended && c == '\n')
        let_go(t, t->len);
    if (!is_blank(c))
        t->line_ended = false;
    if (!t->ended || is_closer(c) || c == '\n')
        return;

    bool plain = c < 0x80 && !is_blank(c);
    char last = t->hold[t->len - 1];
    if ((plain && is_full_stop((unsigned char)last)) || (last == '.' && is_abbreviation(t)))
        t->ended = false;
    else
        let_go(t, t->len);
}

static void take(struct translate *t, uint32_t c)
{
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
    if (!t->open) {
        sentence_pass(&t->context, t->hold, t->len, t->out, t->user);
        drop_first(t, t->len);
    }
}

static void on_stripped(void *user, const char *character, size_t size)
{
    struct translate *t = user;
    scrub_feed(&t->scrub, character, size);
}

static void on_scrubbed(void *user, const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        uint32_t c;
        at += utf8_decode(text + at, len - at, &c);
        take(user, c);
    }
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
    strip_init(&t->strip, on_stripped, t);
    scrub_init(&t->scrub, on_scrubbed, t);
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
    scrub_finish(&t->scrub);
    end_fence(t);
    let_go(t, t->len);

    unsigned wishes = t->wishes;
    t->wishes = 0;
    t->context = (struct sentence_context){.manual = t->context.manual};
    t->line_start = true;
    t->before = 0;
    return wishes;
}
