#include "record.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "inputs.h"
#include "jsontext.h"
#include "message.h"
#include "names.h"
#include "output.h"
#include "render.h"
#include "upload.h"

#define RECORD_VERSION 1
#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* ---- writing ---- */

static bool add_u64(cJSON *o, const char *key, uint64_t n)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
    return cJSON_AddStringToObject(o, key, text) != NULL;
}

static bool add_text(cJSON *o, const char *key, const char *text)
{
    return !text || cJSON_AddStringToObject(o, key, text) != NULL;
}

static bool add_time(cJSON *o, const char *key, struct timespec t)
{
    char text[48];

    snprintf(text, sizeof(text), "%lld.%09ld", (long long)t.tv_sec, t.tv_nsec);
    return cJSON_AddStringToObject(o, key, text) != NULL;
}

static const char *const state_names[] = {
    [INPUT_NEW] = "new",           [INPUT_TEMPORARY] = "temporary", [INPUT_UPLOADING] = "uploading",
    [INPUT_UPLOADED] = "uploaded", [INPUT_FAILED] = "failed",
};

static const char *const error_names[] = {
    [ERROR_OF_WORK] = "work",
    [ERROR_OF_CONNECTION] = "connection",
    [ERROR_OF_QUERY] = "query",
};

static bool add_blob(cJSON *o, const char *key, const struct blob *b)
{
    cJSON *j;

    if (!b)
        return true;
    j = cJSON_AddObjectToObject(o, key);
    return j && add_text(j, "name", b->name) && add_u64(j, "size", b->size) &&
           cJSON_AddBoolToObject(j, "present", b->present);
}

static bool add_input(cJSON *list, const struct input *in)
{
    /* A replacement on its way, with its close still waiting: were we killed now, that close would
     * not have succeeded, so the record keeps what was there before it. */
    bool before = in->upload && upload_is_tentative(in->upload);
    const struct blob *content = before ? in->previous : in->content;
    enum input_state state = before ? in->previous_state : in->state;
    cJSON *o;

    if (before && upload_may_have_replaced(in))
        state = INPUT_UPLOADING; /* again */
    if (!content && !in->link)
        return true;
    o = cJSON_CreateObject();
    if (!o || !cJSON_AddItemToArray(list, o)) {
        cJSON_Delete(o);
        return false;
    }
    return add_text(o, "name", in->name) && add_text(o, "state", state_names[state]) &&
           add_blob(o, "content", content) && add_text(o, "link", in->link) &&
           add_text(o, "url", before ? in->previous_url : in->url) &&
           add_time(o, "mtime", in->mtime) && add_time(o, "atime", in->atime) &&
           add_text(o, "words", in->words) && cJSON_AddNumberToObject(o, "error", in->error) &&
           cJSON_AddBoolToObject(o, "unreported", in->unreported);
}

static bool add_inputs(cJSON *o, const struct session *s)
{
    cJSON *list = cJSON_AddArrayToObject(o, "inputs");
    struct input *in, *next;

    if (!list)
        return false;
    HASH_ITER(hh_name, s->inputs, in, next)
    if (!add_input(list, in))
        return false;
    return true;
}

static bool add_draft(cJSON *o, const struct session *s)
{
    cJSON *j = cJSON_AddObjectToObject(o, "draft");

    return j && add_u64(j, "fingerprint", s->fingerprint) &&
           cJSON_AddNumberToObject(j, "duration_ms", (double)s->duration_ms) &&
           cJSON_AddBoolToObject(j, "ready", s->ready) && add_u64(j, "state_size", s->state_size) &&
           add_u64(j, "timeline_size", s->timeline_size) && add_time(j, "time", s->state_changed);
}

static bool add_work(cJSON *o, const struct session *s)
{
    cJSON *j;

    if (s->job && job_has_left(s->job)) {
        j = cJSON_AddObjectToObject(o, "sent");
        if (!j || !add_text(j, "message", s->message) ||
            !cJSON_AddBoolToObject(j, "before", job_before(s->job) != NULL))
            return false;
    }
    if (s->render) {
        j = cJSON_AddObjectToObject(o, "render");
        if (!j || !add_text(j, "id", s->render->id) ||
            !add_u64(j, "fingerprint", s->render->fingerprint) ||
            !cJSON_AddNumberToObject(j, "duration_ms", (double)s->render->duration_ms) ||
            !cJSON_AddBoolToObject(j, "again", s->render->again) ||
            !cJSON_AddBoolToObject(j, "renewed", s->render->renewed && !s->render->wants_uploads))
            return false;
    }
    if (s->output) {
        j = cJSON_AddObjectToObject(o, "output");
        if (!j || !add_blob(j, "blob", s->output->blob) ||
            !add_u64(j, "fingerprint", s->output->fingerprint) ||
            !cJSON_AddNumberToObject(j, "duration_ms", (double)s->output->duration_ms) ||
            !add_time(j, "time", s->output->time))
            return false;
    }
    return true;
}

