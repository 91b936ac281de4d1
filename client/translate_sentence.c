#include "translate_sentence.h"

#include <stdint.h>
#include <string.h>

#include "token.h"
#include "translate.h"
#include "utf8.h"

#define REACH_MAX 40       /* units that a verb looks around itself */
#define LABEL_BYTES_MAX 80 /* longer names of buttons are none */

enum {
    UNIT_SPACED = 1, /* white space before it */
    UNIT_HAN = 2,
    UNIT_CAPITAL = 4, /* a word in upper case, first letter at least */
    UNIT_GERUND = 8,
    UNIT_URL = 16,
};

/* A word, a phrase of the lexicon, or a mark. */
struct unit {
    uint16_t start, end; /* bytes */
    uint16_t pair;       /* of a quotation mark: the other one */
    uint8_t class;
    uint8_t flags;
};

struct sentence {
    const char *text;
    size_t len;
    bool you; /* it speaks to the user */
    bool url;
    bool chinese; /* outside of quotations */
    size_t count;
    struct unit unit[TRANSLATE_HOLD_MAX];
};

/* ---- reading ---- */

static void classify_word(struct sentence *s, struct unit *u, const struct token *t)
{
    char lead[4];
    utf8_encode(t->character, lead);
    for (size_t i = 0; i < translate_lexicon_size; i++) {
        const struct lexicon *l = &translate_lexicon[i];
        for (const char *const *phrase = l->phrases; *phrase; phrase++) {
            size_t end;
            if (**phrase != lead[0] ||
                token_match(s->text, s->len, t->start, *phrase, false, &end) != TOKEN_MATCHES ||
                end <= u->end)
                continue;
            u->end = (uint16_t)end;
            u->class = l->class;
            u->flags = (uint8_t)((u->flags & ~UNIT_GERUND) | (l->gerund ? UNIT_GERUND : 0));
        }
    }
}

static bool is_digit_at(const struct sentence *s, size_t at)
{
    return at < s->len && s->text[at] >= '0' && s->text[at] <= '9';
}

static bool is_space_at(const struct sentence *s, size_t at)
{
    return at >= s->len || token_at(s->text, s->len, at).kind == TOKEN_SPACE;
}

static enum word_class class_of_mark(const struct sentence *s, const struct token *t, bool spaced)
{
    bool in_number = t->start && is_digit_at(s, t->start - 1) && is_digit_at(s, t->start + t->len);
    bool space_after = is_space_at(s, t->start + t->len);
    switch (t->character) {
    case ',':
    case ':':
    case 0x2013: /* en dash */
        return in_number ? WORD_MARK : WORD_STOP;
    case '.':
        return space_after || (t->start && s->text[t->start - 1] == ')') ? WORD_STOP : WORD_MARK;
    case '-':
        return spaced && space_after ? WORD_STOP : WORD_MARK;
    case '*':
        return spaced && space_after ? WORD_STOP : WORD_EMPHASIS;
    case '_':
        return WORD_EMPHASIS;
    case ';':
    case '!':
    case '?':
    case '(':
    case ')':
    case '|':
    case '#':
    case 0x2014: /* em dash */
    case 0x2022: /* bullet */
    case 0x2026: /* ellipsis */
    case 0x3001: /* Chinese comma of lists */
    case 0x3002: /* Chinese full stop */
        return WORD_STOP;
    default:
        return WORD_MARK;
    }
}

static uint32_t character_at(const struct sentence *s, size_t i)
{
    return token_at(s->text, s->len, s->unit[i].start).character;
}

/* The mark that closes a quotation opened by `c`, 0 if `c` opens none. */
static uint32_t closing_mark(uint32_t c)
{
    static const uint32_t pairs[][2] = {
        {'"', '"'},       {'\'', '\''},     {'`', '`'},       {'[', ']'},
        {0x201c, 0x201d}, {0x2018, '\''},   {0xab, 0xbb},     {0x300c, 0x300d},
        {0x300e, 0x300f}, {0x3010, 0x3011}, {0x300a, 0x300b}, {0x201e, 0x201c},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (pairs[i][0] == c)
            return pairs[i][1];
    }
    return 0;
}

