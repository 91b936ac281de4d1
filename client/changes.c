/*
 * What changed between two drafts, in words. Tracks and their segments are paired, the surest pairs
 * first; what is left without a partner was added or removed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "draft.h"
#include "jsontext.h"
#include "text.h"
#include "tracks.h"

#define CHANGES_MAX                                                                                \
    (2u << 20) /* bytes of the words: never reached by so many lines of bounded tracks */
#define LINES_MAX 40
#define ALIKE_MAX 8 /* segments looked at to tell whether two tracks are the same one */
#define NO_PARTNER SIZE_MAX
#define FACTOR_MAX 10.0 /* the loudest volume that is a factor */
#define PERCENT_MAX 32  /* bytes of a percentage in words */

/* ---- pairing ---- */

/* Which element of the old list is which of the new one: each holds the other's index. */
struct pairing {
    size_t *old_side, *new_side;
    size_t old_count, new_count;
};

typedef bool alike_fn(const void *before, const void *after);

static int pairing_init(struct pairing *p, size_t old_count, size_t new_count)
{
    size_t count = old_count + new_count;
    p->old_count = old_count;
    p->new_count = new_count;
    p->old_side = malloc((count + 1) * sizeof(*p->old_side));
    if (!p->old_side)
        return -ENOMEM;
    p->new_side = p->old_side + old_count;
    for (size_t i = 0; i < count; i++)
        p->old_side[i] = NO_PARTNER;
    return 0;
}

static void pairing_release(struct pairing *p)
{
    free(p->old_side);
}

/* Pairs what is alike in the first way, then of the rest what is alike in the second, and so on. */
static void pair(struct pairing *p, alike_fn *const *ways, size_t count, const void *before,
                 const void *after, size_t size)
{
    const char *olds = before, *news = after;
    for (size_t way = 0; way < count; way++) {
        for (size_t n = 0; n < p->new_count; n++) {
            for (size_t o = 0; o < p->old_count && p->new_side[n] == NO_PARTNER; o++) {
                if (p->old_side[o] == NO_PARTNER && ways[way](olds + o * size, news + n * size)) {
                    p->old_side[o] = n;
                    p->new_side[n] = o;
                }
            }
        }
    }
}

static bool same_word(const char *a, const char *b)
{
    return *a && !strcmp(a, b);
}

static bool same_times(const struct segment *a, const struct segment *b)
{
    return a->start_ms == b->start_ms && a->duration_ms == b->duration_ms;
}

static bool segment_identical(const void *before, const void *after)
{
    const struct segment *a = before, *b = after;
    return a->fingerprint == b->fingerprint && same_times(a, b);
}

static bool segment_same_id(const void *before, const void *after)
{
    const struct segment *a = before, *b = after;
    return same_word(a->id, b->id);
}

static bool segment_same_name_and_times(const void *before, const void *after)
{
    const struct segment *a = before, *b = after;
    return !strcmp(a->name, b->name) && same_times(a, b);
}

static bool segment_same_name(const void *before, const void *after)
{
    const struct segment *a = before, *b = after;
    return !strcmp(a->name, b->name);
}

static bool segment_same_times(const void *before, const void *after)
{
    return same_times(before, after);
}

static bool track_identical(const void *before, const void *after)
{
    const struct track *a = before, *b = after;
    return a->fingerprint == b->fingerprint;
}

static bool track_same_id(const void *before, const void *after)
{
    const struct track *a = before, *b = after;
    return a->type == b->type && same_word(a->id, b->id);
}

static bool track_shares_segment(const void *before, const void *after)
{
    const struct track *a = before, *b = after;
    if (a->type != b->type)
        return false;
    for (size_t i = 0; i < a->kept && i < ALIKE_MAX; i++)
        for (size_t k = 0; k < b->kept && k < ALIKE_MAX; k++)
            if (same_word(a->segments[i].id, b->segments[k].id) ||
                same_word(a->segments[i].name, b->segments[k].name))
                return true;
    return false;
}

static bool track_same_place(const void *before, const void *after)
{
    const struct track *a = before, *b = after;
    return a->type == b->type && a->number == b->number;
}

static alike_fn *const TRACK_WAYS[] = {track_identical, track_same_id, track_shares_segment,
                                       track_same_place};
static alike_fn *const SEGMENT_WAYS[] = {segment_identical, segment_same_id,
                                         segment_same_name_and_times, segment_same_name,
                                         segment_same_times};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* ---- words ---- */

