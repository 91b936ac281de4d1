/*
 * Render jobs: submitted once, run on a crew thread, polled, kept for the next start of the server.
 *
 * A job renders the draft that it was given, not the session's current one. Safe from every thread.
 */
#ifndef BACKEND_JOBS_H
#define BACKEND_JOBS_H

#include "backend.h"
#include "bytes.h"
#include "child.h"
#include "faults.h"
#include "ids.h"

#define JOBS_AT_ONCE 2 /* ffmpegs */

enum job_status {
    JOB_PENDING,
    JOB_PROCESSING,
    JOB_COMPLETED,
    JOB_FAILED,
};

extern const char *const job_status_names[];

struct job_view {
    enum job_status status;
    int percent;
    char error[CHILD_WORDS_MAX];
    char url[2048]; /* of the result, once completed */
};

/* Takes up what an earlier life of the server did not finish. NULL: no memory. */
struct jobs *jobs_new(struct backend *b);
void jobs_free(struct jobs *j);

/* Ends the waiting of jobs that have not begun. */
void jobs_stop(struct jobs *j);

/* Begins the unfinished jobs of an earlier life. */
void jobs_resume(struct jobs *j);

/* `fx`: what is to go wrong with it. 0; -EEXIST (nothing new is begun), -EPROTO (no draft that
 * could be rendered), -ENOMEM, or what writing failed with. */
int jobs_submit(struct jobs *j, const char *id, const char *user_id, const char *session_id,
                const char *draft, size_t len, const struct effects *fx);

/* 0, or -ENOENT: no such job of that user. */
int jobs_view(struct jobs *j, const char *id, const char *user_id, struct job_view *out);

/* A descriptor of the result, or a negative errno. */
int jobs_open(struct jobs *j, const char *id);

void jobs_list(struct jobs *j, struct bytes *out);

#endif