static void pair_quotations(struct sentence *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->unit[i].class != WORD_MARK)
            continue;
        uint32_t closing = closing_mark(character_at(s, i));
        if (!closing)
            continue;
        for (size_t k = i + 1; k < s->count && k < i + REACH_MAX; k++) {
            if (s->unit[k].class != WORD_MARK || character_at(s, k) != closing)
                continue;
            s->unit[i].class = WORD_OPENING;
            s->unit[k].class = WORD_CLOSING;
            s->unit[i].pair = (uint16_t)k;
            s->unit[k].pair = (uint16_t)i;
            i = k;
            break;
        }
    }
}

static void note_language(struct sentence *s)
{
    size_t han = 0, other = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct unit *u = &s->unit[i];
        if (u->class == WORD_OPENING)
            i = u->pair;
        else if (u->flags & UNIT_HAN)
            han += (u->end - u->start) / 3;
        else if (u->class < WORD_STOP)
            other++;
        s->you |= u->class == WORD_YOU || u->class == WORD_YOUR;
    }
    s->chinese = han > other;
}

static void read_sentence(struct sentence *s, const char *text, size_t len)
{
    s->text = text;
    s->len = len;
    s->you = s->url = false;
    s->count = 0;
    bool spaced = true;
    for (size_t at = 0; at < len;) {
        struct token t = token_at(text, len, at);
        if (t.kind == TOKEN_SPACE) {
            spaced = true;
            at += t.len;
            continue;
        }
        struct unit *u = &s->unit[s->count++];
        *u = (struct unit){.start = (uint16_t)at, .end = (uint16_t)(at + t.len)};
        u->flags = spaced ? UNIT_SPACED : 0;
        if (t.kind == TOKEN_MARK) {
            u->class = (uint8_t)class_of_mark(s, &t, spaced);
        } else if (t.kind == TOKEN_URL) {
            u->class = WORD_LINK;
            u->flags |= UNIT_URL;
            s->url = true;
        } else if (t.kind != TOKEN_BAD) {
            if (t.kind == TOKEN_HAN)
                u->flags |= UNIT_HAN;
            else if (text[at] >= 'A' && text[at] <= 'Z')
                u->flags |= UNIT_CAPITAL;
            u->end = (uint16_t)at;
            classify_word(s, u, &t);
            if (u->end == at)
                u->end = (uint16_t)(at + t.len);
        }
        spaced = false;
        at = u->end;
    }
    pair_quotations(s);
    note_language(s);
}

static bool is_verb(const struct unit *u)
{
    return u->class >= WORD_VERB_FIRST && u->class <= WORD_VERB_LAST;
}

static bool is_border(const struct unit *u)
{
    return u->class == WORD_STOP || u->class == WORD_JOIN;
}

/* Something that an instruction can be given "in", "on" or "with". */
static bool is_place(enum word_class class)
{
    return class == WORD_PANEL || class == WORD_PLACE || class == WORD_BUTTON ||
           class == WORD_TIMELINE || class == WORD_ACCOUNT;
}

/* A corner alone is no sign: content stands in corners too. */
static unsigned sign_of_place(enum word_class class)
{
    switch (class) {
    case WORD_PANEL:
        return SIGN_IN_PANEL;
    case WORD_BUTTON:
        return SIGN_IN_BUTTON;
    case WORD_TIMELINE:
        return SIGN_IN_TIMELINE;
    default:
        return 0;
    }
}

/* ---- what stands before a verb ---- */

struct stance {
    unsigned position; /* 0: no instruction */
    bool negated;      /* "don't click", "before you click" */
    bool you;
    size_t chain;            /* the first unit of "you can please" before the verb */
    size_t start;            /* the first unit that belongs to the verb: 把, "in the Text tab" */
    size_t place, place_end; /* units; place_end 0: none */
    unsigned signs;
};

static bool starts_clause(const struct sentence *s, size_t i)
{
    return i == 0 || is_border(&s->unit[i - 1]);
}

/* Can an instruction follow here without a subject? */
static bool is_open_before(const struct sentence *s, size_t i)
{
    if (starts_clause(s, i))
        return true;
    enum word_class class = s->unit[i - 1].class;
    return class == WORD_CHAIN || class == WORD_YOU || class == WORD_AFTER || class == WORD_WHEN ||
           class == WORD_NOT || class == WORD_OPENING;
}

