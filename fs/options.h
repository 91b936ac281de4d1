/*
 * What the command line and the environment say, checked, with defaults filled in.
 *
 * Used by the first thread, before any other runs. Owns all its strings. Takes NEMO_TOKEN out of
 * the environment (and its text out of /proc/<pid>/environ), so that neither children nor onlookers
 * see it.
 */
#ifndef LIPSYNC_OPTIONS_H
#define LIPSYNC_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <fuse_opt.h>

struct options {
    char *mountpoint;      /* absolute, links resolved, also when a crashed mount sits there; or
                              "/dev/fd/N" */
    struct fuse_args args; /* for fuse_session_new, fsname and subtype included */
    bool foreground;       /* -f, -d */
    bool debug;            /* -d */
    bool single;           /* -s */
    bool clone_fd;
    unsigned int max_idle_threads; /* 0: libfuse's default */
    unsigned int max_threads;      /* 0: libfuse's default */
    unsigned int max_read;         /* bytes; 0: the kernel's default */
    bool read_only;
    bool allow_other;

    char *api_url;        /* no trailing slash */
    char *web_url;        /* no trailing slash */
    char *lang;           /* first part of the locale, lower case: "en", "zh", "de" */
    char *platform;       /* attribution header */
    char *state_dir;      /* absolute; may not exist yet */
    char *cache_dir;      /* absolute; may not exist yet */
    char *client_id_path; /* absolute */
    char *token;          /* NEMO_TOKEN, or NULL */
    char *client_id;      /* NEMO_CLIENT_ID, or NULL */
    uint64_t cache_size;  /* bytes */
    uint64_t max_upload;  /* bytes */
    bool render_manual;
    int64_t poll_ms;
    int64_t retry_wait_ms;
    int64_t quiet_ms;
    int64_t turn_timeout_ms;
    int64_t render_timeout_ms;
};

enum options_result {
    OPTIONS_GO,    /* go on and mount */
    OPTIONS_SHOWN, /* help or version is on stdout: exit 0 */
    OPTIONS_BAD,   /* the reason is on stderr: exit 2 */
    OPTIONS_FAILED /* no memory or no home; the reason is on stderr: exit 1 */
};

/* Fills *o. Release it whatever the result. */
enum options_result options_parse(struct options *o, int argc, char **argv);
void options_release(struct options *o);

#endif
