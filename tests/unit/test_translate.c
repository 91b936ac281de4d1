#include "unit.h"

#include "buffer.h"
#include "token.h"
#include "translate.h"
#include "translate_rules.h"
#include "utf8.h"

#define OUTPUT_MAX (8u << 20)

/* One run: what was shown, and what was wished for. */
struct run {
    struct translate *t;
    struct buffer shown;
    unsigned wishes;
};

static void on_text(void *user, const char *text, size_t len)
{
    assert_true(len > 0);
    assert_int_equal(buffer_add(user, text, len), 0);
}

static void start(struct run *r, bool manual)
{
    buffer_init(&r->shown, OUTPUT_MAX);
    r->wishes = 0;
    r->t = translate_new(manual, on_text, &r->shown);
    assert_non_null(r->t);
}

static void finish(struct run *r)
{
    r->wishes = translate_finish(r->t);
    translate_free(r->t);
}

/* Feeds [0, split), then the rest in steps. */
static void feed(struct run *r, const char *text, size_t len, size_t split, size_t step)
{
    translate_feed(r->t, text, split);
    for (size_t at = split; at < len; at += step)
        translate_feed(r->t, text + at, len - at < step ? len - at : step);
}

static void assert_run(const char *text, size_t len, size_t split, size_t step, const char *shown,
                       size_t shown_len, unsigned wishes)
{
    struct run r;
    start(&r, false);
    feed(&r, text, len, split, step);
    finish(&r);
    if (r.shown.len != shown_len || (shown_len && memcmp(r.shown.data, shown, shown_len) != 0) ||
        r.wishes != wishes)
        fail_msg("\"%.*s\" (%zu, %zu) became \"%.*s\" (wishes %u), not \"%.*s\" (%u)", (int)len,
                 text, split, step, (int)r.shown.len, r.shown.data ? r.shown.data : "", r.wishes,
                 (int)shown_len, shown, wishes);
    buffer_release(&r.shown);
}

/* Whole, byte by byte, and cut in two at every place. */
static void assert_in_any_split(const char *text, size_t len, const char *shown, size_t shown_len,
                                unsigned wishes)
{
    for (size_t split = 0; split <= len; split++)
        assert_run(text, len, split, len + 1, shown, shown_len, wishes);
    for (size_t step = 1; step <= 3; step++)
        assert_run(text, len, 0, step, shown, shown_len, wishes);
}

static void assert_shown(const char *text, const char *shown, unsigned wishes)
{
    assert_in_any_split(text, strlen(text), shown, strlen(shown), wishes);
}

/* ---- the corpus ---- */

/* "\n" becomes a newline; the line's own newline goes. In place. */
static void unescape(char *line)
{
    char *to = line;
    for (char *from = line; *from && *from != '\n'; from++) {
        if (from[0] == '\\' && from[1] == 'n')
            *to++ = (from++, '\n');
        else
            *to++ = *from;
    }
    *to = '\0';
}

struct answer {
    char in[8192], out[8192];
    unsigned wishes;
};

static void check_answer(struct answer *a, size_t *count)
{
    if (*a->in) {
        assert_shown(a->in, a->out, a->wishes);
        ++*count;
    }
    *a->in = *a->out = '\0';
    a->wishes = 0;
}

static void check_corpus(const char *path, size_t at_least)
{
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("%s: %s", path, strerror(errno));
    struct answer a = {0};
    size_t count = 0;
    char line[8192];
    while (fgets(line, sizeof(line), f)) {
        if (*line == '<' || *line == '=')
            check_answer(&a, &count);
        if (*line == '!') {
            a.wishes |= strstr(line, "export") ? TRANSLATE_EXPORT : 0;
            a.wishes |= strstr(line, "timeline") ? TRANSLATE_TIMELINE : 0;
            continue;
        }
        unescape(line);
        const char *text = strlen(line) > 2 ? line + 2 : "";
        if (*line == '<' || *line == '=')
            snprintf(a.in, sizeof(a.in), "%s", text);
        if (*line == '>' || *line == '=')
            snprintf(a.out, sizeof(a.out), "%s", text);
    }
    check_answer(&a, &count);
    fclose(f);
    if (count < at_least)
        fail_msg("%s has %zu answers only", path, count);
}

static void english_answers(void **state)
{
    (void)state;
    check_corpus(FIXTURES "/translate_en.txt", 60);
}

static void chinese_answers(void **state)
{
    (void)state;
    check_corpus(FIXTURES "/translate_zh.txt", 60);
}

/* Every answer of a corpus in one text, as if all had been said at once: nothing goes missing. */
static void answers_end_to_end(void **state)
{
    (void)state;
    static const char one[] = "Lips synced, click \"Blur\". Done.\nThe man clicks his fingers!\n";
    static const char shown[] =
        "Lips synced, write \"Blur\" to `instruct`. Done.\nThe man clicks his fingers!\n";
    struct buffer in, out;
    buffer_init(&in, OUTPUT_MAX);
    buffer_init(&out, OUTPUT_MAX);
    for (int i = 0; i < 2000; i++) {
        buffer_add(&in, one, strlen(one));
        buffer_add(&out, shown, strlen(shown));
    }
    for (size_t step = 1; step <= 100000; step *= 7)
        assert_run(in.data, in.len, 0, step, out.data, out.len, 0);
    buffer_release(&in);
    buffer_release(&out);
}

