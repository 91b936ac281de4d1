#include "session.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mime.h"

struct session {
    struct session *next;
    struct session_ids ids;
    char user_id[ID_MAX];
    char *name;
    char lang[32];
    struct material *materials;
    size_t material_count;
    char *drafts[SESSION_UNDO_MAX]; /* the last one is current; at least one */
    int draft_count;
    char *lagging; /* what the next `lag` readings see */
    int lag;
    bool editing;
    bool forgotten; /* but an edit still works on it */
};

struct sessions {
    struct backend *b;
    pthread_mutex_t lock;
    pthread_cond_t edit_over;
    struct session *first;
    bool stopping;
};

static void session_free(struct session *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->draft_count; i++)
        free(s->drafts[i]);
    free(s->lagging);
    free(s->materials);
    free(s->name);
    free(s);
}

static char *draft_text(const struct timeline *t)
{
    struct bytes text;

    bytes_init(&text, STORE_RECORD_MAX);
    timeline_write(t, &text);
    return bytes_take(&text, NULL);
}

/* All that follow: with the lock held. */

static struct session *find(struct sessions *ss, const char *session_id)
{
    struct session *s = ss->first;

    while (s && (s->forgotten || strcmp(s->ids.session_id, session_id) != 0))
        s = s->next;
    return s;
}

static void record_material(cJSON *list, const struct material *m)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "id", m->id);
    cJSON_AddStringToObject(o, "name", m->name);
    cJSON_AddNumberToObject(o, "size", (double)m->size);
    cJSON_AddStringToObject(o, "sha256", m->sha256);
    cJSON_AddNumberToObject(o, "kind", m->info.kind);
    cJSON_AddNumberToObject(o, "start", m->info.start_s);
    cJSON_AddNumberToObject(o, "duration", m->info.duration_s);
    cJSON_AddNumberToObject(o, "width", m->info.width);
    cJSON_AddNumberToObject(o, "height", m->info.height);
    cJSON_AddNumberToObject(o, "fps", m->info.fps);
    cJSON_AddBoolToObject(o, "sound", m->info.has_sound);
    cJSON_AddBoolToObject(o, "copyable", m->info.copyable);
    cJSON_AddItemToArray(list, o);
}

static int save(struct sessions *ss, const struct session *s)
{
    char path[STORE_PATH_MAX];
    cJSON *root = cJSON_CreateObject();

    cJSON_AddStringToObject(root, "session_id", s->ids.session_id);
    cJSON_AddStringToObject(root, "task_id", s->ids.task_id);
    cJSON_AddStringToObject(root, "user_id", s->user_id);
    cJSON_AddStringToObject(root, "name", s->name);
    cJSON_AddStringToObject(root, "lang", s->lang);
    cJSON *list = cJSON_AddArrayToObject(root, "materials");
    for (size_t i = 0; i < s->material_count; i++)
        record_material(list, &s->materials[i]);
    list = cJSON_AddArrayToObject(root, "drafts");
    for (int i = 0; i < s->draft_count; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(s->drafts[i]));
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    if (!text)
        return -ENOMEM;
    store_path(&ss->b->store, path, "sessions/%s.json", s->ids.session_id);
    int err = store_write(&ss->b->store, path, text, strlen(text));
    free(text);
    return err;
}

static void read_text(char *out, size_t size, const cJSON *o, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(o, key));

    snprintf(out, size, "%s", text ? text : "");
}

static double read_number(const cJSON *o, const char *key)
{
    const cJSON *n = cJSON_GetObjectItem(o, key);

    return cJSON_IsNumber(n) ? n->valuedouble : 0;
}

static bool add_material(struct session *s, const struct material *m)
{
    struct material *list = reallocarray(s->materials, s->material_count + 1, sizeof(*list));

    if (!list)
        return false;
    s->materials = list;
    list[s->material_count++] = *m;
    return true;
}

static bool read_material(struct session *s, const cJSON *o)
{
    struct material m = {0};

    read_text(m.id, sizeof(m.id), o, "id");
    read_text(m.name, sizeof(m.name), o, "name");
    read_text(m.sha256, sizeof(m.sha256), o, "sha256");
    m.mime = mime_of(m.name);
    m.size = (uint64_t)read_number(o, "size");
    m.info.kind = (enum media_kind)read_number(o, "kind");
    m.info.start_s = read_number(o, "start");
    m.info.duration_s = read_number(o, "duration");
    m.info.width = (int)read_number(o, "width");
    m.info.height = (int)read_number(o, "height");
    m.info.fps = read_number(o, "fps");
    m.info.has_sound = cJSON_IsTrue(cJSON_GetObjectItem(o, "sound"));
    m.info.copyable = cJSON_IsTrue(cJSON_GetObjectItem(o, "copyable"));
    return id_is_plain(m.id) && m.mime && add_material(s, &m);
}

