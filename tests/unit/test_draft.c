#include "unit.h"

#include "buffer.h"
#include "draft.h"
#include "jsontext.h"
#include "utf8.h"

#define STATE(tracks) "{\"draft\":{\"d\":45000,\"t\":[" tracks "]},\"video_infos\":[]}"
#define TRACK(type, segments) "{\"tt\":" type ",\"sg\":[" segments "]}"
#define NAMED(name, d) "{\"d\":" d ",\"m\":{\"title\":\"" name "\"}}"

/* ---- the draft in a state ---- */

static void finding(void **state)
{
    (void)state;
    static const char text[] =
        " {\"a\":1, \"draft\" : { \"id\":1234567890123456789,\"z\":1.0,\"s\":\"\\u00e9\" } , "
        "\"b\":2} ";
    const char *draft;
    size_t len;
    assert_int_equal(draft_find(BYTES(text), &draft, &len), 0);
    assert_int_equal(len, strlen("{ \"id\":1234567890123456789,\"z\":1.0,\"s\":\"\\u00e9\" }"));
    assert_memory_equal(draft, "{ \"id\":1234567890123456789,\"z\":1.0,\"s\":\"\\u00e9\" }", len);
    assert_true(draft > text && draft < text + sizeof(text));

    assert_int_equal(draft_find(BYTES("{\"draft\":1,\"draft\":{}}"), &draft, &len), 0);
    static const struct {
        const char *state;
        int err;
    } none[] = {
        {"{}", -ENOENT},
        {"{\"draft\":null}", -ENOENT},
        {"null", -ENOENT},
        {"{\"draft\":[]}", -EPROTO},
        {"{\"draft\":\"x\"}", -EPROTO},
        {"[]", -EPROTO},
        {"", -EPROTO},
        {"{\"draft\":{}", -EPROTO},
        {"{\"draft\":{}} x", -EPROTO},
    };
    for (size_t i = 0; i < COUNT(none); i++)
        assert_int_equal(draft_find(none[i].state, strlen(none[i].state), &draft, &len),
                         none[i].err);
}