/* ---- the rules' data ---- */

static bool is_phrase_elsewhere(size_t list, const char *const *phrase)
{
    for (size_t i = 0; i < translate_lexicon_size; i++) {
        for (const char *const *p = translate_lexicon[i].phrases; *p; p++) {
            if ((i != list || p != phrase) && strcmp(*p, *phrase) == 0)
                return true;
        }
    }
    return false;
}

/* What the search relies on: plain lower case, one language to a list, no phrase with two classes.
 */
static void lexicon_is_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < translate_lexicon_size; i++) {
        const char *const *phrases = translate_lexicon[i].phrases;
        bool chinese = (unsigned char)phrases[0][0] >= 0x80;
        for (const char *const *phrase = phrases; *phrase; phrase++) {
            if (((unsigned char)**phrase >= 0x80) != chinese || is_phrase_elsewhere(i, phrase))
                fail_msg("\"%s\" is misplaced", *phrase);
            for (const char *p = *phrase; *p;) {
                uint32_t c;
                p += utf8_decode(p, strlen(p), &c);
                if (c == UTF8_BAD || token_fold(c) != c)
                    fail_msg("\"%s\" is not in lower case", *phrase);
            }
            size_t end, len = strlen(*phrase);
            if (token_match(*phrase, len, 0, *phrase, false, &end) != TOKEN_MATCHES)
                fail_msg("\"%s\" can never be found", *phrase);
            assert_int_equal(end, len);
        }
    }
}

/* No rule is dead because one before it always wins. */
static void rules_are_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < translate_rules_size; i++) {
        const struct rule *r = &translate_rules[i];
        assert_in_range(r->verb, WORD_VERB_FIRST, WORD_VERB_LAST);
        assert_true(r->positions && r->advice != ADVICE_NONE);
        for (size_t k = 0; k < i; k++) {
            const struct rule *wins = &translate_rules[k];
            bool always = wins->verb == r->verb && !(r->positions & ~wins->positions) &&
                          (!wins->any || (r->any && !(r->any & ~wins->any))) &&
                          !(wins->all & ~r->all) && !(wins->refuse & ~r->refuse);
            if (always)
                fail_msg("rule %zu always comes before rule %zu", k, i);
        }
    }
}

/* ---- by hand ---- */

static void assert_manual(const char *text, const char *shown)
{
    struct run r;
    start(&r, true);
    feed(&r, text, strlen(text), 0, 1);
    finish(&r);
    assert_int_equal(r.shown.len, strlen(shown));
    assert_memory_equal(r.shown.data, shown, r.shown.len);
    assert_int_equal(r.wishes, 0);
    buffer_release(&r.shown);
}

static void manual_render_gives_advice(void **state)
{
    (void)state;
    assert_manual("Synced. Click the Export button to download it.",
                  "Synced. Write `export` to `instruct`.");
    assert_manual("You can get it by clicking Export.",
                  "You can get it by writing `export` to `instruct`.");
    assert_manual("When you are happy, click \"Download\".",
                  "When you are happy, write `export` to `instruct`.");
    assert_manual("配音已同步，请点击导出按钮。", "配音已同步，请把 `export` 写入 `instruct`。");
}

/* ---- what is not fit to be shown ---- */

static void controls_go(void **state)
{
    (void)state;
    assert_shown("a\x01\x02\x7f"
                 "b\r\n\tc\n",
                 "ab\n\tc\n", 0);
    assert_shown("\x1b[31mred\x1b[0m, \x1b]0;title\x07"
                 "and \x1b]8;;http://x\x1b\\link",
                 "red, and link", 0);
    assert_shown("a\x1b(Bb\x1b"
                 "7c\x1b=d",
                 "abcd", 0);
    assert_shown("a\xc2\x9b"
                 "31mb \xc2\x90junk\xc2\x9c"
                 "c\xc2\x85",
                 "ab c", 0);
    assert_shown("never\x1b]0;ends\nbut the line does", "never\nbut the line does", 0);
    assert_shown("cut \x1b[3", "cut ", 0);
    assert_shown("\x1b[\n[x", "\n[x", 0);
    assert_in_any_split(BYTES("nul\0l"), BYTES("null"), 0);
}

static void bad_utf8_is_replaced(void **state)
{
    (void)state;
    assert_shown("a\xff"
                 "b\xc3",
                 "a\ufffd"
                 "b\ufffd",
                 0);
    assert_shown("\xe4\xbd"
                 "x \xed\xa0\x80 \xf4\x90\x80\x80 \xc0\xaf",
                 "\ufffdx \ufffd\ufffd\ufffd \ufffd\ufffd\ufffd\ufffd \ufffd\ufffd", 0);
    assert_shown("\xf0\x9f\x9a\x80 \xf0\x9f\x9a", "\U0001f680 \ufffd", 0);
}

