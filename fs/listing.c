#include "listing.h"

#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "inputs.h"
#include "session.h"

#define LISTING_MAX (64u << 20) /* bytes of names */

struct entry {
    uint64_t ino;
    mode_t mode;
    size_t name; /* offset in names */
};

struct listing {
    struct entry *entries;
    size_t count, room;
    struct buffer names;
};

static bool add(struct listing *l, uint64_t ino, mode_t mode, const char *name)
{
    if (l->count == l->room) {
        size_t room = l->room ? 2 * l->room : 16;
        struct entry *entries = realloc(l->entries, room * sizeof(*entries));

        if (!entries)
            return false;
        l->entries = entries;
        l->room = room;
    }
    l->entries[l->count++] = (struct entry){ino, mode, l->names.len};
    return buffer_add(&l->names, name, strlen(name) + 1) == 0;
}

static bool add_root(struct listing *l, struct fs *fs)
{
    struct session *s, *next;

    if (!add(l, INO_README, S_IFREG, "README.txt") || !add(l, INO_BALANCE, S_IFREG, "credits"))
        return false;
    HASH_ITER(hh_number, fs->by_number, s, next)
    if (!add(l, s->number * NODES_PER_SESSION + NODE_SESSION, S_IFDIR, s->name))
        return false;
    return true;
}

static bool add_session(struct listing *l, struct fs *fs, const struct node *dir)
{
    struct node n;

    for (const struct tree_name *t = tree_session_names; t->name; t++) {
        if (tree_lookup(fs, dir, t->name, 0, &n))
            continue; /* no output.mp4 now */
        if (!add(l, n.ino, node_is_dir(&n) ? S_IFDIR : S_IFREG, t->name))
            return false;
    }
    return true;
}

static bool add_inputs(struct listing *l, struct session *s)
{
    struct input *in, *next;

    HASH_ITER(hh_name, s->inputs, in, next)
    if (!add(l, in->ino, in->link ? S_IFLNK : S_IFREG, in->name))
        return false;
    return true;
}

static uint64_t parent_of(const struct node *dir)
{
    return dir->kind == NODE_INPUTS ? dir->session->number * NODES_PER_SESSION + NODE_SESSION
                                    : FUSE_ROOT_ID;
}

struct listing *listing_new(struct fs *fs, const struct node *dir)
{
    struct listing *l = calloc(1, sizeof(*l));
    bool ok;

    if (!l)
        return NULL;
    buffer_init(&l->names, LISTING_MAX);
    ok = add(l, dir->ino, S_IFDIR, ".") && add(l, parent_of(dir), S_IFDIR, "..");
    if (ok)
        ok = dir->kind == NODE_ROOT      ? add_root(l, fs)
             : dir->kind == NODE_SESSION ? add_session(l, fs, dir)
                                         : add_inputs(l, dir->session);
    if (!ok) {
        listing_free(l);
        return NULL;
    }
    return l;
}

void listing_free(struct listing *l)
{
    if (!l)
        return;
    buffer_release(&l->names);
    free(l->entries);
    free(l);
}

size_t listing_read(const struct listing *l, fuse_req_t req, char *buf, size_t size, off_t offset)
{
    size_t used = 0;

    for (size_t i = (size_t)offset; offset >= 0 && i < l->count; i++) {
        struct stat st = {.st_ino = l->entries[i].ino, .st_mode = l->entries[i].mode};
        size_t n = fuse_add_direntry(req, buf + used, size - used,
                                     l->names.data + l->entries[i].name, &st, (off_t)i + 1);

        if (n > size - used)
            break;
        used += n;
    }
    return used;
}
