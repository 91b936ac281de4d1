/*
 * The tree: which node an inode number is, and what stat says of it.
 *
 * A session's own nodes are numbered session * NODES_PER_SESSION + kind; inputs and outputs have
 * numbers of their own from INO_FIRST on. No number is used twice in a mount, so a number whose
 * node is gone is simply unknown, and nobody needs to count the kernel's lookups. Everything here
 * needs fs->lock.
 */
#ifndef LIPSYNCFS_TREE_H
#define LIPSYNCFS_TREE_H

#include "fs.h"

enum node_kind {
    NODE_ROOT,
    NODE_README,
    NODE_BALANCE, /* credits in the root */
    NODE_SESSION,
    NODE_INPUTS,
    NODE_INSTRUCT,
    NODE_REPLY,
    NODE_STATUS,
    NODE_TIMELINE,
    NODE_HISTORY,
    NODE_STATE,
    NODE_CREDITS,
    NODE_GHOST, /* what the watch thread unlinks as output.mp4, or as an input */
    NODE_OUTPUT,
    NODE_INPUT,
};

#define NODES_PER_SESSION 16
#define INO_FIRST (1ull << 40)
#define INO_README 2
#define INO_BALANCE 3

struct node {
    enum node_kind kind;
    struct session *session; /* borrowed; NULL in the root */
    struct input *input;     /* borrowed; NODE_INPUT */
    struct output *output;   /* borrowed; NODE_OUTPUT */
    uint64_t ino;
};

#define OUTPUT_NAME "output.mp4"

/* 0 or -ENOENT. An input or session that was removed is found while somebody has it. */
int tree_get(struct fs *fs, fuse_ino_t ino, struct node *out);

/* A name in a directory: 0, -ENOENT, -ENOTDIR. `tid` is who asks (the watch thread sees what nobody
 * else does). */
int tree_lookup(struct fs *fs, const struct node *dir, const char *name, pid_t tid,
                struct node *out);

void tree_stat(struct fs *fs, const struct node *node, struct stat *st);

/* How long the kernel may keep a name and its attributes, s. */
double tree_entry_timeout(const struct node *node);
double tree_attr_timeout(const struct node *node);

bool node_is_dir(const struct node *node);

/* The names of a session's fixed nodes, in listing order; NULL ends. */
struct tree_name {
    const char *name;
    enum node_kind kind;
};
extern const struct tree_name tree_session_names[];
extern const struct tree_name tree_root_names[];

#endif
