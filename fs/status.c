/* status.txt: what the session is doing, in words. */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "inputs.h"
#include "names.h"
#include "render.h"
#include "text.h"
#include "upload.h"
#include "words.h"

#define STATUS_MAX (1u << 20)  /* bytes */
#define STATUS_MESSAGE_MAX 200 /* bytes of the message that are shown */
#define STATUS_INPUTS_SHOWN_MAX 200

static const char *first_word(const struct session *s)
{
    if (s->connection == CONNECTION_RUNNING)
        return "connecting";
    if (s->job)
        return "working";
    if (s->uploading)
        return "uploading";
    if (s->render)
        return s->render->phase < RENDER_DOWNLOADING ? "rendering" : "downloading";
    if (s->error)
        return "failed";
    return s->output ? "ready" : "idle";
}

static void add_message(struct buffer *b, const struct session *s)
{
    char text[STATUS_MESSAGE_MAX + 1], elapsed[WORDS_DURATION_MAX];
    struct timespec now = clock_now();

    if (!s->message)
        return;
    fault_clean_text(s->message, strlen(s->message), text, sizeof(text));
    buffer_addf(b, "message: %s\n", text);
    if (!s->job && !s->render)
        return;
    words_duration((int64_t)(now.tv_sec - s->message_time.tv_sec) * 1000, elapsed, sizeof(elapsed));
    buffer_addf(b, "elapsed: %s\n", elapsed);
}

static void add_uploads(struct buffer *b, const struct session *s)
{
    char name[NAMES_MAX + 1];
    struct input *in, *next;
    int shown = 0;

    HASH_ITER(hh_name, s->inputs, in, next)
    {
        if (shown == STATUS_INPUTS_SHOWN_MAX)
            return;
        if (!in->upload && in->state != INPUT_FAILED)
            continue;
        input_shown_name(in, name);
        if (in->upload)
            buffer_addf(b, "upload: %s %d%%\n", name, upload_percent(in->upload));
        else
            buffer_addf(b, "upload: %s failed: %s\n", name,
                        in->words ? in->words : strerror(in->error));
        shown++;
    }
}

static void add_render(struct buffer *b, const struct session *s)
{
    if (!s->render)
        return;
    if (s->render->percent >= 0)
        buffer_addf(b, "render: %d%%\n", s->render->percent);
    else
        buffer_addf(b, "render: %s\n", _("under way"));
}

struct bytes *status_text(struct session *s)
{
    struct bytes *bytes = NULL;
    struct buffer b;

    buffer_init(&b, STATUS_MAX);
    buffer_addf(&b, "%s\n", first_word(s));
    add_message(&b, s);
    add_uploads(&b, s);
    add_render(&b, s);
    if (s->fs->balance.known)
        buffer_addf(&b, "credits: %lld\n", (long long)s->fs->balance.now.available);
    if (s->error)
        buffer_addf(&b, "error: %s\n", s->error);
    if (s->hint)
        buffer_addf(&b, "hint: %s\n", s->hint);
    if (s->link && s->link_until_ms > clock_ms())
        buffer_addf(&b, "link: %s\n", s->link);
    if (!buffer_error(&b))
        bytes = bytes_new(b.data, b.len);
    buffer_release(&b);
    return bytes;
}

void status_changed(struct session *s)
{
    s->status_changed = clock_now();
    if (!s->removed)
        watch_status(s->fs->watch, s->name);
}