static bool add_reply(cJSON *o, const struct session *s)
{
    cJSON *j = cJSON_AddObjectToObject(o, "reply");

    return j && add_u64(j, "size", s->reply->final ? s->reply->len : 0) &&
           add_time(j, "time", s->reply->changed);
}

char *record_write(const struct session *s)
{
    cJSON *o = cJSON_CreateObject();
    char *text = NULL;

    if (o && cJSON_AddNumberToObject(o, "version", RECORD_VERSION) &&
        add_text(o, "name", s->name) && add_time(o, "created", s->created) &&
        add_time(o, "changed", s->changed) && add_time(o, "inputs_changed", s->inputs_changed) &&
        add_text(o, "session_id", s->id) && add_text(o, "task_id", s->task_id) &&
        add_text(o, "user_id", s->user_id) && add_text(o, "message", s->message) &&
        add_time(o, "message_time", s->message_time) && add_text(o, "error", s->error) &&
        add_text(o, "hint", s->hint) &&
        add_text(o, "error_of", s->error ? error_names[s->error_of] : NULL) && add_inputs(o, s) &&
        add_draft(o, s) && add_work(o, s) && add_reply(o, s))
        text = cJSON_Print(o);
    cJSON_Delete(o);
    return text;
}

/* ---- reading ---- */

static const char *get_text(const cJSON *o, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
}

static uint64_t get_u64(const cJSON *o, const char *key)
{
    const char *text = get_text(o, key);

    return text ? strtoull(text, NULL, 10) : 0;
}

static int64_t get_ms(const cJSON *o, const char *key)
{
    const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, key);

    return cJSON_IsNumber(n) && n->valuedouble > -1e15 && n->valuedouble < 1e15
               ? (int64_t)n->valuedouble
               : -1;
}

static bool get_bool(const cJSON *o, const char *key)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, key));
}

static struct timespec get_time(const cJSON *o, const char *key)
{
    const char *text = get_text(o, key);
    struct timespec t = {0, 0};
    char *dot;

    if (!text)
        return clock_now();
    t.tv_sec = strtoll(text, &dot, 10);
    if (*dot == '.')
        t.tv_nsec = strtol(dot + 1, NULL, 10);
    if (t.tv_nsec < 0 || t.tv_nsec > 999999999)
        t.tv_nsec = 0;
    return t;
}

/* 0 also when there is no such text. */
static int copy_text(const cJSON *o, const char *key, char **out)
{
    const char *text = get_text(o, key);

    *out = text ? strdup(text) : NULL;
    return text && !*out ? -ENOMEM : 0;
}

/* The file may be gone: somebody emptied the cache, or the program ended between removing and
 * recording. */
static int get_blob(struct fs *fs, const cJSON *o, const char *key, struct blob **out)
{
    const cJSON *j = cJSON_GetObjectItemCaseSensitive(o, key);
    const char *name = get_text(j, "name");
    struct stat st;
    uuid_t id;
    bool present;

    *out = NULL;
    if (!j)
        return 0;
    if (!name || uuid_parse(name, id))
        return -EPROTO;
    present = get_bool(j, "present");
    if (present && fstatat(fs->cache_dir, name, &st, AT_SYMLINK_NOFOLLOW)) {
        if (errno != ENOENT) /* it may be there: what is not known is not written down as gone */
            return -errno;
        present = false;
    }
    present = present && S_ISREG(st.st_mode) && (uint64_t)st.st_size == get_u64(j, "size");
    *out = blob_adopt(fs, name, get_u64(j, "size"), present);
    return *out ? 0 : -ENOMEM;
}

static int index_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; name && i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return (int)i;
    return -EPROTO;
}

static int read_input(struct session *s, const cJSON *o)
{
    const char *name = get_text(o, "name");
    int state = index_of(get_text(o, "state"), state_names, COUNT(state_names));
    struct input *in;
    int r;

    if (!name || !names_well_formed(name) || state < 0)
        return -EPROTO;
    in = input_new(s, name);
    if (!in)
        return -ENOMEM;
    in->state = state;
    in->mtime = get_time(o, "mtime");
    in->atime = get_time(o, "atime");
    in->ctime = in->mtime;
    in->error = (int)get_ms(o, "error");
    in->unreported = get_bool(o, "unreported");
    if ((r = get_blob(s->fs, o, "content", &in->content)) ||
        (r = copy_text(o, "link", &in->link)) || (r = copy_text(o, "url", &in->url)) ||
        (r = copy_text(o, "words", &in->words)))
        return r;
    if (!in->content && !in->link)
        return -EPROTO;
    /* Nowhere to get it from: it was on its way out when the program ended. */
    if (in->content && !in->content->present && !in->url)
        input_remove(in);
    return 0;
}

static int read_inputs(struct session *s, const cJSON *o)
{
    const cJSON *item;
    int r;

    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(o, "inputs"))
    {
        r = read_input(s, item);
        if (r)
            return r;
    }
    return 0;
}

