/*
 * What messages ask for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "words.h"

static struct wish read(const char *text)
{
    struct wish w;

    words_read(text, &w);
    return w;
}

static void understands_sync(void **state)
{
    static const char *const texts[] = {
        "sync",
        "Sync the voiceover to the video, please.",
        "Lip-sync this",
        "can you resync it?",
        "Please dub the clip with my recording",
        "match the lips to the new voice",
        "replace the audio with voice.wav",
        "make the mouth match the narration",
        "Use the uploaded voiceover.",
        "同步配音",
        "请把视频的声音替换成新的录音",
        "让口型对上",
        "对齐音频",
        "sync it, but don't change anything else",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!read(texts[i]).sync)
            fail_msg("not understood: %s", texts[i]);
    }
}

static void leaves_alone_what_is_no_edit(void **state)
{
    static const char *const texts[] = {
        "",
        "hello",
        "make the colours warmer",
        "match the colours of both clips",
        "replace the background with a beach",
        "How do I sync the audio?",
        "what does dub mean",
        "don't sync it",
        "Please do not replace the audio",
        "不要同步",
        "如何对口型?",
        "trim the hedges",
        "add a title",
        "the word \"sync\" is nice",
        "100%",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct wish w = read(texts[i]);
        if (words_any(&w))
            fail_msg("taken for an edit: %s", texts[i]);
    }
}

static void understands_trim(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"trim to 10 s", 10000},
        {"Trim the clip to 12.5 seconds", 12500},
        {"trim talk2.mp4 to 5s please", 5000},
        {"cut it to 1:30", 90000},
        {"shorten the video to 2 min", 120000},
        {"keep only the first 3 seconds", 3000},
        {"trim to 2500ms", 2500},
        {"trim to 5.01 s, voice at 80%", 5010},
        {"裁剪到10秒", 10000},
        {"把视频剪到 1分钟", 60000},
        {"裁剪到１０秒", 10000},
        {"voice at 80%, then trim to 7 s", 7000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wish w = read(cases[i].text);
        if (!w.trim || w.trim_ms != cases[i].ms)
            fail_msg("%s: %d %lld", cases[i].text, w.trim, (long long)w.trim_ms);
    }
    assert_false(read("trim to 0 s").trim);
    assert_false(read("trim to 99999999999999999999 s").trim);
}

static void understands_titles(void **state)
{
    static const struct {
        const char *text;
        const char *title;
    } cases[] = {
        {"title \"Hello: world, it's 100%\"", "Hello: world, it's 100%"},
        {"add the title 'Sync me' please", "Sync me"},
        {"加标题“你好,世界”", "你好,世界"},
        {"标题「海港」", "海港"},
        {"title: At the harbour\nthank you", "At the harbour"},
        {"标题:海港", "海港"},
        {"remove the title", ""},
        {"删除标题", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wish w = read(cases[i].text);
        if (!w.title || strcmp(w.title_text, cases[i].title) != 0)
            fail_msg("%s: %d \"%s\"", cases[i].text, w.title, w.title_text);
        assert_false(w.sync);
    }
}

static void cuts_long_titles_at_a_character(void **state)
{
    char text[1024] = "标题“";
    size_t len = strlen(text);

    (void)state;
    while (len < 900) {
        memcpy(text + len, "海", 3);
        len += 3;
    }
    memcpy(text + len, "”", 4);
    struct wish w = read(text);
    assert_true(w.title);
    len = strlen(w.title_text);
    assert_in_range(len, WORDS_TITLE_MAX - 4, WORDS_TITLE_MAX - 1);
    assert_int_equal(len % 3, 0);
}

static void understands_volume(void **state)
{
    static const struct {
        const char *text;
        double level;
    } cases[] = {
        {"voice at 80%", 0.8},   {"set the volume of voice2.wav to 150 percent", 1.5},
        {"音量80%", 0.8},        {"把声音调到百分之50", 0.5},
        {"volume 0%", 0},        {"voice at 99999%", 4},
        {"音量调到８０％", 0.8},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wish w = read(cases[i].text);
        if (!w.volume || w.level < cases[i].level - 1e-9 || w.level > cases[i].level + 1e-9)
            fail_msg("%s: %d %f", cases[i].text, w.volume, w.level);
    }
}

static void understands_several_at_once(void **state)
{
    struct wish w =
        read("Sync the voice, add a title \"Undo\", trim to 10 s and set the voice to 80%");

    (void)state;
    assert_true(w.sync && w.title && w.trim && w.volume && !w.undo);
    assert_true(read("undo that").undo);
    assert_true(read("撤销").undo);
}

static void knows_the_language(void **state)
{
    (void)state;
    assert_true(read("同步").chinese);
    assert_false(read("sync “it” — déjà vu").chinese);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands_sync),
        cmocka_unit_test(leaves_alone_what_is_no_edit),
        cmocka_unit_test(understands_trim),
        cmocka_unit_test(understands_titles),
        cmocka_unit_test(cuts_long_titles_at_a_character),
        cmocka_unit_test(understands_volume),
        cmocka_unit_test(understands_several_at_once),
        cmocka_unit_test(knows_the_language),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
