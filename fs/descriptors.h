/*
 * The open descriptors of processes, read from /proc/<pid>/fd without waiting for the processes,
 * and without a request to any mount.
 *
 * While a process is inside execve(), the kernel lets nobody read its links until that is over, and
 * the execve() may itself wait for a file system that writes out what it closes. Those processes
 * are known by their memory, which has no program yet, and only their fdinfo is read; of all others
 * the links, for these are quick, while the fdinfo of some devices is slow. No state, any thread;
 * not under a lock, for a few milliseconds go by with some hundred processes.
 */
#ifndef LIPSYNC_DESCRIPTORS_H
#define LIPSYNC_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct descriptor {
    pid_t pid;          /* or a thread's id */
    int table;          /* the directory /proc/<pid>/fd */
    const char *number; /* its name there */
    const char *link;   /* NULL: not to be read, the process is inside execve() */
    size_t link_len;
};

typedef bool descriptor_take(const struct descriptor *d, void *user);

/* Calls `take` for the process's descriptors until it returns true. 1: it did, 0: never, or a
 * negative errno: the process is gone or may not be looked into. */
int descriptors_of(pid_t pid, descriptor_take *take, void *user);

/* As descriptors_of, for all processes that may be looked into. -errno: /proc cannot be read. */
int descriptors_of_all(descriptor_take *take, void *user);

/* A file to read what fdinfo says, or a negative errno. */
int descriptor_info(const struct descriptor *d);

/* Is the process inside execve(), where descriptors are closed? */
bool descriptors_executing(pid_t pid);

/* Reads a short file of /proc, what fits of it, and closes it. False: nothing to be had; `fd` may
 * be a failed open's. */
bool descriptors_text(int fd, char *text, size_t size);

/* The same of /proc/<pid>/<file>; pid may be a thread's id. */
bool descriptors_process_text(pid_t pid, const char *file, char *text, size_t size);

#endif
