#include "ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "handle.h"
#include "inputs.h"
#include "listing.h"
#include "prompt.h"

static void (*on_ready)(void);

void ops_on_ready(void (*ready)(void))
{
    on_ready = ready;
}

void ops_entry(struct fs *fs, const struct node *node, struct fuse_entry_param *e)
{
    memset(e, 0, sizeof(*e));
    e->ino = node->ino;
    e->generation = 1;
    tree_stat(fs, node, &e->attr);
    e->entry_timeout = tree_entry_timeout(node);
    e->attr_timeout = tree_attr_timeout(node);
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
    const struct fs *fs = userdata;

    conn->max_read = fs->options->max_read;
    /* From memory is faster than through pipes. */
    conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
                              FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO);
    conn->max_background = 64;
    if (on_ready)
        on_ready();
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fs *fs = fuse_req_userdata(req);
    struct stat st;
    struct node n;
    double timeout = 0;
    int r;

    (void)fi;
    fs_lock(fs);
    r = tree_get(fs, ino, &n);
    if (!r) {
        tree_stat(fs, &n, &st);
        timeout = tree_attr_timeout(&n);
    }
    fs_unlock(fs);
    if (r)
        fuse_reply_err(req, -r);
    else
        fuse_reply_attr(req, &st, timeout);
}

static void set_times(struct input *in, const struct stat *st, int to_set)
{
    struct timespec now = clock_now();

    if (to_set & FUSE_SET_ATTR_MTIME)
        in->mtime = st->st_mtim;
    if (to_set & FUSE_SET_ATTR_MTIME_NOW)
        in->mtime = now;
    if (to_set & FUSE_SET_ATTR_ATIME)
        in->atime = st->st_atim;
    if (to_set & FUSE_SET_ATTR_ATIME_NOW)
        in->atime = now;
    in->ctime = now;
    if (in->content || in->link)
        store_save(in->session, NULL, NULL);
}

/* A truncate by name has no close that would end the writing. */
static int truncate_input(struct fs *fs, struct input *in, off_t size, bool open)
{
    int r;

    if (!open) {
        fs_lock(fs);
        in->writers++;
        fs_unlock(fs);
    }
    r = input_truncate(in, (uint64_t)size);
    if (!open)
        input_released(in);
    return r;
}

static int set_size(struct fs *fs, const struct node *n, struct input *in, off_t size,
                    struct handle *h)
{
    if (n->kind == NODE_INPUT)
        return truncate_input(fs, in, size, h && h->writable);
    if (n->kind != NODE_INSTRUCT)
        return -EACCES;
    if (h && h->writable) {
        fs_lock(fs);
        prompt_truncate(h, (size_t)size);
        fs_unlock(fs);
    }
    return 0;
}

/* Modes and owners stay as they are; asking for others is no error, for programs that copy files
 * ask. */
static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
                       struct fuse_file_info *fi)
{
    struct fs *fs = fuse_req_userdata(req);
    struct handle *h = fi ? handle_of(fi) : NULL;
    struct input *in = NULL;
    struct stat st;
    struct node n;
    int r;

    fs_lock(fs);
    r = tree_get(fs, ino, &n);
    if (!r && n.kind == NODE_INPUT)
        in = input_ref(n.input);
    fs_unlock(fs);
    if (!r && (to_set & FUSE_SET_ATTR_SIZE))
        r = set_size(fs, &n, in, attr->st_size, h);
    fs_lock(fs);
    if (!r && in)
        set_times(in, attr, to_set);
    if (!r)
        r = tree_get(fs, ino, &n);
    if (!r)
        tree_stat(fs, &n, &st);
    if (in)
        input_unref(in);
    fs_unlock(fs);
    if (r)
        fuse_reply_err(req, -r);
    else
        fuse_reply_attr(req, &st, tree_attr_timeout(&n));
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
    struct fs *fs = fuse_req_userdata(req);
    char *link = NULL;
    struct node n;
    int r;

