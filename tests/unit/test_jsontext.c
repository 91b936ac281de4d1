#include "unit.h"

#include "buffer.h"
#include "jsontext.h"

static struct jsontext parse(const char *text)
{
    struct jsontext v = {NULL, 0};
    if (jsontext_parse(text, strlen(text), &v))
        fail_msg("refused: %.80s", text);
    return v;
}

static void assert_slice(struct jsontext v, const char *expected)
{
    assert_int_equal(v.len, strlen(expected));
    assert_memory_equal(v.text, expected, v.len);
}

static void well_formed(void **state)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "10",
        "-1.50e+09",
        "1E5",
        "1e-7",
        "1.0",
        "12345678901234567890123456789012345678901234567890",
        "true",
        "false",
        "null",
        "\"\"",
        "\"a\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"",
        "\"\x7f\xff\"",
        "\"\xe7\x89\x87\"",
        "[]",
        "{}",
        "[[],{}]",
        "[1,\"2\",null,[true,false]]",
        "{\"\":0}",
        "{\"a\":{\"b\":[{\"c\":[]}]},\"a\":1}",
        " \t\r\n[ 1 , 2 ]\n",
        "{ \"a\" : 1 , \"b\" : [ ] }",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        parse(texts[i]);
}

static void malformed(void **state)
{
    static const char *const texts[] = {
        "",           " ",           "nul",
        "nulll",      "True",        "NaN",
        "Infinity",   "-",           "+1",
        "01",         "-01",         "1.",
        ".5",         "1e",          "1e+",
        "0x10",       "1 2",         "\"",
        "\"a",        "\"\\",        "\"\\\"",
        "\"\\x\"",    "\"\\u00g0\"", "\"\\u12\"",
        "\"a\nb\"",   "\"\t\"",      "'a'",
        "[",          "]",           "[1",
        "[1,",        "[1,]",        "[,1]",
        "[1 2]",      "[}",          "{",
        "}",          "{]",          "{\"a\"",
        "{\"a\":",    "{\"a\":1",    "{\"a\":1,",
        "{\"a\":1,}", "{a:1}",       "{1:1}",
        "{\"a\" 1}",  "{\"a\":}",    "{,}",
        "{\"a\":1]",  "[1}",         "[]]",
        "{}{}",       "[1]x",        "\xef\xbb\xbf{}",
        "//a\n1",     "[1]/**/",     "{\"a\":1 \"b\":2}",
        "[\"a\":1]",
    };
    struct jsontext v = {NULL, 0};
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        if (jsontext_parse(texts[i], strlen(texts[i]), &v) != -EPROTO)
            fail_msg("accepted: %s", texts[i]);
    assert_int_equal(jsontext_parse(BYTES("\0"), &v), -EPROTO);
    assert_int_equal(jsontext_parse(BYTES("\"a\0b\""), &v), -EPROTO);
    assert_int_equal(jsontext_parse(BYTES("1\0"), &v), -EPROTO);
    assert_null(v.text);
}

static void cut_at_every_byte(void **state)
{
    static const char text[] =
        "{\"a\":[1,-2.5e3,\"x\\n\\u00e9\\ud83d\\ude00\",true,null],\"b\":{\"c\":{}}}";
    (void)state;
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        struct jsontext v;
        char *cut = exact_copy(text, len);
        assert_int_equal(jsontext_parse(cut, len, &v), -EPROTO);
        free(cut);
    }
}

static void depth(void **state)
{
    (void)state;
    static const struct {
        const char *open, *close, *inner;
    } kinds[] = {{"[", "]", ""}, {"{\"a\":", "}", "1"}};
    for (size_t k = 0; k < COUNT(kinds); k++) {
        for (int n = JSONTEXT_DEPTH_MAX - 1; n <= JSONTEXT_DEPTH_MAX + 1; n++) {
            struct buffer b;
            struct jsontext v;
            buffer_init(&b, 1 << 20);
            for (int i = 0; i < n; i++)
                buffer_add_string(&b, kinds[k].open);
            buffer_add_string(&b, kinds[k].inner);
            for (int i = 0; i < n; i++)
                buffer_add_string(&b, kinds[k].close);
            assert_int_equal(jsontext_parse(b.data, b.len, &v),
                             n > JSONTEXT_DEPTH_MAX ? -EPROTO : 0);
            buffer_release(&b);
        }
    }
    /* A million brackets. */
    size_t size = 1u << 20;
    struct jsontext v;
    char *brackets = malloc(size);
    assert_non_null(brackets);
    memset(brackets, '[', size);
    assert_int_equal(jsontext_parse(brackets, size, &v), -EPROTO);
    free(brackets);
}

