#include "tracks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "draft.h"
#include "fault.h"
#include "text.h"
#include "utf8.h"

#define TIME_MAX_MS INT64_C(1000000000000) /* 31 years: what is longer is no time */
#define SEGMENTS_SHOWN_MAX 100
#define SEGMENTS_KEPT_MAX 20000 /* of all tracks together */

/* ---- members ---- */

enum field {
    TITLE, /* names, the best first */
    NAME,
    FILENAME,
    TEXT,
    CONTENT,
    LABEL,
    LAST_NAME = LABEL,
    ID,
    TYPE,
    SEGMENTS,
    META,
    START,
    DURATION,
    END,
    RANGE,
    VOLUME,
    FIELDS,
};

static const struct {
    const char *spelling;
    enum field field;
} SPELLINGS[] = {
    {"title", TITLE},
    {"name", NAME},
    {"display_name", NAME},
    {"filename", FILENAME},
    {"file_name", FILENAME},
    {"fileName", FILENAME},
    {"text", TEXT},
    {"content", CONTENT},
    {"label", LABEL},
    {"caption", LABEL},
    {"id", ID},
    {"segment_id", ID},
    {"track_id", ID},
    {"tt", TYPE},
    {"sg", SEGMENTS},
    {"m", META},
    {"start", START},
    {"start_ms", START},
    {"startMs", START},
    {"start_time", START},
    {"startTime", START},
    {"s", START},
    {"st", START},
    {"d", DURATION},
    {"duration", DURATION},
    {"duration_ms", DURATION},
    {"durationMs", DURATION},
    {"end", END},
    {"end_ms", END},
    {"endMs", END},
    {"end_time", END},
    {"endTime", END},
    {"target_timerange", RANGE},
    {"targetTimerange", RANGE},
    {"volume", VOLUME},
    {"vol", VOLUME},
};

/* The known members of one object; .text is NULL for what is missing. */
struct fields {
    struct jsontext value[FIELDS];
};

static void read_fields(struct jsontext object, struct fields *f)
{
    memset(f, 0, sizeof(*f));
    if (jsontext_type(object) != JSONTEXT_OBJECT)
        return;
    struct jsontext_walk walk;
    struct jsontext name, value;
    jsontext_walk_init(&walk, object);
    while (jsontext_walk_next(&walk, &name, &value))
        for (size_t i = 0; i < sizeof(SPELLINGS) / sizeof(*SPELLINGS); i++)
            if (jsontext_equals(name, SPELLINGS[i].spelling))
                f->value[SPELLINGS[i].field] = value;
}

static bool has(const struct fields *f, enum field field)
{
    return f->value[field].text != NULL;
}

/* A time in ms, -1 if there is none. */
static int64_t time_of(const struct fields *f, enum field field)
{
    int64_t ms;
    if (!has(f, field) || jsontext_int64(f->value[field], &ms) || ms < 0 || ms > TIME_MAX_MS)
        return -1;
    return ms;
}

static double volume_of(const struct fields *f, const struct fields *meta)
{
    double volume;
    if (has(f, VOLUME) && !jsontext_double(f->value[VOLUME], &volume))
        return volume;
    if (has(meta, VOLUME) && !jsontext_double(meta->value[VOLUME], &volume))
        return volume;
    return -1;
}

static void id_of(const struct fields *f, char out[TRACKS_ID_MAX])
{
    out[0] = '\0';
    if (!has(f, ID))
        return;
    struct jsontext id = f->value[ID];
    if (jsontext_type(id) == JSONTEXT_NUMBER && id.len < TRACKS_ID_MAX) {
        memcpy(out, id.text, id.len);
        out[id.len] = '\0';
    } else {
        jsontext_copy(id, out, TRACKS_ID_MAX);
    }
}