/* "In the Text tab": from its first word. */
static void note_place(const struct sentence *s, struct stance *st, size_t in, size_t thing)
{
    st->signs |= sign_of_place(s->unit[thing].class);
    st->place = st->start = in;
    st->place_end = thing + 1;
    if (is_open_before(s, in))
        st->position = AT_START;
    size_t chain = in;
    while (chain > 0 &&
           (s->unit[chain - 1].class == WORD_CHAIN || s->unit[chain - 1].class == WORD_YOU))
        chain--;
    st->chain = chain < st->chain ? chain : st->chain;
}

/* Inside a clause: who does it, and is it told where? */
static void look_behind(const struct sentence *s, struct stance *st, size_t from)
{
    size_t thing = from; /* the last place before the verb */
    size_t least = from > REACH_MAX ? from - REACH_MAX : 0;
    bool person = false;
    for (size_t i = from; i > least; i--) {
        const struct unit *u = &s->unit[i - 1];
        bool border = u->class == WORD_STOP || u->class == WORD_OPENING;
        if (border)
            break;
        switch (u->class) {
        case WORD_I:
        case WORD_PERSON:
        case WORD_SCENE:
            person = true;
            break;
        case WORD_TAKE:
            st->start = i - 1;
            st->position = AT_START;
            person = false;
            break;
        case WORD_IN:
            if (thing != from && !st->place_end && (u->flags & UNIT_HAN || starts_clause(s, i - 1)))
                note_place(s, st, i - 1, thing);
            break;
        default:
            if (thing == from && is_place(u->class))
                thing = i - 1;
        }
    }
    if (person)
        st->position = 0;
}

/* "They come in, press the button, leave": who began the sentence still does it. */
static bool is_done_by_person(const struct sentence *s, size_t verb)
{
    bool han = s->unit[verb].flags & UNIT_HAN;
    for (size_t i = verb; i > 0; i--) {
        const struct unit *u = &s->unit[i - 1];
        if (u->class == WORD_YOU || u->class == WORD_I)
            return false;
        bool owner = i < s->count && character_at(s, i) == 0x7684; /* 的 */
        if (u->class == WORD_PERSON && (han ? !owner : i == 1))
            return true;
    }
    return false;
}

/* A quotation is the name of a button, or words to the user; after "the caption says" it is
 * content. */
static bool is_content_quotation(const struct sentence *s, size_t opening)
{
    for (size_t i = opening; i > 0; i--) {
        enum word_class class = s->unit[i - 1].class;
        if (class == WORD_CAPTION || class == WORD_PERSON || class == WORD_SCENE)
            return true;
    }
    return false;
}

static struct stance stance_of(const struct sentence *s, size_t verb, bool glued)
{
    struct stance st = {.chain = verb, .start = verb};
    size_t i = verb;
    for (; i > 0 && !st.position; i--) {
        const struct unit *u = &s->unit[i - 1];
        switch (u->class) {
        case WORD_EMPHASIS:
            continue;
        case WORD_CHAIN:
        case WORD_PLACE:
            break;
        case WORD_AFTER:
            st.position = AT_START;
            return st;
        case WORD_YOU:
            st.you = true;
            break;
        case WORD_NOT:
            st.negated = true;
            break;
        case WORD_BEFORE:
            st.negated = true;
            st.position = AT_START;
            break;
        case WORD_WHEN:
            st.position = AT_START;
            break;
        case WORD_OPENING:
            if (is_content_quotation(s, i - 1))
                return st;
            st.position = AT_START;
            return st;
        case WORD_STOP:
            st.position = AT_START;
            return st;
        case WORD_JOIN:
            st.position = s->unit[verb].flags & UNIT_HAN ? AT_START : AT_JOIN;
            return st;
        case WORD_I:
        case WORD_PERSON:
        case WORD_SCENE:
        case WORD_THEIR:
            return st;
        default:
            st.position = st.you ? AT_START : AT_INNER;
            look_behind(s, &st, i);
            return st;
        }
        st.chain = i - 1;
    }
    if (!st.position)
        st.position = glued ? AT_INNER : AT_START;
    return st;
}