static void readiness(void **state)
{
    static const struct {
        const char *state;
        bool ready;
    } cases[] = {
        {STATE(TRACK("0", "{}")), true},
        {STATE(TRACK("0", "") "," TRACK("1", "{}")), true},
        {STATE(TRACK("0", "")), false},
        {STATE(""), false},
        {STATE("{\"tt\":0}"), false},
        {STATE("{\"sg\":{\"a\":1}}"), false},
        {STATE("1,null,\"sg\""), false},
        {"{\"draft\":{\"t\":{\"sg\":[1]}}}", false},
        {"{\"draft\":{}}", false},
        {"{}", false},
        {"null", false},
        {"{\"draft\":{\"t\":[{\"sg\":[1]}]}", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_true(draft_is_ready(cases[i].state, strlen(cases[i].state)) == cases[i].ready);
}

static void durations(void **state)
{
    static const struct {
        const char *state;
        int64_t ms;
    } cases[] = {
        {"{\"draft\":{\"d\":45000}}", 45000},
        {"{\"draft\":{\"d\":\"45000\"}}", 45000},
        {"{\"draft\":{\"t\":[" TRACK("0", NAMED("a", "1000") "," NAMED("b", "500")) "]}}", 1500},
        {"{\"draft\":{\"t\":[" TRACK("0", "{\"start\":2000,\"d\":50}") "]}}", 2050},
        {"{\"draft\":{\"d\":0,\"t\":[" TRACK("0", "{\"d\":7}") "]}}", 7},
        {"{\"draft\":{\"d\":-5,\"t\":[" TRACK("0", "{}") "]}}", -1},
        {"{\"draft\":{}}", -1},
        {"{}", -1},
        {"x", -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(draft_duration_ms(cases[i].state, strlen(cases[i].state)), cases[i].ms);
}

static void fingerprints(void **state)
{
    (void)state;
    uint64_t one = draft_fingerprint(BYTES("{\"draft\":{\"a\":[1,2]}}"));
    assert_true(one != 0);
    assert_true(one == draft_fingerprint(BYTES("{ \"x\":1,\"draft\": {\"a\" :[1 ,\n2]} }")));
    assert_true(one != draft_fingerprint(BYTES("{\"draft\":{\"a\":[1,2.0]}}")));
    assert_true(0 == draft_fingerprint(BYTES("{\"draft\":null}")));
    assert_true(0 == draft_fingerprint(BYTES("{}")));
    assert_true(0 == draft_fingerprint(BYTES("{\"draft\":")));
}

/* ---- the listing ---- */

static void assert_listing(const char *text, const char *expected)
{
    char *listing;
    char *copy = exact_copy(text, strlen(text));
    assert_int_equal(draft_listing(copy, strlen(text), &listing), 0);
    free(copy);
    if (strcmp(listing, expected) != 0)
        fail_msg("%s\nis listed\n%s\nnot\n%s", text, listing, expected);
    free(listing);
}

static void listings(void **state)
{
    static const struct {
        const char *state, *listing;
    } cases[] = {
        {STATE(TRACK("0", NAMED("interview clip", "45000")) "," TRACK(
             "1", NAMED("dubbed voiceover", "45000"))),
         "Timeline (2 tracks):\n1. Video: interview clip (0-45s)\n"
         "2. Audio: dubbed voiceover (0-45s)\n"},
        {STATE(TRACK("0", NAMED("a", "10000") "," NAMED("b", "35000"))),
         "Timeline (1 track):\n1. Video: a (0-10s), b (10-45s)\n"},
        {STATE(
             TRACK("7", NAMED("hi", "1500")) "," TRACK("3", NAMED("fx", "50")) "," TRACK("1", "")),
         "Timeline (3 tracks):\n1. Text: hi (0-1.5s)\n2. Track: fx (0-0.1s)\n3. Audio: empty\n"},
        {STATE(""), "Timeline (0 tracks)\n"},
        {"{\"draft\":{}}", "Timeline (0 tracks)\n"},
        {"{}", "Timeline (0 tracks)\n"},
        {"null", "Timeline (0 tracks)\n"},

        /* seconds: one decimal at most */
        {STATE(TRACK("0", NAMED("a", "1049") "," NAMED("b", "1"))),
         "Timeline (1 track):\n1. Video: a (0-1s), b (1-1.1s)\n"},
        {STATE(TRACK("0", NAMED("a", "7200000"))), "Timeline (1 track):\n1. Video: a (0-7200s)\n"},

        /* starts under their usual spellings; the next follows where none is told */
        {STATE(TRACK("0", "{\"name\":\"a\",\"start\":5000,\"d\":1000},{\"name\":\"b\",\"d\":1000},"
                          "{\"name\":\"c\",\"target_timerange\":{\"start\":9000,\"duration\":500}},"
                          "{\"name\":\"d\",\"start_ms\":\"20000\",\"end_ms\":21000}")),
         "Timeline (1 track):\n1. Video: a (5-6s), b (6-7s), c (9-9.5s), d (20-21s)\n"},
        {STATE(TRACK("0", "{\"name\":\"a\",\"start\":-5,\"d\":1000},{\"name\":\"b\"},"
                          "{\"name\":\"c\",\"d\":1e300},{\"name\":\"d\",\"d\":\"long\"}")),
         "Timeline (1 track):\n1. Video: a (0-1s), b (from 1s), c (from 1s), d (from 1s)\n"},

        /* names: in the segment, in its metadata, in the track's */
        {STATE(TRACK("0", "{\"d\":1,\"filename\":\"f.mp4\",\"text\":\"no\"}")),
         "Timeline (1 track):\n1. Video: f.mp4 (0-0s)\n"},
        {STATE(TRACK("7", "{\"d\":1000,\"m\":{\"name\":\"no\",\"text\":\"Hello\"}}")),
         "Timeline (1 track):\n1. Text: Hello (0-1s)\n"},
        {STATE(TRACK("0", "{\"d\":1000,\"m\":\"bare\"}")),
         "Timeline (1 track):\n1. Video: bare (0-1s)\n"},
        {STATE("{\"tt\":1,\"m\":{\"title\":\"music\"},\"sg\":[{\"d\":1000}]}"),
         "Timeline (1 track):\n1. Audio: music (0-1s)\n"},
        {STATE(TRACK("0", "{\"d\":1000},7,null")),
         "Timeline (1 track):\n1. Video: unnamed (0-1s), unnamed (from 1s), unnamed (from 1s)\n"},
        {STATE(TRACK("0", NAMED("\\u001b[31mred\\u001b[0m\\nline \xff \\u202ex", "1000"))),
         "Timeline (1 track):\n1. Video: red line \xef\xbf\xbd x (0-1s)\n"},
        {STATE(TRACK("0", NAMED("\\u91c7\xe8\xae\xbf", "1000"))),
         "Timeline (1 track):\n1. Video: \xe9\x87\x87\xe8\xae\xbf (0-1s)\n"},

        /* types */
        {STATE("{\"tt\":\"1\",\"sg\":[]},{\"tt\":0.0,\"sg\":[]},{\"sg\":[]},5"),
         "Timeline (4 tracks):\n1. Audio: empty\n2. Video: empty\n3. Track: empty\n4. Track: "
         "empty\n"},
        {"{\"draft\":{\"t\":{\"a\":1}}}", "Timeline (0 tracks)\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_listing(cases[i].state, cases[i].listing);

    static const char *const unreadable[] = {"", "[]", "{\"draft\":1}", "{\"draft\":{}"};
    for (size_t i = 0; i < COUNT(unreadable); i++) {
        char *listing = NULL;
        assert_int_equal(draft_listing(unreadable[i], strlen(unreadable[i]), &listing), -EPROTO);
        assert_null(listing);
    }
}

static void long_names_are_cut(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 10000);
    buffer_add_string(&b, "{\"draft\":{\"t\":[{\"sg\":[{\"name\":\"");
    for (int i = 0; i < 500; i++)
        buffer_add_string(&b, "\xe7\x89\x87");
    buffer_add_string(&b, "\"}]}]}}");
    char *listing;
    assert_int_equal(draft_listing(b.data, b.len, &listing), 0);
    assert_true(utf8_is_valid(listing, strlen(listing)));
    assert_true(strlen(listing) < 400);
    assert_non_null(strstr(listing, "\xe7\x89\x87\xe2\x80\xa6 (from 0s)\n"));
    free(listing);
    buffer_release(&b);
}

/* A draft of `tracks` tracks with `segments` segments each. */
static void make_draft(struct buffer *b, int tracks, int segments, const char *name)
{
    buffer_init(b, STATE_MAX);
    buffer_add_string(b, "{\"draft\":{\"t\":[");
    for (int i = 0; i < tracks; i++) {
        buffer_addf(b, "%s{\"tt\":0,\"sg\":[", i ? "," : "");
        for (int k = 0; k < segments; k++)
            buffer_addf(b, "%s{\"d\":1000,\"name\":\"%s %d\"}", k ? "," : "", name,
                        i * segments + k);
        buffer_add_string(b, "]}");
    }
    buffer_add_string(b, "]}}");
    assert_int_equal(buffer_error(b), 0);
}

static void big_drafts_are_bounded(void **state)
{
    static const struct {
        int tracks, segments;
        const char *header, *rest;
    } cases[] = {
        {5000, 1, "Timeline (5000 tracks):\n", "(4000 more tracks are not shown)\n"},
        {1001, 0, "Timeline (1001 tracks):\n", "(1 more track is not shown)\n"},
        {1, 5000, "Timeline (1 track):\n", ", 4900 more\n"},
        {300, 60, "Timeline (300 tracks):\n", " more tracks are not shown)\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buffer b;
        char *listing;
        make_draft(&b, cases[i].tracks, cases[i].segments, "a clip with a longish name");
        assert_int_equal(draft_listing(b.data, b.len, &listing), 0);
        size_t len = strlen(listing);
        assert_true(len <= DRAFT_LISTING_MAX);
        assert_memory_equal(listing, cases[i].header, strlen(cases[i].header));
        assert_string_equal(listing + len - strlen(cases[i].rest), cases[i].rest);
        free(listing);
        buffer_release(&b);
    }
}

static void too_big_a_state_is_not_read(void **state)
{
    (void)state;
    size_t size = STATE_MAX + 1;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, ' ', size);
    memcpy(text, "{}", 2);
    const char *draft;
    size_t len;
    assert_int_equal(draft_find(text, size, &draft, &len), -EPROTO);
    assert_int_equal(draft_find(text, size - 1, &draft, &len), -ENOENT);
    free(text);
}

/* ---- what changed ---- */

static void changes(void **state)
{
    static const struct {
        const char *before, *after; /* NULL: unknown */
        bool changed;
        const char *words;
    } cases[] = {
        {STATE(TRACK("0", NAMED("a", "1000"))), STATE(TRACK("0", NAMED("a", "1000"))), false, ""},
        {STATE(TRACK("0", NAMED("a", "1000"))), STATE(TRACK("0", NAMED("a", " 1000 "))), false, ""},
        {NULL, NULL, false, ""},
        {"{}", "{\"draft\":null}", false, ""},
        {"{\"x\":1}", "{\"x\":2}", false, ""},

        /* tracks */
        {NULL, STATE(TRACK("0", NAMED("a", "1000"))), true, "Added video track: a (0-1s)\n"},
        {STATE(TRACK("0", NAMED("a", "1000"))),
         STATE(TRACK("0", NAMED("a", "1000")) "," TRACK("1", NAMED("voice", "1000"))), true,
         "Added audio track: voice (0-1s)\n"},
        {STATE(TRACK("0", NAMED("a", "1000")) "," TRACK("7", NAMED("hi", "1000"))),
         STATE(TRACK("0", NAMED("a", "1000"))), true, "Removed text track: hi (0-1s)\n"},
        {STATE(TRACK("0", NAMED("a", "1000"))), NULL, true, "Removed video track: a (0-1s)\n"},
        {STATE(TRACK("1", NAMED("old", "1000")) "," TRACK("0", NAMED("a", "1000"))),
         STATE(TRACK("0", NAMED("a", "1000"))), true, "Removed audio track: old (0-1s)\n"},
        {STATE(""), STATE("{\"tt\":5,\"sg\":[]}"), true, "Added track: empty\n"},

        /* segments */
        {STATE(TRACK("0", NAMED("a", "1000"))),
         STATE(TRACK("0", NAMED("a", "1000") "," NAMED("b", "2000"))), true,
         "Track 1: added b (1-3s)\n"},
        {STATE(TRACK("0", NAMED("a", "1000") "," NAMED("b", "2000"))),
         STATE(TRACK("0", NAMED("a", "1000"))), true, "Track 1: removed b (1-3s)\n"},
        {STATE(TRACK("0", NAMED("a", "10000"))), STATE(TRACK("0", NAMED("a", "7500"))), true,
         "Track 1: a lasts 7.5s instead of 10s\n"},
        {STATE(TRACK("0", "{\"name\":\"a\",\"d\":1000,\"start\":0}")),
         STATE(TRACK("0", "{\"name\":\"a\",\"d\":1000,\"start\":500}")), true,
         "Track 1: a begins at 0.5s instead of 0s\n"},
        {STATE(TRACK("0", NAMED("a", "1000") "," NAMED("b", "2000"))),
         STATE(TRACK("0", NAMED("b", "2000") "," NAMED("a", "1000"))), true,
         "Track 1: b begins at 0s instead of 1s\nTrack 1: a begins at 2s instead of 0s\n"},
        {STATE(TRACK("1", NAMED("original", "1000"))), STATE(TRACK("1", NAMED("dubbed", "1000"))),
         true, "Track 1: original is now dubbed\n"},
        {STATE(TRACK("0", "{\"id\":1,\"name\":\"a\",\"d\":1000}")),
         STATE(TRACK("0", "{\"id\":1,\"name\":\"b\",\"d\":2000}")), true,
         "Track 1: a is now b\nTrack 1: b lasts 2s instead of 1s\n"},
        {STATE(TRACK("7", "{\"d\":1000,\"text\":\"Hi\"}")),
         STATE(TRACK("7", "{\"d\":1000,\"text\":\"Bye\"}")), true,
         "Track 1: the text \"Hi\" is now \"Bye\"\n"},
        {STATE(TRACK("0", NAMED("a", "1000"))), STATE(TRACK("0", NAMED("b", "2000"))), true,
         "Track 1: removed a (0-1s)\nTrack 1: added b (0-2s)\n"},
        {STATE(TRACK("0", "{\"name\":\"a\"}")), STATE(TRACK("0", "{\"name\":\"a\",\"d\":1000}")),
         true, "Track 1: a lasts 1s\n"},

        /* volume: a factor, or percents if it is too much for one; numbers only if both are known
         */
        {STATE(TRACK("1", "{\"name\":\"a\",\"d\":1,\"volume\":1.0}")),
         STATE(TRACK("1", "{\"name\":\"a\",\"d\":1,\"m\":{\"volume\":0.5}}")), true,
         "Track 1: volume of \"a\" 100% -> 50%\n"},
        {STATE(TRACK("1", "{\"d\":1,\"vol\":0.333}")), STATE(TRACK("1", "{\"d\":1,\"vol\":0}")),
         true, "Track 1: volume of \"unnamed\" 33.3% -> 0%\n"},
        {STATE(TRACK("1", "{\"name\":\"a\",\"volume\":100}")),
         STATE(TRACK("1", "{\"name\":\"a\",\"volume\":1.5}")), true,
         "Track 1: volume of \"a\" 100% -> 1.5%\n"},
        {STATE(TRACK("1", "{\"name\":\"a\"}")),
         STATE(TRACK("1", "{\"name\":\"a\",\"volume\":1.5}")), true,
         "Track 1: changed the volume of \"a\"\n"},
        {STATE(TRACK("1", "{\"name\":\"a\",\"volume\":1}")),
         STATE(TRACK("1", "{\"name\":\"a\",\"volume\":1e300}")), true,
         "Track 1: changed the volume of \"a\"\n"},
        {STATE(TRACK("1", "{\"name\":\"a\",\"volume\":1}")),
         STATE(TRACK("1", "{\"name\":\"a\",\"volume\":-6}")), true,
         "Track 1: changed the volume of \"a\"\n"},
        {STATE("{\"tt\":1,\"volume\":1,\"sg\":[{\"name\":\"a\"}]}"),
         STATE("{\"tt\":1,\"volume\":0.2,\"sg\":[{\"name\":\"a\"}]}"), true,
         "Track 1: volume 100% -> 20%\n"},
        {STATE("{\"tt\":1,\"sg\":[{\"name\":\"a\"}]}"),
         STATE("{\"tt\":1,\"volume\":0.2,\"sg\":[{\"name\":\"a\"}]}"), true,
         "Track 1: changed the volume\n"},

        /* what has no words */
        {STATE(TRACK("0", "{\"name\":\"a\",\"d\":1,\"fx\":1}")),
         STATE(TRACK("0", "{\"name\":\"a\",\"d\":1,\"fx\":2}")), true, "The draft changed.\n"},
        {"{\"draft\":{}}", "{\"draft\":{\"canvas\":1}}", true, "The draft changed.\n"},
        {STATE(TRACK("0", NAMED("a", "1")) "," TRACK("0", NAMED("b", "1"))),
         STATE(TRACK("0", NAMED("b", "1")) "," TRACK("0", NAMED("a", "1"))), true,
         "The draft changed.\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *a = cases[i].before, *b = cases[i].after;
        bool changed = !cases[i].changed;
        char *words;
        assert_int_equal(
            draft_changes(a, a ? strlen(a) : 0, b, b ? strlen(b) : 0, &changed, &words), 0);
        if (strcmp(words, cases[i].words) != 0)
            fail_msg("case %zu:\n%snot\n%s", i, words, cases[i].words);
        assert_true(changed == cases[i].changed);
        free(words);
    }
}

static void unreadable_states_have_no_changes(void **state)
{
    (void)state;
    bool changed = true;
    char *words = NULL;
    assert_int_equal(draft_changes(BYTES("x"), BYTES("{}"), &changed, &words), -EPROTO);
    assert_int_equal(draft_changes(BYTES("{}"), BYTES("{\"draft\":7}"), &changed, &words), -EPROTO);
    assert_true(changed);
    assert_null(words);
}

static void many_changes_are_bounded(void **state)
{
    (void)state;
    struct buffer a, b;
    make_draft(&a, 1000, 20, "one");
    make_draft(&b, 1000, 20, "two");
    bool changed;
    char *words;
    assert_int_equal(draft_changes(a.data, a.len, b.data, b.len, &changed, &words), 0);
    assert_true(changed);
    assert_true(strlen(words) < 10000);
    const char *last = "There were more changes.\n";
    assert_string_equal(words + strlen(words) - strlen(last), last);
    free(words);
    buffer_release(&a);
    buffer_release(&b);
}

static void cut_at_every_byte(void **state)
{
    static const char text[] = STATE(
        TRACK("0", NAMED("a\\ud83d\\ude00", "1e3")) "," TRACK("7", "{\"text\":\"\xe7\x89\x87\"}"));
    (void)state;
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        const char *draft;
        char *words, *cut = exact_copy(text, len);
        size_t draft_len;
        bool changed;
        assert_int_equal(draft_find(cut, len, &draft, &draft_len), -EPROTO);
        assert_int_equal(draft_listing(cut, len, &words), -EPROTO);
        assert_int_equal(draft_changes(text, sizeof(text) - 1, cut, len, &changed, &words),
                         -EPROTO);
        assert_false(draft_is_ready(cut, len));
        assert_int_equal(draft_duration_ms(cut, len), -1);
        assert_true(draft_fingerprint(cut, len) == 0);
        free(cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finding),
        cmocka_unit_test(readiness),
        cmocka_unit_test(durations),
        cmocka_unit_test(fingerprints),
        cmocka_unit_test(listings),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(big_drafts_are_bounded),
        cmocka_unit_test(too_big_a_state_is_not_read),
        cmocka_unit_test(changes),
        cmocka_unit_test(unreadable_states_have_no_changes),
        cmocka_unit_test(many_changes_are_bounded),
        cmocka_unit_test(cut_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
