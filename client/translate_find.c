#include "translate_find.h"

#include <string.h>
#include <strings.h>

#define STEP_UNITS_MAX 8 /* of ", then Blur" */

/* Something that an instruction can be given "in", "on" or "with". */
bool find_is_place(enum word_class class)
{
    return class == WORD_PANEL || class == WORD_PLACE || class == WORD_BUTTON ||
           class == WORD_TIMELINE || class == WORD_ACCOUNT;
}

unsigned find_sign_of_place(enum word_class class)
{
    switch (class) {
    case WORD_PANEL:
        return SIGN_IN_PANEL;
    case WORD_BUTTON:
        return SIGN_IN_BUTTON;
    case WORD_TIMELINE:
        return SIGN_IN_TIMELINE;
    case WORD_ACCOUNT:
        return SIGN_ACCOUNT;
    default:
        return 0;
    }
}

/* "Upload it by dropping it onto the canvas", "to upload a clip, drag it here": told before the
 * verb. */
static bool drops_upload(const struct sentence *s, size_t verb, const struct object *o)
{
    enum word_class class = s->unit[verb].class;
    if ((class != WORD_DRAG && class != WORD_DROP) || o->signs & SIGN_TIMELINE)
        return false;
    size_t least = verb > WORDS_REACH_MAX ? verb - WORDS_REACH_MAX : 0;
    for (size_t i = verb; i > least; i--) {
        enum word_class before = s->unit[i - 1].class;
        if (before == WORD_UPLOAD)
            return true;
        if (before == WORD_STOP && words_character(s, i - 1) != ',')
            return false;
    }
    return false;
}

static bool is_word(const struct sentence *s, size_t i, const char *word)
{
    const struct unit *u = &s->unit[i];
    size_t len = strlen(word);
    return (size_t)(u->end - u->start) == len && !strncasecmp(s->text + u->start, word, len);
}

/* "By clicking" */
static bool is_means(const struct sentence *s, size_t verb)
{
    return verb && is_word(s, verb - 1, "by");
}

static enum advice decide(const struct sentence *s, size_t verb, const struct stance *st,
                          const struct object *o)
{
    const struct unit *u = &s->unit[verb];
    unsigned signs = o->signs | st->signs | (s->you ? SIGN_YOU : 0) | (s->url ? SIGN_URL : 0);
    if (u->flags & UNIT_GERUND)
        signs |= SIGN_GERUND;
    if (is_means(s, verb))
        signs |= SIGN_MEANS;
    if (drops_upload(s, verb, o))
        signs |= SIGN_UPLOAD;
    if (st->position == AT_START && !st->you && !(signs & (SIGN_FIRM | SIGN_EXPORT)) &&
        find_is_done_by_person(s, verb))
        return ADVICE_NONE;
    bool noun =
        st->chain == verb && !(u->flags & (UNIT_HAN | UNIT_GERUND)) && !(signs & SIGN_NAMED);
    if (!st->position || o->content || (st->position == AT_INNER && noun))
        return ADVICE_NONE;
    for (size_t i = 0; i < translate_rules_size; i++) {
        const struct rule *r = &translate_rules[i];
        if (r->verb == u->class && r->positions & st->position && (!r->any || r->any & signs) &&
            (r->all & signs) == r->all && !(r->refuse & signs))
            return r->advice;
    }
    return ADVICE_NONE;
}

/* The clause before the comma in front of `first`; its first unit, or `first` if there is none. */
static size_t clause_before(const struct sentence *s, size_t first)
{
    if (first < 2 || s->unit[first - 1].class != WORD_STOP || words_character(s, first - 1) != ',')
        return first;
    size_t i = first - 1, least = first > WORDS_REACH_MAX ? first - WORDS_REACH_MAX : 0;
    while (i > least && s->unit[i - 1].class != WORD_STOP)
        i--;
    return i < first - 1 ? i : first;
}

/* "From the left sidebar, choose …": the place is told in the clause before. */
static void look_at_prelude(const struct sentence *s, struct stance *st)
{
    size_t start = clause_before(s, st->chain);
    if (start == st->chain || s->unit[start].class != WORD_IN)
        return;
    for (size_t i = start; i < st->chain; i++) {
        unsigned sign = find_sign_of_place(s->unit[i].class);
        if (!sign)
            continue;
        st->signs |= sign;
        st->place = start;
        st->place_end = i + 1;
    }
}

