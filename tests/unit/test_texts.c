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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(listing),
        cmocka_unit_test(sentences),
    };
    return cmocka_run_group_tests(tests, speak_chinese, NULL);
}
