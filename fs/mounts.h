/*
 * Which device a mount is, from /proc/<pid>/mountinfo: no request to the mount, so no wait for it.
 * No state, any thread.
 */
#ifndef LIPSYNC_MOUNTS_H
#define LIPSYNC_MOUNTS_H

#include <stdbool.h>
#include <sys/types.h>

struct mounts_entry {
    int id; /* as in fdinfo; of no other mount while this one or a file of it is in use */
    dev_t device;
    char type[32];    /* "fuse.lipsyncfs"; cut if longer */
    char source[256]; /* cut if longer */
};

/* What is mounted on top at this absolute path, in our mount namespace. 0, -ENOENT (no mount
 * point), or the negative errno of a failed read. */
int mounts_find(const char *mountpoint, struct mounts_entry *out);

/* The device of mount `id` (fdinfo's mnt_id) as process `pid` sees its mounts. 0 or a negative
 * errno. */
int mounts_device_of(pid_t pid, int id, dev_t *out);

#endif
