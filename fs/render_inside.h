/*
 * The inside of render.h, for render.c (submit and wait) and render_fetch.c (the video). All
 * functions need fs->lock.
 */
#ifndef LIPSYNCFS_RENDER_INSIDE_H
#define LIPSYNCFS_RENDER_INSIDE_H

#include "render.h"

void render_unref(struct render *n);

/* Is it still its session's? */
bool render_is_current(const struct render *n);

/* It is over. Who waits was told. */
void render_end(struct render *n, int error);

/* It is over, and why is told; `error` is a positive errno. A cancelled one is left to the next
 * mount. */
void render_fail(struct render *n, const struct fault *f);
void render_fail_local(struct render *n, int error);

/* Downloads and shows the video; `url` NULL: by the render's id. */
void render_fetch(struct render *n, const char *url);

#endif