/* ---- what stands after a verb ---- */

struct object {
    unsigned signs;
    bool content;            /* 点击了: tells what was done */
    bool negated;            /* 点击之前 */
    size_t end;              /* the unit after the clause */
    size_t label, label_end; /* bytes; label_end 0: none */
    size_t place, place_end; /* units; place_end 0: none */
};

static size_t next_word(const struct sentence *s, size_t i)
{
    while (i < s->count && s->unit[i].class == WORD_EMPHASIS)
        i++;
    return i;
}

/* "Play and Stop": the clause goes on after the "and" when a name follows. */
static bool joins_names(const struct sentence *s, size_t join)
{
    size_t next = next_word(s, join + 1);
    if (next == s->count)
        return false;
    const struct unit *u = &s->unit[next];
    return u->class == WORD_OPENING || u->class == WORD_EXPORT ||
           (u->flags & UNIT_CAPITAL && u->class != WORD_I && u->class != WORD_YOU);
}

static bool ends_clause(const struct sentence *s, size_t verb, size_t i)
{
    const struct unit *u = &s->unit[i];
    if (u->class == WORD_STOP)
        return character_at(s, i) != 0x3001 || i + 1 == s->count || is_verb(&s->unit[i + 1]);
    if (u->flags & UNIT_URL)
        return true;
    if (u->class == WORD_BEFORE && u->flags & UNIT_HAN)
        return true;
    if (u->class == WORD_CLOSING)
        return u->pair < verb;
    return u->class == WORD_JOIN && !joins_names(s, i);
}

static void set_label(struct object *o, size_t start, size_t end)
{
    if (!o->label_end && end > start && end - start <= LABEL_BYTES_MAX) {
        o->label = start;
        o->label_end = end;
    }
}

/* The words between "the" and "button". */
static void label_before(const struct sentence *s, struct object *o, size_t verb, size_t button)
{
    size_t i = verb + 1;
    for (size_t k = i; k < button; k++) {
        enum word_class class = s->unit[k].class;
        if (class == WORD_ARTICLE || class == WORD_YOUR || class == WORD_IN ||
            class == WORD_EMPHASIS || class == WORD_PLACE ||
            (class == WORD_CHAIN && s->unit[k].flags & UNIT_HAN))
            i = k + 1;
    }
    if (i < button)
        set_label(o, s->unit[i].start, s->unit[button - 1].end);
}

static unsigned sign_of_name(const struct sentence *s, size_t from, size_t to)
{
    unsigned signs = SIGN_LABEL;
    for (size_t i = from; i < to; i++) {
        switch (s->unit[i].class) {
        case WORD_EXPORT:
            return SIGN_EXPORT;
        case WORD_UPLOAD:
            return SIGN_UPLOAD;
        case WORD_ACCOUNT:
            return SIGN_ACCOUNT;
        case WORD_PANEL:
            signs |= SIGN_PANEL;
            break;
        default:
            break;
        }
    }
    return signs;
}

/* A name without quotes: capitalised words, "File > Export", in bold, or right after a Chinese
 * verb. Returns the unit after it, `i` if there is none. */
static size_t read_bare_name(const struct sentence *s, struct object *o, size_t verb, size_t i)
{
    bool emphasised = i && s->unit[i - 1].class == WORD_EMPHASIS;
    bool chinese = s->unit[verb].flags & UNIT_HAN && i == verb + 1 && s->unit[i].flags & UNIT_HAN;
    size_t end = i;
    while (end < s->count && end < i + REACH_MAX) {
        const struct unit *u = &s->unit[end];
        bool path = u->class == WORD_MARK && end > i;
        bool named = u->flags & UNIT_CAPITAL ||
                     (emphasised && u->class != WORD_EMPHASIS && u->class != WORD_STOP) ||
                     (chinese && u->flags & UNIT_HAN && (u->class == WORD_OTHER || end == i));
        if (!named && !path)
            break;
        end++;
    }
    while (end > i && s->unit[end - 1].class == WORD_MARK)
        end--;
    if (end > i) {
        o->signs |= sign_of_name(s, i, end) | (chinese ? 0 : SIGN_FIRM);
        set_label(o, s->unit[i].start, s->unit[end - 1].end);
    }
    return end;
}

