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

/* Every row of the error table: what happened, and what to do about it. */
static void faults(void **state)
{
    static const char register_url[] = "https://nemovideo.com/register?bind=anon_1";
    static const struct {
        enum fault_kind kind;
        bool anonymous;
        const char *words, *hint;
    } cases[] = {
        {FAULT_TOKEN, true, "后端不接受访问令牌。", "换用新的匿名令牌也没有用。请在此注册：%s"},
        {FAULT_TOKEN, false, "后端不接受访问令牌。", "请把有效的令牌放入 NEMO_TOKEN 并重新挂载。"},
        {FAULT_SESSION, true, "后端已经不认识这个会话了。",
         "请再次写入 instruct：会新建会话并重新上传素材。"},
        {FAULT_CREDITS, true, "积分已用完。", "注册后可以继续：%s"},
        {FAULT_CREDITS, false, "积分已用完。", "请在 nemovideo.com 充值"},
        {FAULT_TYPE, true, "后端无法处理这种类型的文件。",
         "支持：mp4 mov avi webm mkv，jpg jpeg png gif webp，mp3 wav m4a aac。"},
        {FAULT_TOO_LARGE, true, "文件太大。", "请剪短或压缩后再复制进来。"},
        {FAULT_PLAN, true, "免费套餐不允许这样做，与积分无关。", "注册或升级后可以继续：%s"},
        {FAULT_PLAN, false, "免费套餐不允许这样做，与积分无关。",
         "升级后可以继续：https://nemovideo.com"},
        {FAULT_RATE, true, "后端暂时不再接受请求。", "请稍等片刻再试。"},
        {FAULT_SERVER, true, "后端出错了。", "请稍后再试。"},
        {FAULT_UNREACHABLE, true, "无法连接到后端。", "请检查网络和选项 api（NEMO_API_URL）。"},
    };
    struct fault_context who = {.web_url = "https://nemovideo.com", .user_id = "anon_1"};
    char text[512], expected[512];
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fault f = fault_make(cases[i].kind, NULL);
        const char *place = strstr(cases[i].hint, "%s");
        int before = place ? (int)(place - cases[i].hint) : (int)strlen(cases[i].hint);
        snprintf(expected, sizeof(expected), "%.*s%s", before, cases[i].hint,
                 place ? register_url : "");
        fault_words(&f, text, sizeof(text));
        assert_string_equal(text, cases[i].words);
        who.anonymous = cases[i].anonymous;
        fault_hint(&f, &who, text, sizeof(text));
        assert_string_equal(text, expected);
    }
}

static void notices(void **state)
{
    (void)state;
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
        cmocka_unit_test(faults),
        cmocka_unit_test(notices),
        cmocka_unit_test(changes),
    };
    return cmocka_run_group_tests(tests, speak_chinese, NULL);
}
