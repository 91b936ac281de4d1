/*
 * A session as text: what session.json holds.
 *
 * A record that cannot be read in full is refused as a whole, so that nothing of it is overwritten.
 * Numbers that a double does not hold are strings. Both functions are memory work; record_write
 * needs fs->lock.
 */
#ifndef LIPSYNCFS_RECORD_H
#define LIPSYNCFS_RECORD_H

#include "session.h"

#define RECORD_MAX (64u << 20) /* bytes */

/* malloc'd, NUL-terminated; NULL: no memory. */
char *record_write(const struct session *s);

/* Fills the tree's session from the record; called before any thread runs. 0, -EPROTO, -ENOMEM, …
 */
int record_read(struct fs *fs, const char *uuid, const char *text, struct session **out);

#endif