/* "To" and 要 at the start of a clause tell what for. */
static bool tells_purpose(const struct sentence *s, size_t i)
{
    const struct unit *u = &s->unit[i];
    return u->class == WORD_WHEN ||
           (u->class == WORD_CHAIN && (is_word(s, i, "to") || words_character(s, i) == U'要'));
}

/* A clause in front that means nothing without the instruction: "In the top bar, …", and where an
 * export is told as a fact: "When you are ready, …". Returns its first unit, or `first`. */
static size_t with_prelude(const struct sentence *s, size_t first, enum advice advice)
{
    size_t start = clause_before(s, first);
    bool place = false;
    for (size_t i = start; i < first; i++)
        place |= find_is_place(s->unit[i].class);
    bool drop = (s->unit[start].class == WORD_IN && place) ||
                (advice == ADVICE_EXPORT && tells_purpose(s, start));
    return drop ? start : first;
}

/* "(top right)" after an instruction: the unit after it, or `end`. */
static size_t after_bracket(const struct sentence *s, size_t end)
{
    if (words_character(s, end) != '(')
        return end;
    for (size_t i = end + 1; i < s->count && i < end + WORDS_REACH_MAX; i++) {
        if (s->unit[i].class == WORD_STOP && words_character(s, i) == ')')
            return i + 1;
    }
    return end;
}

/* ", then Blur" after "click Effects": the unit after it, or `end`. */
static size_t after_step(const struct sentence *s, size_t end, enum advice *advice)
{
    bool named = false, exports = false;
    size_t i = end + 1;
    if (i >= s->count || s->unit[i].class != WORD_CHAIN)
        return end;
    for (; i < s->count && s->unit[i].class != WORD_STOP; i++) {
        const struct unit *u = &s->unit[i];
        bool name = u->class == WORD_OPENING || u->flags & UNIT_CAPITAL;
        if (i > end + STEP_UNITS_MAX ||
            (!name && u->class != WORD_EMPHASIS && u->class != WORD_JOIN && u->class != WORD_CHAIN))
            return end;
        named |= name;
        exports |= u->class == WORD_EXPORT;
        if (u->class == WORD_OPENING)
            i = u->pair;
    }
    if (!named)
        return end;
    if (exports)
        *advice = ADVICE_EXPORT;
    return i;
}

/* With what follows an instruction and is part of it. */
static size_t with_sequel(const struct sentence *s, size_t end, enum advice *advice)
{
    while (end < s->count && s->unit[end].class == WORD_STOP) {
        size_t next = after_bracket(s, end);
        if (next == end)
            next = after_step(s, end, advice);
        if (next == end)
            break;
        end = next;
    }
    return end;
}

/* One more item of an English enumeration: nothing in it could be a clause. Returns its end, or
 * `from`. */
static size_t enumeration_item(const struct sentence *s, size_t from, bool *last)
{
    size_t i = from;
    for (; i < s->count && s->unit[i].class != WORD_STOP; i++) {
        switch (s->unit[i].class) {
        case WORD_OTHER:
        case WORD_PLAIN:
        case WORD_TRACK:
        case WORD_YOUR:
        case WORD_ARTICLE:
        case WORD_IN:
        case WORD_EMPHASIS:
        case WORD_CAPTION:
            break;
        case WORD_JOIN:
            *last = true;
            break;
        default:
            return from;
        }
        if (i - from > WORDS_REACH_MAX)
            return from;
    }
    return i;
}

/* "… to change the font", and then ", colour and size of the text" goes too. */
static size_t with_enumeration(const struct sentence *s, size_t verb, size_t end)
{
    bool purpose = false, last = false;
    for (size_t i = verb + 1; i < end; i++)
        purpose |= words_is_verb(&s->unit[i]) && s->unit[i - 1].class == WORD_CHAIN;
    if (!purpose || s->chinese)
        return end;
    for (size_t i = end; i < s->count && words_character(s, i) == ',' && !last;) {
        size_t next = enumeration_item(s, i + 1, &last);
        if (next == i + 1)
            break;
        i = next;
        if (last)
            return i;
    }
    return end;
}

/* Asterisks that open inside and close outside, or the other way round, go with the instruction;
 * but none before `from`. */
