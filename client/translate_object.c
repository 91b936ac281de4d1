/* What stands after a verb. */
#include "translate_find.h"

#define LABEL_BYTES_MAX 80 /* longer names of buttons are none */

/* "Play and Stop": the clause goes on after the "and" when a name follows. */
static bool joins_names(const struct sentence *s, size_t join)
{
    size_t next = words_next(s, join + 1);
    if (next == s->count)
        return false;
    const struct unit *u = &s->unit[next];
    return u->class == WORD_OPENING || u->class == WORD_EXPORT ||
           (u->flags & UNIT_CAPITAL && u->class != WORD_I && u->class != WORD_YOU);
}

static bool is_press(const struct sentence *s, size_t i)
{
    enum word_class class = s->unit[i].class;
    return class == WORD_CLICK || class == WORD_POINT || class == WORD_PRESS;
}

/* 点击“生成”后点击导出: one instruction after the other. */
static bool begins_step(const struct sentence *s, size_t verb, size_t after)
{
    size_t next = words_next(s, after + 1);
    return s->unit[after].flags & UNIT_HAN && next < s->count && is_press(s, verb) &&
           is_press(s, next);
}

bool find_ends_clause(const struct sentence *s, size_t verb, size_t i)
{
    const struct unit *u = &s->unit[i];
    if (u->class == WORD_STOP)
        return words_character(s, i) != U'、' || i + 1 == s->count ||
               words_is_verb(&s->unit[i + 1]);
    if (u->flags & UNIT_URL)
        return true;
    if (u->class == WORD_BEFORE && u->flags & UNIT_HAN)
        return true;
    if (u->class == WORD_AFTER && begins_step(s, verb, i))
        return true;
    if (u->class == WORD_CLOSING) /* but "Export" button */
        return u->pair < verb && !(i == verb + 1 && u->pair + 1u == verb);
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
    while (end < s->count && end < i + WORDS_REACH_MAX) {
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
    /* 点击出现的三个点, 点击第 2 轨的图标 */
    if (chinese && end < s->count && (words_character(s, end) == U'的' || words_is_number(s, end)))
        return i;
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

/* "File > Export" */
static bool begins_path(const struct sentence *s, size_t i)
{
    uint32_t mark = i + 1 < s->count ? words_character(s, i + 1) : 0;

    return mark == '>' || mark == U'→';
}

/* May a name without quotes stand here? Only right after a verb that takes one. */
static bool is_name_place(const struct sentence *s, size_t verb, size_t i)
{
    const struct unit *u = &s->unit[i];
    enum word_class class = s->unit[verb].class;
    bool presses = class == WORD_CLICK || class == WORD_PRESS;
    bool takes = presses || class == WORD_GO || class == WORD_PICK ||
                 ((class == WORD_USE || class == WORD_OPEN) && begins_path(s, i));
    if (!takes || !is_next_thing(s, verb, i))
        return false;
    if (u->flags & UNIT_CAPITAL || s->unit[i - 1].class == WORD_EMPHASIS)
        return u->class != WORD_I;
    return presses && u->flags & UNIT_HAN && s->unit[verb].flags & UNIT_HAN && i == verb + 1 &&
           (u->class == WORD_OTHER || words_is_verb(u));
}

/* Does the verb name the button after it: "Export" button? */
static bool names_button(const struct sentence *s, size_t verb, size_t button)
{
    enum word_class class = s->unit[verb].class;
    size_t i = verb + 1;
    while (i < button && (s->unit[i].class == WORD_CLOSING || s->unit[i].class == WORD_EMPHASIS))
        i++;
    return (class == WORD_EXPORT || class == WORD_UPLOAD) && i == button;
}

static void add_thing(const struct sentence *s, struct object *o, size_t verb, size_t i, size_t in)
{
    const struct unit *u = &s->unit[i];
    if (in && !o->place_end && find_sign_of_place(u->class)) {
        o->place = in;
        o->place_end = i + 1;
    }
    bool named = o->signs & (SIGN_LABEL | SIGN_BUTTON | SIGN_PANEL);
    switch (u->class) {
    case WORD_EXPORT:
        o->signs |= named ? 0 : SIGN_EXPORT;
        break;
    case WORD_UPLOAD:
        o->signs |= named && s->unit[verb].class != WORD_DRAG ? 0 : SIGN_UPLOAD;
        break;
    case WORD_BUTTON:
        if (names_button(s, verb, i))
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

struct object find_object(const struct sentence *s, size_t verb)
{
    struct object o = {.end = verb + 1};
    size_t in = 0; /* the last "in" */
    for (size_t i = verb + 1; i < s->count && i <= verb + WORDS_REACH_MAX; i++) {
        const struct unit *u = &s->unit[i];
        if (find_ends_clause(s, verb, i))
            break;
        if ((u->class == WORD_DONE && i == verb + 1) || u->class == WORD_SCENE_OF)
            o.content = true;
        size_t name_end = is_name_place(s, verb, i) ? read_bare_name(s, &o, verb, i) : i;
        if (u->class == WORD_OPENING) {
            o.signs |= sign_of_name(s, i + 1, u->pair) | SIGN_FIRM;
            set_label(&o, u->end, s->unit[u->pair].start);
            i = u->pair;
        } else if (name_end > i) {
            i = name_end - 1;
        } else if (s->unit[verb].class == WORD_PRESS && i == verb + 1 && words_is_verb(u)) {
            o.signs |= SIGN_KEY; /* press play */
            set_label(&o, u->start, u->end);
        } else {
            in = u->class == WORD_IN ? i : in;
            add_thing(s, &o, verb, i, in);
        }
        o.end = i + 1;
    }
    return o;
}
