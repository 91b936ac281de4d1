#include "route.h"

#include <stdint.h>
#include <string.h>

#include "token.h"
#include "utf8.h"

/* A free command is short: what has more words than this, or longer ones, is none. Bounds the work.
 */
#define ROUTE_WORDS_MAX 256
#define ROUTE_WORD_BYTES_MAX 64

enum row {
    EXPORT = 1,
    CREDITS = 2,
    STATUS = 4,
    UPLOAD = 8,
    ALL = EXPORT | CREDITS | STATUS | UPLOAD,
};

/* What a word does for a message of its rows. A message belongs to a row when it consists of words
 * of that row and has a KEY, or a VERB and its OBJECT. */
enum role {
    FILLER = 0,
    KEY = 1,
    VERB = 2,
    OBJECT = 4,
};

static const struct row_route {
    enum row row;
    enum route route;
} rows[] = {
    {EXPORT, ROUTE_EXPORT},
    {CREDITS, ROUTE_CREDITS},
    {STATUS, ROUTE_STATUS},
    {UPLOAD, ROUTE_UPLOAD},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* The rows' words and the filler. A URL is an object of UPLOAD besides. */
#define LIST(...)                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
static const struct words {
    unsigned rows;
    enum role role;
    const char *const *phrases;
} table[] = {
    /* The rows, in English. */
    {EXPORT, KEY, LIST("export", "download")},
    {EXPORT, VERB, LIST("get", "send")},
    {EXPORT, OBJECT, LIST("video", "movie", "mp4")},
    {CREDITS, KEY, LIST("credits", "credit", "balance", "remaining")},
    {STATUS, KEY, LIST("status", "export status")},
    {STATUS, VERB, LIST("show", "show me", "list", "what", "which")},
    {STATUS, OBJECT, LIST("tracks")},
    {UPLOAD, VERB, LIST("upload")},
    /* The rows, in Chinese. */
    {EXPORT, KEY, LIST("导出", "导出来", "下载")},
    {EXPORT, VERB, LIST("获取", "发给", "发送给", "发送", "传给")},
    {EXPORT, OBJECT, LIST("视频", "影片", "成片")},
    {CREDITS, KEY, LIST("积分", "余额")},
    {STATUS, KEY, LIST("状态", "导出状态")},
    {STATUS, VERB, LIST("查看", "显示", "列出", "看", "看看", "哪些", "几条")},
    {STATUS, OBJECT, LIST("轨道")},
    {UPLOAD, VERB, LIST("上传")},
    /* Filler everywhere, in English. */
    {ALL, FILLER,
     LIST("please", "pls", "kindly", "thanks", "thank you", "ok", "okay", "yes", "hi", "hello",
          "hey", "the", "this", "that", "my", "our", "it", "me", "us", "to me", "for me", "now",
          "right now", "right away", "again", "once more", "just", "then", "and", "so", "can you",
          "could you", "would you", "will you", "can i", "can we", "may i", "let me", "let's",
          "i want to", "i'd like to", "i would like to", "go ahead and", "video", "videos", "movie",
          "mp4", "as mp4", "as an mp4", "as a mp4", "to mp4", "in mp4", "format", "file", "current",
          "all")},
    /* Filler everywhere, in Chinese. */
    {ALL, FILLER,
     LIST("请", "麻烦", "帮", "帮忙", "谢谢", "多谢", "你好", "好的", "好", "我", "我们", "你",
          "您", "给", "想", "要", "想要", "可以", "能", "能不能", "可不可以", "一下", "下", "吧",
          "吗", "呢", "啊", "了", "的", "把", "将", "这", "这个", "该", "现在", "目前", "当前",
          "马上", "立即", "立刻", "再", "再次", "重新", "就", "先", "直接", "并", "并且", "视频",
          "影片", "文件", "为", "成", "格式", "所有", "全部")},
    /* An export makes an MP4 of 1080 lines, so asking for that changes nothing. */
    {EXPORT, FILLER,
     LIST("final", "finished", "edited", "whole", "full", "result", "output", "project", "over",
          "hd", "in hd", "1080p", "in 1080p", "at 1080p", "in high quality", "as a video",
          "as a file", "to a file", "高清", "最终", "完成", "完整", "做好", "剪好", "整个", "成片",
          "成品", "结果", "项目")},
    /* Questions. */
    {CREDITS | STATUS, FILLER,
     LIST("how", "how's", "how many", "what", "what's", "is", "are", "are there", "do i have",
          "do we have", "i have", "show", "check", "tell", "see", "view", "get", "give", "display",
          "report", "查", "查看", "查询", "看", "看看", "显示", "告诉", "是", "有")},
    {CREDITS, FILLER,
     LIST("how much", "have i", "have i got", "left", "still", "any", "available", "total",
          "account", "in my account", "on my account", "of my account", "number of", "amount of",
          "还", "剩", "剩下", "剩余", "多少", "几", "个", "点", "可用", "总", "一共", "账户",
          "账号", "里", "里面")},
    {STATUS, FILLER,
     LIST("update", "session", "project", "of the video", "of my video", "of the session",
          "of my session", "of this session", "of the project", "of my project", "of the export",
          "of my export", "什么", "怎么样", "怎样", "如何", "会话", "项目")},
    {STATUS, VERB, LIST("how many")},
    /* What is uploaded. */
    {UPLOAD, FILLER,
     LIST("files", "clip", "clips", "image", "images", "photo", "photos", "picture", "pictures",
          "audio", "music", "song", "voiceover", "footage", "link", "links", "url", "urls", "these",
          "those", "both", "following", "here", "here's", "here is", "here are", "from", "at",
          "also", "to the session", "to my session", "to the project", "to my project", "素材",
          "片段", "音频", "音乐", "歌曲", "配音", "图片", "照片", "链接", "网址", "地址", "以下",
          "下面", "这些", "这两个", "这几个", "两个", "和", "与", "以及", "还有", "从", "到",
          "会话", "项目", "中", "里")},
};
#define WORDS (sizeof(table) / sizeof(table[0]))

/* The words of a message, what stands between them left out. */
struct message {
    const char *text;
    size_t len;
    bool open_end; /* more may follow: the last word may be a beginning */
    size_t count;
    struct token token[ROUTE_WORDS_MAX];
    size_t urls;
};

/* A set of sets of roles: bit r is there when the words so far can have had exactly the roles r. */
typedef uint8_t role_sets;

static role_sets with_role(role_sets sets, enum role role)
{
    role_sets out = 0;
    for (unsigned roles = 0; roles < 8; roles++) {
        if (sets & 1u << roles)
            out |= (role_sets)(1u << (roles | role));
    }
    return out;
}

static bool is_complete(role_sets sets)
{
    for (unsigned roles = 0; roles < 8; roles++) {
        if (sets & 1u << roles && (roles & KEY || (roles & VERB && roles & OBJECT)))
            return true;
    }
    return false;
}

/* Does the text end within "http://" or "https://", or before the host? */
static bool begins_url(const struct message *m, size_t at)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(schemes[i]), left = m->len - at, same = 0;
        while (same < n && same < left &&
               token_fold((unsigned char)m->text[at + same]) == (unsigned char)schemes[i][same])
            same++;
        if (same == left)
            return true;
    }
    return false;
}