struct words {
    struct buffer text;
    size_t lines;
};

/* Begins a line; false if there are too many already. */
static bool begin_line(struct words *w)
{
    w->lines++;
    if (w->lines == LINES_MAX + 1)
        buffer_addf(&w->text, "%s\n", _("There were more changes."));
    return w->lines <= LINES_MAX;
}

static void end_line(struct words *w)
{
    buffer_add(&w->text, "\n", 1);
}

static const char *name_of(const struct segment *s)
{
    return *s->name ? s->name : _("unnamed");
}

static int tell_track(struct words *w, const struct track *t, bool added)
{
    char *text;
    struct buffer b;
    if (!begin_line(w))
        return 0;
    buffer_init(&b, CHANGES_MAX);
    tracks_describe(t, &b);
    int err = buffer_take(&b, &text, NULL);
    if (err)
        return err;
    switch (t->type) {
    case TRACK_VIDEO:
        buffer_addf(&w->text, added ? _("Added video track: %s") : _("Removed video track: %s"),
                    text);
        break;
    case TRACK_AUDIO:
        buffer_addf(&w->text, added ? _("Added audio track: %s") : _("Removed audio track: %s"),
                    text);
        break;
    case TRACK_TEXT:
        buffer_addf(&w->text, added ? _("Added text track: %s") : _("Removed text track: %s"),
                    text);
        break;
    default:
        buffer_addf(&w->text, added ? _("Added track: %s") : _("Removed track: %s"), text);
    }
    end_line(w);
    free(text);
    return 0;
}

static int tell_segment(struct words *w, size_t track, const struct segment *s, bool added)
{
    char *text;
    struct buffer b;
    if (!begin_line(w))
        return 0;
    buffer_init(&b, CHANGES_MAX);
    tracks_describe_segment(s, &b);
    int err = buffer_take(&b, &text, NULL);
    if (err)
        return err;
    buffer_addf(&w->text, added ? _("Track %zu: added %s") : _("Track %zu: removed %s"), track,
                text);
    end_line(w);
    free(text);
    return 0;
}

static void tell_name(struct words *w, const struct track *t, const struct segment *a,
                      const struct segment *b)
{
    if (!strcmp(a->name, b->name) || !begin_line(w))
        return;
    buffer_addf(&w->text,
                t->type == TRACK_TEXT ? _("Track %zu: the text \"%s\" is now \"%s\"")
                                      : _("Track %zu: %s is now %s"),
                t->number, name_of(a), name_of(b));
    end_line(w);
}

static void tell_times(struct words *w, const struct track *t, const struct segment *a,
                       const struct segment *b)
{
    char was[TRACKS_SECONDS_MAX], is[TRACKS_SECONDS_MAX];
    if (a->start_ms != b->start_ms && begin_line(w)) {
        tracks_seconds(a->start_ms, was);
        tracks_seconds(b->start_ms, is);
        buffer_addf(&w->text, _("Track %zu: %s begins at %ss instead of %ss"), t->number,
                    name_of(b), is, was);
        end_line(w);
    }
    if (a->duration_ms != b->duration_ms && b->duration_ms >= 0 && begin_line(w)) {
        tracks_seconds(b->duration_ms, is);
        if (a->duration_ms >= 0) {
            tracks_seconds(a->duration_ms, was);
            buffer_addf(&w->text, _("Track %zu: %s lasts %ss instead of %ss"), t->number,
                        name_of(b), is, was);
        } else {
            buffer_addf(&w->text, _("Track %zu: %s lasts %ss"), t->number, name_of(b), is);
        }
        end_line(w);
    }
}

/* "80%" or "33.3%"; the point is a point in every locale. */
static void percent_of(double percent, char out[PERCENT_MAX])
{
    long long tenths = (long long)(percent * 10 + 0.5);
    if (tenths % 10)
        snprintf(out, PERCENT_MAX, "%lld.%lld%%", tenths / 10, tenths % 10);
    else
        snprintf(out, PERCENT_MAX, "%lld%%", tenths / 10);
}

static bool differs(double a, double b)
{
    double d = a - b;
    return d > 1e-6 || d < -1e-6;
}