/* Also where a control character had hidden them from who looked before. */
static void secrets_and_json_go(void **state)
{
    (void)state;
    assert_shown("It is nmv_u\x01sr_abc-123, or cl\x1b[0mm_xyz!", "It is ***, or ***!", 0);
    assert_shown("State: {\x02\"t\":[{\"tt\":0}]} and more.", "State:  and more.", 0);
    assert_shown("```json\n{\"a\":1}\n```\nDone.\n", "Done.\n", 0);
    assert_shown("```\n[{\"a\":1}]\n```", "", 0);
    assert_shown("```c\nint x;\n```\nDone.\n", "```c\nint x;\n```\nDone.\n", 0);
    assert_shown("```\n", "```\n", 0);
}

/* ---- in time ---- */

/* A sentence is shown as soon as its end is, when it cannot be an instruction. */
static void sentences_are_not_held(void **state)
{
    (void)state;
    static const char *const sentences[] = {"Synced the voiceover.", "口型已同步。", "Really?",
                                            "Line\n", "I can adjust the timing."};
    for (size_t i = 0; i < COUNT(sentences); i++) {
        struct run r;
        start(&r, false);
        translate_feed(r.t, sentences[i], strlen(sentences[i]));
        assert_int_equal(r.shown.len, strlen(sentences[i]));
        finish(&r);
        buffer_release(&r.shown);
    }
}

/* What has no end of a sentence is let go in time, and instructions in it are seen. */
static void long_sentences(void **state)
{
    (void)state;
    static const char *const fillers[] = {"so the lips move and ",
                                          "口型",
                                          "x",
                                          " ",
                                          "(",
                                          "click ",
                                          "{",
                                          "**",
                                          "to adjust a, ",
                                          "\"",
                                          "he said that ",
                                          "请点击，",
                                          "1. "};
    static const char end[] = ", and now click the Export button";
    for (size_t i = 0; i < COUNT(fillers); i++) {
        struct run r;
        size_t size = strlen(fillers[i]), fed = 0;
        bool counted =
            *fillers[i] != 'c' && *fillers[i] != '{' && (unsigned char)*fillers[i] < 0xe8;
        start(&r, false);
        while (fed < 20u * TRANSLATE_HOLD_MAX) {
            translate_feed(r.t, fillers[i], size);
            fed += size;
            if (counted && *fillers[i] != '1')
                assert_true(r.shown.len + TRANSLATE_HOLD_MAX >= fed);
        }
        translate_feed(r.t, end, strlen(end));
        finish(&r);
        buffer_add(&r.shown, "", 1);
        if (strstr(r.shown.data, "click the Export") && *fillers[i] != '"')
            fail_msg("\"%s\": %s", fillers[i], r.shown.data + r.shown.len - 200);
        buffer_release(&r.shown);
    }
}

/* Much text of the worst kinds, within the test's time limit. */
static void work_is_linear(void **state)
{
    (void)state;
    static const char *const pieces[] = {"click ",        "点击",     "see see ", "\"", "click\n",
                                         "a.b.",          "can you ", "``` \n",   "*",  "nmv_",
                                         "to adjust a, ", "第一，",   ". "};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        struct run r;
        start(&r, false);
        for (size_t fed = 0; fed < 200000; fed += strlen(pieces[i]))
            translate_feed(r.t, pieces[i], strlen(pieces[i]));
        finish(&r);
        assert_true(utf8_is_valid(r.shown.data, r.shown.len));
        buffer_release(&r.shown);
    }
}

static void one_after_the_other(void **state)
{
    (void)state;
    struct run r;
    start(&r, false);
    translate_feed(r.t, "Click Export", 12);
    assert_int_equal(translate_finish(r.t), TRANSLATE_EXPORT);
    assert_int_equal(translate_finish(r.t), 0);
    translate_feed(r.t, "Click Export", 12);
    assert_int_equal(translate_finish(r.t), TRANSLATE_EXPORT);
    static const char shown[] = "The video is being exported to `output.mp4`"
                                "The video is being exported to `output.mp4`";
    assert_int_equal(r.shown.len, strlen(shown));
    assert_memory_equal(r.shown.data, shown, r.shown.len);
    translate_free(r.t);
    translate_free(NULL);
    buffer_release(&r.shown);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(english_answers),     cmocka_unit_test(chinese_answers),
        cmocka_unit_test(answers_end_to_end),  cmocka_unit_test(lexicon_is_in_order),
        cmocka_unit_test(rules_are_in_order),  cmocka_unit_test(manual_render_gives_advice),
        cmocka_unit_test(controls_go),         cmocka_unit_test(bad_utf8_is_replaced),
        cmocka_unit_test(secrets_and_json_go), cmocka_unit_test(sentences_are_not_held),
        cmocka_unit_test(long_sentences),      cmocka_unit_test(work_is_linear),
        cmocka_unit_test(one_after_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