static void slices_are_exact(void **state)
{
    (void)state;
    struct jsontext v,
        root = parse(
            " { \"id\" : 1234567890123456789 , \"z\":1.0,\"e\" :1e-7,\"s\":\"caf\\u00e9\\/\",\n"
            "\"data\":{\"state\" : { \"draft\":[ 1 , {\"x\":[ ]} ] } , \"n\":null},\"t\":true }  ");
    assert_int_equal(jsontext_find(root, &v, "id", NULL), 0);
    assert_slice(v, "1234567890123456789");
    assert_int_equal(jsontext_find(root, &v, "z", NULL), 0);
    assert_slice(v, "1.0");
    assert_int_equal(jsontext_find(root, &v, "e", NULL), 0);
    assert_slice(v, "1e-7");
    assert_int_equal(jsontext_find(root, &v, "s", NULL), 0);
    assert_slice(v, "\"caf\\u00e9\\/\"");
    assert_int_equal(jsontext_find(root, &v, "data", "state", NULL), 0);
    assert_slice(v, "{ \"draft\":[ 1 , {\"x\":[ ]} ] }");
    assert_int_equal(jsontext_find(root, &v, "data", "n", NULL), 0);
    assert_slice(v, "null");
    assert_int_equal(jsontext_find(root, &v, "t", NULL), 0);
    assert_slice(v, "true");
    assert_true(jsontext_is_true(v));
    assert_int_equal(jsontext_find(root, &v, NULL), 0);
    assert_int_equal(v.len, root.len);

    struct jsontext untouched = v;
    assert_int_equal(jsontext_find(root, &v, "none", NULL), -ENOENT);
    assert_int_equal(jsontext_find(root, &v, "data", "state", "draft", "x", NULL), -ENOENT);
    assert_int_equal(jsontext_find(root, &v, "id", "x", NULL), -ENOENT);
    assert_ptr_equal(v.text, untouched.text);
}

static void names(void **state)
{
    (void)state;
    struct jsontext v;
    struct jsontext root =
        parse("{\"a\":1,\"b\":{\"a\":2},\"a\":3,\"\\u0062\":4,\"A\":5,\"a\\u0000\":6,"
              "\"q\\\"}\":7,\"in\":\"\\\"a\\\":8\"}");
    assert_int_equal(jsontext_find(root, &v, "a", NULL), 0);
    assert_slice(v, "3"); /* the last one */
    assert_int_equal(jsontext_find(root, &v, "b", NULL), 0);
    assert_slice(v, "4"); /* escaped, and the last one */
    assert_int_equal(jsontext_find(root, &v, "q\"}", NULL), 0);
    assert_slice(v, "7");
    assert_int_equal(jsontext_find(root, &v, "", NULL), -ENOENT);
}

static void walking(void **state)
{
    (void)state;
    struct jsontext_walk w;
    struct jsontext name, value;
    jsontext_walk_init(&w, parse("[1 , [2,3] , {\"a\":\"]\"},\"x\\\"y\" ]"));
    static const char *const elements[] = {"1", "[2,3]", "{\"a\":\"]\"}", "\"x\\\"y\""};
    for (size_t i = 0; i < COUNT(elements); i++) {
        assert_true(jsontext_walk_next(&w, NULL, &value));
        assert_slice(value, elements[i]);
    }
    assert_false(jsontext_walk_next(&w, NULL, &value));
    assert_false(jsontext_walk_next(&w, NULL, &value));

    jsontext_walk_init(&w, parse("{ \"a\" : 1, \"a\":[ ] }"));
    assert_true(jsontext_walk_next(&w, &name, &value));
    assert_slice(name, "\"a\"");
    assert_slice(value, "1");
    assert_true(jsontext_walk_next(&w, &name, &value));
    assert_slice(value, "[ ]");
    assert_false(jsontext_walk_next(&w, &name, &value));

    static const char *const nothing[] = {"[]", "{}", "[ ]", "{ }", "1", "\"[1]\"", "null"};
    for (size_t i = 0; i < COUNT(nothing); i++) {
        jsontext_walk_init(&w, parse(nothing[i]));
        assert_false(jsontext_walk_next(&w, &name, &value));
    }
}