static size_t word_index(const struct message *m, size_t from, size_t at)
{
    while (from < m->count && m->token[from].start < at)
        from++;
    return from;
}

static uint32_t first_character(const char *phrase)
{
    uint32_t c;
    utf8_decode(phrase, strlen(phrase), &c);
    return c;
}

static void read_words(const struct message *m, size_t i, const struct words *w, role_sets *sets,
                       bool *begins)
{
    const struct token *t = &m->token[i];
    for (const char *const *phrase = w->phrases; *phrase; phrase++) {
        size_t end;
        if (first_character(*phrase) != t->character)
            continue;
        switch (token_match(m->text, m->len, t->start, *phrase, m->open_end, &end)) {
        case TOKEN_MATCHES:
            sets[word_index(m, i + 1, end)] |= with_role(sets[i], w->role);
            break;
        case TOKEN_BEGINS:
            *begins = true;
            break;
        case TOKEN_DIFFERS:
            break;
        }
    }
}

/* Every way to read the message as words of the row: sets[i] is what the words before the i-th can
 * have been. *begins: the text ends inside a word of the row. */
static role_sets read_row(const struct message *m, enum row row, bool *begins)
{
    role_sets sets[ROUTE_WORDS_MAX + 1] = {1};
    *begins = false;
    for (size_t i = 0; i < m->count; i++) {
        if (!sets[i])
            continue;
        const struct token *t = &m->token[i];
        if (t->kind == TOKEN_URL && row == UPLOAD)
            sets[i + 1] |= with_role(sets[i], OBJECT);
        if (m->open_end && row == UPLOAD && begins_url(m, t->start))
            *begins = true;
        if (t->kind == TOKEN_URL)
            continue;
        for (size_t w = 0; w < WORDS; w++) {
            if (table[w].rows & row)
                read_words(m, i, &table[w], sets, begins);
        }
    }
    return sets[m->count];
}

