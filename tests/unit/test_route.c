#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "route.h"

/* Free commands, each with the row that it belongs to; E, C, S, U as below. */
struct sentence {
    enum route route;
    const char *text;
};

#define E ROUTE_EXPORT
#define C ROUTE_CREDITS
#define S ROUTE_STATUS
#define U ROUTE_UPLOAD

static const struct sentence free_en[] = {
    {E, "export"},
    {E, "Export"},
    {E, "EXPORT"},
    {E, "export."},
    {E, "export!"},
    {E, "\"export\""},
    {E, "`export`"},
    {E, "  export  "},
    {E, "export\n"},
    {E, "export\r\n"},
    {E, "export the video"},
    {E, "Please export the video."},
    {E, "please, export my video now"},
    {E, "export as mp4"},
    {E, "Export the video as MP4, please."},
    {E, "export it"},
    {E, "Export it now!"},
    {E, "Can you export the video?"},
    {E, "Could you please export this video for me"},
    {E, "I'd like to export the video"},
    {E, "I\u2019d like to export it"},
    {E, "i want to export my video now"},
    {E, "Go ahead and export it."},
    {E, "OK, export"},
    {E, "Okay \u2014 export the final video"},
    {E, "export again"},
    {E, "export once more, please"},
    {E, "export in 1080p"},
    {E, "export the finished video in HD"},
    {E, "Export, thanks"},
    {E, "export and download"},
    {E, "Export and send me the video"},
    {E, "download"},
    {E, "Download the video"},
    {E, "download my video, please"},
    {E, "download it as an MP4 file"},
    {E, "Download the result"},
    {E, "let me download it"},
    {E, "can i download the video now?"},
    {E, "get video"},
    {E, "Get the video"},
    {E, "get my video now"},
    {E, "get me the mp4"},
    {E, "send me the video"},
    {E, "Send me my video, please!"},
    {E, "please send the final video to me"},
    {E, "Send the MP4 over"},
    {E, "then export"},
    {E, "\uff25\uff38\uff30\uff2f\uff32\uff34"},
    {E, "export \U0001F64F"},
    {C, "credits"},
    {C, "Credits?"},
    {C, "my credits"},
    {C, "credits please"},
    {C, "show my credits"},
    {C, "Show me the credits"},
    {C, "how many credits are remaining?"},
    {C, "How many credits do I have left?"},
    {C, "how many credits have i got"},
    {C, "How much credit is left?"},
    {C, "what's my credit balance"},
    {C, "What is my balance?"},
    {C, "what is the balance of my account"},
    {C, "balance"},
    {C, "Balance."},
    {C, "my balance, please"},
    {C, "check balance"},
    {C, "check my balance now"},
    {C, "remaining"},
    {C, "remaining credits"},
    {C, "How many are remaining?"},
    {C, "Tell me the remaining credits"},
    {C, "please show me my remaining credits"},
    {C, "any credits left?"},
    {C, "Are there any credits left in my account?"},
    {C, "Can you check how many credits I have?"},
    {C, "current balance"},
    {C, "available credits"},
    {C, "total credits"},
    {C, "account balance"},
    {S, "status"},
    {S, "Status?"},
    {S, "STATUS"},
    {S, "status, please"},
    {S, "show status"},
    {S, "show me the status"},
    {S, "What's the status?"},
    {S, "what is the status of my video"},
    {S, "What is the status of the project now?"},
    {S, "current status"},
    {S, "export status"},
    {S, "status of the export"},
    {S, "check the status"},
    {S, "show me the tracks"},
    {S, "Show me the tracks, please."},
    {S, "show tracks"},
    {S, "Show tracks."},
    {S, "Show all the tracks"},
    {S, "please show my tracks now"},
    {S, "can you show me the tracks?"},
    {S, "list the tracks"},
    {S, "What tracks do I have?"},
    {S, "which tracks are there"},
    {S, "how many tracks are there?"},
    {S, "session status"},
    {U, "upload https://example.com/a.mp4"},
    {U, "Upload HTTP://example.com/a.mp4"},
    {U, "upload https://example.com/a.mp4 https://example.com/b.mp3"},
    {U, "upload https://example.com/a.mp4, https://example.com/b.mp3."},
    {U, "upload https://example.com/a.mp4,https://example.com/b.mp3"},
    {U, "Please upload this video: https://example.com/a.mp4"},
    {U, "upload the clip from https://example.com/a.mp4?x=1&y=2#t please"},
    {U, "https://example.com/a.mp4 upload this"},
    {U, "upload <https://example.com/a.mp4>"},
    {U, "upload\nhttps://example.com/a.mp4\nhttps://example.com/b.mp4\n"},
    {U, "can you upload these files to my project: https://example.com/a.mp4 and https://e.com/b"},
    {U, "upload http://localhost:8080/a.wav"},
    {U, "upload https://[2001:db8::1]/a.wav"},
};

