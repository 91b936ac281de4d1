#include "edit.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "pcm.h"
#include "probe.h"
#include "session.h"
#include "sync.h"

#define SYNC_MAX_S 1200.0 /* sound of each that is compared */
#define SYNC_RATE 16000
#define SYNC_RATE_LONG 8000 /* when both together are longer than */
#define SYNC_LONG_S 600.0
#define TITLE_MS 5000

#define MOUTHS_EN " Mouths are not redrawn here: only the real backend does that."
#define MOUTHS_ZH "这里不会重绘口型:只有真正的后端会这样做。"

struct work {
    const struct edit *e;
    bool chinese;
    struct bytes *said;
    struct timeline t;
    struct material clip;
    struct material voice;
    struct picture_time picture;
};

#define SAY(w, en, zh, ...)                                                                        \
    do {                                                                                           \
        if ((w)->chinese)                                                                          \
            bytes_format((w)->said, zh, __VA_ARGS__);                                              \
        else                                                                                       \
            bytes_format((w)->said, en, __VA_ARGS__);                                              \
    } while (0)

static void path_of(const struct work *w, const struct material *m, char path[STORE_PATH_MAX])
{
    store_path(&w->e->b->store, path, "media/%s", m->id);
}

static bool look_at_clip(struct work *w)
{
    char path[STORE_PATH_MAX];

    path_of(w, &w->clip, path);
    if (probe_picture(path, 0, w->e->b->stop_fd, &w->picture) == 0)
        return true;
    SAY(w, "I cannot read the picture of \"%s\", so nothing was changed.",
        "我无法读取“%s”的画面,没有做任何改动。", w->clip.name);
    return false;
}

static int64_t clip_ms(const struct work *w)
{
    return llround(probe_length(&w->clip.info, &w->picture) * 1000);
}

/* The clip alone, as it is. */
static void begin_timeline(struct work *w)
{
    struct segment title = w->t.title;
    int revision = w->t.revision;

    w->t = (struct timeline){.revision = revision, .title = title, .duration_ms = clip_ms(w)};
    struct segment *s = &w->t.clip;
    s->used = true;
    memcpy(s->material, w->clip.id, sizeof(s->material));
    memcpy(s->name, w->clip.name, sizeof(s->name));
    s->duration_ms = w->t.duration_ms;
    s->volume = 1;
}

/* The timeline's clip; a first edit begins with the newest one. */
static bool need_clip(struct work *w)
{
    struct sessions *ss = w->e->b->sessions;

    if (w->t.clip.used && sessions_material(ss, w->t.clip.material, &w->clip) == 0)
        return look_at_clip(w);
    if (sessions_newest(ss, w->e->session_id, MEDIA_VIDEO, w->e->text, &w->clip) != 0) {
        SAY(w, "%sThere is no video clip yet: upload one first. Nothing was changed.",
            "%s还没有视频素材:请先上传一个。没有做任何改动。", "");
        return false;
    }
    if (!look_at_clip(w))
        return false;
    begin_timeline(w);
    return true;
}

/* Segments end with the timeline. */
static void fit(struct work *w)
{
    struct timeline *t = &w->t;

    t->clip.duration_ms = t->duration_ms;
    if (t->voice.used) {
        int64_t whole = llround(w->voice.info.duration_s * 1000) - t->voice.source_ms;
        int64_t room = t->duration_ms - t->voice.start_ms;
        t->voice.duration_ms = whole > 0 && whole < room ? whole : room;
        t->voice.used = room > 0;
    }
    if (t->title.used)
        t->title.duration_ms = t->duration_ms < TITLE_MS ? t->duration_ms : TITLE_MS;
}

enum finding {
    FOUND,
    UNSURE,
    NO_SOUND,
    NO_VOICE,
};

static enum finding find_offset(struct work *w, struct sync_match *match)
{
    char path[STORE_PATH_MAX];
    char words[CHILD_WORDS_MAX];
    struct pcm clip = {0}, voice = {0};
    enum finding found = NO_VOICE;
    int stop = w->e->b->stop_fd;
    bool is_long = w->voice.info.duration_s + w->clip.info.duration_s > SYNC_LONG_S;
    int rate = is_long ? SYNC_RATE_LONG : SYNC_RATE;

