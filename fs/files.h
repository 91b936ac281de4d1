/*
 * Small durable files and private directories.
 *
 * Every name is relative to a directory descriptor and is one component; every descriptor opened
 * here is close-on-exec; symbolic links are never followed in the last component. 0 or a negative
 * errno. No state; any thread, but not under a lock, for the disk may be slow.
 */
#ifndef LIPSYNC_FILES_H
#define LIPSYNC_FILES_H

#include <stddef.h>
#include <sys/types.h>

/* Makes the directory and what is missing above it with `mode`, whatever the umask; those there
 * stay as they are. */
int files_mkdirs(const char *path, mode_t mode);

/* Opens a directory for use as dirfd below. */
int files_open_dir(const char *path, int *fd_out);

/* Owned by us and writable by nobody else, or -EPERM. */
int files_check_private_dir(int dirfd);

/* A regular file, owned by us and writable by nobody else, or not there; else -EPERM. */
int files_check_private_file(int dirfd, const char *name);

#define FILES_TEMPORARY ".tmp-" /* begins the names of files that are not finished */

/* Replaces the file as a whole: readers and crashes see the old one or the new one. Both data and
 * name are on disk on return. A failure leaves the old file. */
int files_write_atomic(int dirfd, const char *name, const void *data, size_t len, mode_t mode);

/* The whole file, malloc'd and NUL-terminated (len counts without it); the caller frees it. -EFBIG
 * over `max` bytes, -EINVAL if it is no regular file, -EPERM if it is not ours or others may write
 * it. */
int files_read(int dirfd, const char *name, size_t max, char **out, size_t *len);

/* An exclusive lock that lives as long as *fd_out is open. -EWOULDBLOCK if another holds it. */
int files_lock(int dirfd, const char *name, int *fd_out);

/* Copies `size` bytes from start to start, by reference where the file system can. -EIO if
 * `from_fd` is shorter. The offsets of both stay, `to_fd` is not truncated. */
int files_copy(int from_fd, int to_fd, off_t size);

/* fsync of the directory: renames and unlinks in it are on disk. */
int files_sync_dir(int dirfd);

/* Removes a file, or a directory with what is below, FILES_DEPTH_MAX levels at most (-ELOOP). What
 * is not there is no error. Never leaves its file system, never follows links. */
#define FILES_DEPTH_MAX 8
int files_remove_tree(int dirfd, const char *name);

#endif
