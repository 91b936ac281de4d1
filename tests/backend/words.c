#include "words.h"

#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 12
#define LENGTH_MAX_MS (24 * 3600 * 1000.0)
#define LEVEL_MAX 4.0

#define NUMBER "([0-9]+([.][0-9]+)?)"
#define SOUND "(audio|sound|voice|track|speech|narration|dub|lips?|mouths?|recording)"
#define SOUND_ZH "(音|声|旁白|录音)"

static const char *const question_words[] = {
    "^(how|what|why|when|where|who|which|whose|does|do you|did|is|are|was)([^a-z]|$)",
    "^(怎么|怎样|如何|为什么|为何|什么|哪|谁|请问)",
};

static const char *const undo_words[] = {
    "(^|[^a-z])(undo|revert)([^a-z]|$)",
    "撤销|撤回|还原",
};

static const char *const sync_words[] = {
    "(^|[^a-z])(lip-?)?(re-?)?sync[a-z]*",
    "(^|[^a-z])dub(s|bed|bing)?([^a-z]|$)",
    "(^|[^a-z])(match|replace|align|swap|lay|put|use|add|fit)[a-z]*[^a-z](.*[^a-z])?" SOUND,
    "(^|[^a-z])" SOUND "[a-z]*[^a-z](.*[^a-z])?(match|align|fit|replace)",
    "同步|口型|对嘴|对齐|配音",
    "(替换|换|匹配|代替)(.*)" SOUND_ZH,
    SOUND_ZH "(.*)(替换|换|匹配|代替)",
};

static const char *const no_words[] = {
    "(don't|don’t|dont|do not|never|not to|no need to|without|stop)( [a-z]+)? *$",
    "(不要|别|不用|无需|不必|停止)$",
};

static const char *const title_words[] = {
    "(^|[^a-z])(title|caption|headline|heading)([^a-z]|$)",
    "标题|题目|字幕",
};

static const char *const remove_words[] = {
    "(remove|delete|drop|take off|without|clear)[a-z]* (the |that |my "
    ")?(title|caption|headline|heading)",
    "(删除|删掉|去掉|移除|清除)(.*)(标题|题目|字幕)",
};

/* Lower case, full-width forms made ASCII; what is in quotes is taken out, the first of it into
 * `quoted`. */
struct plain {
    char text[WORDS_MAX + 1];
    size_t len;
    char quoted[WORDS_TITLE_MAX];
    bool has_quoted;
};

static const struct {
    const char *open;
    const char *close;
} quotes[] = {
    {"\"", "\""}, {"“", "”"}, {"‘", "’"}, {"「", "」"}, {"『", "』"}, {"《", "》"}, {" '", "'"},
};

