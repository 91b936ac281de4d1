#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "draft.h"
#include "errnos.h"
#include "fetch.h"
#include "handle.h"
#include "inputs.h"
#include "lookout.h"
#include "output.h"
#include "prompt.h"
#include "query.h"
#include "reply.h"

/* ---- opening ---- */

static void answer_ask(struct handle *h, int error)
{
    struct fs *fs = h->fs;
    struct parked *p = h->asking.opener;

    query_leave(&h->asking.wait);
    h->asking.opener = NULL;
    if (!error && !h->snapshot)
        error = ENOMEM;
    if (error) {
        park_error(fs, p, error);
        handle_free(h);
        return;
    }
    park_open(fs, p, &h->asking.fi);
}

/* What an open of the file sees of a fresh answer. NULL: no memory. */
static struct bytes *snapshot_of(const struct fs *fs, enum node_kind kind,
                                 const struct state_news *news)
{
    switch (kind) {
    case NODE_STATE:
        return bytes_ref(news->text);
    case NODE_TIMELINE:
        return bytes_ref(news->timeline);
    default:
        return query_credits_text(fs);
    }
}

static void asked(struct fs *fs, struct query_wait *w, const struct fault *f,
                  const struct state_news *news)
{
    struct handle *h = container_of(w, struct handle, asking.wait);

    if (f->kind == FAULT_TIMEOUT || f->kind == FAULT_UNREACHABLE)
        query_set_down(fs);
    if (h->session) /* else the file is the root's */
        session_tell(h->session, ERROR_OF_QUERY, f);
    if (f->kind == FAULT_NONE)
        h->snapshot = snapshot_of(fs, h->kind, news);
    answer_ask(h, errnos_of(f));
}

static void tell_no_answer(struct session *s)
{
    struct fault late = fault_make(FAULT_TIMEOUT, NULL);

    if (s)
        session_tell(s, ERROR_OF_QUERY, &late);
}

static void asker_gives_up(struct fs *fs, struct parked *p, void *owner, int error)
{
    struct handle *h = owner;

    (void)p;
    if (error == ETIMEDOUT) {
        query_set_down(fs);
        tell_no_answer(h->session);
    }
    answer_ask(h, error);
}

/* Lock held. */
static void ask(struct handle *h, struct parked *p, const struct fuse_file_info *fi)
{
    struct fs *fs = h->fs;

    h->asking.opener = p;
    h->asking.fi = *fi;
    h->asking.fi.fh = (uintptr_t)h;
    h->asking.wait.done = asked;
    if (query_is_down(fs)) {
        /* once: it may be asked often meanwhile */
        if (h->session && h->session->error_of != ERROR_OF_QUERY)
            tell_no_answer(h->session);
        answer_ask(h, ETIMEDOUT);
        return;
    }
    park_wait(fs, p, &fs->askers, clock_ms() + QUERY_OPEN_MS, asker_gives_up, h);
    if (h->kind == NODE_STATE || h->kind == NODE_TIMELINE)
        query_state(h->session, &h->asking.wait);
    else
        query_balance(fs, &h->asking.wait);
}

/* The last answer, unasked. No lock. */
static int take_last(struct handle *h)
{
    struct fs *fs = h->fs;
    struct session *s = h->session;
    struct bytes *state = NULL;
    char *data = NULL;
    size_t len, size = 0;
    int r = 0;

    fs_lock(fs);
    if (h->kind == NODE_CREDITS || h->kind == NODE_BALANCE) {
        h->snapshot = query_credits_text(fs);
    } else {
        state = bytes_ref(s->state);
        size = s->state_size;
    }
    fs_unlock(fs);
    if (!state && size &&
        (r = store_read_file(fs, s->uuid, "state.json", STATE_MAX, &data, &len)) == 0)
        state = bytes_new(data, len);
    free(data);
    if (!h->snapshot && !r)
        h->snapshot = !state                     ? bytes_new("", 0)
                      : h->kind == NODE_TIMELINE ? timeline_text(state)
                                                 : bytes_ref(state);
    bytes_unref(state);
    return r ? r : h->snapshot ? 0 : -ENOMEM;
}

