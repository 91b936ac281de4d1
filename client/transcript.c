#include "transcript.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buffer.h"
#include "scrub.h"
#include "text.h"
#include "utf8.h"

/* Authors that speak at the same time; more take the place of the quietest. */
#define VOICES_MAX 8
#define AUTHOR_MAX 128
#define NOTICE_MAX 400 /* bytes of a closing notice; what is longer is an answer */

static const char NOTICE[] = "I encountered a temporary issue";

/* What one author has said in pieces since its last whole text. */
struct voice {
    char author[AUTHOR_MAX];
    char invocation[AUTHOR_MAX];
    struct buffer said;
    size_t mark; /* how much was said before tools were used */
    unsigned long used;
};

enum hold {
    HOLD_NOTHING,
    HOLD_START,  /* white space before a sentence, and the beginning of NOTICE */
    HOLD_NOTICE, /* all of NOTICE, and what follows it */
};

/* Text runs through: what is new of an item, scrub, the hold, the bound, ready. */
struct transcript {
    void (*out)(void *user, const char *text, size_t len);
    void *user;

    struct voice voices[VOICES_MAX];
    struct voice *last; /* who spoke last, NULL: nobody */
    enum event_shape last_shape;
    char last_byte; /* of the last text */
    bool tools;     /* tools were used after the last text */
    unsigned long clock;

    struct scrub scrub;

    enum hold hold;
    char held[NOTICE_MAX];
    size_t held_len;
    size_t matched; /* HOLD_START: bytes of NOTICE */
    char before;    /* the last byte that was not held */

    size_t shown;
    bool answered;
    bool cut;
    struct buffer ready; /* for `out`, at the end of this call */
    struct fault fault;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!is_space(text[i]))
            return false;
    return true;
}

static bool ends_sentence(char c)
{
    return c && strchr(".!?:;\n", c);
}

/* ---- the bound ---- */

static void show(struct transcript *t, const char *text, size_t len)
{
    if (t->cut || !len)
        return;
    size_t room = TRANSCRIPT_MAX - t->shown;
    size_t n = utf8_cut(text, len, room);
    if (!is_blank(text, n))
        t->answered = true;
    buffer_add(&t->ready, text, n);
    t->shown += n;
    if (n < len) {
        t->cut = true;
        buffer_addf(&t->ready, "\n%s", _("[The reply is longer; it was cut here.]"));
    }
}

static int flush(struct transcript *t)
{
    int err = buffer_error(&t->ready);
    if (t->ready.len)
        t->out(t->user, t->ready.data, t->ready.len);
    buffer_reset(&t->ready);
    return err;
}

/* ---- the closing notice ---- */

static void let_go(struct transcript *t)
{
    size_t skip = 0;
    while (!t->before && skip < t->held_len && is_space(t->held[skip]))
        skip++; /* nothing was shown yet that it would part from */
    if (skip < t->held_len) {
        show(t, t->held + skip, t->held_len - skip);
        t->before = t->held[t->held_len - 1];
    }
    t->held_len = 0;
    t->matched = 0;
    t->hold = HOLD_NOTHING;
}

static bool fits_start(struct transcript *t, char c)
{
    if (!t->matched && is_space(c))
        return true;
    if (!strncasecmp(&c, NOTICE + t->matched, 1)) {
        t->matched++;
        return true;
    }
    return false;
}

/* One byte; false if it is neither held nor to be: it is to be shown. */
static bool hold(struct transcript *t, char c)
{
    if (t->hold == HOLD_NOTHING) {
        bool first = !t->before;
        if (!first && c != '\n' && !(is_space(c) && ends_sentence(t->before)))
            return false;
        t->hold = HOLD_START;
    }
    bool continues = ((unsigned char)c & 0xc0) == 0x80; /* let nothing go in mid-character */
    bool full = t->held_len >= NOTICE_MAX - (continues ? 0 : 3);
    if (full || (t->hold == HOLD_START && !fits_start(t, c))) {
        let_go(t);
        return false;
    }
    if (t->matched == sizeof(NOTICE) - 1)
        t->hold = HOLD_NOTICE;
    t->held[t->held_len++] = c;
    return true;
}

static void pass(void *user, const char *text, size_t len)
{
    struct transcript *t = user;
    size_t plain = 0;
    for (size_t i = 0; i < len; i++) {
        bool was_held = t->hold != HOLD_NOTHING;
        /* What is plain has to be out before anything that is held after it. */
        bool held = hold(t, text[i]);
        if (held && !was_held) {
            show(t, text + plain, i - plain);
        } else if (!held) {
            if (was_held)
                plain = i;
            t->before = text[i];
        }
        if (held)
            plain = i + 1;
    }
    show(t, text + plain, len - plain);
}

