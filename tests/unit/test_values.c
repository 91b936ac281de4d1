/* Values as people write them: right ones, and what is said of wrong ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "values.h"

static void sizes_are_decimal(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"1", 1},
        {"500M", 500000000},
        {"10G", 10000000000},
        {"1k", 1000},
        {"1K", 1000},
        {"2T", 2000000000000},
        {"1.5G", 1500000000},
        {".5k", 500},
        {"0.0001k", 1}, /* rounded up */
        {"9223372036854775807", INT64_MAX},
    };
    static const char *const bad[] = {
        "",
        "M",
        "-1",
        "+1",
        "1 M",
        " 1",
        "1MB",
        "1Mi",
        "1e3",
        "0x10",
        "1.2.3",
        "..",
        "0",
        "0M",
        "nan",
        "9223372036854775808",
        "99999999999999999999999999",
        "9300000T",
        "1M ",
    };
    uint64_t out;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_null(values_size(good[i].text, &out));
        assert_int_equal(out, good[i].bytes);
    }
    out = 42;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (!values_size(bad[i], &out))
            fail_msg("%s", bad[i]);
    }
    assert_int_equal(out, 42);
}

static void seconds_may_be_fractions(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"30", 30000},
        {"0.2", 200},
        {"0", 0},
        {".5", 500},
        {"0.0001", 1},
        {"1.2345", 1235},
        {"10000000", 10000000000},
    };
    static const char *const bad[] = {"",          ".",   "-1",       "1s",  "inf",
                                      "nan",       "1e3", "10000001", "1,5", "99999999999999999999",
                                      "10000000.1"};
    int64_t out;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_null(values_seconds(good[i].text, &out));
        assert_int_equal(out, good[i].ms);
    }
    out = 42;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (!values_seconds(bad[i], &out))
            fail_msg("%s", bad[i]);
    assert_int_equal(out, 42);
}

static void roots_are_https_or_here(void **state)
{
    static const struct {
        const char *text;
        const char *url;
    } good[] = {
        {"https://api.example.com", "https://api.example.com"},
        {"https://api.example.com/", "https://api.example.com"},
        {"https://api.example.com///", "https://api.example.com"},
        {"HTTPS://api.example.com:8443/v1/", "HTTPS://api.example.com:8443/v1"},
        {"https://[2001:db8::1]:443", "https://[2001:db8::1]:443"},
        {"http://localhost:8080", "http://localhost:8080"},
        {"http://LOCALHOST", "http://LOCALHOST"},
        {"http://127.0.0.1:1", "http://127.0.0.1:1"},
        {"http://127.255.3.4/root", "http://127.255.3.4/root"},
        {"http://[::1]:9", "http://[::1]:9"},
    };
    static const char *const bad[] = {
        "",
        "api.example.com",
        "ftp://localhost",
        "http://api.example.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://127.1",
        "http://0x7f.0.0.1",
        "http://128.0.0.1",
        "http://[::2]",
        "http://[::ffff:127.0.0.1]",
        "http://localhost@example.com",
        "https://user:pass@example.com",
        "https://example.com?x",
        "https://example.com/#x",
        "https://",
        "https:///x",
        "https://:80",
        "https://example.com:",
        "https://example.com:0",
        "https://example.com:65536",
        "https://example.com:8a",
        "https://[::1",
        "https://[::1]x",
        "https://[example.com]",
        "https://exa mple.com",
        "https://example.com\\x",
        "https://ex\nample.com",
        "https://ex\xc3\xa4mple.com",
    };
    char *out = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_null(values_url(good[i].text, VALUES_URL_SECRET, &out));
        assert_string_equal(out, good[i].url);
        free(out);
    }
    out = NULL;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (!values_url(bad[i], VALUES_URL_SECRET, &out))
            fail_msg("%s", bad[i]);
    assert_null(out);
    assert_null(values_url("http://example.com/", VALUES_URL_LINK, &out));
    assert_string_equal(out, "http://example.com");
    free(out);
    assert_non_null(values_url("ftp://example.com", VALUES_URL_LINK, &out));
}

static void urls_have_a_length(void **state)
{
    char text[3000];
    char *out;

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text, "https://", 8);
    text[sizeof(text) - 1] = '\0';
    assert_non_null(values_url(text, VALUES_URL_SECRET, &out));
    text[8 + 256] = '\0';
    assert_non_null(values_url(text, VALUES_URL_SECRET, &out));
    text[8 + 255] = '\0';
    assert_null(values_url(text, VALUES_URL_SECRET, &out));
    free(out);
}

static void languages_are_the_first_part(void **state)
{
    static const struct {
        const char *text;
        const char *lang;
    } good[] = {
        {"en", "en"},      {"de_DE", "de"}, {"de_DE.UTF-8@euro", "de"}, {"zh-Hant-TW", "zh"},
        {"C", "en"},       {"POSIX", "en"}, {"C.UTF-8", "en"},          {"ZH_cn", "zh"},
        {"ast_ES", "ast"}, {"de:en", "de"},
    };
    static const char *const bad[] = {
        "", "e", "x1", "_", "de/en", "verylonglang", "\xe4\xb8\xad", "d e", "P"};
    char out[VALUES_LANG_SIZE] = "xx";

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_non_null(values_lang(bad[i], out));
    assert_string_equal(out, "xx");
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_null(values_lang(good[i].text, out));
        assert_string_equal(out, good[i].lang);
    }
}

static void tokens_fit_a_header(void **state)
{
    (void)state;
    assert_null(values_token("nmv_usr_abc~!", 100));
    assert_non_null(values_token("", 100));
    assert_non_null(values_token("a b", 100));
    assert_non_null(values_token("a\r\nX-Evil: 1", 100));
    assert_non_null(values_token("\xc3\xa4", 100));
    assert_null(values_token("1234", 4));
    assert_non_null(values_token("12345", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_decimal),
        cmocka_unit_test(seconds_may_be_fractions),
        cmocka_unit_test(roots_are_https_or_here),
        cmocka_unit_test(urls_have_a_length),
        cmocka_unit_test(languages_are_the_first_part),
        cmocka_unit_test(tokens_fit_a_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
