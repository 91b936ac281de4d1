/* What stands before a verb. */
#include "translate_find.h"

#define PERSON_REACH_MAX (4 * WORDS_REACH_MAX) /* units from a verb back to who does it */

/* Can an instruction follow here without a subject? */
static bool is_open_before(const struct sentence *s, size_t i)
{
    if (words_starts_clause(s, i))
        return true;
    enum word_class class = s->unit[i - 1].class;
    return class == WORD_CHAIN || class == WORD_YOU || class == WORD_AFTER || class == WORD_WHEN ||
           class == WORD_NOT || class == WORD_OPENING;
}

/* "In the Text tab": from its first word. */
static void note_place(const struct sentence *s, struct stance *st, size_t in, size_t thing)
{
    st->signs |= find_sign_of_place(s->unit[thing].class);
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
    size_t least = from > WORDS_REACH_MAX ? from - WORDS_REACH_MAX : 0;
    bool person = false;
    for (size_t i = from; i > least; i--) {
        const struct unit *u = &s->unit[i - 1];
        bool border = u->class == WORD_STOP || u->class == WORD_OPENING;
        if (u->class == WORD_CLOSING && u->pair >= least) { /* the name of a panel */
            for (size_t k = u->pair + 1u; k < i && thing == from; k++)
                thing = s->unit[k].class == WORD_ACCOUNT ? k : from;
            i = u->pair + 1u;
            continue;
        }
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
            if (thing != from && !st->place_end &&
                (u->flags & UNIT_HAN || words_starts_clause(s, i - 1)))
                note_place(s, st, i - 1, thing);
            break;
        default:
            if (thing == from && find_is_place(u->class))
                thing = i - 1;
        }
    }
    /* 时间线中: without 在 */
    if (!st->place_end && thing < from && s->unit[thing + 1].class == WORD_WITHIN)
        note_place(s, st, thing, thing);
    if (person)
        st->position = 0;
}

static struct stance inner_stance(const struct sentence *s, struct stance st, size_t from)
{
    st.position = st.you ? AT_START : AT_INNER;
    look_behind(s, &st, from);
    return st;
}

/* "They come in, press the button, leave": who began the sentence still does it. */
bool find_is_done_by_person(const struct sentence *s, size_t verb)
{
    bool han = s->unit[verb].flags & UNIT_HAN;
    size_t least = verb > PERSON_REACH_MAX ? verb - PERSON_REACH_MAX : 0;
    for (size_t i = verb; i > least; i--) {
        const struct unit *u = &s->unit[i - 1];
        if (u->class == WORD_YOU || u->class == WORD_I)
            return false;
        bool owner = i < s->count && words_character(s, i) == U'的';
        bool object = i > 1 && words_is_verb(&s->unit[i - 2]); /* 选择说话人 */
        if (u->class == WORD_PERSON && (han ? !owner && !object : i == 1))
            return true;
    }
    return false;
}

/* The mark that opens the quotation in which a unit stands; the unit itself if it stands in none.
 */
static size_t quotation_of(const struct sentence *s, size_t i)
{
    size_t least = i > WORDS_REACH_MAX ? i - WORDS_REACH_MAX : 0;
    for (size_t k = i; k > least; k--) {
        if (s->unit[k - 1].class == WORD_OPENING && s->unit[k - 1].pair > i)
            return k - 1;
    }
    return i;
}

static bool makes_content(enum word_class class)
{
    return class == WORD_CAPTION || class == WORD_PERSON || class == WORD_SCENE || class == WORD_I;
}

/* A quotation is the name of a button, or words to the user; with "the caption says" it is content.
 */
static bool is_content_quotation(const struct sentence *s, size_t opening)
{
    size_t least = opening > PERSON_REACH_MAX ? opening - PERSON_REACH_MAX : 0;
    for (size_t i = opening; i > least; i--) {
        if (makes_content(s->unit[i - 1].class))
            return true;
    }
    for (size_t i = s->unit[opening].pair; i < s->count && s->unit[i].class != WORD_STOP; i++) {
        if (s->unit[i].class == WORD_CAPTION)
            return true;
    }
    return false;
}

struct stance find_stance(const struct sentence *s, size_t verb, bool glued)
{
    struct stance st = {.chain = verb, .start = verb};
    if (verb && words_character(s, verb - 1) == U'已')
        return st; /* 已保存: was done */
    size_t quotation = quotation_of(s, verb);
    if (quotation < verb && is_content_quotation(s, quotation))
        return st;
    size_t i = verb;
    for (; i > 0 && !st.position; i--) {
        const struct unit *u = &s->unit[i - 1];
        switch (u->class) {
        case WORD_EMPHASIS:
            continue;
        case WORD_CHAIN:
        case WORD_PLACE:
            break;
        case WORD_USE: /* 通过 */
            if (!(u->flags & UNIT_HAN))
                return inner_stance(s, st, i);
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
            if (i > 1 && s->unit[i - 2].class == WORD_SCENE)
                return st; /* "it shows how to" */
            st.position = AT_START;
            break;
        case WORD_OPENING:
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
        case WORD_IN: /* 在右上角 */
            if (s->unit[i].class != WORD_PLACE)
                return inner_stance(s, st, i);
            st.start = i - 1;
            break;
        default:
            return inner_stance(s, st, i);
        }
        st.chain = i - 1;
    }
    if (!st.position)
        st.position = glued ? AT_INNER : AT_START;
    return st;
}