/* No lock. */
static int open_history(struct handle *h)
{
    struct fs *fs = h->fs;
    struct session *s = h->session;
    bool unsaved;
    int fd;

    fs_lock(fs);
    unsaved = s->change != s->saved_change;
    fs_unlock(fs);
    /* What was told elsewhere is in the history by now, if the disk takes it; else it shows what it
     * has. */
    if (unsaved)
        store_save_now(s);
    fd = store_open_file(fs, s->uuid, "history.txt");
    fs_lock(fs);
    h->size = h->session->history_size;
    fs_unlock(fs);
    if (fd < 0)
        return h->size ? fd : 0;
    h->fd = fd;
    return 0;
}

/* No lock. A reply at rest comes from disk. */
static int load_reply(struct handle *h)
{
    struct fs *fs = h->fs;
    char *text;
    size_t len;
    bool needed;
    int r;

    fs_lock(fs);
    needed = h->reply->ended && h->reply->len && !h->reply->text;
    fs_unlock(fs);
    if (!needed)
        return 0;
    r = store_read_file(fs, h->session->uuid, "reply.txt", REPLY_MAX + 4096, &text, &len);
    if (r)
        return r;
    fs_lock(fs);
    reply_set_text(h->reply, text, len);
    fs_unlock(fs);
    return 0;
}

static bool may_write(struct fs *fs, enum node_kind kind, pid_t tid)
{
    return kind == NODE_INPUT || kind == NODE_INSTRUCT ||
           (kind == NODE_STATUS && watch_is_self(fs->watch, tid));
}

/* What needs no waiting. No lock. */
static int open_now(struct handle *h, struct fuse_file_info *fi)
{
    struct fs *fs = h->fs;

    fi->direct_io = 1;
    switch (h->kind) {
    case NODE_README:
        fi->direct_io = 0;
        fi->keep_cache = 1;
        return 0;
    case NODE_STATUS:
        fs_lock(fs);
        h->snapshot = status_text(h->session);
        fs_unlock(fs);
        return h->snapshot ? 0 : -ENOMEM;
    case NODE_HISTORY:
        return open_history(h);
    case NODE_REPLY:
        return load_reply(h);
    case NODE_OUTPUT:
        fi->direct_io = 0;
        fi->keep_cache = 1; /* another video has another inode number */
        return blob_use(h->output->blob);
    case NODE_INPUT:
        fi->direct_io = 0;
        return fi->flags & O_TRUNC ? input_truncate(h->input, 0) : 0;
    case NODE_INSTRUCT:
        return 0;
    default:
        return take_last(h);
    }
}

static bool has_to_wait(const struct handle *h, const struct fuse_file_info *fi)
{
    switch (h->kind) {
    case NODE_INSTRUCT:
        return h->writable;
    case NODE_STATE:
    case NODE_TIMELINE:
    case NODE_CREDITS:
    case NODE_BALANCE:
        return !(fi->flags & O_NOATIME);
    case NODE_INPUT:
        return fetch_is_needed(h->input) && !(fi->flags & O_TRUNC);
    default:
        return false;
    }
}

/* Frees the handle. No lock. */
static void close_handle(struct handle *h)
{
    struct fs *fs = h->fs;

    if (h->kind == NODE_INPUT && h->writable)
        input_released(h->input);
    fs_lock(fs);
    if (h->kind == NODE_OUTPUT && h->open)
        blob_unuse(h->output->blob);
    handle_free(h);
    fs_unlock(fs);
}

void fs_open_unclaimed(struct fs *fs, uint64_t handle)
{
    struct fuse_file_info fi = {.fh = handle};
    struct handle *h = handle_of(&fi);

    if (h->kind == NODE_INSTRUCT && h->writable) {
        fs_lock(fs);
        prompt_release(h, true);
        fs_unlock(fs);
    }
    close_handle(h);
}

static void open_waiting(fuse_req_t req, struct handle *h, struct fuse_file_info *fi)
{
    struct fs *fs = h->fs;
    struct parked *p = park_begin(fs, req);

    if (!p) {
        close_handle(h);
        return;
    }
    fi->direct_io = h->kind != NODE_INPUT;
    fs_lock(fs);
    if (h->kind == NODE_INSTRUCT)
        prompt_open(h, p, fi);
    else if (h->kind == NODE_INPUT)
        fetch_for_open(h, p, fi);
    else
        ask(h, p, fi);
    fs_unlock(fs);
}

