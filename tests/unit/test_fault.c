#include "unit.h"

#include "fault.h"
#include "utf8.h"

static const struct fault_context ANONYMOUS = {"https://web", "anon_7", true};
static const struct fault_context REGISTERED = {"https://web", "u7", false};

static void statuses_and_codes(void **state)
{
    static const struct {
        int status;
        enum fault_kind kind;
    } by_http[] = {
        {200, FAULT_NONE},      {204, FAULT_NONE},      {299, FAULT_NONE},
        {0, FAULT_PROTOCOL},    {101, FAULT_PROTOCOL},  {301, FAULT_PROTOCOL},
        {400, FAULT_CLIENT_ID}, {401, FAULT_TOKEN},     {402, FAULT_PLAN},
        {403, FAULT_FORBIDDEN}, {404, FAULT_NOT_FOUND}, {408, FAULT_TIMEOUT},
        {413, FAULT_TOO_LARGE}, {422, FAULT_SERVER},    {429, FAULT_RATE},
        {500, FAULT_SERVER},    {503, FAULT_SERVER},    {599, FAULT_SERVER},
        {600, FAULT_PROTOCOL},
    };
    static const struct {
        int code;
        enum fault_kind kind;
    } by_code[] = {
        {0, FAULT_NONE},    {1001, FAULT_TOKEN},     {1002, FAULT_SESSION},  {2001, FAULT_CREDITS},
        {4001, FAULT_TYPE}, {4002, FAULT_TOO_LARGE}, {400, FAULT_CLIENT_ID}, {402, FAULT_PLAN},
        {429, FAULT_RATE},  {401, FAULT_TOKEN},      {500, FAULT_SERVER},    {200, FAULT_SERVER},
        {-1, FAULT_SERVER}, {9999, FAULT_SERVER},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(by_http); i++)
        assert_int_equal(fault_of_http(by_http[i].status), by_http[i].kind);
    for (size_t i = 0; i < COUNT(by_code); i++)
        assert_int_equal(fault_of_code(by_code[i].code), by_code[i].kind);
}

static void what_passes(void **state)
{
    (void)state;
    for (int kind = FAULT_NONE; kind <= FAULT_CANCELLED; kind++) {
        struct fault f = fault_make((enum fault_kind)kind, NULL);
        bool passing = kind == FAULT_UNREACHABLE || kind == FAULT_REFUSED ||
                       kind == FAULT_TIMEOUT || kind == FAULT_BROKEN;
        assert_true(fault_is_passing(&f) == passing);
    }
    struct fault f = fault_make(FAULT_SERVER, NULL);
    f.http = 503;
    assert_true(fault_is_passing(&f));
    f.http = 200;
    f.code = 500;
    assert_true(fault_is_passing(&f));
    f.code = 7777;
    assert_false(fault_is_passing(&f));
    f = fault_local(EMFILE);
    assert_true(fault_is_passing(&f));
    f = fault_local(ENOSPC);
    assert_false(fault_is_passing(&f));
}

