/*
 * Is a media file whole? A copy that was cancelled is closed like any other; only its own container
 * can tell (an MP4 box or a RIFF chunk that runs past the end of the file).
 *
 * The content decides. The name is asked only about files that begin like old QuickTime ones, whose
 * first bytes prove little. What is no MP4 and no RIFF file, or makes no sense as one, is not
 * judged. Reads with pread, a bounded number of small steps, and keeps no state: any thread, but
 * not under a lock, for the disk may be slow.
 */
#ifndef LIPSYNC_CONTAINER_H
#define LIPSYNC_CONTAINER_H

#include <sys/types.h>

/* 0: whole, or nothing in it tells. -EBADMSG: its container says that it is cut short. Otherwise
 * the negative errno of a failed read. `fd` needs read access, `size` is its length in bytes; its
 * offset stays. */
int container_check(int fd, off_t size, const char *name);

#endif
