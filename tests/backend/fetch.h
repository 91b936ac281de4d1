/*
 * Getting a file from a URL. Blocks, for FETCH_MAX_MS at most.
 */
#ifndef BACKEND_FETCH_H
#define BACKEND_FETCH_H

#include <stddef.h>
#include <stdint.h>

#define FETCH_MAX_MS 600000

/* Calls `each` with the bytes as they come; what it returns, if not 0, ends it. Gives up when
 * `stop_fd` is readable. 0, -EFBIG (more than `max` bytes), -ECANCELED, -EACCES (anything else), or
 * what `each` returned. */
int fetch_url(const char *url, int stop_fd, uint64_t max,
              int (*each)(void *user, const char *data, size_t size), void *user);

/* The file's name in a URL, decoded; "file" if there is none. */
void fetch_name(const char *url, char *out, size_t size);

#endif
