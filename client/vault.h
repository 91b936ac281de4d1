/*
 * What the account keeps on disk: the client id, a file that other NemoVideo tools share, and the
 * anonymous token, a file of our own.
 *
 * Blocking file I/O, no state; every thread. Files are 0600 and replaced whole, never half written;
 * missing directories are made 0700.
 */
#ifndef LIPSYNC_VAULT_H
#define LIPSYNC_VAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "wire.h"

#define VAULT_API_MAX 512 /* bytes of the API's root URL, terminated */

/* The id in the file: 0, -ENOENT, -EINVAL (nothing that may stand in a header), or another errno.
 */
int vault_read_id(const char *path, char out[WIRE_ID_MAX]);

/* The id that all programs with this file use from now on: the one that is there, else `proposal`,
 * which is put there; an id that equals `refused` (may be NULL) is replaced. Programs that do this
 * at the same time agree. 0 or a negative errno. */
int vault_agree_id(const char *path, const char *proposal, const char *refused,
                   char out[WIRE_ID_MAX]);

/* A fresh id: a random UUID. */
void vault_new_id(char out[WIRE_ID_MAX]);

/* May it stand in a header: printable ASCII without spaces, and not empty? */
bool vault_is_header_text(const char *text);

struct vault_token {
    struct wire_token token;
    int64_t issued_at_s;         /* since the epoch */
    char client_id[WIRE_ID_MAX]; /* whom it was given to */
    char api[VAULT_API_MAX];     /* who gave it: it goes nowhere else */
};

/* 0, -ENOENT, -EINVAL, or another errno. */
int vault_read_token(const char *path, struct vault_token *out);

/* It is on disk, its name too, when 0 is returned. */
int vault_write_token(const char *path, const struct vault_token *in);

#endif
