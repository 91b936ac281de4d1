/*
 * A server that plays what a test scripts, byte for byte, and remembers what it was asked.
 *
 * A thread for each connection. Answers are scripted for "METHOD /path" beginnings: the longest one
 * that fits counts, its answers are played in order, the last one for ever. Unscripted: a token for
 * the token call, else 404. Strings that are passed in must outlive the peer, unless said
 * otherwise.
 */
#ifndef LIPSYNC_TEST_PEER_H
#define LIPSYNC_TEST_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum peer_end {
    PEER_KEEP,  /* the connection stays open for the next request */
    PEER_CLOSE, /* closes it in order */
    PEER_RESET, /* breaks it */
    PEER_STALL, /* says nothing more until the client goes away */
};

struct peer_answer {
    int status;          /* 0: `body` is sent raw, status line and headers included */
    const char *headers; /* "Name: value\r\n…", NULL: none */
    const char *body;    /* NULL: empty */
    size_t body_len;     /* 0: up to its NUL */
    const char *rest;    /* raw; sent when peer_go_on() was called; NULL: none */
    unsigned rests;      /* how often, each after a peer_go_on() of its own; 0: once */
    enum peer_end end;
    size_t read_only; /* reads only that much of the request's body before it answers; 0: all */
    size_t step;      /* reads that much of it after each peer_go_on(); 0: all at once */
    bool chunked; /* an event stream: `body` and `rest` go as chunks; PEER_KEEP and PEER_CLOSE end
                     it well */
    bool hold;    /* `rest` aside: the answer itself waits for peer_go_on() */
};

struct peer_request {
    char method[8];
    char path[512];
    char head[8192]; /* terminated */
    char body[8192]; /* its beginning, terminated */
    uint64_t body_len;
    uint64_t body_sum; /* FNV-1a of all of it */
    unsigned connection;
};

struct peer;

struct peer *peer_new(void);
void peer_free(struct peer *p);

/* http://127.0.0.1:PORT */
const char *peer_url(struct peer *p);

void peer_on(struct peer *p, const char *what, struct peer_answer answer);
void peer_json(struct peer *p, const char *what, int status, const char *body);

/* How many requests came that begin so. */
unsigned peer_count(struct peer *p, const char *what);

/* Waits until that many came; fails the test after 20 s. */
void peer_wait(struct peer *p, const char *what, unsigned count);

/* Waits until so many bytes of bodies were read, by all connections; fails the test after 20 s. */
void peer_wait_read(struct peer *p, uint64_t bytes);

/* The n-th one (from 0), a copy. Fails the test if there is none. */
struct peer_request peer_request(struct peer *p, const char *what, unsigned n);

/* Lets one `rest` or held answer go. */
void peer_go_on(struct peer *p);

/* The value of a header, "" if not there; valid until the next call. */
const char *peer_header(const struct peer_request *r, const char *name);

/* Waits until no connection is open; fails the test after 20 s. */
void peer_wait_closed(struct peer *p);

/* What it has not read yet waits at the client, on connections from now on. */
void peer_narrow(struct peer *p);

/* Stops listening: connections are refused from now on. */
void peer_deafen(struct peer *p);

uint64_t peer_sum(const void *bytes, size_t len);

#endif
