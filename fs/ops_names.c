#include "ops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "handle.h"
#include "inputs.h"
#include "names.h"
#include "output.h"
#include "upload.h"
#include "utf8.h"

#define URL_MAX 4096 /* bytes */

static void reply_entry(fuse_req_t req, int r, const struct fuse_entry_param *e)
{
    if (r)
        fuse_reply_err(req, -r);
    else
        fuse_reply_entry(req, e);
}

void ops_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fs *fs = fuse_req_userdata(req);
    struct fuse_entry_param e;
    struct node dir, n;
    int r;

    fs_lock(fs);
    r = tree_get(fs, parent, &dir);
    if (!r && strcmp(name, ".") == 0)
        n = dir;
    else if (!r)
        r = tree_lookup(fs, &dir, name, fuse_req_ctx(req)->pid, &n);
    if (!r)
        ops_entry(fs, &n, &e);
    fs_unlock(fs);
    reply_entry(req, r, &e);
}

/* What is wrong with a new name. */
static int check_name(const char *name)
{
    if (strlen(name) > NAMES_MAX)
        return -ENAMETOOLONG;
    if (!utf8_is_valid(name, strlen(name)))
        return -EILSEQ;
    return names_well_formed(name) ? 0 : -EINVAL;
}

static int check_session_name(const char *name)
{
    int r = check_name(name);

    if (r)
        return r;
    if (names_reserved_root(name))
        return -EEXIST;
    return names_valid(name) ? 0 : -EACCES; /* hidden: .Trash-1000 and its like */
}

static int check_input_name(const char *name)
{
    int r = check_name(name);

    if (r)
        return r;
    return names_judge(name) == NAMES_UNSUPPORTED ? -EOPNOTSUPP : 0;
}

/* What was done to names is on disk before its user hears of it. Takes a reference over; NULL is
 * fine. A new session that cannot be kept goes again. */
static int save_names(struct session *s, int r, bool is_new)
{
    struct fs *fs;

    if (!s)
        return r;
    fs = s->fs;
    if (!r)
        r = store_save_now(s);
    if (r && is_new)
        store_remove(s); /* a part of it may be on disk, or the disk take it later */
    fs_lock(fs);
    if (r && is_new && !s->removed)
        session_remove(s);
    session_unref(s);
    fs_unlock(fs);
    return is_new ? r : 0; /* else it is done all the same, and saving is tried again */
}

void ops_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    struct fs *fs = fuse_req_userdata(req);
    struct fuse_entry_param e;
    struct session *s = NULL;
    struct node dir, n;
    int r;

    (void)mode;
    fs_lock(fs);
    r = tree_get(fs, parent, &dir);
    if (!r && dir.kind != NODE_ROOT)
        r = dir.kind == NODE_INPUTS ? -EPERM : -EACCES;
    if (!r)
        r = check_session_name(name);
    if (!r && session_find(fs, name))
        r = -EEXIST;
    if (!r)
        r = session_new(fs, name, &s);
    if (!r) {
        session_need(session_ref(s), NULL, NULL);
        r = tree_lookup(fs, &dir, name, 0, &n);
    }
    if (!r)
        ops_entry(fs, &n, &e);
    fs_unlock(fs);
    r = save_names(s, r, true);
    reply_entry(req, r, &e);
}

/* A new name for a file, and whether it may be there. Lock held. */
static int check_new_input(struct fs *fs, fuse_ino_t parent, const char *name, struct node *dir)
{
    int r = tree_get(fs, parent, dir);

    if (!r && dir->kind != NODE_INPUTS)
        r = -EACCES;
    if (!r)
        r = check_input_name(name);
    if (!r && input_find(dir->session, name))
        r = -EEXIST;
    return r;
}

/* Lock held. */
static int new_input(struct fs *fs, fuse_ino_t parent, const char *name, struct fuse_entry_param *e,
                     struct node *n)
{
    struct input *in;
    struct node dir;
    int r = check_new_input(fs, parent, name, &dir);

    if (r)
        return r;
    in = input_new(dir.session, name);
    if (!in)
        return HASH_CNT(hh_name, dir.session->inputs) >= INPUTS_MAX ? -ENOSPC : -ENOMEM;
    *n = (struct node){.kind = NODE_INPUT, .session = dir.session, .input = in, .ino = in->ino};
    ops_entry(fs, n, e);
    return 0;
}

void ops_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
    struct fs *fs = fuse_req_userdata(req);
    struct fuse_entry_param e;
    struct node n;
    int r;

    (void)rdev;
    fs_lock(fs);
    r = S_ISREG(mode) ? new_input(fs, parent, name, &e, &n) : -EPERM;
    fs_unlock(fs);
    reply_entry(req, r, &e);
}

void ops_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                struct fuse_file_info *fi)
{
    struct fs *fs = fuse_req_userdata(req);
    struct fuse_entry_param e;
    struct handle *h = NULL;
    struct node n;
    int r;

    (void)mode;
    fs_lock(fs);
    r = new_input(fs, parent, name, &e, &n);
    if (!r && !(h = handle_new(fs, &n))) {
        input_remove(n.input);
        r = -ENOMEM;
    }
    if (!r) {
        h->writable = (fi->flags & O_ACCMODE) != O_RDONLY;
        n.input->writers += h->writable;
        n.input->copy = fi->flags & O_EXCL;
    }
    fs_unlock(fs);
    if (r) {
        fuse_reply_err(req, -r);
        return;
    }
    fi->fh = (uintptr_t)h;
    if (fuse_reply_create(req, &e, fi) == -ENOENT)
        fs_open_unclaimed(fs, fi->fh);
}