static bool copy_name(struct jsontext value, char out[TRACKS_NAME_MAX])
{
    static const char more[] = "\xe2\x80\xa6";
    char raw[4 * TRACKS_NAME_MAX], clean[4 * TRACKS_NAME_MAX];
    size_t len = jsontext_copy(value, raw, sizeof(raw));
    fault_clean_text(raw, len, clean, sizeof(clean));

    const char *name = clean + strspn(clean, " ");
    len = strlen(name);
    while (len && name[len - 1] == ' ')
        len--;
    bool cut = len >= TRACKS_NAME_MAX;
    if (cut)
        len = utf8_cut(name, len, TRACKS_NAME_MAX - sizeof(more));
    memcpy(out, name, len);
    memcpy(out + len, more, cut ? sizeof(more) : 0);
    out[len + (cut ? sizeof(more) - 1 : 0)] = '\0';
    return len > 0;
}

static void name_of(const struct fields *f, const struct fields *meta, enum track_type type,
                    char out[TRACKS_NAME_MAX])
{
    static const enum field of_text[] = {TEXT, CONTENT};
    for (size_t i = 0; type == TRACK_TEXT && i < sizeof(of_text) / sizeof(*of_text); i++)
        if ((has(f, of_text[i]) && copy_name(f->value[of_text[i]], out)) ||
            (has(meta, of_text[i]) && copy_name(meta->value[of_text[i]], out)))
            return;
    for (int i = TITLE; i <= LAST_NAME; i++)
        if ((has(f, i) && copy_name(f->value[i], out)) ||
            (has(meta, i) && copy_name(meta->value[i], out)))
            return;
    if (has(f, META) && copy_name(f->value[META], out))
        return;
    out[0] = '\0';
}

static void read_meta(const struct fields *f, struct fields *meta)
{
    memset(meta, 0, sizeof(*meta));
    if (has(f, META))
        read_fields(f->value[META], meta);
}

/* ---- segments ---- */

static void read_segment(struct jsontext value, enum track_type type, int64_t follows_ms,
                         struct segment *s)
{
    struct fields f, meta, range;
    read_fields(value, &f);
    read_meta(&f, &meta);
    memset(&range, 0, sizeof(range));
    if (has(&f, RANGE))
        read_fields(f.value[RANGE], &range);

    name_of(&f, &meta, type, s->name);
    id_of(&f, s->id);
    s->volume = volume_of(&f, &meta);
    s->fingerprint = jsontext_fingerprint(value);

    int64_t start = time_of(&f, START), end = time_of(&f, END);
    if (start < 0)
        start = time_of(&range, START);
    s->start_ms = start < 0 ? follows_ms : start;
    s->duration_ms = time_of(&f, DURATION);
    if (s->duration_ms < 0)
        s->duration_ms = time_of(&range, DURATION);
    if (s->duration_ms < 0 && end >= s->start_ms)
        s->duration_ms = end - s->start_ms;
}

static int64_t end_of(const struct segment *s)
{
    return s->start_ms + (s->duration_ms < 0 ? 0 : s->duration_ms);
}

