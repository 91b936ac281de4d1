/*
 * A process of its own for what a confined program (confine.h) cannot do any more: looking into
 * other processes (closer.h, sniffers.h, watchers.h), which Landlock forbids its captives, and
 * unmounting, for which fusermount3 needs privileges.
 *
 * It is forked before anything worth protecting is in memory, hears of nothing but questions, and
 * ends when the program does, however that is. It holds no descriptor of the mount, so a program
 * that is killed leaves no mount that seems alive. For that it does one thing more: a thread of the
 * program that is inside a call on our own mount when the program is killed may wait there for
 * somebody who waits for the program's answer. Such a process would never end, nor would its
 * connection, so the lookout ends the connection when the program's first thread dies: through
 * FUSE's control files, which belong to whoever mounted, else as root by force. An ordinary user on
 * a machine without those files (some containers) has neither, and nothing else ends a connection
 * whose last descriptor is held by a process that waits for it: there an administrator has to.
 *
 * Each question has a thread in the lookout; at most LOOKOUT_QUESTIONS_MAX are looked into at a
 * time, more are not answered. Looking takes milliseconds, but a process may enter execve() right
 * then (see descriptors.h), so an answer that does not come within LOOKOUT_MS is not waited for.
 *
 * start, detach and stop: first thread. The questions: any thread, not under a lock.
 */
#ifndef LIPSYNCFS_LOOKOUT_H
#define LIPSYNCFS_LOOKOUT_H

#include <stdbool.h>
#include <sys/types.h>

#include "closer.h"

#define LOOKOUT_MS 500
#define LOOKOUT_QUESTIONS_MAX 256

/* Before there are threads, with the signals blocked and ignored as the lookout shall have them.
 * It keeps none of our descriptors. 0 or -errno. */
int lookout_start(const char *mountpoint);

/* The mount is there, and is this device. Without it a kill is left to the kernel. */
void lookout_mounted(dev_t device);

/* Takes away what is mounted at the mount point, busy or not. 0 or a negative errno. */
int lookout_detach(void);

/* Waits for its end. */
void lookout_stop(void);

/* closer_look; without an answer: CLOSER_UNKNOWN. */
enum closer_state lookout_closer(pid_t tid, const struct closer_file *file);

/* closer_is_killed; without an answer: no. */
bool lookout_is_killed(pid_t tid);

/* closer_signal. Not in time: CLOSER_SIGNAL_NONE, so one looks again; no lookout any more:
 * CLOSER_SIGNAL_ENDS. */
enum closer_signal lookout_signal(pid_t tid);

/* sniffers_look; without an answer: no. */
bool lookout_is_sniffer(pid_t tid);

/* watchers_look. Without an answer: yes. */
bool lookout_is_watched(dev_t device);

#endif