/* Splits a text into words. False: it cannot be a free command. */
static bool read_message(struct message *m)
{
    size_t url_end = 0;
    for (size_t at = 0; at < m->len;) {
        struct token t = token_at(m->text, m->len, at);
        at += t.len;
        if (t.kind == TOKEN_BAD)
            return false;
        if (t.kind == TOKEN_SPACE || t.kind == TOKEN_MARK)
            continue;
        if (m->count == ROUTE_WORDS_MAX || (t.kind == TOKEN_WORD && t.len > ROUTE_WORD_BYTES_MAX))
            return false;
        /* Chinese right after a URL may be part of the address: who wrote it must say. */
        if (t.kind == TOKEN_HAN && url_end && t.start == url_end)
            return false;
        if (t.kind == TOKEN_URL) {
            url_end = at;
            if (++m->urls > ROUTE_URLS_MAX)
                return false;
        }
        m->token[m->count++] = t;
    }
    return true;
}

static bool is_blank(const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        struct token t = token_at(text, len, at);
        if (t.kind != TOKEN_SPACE)
            return false;
        at += t.len;
    }
    return true;
}

static void give_urls(const struct message *m, struct route_urls *urls)
{
    urls->count = 0;
    for (size_t i = 0; i < m->count; i++) {
        if (m->token[i].kind == TOKEN_URL) {
            urls->url[urls->count].start = m->text + m->token[i].start;
            urls->url[urls->count].len = m->token[i].len;
            urls->count++;
        }
    }
}

enum route route_of(const char *text, size_t len, struct route_urls *urls)
{
    if (urls)
        urls->count = 0;
    if (is_blank(text, len))
        return ROUTE_BLANK;

    struct message m = {.text = text, .len = len};
    if (!read_message(&m))
        return ROUTE_EDIT;
    for (size_t i = 0; i < ROWS; i++) {
        bool begins;
        if (!is_complete(read_row(&m, rows[i].row, &begins)))
            continue;
        if (rows[i].route == ROUTE_UPLOAD && urls)
            give_urls(&m, urls);
        return rows[i].route;
    }
    return ROUTE_EDIT;
}

/* The text without what its end may still turn into another character or a longer word. */
static size_t settled_length(const char *text, size_t len)
{
    for (size_t back = 1; back <= 3 && back <= len; back++) {
        unsigned char lead = (unsigned char)text[len - back];
        if (lead >= 0xc2 && lead <= 0xf4) {
            uint32_t c;
            size_t size = utf8_decode(text + len - back, back, &c);
            if (c == UTF8_BAD && size == back)
                return len - back;
            if (token_fold(c) == '\'')
                return len - back;
            return len;
        }
    }
    return len && (text[len - 1] == '\'' || text[len - 1] == '-') ? len - 1 : len;
}

bool route_may_become_free(const char *text, size_t len)
{
    struct message m = {.text = text, .len = settled_length(text, len), .open_end = true};
    if (!read_message(&m))
        return false;
    for (size_t i = 0; i < ROWS; i++) {
        bool begins;
        if (read_row(&m, rows[i].row, &begins) || begins)
            return true;
    }
    return false;
}
