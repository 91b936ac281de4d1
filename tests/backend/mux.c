#include "mux.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe.h"
#include "session.h"

#define ARGS_MAX 96
#define FILTERS_MAX 16384
#define SOUND_RATE "48000"
#define START_TOLERANCE_S 0.001

struct mux {
    struct backend *b;
    const struct timeline *t;
    const char *path;
    void (*progress)(void *user, int percent);
    void *user;
    char *words;
    struct material clip;
    struct material voice;
    char clip_path[STORE_PATH_MAX];
    char voice_path[STORE_PATH_MAX];
    struct picture_time picture;
    double duration_s; /* of the result */
    bool trimmed;
    bool with_voice, with_own; /* which sounds are heard */
};

struct args {
    const char *list[ARGS_MAX];
    size_t count;
};

static void add(struct args *a, const char *arg)
{
    if (a->count < ARGS_MAX - 1)
        a->list[a->count++] = arg;
    a->list[a->count] = NULL;
}

#define ADD(a, ...)                                                                                \
    do {                                                                                           \
        const char *const more[] = {__VA_ARGS__};                                                  \
        for (size_t i_ = 0; i_ < sizeof(more) / sizeof(more[0]); i_++)                             \
            add(a, more[i_]);                                                                      \
    } while (0)

/* A text inside a filter's option, inside a filter graph. */
static void add_escaped(struct bytes *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (strchr("\\':", *c))
            bytes_text(out, "\\\\");
        if (strchr("\\'[],;", *c))
            bytes_text(out, "\\");
        bytes_add(out, c, 1);
    }
}

/* How wide the text is, in heights of its letters: what Latin letters and wide characters take. */
static double text_width(const char *text)
{
    double width = 1;

    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        width += *c < 0x80 ? 0.62 : *c >= 0xe0 ? 1.0 : *c >= 0xc0 ? 0.65 : 0;
    return width;
}

static bool has_wide(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c >= 0xe2)
            return true;
    }
    return false;
}

static void add_title(struct bytes *out, const struct segment *s)
{
    bytes_text(out, ",drawtext=expansion=none:font=");
    add_escaped(out, has_wide(s->name) ? "Sans" : "DejaVu Sans");
    bytes_text(out, ":text=");
    add_escaped(out, s->name);
    bytes_format(out, ":fontsize=min(h/12\\,w/%.2f)", text_width(s->name));
    bytes_text(
        out,
        ":x=(w-text_w)/2:y=h*0.84-text_h/2:fontcolor=white:box=1:boxcolor=black@0.5:boxborderw=8");
    bytes_format(out, ":enable=between(t\\,%.3f\\,%.3f)", (double)s->start_ms / 1000,
                 (double)(s->start_ms + s->duration_ms) / 1000);
}

static void picture_filters(const struct mux *m, struct bytes *out)
{
    bytes_text(out, "[0:v:0]");
    if (m->trimmed)
        bytes_format(out, "trim=end=%.6f,", m->duration_s - m->picture.frame_s / 2);
    bytes_text(out, "scale=trunc(iw/2)*2:trunc(ih/2)*2");
    if (m->t->title.used)
        add_title(out, &m->t->title);
    bytes_text(out, ",format=yuv420p[picture]");
}

/* The sounds, each in its place, one track of the result's length. */
static void sound_filters(const struct mux *m, struct bytes *out)
{
    const struct segment *s = &m->t->voice;
    const char *shape = "aformat=sample_fmts=fltp:channel_layouts=stereo";

    if (m->with_voice) {
        bytes_format(out,
                     "[1:a:0]asetpts=PTS-STARTPTS,aresample=" SOUND_RATE ":async=1:first_pts=0,%s,",
                     shape);
        bytes_format(out, "atrim=start=%.3f:end=%.3f,asetpts=PTS-STARTPTS,volume=%.3f,",
                     (double)s->source_ms / 1000, (double)(s->source_ms + s->duration_ms) / 1000,
                     s->volume);
        bytes_format(out, "adelay=delays=%" PRId64 ":all=1[voice];", s->start_ms);
    }
    if (m->with_own)
        bytes_format(out,
                     "[0:a:0]aresample=" SOUND_RATE ":async=1:first_pts=0,%s,volume=%.3f[own];",
                     shape, m->t->clip.volume);
    if (m->with_voice && m->with_own)
        bytes_text(out, "[voice][own]amix=inputs=2:normalize=0:duration=longest,");
    else
        bytes_text(out, m->with_voice ? "[voice]" : "[own]");
    bytes_format(out, "apad,atrim=end=%.6f[sound]", m->duration_s);
}

/* "out_time_us=1234567", one key a line. */
static void read_progress(struct mux *m, char *line)
{
    long long us;

    if (sscanf(line, "out_time_us=%lld", &us) != 1 || us < 0)
        return;
    double percent = (double)us / 1e4 / m->duration_s;
    m->progress(m->user, percent < 99 ? (int)percent : 99);
}