static void strings(void **state)
{
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"\"\"", ""},
        {"\"a b\"", "a b"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"caf\\u00e9 \\u00E9\"", "caf\xc3\xa9 \xc3\xa9"},
        {"\"\\u7247\xe6\xae\xb5\"", "\xe7\x89\x87\xe6\xae\xb5"},
        {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
        {"\"\\ud83d\"", "\xef\xbf\xbd"},
        {"\"\\ude00\\ud83d\"", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\"\\ud83dx\"", "\xef\xbf\xbdx"},
        {"\"\\ud83d\\n\"", "\xef\xbf\xbd\n"},
        {"\"\\ud83d\\u0041\"", "\xef\xbf\xbd"
                               "A"},
        {"\"a\\u0000b\"", "a\xef\xbf\xbd"
                          "b"},
        {"\"\xff\xe7\x89\"", "\xef\xbf\xbd\xef\xbf\xbd"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[64];
        struct jsontext v = parse(cases[i].json);
        assert_int_equal(jsontext_copy(v, out, sizeof(out)), strlen(cases[i].text));
        assert_string_equal(out, cases[i].text);
        assert_true(jsontext_equals(v, cases[i].text));
        assert_false(jsontext_equals(v, "another"));
    }
    assert_false(jsontext_equals(parse("\"ab\""), "a"));
    assert_false(jsontext_equals(parse("\"a\""), "ab"));
    assert_false(jsontext_equals(parse("1"), "1"));
}

static void copies_are_cut_between_characters(void **state)
{
    (void)state;
    char out[16];
    struct jsontext v = parse("\"ab\\u7247\\ud83d\\ude00\"");
    static const char *const by_size[] = {"", "a", "ab", "ab", "ab\xe7\x89\x87", "ab\xe7\x89\x87"};
    for (size_t i = 0; i < COUNT(by_size); i++) {
        size_t size = i < 4 ? i + 1 : i + 2;
        memset(out, 'x', sizeof(out));
        assert_int_equal(jsontext_copy(v, out, size), strlen(by_size[i]));
        assert_string_equal(out, by_size[i]);
        assert_int_equal(out[size], 'x');
    }
    assert_int_equal(jsontext_copy(parse("[1]"), out, sizeof(out)), 0);
    assert_string_equal(out, "");
}

static void numbers(void **state)
{
    static const struct {
        const char *json;
        int err;
        int64_t integer;
        double real;
    } cases[] = {
        {"0", 0, 0, 0},
        {"-0", 0, 0, 0},
        {"45000", 0, 45000, 45000},
        {"-12", 0, -12, -12},
        {"1.0", 0, 1, 1},
        {"1.9", 0, 1, 1.9},
        {"-1.9", 0, -1, -1.9},
        {"29.97", 0, 29, 29.97},
        {"0.001", 0, 0, 0.001},
        {"1e3", 0, 1000, 1000},
        {"1.5E+2", 0, 150, 150},
        {"12e-1", 0, 1, 1.2},
        {"1234567890123456789", 0, INT64_C(1234567890123456789), 1234567890123456789.0},
        {"9223372036854775807", 0, INT64_MAX, 9223372036854775807.0},
        {"9223372036854775808", 0, INT64_MAX, 9223372036854775808.0},
        {"-9223372036854775809", 0, INT64_MIN, -9223372036854775808.0},
        {"100000000000000000000", 0, INT64_MAX, 1e20},
        {"1e400", 0, INT64_MAX, 1e300},
        {"-1e99999999999999999999", 0, INT64_MIN, -1e300},
        {"1e-400", 0, 0, 0},
        {"1e-99999999999999999999", 0, 0, 0},
        {"0e99999", 0, 0, 0},
        {"0.00000000000000000000000000000001e32", 0, 1, 1},
        {"123456789012345678901234567890e-20", 0, INT64_C(1234567890), 1234567890.123456789},
        {"\"42\"", 0, 42, 42},
        {"\" 42 \"", 0, 42, 42},
        {"\"-1.5\"", 0, -1, -1.5},
        {"\"\"", -EINVAL, 7, 7},
        {"\"42s\"", -EINVAL, 7, 7},
        {"\"0x10\"", -EINVAL, 7, 7},
        {"\"+1\"", -EINVAL, 7, 7},
        {"true", -EINVAL, 7, 7},
        {"null", -EINVAL, 7, 7},
        {"[1]", -EINVAL, 7, 7},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t integer = 7;
        double real = 7;
        struct jsontext v = parse(cases[i].json);
        assert_int_equal(jsontext_int64(v, &integer), cases[i].err);
        assert_int_equal(jsontext_double(v, &real), cases[i].err);
        double error = real - cases[i].real, scale = real < 0 ? -real : real;
        if (integer != cases[i].integer || error > scale * 1e-12 || -error > scale * 1e-12)
            fail_msg("%s is %lld, %g", cases[i].json, (long long)integer, real);
    }
}