    path_of(w, &w->voice, path);
    if (pcm_voice(path, rate, SYNC_MAX_S, stop, &voice, words) == 0) {
        path_of(w, &w->clip, path);
        found = NO_SOUND;
        if (w->clip.info.has_sound &&
            pcm_clip(path, w->picture.first_s, rate, SYNC_MAX_S, stop, &clip, words) == 0 &&
            sync_find(clip.samples, clip.count, voice.samples, voice.count, rate, match) == 0)
            found = match->sure ? FOUND : UNSURE;
    }
    pcm_release(&clip);
    pcm_release(&voice);
    return found;
}

static void tell_sync(struct work *w, enum finding found, const struct sync_match *match)
{
    const char *voice = w->voice.name, *clip = w->clip.name;

    if (found == FOUND && match->offset_s >= 0)
        SAY(w,
            "I laid \"%s\" over \"%s\" in sync with the clip's own sound: it begins %.3f s into "
            "the clip "
            "(the match is %.0f times the noise). The clip's own sound is muted.",
            "已将“%s”与“%s”的原声对齐:配音从片段的 %.3f 秒处开始(匹配度为噪声的 %.0f "
            "倍)。原声已静音。",
            voice, clip, match->offset_s, match->strength);
    else if (found == FOUND)
        SAY(w,
            "I laid \"%s\" over \"%s\" in sync with the clip's own sound: its first %.3f s come "
            "before the "
            "clip and are left out (the match is %.0f times the noise). The clip's own sound is "
            "muted.",
            "已将“%s”与“%s”的原声对齐:配音开头的 %.3f 秒早于片段,已略去(匹配度为噪声的 %.0f "
            "倍)。原声已静音。",
            voice, clip, -match->offset_s, match->strength);
    else if (found == UNSURE)
        SAY(w,
            "\"%s\" does not match the sound of \"%s\" well enough to tell where it belongs (%.1f "
            "times "
            "the noise, %.1f times the next best place), so I laid it at 0:00. The clip's own "
            "sound is muted.",
            "“%s”与“%s”的原声不够相似,无法判断位置(仅为噪声的 %.1f 倍、次佳位置的 %.1f "
            "倍),因此放在了 0:00。原声已静音。",
            voice, clip, match->strength, match->margin);
    else
        SAY(w, "There is no usable sound in \"%s\" to sync to, so I laid \"%s\" at 0:00.",
            "“%s”中没有可用于对齐的声音,因此把“%s”放在了 0:00。", clip, voice);
    bytes_text(w->said, w->chinese ? MOUTHS_ZH : MOUTHS_EN);
}

static bool do_sync(struct work *w)
{
    struct sessions *ss = w->e->b->sessions;
    struct material clip;
    struct sync_match match = {0};

    if (sessions_newest(ss, w->e->session_id, MEDIA_AUDIO, w->e->text, &w->voice) != 0) {
        SAY(w,
            "%sThere is no voiceover yet: upload an audio file (mp3, wav, m4a, aac) first. Nothing "
            "was "
            "changed." MOUTHS_EN,
            "%s还没有配音:请先上传一个音频文件(mp3、wav、m4a、aac)。没有做任何改动。" MOUTHS_ZH,
            "");
        return false;
    }
    if (sessions_newest(ss, w->e->session_id, MEDIA_VIDEO, w->e->text, &clip) == 0 &&
        strcmp(clip.id, w->t.clip.material) != 0)
        w->t.clip.used = false;
    if (!need_clip(w))
        return false;
    enum finding found = find_offset(w, &match);
    if (found == NO_VOICE) {
        SAY(w, "I cannot decode \"%s\", so nothing was changed." MOUTHS_EN,
            "我无法解码“%s”,没有做任何改动。" MOUTHS_ZH, w->voice.name);
        return false;
    }
    int64_t offset = found == FOUND ? llround(match.offset_s * 1000) : 0;
    struct segment *s = &w->t.voice;
    *s = (struct segment){.used = true, .volume = 1};
    memcpy(s->material, w->voice.id, sizeof(s->material));
    memcpy(s->name, w->voice.name, sizeof(s->name));
    s->start_ms = offset > 0 ? offset : 0;
    s->source_ms = offset < 0 ? -offset : 0;
    w->t.clip.volume = 0;
    tell_sync(w, found, &match);
    return true;
}