static struct session *parse(const cJSON *root)
{
    struct session *s = calloc(1, sizeof(*s));
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(root, "name"));
    const cJSON *o;
    bool ok = s != NULL;

    if (ok) {
        read_text(s->ids.session_id, ID_MAX, root, "session_id");
        read_text(s->ids.task_id, ID_MAX, root, "task_id");
        read_text(s->user_id, ID_MAX, root, "user_id");
        read_text(s->lang, sizeof(s->lang), root, "lang");
        s->name = strdup(name ? name : "");
        ok = s->name && id_is_plain(s->ids.session_id);
    }
    cJSON_ArrayForEach(o, cJSON_GetObjectItem(root, "materials")) ok = ok && read_material(s, o);
    cJSON_ArrayForEach(o, cJSON_GetObjectItem(root, "drafts"))
    {
        const char *text = cJSON_GetStringValue(o);
        ok = ok && text && s->draft_count < SESSION_UNDO_MAX &&
             (s->drafts[s->draft_count] = strdup(text));
        s->draft_count += ok;
    }
    if (ok && s->draft_count > 0)
        return s;
    session_free(s);
    return NULL;
}

static void load_one(void *user, const char *stem)
{
    struct sessions *ss = user;
    struct bytes text;
    char path[STORE_PATH_MAX];

    store_path(&ss->b->store, path, "sessions/%s.json", stem);
    bytes_init(&text, STORE_RECORD_MAX);
    int err = store_read(path, &text);
    cJSON *root = err || !text.data ? NULL : cJSON_ParseWithLength(text.data, text.len);
    bytes_release(&text);
    struct session *s = root ? parse(root) : NULL;
    cJSON_Delete(root);
    if (!s) {
        fprintf(stderr, "nemo-local: %s is unreadable\n", path);
        return;
    }
    s->next = ss->first;
    ss->first = s;
}

/* Without the lock from here on. */

struct sessions *sessions_new(struct backend *b)
{
    struct sessions *ss = calloc(1, sizeof(*ss));

    if (!ss)
        return NULL;
    ss->b = b;
    pthread_mutex_init(&ss->lock, NULL);
    pthread_cond_init(&ss->edit_over, NULL);
    store_list(&b->store, "sessions", ".json", load_one, ss);
    return ss;
}

void sessions_free(struct sessions *ss)
{
    if (!ss)
        return;
    while (ss->first) {
        struct session *s = ss->first;
        ss->first = s->next;
        session_free(s);
    }
    pthread_cond_destroy(&ss->edit_over);
    pthread_mutex_destroy(&ss->lock);
    free(ss);
}

void sessions_stop(struct sessions *ss)
{
    pthread_mutex_lock(&ss->lock);
    ss->stopping = true;
    pthread_cond_broadcast(&ss->edit_over);
    pthread_mutex_unlock(&ss->lock);
}

int sessions_create(struct sessions *ss, const char *user_id, const char *name, const char *lang,
                    struct session_ids *out)
{
    struct timeline nothing = {0};
    struct session *s = calloc(1, sizeof(*s));
    int err = -ENOMEM;

    if (!s)
        return err;
    id_decimal(s->ids.session_id);
    id_decimal(s->ids.task_id);
    snprintf(s->user_id, sizeof(s->user_id), "%s", user_id);
    snprintf(s->lang, sizeof(s->lang), "%s", lang);
    s->name = strdup(name);
    s->drafts[0] = draft_text(&nothing);
    s->draft_count = s->drafts[0] != NULL;
    if (s->name && s->drafts[0]) {
        pthread_mutex_lock(&ss->lock);
        err = save(ss, s);
        if (!err) {
            *out = s->ids;
            s->next = ss->first;
            ss->first = s;
            s = NULL;
        }
        pthread_mutex_unlock(&ss->lock);
    }
    session_free(s);
    return err;
}

int sessions_check(struct sessions *ss, const char *session_id, const char *user_id)
{
    pthread_mutex_lock(&ss->lock);
    struct session *s = find(ss, session_id);
    int err = s && strcmp(s->user_id, user_id) == 0 ? 0 : -ENOENT;
    pthread_mutex_unlock(&ss->lock);
    return err;
}