static void details_are_cleaned(void **state)
{
    static const struct {
        const char *detail, *clean;
    } cases[] = {
        {"plain words", "plain words"},
        {"line\r\none\ttwo", "line  one two"},
        {"\x1b[31mred\x1b[0m \x1b]0;title\aand \x1b(Bmore\x07", "red and more"},
        {"for nmv_usr_abc: denied", "for ***: denied"},
        {"nmv\x01_usr_abc", "***"},
        {"upstream: {\"code\": 7, \"token\": \"x\"}", "upstream"},
        {"{\"error\":\"x\"}", ""},
        /* Of JSON the message stays. */
        {"tool \"sync\" failed: {\"code\": 3, \"message\": \"bad \\\"voice\\\"\"}",
         "tool \"sync\" failed: bad \"voice\""},
        {"429 SPENT. {'error': {'code': 429, 'message': 'Quota used up.'}}",
         "429 SPENT. Quota used up."},
        {"{\"message\" : \"no nmv_usr_abc {\\\"a\\\":1}\"}", "no ***"},
        {"{\"message\":\"cut o", "cut o"},
        {"{\"message\":\"two\\nlines\"}", "two lines"},
        {"{\"message\":{\"message\":7}}", ""},
        {"{\"message\":\"\\u7247\"}", ""},
        {"the \"message\": \"x\" is plain", "the \"message\": \"x\" is plain"},
        {"bad \xff byte", "bad \xef\xbf\xbd byte"},
        {"\xe7\x89\x87", "\xe7\x89\x87"},
        {"turn\xe2\x80\xae"
         "ed",
         "turned"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fault f = fault_make(FAULT_SERVER, cases[i].detail);
        assert_string_equal(f.detail, cases[i].clean);
        assert_int_equal(f.retry_after_s, -1);
    }
    char big[5000];
    memset(big, 'x', sizeof(big));
    for (size_t i = 0; i + 3 < sizeof(big); i += 3)
        memcpy(big + i, "\xe7\x89\x87", 3);
    big[sizeof(big) - 1] = '\0';
    struct fault f = fault_make(FAULT_SERVER, big);
    assert_int_equal(strlen(f.detail), 255);
    assert_true(utf8_is_valid(f.detail, strlen(f.detail)));
}

/* Everyone is told something, on one line, that fits where it is put. */
static void every_kind_has_words(void **state)
{
    (void)state;
    for (int kind = FAULT_TOKEN; kind <= FAULT_CANCELLED; kind++) {
        struct fault f = kind == FAULT_LOCAL ? fault_local(ENOSPC)
                                             : fault_make((enum fault_kind)kind, "the detail");
        char words[600], hint[600];
        fault_words(&f, words, sizeof(words));
        assert_true(strlen(words) > 5);
        assert_null(strchr(words, '\n'));
        if (kind != FAULT_LOCAL)
            assert_non_null(strstr(words, "the detail"));
        fault_hint(&f, &ANONYMOUS, hint, sizeof(hint));
        assert_null(strchr(hint, '\n'));
        assert_true((*hint != '\0') == (kind != FAULT_CANCELLED));
        for (size_t size = 1; size < 100; size++) {
            memset(words, 'x', sizeof(words));
            fault_words(&f, words, size);
            assert_true(strlen(words) < size);
            memset(hint, 'x', sizeof(hint));
            fault_hint(&f, &REGISTERED, hint, size);
            assert_true(strlen(hint) < size);
        }
    }
    char words[100] = "x", hint[100] = "x";
    struct fault none = fault_make(FAULT_NONE, NULL);
    fault_words(&none, words, sizeof(words));
    fault_hint(&none, &ANONYMOUS, hint, sizeof(hint));
    assert_string_equal(words, "");
    assert_string_equal(hint, "");
}

static void words_cut_between_characters(void **state)
{
    (void)state;
    struct fault f = fault_make(FAULT_AGENT, "\xe7\x89\x87\xf0\x9f\x98\x80\xc3\xa9\xe6\xae\xb5");
    char whole[300];
    fault_words(&f, whole, sizeof(whole));
    for (size_t size = 1; size <= strlen(whole) + 1; size++) {
        char words[300];
        fault_words(&f, words, size);
        assert_true(utf8_is_valid(words, strlen(words)));
        assert_true(strlen(words) + 4 >= size);
        assert_memory_equal(words, whole, strlen(words));
    }
}

static void particular_words(void **state)
{
    (void)state;
    char words[300];
    struct fault f = fault_make(FAULT_SERVER, NULL);
    f.http = 503;
    fault_words(&f, words, sizeof(words));
    assert_string_equal(words, "The backend failed (HTTP 503).");
    f.http = 200; /* an envelope without success */
    fault_words(&f, words, sizeof(words));
    assert_string_equal(words, "The backend failed.");
    f.code = 7777;
    fault_words(&f, words, sizeof(words));
    assert_string_equal(words, "The backend failed (error 7777).");
    f = fault_make(FAULT_RENDER, "no codec");
    fault_words(&f, words, sizeof(words));
    assert_string_equal(words, "The render failed. The backend says: no codec");
    f = fault_make(FAULT_UNREACHABLE, "Could not resolve host: x");
    fault_words(&f, words, sizeof(words));
    assert_string_equal(words, "The backend cannot be reached. (Could not resolve host: x)");
    assert_int_equal(fault_local(ESHUTDOWN).kind, FAULT_CANCELLED); /* the next mount goes on */
    f = fault_local(ENOSPC);
    fault_words(&f, words, sizeof(words));
    assert_string_equal(words, "This machine failed. (No space left on device)");
}

static void hints(void **state)
{
    static const struct {
        enum fault_kind kind;
        bool anonymous;
        const char *part;
    } cases[] = {
        {FAULT_CREDITS, true, "https://web/register?bind=anon_7"},
        {FAULT_CREDITS, false, "Top up at nemovideo.com"},
        {FAULT_PLAN, true, "https://web/register?bind=anon_7"},
        {FAULT_PLAN, false, "https://web"},
        {FAULT_TOKEN, true, "https://web/register?bind=anon_7"},
        {FAULT_TOKEN, false, "NEMO_TOKEN"},
        {FAULT_TYPE, true, "mp4 mov avi webm mkv, jpg jpeg png gif webp, mp3 wav m4a aac"},
        {FAULT_TOO_LARGE, true, "Trim or compress"},
        {FAULT_SESSION, true, "instruct"},
        {FAULT_RENDER, true, "export"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char hint[600];
        struct fault f = fault_make(cases[i].kind, NULL);
        fault_hint(&f, cases[i].anonymous ? &ANONYMOUS : &REGISTERED, hint, sizeof(hint));
        if (!strstr(hint, cases[i].part))
            fail_msg("\"%s\" lacks %s", hint, cases[i].part);
    }
}

static void hints_tell_times(void **state)
{
    (void)state;
    char hint[300];
    struct fault f = fault_make(FAULT_RATE, NULL);
    fault_hint(&f, &ANONYMOUS, hint, sizeof(hint));
    assert_string_equal(hint, "Wait a moment, then try again.");
    f.retry_after_s = 30;
    fault_hint(&f, &ANONYMOUS, hint, sizeof(hint));
    assert_string_equal(hint, "Try again in 30 seconds.");
    f.retry_after_s = 1;
    fault_hint(&f, &ANONYMOUS, hint, sizeof(hint));
    assert_string_equal(hint, "Try again in 1 second.");
}

/* The plan's limit must not be taken for missing credits, nor the other way round. */
static void plan_is_not_credits(void **state)
{
    (void)state;
    char plan[600], credits[600];
    struct fault f = fault_make(FAULT_PLAN, NULL);
    fault_hint(&f, &ANONYMOUS, plan, sizeof(plan));
    assert_null(strstr(plan, "Top up"));
    fault_words(&f, plan, sizeof(plan));
    assert_non_null(strstr(plan, "plan"));
    assert_non_null(strstr(plan, "Credits are not the reason"));
    f = fault_make(FAULT_CREDITS, NULL);
    fault_words(&f, credits, sizeof(credits));
    assert_null(strstr(credits, "plan"));
}

static void links_are_escaped(void **state)
{
    (void)state;
    char hint[600];
    struct fault f = fault_make(FAULT_CREDITS, NULL);
    struct fault_context who = {"https://web", "a b&c=\xe7\x89\x87/\n", true};
    fault_hint(&f, &who, hint, sizeof(hint));
    assert_non_null(strstr(hint, "?bind=a%20b%26c%3D%E7%89%87%2F%0A"));
    who.user_id = NULL;
    fault_hint(&f, &who, hint, sizeof(hint));
    assert_non_null(strstr(hint, "https://web/register"));
    assert_null(strstr(hint, "bind"));
    who.web_url = NULL;
    fault_hint(&f, &who, hint, sizeof(hint));
    char id[5000];
    memset(id, '/', sizeof(id));
    id[sizeof(id) - 1] = '\0';
    who.user_id = id;
    who.web_url = id;
    fault_hint(&f, &who, hint, sizeof(hint));
    assert_true(strlen(hint) < sizeof(hint));
}

static void clean_text(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *clean;
    } cases[] = {
        {BYTES(""), ""},
        {BYTES("name"), "name"},
        {BYTES("a\0b"), "ab"},
        {BYTES("a\nb\rc\td"), "a b c d"},
        {BYTES("a\x01\x7f\xc2\x80\xc2\x9f"
               "b"),
         "ab"},
        {BYTES("a\xe2\x80\xa8"
               "b\xc2\x85"
               "c"),
         "a b c"},
        {BYTES("\x1b[1;31mred\x1b[m"), "red"},
        {BYTES("\xc2\x9b"
               "31mred"),
         "red"},
        {BYTES("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\"), "link"},
        {BYTES("\x1bPdevice\x1b\\x"), "x"},
        {BYTES("\x1b(0x\x1b"
               "cy"),
         "xy"},
        {BYTES("\x1b"), ""},
        {BYTES("\x1b["), ""},
        {BYTES("\x1b[1;2"), "1;2"},
        {BYTES("\x1b]never ends"), "never ends"},
        {BYTES("\x1b\xe7\x89\x87"), "\xe7\x89\x87"},
        {BYTES("\xe2\x81\xa6x\xe2\x81\xa9"), "x"},
        {BYTES("\xff\xe7\x89"), "\xef\xbf\xbd\xef\xbf\xbd"},
        {BYTES("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[64];
        char *text = exact_copy(cases[i].text, cases[i].len);
        fault_clean_text(text, cases[i].len, out, sizeof(out));
        if (strcmp(out, cases[i].clean) != 0)
            fail_msg("case %zu is \"%s\"", i, out);
        for (size_t size = 1; size < 12; size++) {
            fault_clean_text(text, cases[i].len, out, size);
            assert_true(strlen(out) < size);
            assert_true(utf8_is_valid(out, strlen(out)));
            assert_memory_equal(out, cases[i].clean, strlen(out));
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_and_codes),
        cmocka_unit_test(what_passes),
        cmocka_unit_test(details_are_cleaned),
        cmocka_unit_test(every_kind_has_words),
        cmocka_unit_test(words_cut_between_characters),
        cmocka_unit_test(particular_words),
        cmocka_unit_test(hints),
        cmocka_unit_test(hints_tell_times),
        cmocka_unit_test(plan_is_not_credits),
        cmocka_unit_test(links_are_escaped),
        cmocka_unit_test(clean_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