/* Are there but articles between the verb and here? */
static bool is_next_thing(const struct sentence *s, size_t verb, size_t i)
{
    for (size_t k = verb + 1; k < i; k++) {
        enum word_class class = s->unit[k].class;
        if (class != WORD_ARTICLE && class != WORD_EMPHASIS && class != WORD_YOUR)
            return false;
    }
    return true;
}

/* May a name without quotes stand here? Only right after a verb that takes one. */
static bool is_name_place(const struct sentence *s, size_t verb, size_t i)
{
    const struct unit *u = &s->unit[i];
    enum word_class class = s->unit[verb].class;
    bool presses = class == WORD_CLICK || class == WORD_PRESS;
    if (!(presses || class == WORD_GO || class == WORD_PICK) || !is_next_thing(s, verb, i))
        return false;
    if (u->flags & UNIT_CAPITAL || s->unit[i - 1].class == WORD_EMPHASIS)
        return u->class != WORD_I;
    return presses && u->flags & UNIT_HAN && s->unit[verb].flags & UNIT_HAN && i == verb + 1 &&
           (u->class == WORD_OTHER || is_verb(u));
}

static void add_thing(const struct sentence *s, struct object *o, size_t verb, size_t i, size_t in)
{
    const struct unit *u = &s->unit[i];
    if (in && !o->place_end && sign_of_place(u->class)) {
        o->place = in;
        o->place_end = i + 1;
    }
    bool named = o->signs & (SIGN_LABEL | SIGN_BUTTON | SIGN_PANEL);
    bool verb_is_name = s->unit[verb].class == WORD_EXPORT || s->unit[verb].class == WORD_UPLOAD;
    switch (u->class) {
    case WORD_EXPORT:
        o->signs |= named ? 0 : SIGN_EXPORT;
        break;
    case WORD_UPLOAD:
        o->signs |= named ? 0 : SIGN_UPLOAD;
        break;
    case WORD_BUTTON:
        if (verb_is_name && i == verb + 1)
            o->signs |= SIGN_NAMED;
        if (!o->label_end && !in)
            label_before(s, o, verb, i);
        o->signs |= SIGN_BUTTON | (in ? SIGN_IN_BUTTON : 0);
        break;
    case WORD_PANEL:
        o->signs |= SIGN_PANEL | (in ? SIGN_IN_PANEL : 0);
        break;
    case WORD_TIMELINE:
        o->signs |= SIGN_TIMELINE | (in ? SIGN_IN_TIMELINE : 0);
        break;
    case WORD_ACCOUNT:
        o->signs |= SIGN_ACCOUNT;
        break;
    case WORD_TRACK:
        o->signs |= SIGN_TRACK;
        break;
    case WORD_LINK:
        o->signs |= SIGN_LINK;
        break;
    case WORD_HERE:
        o->signs |= SIGN_HERE;
        break;
    case WORD_KEY:
        if (is_next_thing(s, verb, i)) {
            o->signs |= SIGN_KEY;
            set_label(o, u->start, u->end);
        }
        break;
    case WORD_THEIR:
        o->signs |= i == verb + 1 ? SIGN_THEIR : 0;
        break;
    case WORD_YOUR: /* press your lips together */
        o->signs |= i == verb + 1 && s->unit[verb].class == WORD_PRESS ? SIGN_THEIR : 0;
        break;
    default:
        break;
    }
}

static struct object object_of(const struct sentence *s, size_t verb)
{
    struct object o = {.end = verb + 1};
    size_t in = 0; /* the last "in" */
    for (size_t i = verb + 1; i < s->count && i <= verb + REACH_MAX; i++) {
        const struct unit *u = &s->unit[i];
        if (ends_clause(s, verb, i))
            break;
        if ((u->class == WORD_DONE && i == verb + 1) || u->class == WORD_SCENE_OF)
            o.content = true;
        if (u->class == WORD_CLOSING && u->pair < verb)
            break;
        size_t name_end = is_name_place(s, verb, i) ? read_bare_name(s, &o, verb, i) : i;
        if (u->class == WORD_OPENING) {
            o.signs |= sign_of_name(s, i + 1, u->pair) | SIGN_FIRM;
            set_label(&o, u->end, s->unit[u->pair].start);
            i = u->pair;
        } else if (name_end > i) {
            i = name_end - 1;
        } else if (s->unit[verb].class == WORD_PRESS && i == verb + 1 && is_verb(u)) {
            o.signs |= SIGN_KEY; /* press play */
            set_label(&o, u->start, u->end);
        } else {
            in = u->class == WORD_IN ? i : in;
            add_thing(s, &o, verb, i, in);
        }
        o.end = i + 1;
    }
    while (o.end < s->count && !ends_clause(s, verb, o.end))
        o.end++;
    o.negated = o.end < s->count && s->unit[o.end].class == WORD_BEFORE;
    return o;
}

