/*
 * Carrying out a wish on a session's timeline: the media work, and the words about it.
 *
 * Runs on a crew thread, takes as long as ffmpeg does. All of a wish is done, or nothing.
 */
#ifndef BACKEND_EDIT_H
#define BACKEND_EDIT_H

#include "backend.h"
#include "words.h"

struct edit {
    struct backend *b;
    const char *session_id;
    const struct wish *wish;
    const char *text; /* of the message: files that it names are preferred */
    bool dry;         /* do the work, but change nothing */
    int lag;          /* readings of the state that still see it unchanged */
};

/* True if the timeline was changed (or would have been, if dry). `said` gets the answer, in the
 * wish's language. The caller holds the session's edit (sessions_begin). */
bool edit_run(const struct edit *e, struct bytes *said);

#endif
