/* The Chinese catalogue in the program's hands: the texts that the protocol fixes, to the byte. */
#include "unit.h"

#include "draft.h"
#include "fault.h"
#include "text.h"
#include "words.h"

static int speak_chinese(void **state)
{
    (void)state;
    words_start("zh");
    return 0;
}

static void assert_listing(const char *draft, const char *expected)
{
    char *listing = NULL;
    assert_int_equal(draft_listing(draft, strlen(draft), &listing), 0);
    assert_string_equal(listing, expected);
    free(listing);
}

static void listing(void **state)
{
    (void)state;
    assert_listing(
        "{\"draft\":{\"t\":[{\"tt\":0,\"sg\":[{\"d\":45000,\"m\":{\"name\":\"采访片段\"}}]},"
        "{\"tt\":1,\"sg\":[{\"d\":45000,\"m\":{\"name\":\"配音旁白\"}}]}]}}",
        "时间线(2 条轨道):\n1. 视频:采访片段(0-45 秒)\n2. 音频:配音旁白(0-45 秒)\n");
    assert_listing("{\"draft\":{\"t\":[{\"tt\":7,\"sg\":[{\"d\":1500,\"m\":{\"text\":\"你好\"}},"
                   "{\"d\":500,\"m\":{\"text\":\"再见\"}}]}]}}",
                   "时间线(1 条轨道):\n1. 文字:你好(0-1.5 秒)、再见(1.5-2 秒)\n");
    assert_listing("{}", "时间线(0 条轨道)\n");
}

static void sentences(void **state)
{
    (void)state;
    char text[512];
    struct fault f = fault_make(FAULT_CREDITS, NULL);
    struct fault_context who = {
        .web_url = "https://nemovideo.com", .user_id = "anon_1", .anonymous = true};
    fault_words(&f, text, sizeof(text));
    assert_string_equal(text, "积分已用完。");
    fault_hint(&f, &who, text, sizeof(text));
    assert_string_equal(text, "注册后可以继续：https://nemovideo.com/register?bind=anon_1");
    assert_string_equal(_("Hang on, still processing..."), "请稍候，仍在处理……");
}

#define TRACK(type, segments) "{\"tt\":" type ",\"sg\":[" segments "]}"
#define STATE(tracks) "{\"draft\":{\"t\":[" tracks "]}}"
#define CLIP TRACK("0", "{\"id\":\"1\",\"name\":\"片段\",\"d\":10000}")