static bool do_trim(struct work *w)
{
    int64_t ms = w->e->wish->trim_ms;

    if (!need_clip(w))
        return false;
    if (ms > clip_ms(w)) {
        SAY(w,
            "The clip lasts %.3f s only, so it cannot be trimmed to %.3f s. Nothing was changed.",
            "片段只有 %.3f 秒,无法裁剪到 %.3f 秒。没有做任何改动。", w->picture.duration_s,
            (double)ms / 1000);
        return false;
    }
    w->t.duration_ms = ms;
    SAY(w, "I trimmed the video to %.3f s.", "已将视频裁剪到 %.3f 秒。", (double)ms / 1000);
    return true;
}

static bool do_title(struct work *w)
{
    const char *text = w->e->wish->title_text;
    struct segment *s = &w->t.title;

    if (!need_clip(w))
        return false;
    *s = (struct segment){.used = *text != '\0', .volume = 1};
    memcpy(s->name, text, strlen(text) + 1);
    if (*text)
        SAY(w, "I put the title \"%s\" on the first %d seconds.", "已在前 %2$d 秒加上标题“%1$s”。",
            text, TITLE_MS / 1000);
    else
        bytes_text(w->said, w->chinese ? "已移除标题。" : "I removed the title.");
    return true;
}

static bool do_volume(struct work *w)
{
    double level = w->e->wish->level;

    if (!need_clip(w))
        return false;
    if (w->t.voice.used)
        w->t.voice.volume = level;
    else
        w->t.clip.volume = level;
    SAY(w, "The %s is at %.0f%% now.", "%s音量现在是 %.0f%%。",
        w->t.voice.used ? (w->chinese ? "配音" : "voice") : (w->chinese ? "原声" : "clip's sound"),
        level * 100);
    return true;
}

static bool do_undo(struct work *w)
{
    int err = w->e->dry ? 0 : sessions_undo(w->e->b->sessions, w->e->session_id, w->e->lag);

    if (err == 0)
        bytes_text(w->said, w->chinese ? "已撤销上一次修改。" : "I took back the last change.");
    else
        bytes_text(w->said,
                   w->chinese ? "没有可以撤销的修改。" : "There is no change to take back.");
    return err == 0;
}

/* What was said about steps that will not be taken is taken back. */
static bool all_steps(struct work *w)
{
    const struct wish *wish = w->e->wish;
    static bool (*const steps[])(struct work *) = {do_sync, do_trim, do_title, do_volume};
    const bool wanted[] = {wish->sync, wish->trim, wish->title, wish->volume};

    for (size_t i = 0; i < 4; i++) {
        size_t before = w->said->len;
        if (before && wanted[i] && !w->chinese)
            bytes_text(w->said, " ");
        if (!wanted[i] || steps[i](w))
            continue;
        before += before && !w->chinese;
        size_t reason = w->said->len - before;
        memmove(w->said->data, w->said->data + before, reason + 1);
        w->said->len = reason;
        return false;
    }
    return true;
}

static bool give_up(struct work *w)
{
    bytes_release(w->said);
    bytes_text(w->said, w->chinese ? "出错了,没有做任何改动。"
                                   : "Something went wrong, nothing was changed.");
    return false;
}

bool edit_run(const struct edit *e, struct bytes *said)
{
    struct work w = {.e = e, .chinese = e->wish->chinese, .said = said};

    if (e->wish->undo)
        return do_undo(&w);
    if (sessions_timeline(e->b->sessions, e->session_id, &w.t) != 0)
        return give_up(&w);
    if (w.t.voice.used)
        sessions_material(e->b->sessions, w.t.voice.material, &w.voice);
    if (!all_steps(&w))
        return false;
    fit(&w);
    w.t.revision++;
    if (e->dry || sessions_commit(e->b->sessions, e->session_id, &w.t, e->lag) == 0)
        return true;
    return give_up(&w);
}
