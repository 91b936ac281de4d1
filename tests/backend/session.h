/*
 * Sessions: their uploads (materials), drafts, and the edit that works on them.
 *
 * The current draft is a text that is handed out byte for byte; those before it are kept for undo.
 * Every change is on disk (sessions/<id>.json) before the function returns. Safe from every thread.
 */
#ifndef BACKEND_SESSION_H
#define BACKEND_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "backend.h"
#include "bytes.h"
#include "ids.h"
#include "probe.h"
#include "timeline.h"

#define SESSION_MATERIALS_MAX 10000
#define SESSION_UNDO_MAX 64

struct material {
    char id[ID_MAX]; /* its file is media/<id> */
    char name[TIMELINE_NAME_MAX];
    const char *mime; /* static */
    uint64_t size;    /* bytes */
    char sha256[65];
    struct media_info info;
};

struct session_ids {
    char session_id[ID_MAX];
    char task_id[ID_MAX];
};

/* NULL: out of memory. Unreadable records are told on standard error and left alone. */
struct sessions *sessions_new(struct backend *b);
void sessions_free(struct sessions *ss);

/* Ends every sessions_begin that waits. */
void sessions_stop(struct sessions *ss);

/* 0 or a negative errno. */
int sessions_create(struct sessions *ss, const char *user_id, const char *name, const char *lang,
                    struct session_ids *out);

/* 0, or -ENOENT: no such session of that user. */
int sessions_check(struct sessions *ss, const char *session_id, const char *user_id);

/* -ENOENT, -ENOSPC (too many), or what writing failed with. */
int sessions_add(struct sessions *ss, const char *session_id, const struct material *m);

/* The URL of a material, or of another file of the server's media ("" as the name: none is shown).
 */
void sessions_media_url(const struct backend *b, const char *kind, const char *id, const char *name,
                        char *out, size_t size);

/* The text of `data.state`. 0 or -ENOENT. */
int sessions_state(struct sessions *ss, const char *session_id, struct bytes *out);

/* A material by its id, from any session. 0 or -ENOENT. */
int sessions_material(struct sessions *ss, const char *id, struct material *out);

/* Waits for the session's other edits; 0, -ENOENT, -ECANCELED (the server ends). Then sessions_end.
 */
int sessions_begin(struct sessions *ss, const char *session_id);
void sessions_end(struct sessions *ss, const char *session_id);

/* The newest material of a kind whose name is in the text, or else the newest one. 0 or -ENOENT. */
int sessions_newest(struct sessions *ss, const char *session_id, enum media_kind kind,
                    const char *text, struct material *out);

/* The current timeline; empty before the first edit. 0 or -ENOENT. */
int sessions_timeline(struct sessions *ss, const char *session_id, struct timeline *out);

/* Makes it the current one. The next `lag` readings of the state still give the one before. */
int sessions_commit(struct sessions *ss, const char *session_id, const struct timeline *t, int lag);

/* Goes back to the draft before; -ENODATA if there is none. */
int sessions_undo(struct sessions *ss, const char *session_id, int lag);

/* Is this text, byte for byte, a draft of the session? */
bool sessions_knows_draft(struct sessions *ss, const char *session_id, const char *draft,
                          size_t len);

/* For control: JSON lists; and forgetting, -ENOENT. */
void sessions_list(struct sessions *ss, struct bytes *out);
void sessions_files(struct sessions *ss, struct bytes *out);
int sessions_forget(struct sessions *ss, const char *session_id);

#endif
