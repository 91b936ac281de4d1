#include "timeline.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum track_type {
    TRACK_VIDEO = 0,
    TRACK_AUDIO = 1,
    TRACK_TEXT = 7,
};

#define TIME_MAX_MS (INT64_C(1000) * 3600 * 1000)

static void write_track(struct bytes *out, enum track_type type, const struct segment *s,
                        bool *first)
{
    if (!s->used)
        return;
    bytes_format(out, "%s{\"tt\":%d,\"sg\":[{\"id\":\"sg_%d\",", *first ? "" : ",", type, type);
    *first = false;
    bytes_text(out, type == TRACK_TEXT ? "\"text\":" : "\"name\":");
    bytes_json(out, s->name);
    bytes_format(out, ",\"start\":%" PRId64 ",\"d\":%" PRId64, s->start_ms, s->duration_ms);
    if (type != TRACK_TEXT)
        bytes_format(out, ",\"source\":%" PRId64 ",\"volume\":%.3f,\"material\":\"%s\"",
                     s->source_ms, s->volume, s->material);
    bytes_text(out, ",\"m\":{\"speed\":1.0,\"opacity\":1.00}}],\"m\":{}}");
}

void timeline_write(const struct timeline *t, struct bytes *out)
{
    bool first = true;

    bytes_text(out, "{\"t\":[");
    write_track(out, TRACK_VIDEO, &t->clip, &first);
    write_track(out, TRACK_AUDIO, &t->voice, &first);
    write_track(out, TRACK_TEXT, &t->title, &first);
    bytes_format(out, "],\"d\":%" PRId64 ",\"m\":{\"revision\":%d,\"engine\":9007199254740993123,",
                 t->duration_ms, t->revision);
    bytes_text(
        out,
        "\"scale\":1.0,\"epsilon\":1e-7,\"made_by\":\"caf\\u00e9 \\/ local\", \"tags\": [ ]}}");
}

static int64_t read_ms(const cJSON *o, const char *key)
{
    const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, key);

    if (!cJSON_IsNumber(n) || !(n->valuedouble > 0))
        return 0;
    return n->valuedouble < TIME_MAX_MS ? llround(n->valuedouble) : TIME_MAX_MS;
}

static void read_segment(const cJSON *o, enum track_type type, struct segment *s)
{
    const cJSON *volume = cJSON_GetObjectItemCaseSensitive(o, "volume");
    const char *name = cJSON_GetStringValue(
        cJSON_GetObjectItemCaseSensitive(o, type == TRACK_TEXT ? "text" : "name"));
    const char *material = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "material"));

    s->used = true;
    snprintf(s->name, sizeof(s->name), "%s", name ? name : "");
    snprintf(s->material, sizeof(s->material), "%s", material ? material : "");
    s->start_ms = read_ms(o, "start");
    s->duration_ms = read_ms(o, "d");
    s->source_ms = read_ms(o, "source");
    s->volume = cJSON_IsNumber(volume) ? fmin(fmax(volume->valuedouble, 0), 10) : 1;
}

int timeline_read(const char *draft, size_t len, struct timeline *out)
{
    cJSON *root = cJSON_ParseWithLength(draft, len);
    const cJSON *track;

    memset(out, 0, sizeof(*out));
    if (!cJSON_IsObject(root)) {
        cJSON_Delete(root);
        return -EPROTO;
    }
    out->duration_ms = read_ms(root, "d");
    out->revision = (int)read_ms(cJSON_GetObjectItemCaseSensitive(root, "m"), "revision");
    cJSON_ArrayForEach(track, cJSON_GetObjectItemCaseSensitive(root, "t"))
    {
        const cJSON *type = cJSON_GetObjectItemCaseSensitive(track, "tt");
        const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(track, "sg"), 0);
        if (!cJSON_IsNumber(type) || !cJSON_IsObject(first))
            continue;
        if (type->valueint == TRACK_VIDEO && !out->clip.used)
            read_segment(first, TRACK_VIDEO, &out->clip);
        else if (type->valueint == TRACK_AUDIO && !out->voice.used)
            read_segment(first, TRACK_AUDIO, &out->voice);
        else if (type->valueint == TRACK_TEXT && !out->title.used)
            read_segment(first, TRACK_TEXT, &out->title);
    }
    cJSON_Delete(root);
    return 0;
}