static bool has_word(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasestr(text, words[i]))
            return true;
    return false;
}

/* Is what is held the notice and no more? Its first sentence may say what the issue was with, the
 * rest may ask for patience; anything else is an answer. */
static bool is_notice_alone(const struct transcript *t)
{
    static const char *const turns[] = {" but ", "however", "instead"};
    static const char *const pleas[] = {"again", "later", "retry", "sorry", "apolog"};
    char text[NOTICE_MAX + 1];
    memcpy(text, t->held, t->held_len);
    text[t->held_len] = '\0';

    const char *start = strcasestr(text, NOTICE);
    if (!start || has_word(start, turns, sizeof(turns) / sizeof(*turns)))
        return false;
    const char *rest = start + strcspn(start, ".!?\n");
    rest += strspn(rest, ".!? \t\r\n");
    return !*rest || has_word(rest, pleas, sizeof(pleas) / sizeof(*pleas));
}

/* ---- parting texts ---- */

/* What follows is a text of its own. */
static void part(struct transcript *t)
{
    scrub_finish(&t->scrub);
    if (t->hold == HOLD_NOTICE)
        let_go(t); /* something follows, so it closes nothing */
    char end = t->held_len ? t->held[t->held_len - 1] : t->before;
    if (end && end != '\n')
        pass(t, "\n", 1);
}

/* May a text that follows another in pieces go on on the same line? */
static bool goes_on(const struct transcript *t, char first, enum event_shape shape)
{
    bool begins = (first >= 'A' && first <= 'Z') || (first && strchr("-*#", first));
    if (is_space(t->last_byte) || is_space(first))
        return true;
    if (t->tools)
        return !begins && !(first >= '0' && first <= '9') && !((unsigned char)first & 0x80);
    return shape == EVENT_PARTIAL || !begins || !ends_sentence(t->last_byte);
}

static void say(struct transcript *t, struct voice *v, enum event_shape shape, const char *text,
                size_t len)
{
    if (!len)
        return;
    scrub_feed(&t->scrub, text, len);
    t->last = v;
    t->last_shape = shape;
    t->last_byte = text[len - 1];
    t->tools = false;
}

/* ---- who says what ---- */

static struct voice *find_voice(struct transcript *t, const char *author)
{
    for (size_t i = 0; i < VOICES_MAX; i++)
        if (t->voices[i].used && !strcmp(t->voices[i].author, author))
            return &t->voices[i];
    return NULL;
}

static struct voice *quietest_voice(struct transcript *t)
{
    struct voice *v = &t->voices[0];
    for (size_t i = 1; i < VOICES_MAX; i++)
        if (t->voices[i].used < v->used)
            v = &t->voices[i];
    return v;
}

static struct voice *voice_of(struct transcript *t, const struct event_item *item)
{
    struct voice *v = find_voice(t, item->author);
    bool same =
        v && (!*item->invocation || !*v->invocation || !strcmp(v->invocation, item->invocation));
    if (!v)
        v = quietest_voice(t);
    if (!same) {
        if (t->last == v)
            t->last = NULL;
        buffer_reset(&v->said);
        v->mark = 0;
        v->invocation[0] = '\0';
    }
    snprintf(v->author, sizeof(v->author), "%s", item->author);
    if (*item->invocation)
        snprintf(v->invocation, sizeof(v->invocation), "%s", item->invocation);
    v->used = ++t->clock;
    return v;
}

static int add_piece(struct transcript *t, const struct event_item *item)
{
    struct voice *v = voice_of(t, item);
    bool follows = t->last == v && t->last_shape == item->shape && v->said.len;
    if (!follows || !goes_on(t, item->text[0], item->shape)) {
        part(t);
        if (v->said.len)
            buffer_add(&v->said, "\n", 1);
    }
    say(t, v, item->shape, item->text, item->len);
    if (t->cut)
        return 0;
    int err = buffer_add(&v->said, item->text, item->len);
    if (err == -EMSGSIZE) {
        buffer_reset(&v->said); /* more than is ever shown */
        err = 0;
    }
    return err;
}

/* How far a whole text repeats what was said, white space aside. */
struct overlap {
    size_t whole; /* bytes of the whole text */
    size_t said;  /* bytes of what was said */
    bool all;     /* one of the two is at its end: they do not contradict each other */
};

static struct overlap compare(const char *said, size_t said_len, const char *whole, size_t len)
{
    struct overlap o = {0, 0, false};
    while (o.said < said_len && o.whole < len) {
        if (said[o.said] == whole[o.whole]) {
            o.said++;
            o.whole++;
        } else if (is_space(said[o.said])) {
            o.said++;
        } else if (is_space(whole[o.whole])) {
            o.whole++;
        } else {
            break;
        }
    }
    while (o.said < said_len && is_space(said[o.said]))
        o.said++;
    o.all = o.said == said_len || o.whole == len;
    return o;
}

