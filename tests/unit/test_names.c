/* Which names are valid, temporary, media, and what a temporary one stands for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "names.h"

static void well_formed_names_are_utf8_without_controls(void **state)
{
    static const char *const good[] = {
        "a",   "demo",     "my clip.mp4",      "配音 旁白", "é",    "😀",    ".hidden",
        "...", "\xc2\xa0", "\xf4\x8f\xbf\xbf", "a\nb",      "\x01", "\x7f", "\xc2\x9b",
    };
    static const char *const bad[] = {
        "",
        ".",
        "..",
        "a/b",
        "\xff",
        "\x80",             /* a continuation alone */
        "\xc0\xaf",         /* '/' overlong */
        "\xe0\x80\xaf",     /* again */
        "\xed\xa0\x80",     /* a surrogate */
        "\xf4\x90\x80\x80", /* beyond U+10FFFF */
        "abc\xe4\xbd",      /* cut */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(names_well_formed(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(names_well_formed(bad[i]));
}

static void names_end_at_255_bytes(void **state)
{
    char name[300];

    (void)state;
    memset(name, 'a', sizeof(name));
    name[255] = '\0';
    assert_true(names_well_formed(name));
    assert_true(names_valid(name));
    name[255] = 'a';
    name[256] = '\0';
    assert_false(names_well_formed(name));
    memcpy(name + 254, "\xc3\xa9", 3); /* whole, but over */
    assert_false(names_well_formed(name));
}

static void valid_names_are_not_hidden(void **state)
{
    (void)state;
    assert_true(names_valid("demo"));
    assert_true(names_valid("a.b"));
    assert_false(names_valid(".demo"));
    assert_true(names_valid("a\tb"));
}

static void the_root_reserves_its_own(void **state)
{
    (void)state;
    assert_true(names_reserved_root("README.txt"));
    assert_true(names_reserved_root("credits"));
    assert_false(names_reserved_root("Credits"));
    assert_false(names_reserved_root("readme.txt"));
}

static void media_is_known_by_extension(void **state)
{
    static const char *const media[] = {
        "a.mp4", "a.mov",  "a.avi", "a.webm", "a.mkv", "a.jpg", "a.jpeg", "a.png",
        "a.gif", "a.webp", "a.mp3", "a.wav",  "a.m4a", "a.aac", "A.MP4",  "a.b.WebM",
    };
    static const char *const other[] = {"a.txt", "mp4",    ".mp4",   "a.",
                                        "a.mp",  "a.mp44", "a.mp4 ", ""};

    (void)state;
    for (size_t i = 0; i < sizeof(media) / sizeof(media[0]); i++)
        assert_true(names_is_media(media[i]));
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
        assert_false(names_is_media(other[i]));
    assert_non_null(strstr(names_supported(), "webm"));
}

static void temporary_names_are_known_by_both_ends(void **state)
{
    static const char *const temporary[] = {
        ".clip.mp4.AbC123", ".x",
        "clip.mp4~",        "clip.mp4.part",
        "clip.mp4.PART",    "clip.mp4.partial",
        "clip.tmp",         "clip.temp",
        "x.crdownload",     "x.download",
        "x.filepart",       "x.mp4.swp",
        "x.mp4.Bak",        "~",
    };
    static const char *const lasting[] = {"clip.mp4", "part", "clip.parts", "a~b.mp4", "sedAbC123"};

    (void)state;
    for (size_t i = 0; i < sizeof(temporary) / sizeof(temporary[0]); i++)
        assert_true(names_is_temporary(temporary[i]));
    for (size_t i = 0; i < sizeof(lasting) / sizeof(lasting[0]); i++)
        assert_false(names_is_temporary(lasting[i]));
}

static const struct {
    const char *name;
    enum names_verdict verdict;
} judged[] = {
    {"clip.mp4", NAMES_MEDIA},
    {"CLIP.MOV", NAMES_MEDIA},
    {"clip.part.mp4", NAMES_MEDIA},
    {"clip", NAMES_UNSUPPORTED},
    {"notes.txt", NAMES_UNSUPPORTED},
    {"4913", NAMES_UNSUPPORTED},
    {"a/b.mp4", NAMES_UNSUPPORTED},
    {"a\n.mp4", NAMES_MEDIA},
    {".part\xff", NAMES_UNSUPPORTED},
    /* NAME and a suffix */
    {"clip.mp4.part", NAMES_TEMPORARY},
    {"clip.mp4~", NAMES_TEMPORARY},
    {"clip.mp4.part~", NAMES_TEMPORARY},
    {"clip.mp4.TMP", NAMES_TEMPORARY},
    {"notes.txt.part", NAMES_UNSUPPORTED},
    {"notes.txt~", NAMES_UNSUPPORTED},
    {"archive.sqlite.part", NAMES_UNSUPPORTED},
    {"notes.txt.part.tmp", NAMES_UNSUPPORTED},
    {"movie.mp4.txt.part", NAMES_UNSUPPORTED},
    /* nothing tells */
    {"Unconfirmed 123456.crdownload", NAMES_TEMPORARY},
    {"clip.part", NAMES_TEMPORARY},
    {"~", NAMES_TEMPORARY},
    {".part", NAMES_TEMPORARY},
    {".goutputstream-X1Y2Z3", NAMES_TEMPORARY},
    {".com.google.Chrome.AbC123", NAMES_TEMPORARY},
    {".org.chromium.Chromium.AbC123", NAMES_TEMPORARY},
    {".nfs000000000000001", NAMES_TEMPORARY},
    /* rsync, rclone, vim, macOS */
    {".clip.mp4.AbC123", NAMES_TEMPORARY},
    {".notes.txt.AbC123", NAMES_UNSUPPORTED},
    {"clip.mp4.1a2b3c4d.partial", NAMES_TEMPORARY},
    {"notes.txt.1a2b3c4d.partial", NAMES_UNSUPPORTED},
    {".clip.mp4.swp", NAMES_TEMPORARY},
    {".clip.mp4.swx", NAMES_TEMPORARY},
    {".clip.mp4.swpx", NAMES_TEMPORARY},
    {".notes.txt.swp", NAMES_UNSUPPORTED},
    {".notes.txt.swx", NAMES_UNSUPPORTED},
    {"._clip.mp4", NAMES_TEMPORARY},
    {".notes.txt", NAMES_UNSUPPORTED},
};

static void temporary_names_are_judged_as_what_they_become(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(judged) / sizeof(judged[0]); i++) {
        if (names_judge(judged[i].name) != judged[i].verdict)
            fail_msg("%s: %d", judged[i].name, names_judge(judged[i].name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_names_are_utf8_without_controls),
        cmocka_unit_test(names_end_at_255_bytes),
        cmocka_unit_test(valid_names_are_not_hidden),
        cmocka_unit_test(the_root_reserves_its_own),
        cmocka_unit_test(media_is_known_by_extension),
        cmocka_unit_test(temporary_names_are_known_by_both_ends),
        cmocka_unit_test(temporary_names_are_judged_as_what_they_become),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
