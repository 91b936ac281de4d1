/*
 * Open files. One struct for all kinds; FUSE keeps the pointer.
 *
 * A handle belongs to the kernel from the answered open to the release; its fields need fs->lock
 * unless they never change after the open.
 */
#ifndef LIPSYNCFS_HANDLE_H
#define LIPSYNCFS_HANDLE_H

#include "blob.h"
#include "buffer.h"
#include "bytes.h"
#include "inputs.h"
#include "query.h"
#include "reply.h"
#include "session.h"
#include "tree.h"

#define HANDLE_MAGIC 0x6c697073u

struct listing;

/* What an open of `instruct` collects. */
struct prompt {
    struct parked *opener; /* still being opened */
    struct fuse_file_info fi;
    struct query_wait state_wait, balance_wait;
    unsigned waiting; /* answers not yet here */
    struct fault fault;
    struct bytes *before; /* the state before the message */
    uint64_t before_seq;
    bool no_credits;
    bool again; /* the checks were made anew with a new session */
    struct buffer text;
    size_t checked; /* bytes that were found to be UTF-8 */
    int refused;    /* the errno of a write that failed: nothing of this message is sent */
};

/* What an open of state.json, timeline.txt or credits waits for. */
struct asking {
    struct parked *opener;
    struct fuse_file_info fi;
    struct query_wait wait;
};

struct handle {
    unsigned magic;
    struct fs *fs;
    LIST_ENTRY(handle) link; /* of all: an unmount may swallow releases */
    enum node_kind kind;
    bool writable;
    bool open;     /* was answered, and its blob is in use */
    off_t read_to; /* reply.txt: where its reader is */
    struct session *session;
    struct input *input;
    struct blob *content; /* of an input that is open for reading: stays in the cache */
    uint64_t revision;    /* of the input, when its open was answered; 0: it was not */
    struct output *output;
    struct bytes *snapshot; /* what is made at open */
    struct reply *reply;
    int fd;      /* history.txt */
    size_t size; /* history.txt: bytes at open */
    struct listing *listing;
    struct prompt prompt;
    struct asking asking;
};

/* A handle for a node, with references to what it needs. NULL: no memory. Lock held. */
struct handle *handle_new(struct fs *fs, const struct node *node);

/* Its input's content stays in the cache from now on. Lock held. */
void handle_hold_content(struct handle *h);

/* Its open is about to be answered: may the kernel keep the pages that it has of the input? A
 * handle that comes back proves that the kernel has seen the answer to its open, and dropped what
 * was older; an answer that is still on its way proves nothing. Lock held. */
bool handle_keeps_cache(struct handle *h);
void handle_has_cached(struct handle *h);

/* Lock held. */
void handle_free(struct handle *h);

struct handle *handle_of(const struct fuse_file_info *fi);

#endif
