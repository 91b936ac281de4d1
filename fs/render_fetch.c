/* From the end of a render to output.mp4: a file in the cache, the download, the disk. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blob.h"
#include "output.h"
#include "render_inside.h"
#include "text.h"

static void shown(struct fs *fs, struct saving *w, int error)
{
    struct render *n = container_of(w, struct render, saving);
    struct session *s = n->session;

    (void)error; /* shown all the same; the record is tried again */
    if (render_is_current(n)) {
        watch_output_appeared(fs->watch, s->name);
        if (n->reply)
            output_tell_ready(s, n->reply);
        history_add(s, "output", _("output.mp4 is ready"));
        render_end(n, 0);
    }
    render_unref(n);
}

static void show(struct render *n)
{
    struct session *s = n->session;
    struct blob *b = n->blob;

    n->blob = NULL;
    if (n->used)
        blob_unuse(b);
    n->used = false;
    output_unref(s->output);
    s->output = output_new(s->fs, b, n->fingerprint, n->duration_ms, clock_now());
    if (!s->output) {
        render_fail_local(n, ENOMEM);
        return;
    }
    s->changed = s->output->time;
    if (n->late || !n->after_fault)
        session_succeeded(s);
    n->refs++;
    store_save(s, &n->saving, shown);
}

static void sync_file(struct fs *fs, struct store_job *job)
{
    struct render *n = container_of(job, struct render, job);

    n->job_error = -blob_sync(n->blob);
    if (!n->job_error)
        n->job_error = -blob_sync_names(fs);
}

static void file_synced(struct fs *fs, struct store_job *job)
{
    struct render *n = container_of(job, struct render, job);

    (void)fs;
    if (render_is_current(n)) {
        if (n->job_error)
            render_fail_local(n, n->job_error);
        else
            show(n);
    }
    render_unref(n);
}

static void downloaded(void *user, const struct fault *f, uint64_t size)
{
    struct render *n = user;
    struct fs *fs = n->session->fs;

    fs_lock(fs);
    n->call = 0;
    if (!render_is_current(n) || f->kind == FAULT_CANCELLED) {
        /* dropped, or the next mount goes on */
    } else if (f->kind != FAULT_NONE) {
        render_fail(n, f);
    } else if (blob_resize(n->blob, size)) {
        render_fail_local(n, ENOSPC);
    } else {
        n->phase = RENDER_KEEPING;
        n->job = (struct store_job){.run = sync_file, .done = file_synced};
        n->refs++;
        store_run(fs, &n->job);
    }
    render_unref(n);
    fs_unlock(fs);
}

static void download_progress(void *user, uint64_t received, uint64_t total)
{
    struct render *n = user;
    struct fs *fs = n->session->fs;

    fs_lock(fs);
    n->percent = total ? (int)(received * 100 / total) : -1;
    if (render_is_current(n))
        status_changed(n->session);
    fs_unlock(fs);
}

/* Where to, and from where. */
struct fetching {
    struct store_job job;
    struct render *render;
    struct blob *blob;
    char *url;
    int error;
};

static void make_file(struct fs *fs, struct store_job *job)
{
    struct fetching *g = container_of(job, struct fetching, job);

    g->error = -blob_create(fs, &g->blob);
}

static void file_made(struct fs *fs, struct store_job *job)
{
    struct fetching *g = container_of(job, struct fetching, job);
    struct render *n = g->render;
    struct client_download what = {
        .url = g->url, .render_id = n->id, .max_size = fs->options->cache_size, .expect_mp4 = true};
    int error = g->error;

    if (!error) {
        n->blob = g->blob;
        n->used = true;
    }
    if (render_is_current(n) && !error) {
        what.fd = g->blob->fd;
        n->refs++;
        error = -client_download(fs->client, &what, download_progress, downloaded, n, &n->call);
        if (error)
            n->refs--;
    }
    if (render_is_current(n) && error)
        render_fail_local(n, error);
    render_unref(n);
    free(g->url);
    free(g);
}

void render_fetch(struct render *n, const char *url)
{
    struct session *s = n->session;
    struct fetching *g = calloc(1, sizeof(*g));

    if (g && url)
        g->url = strdup(url);
    if (!g || (url && !g->url)) {
        free(g);
        render_fail_local(n, ENOMEM);
        return;
    }
    n->phase = RENDER_DOWNLOADING;
    n->percent = -1;
    g->render = n;
    n->refs++;
    g->job = (struct store_job){.run = make_file, .done = file_made};
    store_run(s->fs, &g->job);
    status_changed(s);
}