static bool is_url(const char *target)
{
    size_t len = strlen(target);

    if (len > URL_MAX || !utf8_is_valid(target, len))
        return false;
    for (const char *c = target; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            return false;
    return (strncasecmp(target, "http://", 7) == 0 && target[7]) ||
           (strncasecmp(target, "https://", 8) == 0 && target[8]);
}

void ops_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    struct fs *fs = fuse_req_userdata(req);
    struct fuse_entry_param e;
    struct session *s = NULL;
    struct node dir, n;
    int r;

    fs_lock(fs);
    r = check_new_input(fs, parent, name, &dir);
    if (!r && !is_url(target))
        r = -EINVAL;
    if (!r && names_judge(name) != NAMES_MEDIA)
        r = -EOPNOTSUPP;
    if (!r)
        r = new_input(fs, parent, name, &e, &n);
    if (!r && !(n.input->link = strdup(target))) {
        input_remove(n.input);
        r = -ENOMEM;
    }
    if (!r) {
        upload_start(n.input, NULL);
        ops_entry(fs, &n, &e);
        s = session_ref(n.session);
    }
    fs_unlock(fs);
    save_names(s, r, false);
    reply_entry(req, r, &e);
}

void ops_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
    (void)ino;
    (void)parent;
    (void)name;
    fuse_reply_err(req, EPERM);
}

static int unlink_node(struct node *n)
{
    switch (n->kind) {
    case NODE_INPUT:
        if (input_is_sent(n->input))
            return -EPERM;
        input_remove(n->input);
        return 0;
    case NODE_OUTPUT:
        output_remove(n->session, false);
        return 0;
    case NODE_GHOST:
        return 0;
    default:
        return node_is_dir(n) ? -EISDIR : -EPERM;
    }
}

void ops_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fs *fs = fuse_req_userdata(req);
    struct node dir, n;
    int r;

    fs_lock(fs);
    r = tree_get(fs, parent, &dir);
    if (!r)
        r = tree_lookup(fs, &dir, name, fuse_req_ctx(req)->pid, &n);
    n.session = r ? NULL : dir.session;
    if (!r)
        r = unlink_node(&n);
    fs_unlock(fs);
    fuse_reply_err(req, -r);
}

void ops_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fs *fs = fuse_req_userdata(req);
    struct session *s;
    struct node dir, n;
    int r;

    fs_lock(fs);
    r = tree_get(fs, parent, &dir);
    if (!r)
        r = tree_lookup(fs, &dir, name, 0, &n);
    if (!r && n.kind != NODE_SESSION)
        r = node_is_dir(&n) ? -EPERM : -ENOTDIR;
    s = r ? NULL : session_ref(n.session);
    fs_unlock(fs);
    if (s) {
        r = store_remove(s); /* with its inputs still in the record */
        fs_lock(fs);
        if (!r)
            session_remove(s);
        session_unref(s);
        fs_unlock(fs);
    }
    fuse_reply_err(req, -r);
}

static int rename_session(struct fs *fs, const struct node *n, const char *newname)
{
    struct session *other = session_find(fs, newname);
    int r = check_session_name(newname);

    if (n->kind != NODE_SESSION)
        return -EPERM;
    if (r)
        return r;
    if (other == n->session)
        return 0;
    return other ? -ENOTEMPTY : session_rename(n->session, newname);
}

static int rename_input(struct input *in, const char *newname, bool replace)
{
    struct input *target = input_find(in->session, newname);
    char *name;
    int r;

    if (target == in)
        return 0;
    if (target && !replace)
        return -EEXIST;
    r = check_input_name(newname);
    if (r)
        return r;
    /* The backend has it, under the name that is to go. */
    if (input_is_sent(in) && names_judge(newname) != NAMES_MEDIA)
        return -EPERM;
    if (in->link && names_judge(newname) != NAMES_MEDIA)
        return -EOPNOTSUPP;
    name = strdup(newname);
    if (!name)
        return -ENOMEM;
    input_rename(in, target, name);
    return 0;
}

/* Lock held. */
static int do_rename(struct fs *fs, const struct node *from, const char *name,
                     const struct node *to, const char *newname, unsigned flags, pid_t tid)
{
    struct node n;
    int r = tree_lookup(fs, from, name, tid, &n);

    if (r)
        return r;
    if (from->ino != to->ino)
        return -EXDEV; /* mv then copies */
    switch (from->kind) {
    case NODE_ROOT:
        if ((flags & RENAME_NOREPLACE) && session_find(fs, newname))
            return -EEXIST;
        return rename_session(fs, &n, newname);
    case NODE_INPUTS:
        return rename_input(n.input, newname, !(flags & RENAME_NOREPLACE));
    default:
        /* The watch thread makes it known that output.mp4 has come. */
        return watch_is_self(fs->watch, tid) && strcmp(name, WATCH_OUTPUT_NEW) == 0 &&
                       strcmp(newname, OUTPUT_NAME) == 0
                   ? 0
                   : -EACCES;
    }
}

void ops_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
                const char *newname, unsigned int flags)
{
    struct fs *fs = fuse_req_userdata(req);
    struct session *s = NULL;
    struct node from, to;
    int r = flags & ~(unsigned)RENAME_NOREPLACE ? -EINVAL : 0;

    fs_lock(fs);
    if (!r)
        r = tree_get(fs, parent, &from);
    if (!r)
        r = tree_get(fs, newparent, &to);
    if (!r)
        r = do_rename(fs, &from, name, &to, newname, flags, fuse_req_ctx(req)->pid);
    if (!r && !watch_is_self(fs->watch, fuse_req_ctx(req)->pid))
        s = from.kind == NODE_ROOT ? session_find(fs, newname) : from.session;
    if (s)
        session_ref(s);
    fs_unlock(fs);
    save_names(s, r, false);
    fuse_reply_err(req, -r);
}