    fs_lock(fs);
    r = tree_get(fs, ino, &n);
    if (!r && (n.kind != NODE_INPUT || !n.input->link))
        r = -EINVAL;
    if (!r && !(link = strdup(n.input->link)))
        r = -ENOMEM;
    fs_unlock(fs);
    if (r)
        fuse_reply_err(req, -r);
    else
        fuse_reply_readlink(req, link);
    free(link);
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fs *fs = fuse_req_userdata(req);
    struct handle *h = NULL;
    struct node n;
    int r;

    fs_lock(fs);
    r = tree_get(fs, ino, &n);
    if (!r && !node_is_dir(&n))
        r = -ENOTDIR;
    if (!r && !(h = handle_new(fs, &n)))
        r = -ENOMEM;
    fs_unlock(fs);
    if (r) {
        fuse_reply_err(req, -r);
        return;
    }
    fi->fh = (uintptr_t)h;
    /* The root changes through the kernel only, so it knows when its copy of the listing is old. */
    fi->cache_readdir = fi->keep_cache = n.kind == NODE_ROOT;
    if (fuse_reply_open(req, fi) == -ENOENT)
        fs_open_unclaimed(fs, fi->fh);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                       struct fuse_file_info *fi)
{
    struct fs *fs = fuse_req_userdata(req);
    struct handle *h = handle_of(fi);
    char *buf = malloc(size);
    struct node n;
    int r = buf ? 0 : -ENOMEM;

    fs_lock(fs);
    if (!r && (!h->listing || !offset)) { /* rewinddir shows what is there now */
        listing_free(h->listing);
        h->listing = NULL;
        r = tree_get(fs, ino, &n);
        if (!r && !(h->listing = listing_new(fs, &n)))
            r = -ENOMEM;
    }
    fs_unlock(fs);
    if (r)
        fuse_reply_err(req, -r);
    else
        fuse_reply_buf(req, buf, listing_read(h->listing, req, buf, size, offset));
    free(buf);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    fs_open_unclaimed(fuse_req_userdata(req), fi->fh);
    fuse_reply_err(req, 0);
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
    (void)ino;
    (void)datasync;
    (void)fi;
    /* What counts is on disk, and at the backend, when close() has returned. */
    fuse_reply_err(req, 0);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    struct fs *fs = fuse_req_userdata(req);
    struct statvfs st = {0}, disk;
    uint64_t free_bytes;

    (void)ino;
    fs_lock(fs);
    free_bytes =
        fs->cache_used < fs->options->cache_size ? fs->options->cache_size - fs->cache_used : 0;
    st.f_files = INPUTS_MAX;
    st.f_ffree = st.f_favail = INPUTS_MAX;
    fs_unlock(fs);
    if (fstatvfs(fs->cache_dir, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < free_bytes)
        free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    st.f_bsize = st.f_frsize = 4096;
    st.f_blocks = fs->options->cache_size / 4096;
    st.f_bfree = st.f_bavail = free_bytes / 4096;
    st.f_namemax = 255;
    fuse_reply_statfs(req, &st);
}

const struct fuse_lowlevel_ops ops_table = {
    .init = op_init,
    .lookup = ops_lookup,
    .getattr = op_getattr,
    .setattr = op_setattr,
    .readlink = op_readlink,
    .mknod = ops_mknod,
    .mkdir = ops_mkdir,
    .unlink = ops_unlink,
    .rmdir = ops_rmdir,
    .symlink = ops_symlink,
    .rename = ops_rename,
    .link = ops_link,
    .open = ops_open,
    .read = ops_read,
    .write = ops_write,
    .flush = ops_flush,
    .release = ops_release,
    .fsync = op_fsync,
    .opendir = op_opendir,
    .readdir = op_readdir,
    .releasedir = op_releasedir,
    .fsyncdir = op_fsync,
    .statfs = op_statfs,
    .create = ops_create,
    .poll = ops_poll,
    .fallocate = ops_fallocate,
    /* No xattrs: the kernel would ask for one before every write. No locks: it keeps those itself.
     */
};