static void balance_emphasis(const struct sentence *s, size_t from, struct hit *h)
{
    size_t runs = 0;
    for (size_t i = h->first; i < h->end; i++) {
        if (s->unit[i].class == WORD_EMPHASIS &&
            (i == h->first || s->unit[i - 1].class != WORD_EMPHASIS))
            runs++;
    }
    if (runs % 2 == 0)
        return;
    if (h->first > from && s->unit[h->first - 1].class == WORD_EMPHASIS) {
        while (h->first > from && s->unit[h->first - 1].class == WORD_EMPHASIS)
            h->first--;
    } else {
        while (h->end < s->count && s->unit[h->end].class == WORD_EMPHASIS)
            h->end++;
    }
}

/* "Your video" of "your video can be had with the Export button". */
static size_t with_subject(const struct sentence *s, size_t first)
{
    for (size_t i = first; i > 0 && first - i < 3; i--) {
        if (s->unit[i - 1].class == WORD_YOUR && words_starts_clause(s, i - 1))
            return i - 1;
    }
    return first;
}

/* What is replaced is not always the clause from the verb on. */
static void find_borders(const struct sentence *s, const struct stance *st, const struct object *o,
                         size_t verb, struct hit *h)
{
    h->first = st->start;
    h->end = o->end;
    switch (h->advice) {
    case ADVICE_LINK:
        h->first = verb;
        h->end = verb + 1;
        return;
    case ADVICE_IN_TIMELINE:
    case ADVICE_IN_STATE:
        h->first = o->place_end ? o->place : st->place;
        h->end = o->place_end ? o->place_end : st->place_end;
        while (h->end < s->count && s->unit[h->end].class == WORD_WITHIN)
            h->end++;
        return;
    case ADVICE_PART:
    case ADVICE_PART_EDIT:
        return;
    default:
        break;
    }
    while (h->end < s->count && !find_ends_clause(s, verb, h->end))
        h->end++;
    h->end = with_enumeration(s, verb, h->end);
    h->end = with_sequel(s, h->end, &h->advice);
    if (h->advice == ADVICE_EXPORT && st->chain < h->first)
        h->first = st->chain;
    if (o->signs & SIGN_NAMED) {
        while (h->first > 0 && !words_is_border(&s->unit[h->first - 1]))
            h->first--;
    }
    /* "you can" goes with the clause before it, if that goes. */
    size_t chain = st->chain < h->first ? st->chain : h->first;
    size_t prelude = with_prelude(s, chain, h->advice);
    h->first = prelude < chain ? prelude : h->first;
    if (h->advice == ADVICE_EXPORT && h->first > 0) {
        h->first = with_subject(s, h->first);
        enum word_class before = h->first ? s->unit[h->first - 1].class : WORD_STOP;
        h->broken_in = before < WORD_STOP && before != WORD_JOIN && before != WORD_AFTER;
    }
    /* 颜色可以在样式菜单中修改: what it is about stays, parted from the advice. */
    if (s->chinese && h->advice == ADVICE_WISH && st->place_end && st->chain > 0 &&
        st->chain < st->start && s->unit[st->chain - 1].class < WORD_VERB_FIRST) {
        h->first = st->chain;
        h->broken_in = true;
    }
}

bool find_hit(const struct sentence *s, const struct sentence_context *c, size_t verb, size_t from,
              struct hit *h)
{
    struct stance st = find_stance(s, verb, c->glued);
    struct object o = find_object(s, verb);
    if (st.position == AT_START)
        look_at_prelude(s, &st);
    *h = (struct hit){.advice = decide(s, verb, &st, &o)};
    if (h->advice == ADVICE_NONE)
        return false;

    h->gerund = s->unit[verb].flags & UNIT_GERUND;
    h->label = o.label;
    h->label_end = o.label_end;
    bool negated = st.negated || (o.end < s->count && s->unit[o.end].class == WORD_BEFORE);
    if (h->advice == ADVICE_EXPORT && (c->manual || negated))
        h->advice = ADVICE_EXPORT_BY_HAND;
    if (h->advice == ADVICE_WRITE && !h->label_end)
        h->advice = ADVICE_WISH;
    if (negated && (h->advice == ADVICE_WISH || h->advice == ADVICE_STATE))
        h->advice = ADVICE_NOTHING;
    h->firm = o.signs & SIGN_FIRM;
    find_borders(s, &st, &o, verb, h);
    if (h->advice == ADVICE_EXPORT && (c->manual || negated))
        h->advice = ADVICE_EXPORT_BY_HAND;
    if (h->end <= from)
        return false;
    if (h->first < from)
        h->first = from;
    while (h->first < verb && s->unit[h->first].class == WORD_STOP)
        h->first++;
    balance_emphasis(s, from, h);
    return true;
}
