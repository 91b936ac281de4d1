#include "closer.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mounts.h"

/* Of the kernel's task flags. */
#define TASK_EXITING 0x4u
#define TASK_SIGNALED 0x400u

#define DELETED " (deleted)" /* what the kernel appends to the link of an unlinked file */

static bool ends_with(const char *text, size_t len, const char *tail)
{
    size_t n = strlen(tail);

    return len >= n && memcmp(text + len - n, tail, n) == 0;
}

/* With or without the kernel's mark; a file may be called like that, too. */
static bool link_ends_with(const char *link, size_t len, const char *tail)
{
    return ends_with(link, len, tail) ||
           (ends_with(link, len, DELETED) && ends_with(link, len - strlen(DELETED), tail));
}

struct descriptor {
    bool writing;
    int mount_id; /* -1: not told */
    uint64_t ino; /* 0: not told (kernels before 5.14) */
};

/* What fdinfo says. False if it is gone or may not be read. */
static bool read_fdinfo(int table, const char *number, struct descriptor *out)
{
    char path[64], text[1024];
    const char *field;
    unsigned int flags;
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "../fdinfo/%.20s", number);
    fd = openat(table, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';

    field = strstr(text, "flags:");
    if (!field || sscanf(field, "flags: %o", &flags) != 1)
        return false;
    out->writing = (flags & O_ACCMODE) != O_RDONLY && !(flags & O_PATH);
    field = strstr(text, "mnt_id:");
    if (!field || sscanf(field, "mnt_id: %d", &out->mount_id) != 1)
        out->mount_id = -1;
    field = strstr(text, "ino:");
    if (!field || sscanf(field, "ino: %" SCNu64, &out->ino) != 1)
        out->ino = 0;
    return true;
}

/* Is the descriptor behind this link the file, open for writing? The link's text depends on where
 * its process sees the mount, so inode and device decide if they are known. */
static bool is_holder(pid_t pid, int table, const char *number, const char *link, size_t len,
                      const struct closer_file *file)
{
    bool same_ino = false, same_device = false;
    struct descriptor d;
    dev_t device;

    if (!read_fdinfo(table, number, &d) || !d.writing)
        return false;
    if (file->ino && d.ino) {
        if (d.ino != file->ino)
            return false;
        same_ino = true;
    }
    if (file->device && d.mount_id >= 0 && mounts_device_of(pid, d.mount_id, &device) == 0) {
        if (device != file->device)
            return false;
        same_device = true;
    }
    return (same_ino && same_device) || link_ends_with(link, len, file->tail);
}

/* Does the table at `path` (".../fd") hold the file? 1, 0, or a negative errno if it cannot be
 * read. *count is the number of descriptors seen. */
static int search_table(pid_t pid, const char *path, const struct closer_file *file, int *count)
{
    const char *name = strrchr(file->tail, '/');
    struct dirent *entry;
    int rc = 0;
    DIR *dir;

    *count = 0;
    if (!name)
        name = file->tail;
    dir = opendir(path);
    if (!dir)
        return -errno;
    while (rc == 0 && (entry = readdir(dir))) {
        char link[PATH_MAX + sizeof(DELETED)];
        ssize_t len;

        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        (*count)++;
        len = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link));
        /* Cheap first: few descriptors in the world have this name. */
        if (len > 0 && link_ends_with(link, (size_t)len, name))
            rc = is_holder(pid, dirfd(dir), entry->d_name, link, (size_t)len, file);
    }
    closedir(dir);
    return rc;
}

/* The tables of a process's other threads, for a process whose first thread has ended shows none.
 */
static int search_threads(pid_t pid, const struct closer_file *file)
{
    char path[64];
    struct dirent *entry;
    int rc = 0, count;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    dir = opendir(path);
    if (!dir)
        return 0;
    while (rc <= 0 && (entry = readdir(dir))) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (tid <= 0 || tid == pid)
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%d/fd", pid, tid);
        rc = search_table(pid, path, file, &count);
    }
    closedir(dir);
    return rc;
}

/* As search_table, for a process or thread. */
static int search_process(pid_t pid, const struct closer_file *file)
{
    char path[64];
    int rc, count;

    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    rc = search_table(pid, path, file, &count);
    if (rc == 0 && count == 0)
        rc = search_threads(pid, file);
    return rc;
}

static bool search_all(const struct closer_file *file)
{
    DIR *dir = opendir("/proc");
    bool found = false;
    struct dirent *entry;

    if (!dir)
        return false;
    while (!found && (entry = readdir(dir))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (pid > 0)
            found = search_process(pid, file) > 0;
    }
    closedir(dir);
    return found;
}

struct task {
    char state;
    pid_t parent;
    uint64_t pending, blocked, ignored, caught; /* bit n-1: signal n */
};

