/*
 * What the running mount may still do, should somebody talk it into doing more: no new privileges,
 * no system call that a file system has no use for (seccomp), and of all files only its own ones
 * and those that names and certificates are looked up in (Landlock).
 *
 * It may not start programs, look into other processes or unmount from then on: lookout.h does.
 */
#ifndef LIPSYNCFS_CONFINE_H
#define LIPSYNCFS_CONFINE_H

#include "options.h"

/* Binds the calling thread, and those that it starts from now on. The directories and the mount
 * have to be there. What the kernel does not offer is left out, as `log` (may be NULL) is told. */
void confine(const struct options *o, void (*log)(const char *line));

#endif
