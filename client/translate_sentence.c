#include "translate_sentence.h"

#include <string.h>

#include "translate_find.h"

struct writer {
    const struct sentence *s;
    struct sentence_context *c;
    sentence_out_fn *out;
    void *user;
    size_t copied; /* bytes of the sentence that were dealt with */
    size_t done;   /* units of it: a later hit begins behind them */
    unsigned wishes;
    bool pending; /* a hit that the next one may swallow */
    struct hit hit;
    size_t hits;
};

static void write_bytes(struct writer *w, const char *text, size_t len)
{
    if (len)
        w->out(w->user, text, len);
}

static void write_advice(struct writer *w, const struct hit *h)
{
    const struct sentence *s = w->s;
    const struct advice_words *words = &translate_advice[h->advice];
    const char *text = s->chinese  ? words->chinese
                       : h->gerund ? words->english_gerund
                                   : words->english;
    char first = s->text[s->unit[h->first].start];
    if (s->unit[h->first].class == WORD_EMPHASIS && s->unit[h->first].end < s->len)
        first = s->text[s->unit[words_next(s, h->first)].start];
    if (!s->chinese && first >= 'A' && first <= 'Z') {
        char capital = (char)(*text - 'a' + 'A');
        write_bytes(w, &capital, 1);
        text++;
    }
    const char *label = strstr(text, "%s");
    if (!label) {
        write_bytes(w, text, strlen(text));
        return;
    }
    write_bytes(w, text, (size_t)(label - text));
    write_bytes(w, s->text + h->label, h->label_end - h->label);
    write_bytes(w, label + 2, strlen(label + 2));
}

static bool is_part(enum advice advice)
{
    return advice == ADVICE_PART || advice == ADVICE_PART_EDIT;
}

static void write_pending(struct writer *w)
{
    const struct sentence *s = w->s;
    const struct hit *h = &w->hit;
    w->pending = false;
    if (h->advice == ADVICE_PART_EDIT || (h->advice == ADVICE_PART && !w->c->in_steps))
        return;

    struct hit said = *h;
    if (said.advice == ADVICE_PART)
        said.advice = ADVICE_WISH;
    size_t start = s->unit[h->first].start;
    if (h->broken_in) {
        while (start > w->copied && s->text[start - 1] == ' ')
            start--;
    }
    write_bytes(w, s->text + w->copied, start - w->copied);
    if (h->broken_in && start)
        write_bytes(w, s->chinese ? "，" : " — ", s->chinese ? strlen("，") : strlen(" — "));
    write_advice(w, &said);
    w->copied = s->unit[h->end - 1].end;
    w->done = h->end;
    w->hits++;
    if (said.advice == ADVICE_EXPORT) {
        w->wishes |= TRANSLATE_EXPORT;
        w->c->exporting = true;
    } else if (said.advice == ADVICE_TIMELINE || said.advice == ADVICE_IN_TIMELINE) {
        w->wishes |= TRANSLATE_TIMELINE;
    }
}

/* Only "and", "then" and marks between the two? */
static bool is_next_to(const struct sentence *s, const struct hit *a, const struct hit *b)
{
    for (size_t i = a->end; i < b->first; i++) {
        enum word_class class = s->unit[i].class;
        if (class != WORD_STOP && class != WORD_JOIN && class != WORD_CHAIN &&
            class != WORD_EMPHASIS && class != WORD_YOU)
            return false;
    }
    return true;
}

static bool is_vague(enum advice advice)
{
    return advice == ADVICE_WISH || advice == ADVICE_STATE || is_part(advice);
}

/* Two neighbours that say the same, or one of which says little, become one: the advice of both, or
 * ADVICE_NONE if each has something to say. */
static enum advice merged(const struct hit *first, const struct hit *second)
{
    enum advice a = first->advice, b = second->advice;
    if (a == ADVICE_PART_EDIT)
        return ADVICE_NONE;
    if (b == ADVICE_PART)
        return is_vague(a) && second->firm ? ADVICE_WRITE : a;
    if (a == ADVICE_PART)
        return b;
    if (is_vague(a) && is_vague(b))
        return a == b ? a : ADVICE_WISH;
    if (a == ADVICE_WRITE || b == ADVICE_WRITE)
        return is_vague(a) || is_vague(b)                  ? ADVICE_WRITE
               : a == ADVICE_CREDITS || a == ADVICE_EXPORT ? a
                                                           : ADVICE_NONE;
    return a == b && a != ADVICE_LINK ? a : ADVICE_NONE;
}