/* ---- instructions ---- */

struct hit {
    enum advice advice;
    bool gerund;
    bool broken_in;    /* it begins inside a clause */
    bool firm;         /* the label is marked as one */
    size_t first, end; /* units */
    size_t label, label_end;
};

static enum advice decide(const struct sentence *s, size_t verb, const struct stance *st,
                          const struct object *o)
{
    const struct unit *u = &s->unit[verb];
    unsigned signs = o->signs | st->signs | (s->you ? SIGN_YOU : 0) | (s->url ? SIGN_URL : 0);
    if (u->flags & UNIT_GERUND)
        signs |= SIGN_GERUND;
    if (st->position == AT_START && !st->you && !(signs & (SIGN_FIRM | SIGN_EXPORT)) &&
        is_done_by_person(s, verb))
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
    if (first < 2 || s->unit[first - 1].class != WORD_STOP || character_at(s, first - 1) != ',')
        return first;
    size_t i = first - 1, least = first > REACH_MAX ? first - REACH_MAX : 0;
    while (i > least && s->unit[i - 1].class != WORD_STOP)
        i--;
    return i < first - 1 ? i : first;
}

/* "From the left sidebar, choose …": the signs of the place. */
static unsigned signs_before(const struct sentence *s, size_t first)
{
    unsigned signs = 0;
    size_t i = clause_before(s, first);
    if (s->unit[i].class != WORD_IN)
        return 0;
    for (; i < first; i++)
        signs |= sign_of_place(s->unit[i].class);
    return signs;
}

/* A clause in front that means nothing without the instruction: "In the top bar, …", and where an
 * export is told as a fact: "When you are ready, …". Returns its first unit, or `first`. */
static size_t with_prelude(const struct sentence *s, size_t first, enum advice advice)
{
    size_t start = clause_before(s, first);
    enum word_class class = s->unit[start].class;
    bool place = false;
    for (size_t i = start; i < first; i++)
        place |= is_place(s->unit[i].class);
    bool to = class == WORD_CHAIN && token_at(s->text, s->len, s->unit[start].start).len == 2;
    bool drop =
        (class == WORD_IN && place) || (advice == ADVICE_EXPORT && (class == WORD_WHEN || to));
    return drop ? start : first;
}

/* What follows an instruction and is part of it: "(top right)", "then Blur, then Apply". */
static size_t with_sequel(const struct sentence *s, size_t end, enum advice *advice)
{
    while (end < s->count && s->unit[end].class == WORD_STOP) {
        bool bracket = character_at(s, end) == '(', named = false;
        size_t i = end + 1;
        for (; i < s->count && i < end + REACH_MAX; i++) {
            const struct unit *u = &s->unit[i];
            if (bracket ? u->class == WORD_STOP && character_at(s, i) == ')'
                        : u->class == WORD_STOP)
                break;
            if (bracket)
                continue;
            if (u->class == WORD_OPENING)
                i = u->pair;
            else if (u->class != WORD_EMPHASIS && u->class != WORD_JOIN && u->class != WORD_CHAIN &&
                     !(u->flags & UNIT_CAPITAL))
                return end;
            named |= u->class == WORD_OPENING || u->flags & UNIT_CAPITAL;
            if (u->class == WORD_EXPORT)
                *advice = ADVICE_EXPORT;
        }
        if (bracket && i < s->count && s->unit[i].class == WORD_STOP)
            end = i + 1;
        else if (!bracket && named && i - end <= 8 && s->unit[end + 1].class == WORD_CHAIN)
            end = i;
        else
            return end;
    }
    return end;
}

