/*
 * Is anybody watching files of our mount with inotify? Read from /proc/<pid>/fdinfo, without
 * waiting: see descriptors.h.
 *
 * Calls on our own mount that make inotify speak keep it busy for a moment, and an unmount in that
 * moment fails. So they are made only for somebody. Processes that we may not look into are not
 * seen; on a mount without allow_other there are none that could watch. A struct has one user at a
 * time.
 */
#ifndef LIPSYNC_WATCHERS_H
#define LIPSYNC_WATCHERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* An answer serves this long, so that many sessions at work cost few looks. */
#define WATCHERS_FRESH_MS 100

struct watchers {
    bool (*look)(dev_t device);
    dev_t device;     /* of the mount; 0: not known, then there are always some */
    int64_t until_ms; /* the answer below serves until then; monotonic */
    bool found;
};

/* Looks now. No state, any thread. */
bool watchers_look(dev_t device);

/* Looks with w->look, unless that was just done. */
bool watchers_exist(struct watchers *w, int64_t now_ms);

#endif
