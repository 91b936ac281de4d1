/* Reads of files, and waiting for more to read. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "handle.h"
#include "inputs.h"
#include "output.h"
#include "reply.h"
#include "store.h"

static void reply_slice(fuse_req_t req, const char *data, size_t len, size_t size, off_t offset)
{
    size_t have = (uint64_t)offset < len ? len - (size_t)offset : 0;

    fuse_reply_buf(req, have ? data + offset : NULL, have < size ? have : size);
}

static void read_reply(fuse_req_t req, struct handle *h, size_t size, off_t offset, bool nonblock)
{
    struct fs *fs = h->fs;
    struct parked *p = park_begin(fs, req);

    if (!p)
        return;
    fs_lock(fs);
    /* poll() asks for what comes behind what was read */
    h->read_to = offset + (off_t)reply_read(fs, h->reply, p, size, offset, nonblock);
    fs_unlock(fs);
}

/* How far the history is whole. A shortened one is another file: the old one ends where it did. */
static size_t history_limit(struct handle *h)
{
    size_t now;

    fs_lock(h->fs);
    now = h->session->history_size;
    fs_unlock(h->fs);
    return now > h->size ? now : h->size;
}

/* A history that was empty at open has its file by now. */
static int history_fd(struct handle *h)
{
    int fd, spare = -1;

    fs_lock(h->fs);
    fd = h->fd;
    fs_unlock(h->fs);
    if (fd >= 0)
        return fd;
    fd = store_open_file(h->fs, h->session->uuid, "history.txt");
    fs_lock(h->fs);
    if (h->fd < 0)
        h->fd = fd;
    else
        spare = fd; /* another read was faster */
    fd = h->fd;
    fs_unlock(h->fs);
    if (spare >= 0)
        close(spare);
    return fd;
}

static ssize_t read_history(struct handle *h, char *buf, size_t size, off_t offset)
{
    size_t limit = history_limit(h);
    ssize_t n;
    int fd;

    if ((uint64_t)offset >= limit)
        return 0;
    fd = history_fd(h);
    if (fd < 0)
        return fd;
    if (size > limit - (size_t)offset)
        size = limit - (size_t)offset;
    n = pread(fd, buf, size, offset);
    return n < 0 ? -errno : n;
}

static ssize_t read_file(struct handle *h, char *buf, size_t size, off_t offset)
{
    ssize_t n;

    switch (h->kind) {
    case NODE_OUTPUT:
        n = pread(h->output->blob->fd, buf, size, offset);
        return n < 0 ? -errno : n;
    case NODE_INPUT:
        return input_read(h->input, buf, size, offset);
    default: /* history: it only grows, and who reads on sees that (tail -f) */
        return read_history(h, buf, size, offset);
    }
}

void ops_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    struct fs *fs = fuse_req_userdata(req);
    struct handle *h = handle_of(fi);
    ssize_t n;
    char *buf;

    (void)ino;
    if (h->kind == NODE_REPLY) {
        read_reply(req, h, size, offset, fi->flags & O_NONBLOCK);
        return;
    }
    if (h->kind == NODE_README) {
        reply_slice(req, fs->readme, fs->readme_len, size, offset);
        return;
    }
    if (h->kind == NODE_INSTRUCT) {
        fuse_reply_buf(req, NULL, 0);
        return;
    }
    if (h->snapshot) {
        /* The reader may close its file as soon as it has the answer, before this thread is done
         * with it. */
        struct bytes *b = bytes_ref(h->snapshot);

        reply_slice(req, b->data, b->len, size, offset);
        bytes_unref(b);
        return;
    }
    buf = malloc(size);
    n = buf ? read_file(h, buf, size, offset) : -ENOMEM;
    if (n < 0)
        fuse_reply_err(req, (int)-n);
    else
        fuse_reply_buf(req, buf, (size_t)n);
    free(buf);
}

void ops_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *ph)
{
    struct handle *h = handle_of(fi);
    unsigned events = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;

    (void)ino;
    if (h->kind == NODE_REPLY) {
        fs_lock(h->fs);
        events = reply_poll(h->reply, h, h->read_to, ph);
        fs_unlock(h->fs);
    } else if (ph) {
        fuse_pollhandle_destroy(ph);
    }
    fuse_reply_poll(req, events);
}
