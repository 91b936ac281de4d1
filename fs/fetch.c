#include "fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "errnos.h"
#include "names.h"
#include "text.h"

struct fetch {
    struct input *input;
    struct blob *blob;
    struct parked_list openers;
    struct store_job job;
    client_call call;
    int fd;
    int error;
};

bool fetch_is_needed(const struct input *in)
{
    return !in->work && in->content && !in->content->present && in->content->fd < 0;
}

static void refuse(struct handle *h, struct parked *p, int error)
{
    h->input->writers -= h->writable;
    park_error(h->fs, p, error);
    handle_free(h);
}

static void opener_gives_up(struct fs *fs, struct parked *p, void *owner, int error)
{
    (void)fs;
    refuse(owner, p, error);
}

static void end(struct fetch *g, int error)
{
    struct fs *fs = g->input->session->fs;
    struct parked *p;

    g->input->fetch = NULL;
    while ((p = TAILQ_FIRST(&g->openers))) {
        struct handle *h = park_owner(p);

        if (error) {
            refuse(h, p, error);
        } else {
            handle_hold_content(h);
            h->asking.fi.keep_cache = handle_keeps_cache(h);
            park_open(fs, p, &h->asking.fi);
        }
    }
    if (g->fd >= 0)
        fs_defer_close(fs, g->fd);
    blob_unref(g->blob);
    input_unref(g->input);
    free(g);
}

/* Asking again does not bring it back. */
static bool is_gone(const struct fault *f)
{
    return f->kind == FAULT_NOT_FOUND || f->kind == FAULT_FORBIDDEN || f->kind == FAULT_PROTOCOL ||
           (f->kind == FAULT_SERVER && !fault_is_passing(f));
}

static void tell(struct input *in, const struct fault *f)
{
    char words[ERROR_WORDS_MAX], hint[ERROR_WORDS_MAX], line[2 * ERROR_WORDS_MAX];
    char name[NAMES_MAX + 1];

    session_fault_text(in->session, f, words, hint);
    input_shown_name(in, name);
    snprintf(line, sizeof(line), _("%s could not be fetched again: %s"), name, words);
    session_failed_words(in->session, line, is_gone(f) ? _("Copy it in again.") : hint);
}

static void fetched(void *user, const struct fault *f, uint64_t size)
{
    struct fetch *g = user;
    struct session *s = g->input->session;
    struct fs *fs = s->fs;
    struct fault other = fault_make(FAULT_PROTOCOL, _("a file of another length"));
    int error;

    if (f->kind == FAULT_TOO_LARGE || (f->kind == FAULT_NONE && size != g->blob->size))
        f = &other; /* not the bytes that were uploaded */
    error = errnos_of(f);
    fs_lock(fs);
    if (!error) {
        g->input->revision++;
        fs->cache_used += size;
        if (fs->cache_used > fs->options->cache_size)
            inputs_evict(fs, fs->cache_used - fs->options->cache_size);
        g->blob->present = true; /* from now on it could be dropped itself */
        g->input->unsynced |= g->input->content == g->blob;
        store_save(s, NULL, NULL);
    } else if (f->kind != FAULT_CANCELLED) {
        tell(g->input, f);
    }
    end(g, error);
    fs_unlock(fs);
}

static void make_file(struct fs *fs, struct store_job *job)
{
    struct fetch *g = container_of(job, struct fetch, job);

    g->fd = openat(fs->cache_dir, g->blob->name,
                   O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    g->error = g->fd < 0 ? errno : 0;
}

static void file_made(struct fs *fs, struct store_job *job)
{
    struct fetch *g = container_of(job, struct fetch, job);
    struct client_download what = {.url = g->input->url, .fd = g->fd, .max_size = g->blob->size};
    int error = g->error;

    if (!error)
        error = -client_download(fs->client, &what, NULL, fetched, g, &g->call);
    if (error)
        end(g, error);
}

void fetch_for_open(struct handle *h, struct parked *p, const struct fuse_file_info *fi)
{
    struct input *in = h->input;
    struct fs *fs = h->fs;
    struct fetch *g = in->fetch;

    h->asking.fi = *fi;
    h->asking.fi.fh = (uintptr_t)h;
    if (!g) {
        g = in->url ? calloc(1, sizeof(*g)) : NULL;
        if (!g) {
            refuse(h, p, in->url ? ENOMEM : EIO);
            return;
        }
        g->input = input_ref(in);
        g->blob = blob_ref(in->content);
        g->fd = -1;
        TAILQ_INIT(&g->openers);
        in->fetch = g;
        g->job = (struct store_job){.run = make_file, .done = file_made};
        store_run(fs, &g->job);
    }
    park_wait(fs, p, &g->openers, 0, opener_gives_up, h);
}