int sessions_add(struct sessions *ss, const char *session_id, const struct material *m)
{
    int err = -ENOENT;

    pthread_mutex_lock(&ss->lock);
    struct session *s = find(ss, session_id);
    if (s && s->material_count >= SESSION_MATERIALS_MAX)
        err = -ENOSPC;
    else if (s)
        err = add_material(s, m) ? save(ss, s) : -ENOMEM;
    pthread_mutex_unlock(&ss->lock);
    return err;
}

void sessions_media_url(const struct backend *b, const char *kind, const char *id, const char *name,
                        char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size, "%s/media/%s/%s/", b->media_url, kind, id);

    for (const unsigned char *c = (const unsigned char *)name; *c && len + 4 < size; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || strchr("-_.~", *c);
        len += (size_t)snprintf(out + len, size - len, plain ? "%c" : "%%%02X", *c);
    }
}

static void write_info(const struct backend *b, const struct material *m, struct bytes *out)
{
    char url[4096];

    sessions_media_url(b, "input", m->id, m->name, url, sizeof(url));
    bytes_text(out, "{\"filename\":");
    bytes_json(out, m->name);
    bytes_format(out, ",\"file_type\":\"%s\",\"cdn_url\":\"%s\",\"duration\":%.6f,", m->mime, url,
                 m->info.duration_s);
    bytes_format(out, "\"width\":%d,\"height\":%d,\"fps\":%.6f,\"hash\":\"%s\",\"id\":\"%s\"}",
                 m->info.width, m->info.height, m->info.fps, m->sha256, m->id);
}

int sessions_state(struct sessions *ss, const char *session_id, struct bytes *out)
{
    pthread_mutex_lock(&ss->lock);
    struct session *s = find(ss, session_id);
    if (s) {
        const char *draft = s->drafts[s->draft_count - 1];
        if (s->lag > 0 && s->lagging) {
            s->lag--;
            draft = s->lagging;
        }
        bytes_format(out, "{\"draft\":%s,\"video_infos\":[", draft);
        for (size_t i = 0; i < s->material_count; i++) {
            bytes_text(out, i ? "," : "");
            write_info(ss->b, &s->materials[i], out);
        }
        bytes_text(out, "],\"generated_media\":[],\"canvas_config\":{\"ratio\":\"original\"}}");
    }
    pthread_mutex_unlock(&ss->lock);
    return s ? 0 : -ENOENT;
}

int sessions_material(struct sessions *ss, const char *id, struct material *out)
{
    int err = -ENOENT;

    pthread_mutex_lock(&ss->lock);
    for (struct session *s = ss->first; s && err; s = s->next) {
        for (size_t i = 0; i < s->material_count && err; i++) {
            if (strcmp(s->materials[i].id, id) == 0) {
                *out = s->materials[i];
                err = 0;
            }
        }
    }
    pthread_mutex_unlock(&ss->lock);
    return err;
}

int sessions_begin(struct sessions *ss, const char *session_id)
{
    struct session *s;

    pthread_mutex_lock(&ss->lock);
    while ((s = find(ss, session_id)) && s->editing && !ss->stopping)
        pthread_cond_wait(&ss->edit_over, &ss->lock);
    int err = !s ? -ENOENT : ss->stopping ? -ECANCELED : 0;
    if (!err)
        s->editing = true;
    pthread_mutex_unlock(&ss->lock);
    return err;
}

void sessions_end(struct sessions *ss, const char *session_id)
{
    pthread_mutex_lock(&ss->lock);
    struct session *s = find(ss, session_id);
    if (s)
        s->editing = false;
    pthread_cond_broadcast(&ss->edit_over);
    pthread_mutex_unlock(&ss->lock);
}

int sessions_newest(struct sessions *ss, const char *session_id, enum media_kind kind,
                    const char *text, struct material *out)
{
    const struct material *best = NULL;
    bool named = false;

    pthread_mutex_lock(&ss->lock);
    struct session *s = find(ss, session_id);
    for (size_t i = 0; s && i < s->material_count; i++) {
        const struct material *m = &s->materials[i];
        bool is_named = strcasestr(text, m->name) != NULL;
        if (m->info.kind != kind || (named && !is_named))
            continue;
        best = m;
        named = is_named;
    }
    if (best)
        *out = *best;
    pthread_mutex_unlock(&ss->lock);
    return best ? 0 : -ENOENT;
}

int sessions_timeline(struct sessions *ss, const char *session_id, struct timeline *out)
{
    pthread_mutex_lock(&ss->lock);
    struct session *s = find(ss, session_id);
    const char *draft = s ? s->drafts[s->draft_count - 1] : "";
    int err = s ? timeline_read(draft, strlen(draft), out) : -ENOENT;
    pthread_mutex_unlock(&ss->lock);
    return err;
}