static void types(void **state)
{
    (void)state;
    assert_int_equal(jsontext_type(parse("null")), JSONTEXT_NULL);
    assert_int_equal(jsontext_type(parse("false")), JSONTEXT_BOOL);
    assert_int_equal(jsontext_type(parse("-1")), JSONTEXT_NUMBER);
    assert_int_equal(jsontext_type(parse("\"n\"")), JSONTEXT_STRING);
    assert_int_equal(jsontext_type(parse("[]")), JSONTEXT_ARRAY);
    assert_int_equal(jsontext_type(parse("{}")), JSONTEXT_OBJECT);
    assert_false(jsontext_is_true(parse("false")));
    assert_false(jsontext_is_true(parse("\"true\"")));
}

static void fingerprints(void **state)
{
    (void)state;
    uint64_t one = jsontext_fingerprint(parse("{\"a\":[1,2],\"b c\":\"x \\\" y\"}"));
    assert_true(one ==
                jsontext_fingerprint(parse(" {\n\"a\" : [ 1,\t2 ] ,\r\"b c\" :\"x \\\" y\" } ")));
    static const char *const others[] = {
        "{\"a\":[1,2],\"bc\":\"x \\\" y\"}",  "{\"a\":[1,2],\"b c\":\"x \\\"y\"}",
        "{\"a\":[12],\"b c\":\"x \\\" y\"}",  "{\"a\":[1,2.0],\"b c\":\"x \\\" y\"}",
        "{\"b c\":\"x \\\" y\",\"a\":[1,2]}",
    };
    for (size_t i = 0; i < COUNT(others); i++)
        assert_true(one != jsontext_fingerprint(parse(others[i])));
    /* FNV-1a as published. */
    assert_true(jsontext_fingerprint(parse("1")) == UINT64_C(0xaf63ac4c86019afc));
}

static void quoting(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *json;
    } cases[] = {
        {BYTES(""), "\"\""},
        {BYTES("plain / text"), "\"plain / text\""},
        {BYTES("a\"b\\c"), "\"a\\\"b\\\\c\""},
        {BYTES("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
        {BYTES("\x01\x1f\x7f"), "\"\\u0001\\u001f\x7f\""},
        {BYTES("a\0b"), "\"a\\u0000b\""},
        {BYTES("\xe7\x89\x87\xf0\x9f\x98\x80"), "\"\xe7\x89\x87\xf0\x9f\x98\x80\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buffer b;
        buffer_init(&b, 1000);
        assert_int_equal(jsontext_quote(&b, cases[i].text, cases[i].len), 0);
        assert_string_equal(b.data, cases[i].json);
        struct jsontext v;
        assert_int_equal(jsontext_parse(b.data, b.len, &v), 0);
        buffer_release(&b);
    }
    static const char *const bad[] = {"\xff", "a\xe7\x89", "\xed\xa0\x80", "\xc0\x80"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct buffer b;
        buffer_init(&b, 1000);
        assert_int_equal(jsontext_quote(&b, bad[i], strlen(bad[i])), -EILSEQ);
        buffer_release(&b);
    }
    struct buffer small;
    buffer_init(&small, 5);
    assert_int_equal(jsontext_quote(&small, BYTES("12345")), -EMSGSIZE);
    buffer_release(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed),
        cmocka_unit_test(malformed),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(depth),
        cmocka_unit_test(slices_are_exact),
        cmocka_unit_test(names),
        cmocka_unit_test(walking),
        cmocka_unit_test(strings),
        cmocka_unit_test(copies_are_cut_between_characters),
        cmocka_unit_test(numbers),
        cmocka_unit_test(types),
        cmocka_unit_test(fingerprints),
        cmocka_unit_test(quoting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