/* "…, colour and size of the text": the rest of an enumeration that an English instruction began.
 * It has a comma, an "and", and nothing that could be a clause. */
static size_t with_enumeration(const struct sentence *s, size_t verb, size_t end)
{
    bool purpose = false, joined = false;
    for (size_t i = verb + 1; i < end; i++)
        purpose |= is_verb(&s->unit[i]) && s->unit[i - 1].class == WORD_CHAIN;
    if (!purpose || s->chinese || end == s->count || character_at(s, end) != ',')
        return end;
    size_t i = end + 1;
    for (; i < s->count && i < end + REACH_MAX && s->unit[i].class != WORD_STOP; i++) {
        const struct unit *u = &s->unit[i];
        if ((u->class >= WORD_VERB_FIRST && u->class <= WORD_VERB_LAST) || u->class == WORD_YOU ||
            u->class == WORD_I || u->class == WORD_PERSON || u->class == WORD_SCENE ||
            u->class == WORD_CHAIN || u->class == WORD_NOT || u->class == WORD_WHEN)
            return end;
        joined |= u->class == WORD_JOIN;
    }
    return joined || (i < s->count && character_at(s, i) == ',' && with_enumeration(s, verb, i) > i)
               ? i
               : end;
}

/* Asterisks that open inside and close outside, or the other way round, go with the instruction. */
static void balance_emphasis(const struct sentence *s, struct hit *h)
{
    size_t runs = 0;
    for (size_t i = h->first; i < h->end; i++) {
        if (s->unit[i].class == WORD_EMPHASIS &&
            (i == h->first || s->unit[i - 1].class != WORD_EMPHASIS))
            runs++;
    }
    if (runs % 2 == 0)
        return;
    if (h->first && s->unit[h->first - 1].class == WORD_EMPHASIS) {
        while (h->first && s->unit[h->first - 1].class == WORD_EMPHASIS)
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
        if (s->unit[i - 1].class == WORD_YOUR && starts_clause(s, i - 1))
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
    h->end = with_enumeration(s, verb, h->end);
    h->end = with_sequel(s, h->end, &h->advice);
    if (h->advice == ADVICE_EXPORT && st->chain < h->first)
        h->first = st->chain;
    if (o->signs & SIGN_NAMED) {
        while (h->first > 0 && !is_border(&s->unit[h->first - 1]))
            h->first--;
    }
    h->first = with_prelude(s, h->first, h->advice);
    if (h->advice == ADVICE_EXPORT && h->first > 0) {
        h->first = with_subject(s, h->first);
        enum word_class before = h->first ? s->unit[h->first - 1].class : WORD_STOP;
        h->broken_in = before < WORD_STOP && before != WORD_JOIN && before != WORD_AFTER;
    }
}

static bool find_hit(const struct sentence *s, const struct sentence_context *c, size_t verb,
                     size_t from, struct hit *h)
{
    struct stance st = stance_of(s, verb, c->glued);
    struct object o = object_of(s, verb);
    if (st.position == AT_START)
        st.signs |= signs_before(s, st.chain);
    *h = (struct hit){.advice = decide(s, verb, &st, &o)};
    if (h->advice == ADVICE_NONE)
        return false;

    h->gerund = s->unit[verb].flags & UNIT_GERUND;
    h->label = o.label;
    h->label_end = o.label_end;
    bool negated = st.negated || o.negated;
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
    balance_emphasis(s, h);
    return true;
}

/* ---- writing ---- */

struct writer {
    const struct sentence *s;
    struct sentence_context *c;
    sentence_out_fn *out;
    void *user;
    size_t copied; /* bytes of the sentence that were dealt with */
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
        first = s->text[s->unit[next_word(s, h->first)].start];
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
    if (is_part(h->advice) && !w->c->in_steps)
        return;

    struct hit said = *h;
    if (is_part(said.advice))
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
    w->hits++;
    if (said.advice == ADVICE_EXPORT) {
        w->wishes |= TRANSLATE_EXPORT;
        w->c->exporting = true;
    } else if (said.advice == ADVICE_TIMELINE) {
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
        return is_vague(a) || is_vague(b) ? ADVICE_WRITE : a == ADVICE_CREDITS ? a : ADVICE_NONE;
    return a == b && a != ADVICE_LINK ? a : ADVICE_NONE;
}

static void add_hit(struct writer *w, const struct hit *h)
{
    struct hit *p = &w->hit;
    enum advice both = w->pending && is_next_to(w->s, p, h) ? merged(p, h) : ADVICE_NONE;
    if (both != ADVICE_NONE) {
        if (h->label_end && (!p->label_end || p->advice != ADVICE_WRITE)) {
            p->label = h->label;
            p->label_end = h->label_end;
        }
        if (is_part(p->advice))
            p->gerund = h->gerund;
        p->advice = both;
        p->end = h->end;
        return;
    }
    if (w->pending)
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
        else if (s->unit[i].class < WORD_STOP && !is_digit_at(s, s->unit[i].start))
            return true;
    }
    return false;
}

static bool is_list_item(const struct sentence *s)
{
    if (s->count < 2 || s->unit[1].start == 0)
        return false;
    uint32_t first = character_at(s, 0), second = character_at(s, 1);
    bool bullet =
        s->unit[0].class == WORD_STOP && (first == '-' || first == '*' || first == 0x2022);
    bool number =
        is_digit_at(s, s->unit[0].start) && (second == '.' || second == ')' || second == 0x3001);
    return bullet || number;
}

/* The second "click Export", the third "drag it", the step between two of an export. */
static bool says_nothing_new(const struct sentence_context *c, enum advice advice)
{
    if (advice == ADVICE_EXPORT)
        return c->exporting;
    if (is_part(advice))
        return c->in_steps && (c->repeats == ADVICE_EXPORT || c->repeats == ADVICE_WISH);
    return is_vague(advice) && advice == c->repeats;
}

unsigned sentence_rewrite(struct sentence_context *c, const char *text, size_t len,
                          sentence_out_fn *out, void *user)
{
    struct sentence s;
    read_sentence(&s, text, len);
    struct writer w = {.s = &s, .c = c, .out = out, .user = user};
    bool list_item = is_list_item(&s);
    c->in_steps &= list_item;

    size_t from = 0;
    for (size_t i = 0; i < s.count; i++) {
        struct hit h;
        if (is_verb(&s.unit[i]) && find_hit(&s, c, i, from, &h)) {
            from = h.end;
            i = h.end - 1;
            add_hit(&w, &h);
        }
    }

    bool alone = w.pending && !w.hits && !has_words_around(&s, &w.hit);
    enum advice advice = w.hit.advice;
    if (alone && says_nothing_new(c, advice)) {
        c->in_steps = list_item;
        return 0;
    }
    if (w.pending)
        write_pending(&w);
    write_bytes(&w, text + w.copied, len - w.copied);
    if (s.count) {
        c->in_steps = list_item && w.hits;
        c->repeats = !alone || !w.hits ? ADVICE_NONE : is_part(advice) ? ADVICE_WISH : advice;
    }
    return w.wishes;
}

/* ---- for who cuts a text into sentences ---- */

bool sentence_is_open(const char *text, size_t len)
{
    struct sentence s;
    read_sentence(&s, text, len);
    for (size_t i = 0; i < s.count; i++) {
        if (is_verb(&s.unit[i]))
            return true;
    }
    return false;
}

bool sentence_is_dangling(const char *text, size_t len)
{
    struct sentence s;
    read_sentence(&s, text, len);
    size_t i = s.count;
    while (i > 0 && (s.unit[i - 1].class == WORD_ARTICLE || s.unit[i - 1].class == WORD_YOUR ||
                     s.unit[i - 1].class == WORD_EMPHASIS || s.unit[i - 1].class == WORD_IN))
        i--;
    return i > 0 && is_verb(&s.unit[i - 1]);
}

size_t sentence_cut(const char *text, size_t len)
{
    struct sentence s;
    read_sentence(&s, text, len);
    size_t verb = 0, border = 0, word = 0;
    for (size_t i = 0; i < s.count; i++) {
        const struct unit *u = &s.unit[i];
        if (u->start < len / 2)
            continue;
        if (is_verb(u))
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
