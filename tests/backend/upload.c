#include "upload.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "calls.h"
#include "fetch.h"
#include "mime.h"
#include "session.h"

#define FORM_BUFFER 65536

/* One file on its way in. */
struct part {
    char name[TIMELINE_NAME_MAX];
    char path[STORE_PATH_MAX]; /* in tmp/ */
    int fd;                    /* -1: nothing is written (unsupported, too large, failed) */
    uint64_t size;
    struct sha256_ctx sha;
    int err; /* -EOPNOTSUPP, -EFBIG, -EACCES (could not be fetched), or a local failure */
};

struct upload {
    struct request *r;
    struct MHD_PostProcessor *form;
    bool bad_form;
    struct part parts[UPLOAD_PARTS_MAX];
    int count;
};

/* The last part of a path, whichever system's. */
static const char *base_name(const char *name)
{
    for (const char *c = name; *c; c++) {
        if (*c == '/' || *c == '\\')
            name = c + 1;
    }
    return *name ? name : "file";
}

static struct part *part_begin(struct upload *u, const char *name)
{
    if (u->count == UPLOAD_PARTS_MAX)
        return NULL;
    struct part *p = &u->parts[u->count++];
    snprintf(p->name, sizeof(p->name), "%s", base_name(name));
    p->fd = -1;
    sha256_init(&p->sha);
    if (!mime_of(p->name)) {
        p->err = -EOPNOTSUPP;
        return p;
    }
    p->fd = store_temporary(&u->r->b->store, p->path);
    if (p->fd < 0)
        p->err = p->fd;
    return p;
}

static void part_stop(struct part *p, int err)
{
    p->err = err;
    if (p->fd >= 0) {
        close(p->fd);
        unlink(p->path);
    }
    p->fd = -1;
}

static void part_feed(const struct upload *u, struct part *p, const char *data, size_t size)
{
    if (p->fd < 0)
        return;
    p->size += size;
    if (p->size > u->r->b->options.max_upload) {
        part_stop(p, -EFBIG);
        return;
    }
    sha256_update(&p->sha, size, (const uint8_t *)data);
    int err = store_write_all(p->fd, data, size);
    if (err)
        part_stop(p, err);
}

static enum MHD_Result on_form(void *user, enum MHD_ValueKind kind, const char *key,
                               const char *filename, const char *type, const char *encoding,
                               const char *data, uint64_t off, size_t size)
{
    struct upload *u = user;
    struct part *p = u->count ? &u->parts[u->count - 1] : NULL;

    (void)kind;
    (void)type;
    (void)encoding;
    if (!key || strcmp(key, "files") != 0 || !filename)
        return MHD_YES;
    /* A part may begin with an empty piece. */
    bool same = p && off == 0 && p->size == 0 && strcmp(p->name, base_name(filename)) == 0;
    if (off == 0 && !same)
        p = part_begin(u, filename);
    if (!p)
        return MHD_NO;
    part_feed(u, p, data, size);
    return MHD_YES;
}

struct upload *upload_new(struct request *r)
{
    const char *type = request_header(r, "Content-Type");

    if (!type || strncasecmp(type, "multipart/form-data", 19) != 0 || r->account < 0)
        return NULL;
    struct upload *u = calloc(1, sizeof(*u));
    if (!u)
        return NULL;
    u->r = r;
    u->form = MHD_create_post_processor(r->connection, FORM_BUFFER, on_form, u);
    u->bad_form = !u->form;
    return u;
}

void upload_feed(struct upload *u, const char *data, size_t size)
{
    if (!u->bad_form && MHD_post_process(u->form, data, size) != MHD_YES)
        u->bad_form = true;
}

void upload_free(struct upload *u)
{
    if (!u)
        return;
    if (u->form)
        MHD_destroy_post_processor(u->form);
    for (int i = 0; i < u->count; i++)
        part_stop(&u->parts[i], 0);
    free(u);
}

/* Makes the part a material of the session. */
static int part_keep(struct upload *u, struct part *p, struct material *m)
{
    struct backend *b = u->r->b;
    char path[STORE_PATH_MAX];
    uint8_t raw[SHA256_DIGEST_SIZE];

    memset(m, 0, sizeof(*m));
    id_hex(m->id, "", 16);
    snprintf(m->name, sizeof(m->name), "%s", p->name);
    m->mime = mime_of(p->name);
    m->size = p->size;
    sha256_digest(&p->sha, sizeof(raw), raw);
    hex_of(m->sha256, raw, sizeof(raw));
    int err = probe_file(p->path, b->stop_fd, &m->info);
    store_path(&b->store, path, "media/%s", m->id);
    if (!err && rename(p->path, path) != 0)
        err = -errno;
    if (err)
        return err;
    close(p->fd);
    p->fd = -1;
    err = sessions_add(b->sessions, u->r->arg, m);
    if (err)
        unlink(path);
    return err;
}

