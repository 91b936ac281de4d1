/*
 * What the command line asks for.
 */
#ifndef BACKEND_OPTIONS_H
#define BACKEND_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define OPTIONS_TOKENS_MAX 16

enum event_shape {
    EVENTS_ADK,
    EVENTS_TYPED,
};

/* Where the answer to a render poll says what. */
enum render_shape {
    RENDER_SHAPE_TOP,  /* status, output.url */
    RENDER_SHAPE_DATA, /* data.status, data.output.url */
    RENDER_SHAPE_FLAT, /* data.status, data.outputUrl */
    RENDER_SHAPE_NONE, /* data.status, no URL: the download call has the file */
};

struct options {
    uint16_t port;
    const char *state_dir; /* NULL: a temporary one */
    const char *faults;    /* NULL: none */
    const char *media_host;
    enum event_shape events;
    enum render_shape render_shape;
    int64_t credits;
    int64_t cost;     /* credits that an edit takes */
    int64_t think_ms; /* before an edit's answer */
    int64_t heartbeat_ms;
    int64_t token_ms;    /* how long a token is good */
    uint64_t max_upload; /* bytes */
    int silent_percent;
    bool claim;
    bool redirect; /* the download call redirects to the file */
    bool gui;      /* answers speak of buttons and panels */
    bool die_with_parent;
    const char *tokens[OPTIONS_TOKENS_MAX]; /* of registered users */
    int token_count;
};

/* 0: go on; 1: --help or --version was answered, exit 0; -1: bad usage, told on standard error. */
int options_read(struct options *o, int argc, char **argv);

#endif
