/*
 * Where things are: the mount point, the user's directories, the program itself.
 *
 * Reads the environment and the file system; first thread, before any other runs. Every string is
 * malloc'd and the caller's; NULL: errno tells why.
 */
#ifndef LIPSYNC_PLACES_H
#define LIPSYNC_PLACES_H

#include <stdbool.h>

/* The path from the root; a relative one is one from the working directory. */
char *places_absolute(const char *path);

/* A directory as XDG has it: `name` below what the variable says (a relative one does not count),
 * else below `below_home` in the home directory. ENOENT: there is no home. */
char *places_dir(const char *variable, const char *below_home, const char *name);

/* "/dev/fd/N": a mount that was made by who started us, at a place that we do not know. */
bool places_is_descriptor(const char *mountpoint);

/* The mount point, links resolved. One that a crashed mount left behind cannot be looked at; then
 * its parent is resolved. A descriptor stays as it is. */
char *places_mountpoint(const char *arg);

/* Is `path`, absolute and not necessarily there, the same as `dir`, or below it? The links of `dir`
 * are resolved. True if there is no memory to tell. */
bool places_is_inside(const char *path, const char *dir);

/* The X-Skill-Platform of the protocol, from where the program is installed: "clawhub", "cursor" or
 * "unknown". */
char *places_platform(void);

#endif
