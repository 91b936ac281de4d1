#include "unit.h"

#include "buffer.h"
#include "scrub.h"

static void on_text(void *user, const char *text, size_t len)
{
    assert_true(len > 0);
    buffer_add(user, text, len);
}

/* Feeds the text up to `split`, then the rest, one byte at a time if `bytewise`. */
static char *run(const char *text, size_t split, bool bytewise)
{
    size_t len = strlen(text);
    struct buffer shown;
    struct scrub s;
    char *out;
    buffer_init(&shown, 1 << 20);
    scrub_init(&s, on_text, &shown);
    scrub_feed(&s, text, split);
    for (size_t at = split; at < len; at += bytewise ? 1 : len)
        scrub_feed(&s, text + at, bytewise ? 1 : len - split);
    scrub_finish(&s);
    assert_int_equal(buffer_take(&shown, &out, NULL), 0);
    return out;
}

static const struct {
    const char *text, *shown;
} CASES[] = {
    {"", ""},
    {"Nothing to hide, not even [this], {that} or {{these}}.",
     "Nothing to hide, not even [this], {that} or {{these}}."},
    {"a calm clm and an nmv", "a calm clm and an nmv"},

    /* tokens */
    {"nmv_usr_abc", "***"},
    {"(nmv_usr_a-b.c~d+e/f=) clm_x, clm_y", "(***) ***, ***"},
    {"token=nmv_usr_abc\nnext", "token=***\nnext"},
    {"Bearer nmv_usr_abc", "Bearer ***"},
    {"https://web/claim?ct=clm_abc&x=1", "https://web/claim?ct=***&x=1"},
    {"film_clm_x annmv_y.", "film_clm_*** annmv_***"},
    {"ncnmv_clm_x !", "ncnmv_*** !"},
    {"ct%3Dclm_x &", "ct%3Dclm_*** &"},
    {"clnmv_x, n nmv_x", "clnmv_***, n ***"},
    {"nm", "nm"},

    /* JSON */
    {"{\"a\":1}", ""},
    {"before {\"a\": [1, {\"b\": \"}\"}]} after", "before  after"},
    {"x{ \"a\\\"}\" : \"{\\\"\" }y", "xy"},
    {"[{\"a\":1},{\"b\":2}]!", "!"},
    {"[ [ { \"a\":1 } ] ]!", "!"},
    {"{'error': {'code': 7}}!", "!"},
    {"{\"cut\": \"off", ""},
    {"{\"quoted\" words}", "{\"quoted\" words}"},
    {"[\"a\", \"b\"] and [1, 2]", "[\"a\", \"b\"] and [1, 2]"},
    {"{\"a", "{\"a"},
    {"{\"a\"", "{\"a\""},
    {"{\"a\nb\":1}", "{\"a\nb\":1}"},
    {"{}", "{}"},
    {"{{\"a\":1}}.", "."},
    {"{nmv_x", "{***"},
    {"{\"nmv_x-y\" and clm_z} nmv_", "{\"nmv_***\" and ***} ***"},
    {"{\"nmv_x", "{\"nmv_***"},
    {"{\"nm\nnmv_x y", "{\"nm\n*** y"},
};

static void texts_in_any_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        size_t len = strlen(CASES[i].text);
        for (size_t split = 0; split <= len; split++) {
            for (int bytewise = 0; bytewise < 2; bytewise++) {
                char *shown = run(CASES[i].text, split, bytewise);
                if (strcmp(shown, CASES[i].shown) != 0)
                    fail_msg("%s, split at %zu: %s", CASES[i].text, split, shown);
                free(shown);
            }
        }
    }
}

static void holds_little(void **state)
{
    (void)state;
    struct buffer shown;
    struct scrub s;
    buffer_init(&shown, 1 << 20);
    scrub_init(&s, on_text, &shown);
    scrub_feed(&s, BYTES("a{\"a very long name"));
    assert_string_equal(shown.data, "a");
    for (int i = 0; i < 100; i++)
        scrub_feed(&s, BYTES("\xe7\x89\x87"));
    assert_true(shown.len > 40);
    scrub_finish(&s);
    assert_int_equal(shown.len, strlen("a{\"a very long name") + 300);
    buffer_release(&shown);
}

static void goes_on_after_a_finish(void **state)
{
    (void)state;
    struct buffer shown;
    struct scrub s;
    buffer_init(&shown, 1 << 20);
    scrub_init(&s, on_text, &shown);
    scrub_feed(&s, BYTES("{\"a\":"));
    scrub_finish(&s);
    scrub_feed(&s, BYTES("one c"));
    scrub_finish(&s);
    scrub_feed(&s, BYTES("lm_two x"));
    scrub_finish(&s);
    assert_string_equal(shown.data, "one clm_two x");
    buffer_release(&shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_in_any_split),
        cmocka_unit_test(holds_little),
        cmocka_unit_test(goes_on_after_a_finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