/* What changed, told after an edit without a word. */
static void changes(void **state)
{
    static const struct {
        const char *before, *after, *words;
    } cases[] = {
        {STATE(""), STATE(CLIP), "添加了视频轨道：片段(0-10 秒)\n"},
        {STATE(CLIP), STATE(""), "移除了视频轨道：片段(0-10 秒)\n"},
        {STATE(CLIP), STATE(CLIP "," TRACK("1", "{\"name\":\"旁白\",\"d\":45000}")),
         "添加了音频轨道：旁白(0-45 秒)\n"},
        {STATE(CLIP "," TRACK("1", "{\"name\":\"旁白\",\"d\":45000}")), STATE(CLIP),
         "移除了音频轨道：旁白(0-45 秒)\n"},
        {STATE(CLIP), STATE(CLIP "," TRACK("7", "{\"text\":\"你好\",\"d\":1500}")),
         "添加了文字轨道：你好(0-1.5 秒)\n"},
        {STATE(CLIP "," TRACK("7", "{\"text\":\"你好\",\"d\":1500}")), STATE(CLIP),
         "移除了文字轨道：你好(0-1.5 秒)\n"},
        {STATE(CLIP), STATE(CLIP "," TRACK("5", "{\"name\":\"贴纸\",\"d\":1000}")),
         "添加了轨道：贴纸(0-1 秒)\n"},
        {STATE(CLIP "," TRACK("5", "{\"name\":\"贴纸\",\"d\":1000}")), STATE(CLIP),
         "移除了轨道：贴纸(0-1 秒)\n"},
        {STATE(TRACK("0", "{\"name\":\"甲\",\"d\":1000}")),
         STATE(TRACK("0", "{\"name\":\"甲\",\"d\":1000},{\"d\":2000}")),
         "轨道 1：添加了 未命名(1-3 秒)\n"},
        {STATE(TRACK("0", "{\"name\":\"甲\",\"d\":1000},{\"name\":\"乙\",\"d\":2000}")),
         STATE(TRACK("0", "{\"name\":\"甲\",\"d\":1000}")), "轨道 1：移除了 乙(1-3 秒)\n"},
        {STATE(CLIP), STATE(TRACK("0", "{\"id\":\"1\",\"name\":\"片段\",\"d\":7500}")),
         "轨道 1：片段 长 7.5 秒，原来是 10 秒\n"},
        {STATE(TRACK("0", "{\"name\":\"甲\"}")), STATE(TRACK("0", "{\"name\":\"甲\",\"d\":1000}")),
         "轨道 1：甲 长 1 秒\n"},
        {STATE(TRACK("0", "{\"name\":\"甲\",\"d\":1000,\"start\":0}")),
         STATE(TRACK("0", "{\"name\":\"甲\",\"d\":1000,\"start\":500}")),
         "轨道 1：甲 从 0.5 秒开始，原来是 0 秒\n"},
        {STATE(CLIP), STATE(TRACK("0", "{\"id\":\"1\",\"name\":\"采访\",\"d\":10000}")),
         "轨道 1：片段 现在是 采访\n"},
        {STATE(TRACK("7", "{\"text\":\"你好\",\"d\":1500}")),
         STATE(TRACK("7", "{\"text\":\"再见\",\"d\":1500}")), "轨道 1：文字“你好”现在是“再见”\n"},
        {STATE(TRACK("1", "{\"name\":\"旁白\",\"d\":1,\"volume\":1.0}")),
         STATE(TRACK("1", "{\"name\":\"旁白\",\"d\":1,\"volume\":0.5}")),
         "轨道 1：“旁白”的音量 100% -> 50%\n"},
        {STATE(TRACK("1", "{\"name\":\"旁白\",\"d\":1}")),
         STATE(TRACK("1", "{\"name\":\"旁白\",\"d\":1,\"volume\":0.5}")),
         "轨道 1：调整了“旁白”的音量\n"},
        {STATE("{\"tt\":1,\"volume\":1,\"sg\":[{\"name\":\"旁白\"}]}"),
         STATE("{\"tt\":1,\"volume\":0.2,\"sg\":[{\"name\":\"旁白\"}]}"),
         "轨道 1：音量 100% -> 20%\n"},
        {STATE("{\"tt\":1,\"sg\":[{\"name\":\"旁白\"}]}"),
         STATE("{\"tt\":1,\"volume\":0.2,\"sg\":[{\"name\":\"旁白\"}]}"), "轨道 1：调整了音量\n"},
        {STATE(TRACK("0", "{\"name\":\"甲\",\"fx\":1}")),
         STATE(TRACK("0", "{\"name\":\"甲\",\"fx\":2}")), "草稿已改动。\n"},
        {STATE(CLIP), STATE(CLIP), ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *words = NULL;
        bool changed = false;
        assert_int_equal(draft_changes(cases[i].before, strlen(cases[i].before), cases[i].after,
                                       strlen(cases[i].after), &changed, &words),
                         0);
        if (strcmp(words, cases[i].words) != 0)
            fail_msg("case %zu: %snot %s", i, words, cases[i].words);
        assert_true(changed == (*cases[i].words != '\0'));
        free(words);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(listing),
        cmocka_unit_test(sentences),
        cmocka_unit_test(changes),
    };
    return cmocka_run_group_tests(tests, speak_chinese, NULL);
}
