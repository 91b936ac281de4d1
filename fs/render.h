/*
 * From a draft to output.mp4: submit, wait, download, show. All functions need fs->lock.
 *
 * The id of a render is recorded before it is submitted, so that a program that was killed finds it
 * again. There is at most one render of a session; a newer draft drops it.
 */
#ifndef LIPSYNCFS_RENDER_H
#define LIPSYNCFS_RENDER_H

#include "session.h"

enum render_phase {
    RENDER_RECORDING,
    RENDER_SUBMITTING,
    RENDER_WAITING,
    RENDER_DOWNLOADING,
    RENDER_KEEPING, /* bringing the file to disk */
};

struct render {
    struct session *session; /* has a reference */
    int refs;                /* its place in the session, callbacks to come */
    enum render_phase phase;
    char id[40];
    uint64_t fingerprint; /* of its draft */
    int64_t duration_ms;
    int percent; /* -1: not known */
    bool late;
    bool after_fault;    /* the edit that began it failed half-way: its success does not undo that */
    bool again;          /* the one new submission, after a failed render, was made */
    bool renewed;        /* the one new session was made */
    bool restored;       /* of an earlier life, which may not have submitted it */
    bool wants_uploads;  /* goes again when the new session has the inputs */
    struct bytes *state; /* whose draft it is; NULL: of an earlier life that left none */
    const char *draft;   /* inside `state` */
    size_t draft_len;
    struct reply *reply;        /* to be told of the outcome and ended; NULL: nobody */
    struct parked_list closers; /* wait for the submission */
    char *session_id;           /* where it was submitted; NULL: not yet, or its session was lost */
    client_call call;
    struct need need;
    struct saving saving;
    struct blob *blob;
    bool used; /* the blob is open for us */
    struct store_job job;
    int job_error;
};

/* One of an earlier life, into its session. 0 or -ENOMEM. */
int render_restore(struct session *s, const char *id, uint64_t fingerprint, int64_t duration_ms);

/* Renders the draft of `news`, the session's newest. `reply` (may be NULL) is told of the outcome
 * and ended; `closer` (may be NULL) is answered when the backend has taken the render, or refused
 * it. Without a need for a render (the output is current, the draft is empty) both are told so. */
void render_start(struct session *s, const struct state_news *news, struct reply *reply,
                  struct parked *closer);

/* No upload is under way: what waited for them goes on. */
void render_uploads_ended(struct session *s);

/* Forgets the render under way; its reply is ended. */
void render_drop(struct session *s);

/* The newest draft is known (session->fingerprint): an output or a render of another one goes. */
void render_draft_known(struct session *s);

/* Whoever reads its reply is not told of the outcome any more: a newer reply begins. */
void render_leave_reply(struct session *s);

/* Goes on with what an earlier life submitted. */
void render_resume(struct session *s);

#endif