static int read_output(struct session *s, const cJSON *j)
{
    struct blob *b;
    int r = get_blob(s->fs, j, "blob", &b);

    if (r)
        return r;
    if (!b || !b->present) {
        blob_unref(b);
        return 0;
    }
    s->output = output_new(s->fs, b, get_u64(j, "fingerprint"), get_ms(j, "duration_ms"),
                           get_time(j, "time"));
    return s->output ? 0 : -ENOMEM;
}

static int read_work(struct session *s, const cJSON *o)
{
    const cJSON *j;
    int r;

    j = cJSON_GetObjectItemCaseSensitive(o, "sent");
    if (j) {
        r = job_restore(s, get_text(j, "message"), get_bool(j, "before"));
        if (r)
            return r;
    }
    j = cJSON_GetObjectItemCaseSensitive(o, "render");
    if (j) {
        r = render_restore(s, get_text(j, "id"), get_u64(j, "fingerprint"),
                           get_ms(j, "duration_ms"));
        if (r)
            return r;
        s->render->again = get_bool(j, "again");
        s->render->renewed = get_bool(j, "renewed");
    }
    j = cJSON_GetObjectItemCaseSensitive(o, "output");
    if (j) {
        r = read_output(s, j);
        if (r)
            return r;
    }
    return 0;
}

static int read_session(struct session *s, const cJSON *o)
{
    const cJSON *draft = cJSON_GetObjectItemCaseSensitive(o, "draft");
    const cJSON *reply = cJSON_GetObjectItemCaseSensitive(o, "reply");
    struct reply *r = reply_stored(get_u64(reply, "size"), get_time(reply, "time"));
    int error;

    if (!r)
        return -ENOMEM;
    session_set_reply(s, r);
    if ((error = copy_text(o, "session_id", &s->id)) ||
        (error = copy_text(o, "task_id", &s->task_id)) ||
        (error = copy_text(o, "user_id", &s->user_id)) ||
        (error = copy_text(o, "message", &s->message)) ||
        (error = copy_text(o, "error", &s->error)) || (error = copy_text(o, "hint", &s->hint)))
        return error;
    error = index_of(get_text(o, "error_of"), error_names, COUNT(error_names));
    s->error_of = error < 0 ? ERROR_OF_WORK : error;
    s->connection = s->id ? CONNECTION_MADE : CONNECTION_NONE;
    s->message_time = get_time(o, "message_time");
    s->fingerprint = get_u64(draft, "fingerprint");
    s->duration_ms = get_ms(draft, "duration_ms");
    s->ready = get_bool(draft, "ready");
    s->state_size = get_u64(draft, "state_size");
    s->timeline_size = get_u64(draft, "timeline_size");
    s->state_changed = get_time(draft, "time");
    if ((error = read_inputs(s, o)) || (error = read_work(s, o)))
        return error;
    /* last: reading the parts has touched them */
    s->created = get_time(o, "created");
    s->changed = get_time(o, "changed");
    s->inputs_changed = get_time(o, "inputs_changed");
    return 0;
}

/* What was read so far goes; what is on disk stays as it is. */
static void give_up(struct session *s)
{
    struct input *in, *next;

    s->stored_away = true;
    HASH_ITER(hh_name, s->inputs, in, next)
    if (in->content)
        in->content->kept = true;
    if (s->output)
        s->output->blob->kept = true;
    session_remove(s);
}

/* Two renames of which one was recorded can leave two sessions with one name: the later one found
 * gets a number. */
static int free_name(struct fs *fs, const char *name, char out[NAMES_MAX + 1])
{
    size_t len = strlen(name);
    char number[16] = "";

    for (int n = 2; n <= SESSIONS_MAX; n++) {
        if (len + strlen(number) > NAMES_MAX)
            return -EEXIST;
        memcpy(out, name, len);
        strcpy(out + len, number);
        if (!session_find(fs, out))
            return 0;
        snprintf(number, sizeof(number), " (%d)", n);
    }
    return -EEXIST;
}

int record_read(struct fs *fs, const char *uuid, const char *text, struct session **out)
{
    char unique[NAMES_MAX + 1];
    cJSON *o = cJSON_Parse(text);
    const char *name = get_text(o, "name");
    struct session *s = NULL;
    struct jsontext value;
    int r = -EPROTO;

    if (!o && !jsontext_parse(text, strlen(text), &value))
        r = -ENOMEM; /* it could have been read */
    if (cJSON_IsObject(o) && get_ms(o, "version") == RECORD_VERSION && name && names_valid(name))
        r = free_name(fs, name, unique);
    if (!r)
        r = session_new(fs, unique, &s);
    if (!r) {
        strncpy(s->uuid, uuid, sizeof(s->uuid) - 1);
        r = read_session(s, o);
        if (r)
            give_up(s);
    }
    if (!r)
        *out = s;
    cJSON_Delete(o);
    return r;
}
