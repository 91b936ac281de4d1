/*
 * The state directory: small records replaced as a whole, and media files.
 *
 *   account.json           accounts and their tokens
 *   sessions/<id>.json     one for each session
 *   media/<id>             uploaded files
 *   renders/<id>.json      one for each render job, with the draft it was given
 *   renders/<id>.mp4       its result
 *   tmp/                   unfinished files, emptied at the start
 *
 * Without a directory from the user it is a fresh one, removed at the end. Records are meant to
 * outlive this process, however it dies, not the machine: nothing is synced. Safe from every
 * thread, as long as no two write the same record.
 */
#ifndef BACKEND_STORE_H
#define BACKEND_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

#define STORE_PATH_MAX 4096
#define STORE_RECORD_MAX (128u << 20) /* bytes */

struct store {
    char dir[STORE_PATH_MAX - 256];
    bool temporary;
};

/* `dir` NULL: a temporary one. 0 or a negative errno. */
int store_open(struct store *s, const char *dir);
void store_close(struct store *s);

/* The path of something in the directory. The parts are names of our own making. */
void store_path(const struct store *s, char out[STORE_PATH_MAX], const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A new empty file in tmp/, read-write, close-on-exec; its path in `out`. The descriptor, or a
 * negative errno. */
int store_temporary(const struct store *s, char out[STORE_PATH_MAX]);

/* Replaces the file with these bytes. 0 or a negative errno. */
int store_write(const struct store *s, const char *path, const void *data, size_t len);

/* Appends the file to `out`. 0 or a negative errno. */
int store_read(const char *path, struct bytes *out);

/* Calls `each` with the stem of every file of `sub` whose name ends in `suffix`. */
void store_list(const struct store *s, const char *sub, const char *suffix,
                void (*each)(void *user, const char *stem), void *user);

/* Writes all of it. 0 or a negative errno. */
int store_write_all(int fd, const void *data, size_t len);

#endif
