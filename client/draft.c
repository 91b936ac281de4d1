#include "draft.h"

#include <errno.h>
#include <stdlib.h>

#include "buffer.h"
#include "jsontext.h"
#include "text.h"
#include "tracks.h"

#define NOTE_MAX 512 /* bytes kept free for the line that tells what was left out */

static int parse_draft(const char *state, size_t len, struct jsontext *draft)
{
    struct jsontext root;
    if (len > STATE_MAX || jsontext_parse(state, len, &root))
        return -EPROTO;
    if (jsontext_type(root) == JSONTEXT_NULL)
        return -ENOENT;
    if (jsontext_type(root) != JSONTEXT_OBJECT)
        return -EPROTO;
    if (jsontext_find(root, draft, "draft", NULL) || jsontext_type(*draft) == JSONTEXT_NULL)
        return -ENOENT;
    return jsontext_type(*draft) == JSONTEXT_OBJECT ? 0 : -EPROTO;
}

int draft_find(const char *state, size_t len, const char **draft, size_t *draft_len)
{
    struct jsontext value;
    int err = parse_draft(state, len, &value);
    if (err)
        return err;
    *draft = value.text;
    *draft_len = value.len;
    return 0;
}

static bool has_elements(struct jsontext value)
{
    struct jsontext_walk walk;
    struct jsontext element;
    if (jsontext_type(value) != JSONTEXT_ARRAY)
        return false;
    jsontext_walk_init(&walk, value);
    return jsontext_walk_next(&walk, NULL, &element);
}

bool draft_is_ready(const char *state, size_t len)
{
    struct jsontext draft, list, track, segments;
    if (parse_draft(state, len, &draft) || jsontext_find(draft, &list, "t", NULL) ||
        jsontext_type(list) != JSONTEXT_ARRAY)
        return false;
    struct jsontext_walk walk;
    jsontext_walk_init(&walk, list);
    while (jsontext_walk_next(&walk, NULL, &track))
        if (!jsontext_find(track, &segments, "sg", NULL) && has_elements(segments))
            return true;
    return false;
}

int64_t draft_duration_ms(const char *state, size_t len)
{
    struct jsontext draft, value;
    int64_t ms;
    if (parse_draft(state, len, &draft))
        return -1;
    if (!jsontext_find(draft, &value, "d", NULL) && !jsontext_int64(value, &ms) && ms > 0)
        return ms;
    struct tracks tracks;
    if (tracks_read(draft, &tracks))
        return -1;
    ms = tracks.end_ms;
    tracks_release(&tracks);
    return ms;
}

uint64_t draft_fingerprint(const char *state, size_t len)
{
    struct jsontext draft;
    if (parse_draft(state, len, &draft))
        return 0;
    uint64_t fingerprint = jsontext_fingerprint(draft);
    return fingerprint ? fingerprint : 1;
}

static const char *label(enum track_type type)
{
    switch (type) {
    case TRACK_VIDEO:
        return _("Video");
    case TRACK_AUDIO:
        return _("Audio");
    case TRACK_TEXT:
        return _("Text");
    default:
        return _("Track");
    }
}

/* Adds one numbered line; -EMSGSIZE, and nothing of it, if there is no room. */
static int list_track(const struct track *t, struct buffer *out)
{
    struct buffer segments, line;
    buffer_init(&segments, DRAFT_LISTING_MAX);
    buffer_init(&line, DRAFT_LISTING_MAX - NOTE_MAX - out->len);

    char *text;
    tracks_describe(t, &segments);
    int err = buffer_take(&segments, &text, NULL);
    if (err)
        return err;
    buffer_addf(&line, _("%zu. %s: %s"), t->number, label(t->type), text);
    err = buffer_add(&line, "\n", 1);
    if (!err)
        err = buffer_add(out, line.data, line.len);
    buffer_release(&line);
    free(text);
    return err;
}

static int list(const struct tracks *tracks, char **out)
{
    struct buffer b;
    buffer_init(&b, DRAFT_LISTING_MAX);
    if (!tracks->count)
        buffer_add_string(&b, _("Timeline (0 tracks)"));
    else
        buffer_addf(&b, P_("Timeline (%zu track):", "Timeline (%zu tracks):", tracks->count),
                    tracks->count);
    buffer_add(&b, "\n", 1);

    size_t shown = 0;
    int err = buffer_error(&b);
    while (!err && shown < tracks->kept) {
        err = list_track(&tracks->tracks[shown], &b);
        shown += !err;
    }
    if (shown < tracks->count && (!err || err == -EMSGSIZE)) {
        size_t rest = tracks->count - shown;
        buffer_addf(
            &b, P_("(%zu more track is not shown)", "(%zu more tracks are not shown)", rest), rest);
        err = buffer_add(&b, "\n", 1);
    }
    if (!err)
        return buffer_take(&b, out, NULL);
    buffer_release(&b);
    return err;
}

int draft_listing(const char *state, size_t len, char **out)
{
    struct jsontext draft;
    struct tracks tracks = {.count = 0};
    int err = parse_draft(state, len, &draft);
    if (!err)
        err = tracks_read(draft, &tracks);
    if (err && err != -ENOENT)
        return err;
    err = list(&tracks, out);
    tracks_release(&tracks);
    return err;
}
