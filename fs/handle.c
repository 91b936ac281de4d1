#include "handle.h"

#include <stdlib.h>

#include "inputs.h"
#include "listing.h"
#include "prompt.h"
#include "output.h"

struct handle *handle_new(struct fs *fs, const struct node *node)
{
    struct handle *h = calloc(1, sizeof(*h));

    if (!h)
        return NULL;
    h->magic = HANDLE_MAGIC;
    h->fs = fs;
    h->kind = node->kind;
    h->fd = -1;
    LIST_INSERT_HEAD(&fs->handles, h, link);
    if (node->session)
        h->session = session_ref(node->session);
    if (node->kind == NODE_INPUT)
        h->input = input_ref(node->input);
    if (node->kind == NODE_OUTPUT)
        h->output = output_ref(node->output);
    if (node->kind == NODE_REPLY)
        h->reply = reply_ref(node->session->reply);
    return h;
}

void handle_hold_content(struct handle *h)
{
    struct blob *b = h->input->content;

    if (!b || h->content)
        return;
    h->content = blob_ref(b);
    b->users++;
}

bool handle_keeps_cache(struct handle *h)
{
    h->revision = h->input->revision;
    return h->input->cached_revision == h->revision;
}

void handle_has_cached(struct handle *h)
{
    if (h->input->cached_revision < h->revision)
        h->input->cached_revision = h->revision;
}

void handle_free(struct handle *h)
{
    struct fs *fs = h->fs;

    LIST_REMOVE(h, link);
    query_leave(&h->asking.wait);
    buffer_release(&h->prompt.text);
    bytes_unref(h->prompt.before);
    bytes_unref(h->snapshot);
    if (h->reply)
        reply_poll_end(h->reply, h);
    reply_unref(fs, h->reply);
    output_unref(h->output);
    if (h->content) {
        blob_unuse(h->content);
        blob_unref(h->content);
    }
    if (h->input)
        input_unref(h->input);
    if (h->fd >= 0)
        fs_defer_close(fs, h->fd);
    listing_free(h->listing);
    session_unref(h->session);
    h->magic = 0;
    free(h);
}

struct handle *handle_of(const struct fuse_file_info *fi)
{
    struct handle *h = (struct handle *)(uintptr_t)fi->fh;

    return h && h->magic == HANDLE_MAGIC ? h : NULL;
}
