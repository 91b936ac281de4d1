/*
 * What the tests of the client share: a client for a peer, and calls whose end can be waited for.
 */
#ifndef LIPSYNC_TEST_KIT_H
#define LIPSYNC_TEST_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client.h"
#include "peer.h"

struct kit {
    struct peer *peer;
    struct client *client;
    char dir[64];
    char id_path[128];
    char token_path[128];
    struct client_options options; /* used by kit_client */
};

/* A peer, a directory, and options with short waits; no client yet. */
void kit_setup(struct kit *k);

/* Makes the client (ends the one before). */
void kit_client(struct kit *k);
void kit_teardown(struct kit *k);

/* cmocka's: a kit with a client as *state. */
int kit_begin(void **state);
int kit_end(void **state);

/* Everything that callbacks told about one call. Guarded by a lock of the kit's own. */
struct told {
    unsigned ends; /* final callbacks */
    struct fault fault;
    char text[65536]; /* session id, state, URL, or the words of a turn */
    size_t text_len;
    char before_end[512]; /* order of a turn's events: T taken, x text, q quiet, b broken, r
                             recheck, D done */
    int64_t number[3];
    struct turn_result result; /* its state is in `text2` */
    char text2[65536];
    unsigned progress;
    uint64_t most, total;
    bool late;
    int64_t ended_ms;
};

/* Waits for the final callback; fails the test after 60 s. */
void told_wait(struct told *t);

/* Waits until the order of a turn's events begins so. */
void told_wait_order(struct told *t, const char *beginning);

/* Waits until there is such an event among them. */
void told_wait_event(struct told *t, char what);

/* Waits until a turn told at least so many bytes of text; how many they are. */
size_t told_wait_text(struct told *t, size_t len);

/* Has the end come? */
bool told_ended(struct told *t);

client_session_fn told_session;
client_link_fn told_link;
client_upload_fn told_upload;
client_upload_progress_fn told_upload_progress;
client_state_fn told_state;
client_balance_fn told_balance;
client_done_fn told_done;
client_render_fn told_render;
client_render_progress_fn told_render_progress;
client_download_fn told_download;
client_download_progress_fn told_download_progress;
extern const struct turn_events told_turn;

int64_t now_ms(void);

/* A file with `size` bytes of noise; its descriptor. */
int kit_file(struct kit *k, const char *name, size_t size, uint64_t *sum);

/* Reads a file whole; the caller frees it. NULL: not there. */
char *kit_read(const char *path, size_t *len);

/* All lines that the client logged so far hold none of `secret`. */
void kit_log_lacks(const char *secret);

#endif
