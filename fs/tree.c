#include "tree.h"

#include <errno.h>
#include <string.h>

#include "blob.h"
#include "inputs.h"
#include "names.h"
#include "output.h"
#include "query.h"
#include "session.h"

const struct tree_name tree_session_names[] = {
    {"inputs", NODE_INPUTS},     {"instruct", NODE_INSTRUCT},     {"reply.txt", NODE_REPLY},
    {"status.txt", NODE_STATUS}, {"timeline.txt", NODE_TIMELINE}, {"history.txt", NODE_HISTORY},
    {"state.json", NODE_STATE},  {"credits", NODE_CREDITS},       {OUTPUT_NAME, NODE_OUTPUT},
    {NULL, NODE_ROOT},
};

const struct tree_name tree_root_names[] = {
    {"README.txt", NODE_README},
    {"credits", NODE_BALANCE},
    {NULL, NODE_ROOT},
};

static void set_node(struct node *n, enum node_kind kind, struct session *s)
{
    *n = (struct node){.kind = kind, .session = s, .ino = s->number * NODES_PER_SESSION + kind};
    if (kind == NODE_OUTPUT) {
        n->output = s->output;
        n->ino = s->output->ino;
    }
}

int tree_get(struct fs *fs, fuse_ino_t ino, struct node *out)
{
    struct session *s;
    struct input *in;
    struct output *o;

    *out = (struct node){.ino = ino};
    if (ino == FUSE_ROOT_ID || ino == INO_README || ino == INO_BALANCE) {
        out->kind = ino == INO_README ? NODE_README : ino == INO_BALANCE ? NODE_BALANCE : NODE_ROOT;
        return 0;
    }
    if (ino < INO_FIRST) {
        s = session_by_number(fs, ino / NODES_PER_SESSION);
        out->kind = ino % NODES_PER_SESSION;
        out->session = s;
        return s && out->kind >= NODE_SESSION && out->kind <= NODE_GHOST ? 0 : -ENOENT;
    }
    HASH_FIND(hh_ino, fs->inputs, &ino, sizeof(ino), in);
    if (in) {
        out->kind = NODE_INPUT;
        out->session = in->session;
        out->input = in;
        return 0;
    }
    HASH_FIND(hh, fs->outputs, &ino, sizeof(ino), o);
    out->kind = NODE_OUTPUT;
    out->output = o;
    return o ? 0 : -ENOENT;
}

static int lookup_root(struct fs *fs, const char *name, struct node *out)
{
    struct session *s;

    for (const struct tree_name *t = tree_root_names; t->name; t++)
        if (strcmp(name, t->name) == 0)
            return tree_get(fs, t->kind == NODE_README ? INO_README : INO_BALANCE, out);
    s = session_find(fs, name);
    if (!s)
        return -ENOENT;
    set_node(out, NODE_SESSION, s);
    return 0;
}

/* The watch thread renames WATCH_OUTPUT_NEW to the output that is there, and unlinks the one that
 * is not. */
static int lookup_watched(struct session *s, const char *name, struct node *out)
{
    bool is_new = strcmp(name, WATCH_OUTPUT_NEW) == 0;

    if (is_new != (s->output != NULL))
        return -ENOENT;
    set_node(out, is_new ? NODE_OUTPUT : NODE_GHOST, s);
    return 0;
}

static int lookup_session(struct fs *fs, struct session *s, const char *name, pid_t tid,
                          struct node *out)
{
    if (watch_is_self(fs->watch, tid) &&
        (strcmp(name, OUTPUT_NAME) == 0 || strcmp(name, WATCH_OUTPUT_NEW) == 0))
        return lookup_watched(s, name, out);
    for (const struct tree_name *t = tree_session_names; t->name; t++) {
        if (strcmp(name, t->name) != 0)
            continue;
        if (t->kind == NODE_OUTPUT && !s->output)
            return -ENOENT;
        set_node(out, t->kind, s);
        return 0;
    }
    return -ENOENT;
}

int tree_lookup(struct fs *fs, const struct node *dir, const char *name, pid_t tid,
                struct node *out)
{
    struct input *in;