static void refuse(struct answer *a, const struct part *p)
{
    char words[TIMELINE_NAME_MAX + 64];

    if (p->err == -EOPNOTSUPP) {
        snprintf(words, sizeof(words), "unsupported file type: %s", p->name);
        answer_code(a, 200, 4001, words);
    } else if (p->err == -EFBIG) {
        snprintf(words, sizeof(words), "file too large: %s", p->name);
        answer_code(a, 413, 4002, words);
    } else if (p->err == -EACCES) {
        snprintf(words, sizeof(words), "cannot fetch %s", p->name);
        answer_code(a, 200, 4003, words);
    } else {
        answer_broken(a);
    }
}

static void write_file(const struct request *r, const struct material *m, struct bytes *out)
{
    const char *url = r->fx.output_url;
    char own[4096];

    if (!url) {
        sessions_media_url(r->b, "input", m->id, m->name, own, sizeof(own));
        url = own;
    }
    bytes_text(out, "{\"filename\":");
    bytes_json(out, m->name);
    bytes_format(out, ",\"file_type\":\"%s\",\"cdn_url\":", m->mime);
    bytes_json(out, url);
    bytes_format(out, ",\"hash\":\"%s\"", m->sha256);
    if (m->info.duration_s > 0)
        bytes_format(out, ",\"duration\":%.6f", m->info.duration_s);
    if (m->info.width > 0)
        bytes_format(out, ",\"width\":%d,\"height\":%d", m->info.width, m->info.height);
    if (m->info.fps > 0)
        bytes_format(out, ",\"fps\":%.6f", m->info.fps);
    bytes_text(out, "}");
}

static void keep_all(struct upload *u, struct answer *a)
{
    struct bytes out;
    struct material m;

    for (int i = 0; i < u->count; i++) {
        if (u->parts[i].err) {
            refuse(a, &u->parts[i]);
            return;
        }
    }
    bytes_init(&out, STORE_RECORD_MAX);
    bytes_text(&out, "{\"files\":[");
    for (int i = 0; i < u->count; i++) {
        int err = part_keep(u, &u->parts[i], &m);
        if (err) {
            bytes_release(&out);
            if (err == -ENOENT)
                answer_no_session(a);
            else
                answer_broken(a);
            return;
        }
        bytes_text(&out, i ? "," : "");
        write_file(u->r, &m, &out);
    }
    bytes_text(&out, "]}");
    answer_data(a, &out);
}

/* What the fetched URL brought; it ends in a part. */
static int on_fetched(void *user, const char *data, size_t size)
{
    struct upload *u = user;
    struct part *p = &u->parts[u->count - 1];

    part_feed(u, p, data, size);
    return p->err;
}

static void fetch_all(struct upload *u, const cJSON *urls)
{
    const cJSON *url;
    char name[TIMELINE_NAME_MAX];

    cJSON_ArrayForEach(url, urls)
    {
        const char *text = cJSON_GetStringValue(url);
        fetch_name(text ? text : "", name, sizeof(name));
        struct part *p = part_begin(u, name);
        if (!p)
            return;
        if (p->err)
            continue;
        int err = fetch_url(text, u->r->b->stop_fd, u->r->b->options.max_upload, on_fetched, u);
        if (err && !p->err)
            part_stop(p, err == -EFBIG ? err : -EACCES);
    }
}

/* {"urls":[…],"source_type":"url"} */
static void upload_urls(struct request *r, struct answer *a)
{
    cJSON *body =
        r->body.data && !r->body.failed ? cJSON_ParseWithLength(r->body.data, r->body.len) : NULL;
    const cJSON *urls = cJSON_GetObjectItemCaseSensitive(body, "urls");
    struct upload *u = calloc(1, sizeof(*u));

    if (!u) {
        answer_broken(a);
    } else if (!cJSON_IsArray(urls) || cJSON_GetArraySize(urls) < 1) {
        answer_bad_body(a);
    } else {
        u->r = r;
        fetch_all(u, urls);
        keep_all(u, a);
    }
    upload_free(u);
    cJSON_Delete(body);
}

void call_upload(struct request *r, struct answer *a)
{
    if (sessions_check(r->b->sessions, r->arg, r->user_id) != 0) {
        answer_no_session(a);
        return;
    }
    if (!r->upload) {
        upload_urls(r, a);
        return;
    }
    struct MHD_PostProcessor *form = r->upload->form;
    r->upload->form = NULL;
    bool whole = form && MHD_destroy_post_processor(form) == MHD_YES;
    if (!whole || r->upload->bad_form || r->upload->count == 0)
        answer_bad_body(a);
    else
        keep_all(r->upload, a);
}
