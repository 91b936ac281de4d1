#include "translate_words.h"

#include <string.h>

#include "token.h"
#include "utf8.h"

/* With the same first byte: worth a closer look? Sorts out nearly all that is left. */
static bool may_match(const char *text, const struct token *t, const char *phrase)
{
    if (t->kind == TOKEN_HAN)
        return strncmp(phrase, text, t->len) == 0;
    unsigned char second = (unsigned char)text[1];
    return t->len < 2 || second >= 0x80 || token_fold(second) == (unsigned char)phrase[1];
}

static void classify_word(struct sentence *s, struct unit *u, const struct token *t)
{
    const char *text = s->text + t->start;
    char lead[4];
    utf8_encode(t->character, lead);
    for (size_t i = 0; i < translate_lexicon_size; i++) {
        const struct lexicon *l = &translate_lexicon[i];
        if (((unsigned char)l->phrases[0][0] >= 0x80) != (t->kind == TOKEN_HAN))
            continue;
        for (const char *const *phrase = l->phrases; *phrase; phrase++) {
            size_t end;
            if (**phrase != lead[0] || !may_match(text, t, *phrase) ||
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
    case U'–':
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
    case U'—':
    case U'•':
    case U'…':
    case U'、':
    case U'。':
        return WORD_STOP;
    default:
        return WORD_MARK;
    }
}

uint32_t words_character(const struct sentence *s, size_t i)
{
    return token_at(s->text, s->len, s->unit[i].start).character;
}

/* The mark that closes a quotation opened by `c`, 0 if `c` opens none. */
static uint32_t closing_mark(uint32_t c)
{
    static const uint32_t pairs[][2] = {
        {'"', '"'},   {'\'', '\''},   {'`', '`'},     {'[', ']'},     {U'“', U'”'},   {U'‘', '\''},
        {U'«', U'»'}, {U'「', U'」'}, {U'『', U'』'}, {U'【', U'】'}, {U'《', U'》'}, {U'„', U'“'},
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
        uint32_t closing = closing_mark(words_character(s, i));
        if (!closing)
            continue;
        for (size_t k = i + 1; k < s->count && k < i + WORDS_REACH_MAX; k++) {
            if (s->unit[k].class != WORD_MARK || words_character(s, k) != closing)
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

/* 点 clicks on a name or a button; but not where it ends another word (特点), or a time. */
static bool clicks(const struct sentence *s, size_t i)
{
    if (i && (words_is_number(s, i - 1) ||
              (s->unit[i - 1].class == WORD_OTHER && !(s->unit[i].flags & UNIT_SPACED))))
        return false;
    for (size_t k = i + 1; k < s->count && k < i + WORDS_REACH_MAX; k++) {
        enum word_class class = s->unit[k].class;
        if (class == WORD_BUTTON ||
            (k == i + 1 && (class == WORD_OPENING || class == WORD_EMPHASIS)))
            return true;
        if (class == WORD_STOP)
            break;
    }
    return false;
}

static void decide_points(struct sentence *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->unit[i].class == WORD_POINT)
            s->unit[i].class = clicks(s, i) ? WORD_CLICK : WORD_OTHER;
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

void words_read(struct sentence *s, const char *text, size_t len)
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
    decide_points(s);
    note_language(s);
}

bool words_is_verb(const struct unit *u)
{
    return u->class >= WORD_VERB_FIRST && u->class <= WORD_VERB_LAST;
}

bool words_is_border(const struct unit *u)
{
    return u->class == WORD_STOP || u->class == WORD_JOIN;
}

bool words_starts_clause(const struct sentence *s, size_t i)
{
    return i == 0 || words_is_border(&s->unit[i - 1]);
}

bool words_is_number(const struct sentence *s, size_t i)
{
    return is_digit_at(s, s->unit[i].start);
}

size_t words_next(const struct sentence *s, size_t i)
{
    while (i < s->count && s->unit[i].class == WORD_EMPHASIS)
        i++;
    return i;
}