static const struct sentence free_zh[] = {
    {E, "导出"},
    {E, "导出。"},
    {E, "导出！"},
    {E, "“导出”"},
    {E, "请导出"},
    {E, "请导出视频"},
    {E, "请导出视频。"},
    {E, "导出视频"},
    {E, "导出我的视频"},
    {E, "导出这个视频吧"},
    {E, "导出一下"},
    {E, "请帮我导出一下视频，谢谢！"},
    {E, "帮我导出视频"},
    {E, "帮忙导出一下"},
    {E, "麻烦导出视频"},
    {E, "把视频导出"},
    {E, "请把视频导出来"},
    {E, "把视频导出一下"},
    {E, "将视频导出为MP4"},
    {E, "导出成 mp4"},
    {E, "导出为ＭＰ４格式"},
    {E, "导出 MP4 文件"},
    {E, "现在导出"},
    {E, "现在就导出视频"},
    {E, "马上导出"},
    {E, "立即导出视频"},
    {E, "直接导出吧"},
    {E, "好的，导出"},
    {E, "可以导出了"},
    {E, "可以导出视频吗？"},
    {E, "能不能导出视频"},
    {E, "我想导出视频"},
    {E, "我要导出"},
    {E, "我想要导出这个视频"},
    {E, "再导出一下"},
    {E, "重新导出视频"},
    {E, "再次导出"},
    {E, "导出最终视频"},
    {E, "导出成片"},
    {E, "导出完整视频"},
    {E, "导出高清视频"},
    {E, "导出 1080p 视频"},
    {E, "请导出项目"},
    {E, "下载"},
    {E, "下载视频"},
    {E, "请下载视频"},
    {E, "我要下载视频"},
    {E, "导出并下载"},
    {E, "获取视频"},
    {E, "把视频发给我"},
    {E, "请把成片发给我"},
    {E, "发送视频给我"},
    {E, "你好，请导出视频"},
    {E, "请 export 一下"},
    {C, "积分"},
    {C, "积分？"},
    {C, "我的积分"},
    {C, "查看积分"},
    {C, "请查看我的积分"},
    {C, "查一下积分"},
    {C, "我还有多少积分"},
    {C, "我还有多少积分？"},
    {C, "还剩多少积分"},
    {C, "还剩下多少积分呢？"},
    {C, "剩余积分"},
    {C, "剩余的积分是多少"},
    {C, "目前可用积分"},
    {C, "积分余额"},
    {C, "积分还有多少"},
    {C, "显示积分"},
    {C, "请显示我的剩余积分，谢谢"},
    {C, "看看积分"},
    {C, "帮我看看还有多少积分"},
    {C, "告诉我积分余额"},
    {C, "余额"},
    {C, "余额。"},
    {C, "我的余额"},
    {C, "查询余额"},
    {C, "帮我查一下余额"},
    {C, "请帮我查询一下账户余额"},
    {C, "余额是多少？"},
    {C, "余额还有多少"},
    {C, "账户里还有多少余额"},
    {C, "账号余额"},
    {C, "当前余额"},
    {C, "现在的余额"},
    {C, "一共有多少积分"},
    {C, "总积分"},
    {S, "状态"},
    {S, "状态？"},
    {S, "查看状态"},
    {S, "请查看状态"},
    {S, "查看一下状态"},
    {S, "当前状态"},
    {S, "目前的状态"},
    {S, "现在是什么状态？"},
    {S, "现在状态如何"},
    {S, "状态怎么样"},
    {S, "状态怎么样了？"},
    {S, "显示状态"},
    {S, "视频状态"},
    {S, "视频的状态"},
    {S, "项目状态"},
    {S, "会话状态"},
    {S, "导出状态"},
    {S, "告诉我当前状态"},
    {S, "帮我看一下状态"},
    {S, "看看状态"},
    {S, "查询状态"},
    {S, "显示轨道"},
    {S, "请显示所有轨道"},
    {S, "给我看看轨道"},
    {S, "列出轨道"},
    {S, "查看轨道"},
    {S, "有哪些轨道"},
    {S, "现在有几条轨道？"},
    {U, "上传 https://example.com/a.mp4"},
    {U, "上传https://example.com/a.mp4"},
    {U, "请上传 https://example.com/a.mp4，谢谢"},
    {U, "请帮我上传这个视频：https://example.com/a.mp4"},
    {U, "上传这两个素材：https://example.com/a.mp4、https://example.com/b.mp3。"},
    {U, "上传以下链接 https://example.com/a.mp4 和 https://example.com/b.mp3"},
    {U, "把 https://example.com/a.mp4 上传一下"},
    {U, "https://example.com/a.mp4 上传到项目里"},
};