/* With the lock held: what the next readings see instead. */
static void set_lag(struct session *s, int lag)
{
    free(s->lagging);
    s->lagging = lag > 0 ? strdup(s->drafts[s->draft_count - 1]) : NULL;
    s->lag = lag;
}

int sessions_commit(struct sessions *ss, const char *session_id, const struct timeline *t, int lag)
{
    char *draft = draft_text(t);
    int err = draft ? -ENOENT : -ENOMEM;

    pthread_mutex_lock(&ss->lock);
    struct session *s = draft ? find(ss, session_id) : NULL;
    if (s) {
        set_lag(s, lag);
        if (s->draft_count == SESSION_UNDO_MAX) {
            free(s->drafts[0]);
            memmove(s->drafts, s->drafts + 1, sizeof(s->drafts) - sizeof(s->drafts[0]));
            s->draft_count--;
        }
        s->drafts[s->draft_count++] = draft;
        draft = NULL;
        err = save(ss, s);
    }
    pthread_mutex_unlock(&ss->lock);
    free(draft);
    return err;
}

int sessions_undo(struct sessions *ss, const char *session_id, int lag)
{
    int err = -ENOENT;

    pthread_mutex_lock(&ss->lock);
    struct session *s = find(ss, session_id);
    if (s && s->draft_count < 2) {
        err = -ENODATA;
    } else if (s) {
        set_lag(s, lag);
        free(s->drafts[--s->draft_count]);
        err = save(ss, s);
    }
    pthread_mutex_unlock(&ss->lock);
    return err;
}

bool sessions_knows_draft(struct sessions *ss, const char *session_id, const char *draft,
                          size_t len)
{
    bool known = false;

    pthread_mutex_lock(&ss->lock);
    struct session *s = find(ss, session_id);
    for (int i = 0; s && i < s->draft_count && !known; i++)
        known = strlen(s->drafts[i]) == len && memcmp(s->drafts[i], draft, len) == 0;
    pthread_mutex_unlock(&ss->lock);
    return known;
}

void sessions_list(struct sessions *ss, struct bytes *out)
{
    const char *comma = "";

    bytes_text(out, "[");
    pthread_mutex_lock(&ss->lock);
    for (struct session *s = ss->first; s; s = s->next) {
        if (s->forgotten)
            continue;
        bytes_format(out, "%s{\"session_id\":\"%s\",\"task_id\":\"%s\",\"name\":", comma,
                     s->ids.session_id, s->ids.task_id);
        bytes_json(out, s->name);
        bytes_text(out, ",\"language\":");
        bytes_json(out, s->lang);
        bytes_format(out,
                     ",\"user_id\":\"%s\",\"files\":%zu,\"drafts\":%d,\"editing\":%s,\"draft\":",
                     s->user_id, s->material_count, s->draft_count, s->editing ? "true" : "false");
        bytes_json(out, s->drafts[s->draft_count - 1]);
        bytes_text(out, "}");
        comma = ",\n";
    }
    pthread_mutex_unlock(&ss->lock);
    bytes_text(out, "]\n");
}

void sessions_files(struct sessions *ss, struct bytes *out)
{
    const char *comma = "";

    bytes_text(out, "[");
    pthread_mutex_lock(&ss->lock);
    for (struct session *s = ss->first; s; s = s->next) {
        for (size_t i = 0; i < s->material_count; i++) {
            const struct material *m = &s->materials[i];
            bytes_format(out, "%s{\"session\":\"%s\",\"name\":", comma, s->ids.session_id);
            bytes_json(out, m->name);
            bytes_format(out,
                         ",\"size\":%" PRIu64 ",\"sha256\":\"%s\",\"mime\":\"%s\",\"id\":\"%s\"}",
                         m->size, m->sha256, m->mime, m->id);
            comma = ",\n";
        }
    }
    pthread_mutex_unlock(&ss->lock);
    bytes_text(out, "]\n");
}

int sessions_forget(struct sessions *ss, const char *session_id)
{
    char path[STORE_PATH_MAX];

    pthread_mutex_lock(&ss->lock);
    struct session *s = find(ss, session_id);
    if (s) {
        s->forgotten = true;
        store_path(&ss->b->store, path, "sessions/%s.json", s->ids.session_id);
        unlink(path);
        pthread_cond_broadcast(&ss->edit_over);
    }
    pthread_mutex_unlock(&ss->lock);
    return s ? 0 : -ENOENT;
}