static void add_hit(struct writer *w, const struct hit *h)
{
    struct hit *p = &w->hit;
    if (w->pending && h->first < p->end && is_part(h->advice) && !is_part(p->advice))
        return;
    enum advice both = w->pending && is_next_to(w->s, p, h) ? merged(p, h) : ADVICE_NONE;
    if (both != ADVICE_NONE) {
        if (h->label_end && (!p->label_end || p->advice != ADVICE_WRITE)) {
            p->label = h->label;
            p->label_end = h->label_end;
        }
        if (is_part(p->advice))
            p->gerund = h->gerund;
        p->advice = both;
        p->end = h->end > p->end ? h->end : p->end;
        return;
    }
    if (w->pending && h->first >= p->end)
        write_pending(w);
    w->hit = *h;
    w->pending = true;
}

/* Has the sentence words beside the hit? The number of a list's item is none. */
static bool has_words_around(const struct sentence *s, const struct hit *h)
{
    for (size_t i = 0; i < s->count; i++) {
        if (i >= h->first && i < h->end)
            i = h->end - 1;
        else if (s->unit[i].class < WORD_STOP && !words_is_number(s, i))
            return true;
    }
    return false;
}

/* An item of a numbered list: there the order matters. */
static bool is_step(const struct sentence *s)
{
    if (s->count < 2 || !words_is_number(s, 0))
        return false;
    uint32_t mark = words_character(s, 1);
    return mark == '.' || mark == ')' || mark == U'、';
}

/* The second "click Export", the third "drag it", the step between two of an export. */
static bool says_nothing_new(const struct sentence_context *c, enum advice advice)
{
    if (advice == ADVICE_EXPORT)
        return c->exporting;
    if (advice == ADVICE_PART)
        return c->in_steps && (c->repeats == ADVICE_EXPORT || c->repeats == ADVICE_WISH);
    return (advice == ADVICE_WISH || advice == ADVICE_STATE) && advice == c->repeats;
}

unsigned sentence_rewrite(struct sentence_context *c, const char *text, size_t len,
                          sentence_out_fn *out, void *user)
{
    struct sentence s;
    words_read(&s, text, len);
    struct writer w = {.s = &s, .c = c, .out = out, .user = user};
    bool step = is_step(&s);
    c->in_steps &= step;

    size_t from = 0;
    for (size_t i = 0; i < s.count; i++) {
        struct hit h;
        size_t least = from > w.done ? from : w.done;
        if (words_is_verb(&s.unit[i]) && find_hit(&s, c, i, least, &h)) {
            add_hit(&w, &h);
            if (is_part(h.advice) || h.first > i)
                continue; /* there may be a whole instruction inside, or before it */
            from = h.end;
            if (i < h.end)
                i = h.end - 1;
        }
    }

    bool alone = w.pending && !w.hits && !has_words_around(&s, &w.hit);
    enum advice advice = w.hit.advice;
    if (alone && says_nothing_new(c, advice)) {
        c->in_steps = step;
        return 0;
    }
    if (w.pending)
        write_pending(&w);
    write_bytes(&w, text + w.copied, len - w.copied);
    if (s.count) {
        c->in_steps = step && w.hits;
        c->repeats = !alone || !w.hits ? ADVICE_NONE : is_part(advice) ? ADVICE_WISH : advice;
    }
    return w.wishes;
}

void sentence_pass(struct sentence_context *c, const char *text, size_t len, sentence_out_fn *out,
                   void *user)
{
    c->in_steps = false;
    c->repeats = ADVICE_NONE;
    out(user, text, len);
}

/* ---- for who cuts a text into sentences ---- */

bool sentence_is_open(const char *text, size_t len)
{
    struct sentence s;
    struct sentence_context c = {0};
    words_read(&s, text, len);
    /* "Open the v1." may go on. */
    bool in_number = s.count > 1 && words_is_number(&s, s.count - 2);
    for (size_t i = 0; i < s.count; i++) {
        struct hit h;
        if (!words_is_verb(&s.unit[i]))
            continue;
        if (in_number || (find_hit(&s, &c, i, 0, &h) && h.advice != ADVICE_PART_EDIT))
            return true;
    }
    return false;
}

bool sentence_is_dangling(const char *text, size_t len)
{
    struct sentence s;
    words_read(&s, text, len);
    size_t i = s.count;
    while (i > 0 && (s.unit[i - 1].class == WORD_ARTICLE || s.unit[i - 1].class == WORD_YOUR ||
                     s.unit[i - 1].class == WORD_EMPHASIS || s.unit[i - 1].class == WORD_IN))
        i--;
    return i > 0 && words_is_verb(&s.unit[i - 1]);
}

size_t sentence_cut(const char *text, size_t len)
{
    struct sentence s;
    words_read(&s, text, len);
    size_t verb = 0, border = 0, word = 0;
    for (size_t i = 0; i < s.count; i++) {
        const struct unit *u = &s.unit[i];
        if (u->start < len / 2)
            continue;
        if (words_is_verb(u))
            verb = u->start;
        if (u->class == WORD_STOP)
            border = u->end;
        if (u->flags & UNIT_SPACED)
            word = u->start;
    }
    if (verb)
        return verb;
    return border ? border : word ? word : len;
}
