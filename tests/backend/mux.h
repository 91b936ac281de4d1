/*
 * Making the video: a timeline to an MP4 file, by ffmpeg.
 *
 * The picture is copied where that gives exactly the timeline, and encoded again where it does not:
 * the result is measured. It lasts as long as the timeline to within half a frame, with sound of
 * that length.
 */
#ifndef BACKEND_MUX_H
#define BACKEND_MUX_H

#include "backend.h"
#include "child.h"
#include "timeline.h"

/* Calls `progress` with 0-100. 0; -ENOENT (a material is not there), -EPROTO (the picture cannot be
 * read), -EIO (ffmpeg failed), -ECANCELED (the server ends). `words` says why. */
int mux_run(struct backend *b, const struct timeline *t, const char *path,
            void (*progress)(void *user, int percent), void *user, char words[CHILD_WORDS_MAX]);

#endif
