/*
 * Who closes, and who is being ended: what FLUSH and INTERRUPT do not tell, read from /proc.
 *
 * FLUSH comes at every close of every duplicate of a descriptor. It is the last one exactly when no
 * process has the file open for writing any more: the closed descriptor has left its table by then,
 * and the flusher waits for our answer. So the descriptors of all processes are looked at (see
 * descriptors.h: no request to a mount, no waiting, but a few milliseconds for some hundred
 * processes; not under a lock). No state, any thread.
 *
 * What it cannot tell: two open files of one name. While two handles of a file are open for
 * writing, the close of the first says CLOSER_OTHERS although no duplicate of *its* handle is left.
 * The caller keeps what was written per file, not per handle, so the second handle's last close
 * uploads both's work; and RELEASE of the last writing handle is the backstop for a file whose work
 * nobody uploaded. Descriptors in flight (SCM_RIGHTS) and those of processes that we may not look
 * into are not seen: the file is uploaded, and again when they write.
 */
#ifndef LIPSYNC_CLOSER_H
#define LIPSYNC_CLOSER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct closer_file {
    const char *tail; /* path below the mount point: "/session/inputs/name" */
    uint64_t ino;     /* st_ino as the mount gives it; 0: the tail decides */
    dev_t device;     /* of the mount; 0: not known, then the tail decides, too */
    int mount_id;     /* see mounts.h */
};

enum closer_state {
    CLOSER_LAST,    /* nobody else has the file open for writing */
    CLOSER_OTHERS,  /* another process, or another descriptor of this one, still has */
    CLOSER_UNKNOWN, /* no other was seen, but the flusher cannot be looked into */
    CLOSER_KILLED,  /* as CLOSER_LAST, and a signal is ending the flusher: its work is unfinished */
    CLOSER_EXECUTING, /* it is execve() that closes the file. To be answered at once, for nobody
                         could look into the process meanwhile: RELEASE will tell */
};

/* To be called before a FLUSH is answered. `tid` is the requester's thread as FUSE tells it, 0 in
 * another pid namespace. A killed process whose duplicates live on elsewhere is CLOSER_OTHERS. */
enum closer_state closer_look(pid_t tid, const struct closer_file *file);

/* A signal is ending this thread's process (a plain exit without close is none). */
bool closer_is_killed(pid_t tid);

enum closer_signal {
    CLOSER_SIGNAL_NONE, /* go on waiting, and look again: no second interrupt will come */
    CLOSER_SIGNAL_ENDS, /* end the wait with EINTR */
};

/* After an interrupt: is there a pending signal that ends waits? INT, TERM, HUP and QUIT unless
 * blocked or ignored, KILL, and whatever else terminates the process by default and is not caught.
 * A thread that is gone, or is in another pid namespace (0), counts as ended. */
enum closer_signal closer_signal(pid_t tid);

#endif
