/*
 * Drafts: their exact bytes inside a request, their meaning, and hostile bodies.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bytes.h"
#include "hostile.h"
#include "span.h"
#include "timeline.h"

static void finds_the_exact_bytes(void **state)
{
    static const struct {
        const char *text;
        const char *draft; /* NULL: none */
    } cases[] = {
        {"{\"draft\":{\"a\":1.0}}", "{\"a\":1.0}"},
        {" { \"x\" : [1, {\"draft\":2}] , \"draft\" : \t{ \"b\": [ ] } \n}", "{ \"b\": [ ] }"},
        {"{\"draft\":1e-7,\"y\":2}", "1e-7"},
        {"{\"s\":\"a\\\"draft\\\":{\",\"draft\":\"x\\\\\"}", "\"x\\\\\""},
        {"{\"draft\":1,\"draft\":null }", "null"},
        {"{\"draft\":[[\"]\"],{}],\"z\":{}}", "[[\"]\"],{}]"},
        {"{\"drafts\":1}", NULL},
        {"[\"draft\"]", NULL},
        {"", NULL},
        {"{", NULL},
        {"{\"draft\"", NULL},
        {"{\"a\":\"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *value;
        size_t len;
        bool found = span_member(cases[i].text, strlen(cases[i].text), "draft", &value, &len);
        if (found != (cases[i].draft != NULL) ||
            (found && (len != strlen(cases[i].draft) || memcmp(value, cases[i].draft, len) != 0)))
            fail_msg("%s", cases[i].text);
    }
}

/* Every beginning of a text is bounded by its length. */
static void survives_every_cut(void **state)
{
    static const char text[] = "{\"a\":[1,\"\\\\\"],\"draft\":{\"t\":[{\"tt\":0}]},\"b\":null}";
    const char *value;
    size_t len;

    (void)state;
    for (size_t n = 0; n < sizeof(text); n++) {
        char *copy = malloc(n + 1); /* exactly as long: sanitizers see a step too far */
        assert_non_null(copy);
        memcpy(copy, text, n);
        if (span_member(copy, n, "draft", &value, &len))
            assert_true(value >= copy && value + len <= copy + n);
        free(copy);
    }
}

static void reads_what_it_writes(void **state)
{
    struct timeline t = {.duration_ms = 12345, .revision = 3}, back;
    struct bytes text;

    (void)state;
    t.clip = (struct segment){.used = true, .duration_ms = 12345, .volume = 0.25};
    strcpy(t.clip.name, "a \"b\" \\ \xc3\xa9\n.mp4");
    strcpy(t.clip.material, "0123");
    t.voice = (struct segment){
        .used = true, .start_ms = 777, .source_ms = 55, .duration_ms = 4000, .volume = 1};
    t.title = (struct segment){.used = true, .duration_ms = 5000, .volume = 1};
    strcpy(t.title.name, "标题");
    bytes_init(&text, 1 << 20);
    timeline_write(&t, &text);
    assert_int_equal(timeline_read(text.data, text.len, &back), 0);
    assert_int_equal(back.duration_ms, t.duration_ms);
    assert_int_equal(back.revision, 3);
    assert_string_equal(back.clip.name, t.clip.name);
    assert_string_equal(back.clip.material, "0123");
    assert_true(back.clip.volume > 0.249 && back.clip.volume < 0.251);
    assert_int_equal(back.voice.start_ms, 777);
    assert_int_equal(back.voice.source_ms, 55);
    assert_int_equal(back.voice.duration_ms, 4000);
    assert_string_equal(back.title.name, "标题");
    bytes_release(&text);
}

static void bears_hostile_drafts(void **state)
{
    static const char *const texts[] = {
        "", "[]", "null", "{\"t\":", "\"t\"",
    };
    static const char *const odd[] = {
        "{}",
        "{\"t\":{}}",
        "{\"t\":[1,null,{\"tt\":\"0\",\"sg\":[{}]},{\"tt\":0,\"sg\":[3]},{\"tt\":0}]}",
        "{\"t\":[{\"tt\":0,\"sg\":[{\"d\":-5,\"start\":1e300,\"volume\":-1e9,\"name\":7}]}],\"d\":"
        "\"x\"}",
    };
    struct timeline t;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(timeline_read(texts[i], strlen(texts[i]), &t), -EPROTO);
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        assert_int_equal(timeline_read(odd[i], strlen(odd[i]), &t), 0);
        assert_true(t.clip.duration_ms == 0 && t.clip.start_ms >= 0 && t.clip.volume >= 0);
    }
}

/* A hostile body is the same however it is read. */
static void makes_the_same_bytes_in_any_pieces(void **state)
{
    char whole[5000], pieces[5000];

    (void)state;
    for (int kind = 1; kind < HOSTILE_COUNT; kind++) {
        size_t n = hostile_read((enum hostile)kind, 4096, 0, whole, sizeof(whole)), at = 0, got;
        assert_in_range(n, 4096 - 64, 4096);
        while ((got = hostile_read((enum hostile)kind, 4096, at, pieces + at, 7)) > 0)
            at += got;
        assert_int_equal(at, n);
        assert_memory_equal(whole, pieces, n);
        assert_int_equal(hostile_read((enum hostile)kind, 0, 1u << 30, pieces, 100), 100);
    }
}

static void keeps_its_bound(void **state)
{
    struct bytes b;

    (void)state;
    bytes_init(&b, 10);
    bytes_text(&b, "12345");
    bytes_format(&b, "%s", "67890");
    assert_false(b.failed);
    bytes_text(&b, "x");
    assert_true(b.failed);
    assert_string_equal(b.data, "1234567890");
    assert_null(bytes_take(&b, NULL));
    bytes_init(&b, 100);
    bytes_json(&b, "\"\\\x01\x7f\xc3\xa9");
    assert_string_equal(b.data, "\"\\\"\\\\\\u0001\\u007f\xc3\xa9\"");
    bytes_release(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_exact_bytes),
        cmocka_unit_test(survives_every_cut),
        cmocka_unit_test(reads_what_it_writes),
        cmocka_unit_test(bears_hostile_drafts),
        cmocka_unit_test(makes_the_same_bytes_in_any_pieces),
        cmocka_unit_test(keeps_its_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
