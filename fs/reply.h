/*
 * An answer as it grows: the bytes, and the readers that wait for more.
 *
 * While it is open a read at its end waits; when it has ended, a read at its end returns nothing.
 * Who holds a reply goes on reading that one when a newer has begun.
 *
 * All functions need fs->lock, reply_text_load aside. An ended and stored reply that nobody reads
 * keeps no text in memory.
 */
#ifndef LIPSYNCFS_REPLY_H
#define LIPSYNCFS_REPLY_H

#include <stdarg.h>

#include "fs.h"

#define REPLY_MAX (4u << 20) /* bytes; what is more is left out, and said to be */

struct reply_poll;

struct reply {
    int refs;
    bool current; /* its session's; the one reference left is then the session's */
    char *text;   /* NULL while only on disk */
    size_t len;   /* bytes, in memory or on disk */
    size_t room;
    bool final;  /* nothing will be added; its readers are told when it is on disk */
    bool ended;  /* they were told */
    bool stored; /* the whole text is on disk */
    bool cut;    /* REPLY_MAX was reached */
    struct timespec changed;
    struct parked_list readers;
    LIST_HEAD(, reply_poll) polls;
};

/* A new, open, empty one with one reference; NULL: no memory. */
struct reply *reply_new(void);
/* One of `len` bytes that has ended and is on disk only. */
struct reply *reply_stored(size_t len, struct timespec changed);

struct reply *reply_ref(struct reply *r);
void reply_unref(struct fs *fs, struct reply *r);

/* Appends, and wakes whoever waits. Ignored when it has ended. */
void reply_add(struct fs *fs, struct reply *r, const char *text, size_t len);
void reply_printf(struct fs *fs, struct reply *r, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* As reply_printf, beginning on a new line and ending one. */
void reply_line(struct fs *fs, struct reply *r, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* No more text will come. */
void reply_end(struct fs *fs, struct reply *r);

/* The whole text is on disk now. */
void reply_set_stored(struct reply *r);

/* Gives an ended reply its text back, read from disk by the caller (taken over; freed when not
 * needed). */
void reply_set_text(struct reply *r, char *text, size_t len);

/* Answers the read, or parks it. Returns how many bytes it answered with. */
size_t reply_read(struct fs *fs, struct reply *r, struct parked *p, size_t size, off_t offset,
                  bool nonblock);

/* Tells the events at the reader's offset, and by `ph` (may be NULL; taken over) that there is
 * more, also to one who has not read what there was (edge-triggered epoll waits for just that).
 * `file` is whoever polls, however often, until it says that it is closed. */
unsigned reply_poll(struct reply *r, const void *file, off_t offset, struct fuse_pollhandle *ph);
void reply_poll_end(struct reply *r, const void *file);

#endif
