/*
 * The one place where a fault becomes an errno.
 */
#ifndef LIPSYNC_ERRNOS_H
#define LIPSYNC_ERRNOS_H

#include "fault.h"

/* A positive errno, 0 for FAULT_NONE. Never EINTR, ENOSYS or ENOENT, which the kernel or programs
 * would take for something else. */
int errnos_of(const struct fault *f);

#endif
