/*
 * Child processes (ffmpeg, ffprobe) whose standard output is read here.
 *
 * A child belongs to the thread that started it, and dies with it. Its standard input is empty; its
 * error output is kept in memory for the message that tells what went wrong.
 */
#ifndef BACKEND_CHILD_H
#define BACKEND_CHILD_H

#include <stddef.h>
#include <sys/types.h>

#include "bytes.h"

#define CHILD_WORDS_MAX 512

struct child {
    pid_t pid;
    int out;
    int err;
    int stop; /* readable: give up */
};

/* argv[0] is looked up in PATH. 0 or a negative errno; then there is nothing to finish. */
int child_start(struct child *c, const char *const argv[], int stop_fd);

/* Bytes of its output as they come; 0 at the end; -ECANCELED when the server ends (the child is
 * killed). */
ssize_t child_read(struct child *c, void *buf, size_t size);

/* Waits for its end and releases everything. The exit status (128 + signal if killed), or a
 * negative errno. `words` (may be NULL) gets the last line of its error output. */
int child_finish(struct child *c, char words[CHILD_WORDS_MAX]);

/* All of it: start, collect the output (may be NULL: thrown away), finish. */
int child_run(const char *const argv[], int stop_fd, struct bytes *out,
              char words[CHILD_WORDS_MAX]);

#endif
