/*
 * The message call: what the agent makes of the user's words, told as an event stream.
 *
 * A message that is no edit costs nothing and changes nothing. An edit goes on on a crew thread,
 * whatever becomes of the connection; edits of one session follow one another.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "calls.h"
#include "edit.h"
#include "session.h"
#include "words.h"

#define ANSWER_MAX 65536

struct turn {
    struct backend *b;
    struct stream *stream; /* held */
    char session_id[ID_MAX];
    struct wish wish;
    char *text; /* of the message */
    int account;
    int64_t frozen; /* credits */
    bool silent;
    bool dry;
    int lag;
};

static void turn_free(struct turn *t)
{
    stream_release(t->stream);
    free(t->text);
    free(t);
}

static const char *ignorance(bool chinese)
{
    return chinese ? "我是一个本地后端,只懂得这些:把配音与视频同步或替换声音、加标题(标题“…”)"
                     "、裁剪(裁剪到10秒)、音量(音量80%)、"
                     "撤销。没有做任何改动,也没有扣除积分。"
                   : "I am a local backend and understand only this: sync, dub, match or replace "
                     "the audio; "
                     "title \"…\"; trim to 10 s; voice at 80%; undo. Nothing was changed, and "
                     "nothing was charged.";
}

static const char *gui_hint(bool chinese)
{
    return chinese ? "您可以在时间线中预览,然后点击“导出”按钮下载视频。"
                   : " You can preview it in the timeline. Click the \"Export\" button to download "
                     "the video.";
}

/* The edit, once its turn has come; the answer is in `said`. */
static bool turn_edit(struct turn *t, struct bytes *said)
{
    struct wait w = {.stop = t->b->stop_fd, .peer = -1, .rules = -1, .event = -1};
    struct edit edit = {.b = t->b,
                        .session_id = t->session_id,
                        .wish = &t->wish,
                        .text = t->text,
                        .dry = t->dry,
                        .lag = t->lag};

    if (sessions_begin(t->b->sessions, t->session_id) != 0)
        return false;
    bool changed =
        wait_for(&w, clock_ms() + t->b->options.think_ms) == WAKE_TIME && edit_run(&edit, said);
    sessions_end(t->b->sessions, t->session_id);
    return changed;
}

static void turn_run(void *user)
{
    struct turn *t = user;
    struct bytes said;
    const char *tool = t->wish.undo ? "undo" : t->wish.sync ? "sync_voiceover" : "edit_timeline";

    bytes_init(&said, ANSWER_MAX);
    stream_thought(t->stream, t->wish.chinese ? "看看时间线" : "Looking at the timeline");
    stream_call(t->stream, "call_1", tool, "{\"track\":1}");
    bool changed = turn_edit(t, &said);
    accounts_settle(t->b->accounts, t->account, t->frozen, changed && !t->dry);
    stream_result(t->stream, "call_1", tool, changed ? "{\"ok\":true}" : "{\"ok\":false}");
    if (t->b->options.gui && changed)
        bytes_text(&said, gui_hint(t->wish.chinese));
    if (said.len && !t->silent)
        stream_say(t->stream, said.data);
    stream_end(t->stream);
    bytes_release(&said);
    turn_free(t);
}

/* Every so many edits answer without a text, evenly. */
static bool is_silent(struct request *r)
{
    int share = r->b->options.silent_percent;
    int before = atomic_fetch_add(&r->b->silent_share, share);

    return r->fx.silent || (before + share) / 100 > before / 100;
}

/* 0 or a negative errno; the stream is fed from now on. */
static int turn_start(struct request *r, const char *session_id, const char *text,
                      const struct wish *wish, struct stream *stream)
{
    struct turn *t = calloc(1, sizeof(*t));

    if (!t)
        return -ENOMEM;
    t->b = r->b;
    t->stream = stream_hold(stream);
    snprintf(t->session_id, sizeof(t->session_id), "%s", session_id);
    t->wish = *wish;
    t->text = strdup(text);
    t->account = r->account;
    t->dry = r->fx.edit == 0;
    t->lag = r->fx.lag_reads;
    t->frozen = t->text ? accounts_freeze(r->b->accounts, r->account, r->b->options.cost) : -ENOMEM;
    int err = t->frozen < 0 ? (int)t->frozen : 0;
    if (!err) {
        t->silent = is_silent(r);
        err = crew_run(&r->b->crew, turn_run, t);
        if (err)
            accounts_settle(r->b->accounts, r->account, t->frozen, false);
    }
    if (err)
        turn_free(t);
    return err;
}

/* The text of all parts. */
static char *read_message(const cJSON *body)
{
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(body, "new_message");
    const cJSON *part;
    struct bytes text;

    bytes_init(&text, REQUEST_TEXT_MAX);
    bytes_text(&text, "");
    cJSON_ArrayForEach(part, cJSON_GetObjectItemCaseSensitive(message, "parts"))
    {
        const char *words = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(part, "text"));
        bytes_text(&text, words ? words : "");
    }
    return bytes_take(&text, NULL);
}

static void play_script(const struct request *r, struct stream *stream, struct answer *a)
{
    char *copy = r->fx.events ? malloc(r->fx.events_len + 1) : NULL;

    if (copy)
        memcpy(copy, r->fx.events, r->fx.events_len + 1);
    source_script(&a->source, copy, r->fx.events_len, r->fx.gap_ms, r->fx.endless, stream);
}

static void answer_turn(struct request *r, const char *session_id, const char *text,
                        struct stream *stream, struct answer *a)
{
    bool scripted = r->fx.events || r->fx.endless;
    struct wish wish;
    int err = 0;

    words_read(text, &wish);
    if (words_any(&wish) && (!scripted || r->fx.edit == 1)) {
        err = turn_start(r, session_id, text, &wish, stream);
    } else if (!scripted) {
        stream_say(stream, ignorance(wish.chinese));
        stream_end(stream);
    }
    if (err) {
        stream_release(stream);
        if (err == -EDQUOT)
            answer_code(a, 200, 2001, "no credits left");
        else
            answer_broken(a);
        return;
    }
    if (scripted)
        play_script(r, stream, a);
    else
        source_stream(&a->source, stream);
    a->status = 200;
    a->close = true;
    answer_header(a, "Content-Type", "text/event-stream");
    answer_header(a, "Cache-Control", "no-cache");
}

void call_message(struct request *r, struct answer *a)
{
    cJSON *body =
        r->body.data && !r->body.failed ? cJSON_ParseWithLength(r->body.data, r->body.len) : NULL;
    const char *session_id =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(body, "session_id"));
    char *text = read_message(body);
    struct stream *stream = stream_new(r->b->options.events, r->b->options.heartbeat_ms);

    if (text)
        journal_text(r->b->journal, r->entry, text);
    if (!text || !stream) {
        answer_broken(a);
        stream_release(stream);
    } else if (!session_id || !*text) {
        answer_bad_body(a);
        stream_release(stream);
    } else if (sessions_check(r->b->sessions, session_id, r->user_id) != 0) {
        answer_detail(a, 404, "Session not found");
        stream_release(stream);
    } else {
        answer_turn(r, session_id, text, stream, a);
    }
    free(text);
    cJSON_Delete(body);
}