static const char *const edits_en[] = {
    "sync the audio, then export",
    "Sync the lips to the voiceover",
    "sync",
    "dub the video",
    "match the lip movement to audio.wav",
    "adjust the timing",
    "download a beach clip from the library and use it",
    "make the balance of voice and music warmer",
    "balance the voice and the music",
    "balance the colours",
    "white balance",
    "fix the white balance of the clip",
    "balance the audio levels",
    "add credits to the video",
    "add end credits",
    "roll the credits at the end",
    "opening credits in yellow",
    "show the credits at the end of the video",
    "show credits on the last frame",
    "remove the credits",
    "make the credits scroll faster",
    "credits roll over black",
    "add a title and credits",
    "trim the remaining seconds",
    "use the remaining footage",
    "mute the remaining audio",
    "remaining time",
    "show the remaining time as a counter",
    "delete the remaining tracks",
    "add a status bar",
    "show a status bar at the top",
    "put the status text in the corner",
    "status: on air, as a caption",
    "add a social media status overlay",
    "show tracks of a train in the snow",
    "show me the tracks in the snow",
    "add train tracks",
    "mute the tracks",
    "delete all tracks",
    "merge the tracks",
    "show the audio tracks louder",
    "add two tracks",
    "tracks",
    "don't export",
    "Do not export yet",
    "don\u2019t download the video",
    "never export",
    "stop the export",
    "cancel the export",
    "undo the export",
    "export without subtitles",
    "export with subtitles",
    "export only the audio",
    "export the audio",
    "export the first ten seconds",
    "export as mov",
    "export as gif",
    "export in 4k",
    "export at 60 fps",
    "export vertical for TikTok",
    "export two versions",
    "export the subtitles as srt",
    "add an export stamp to the corner",
    "before you export, remove the intro",
    "export after removing the intro",
    "Export, but mute the music first.",
    "when can I export?",
    "why did the export fail?",
    "explain export",
    "exports",
    "exporter",
    "reexport-x",
    "download music",
    "download some background music",
    "download the song and put it under the clip",
    "download a font",
    "download link on the last frame",
    "get a video of a beach",
    "get a new voice",
    "get rid of the silence",
    "get",
    "send",
    "send me an email",
    "send the man behind the woman",
    "video",
    "the video",
    "my video now, please",
    "please",
    "thanks",
    "make the video shorter",
    "speed up the video",
    "what can you do?",
    "hello",
    "upload",
    "upload the video",
    "upload my file please",
    "upload https://",
    "upload ftp://example.com/a.mp4",
    "upload file:///home/me/a.mp4",
    "upload example.com/a.mp4",
    "upload a.mp4",
    "upload https://example.com/a.mp4 and use it as the intro",
    "upload https://example.com/a.mp4 then sync it",
    "use https://example.com/a.mp4",
    "https://example.com/a.mp4",
    "export https://example.com/a.mp4",
    "download https://example.com/a.mp4",
    "don't upload https://example.com/a.mp4",
    "add the text \"upload\" over https://example.com/a.mp4",
    "export credits",
    "status and credits",
    "export the status",
    "credits, then export",
    "...",
    "?",
    "42",
    "export 42",
    "\u044d\u043a\u0441\u043f\u043e\u0440\u0442",
    "export \u0432\u0438\u0434\u0435\u043e",
    "export \x01",
    "export \xff",
    "status\xc3",
};

