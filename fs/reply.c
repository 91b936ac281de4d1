#include "reply.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

struct reply_poll {
    struct later later;
    LIST_ENTRY(reply_poll) link;
    const void *file;
    struct fuse_pollhandle *ph;
};

/* What a parked reader wants. */
struct reader {
    struct reply *reply;
    size_t size;
    off_t offset;
};

struct reply *reply_new(void)
{
    struct reply *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->refs = 1;
    r->changed = clock_now();
    TAILQ_INIT(&r->readers);
    LIST_INIT(&r->polls);
    return r;
}

struct reply *reply_stored(size_t len, struct timespec changed)
{
    struct reply *r = reply_new();

    if (!r)
        return NULL;
    r->len = len;
    r->changed = changed;
    r->final = r->ended = r->stored = true;
    return r;
}

struct reply *reply_ref(struct reply *r)
{
    r->refs++;
    return r;
}

/* The last reader is gone: the text can come from disk again. */
static void shrink(struct reply *r)
{
    if (r->current && r->refs == 1 && r->ended && r->stored) {
        free(r->text);
        r->text = NULL;
        r->room = 0;
    }
}

static void send_poll(struct later *l)
{
    struct reply_poll *p = container_of(l, struct reply_poll, later);

    fuse_lowlevel_notify_poll(p->ph);
    fuse_pollhandle_destroy(p->ph);
    free(p);
}

static void wake_polls(struct fs *fs, struct reply *r)
{
    struct reply_poll *p;

    while ((p = LIST_FIRST(&r->polls))) {
        LIST_REMOVE(p, link);
        fs_defer(fs, &p->later, send_poll);
    }
}

void reply_unref(struct fs *fs, struct reply *r)
{
    if (!r)
        return;
    if (--r->refs == 0) {
        wake_polls(fs, r);
        free(r->text);
        free(r);
    } else {
        shrink(r);
    }
}

/* With how many bytes. */
static size_t answer(struct fs *fs, struct reply *r, struct parked *p, size_t size, off_t offset)
{
    size_t have = r->text && (uint64_t)offset < r->len ? r->len - (size_t)offset : 0;

    if (have < size)
        size = have;
    park_bytes(fs, p, size ? r->text + offset : "", size);
    return size;
}

static void wake_readers(struct fs *fs, struct reply *r)
{
    struct parked *p, *next;

    for (p = TAILQ_FIRST(&r->readers); p; p = next) {
        struct reader *reader = park_owner(p);

        next = park_next(p);
        if (!r->ended && (uint64_t)reader->offset >= r->len)
            continue;
        answer(fs, r, p, reader->size, reader->offset);
        free(reader);
    }
    wake_polls(fs, r);
}

static int grow(struct reply *r, size_t more)
{
    size_t room = r->room ? r->room : 256;
    char *text;

    while (room < r->len + more)
        room *= 2;
    if (room == r->room)
        return 0;
    text = realloc(r->text, room);
    if (!text)
        return -ENOMEM;
    r->text = text;
    r->room = room;
    return 0;
}

void reply_add(struct fs *fs, struct reply *r, const char *text, size_t len)
{
    const char *cut = _("\n(The rest of the answer was too long to be kept.)\n");

    if (!r || r->final || !len || r->cut)
        return;
    if (r->len + len > REPLY_MAX || grow(r, len)) {
        r->cut = true;
        text = cut;
        len = strlen(cut);
        if (grow(r, len))
            return;
    }
    memcpy(r->text + r->len, text, len);
    r->len += len;
    r->changed = clock_now();
    wake_readers(fs, r);
}

static void add_formatted(struct fs *fs, struct reply *r, bool line, const char *format,
                          va_list args)
{
    char *text;
    int len = vasprintf(&text, format, args);

    if (len < 0)
        return;
    if (line && r && r->len && r->text && r->text[r->len - 1] != '\n')
        reply_add(fs, r, "\n", 1);
    reply_add(fs, r, text, (size_t)len);
    if (line && len && text[len - 1] != '\n')
        reply_add(fs, r, "\n", 1);
    free(text);
}

void reply_printf(struct fs *fs, struct reply *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_formatted(fs, r, false, format, args);
    va_end(args);
}

void reply_line(struct fs *fs, struct reply *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_formatted(fs, r, true, format, args);
    va_end(args);
}

void reply_end(struct fs *fs, struct reply *r)
{
    if (!r || r->ended)
        return;
    r->final = r->ended = true;
    wake_readers(fs, r);
    shrink(r);
}

void reply_set_stored(struct reply *r)
{
    r->stored = true;
    shrink(r);
}

void reply_set_text(struct reply *r, char *text, size_t len)
{
    if (r->text || !r->ended || len != r->len) {
        free(text);
        return;
    }
    r->text = text;
    r->room = len;
}

static void reader_gives_up(struct fs *fs, struct parked *p, void *owner, int error)
{
    free(owner);
    park_error(fs, p, error);
}

size_t reply_read(struct fs *fs, struct reply *r, struct parked *p, size_t size, off_t offset,
                  bool nonblock)
{
    struct reader *reader;

    if (r->ended || (uint64_t)offset < r->len)
        return answer(fs, r, p, size, offset);
    if (nonblock) {
        park_error(fs, p, EAGAIN);
        return 0;
    }
    reader = malloc(sizeof(*reader));
    if (!reader) {
        park_error(fs, p, ENOMEM);
        return 0;
    }
    *reader = (struct reader){r, size, offset};
    park_wait(fs, p, &r->readers, 0, reader_gives_up, reader);
    return 0;
}

static struct reply_poll *poll_of(struct reply *r, const void *file)
{
    struct reply_poll *p;

    LIST_FOREACH(p, &r->polls, link)
    if (p->file == file)
        return p;
    return NULL;
}

unsigned reply_poll(struct reply *r, const void *file, off_t offset, struct fuse_pollhandle *ph)
{
    unsigned events = r->ended || (uint64_t)offset < r->len ? POLLIN | POLLRDNORM : 0;
    struct reply_poll *p = NULL;

    if (!ph)
        return events;
    if (!r->ended && !poll_of(r, file)) {
        p = malloc(sizeof(*p));
        if (!p)
            events = POLLERR;
    }
    if (!p) { /* all that a file's polls are given tell the same */
        fuse_pollhandle_destroy(ph);
        return events;
    }
    p->file = file;
    p->ph = ph;
    LIST_INSERT_HEAD(&r->polls, p, link);
    return events;
}

void reply_poll_end(struct reply *r, const void *file)
{
    struct reply_poll *p = poll_of(r, file);

    if (!p)
        return;
    LIST_REMOVE(p, link);
    fuse_pollhandle_destroy(p->ph);
    free(p);
}