    if (strlen(name) > NAMES_MAX)
        return -ENAMETOOLONG;
    switch (dir->kind) {
    case NODE_ROOT:
        return lookup_root(fs, name, out);
    case NODE_SESSION:
        return lookup_session(fs, dir->session, name, tid, out);
    case NODE_INPUTS:
        in = input_find(dir->session, name);
        if (watch_is_self(fs->watch, tid)) { /* it unlinks those that are not there */
            set_node(out, NODE_GHOST, dir->session);
            return in ? -ENOENT : 0;
        }
        if (!in)
            return -ENOENT;
        *out =
            (struct node){.kind = NODE_INPUT, .session = dir->session, .input = in, .ino = in->ino};
        return 0;
    default:
        return -ENOTDIR;
    }
}

bool node_is_dir(const struct node *node)
{
    return node->kind == NODE_ROOT || node->kind == NODE_SESSION || node->kind == NODE_INPUTS;
}

static mode_t mode_of(struct fs *fs, const struct node *n)
{
    bool others = fs->options->allow_other;

    if (n->kind == NODE_INPUT && n->input->link)
        return S_IFLNK | 0777;
    if (node_is_dir(n))
        return S_IFDIR | (others ? 0755 : 0700);
    if (n->kind == NODE_INPUT || n->kind == NODE_INSTRUCT)
        return S_IFREG | (others ? 0644 : 0600);
    return S_IFREG | (others ? 0444 : 0400);
}

static off_t size_and_time(struct fs *fs, const struct node *n, struct timespec *time)
{
    struct session *s = n->session;
    struct bytes *text = NULL;
    off_t size = 0;

    *time = s ? s->changed : fs->started;
    switch (n->kind) {
    case NODE_ROOT:
        *time = fs->root_changed;
        break;
    case NODE_README:
        return (off_t)fs->readme_len;
    case NODE_INPUTS:
        *time = s->inputs_changed;
        break;
    case NODE_INSTRUCT:
        *time = s->message_time;
        break;
    case NODE_REPLY:
        *time = s->reply->changed;
        return (off_t)s->reply->len;
    case NODE_TIMELINE:
        *time = s->state_changed;
        return (off_t)s->timeline_size;
    case NODE_HISTORY:
        *time = s->history_changed;
        return (off_t)s->history_size;
    case NODE_STATE:
        *time = s->state_changed;
        return (off_t)s->state_size;
    case NODE_STATUS:
        *time = s->status_changed;
        text = status_text(s);
        break;
    case NODE_CREDITS:
    case NODE_BALANCE:
        *time = fs->balance_changed;
        text = query_credits_text(fs);
        break;
    case NODE_OUTPUT:
        *time = n->output->time;
        return (off_t)n->output->blob->size;
    case NODE_INPUT:
        *time = n->input->mtime;
        return (off_t)input_size(n->input);
    case NODE_SESSION:
    case NODE_GHOST:
        break;
    }
    if (text)
        size = (off_t)text->len;
    bytes_unref(text);
    return size;
}

static nlink_t links_of(struct fs *fs, const struct node *n)
{
    if (n->kind == NODE_ROOT)
        return 2 + HASH_CNT(hh_number, fs->by_number);
    if (n->kind == NODE_INPUT && n->input->removed)
        return 0;
    return n->kind == NODE_SESSION ? 3 : n->kind == NODE_INPUTS ? 2 : 1;
}

void tree_stat(struct fs *fs, const struct node *n, struct stat *st)
{
    memset(st, 0, sizeof(*st));
    st->st_ino = n->ino;
    st->st_mode = mode_of(fs, n);
    st->st_nlink = links_of(fs, n);
    st->st_uid = fs->uid;
    st->st_gid = fs->gid;
    st->st_size = size_and_time(fs, n, &st->st_mtim);
    st->st_atim = st->st_ctim = st->st_mtim;
    if (n->kind == NODE_INPUT) {
        st->st_atim = n->input->atime;
        st->st_ctim = n->input->ctime;
    }
    st->st_blksize = 128 << 10;
    st->st_blocks = (st->st_size + 511) / 512;
}

double tree_entry_timeout(const struct node *n)
{
    /* Names that come and go by themselves are asked for each time. */
    return n->kind == NODE_OUTPUT || n->kind == NODE_GHOST ? 0 : n->kind == NODE_INPUT ? 1 : 3600;
}

double tree_attr_timeout(const struct node *n)
{
    switch (n->kind) {
    case NODE_README:
        return 3600;
    case NODE_OUTPUT:
    case NODE_INPUT:
        return 1;
    default:
        return 0;
    }
}