/* A copy that ends at a character's border, without control characters. */
static void copy_title(char out[WORDS_TITLE_MAX], const char *text, size_t len)
{
    size_t n = 0;

    while (len && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    for (size_t i = 0; i < len && n < WORDS_TITLE_MAX - 1; i++) {
        unsigned char c = (unsigned char)text[i];
        out[n++] = (char)(c < 0x20 || c == 0x7f ? ' ' : c);
    }
    if (n == WORDS_TITLE_MAX - 1) {
        while (n && ((unsigned char)out[n - 1] & 0xc0) == 0x80)
            n--;
        n -= n && (unsigned char)out[n - 1] >= 0xc0;
    }
    while (n && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
}

/* If a quotation begins at `c`: its length with the quotes, else 0. */
static size_t quotation(struct plain *p, const char *c)
{
    for (size_t i = 0; i < sizeof(quotes) / sizeof(quotes[0]); i++) {
        size_t open = strlen(quotes[i].open);
        if (strncmp(c, quotes[i].open, open) != 0)
            continue;
        const char *end = strstr(c + open, quotes[i].close);
        if (!end)
            continue;
        if (!p->has_quoted) {
            copy_title(p->quoted, c + open, (size_t)(end - c) - open);
            p->has_quoted = true;
        }
        return (size_t)(end - c) + strlen(quotes[i].close);
    }
    return 0;
}

static bool full_width(const unsigned char *c, char *out)
{
    if (c[0] != 0xef || (c[1] != 0xbc && c[1] != 0xbd) || c[2] < 0x80)
        return false;
    unsigned code = c[1] == 0xbc ? c[2] - 0x80u + 0x20u : c[2] - 0x80u + 0x60u;
    if (code < 0x21 || code > 0x7e)
        return false;
    *out = (char)code;
    return true;
}

static void make_plain(struct plain *p, const char *text)
{
    p->len = 0;
    p->has_quoted = false;
    while (*text && p->len < WORDS_MAX) {
        size_t quoted = quotation(p, text);
        char c = *text;
        if (quoted) {
            p->text[p->len++] = ' ';
            text += quoted;
            continue;
        }
        text += full_width((const unsigned char *)text, &c) ? 3 : 1;
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        p->text[p->len++] = c == '\t' || c == '\n' || c == '\r' ? ' ' : c;
    }
    p->text[p->len] = '\0';
}

static bool find(const char *pattern, const char *text, regmatch_t groups[GROUPS_MAX])
{
    regex_t r;

    if (regcomp(&r, pattern, REG_EXTENDED) != 0)
        return false;
    bool found = regexec(&r, text, GROUPS_MAX, groups, 0) == 0;
    regfree(&r);
    return found;
}

#define FIND_ANY(list, text) find_any(list, sizeof(list) / sizeof((list)[0]), text)

static bool find_any(const char *const *patterns, size_t count, const char *text)
{
    regmatch_t groups[GROUPS_MAX];

    for (size_t i = 0; i < count; i++) {
        if (find(patterns[i], text, groups))
            return true;
    }
    return false;
}

/* One of the patterns, and not with "don't" in front. */
static bool wants(const char *const *patterns, size_t count, const char *text)
{
    regmatch_t groups[GROUPS_MAX];
    char before[64];

    for (size_t i = 0; i < count; i++) {
        if (!find(patterns[i], text, groups))
            continue;
        size_t start = (size_t)groups[0].rm_so + ((unsigned char)text[groups[0].rm_so] == ' ');
        size_t len = start < sizeof(before) - 1 ? start : sizeof(before) - 1;
        memcpy(before, text + start - len, len);
        before[len] = '\0';
        if (!FIND_ANY(no_words, before))
            return true;
    }
    return false;
}

static double number_at(const char *text, const regmatch_t *group)
{
    return group->rm_so < 0 ? 0 : strtod(text + group->rm_so, NULL);
}

/* Milliseconds in the unit that begins at `unit`. */
static double unit_ms(const char *unit)
{
    if (strncmp(unit, "ms", 2) == 0 || strncmp(unit, "millis", 6) == 0 ||
        strncmp(unit, "毫秒", strlen("毫秒")) == 0)
        return 1;
    if (*unit == 'm' || strncmp(unit, "分", strlen("分")) == 0)
        return 60000;
    return 1000;
}

#define UNIT "(milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|毫秒|秒|分钟|分)?"

/* The first length in the text that is no percentage; -1 if there is none. */
static double first_length_ms(const char *text, const char *before)
{
    char clock_pattern[256], pattern[256];
    regmatch_t g[GROUPS_MAX];

    snprintf(clock_pattern, sizeof(clock_pattern), "%s *([0-9]+):([0-5][0-9]([.][0-9]+)?)", before);
    if (find(clock_pattern, text, g))
        return number_at(text, &g[2]) * 60000 + number_at(text, &g[3]) * 1000;
    snprintf(pattern, sizeof(pattern), "%s *" NUMBER " *" UNIT, before);
    while (find(pattern, text, g)) {
        const char *after = text + g[0].rm_eo;
        if (*after != '%' && strncmp(after, "percent", 7) != 0)
            return number_at(text, &g[2]) * (g[4].rm_so < 0 ? 1000 : unit_ms(text + g[4].rm_so));
        text = after;
    }
    return -1;
}

static void read_trim(const char *text, struct wish *w)
{
    regmatch_t g[GROUPS_MAX];
    double ms = -1;

    if (find("(^|[^a-z])(trim|cut|shorten|crop|keep)(med|ped|ting|ing)?[^a-z]", text, g))
        ms = first_length_ms(text + g[0].rm_so, "(to|at|after|first|only) ");
    else if (find("裁|剪|截|缩短|保留", text, g))
        ms = first_length_ms(text + g[0].rm_so, "()");
    w->trim = ms > 0 && ms < LENGTH_MAX_MS;
    w->trim_ms = w->trim ? llround(ms) : 0;
}

static void read_volume(const char *text, struct wish *w)
{
    regmatch_t g[GROUPS_MAX];
    double percent = -1;

    if (!find("voice|audio|volume|sound|narration|speech|音量|声音|人声|配音|旁白|音频|原声", text,
              g))
        return;
    if (find(NUMBER " *(%|percent)", text, g))
        percent = number_at(text, &g[1]);
    else if (find("百分之 *" NUMBER, text, g))
        percent = number_at(text, &g[1]);
    w->volume = percent >= 0;
    w->level = w->volume ? fmin(percent / 100, LEVEL_MAX) : 0;
}

/* Without quotes: what follows "title:". */
static void read_bare_title(const char *original, struct wish *w)
{
    static const char *const keys[] = {"title:", "Title:", "title：", "标题:", "标题："};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !w->title; i++) {
        const char *at = strstr(original, keys[i]);
        if (!at)
            continue;
        at += strlen(keys[i]);
        copy_title(w->title_text, at, strcspn(at, "\r\n"));
        w->title = w->title_text[0] != '\0';
    }
}

static void read_title(const struct plain *p, const char *original, struct wish *w)
{
    if (!FIND_ANY(title_words, p->text))
        return;
    if (p->has_quoted && p->quoted[0]) {
        w->title = true;
        memcpy(w->title_text, p->quoted, sizeof(w->title_text));
    } else if (FIND_ANY(remove_words, p->text)) {
        w->title = true;
    } else {
        read_bare_title(original, w);
    }
}

/* Han characters, or the punctuation that goes with them. */
static bool is_chinese(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c >= 0xe3 && *c <= 0xe9 && c[1] >= 0x80)
            return true;
    }
    return false;
}

void words_read(const char *text, struct wish *out)
{
    struct plain *p = malloc(sizeof(*p));

    memset(out, 0, sizeof(*out));
    out->chinese = is_chinese(text);
    if (!p)
        return;
    make_plain(p, text);
    const char *start = p->text + strspn(p->text, " ");
    if (!FIND_ANY(question_words, start)) {
        out->undo = FIND_ANY(undo_words, start);
        out->sync = wants(sync_words, sizeof(sync_words) / sizeof(sync_words[0]), start);
        read_trim(start, out);
        read_title(p, text, out);
        read_volume(start, out);
    }
    free(p);
}

bool words_any(const struct wish *w)
{
    return w->undo || w->sync || w->trim || w->title || w->volume;
}