/* Was it said last, as a text of its own? */
static bool was_said_last(const struct buffer *said, const char *whole, size_t len)
{
    if (said->len <= len)
        return false;
    size_t at = said->len - len;
    return is_space(said->data[at - 1]) && !memcmp(said->data + at, whole, len);
}

/* Is the whole text what was said, or does it begin or end so? */
static bool repeats(const struct event_item *whole, const struct buffer *said)
{
    return said->len && (compare(said->data, said->len, whole->text, whole->len).all ||
                         was_said_last(said, whole->text, whole->len));
}

/* Where the sentence begins that holds text[at]. */
static size_t sentence_start(const char *text, size_t at)
{
    for (; at; at--) {
        if (text[at - 1] == '\n')
            break;
        if (is_space(text[at - 1]) && at > 1 && ends_sentence(text[at - 2]))
            break;
    }
    return at;
}

static void add_whole(struct transcript *t, const struct event_item *item)
{
    struct voice *v = voice_of(t, item);
    if (!v->said.len && t->last && repeats(item, &t->last->said))
        v = t->last; /* its pieces did not name their author */

    const char *said = v->said.len ? v->said.data : "";
    size_t said_len = v->said.len;
    struct overlap o = compare(said, said_len, item->text, item->len);
    if (!o.all && v->mark) {
        said += v->mark;
        said_len -= v->mark;
        o = compare(said, said_len, item->text, item->len);
    }

    if (!o.all && was_said_last(&v->said, item->text, item->len))
        o = (struct overlap){item->len, said_len, true};

    size_t from = o.all ? o.whole : sentence_start(item->text, o.whole);
    const char *fresh = item->text + from;
    size_t fresh_len = item->len - from;
    if (!is_blank(fresh, fresh_len)) {
        if (!o.all || !said_len || t->last != v)
            part(t);
        say(t, v, EVENT_WHOLE, fresh, fresh_len);
    }
    scrub_finish(&t->scrub); /* nothing goes on behind a whole text */
    t->last_shape = EVENT_WHOLE;
    if (o.all && o.said < said_len) {
        /* A whole of less than was said: the rest awaits the next one. */
        size_t rest = said_len - o.said;
        memmove(v->said.data, said + o.said, rest);
        v->said.len = rest;
        v->said.data[rest] = '\0';
        t->last_shape = EVENT_PARTIAL;
    } else {
        buffer_reset(&v->said);
    }
    v->mark = 0;
}

static void note_tools(struct transcript *t)
{
    t->tools = true;
    for (size_t i = 0; i < VOICES_MAX; i++)
        t->voices[i].mark = t->voices[i].said.len;
}

/* ---- the outside ---- */

struct transcript *transcript_new(void (*out)(void *user, const char *text, size_t len), void *user)
{
    struct transcript *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->out = out;
    t->user = user;
    t->fault = fault_make(FAULT_NONE, NULL);
    scrub_init(&t->scrub, pass, t);
    buffer_init(&t->ready, TRANSCRIPT_MAX * 2);
    for (size_t i = 0; i < VOICES_MAX; i++)
        buffer_init(&t->voices[i].said, TRANSCRIPT_MAX * 2);
    return t;
}

void transcript_free(struct transcript *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < VOICES_MAX; i++)
        buffer_release(&t->voices[i].said);
    buffer_release(&t->ready);
    free(t);
}

int transcript_add(struct transcript *t, const struct event_item *item)
{
    int err = 0;
    if (item->kind == EVENT_TOOL)
        note_tools(t);
    else if (item->kind == EVENT_ERROR && t->fault.kind == FAULT_NONE)
        t->fault = item->fault;
    else if (item->kind == EVENT_TEXT && item->len && item->shape == EVENT_WHOLE)
        add_whole(t, item);
    else if (item->kind == EVENT_TEXT && item->len)
        err = add_piece(t, item);
    int flushed = flush(t);
    return err ? err : flushed;
}

int transcript_finish(struct transcript *t)
{
    scrub_finish(&t->scrub);
    bool closing = t->hold == HOLD_NOTICE && t->answered && is_notice_alone(t);
    if (closing || (t->hold == HOLD_START && !t->matched))
        t->held_len = 0;
    let_go(t);
    return flush(t);
}

bool transcript_answered(const struct transcript *t)
{
    return t->answered;
}

const struct fault *transcript_fault(const struct transcript *t)
{
    return &t->fault;
}
