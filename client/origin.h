/*
 * URLs as far as trust goes: whose origin it is, and how near an address is.
 *
 * No I/O; every thread. The rules: https everywhere, plain http to loopback only; the token to the
 * API's own origin only; and a backend out there may not send us to addresses nearer than its own.
 */
#ifndef LIPSYNC_ORIGIN_H
#define LIPSYNC_ORIGIN_H

#include <stdbool.h>
#include <sys/socket.h>

#define ORIGIN_HOST_MAX 256 /* bytes, terminated */

struct origin {
    char scheme[8]; /* "http" or "https" */
    char host[ORIGIN_HOST_MAX];
    char port[8];
};

/* 0; -EINVAL unless the URL is an absolute http or https one without user name and password;
 * -ENOMEM. */
int origin_of(const char *url, struct origin *out);

bool origin_same(const struct origin *a, const struct origin *b);

/* Is the host written as a loopback one (localhost, 127.x.y.z, [::1])? */
bool origin_is_loopback(const struct origin *o);

/* May the program talk to it at all: https, or http to a loopback host? */
bool origin_is_allowed(const struct origin *o);

/* `reference`, relative ones taken against `base`, without its fragment: malloc'd, the caller frees
 * it. -EINVAL as above, -ENOMEM. */
int origin_resolve(const char *base, const char *reference, char **absolute);

/* The path of a URL, without query and fragment, for the log. Always terminated, cut to size. */
void origin_path(const char *url, char *out, size_t size);

enum reach {
    REACH_PUBLIC,
    REACH_PRIVATE, /* link-local, private, shared, multicast, reserved */
    REACH_LOOPBACK,
};

enum reach reach_of(const struct sockaddr *address);

#endif