void ops_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fs *fs = fuse_req_userdata(req);
    /* Who truncates writes, with O_RDONLY too. */
    bool writable = (fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & O_TRUNC), wait = false;
    struct handle *h = NULL;
    struct node n;
    int r;

    fs_lock(fs);
    r = tree_get(fs, ino, &n);
    if (!r && node_is_dir(&n))
        r = -EISDIR;
    if (!r && writable && !may_write(fs, n.kind, fuse_req_ctx(req)->pid))
        r = -EACCES;
    if (!r && !(h = handle_new(fs, &n)))
        r = -ENOMEM;
    if (!r) {
        h->writable = writable;
        if (h->input)
            h->input->writers += writable;
        wait = has_to_wait(h, fi);
        if (h->input && !wait && !(fi->flags & O_TRUNC)) {
            handle_hold_content(h);
            fi->keep_cache = handle_keeps_cache(h);
        }
    }
    fs_unlock(fs);
    if (r) {
        fuse_reply_err(req, -r);
        return;
    }
    /* Looking at its type is no question. */
    if (wait && h->kind == NODE_STATE && lookout_is_sniffer(fuse_req_ctx(req)->pid))
        wait = false;
    if (wait) {
        open_waiting(req, h, fi);
        return;
    }
    r = open_now(h, fi);
    if (r) {
        close_handle(h);
        fuse_reply_err(req, r == -ENODATA ? EIO : -r);
        return;
    }
    h->open = true;
    fi->fh = (uintptr_t)h;
    if (fuse_reply_open(req, fi) == -ENOENT)
        fs_open_unclaimed(fs, fi->fh);
}

/* ---- writing ---- */

void ops_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
               struct fuse_file_info *fi)
{
    struct handle *h = handle_of(fi);
    ssize_t n = (ssize_t)size;

    (void)ino;
    if (h->kind == NODE_INPUT) {
        n = input_write(h->input, data, size, offset);
    } else if (h->kind == NODE_INSTRUCT) {
        int error;

        fs_lock(h->fs);
        error = prompt_write(h, data, size);
        fs_unlock(h->fs);
        if (error)
            n = -error;
    } /* status.txt: only the watch thread writes, to be seen writing */
    if (n < 0)
        fuse_reply_err(req, (int)-n);
    else
        fuse_reply_write(req, (size_t)n);
}

void ops_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
                   struct fuse_file_info *fi)
{
    struct handle *h = handle_of(fi);
    uint64_t end = (uint64_t)offset + (uint64_t)length;
    uint64_t size;
    int r = 0;

    (void)ino;
    if (h->kind != NODE_INPUT || mode & ~FALLOC_FL_KEEP_SIZE) {
        fuse_reply_err(req, EOPNOTSUPP);
        return;
    }
    fs_lock(h->fs);
    size = input_size(h->input);
    fs_unlock(h->fs);
    if (end > h->fs->options->max_upload)
        r = -EFBIG;
    else if (!(mode & FALLOC_FL_KEEP_SIZE) && end > size)
        r = input_truncate(h->input, end);
    fuse_reply_err(req, -r);
}

/* ---- closing ---- */

void ops_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct handle *h = handle_of(fi);
    struct parked *p;

    (void)ino;
    if (!h->writable || (h->kind != NODE_INPUT && h->kind != NODE_INSTRUCT)) {
        fuse_reply_err(req, 0);
        return;
    }
    p = park_begin(h->fs, req);
    if (!p)
        return;
    if (h->kind == NODE_INPUT)
        input_flush(h->input, p);
    else
        prompt_flush(h, p);
}

void ops_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct handle *h = handle_of(fi);

    (void)ino;
    if (h->kind == NODE_INSTRUCT && h->writable) {
        pid_t tid = fuse_req_ctx(req)->pid;
        bool killed = tid && lookout_is_killed(tid);

        fs_lock(h->fs);
        prompt_release(h, killed);
        fs_unlock(h->fs);
    } else if (h->kind == NODE_INPUT) {
        fs_lock(h->fs);
        handle_has_cached(h);
        fs_unlock(h->fs);
    }
    close_handle(h);
    fuse_reply_err(req, 0);
}
