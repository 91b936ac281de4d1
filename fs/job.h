/*
 * The inside of message.h, for message.c (the queue), edit.c (what the backend is asked to do) and
 * command.c (what is carried out here). Everything needs fs->lock.
 */
#ifndef LIPSYNCFS_JOB_H
#define LIPSYNCFS_JOB_H

#include "message.h"
#include "query.h"
#include "route.h"
#include "session.h"
#include "translate.h"

struct job {
    TAILQ_ENTRY(job) link;
    struct session *session; /* has a reference */
    int refs;                /* its place in the session, callbacks to come */
    bool stopped;            /* callbacks come back to nothing */
    char *text;
    size_t len;
    enum route route;
    struct parked_list closers;
    struct reply *reply;
    struct bytes *before;
    uint64_t before_seq;
    bool before_unsaved;
    bool left, taken, renewed, resumed;
    bool wants_uploads; /* waits for them to end */
    char *session_id;
    client_call call;
    struct translate *translate;
    unsigned wishes; /* of the text that `translate` gave out before its end */
    struct need need;
    struct saving saving;
    struct query_wait wait;
    struct input *sent[ROUTE_URLS_MAX]; /* by `upload URL…` */
    size_t sent_count;
};

void job_unref(struct job *j);

/* The session is free for the next one; the reply may go on (a render). The job is gone afterwards.
 */
void job_leave(struct job *j);

/* All is done: the reply ends here, and the closes get `error`. */
void job_finish(struct job *j, int error);

/* It failed before anything was changed: told in the reply, and to the closes. */
void job_refuse(struct job *j, const struct fault *f);

/* The parts of that: into the history, into the reply and the status. */
void job_remember_reply(struct job *j);
void job_tell_fault(struct job *j, const struct fault *f);

/* Appends the track listing to the reply. */
void job_tell_listing(struct job *j, const struct state_news *news);

/* Records the message, then sends it; ends the job. */
void edit_begin(struct job *j);

/* Sends it, recorded and with its uploads done; or, for one that was resumed, looks what became of
 * it. */
void edit_send(struct job *j);

/* Carries out a free command; ends the job. */
void command_begin(struct job *j);

/* The uploads that a command began have ended. */
void command_uploads_ended(struct job *j);

#endif