static const char *const edits_zh[] = {
    "同步音频，然后导出",
    "同步口型",
    "把口型对上配音",
    "给视频配音",
    "换成女声",
    "调整配音的时间",
    "下载一段海滩素材并使用",
    "从素材库下载一段音乐",
    "下载音乐",
    "下载背景音乐放在视频下面",
    "下载字幕",
    "不要导出",
    "先不要导出",
    "别导出",
    "暂停导出",
    "取消导出",
    "停止导出视频",
    "导出前去掉片头",
    "去掉片头再导出",
    "导出时不要字幕",
    "导出带字幕的视频",
    "导出音频",
    "只导出音频",
    "导出字幕文件",
    "导出前十秒",
    "导出竖屏视频",
    "导出两个版本",
    "导出为 mov",
    "导出 gif",
    "导出4K视频",
    "导出60帧",
    "导出失败了怎么办",
    "为什么导出失败",
    "什么时候导出",
    "加上“导出完成”的字幕",
    "导出后发到抖音",
    "加一个积分榜",
    "显示球队积分",
    "在画面上显示积分榜",
    "积分赛的片段放在前面",
    "字幕写上“积分翻倍”",
    "把积分两个字放大",
    "积分怎么获得",
    "充值积分",
    "购买积分",
    "送积分活动的海报",
    "在片尾加上余额截图",
    "余额宝的广告片",
    "把余额数字打码",
    "余额不足怎么办",
    "给余额加特效",
    "调整人声和音乐的平衡",
    "白平衡",
    "把人物的状态调得更自然",
    "让他的状态更放松",
    "状态栏遮住",
    "去掉手机状态栏",
    "在角落显示“直播状态”",
    "把状态改成已完成",
    "人物状态不好的片段删掉",
    "精神状态",
    "显示轨道名称",
    "显示火车轨道",
    "删除轨道",
    "静音所有轨道",
    "合并轨道",
    "加一条轨道",
    "轨道",
    "查看音频轨道的波形",
    "给我一段视频",
    "获取一段海边的视频",
    "获取更多素材",
    "把视频发给客户",
    "发给朋友",
    "发送邮件",
    "视频",
    "我的视频",
    "请",
    "谢谢",
    "你好",
    "好的",
    "把视频变短",
    "视频加速",
    "裁剪视频",
    "给视频加字幕",
    "把视频调亮",
    "上传",
    "上传视频",
    "请上传文件",
    "上传 example.com/a.mp4",
    "上传 ftp://example.com/a.mp4",
    "上传 https://",
    "上传 https://example.com/a.mp4 并作为片头",
    "上传https://example.com/a.mp4然后同步",
    "上传 https://example.com/视频.mp4",
    "不要上传 https://example.com/a.mp4",
    "使用 https://example.com/a.mp4",
    "https://example.com/a.mp4",
    "导出 https://example.com/a.mp4",
    "下载 https://example.com/a.mp4",
    "导出积分",
    "积分和状态",
    "先看状态再导出",
    "导出视频并去掉水印",
    "导出视频的封面",
    "导出并分享到微博",
    "。。。",
    "？",
    "一",
    "导出二",
    "显示",
    "查看",
    "查看视频",
    "多少",
    "还剩多少",
    "现在怎么样",
    "怎么样",
    "匯出影片",
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Every beginning of a free command may become one, cut inside a character too. */
static void assert_free(const struct sentence *s)
{
    size_t len = strlen(s->text);
    struct route_urls urls;
    enum route got = route_of(s->text, len, &urls);
    if (got != s->route)
        fail_msg("\"%s\" is %d, not %d", s->text, (int)got, (int)s->route);
    assert_int_equal(urls.count > 0, s->route == ROUTE_UPLOAD);
    for (size_t cut = 0; cut <= len; cut++) {
        if (!route_may_become_free(s->text, cut))
            fail_msg("\"%.*s\" could become \"%s\"", (int)cut, s->text, s->text);
    }
}

static void free_commands(void **state)
{
    (void)state;
    assert_true(COUNT(free_en) >= 100);
    assert_true(COUNT(free_zh) >= 100);
    for (size_t i = 0; i < COUNT(free_en); i++)
        assert_free(&free_en[i]);
    for (size_t i = 0; i < COUNT(free_zh); i++)
        assert_free(&free_zh[i]);
}

static void assert_edit(const char *text)
{
    struct route_urls urls = {.count = 7};
    enum route got = route_of(text, strlen(text), &urls);
    if (got != ROUTE_EDIT)
        fail_msg("\"%s\" is %d, not an edit", text, (int)got);
    assert_int_equal(urls.count, 0);
}

static void edits(void **state)
{
    (void)state;
    assert_true(COUNT(edits_en) >= 100);
    assert_true(COUNT(edits_zh) >= 100);
    for (size_t i = 0; i < COUNT(edits_en); i++)
        assert_edit(edits_en[i]);
    for (size_t i = 0; i < COUNT(edits_zh); i++)
        assert_edit(edits_zh[i]);
}

static void blank(void **state)
{
    (void)state;
    static const char *const texts[] = {"",      " ",      "\n",           "\r\n",
                                        "\t \n", "\u3000", "\u00a0\u200b", "\ufeff"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_int_equal(route_of(texts[i], strlen(texts[i]), NULL), ROUTE_BLANK);
        assert_true(route_may_become_free(texts[i], strlen(texts[i])));
    }
    assert_int_equal(route_of(NULL, 0, NULL), ROUTE_BLANK);
}

static void beginnings(void **state)
{
    (void)state;
    static const char *const open[] = {
        "exp",    "please ", "upload htt", "upload https:", "upload https://",  "e",  "E",
        "how ma", "请",      "\xe5\xaf",   "上传",          "upload https://a", "i'", "thank",
        "ｅｘ",   "as m",
    };
    static const char *const shut[] = {
        "sync ",  "sync",        "exq",  "expo ",          "export the au",  "add",
        "把口",   "please sy",   "htt ", "upload htx",     "upload https:x", "同",
        "sy\xe5", "download a ", "不",   "export credits",
    };
    for (size_t i = 0; i < COUNT(open); i++) {
        if (!route_may_become_free(open[i], strlen(open[i])))
            fail_msg("\"%s\" may become free", open[i]);
    }
    for (size_t i = 0; i < COUNT(shut); i++) {
        if (route_may_become_free(shut[i], strlen(shut[i])))
            fail_msg("\"%s\" cannot become free", shut[i]);
    }
}

static void assert_urls(const char *text, size_t count, const char *const *wanted)
{
    struct route_urls urls;
    assert_int_equal(route_of(text, strlen(text), &urls), ROUTE_UPLOAD);
    assert_int_equal(urls.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(urls.url[i].start >= text && urls.url[i].start < text + strlen(text));
        assert_int_equal(urls.url[i].len, strlen(wanted[i]));
        assert_memory_equal(urls.url[i].start, wanted[i], urls.url[i].len);
    }
}

static void urls_are_exact(void **state)
{
    (void)state;
    static const char *const plain[] = {"https://e.com/a.mp4", "http://e.com/b_(1).mp3"};
    assert_urls("upload https://e.com/a.mp4 http://e.com/b_(1).mp3", 2, plain);
    assert_urls("upload https://e.com/a.mp4, http://e.com/b_(1).mp3.", 2, plain);
    assert_urls("upload (https://e.com/a.mp4), <http://e.com/b_(1).mp3>!", 2, plain);
    assert_urls("上传https://e.com/a.mp4、http://e.com/b_(1).mp3。", 2, plain);
    assert_urls("上传「https://e.com/a.mp4」，“http://e.com/b_(1).mp3”", 2, plain);

    static const char *const rich[] = {"HTTPS://u@e.com:8/p/https://x.org/?a=1,2&b=%E4%BD%A0;c#f"};
    assert_urls("upload HTTPS://u@e.com:8/p/https://x.org/?a=1,2&b=%E4%BD%A0;c#f please", 1, rich);
}

static void many_urls(void **state)
{
    (void)state;
    char text[4096];
    for (size_t count = ROUTE_URLS_MAX; count <= ROUTE_URLS_MAX + 1; count++) {
        size_t len = (size_t)snprintf(text, sizeof(text), "upload");
        for (size_t i = 0; i < count; i++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, " https://e.com/%zu.mp4", i);
        struct route_urls urls;
        bool fits = count <= ROUTE_URLS_MAX;
        assert_int_equal(route_of(text, len, &urls), fits ? ROUTE_UPLOAD : ROUTE_EDIT);
        assert_int_equal(urls.count, fits ? count : 0);
        assert_int_equal(route_may_become_free(text, len), fits);
    }
}

/* Filler and punctuation without end: an answer in a moment, and never a free command by accident.
 */
static void long_texts(void **state)
{
    (void)state;
    static const char *const pieces[] = {"please ",        "x", "请",   ".",
                                         "https://e.com/", "s", "\xff", "thank "};
    size_t size = 64 * 1024;
    char *text = malloc(size);
    assert_non_null(text);
    for (size_t i = 0; i < COUNT(pieces); i++) {
        size_t step = strlen(pieces[i]);
        for (size_t at = 0; at < size; at++)
            text[at] = pieces[i][at % step];
        assert_int_equal(route_of(text, size, NULL), ROUTE_EDIT);
        route_may_become_free(text, size);
    }
    memset(text, ' ', size);
    memcpy(text + size - 6, "export", 6);
    assert_int_equal(route_of(text, size, NULL), ROUTE_EXPORT);
    free(text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(free_commands),  cmocka_unit_test(edits),
        cmocka_unit_test(blank),          cmocka_unit_test(beginnings),
        cmocka_unit_test(urls_are_exact), cmocka_unit_test(many_urls),
        cmocka_unit_test(long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