/* 0 or a negative errno. */
static int read_task(pid_t tid, struct task *out)
{
    char path[64], *line = NULL;
    size_t size = 0;
    FILE *f;

    memset(out, 0, sizeof(*out));
    snprintf(path, sizeof(path), "/proc/%d/status", tid);
    f = fopen(path, "re");
    if (!f)
        return -errno;
    while (getline(&line, &size, f) > 0) {
        uint64_t mask;

        if (sscanf(line, "State: %c", &out->state) == 1 ||
            sscanf(line, "PPid: %d", &out->parent) == 1 ||
            sscanf(line, "SigBlk: %" SCNx64, &out->blocked) == 1 ||
            sscanf(line, "SigIgn: %" SCNx64, &out->ignored) == 1 ||
            sscanf(line, "SigCgt: %" SCNx64, &out->caught) == 1)
            continue;
        if (sscanf(line, "SigPnd: %" SCNx64, &mask) == 1 ||
            sscanf(line, "ShdPnd: %" SCNx64, &mask) == 1)
            out->pending |= mask;
    }
    free(line);
    fclose(f);
    return out->state ? 0 : -ESRCH;
}

/* Two fields of /proc/<tid>/stat: the task's flags, and (the last one) how its process ends, as
 * wait() tells it; that is 0 for those who may not look into the process. */
static bool read_end(pid_t tid, unsigned int *flags, int *exit_code)
{
    char path[64], text[2048], *field;
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/stat", tid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';

    /* The second field is the program's name, in brackets, and may hold anything. */
    field = strrchr(text, ')');
    if (!field || sscanf(field, ") %*c %*d %*d %*d %*d %*d %u", flags) != 1)
        return false;
    field = strrchr(field, ' ');
    return field && sscanf(field, "%d", exit_code) == 1;
}

/* May we see what of a task only its owner may? */
static bool may_look_into(pid_t tid)
{
    char path[64], link[64];

    snprintf(path, sizeof(path), "/proc/%d/ns/user", tid);
    return readlink(path, link, sizeof(link)) > 0;
}

bool closer_is_killed(pid_t tid)
{
    unsigned int flags;
    int exit_code;

    if (tid <= 0 || !read_end(tid, &flags, &exit_code) || !(flags & TASK_SIGNALED))
        return false;
    /* exit() of a process with several threads ends the others by a signal, too: how the process
     * ends makes the difference. A signal is in the low bits. */
    return (exit_code & 0x7f) != 0 || !may_look_into(tid);
}

/* An exiting task has let go of its table before the FLUSH, so none of its descriptors can be left,
 * but the directory then belongs to root and is closed to others. */
static bool is_exiting(pid_t tid)
{
    unsigned int flags;
    int exit_code;

    return read_end(tid, &flags, &exit_code) && (flags & TASK_EXITING);
}

enum closer_state closer_look(pid_t tid, const struct closer_file *file)
{
    bool readable = false;
    struct task task;

    /* The likely ones first: the flusher itself, and the shell that opened the file for it. */
    if (tid > 0) {
        int rc = search_process(tid, file);

        if (rc > 0)
            return CLOSER_OTHERS;
        readable = rc == 0 || is_exiting(tid);
        if (file->past_flusher)
            file->past_flusher(file->user);
        if (read_task(tid, &task) == 0 && task.parent > 0 && search_process(task.parent, file) > 0)
            return CLOSER_OTHERS;
    }
    if (search_all(file))
        return CLOSER_OTHERS;
    if (closer_is_killed(tid))
        return CLOSER_KILLED;
    return readable ? CLOSER_LAST : CLOSER_UNKNOWN;
}

static uint64_t bit(int signal)
{
    return UINT64_C(1) << (signal - 1);
}

enum closer_signal closer_signal(pid_t tid)
{
    uint64_t asking = bit(SIGINT) | bit(SIGTERM) | bit(SIGHUP) | bit(SIGQUIT);
    uint64_t harmless = bit(SIGCHLD) | bit(SIGCONT) | bit(SIGURG) | bit(SIGWINCH) | bit(SIGSTOP) |
                        bit(SIGTSTP) | bit(SIGTTIN) | bit(SIGTTOU);
    struct task task;
    uint64_t pending;

    if (tid <= 0 || read_task(tid, &task) < 0 || strchr("XxZ", task.state) ||
        (task.pending & bit(SIGKILL)))
        return CLOSER_SIGNAL_ENDS;
    pending = task.pending & ~task.blocked & ~task.ignored;
    if ((pending & asking) || (pending & ~task.caught & ~harmless))
        return CLOSER_SIGNAL_ENDS;
    /* Last, for this may sleep while the process is inside execve(). */
    return closer_is_killed(tid) ? CLOSER_SIGNAL_ENDS : CLOSER_SIGNAL_NONE;
}