static size_t count_elements(struct jsontext array)
{
    struct jsontext_walk walk;
    struct jsontext value;
    size_t count = 0;
    jsontext_walk_init(&walk, array);
    while (jsontext_walk_next(&walk, NULL, &value))
        count++;
    return count;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int read_track(struct jsontext value, struct tracks *all, size_t *room, struct track *t)
{
    struct fields f, meta;
    read_fields(value, &f);
    read_meta(&f, &meta);
    id_of(&f, t->id);
    t->volume = volume_of(&f, &meta);
    t->fingerprint = jsontext_fingerprint(value);

    int64_t type;
    t->type = TRACK_OTHER;
    if (has(&f, TYPE) && !jsontext_int64(f.value[TYPE], &type) &&
        (type == TRACK_VIDEO || type == TRACK_AUDIO || type == TRACK_TEXT))
        t->type = (enum track_type)type;

    if (!has(&f, SEGMENTS) || jsontext_type(f.value[SEGMENTS]) != JSONTEXT_ARRAY)
        return 0;
    t->count = count_elements(f.value[SEGMENTS]);
    t->kept = least(least(t->count, TRACKS_SEGMENTS_MAX), *room);
    *room -= t->kept;
    if (!t->kept)
        return 0;
    t->segments = calloc(t->kept, sizeof(*t->segments));
    if (!t->segments)
        return -ENOMEM;

    struct jsontext_walk walk;
    struct jsontext segment;
    int64_t follows_ms = 0;
    jsontext_walk_init(&walk, f.value[SEGMENTS]);
    for (size_t i = 0; i < t->kept && jsontext_walk_next(&walk, NULL, &segment); i++) {
        struct segment *s = &t->segments[i];
        read_segment(segment, t->type, follows_ms, s);
        if (!*s->name)
            name_of(&f, &meta, t->type, s->name); /* the track's own name */
        follows_ms = end_of(s);
        if (s->duration_ms >= 0 && follows_ms > all->end_ms)
            all->end_ms = follows_ms;
    }
    return 0;
}

int tracks_read(struct jsontext draft, struct tracks *tracks)
{
    struct jsontext list, value;
    struct jsontext_walk walk;
    *tracks = (struct tracks){.end_ms = -1};
    if (jsontext_find(draft, &list, "t", NULL) || jsontext_type(list) != JSONTEXT_ARRAY)
        return 0;
    tracks->count = count_elements(list);
    size_t keep = least(tracks->count, DRAFT_TRACKS_SHOWN_MAX);
    if (!keep)
        return 0;
    tracks->tracks = calloc(keep, sizeof(*tracks->tracks));
    if (!tracks->tracks)
        return -ENOMEM;

    size_t room = SEGMENTS_KEPT_MAX;
    jsontext_walk_init(&walk, list);
    while (tracks->kept < keep && jsontext_walk_next(&walk, NULL, &value)) {
        struct track *t = &tracks->tracks[tracks->kept++];
        t->number = tracks->kept;
        int err = read_track(value, tracks, &room, t);
        if (err) {
            tracks_release(tracks);
            return err;
        }
    }
    return 0;
}

void tracks_release(struct tracks *tracks)
{
    for (size_t i = 0; i < tracks->kept; i++)
        free(tracks->tracks[i].segments);
    free(tracks->tracks);
    *tracks = (struct tracks){.end_ms = -1};
}

/* ---- words ---- */

void tracks_seconds(int64_t ms, char out[TRACKS_SECONDS_MAX])
{
    int64_t tenths = (ms + 50) / 100;
    if (tenths % 10)
        snprintf(out, TRACKS_SECONDS_MAX, "%" PRId64 ".%" PRId64, tenths / 10, tenths % 10);
    else
        snprintf(out, TRACKS_SECONDS_MAX, "%" PRId64, tenths / 10);
}

void tracks_describe_segment(const struct segment *s, struct buffer *out)
{
    const char *name = *s->name ? s->name : _("unnamed");
    char start[TRACKS_SECONDS_MAX], end[TRACKS_SECONDS_MAX];
    tracks_seconds(s->start_ms, start);
    tracks_seconds(end_of(s), end);
    if (s->duration_ms >= 0)
        buffer_addf(out, _("%s (%s-%ss)"), name, start, end);
    else
        buffer_addf(out, _("%s (from %ss)"), name, start);
}

void tracks_describe(const struct track *t, struct buffer *out)
{
    if (!t->count)
        buffer_add_string(out, _("empty"));
    size_t shown = least(t->kept, SEGMENTS_SHOWN_MAX);
    for (size_t i = 0; i < shown; i++) {
        if (i)
            buffer_add_string(out, _(", "));
        tracks_describe_segment(&t->segments[i], out);
    }
    if (shown < t->count) {
        if (shown)
            buffer_add_string(out, _(", "));
        buffer_addf(out, _("%zu more"), t->count - shown);
    }
}