/* 1 is 100%, unless one of the two is so much that they must be percents themselves. */
static void tell_volume(struct words *w, const struct track *t, const char *name, double was,
                        double is)
{
    double most = was > is ? was : is, percent = most > FACTOR_MAX ? 1 : 100;
    bool told = was >= 0 && is >= 0 && most <= 100 * FACTOR_MAX;
    char from[PERCENT_MAX], to[PERCENT_MAX];

    if (!differs(was, is) || !begin_line(w))
        return;
    percent_of(told ? was * percent : 0, from);
    percent_of(told ? is * percent : 0, to);
    if (name && told)
        buffer_addf(&w->text, _("Track %zu: volume of \"%s\" %s -> %s"), t->number, name, from, to);
    else if (name)
        buffer_addf(&w->text, _("Track %zu: changed the volume of \"%s\""), t->number, name);
    else if (told)
        buffer_addf(&w->text, _("Track %zu: volume %s -> %s"), t->number, from, to);
    else
        buffer_addf(&w->text, _("Track %zu: changed the volume"), t->number);
    end_line(w);
}

/* ---- comparing ---- */

static int compare_track(struct words *w, const struct track *a, const struct track *b)
{
    struct pairing p;
    int err = pairing_init(&p, a->kept, b->kept);
    if (err)
        return err;
    pair(&p, SEGMENT_WAYS, COUNT(SEGMENT_WAYS), a->segments, b->segments, sizeof(*a->segments));

    tell_volume(w, b, NULL, a->volume, b->volume);
    for (size_t i = 0; i < a->kept && !err; i++)
        if (p.old_side[i] == NO_PARTNER)
            err = tell_segment(w, b->number, &a->segments[i], false);
    for (size_t i = 0; i < b->kept && !err; i++) {
        const struct segment *s = &b->segments[i];
        if (p.new_side[i] == NO_PARTNER) {
            err = tell_segment(w, b->number, s, true);
            continue;
        }
        const struct segment *was = &a->segments[p.new_side[i]];
        tell_name(w, b, was, s);
        tell_times(w, b, was, s);
        tell_volume(w, b, name_of(s), was->volume, s->volume);
    }
    pairing_release(&p);
    return err;
}

static int compare(struct words *w, const struct tracks *a, const struct tracks *b)
{
    struct pairing p;
    int err = pairing_init(&p, a->kept, b->kept);
    if (err)
        return err;
    pair(&p, TRACK_WAYS, COUNT(TRACK_WAYS), a->tracks, b->tracks, sizeof(*a->tracks));

    for (size_t i = 0; i < a->kept && !err; i++)
        if (p.old_side[i] == NO_PARTNER)
            err = tell_track(w, &a->tracks[i], false);
    for (size_t i = 0; i < b->kept && !err; i++) {
        const struct track *t = &b->tracks[i];
        if (p.new_side[i] == NO_PARTNER)
            err = tell_track(w, t, true);
        else if (a->tracks[p.new_side[i]].fingerprint != t->fingerprint)
            err = compare_track(w, &a->tracks[p.new_side[i]], t);
    }
    pairing_release(&p);
    return err;
}

/* The draft of a state and its fingerprint; 0 if there is no state or no draft in it. */
static int read_draft(const char *state, size_t len, struct jsontext *draft, uint64_t *fingerprint)
{
    *fingerprint = 0;
    int err = state ? draft_find(state, len, &draft->text, &draft->len) : -ENOENT;
    if (!err)
        *fingerprint = jsontext_fingerprint(*draft);
    return err == -ENOENT ? 0 : err;
}

static int tell_changes(struct words *w, const struct jsontext *before,
                        const struct jsontext *after)
{
    struct tracks a = {.end_ms = -1}, b = {.end_ms = -1};
    int err = 0;
    if (before)
        err = tracks_read(*before, &a);
    if (!err && after)
        err = tracks_read(*after, &b);
    if (!err)
        err = compare(w, &a, &b);
    tracks_release(&a);
    tracks_release(&b);
    return err;
}

int draft_changes(const char *before, size_t before_len, const char *after, size_t after_len,
                  bool *changed, char **out)
{
    struct jsontext a, b;
    uint64_t was, is;
    int err = read_draft(before, before_len, &a, &was);
    if (!err)
        err = read_draft(after, after_len, &b, &is);
    if (err)
        return err;

    struct words w = {.lines = 0};
    buffer_init(&w.text, CHANGES_MAX);
    if (was != is)
        err = tell_changes(&w, was ? &a : NULL, is ? &b : NULL);
    if (was != is && !w.lines)
        buffer_addf(&w.text, "%s\n", _("The draft changed."));
    if (!err)
        err = buffer_take(&w.text, out, NULL);
    if (!err)
        *changed = was != is;
    buffer_release(&w.text);
    return err;
}
