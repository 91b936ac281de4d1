#include "output.h"

#include <stdlib.h>

#include "blob.h"
#include "text.h"
#include "words.h"

struct output *output_new(struct fs *fs, struct blob *blob, uint64_t fingerprint,
                          int64_t duration_ms, struct timespec time)
{
    struct output *o = calloc(1, sizeof(*o));

    if (o) {
        o->ino = fs->next_ino++;
        HASH_ADD(hh, fs->outputs, ino, sizeof(o->ino), o);
    }
    if (!o || !o->hh.tbl) {
        free(o);
        blob_unref(blob);
        return NULL;
    }
    o->fs = fs;
    o->refs = 1;
    o->blob = blob;
    o->fingerprint = fingerprint;
    o->duration_ms = duration_ms;
    o->time = time;
    return o;
}

struct output *output_ref(struct output *o)
{
    o->refs++;
    return o;
}

void output_unref(struct output *o)
{
    if (!o || --o->refs > 0)
        return;
    HASH_DELETE(hh, o->fs->outputs, o);
    blob_unref(o->blob);
    free(o);
}

void output_remove(struct session *s, bool watchers)
{
    if (!s->output)
        return;
    output_unref(s->output);
    s->output = NULL;
    s->changed = clock_now();
    if (watchers)
        watch_output_gone(s->fs->watch, s->name);
    status_changed(s);
    store_save(s, NULL, NULL);
}

void output_tell_ready(struct session *s, struct reply *r)
{
    char duration[WORDS_DURATION_MAX], size[WORDS_SIZE_MAX];

    words_size(s->output->blob->size, size, sizeof(size));
    if (s->output->duration_ms >= 0) {
        words_duration(s->output->duration_ms, duration, sizeof(duration));
        reply_line(s->fs, r, _("output.mp4 is ready (%s, %s)"), duration, size);
    } else {
        reply_line(s->fs, r, _("output.mp4 is ready (%s)"), size);
    }
}