static int run_ffmpeg(struct mux *m, const struct args *args)
{
    char buf[4096];
    size_t len = 0;
    struct child c;
    ssize_t n;

    int err = child_start(&c, args->list, m->b->stop_fd);
    if (err) {
        snprintf(m->words, CHILD_WORDS_MAX, "%s: %s", args->list[0], strerror(-err));
        return -EIO;
    }
    while ((n = child_read(&c, buf + len, sizeof(buf) - 1 - len)) > 0) {
        len += (size_t)n;
        buf[len] = '\0';
        char *line = buf, *end;
        for (; (end = strchr(line, '\n')); line = end + 1) {
            *end = '\0';
            read_progress(m, line);
        }
        len = strlen(line);
        memmove(buf, line, len + 1);
        if (len == sizeof(buf) - 1)
            len = 0;
    }
    int status = child_finish(&c, m->words);
    if (n < 0)
        return (int)n;
    return status == 0 ? 0 : -EIO;
}

static int make(struct mux *m, bool copy)
{
    struct args args = {.count = 0};
    struct bytes filters;
    char zero[32], drop[64];

    bytes_init(&filters, FILTERS_MAX);
    if (!copy)
        picture_filters(m, &filters);
    if (m->with_voice || m->with_own) {
        bytes_text(&filters, copy ? "" : ";");
        sound_filters(m, &filters);
    }
    snprintf(zero, sizeof(zero), "%.6f", -m->picture.first_s);
    snprintf(drop, sizeof(drop), "noise=drop=gte(n\\,%zu)", m->picture.cut_frames);
    /* The first frame of the picture is at 0, wherever the file has it. */
    ADD(&args, "ffmpeg", "-nostdin", "-v", "error", "-y", "-progress", "pipe:1", "-copyts",
        PROBE_GUARD, "-itsoffset", zero, "-i", m->clip_path);
    if (m->with_voice)
        ADD(&args, PROBE_GUARD, "-i", m->voice_path);
    if (filters.len)
        ADD(&args, "-filter_complex", filters.data);
    if (copy)
        ADD(&args, "-map", "0:v:0", "-c:v", "copy");
    else
        ADD(&args, "-map", "[picture]", "-c:v", "libx264", "-preset", "veryfast", "-crf", "18");
    if (copy && m->trimmed)
        ADD(&args, "-bsf:v", drop);
    if (m->with_voice || m->with_own)
        ADD(&args, "-map", "[sound]", "-c:a", "aac", "-b:a", "192k");
    ADD(&args, "-map_metadata", "-1", "-map_chapters", "-1", "-movflags", "+faststart", "-f", "mp4",
        m->path);
    int err = filters.failed ? -EIO : run_ffmpeg(m, &args);
    bytes_release(&filters);
    return err;
}

/* Is the picture of the result where it should be, and as long? */
static bool is_exact(const struct mux *m)
{
    struct picture_time got;

    if (probe_picture(m->path, 0, m->b->stop_fd, &got) != 0)
        return false;
    return fabs(got.first_s) <= START_TOLERANCE_S && !got.hidden &&
           fabs(got.duration_s - fmin(m->duration_s, m->picture.duration_s)) <=
               m->picture.frame_s / 2 + START_TOLERANCE_S;
}

static int prepare(struct mux *m)
{
    struct sessions *ss = m->b->sessions;
    const struct timeline *t = m->t;

    if (!t->clip.used || sessions_material(ss, t->clip.material, &m->clip) != 0 ||
        (t->voice.used && sessions_material(ss, t->voice.material, &m->voice) != 0)) {
        snprintf(m->words, CHILD_WORDS_MAX, "the draft's material is not there");
        return -ENOENT;
    }
    store_path(&m->b->store, m->clip_path, "media/%s", m->clip.id);
    store_path(&m->b->store, m->voice_path, "media/%s", m->voice.id);
    int err =
        probe_picture(m->clip_path, (double)t->duration_ms / 1000, m->b->stop_fd, &m->picture);
    if (err) {
        snprintf(m->words, CHILD_WORDS_MAX, "the clip's picture cannot be read");
        return err;
    }
    double length_s = probe_length(&m->clip.info, &m->picture);
    m->trimmed = (double)t->duration_ms < length_s * 1000 - 1;
    m->duration_s = m->trimmed ? (double)t->duration_ms / 1000 : length_s;
    m->with_voice = t->voice.used && t->voice.volume > 0;
    m->with_own = m->clip.info.has_sound && (t->clip.volume > 0 || !m->with_voice);
    return 0;
}

int mux_run(struct backend *b, const struct timeline *t, const char *path,
            void (*progress)(void *user, int percent), void *user, char words[CHILD_WORDS_MAX])
{
    struct mux m = {
        .b = b, .t = t, .path = path, .progress = progress, .user = user, .words = words};

    words[0] = '\0';
    int err = prepare(&m);
    if (err)
        return err;
    bool copy = m.clip.info.copyable && !t->title.used && !m.picture.hidden &&
                (!m.trimmed || m.picture.cut_frames);
    if (copy) {
        err = make(&m, true);
        if (err == -ECANCELED || (err == 0 && is_exact(&m)))
            return err;
    }
    return make(&m, false);
}
