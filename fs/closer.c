#include "closer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "descriptors.h"
#include "mounts.h"

#define TASK_SIGNALED 0x400u /* of the kernel's task flags */

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

struct info {
    bool writing;
    int mount_id; /* -1: not told */
    uint64_t ino; /* 0: not told (kernels before 5.14) */
};

/* What fdinfo says. False if it is gone or may not be read. */
static bool read_info(const struct descriptor *d, struct info *out)
{
    const char *field;
    unsigned int flags;
    char text[1024];

    if (!descriptors_text(descriptor_info(d), text, sizeof(text)))
        return false;
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

/* A descriptor may come from another mount namespace than its process is in now, and a mount that
 * was taken away with files open is in nobody's list; its id stays until they are closed. */
static bool is_on_mount(pid_t pid, int id, const struct closer_file *file)
{
    dev_t device;

    if (mounts_device_of(pid, id, &device) == 0 || mounts_device_of(getpid(), id, &device) == 0)
        return device == file->device;
    return id == file->mount_id;
}

/* Is it the file, open for writing? What its path is depends on where its process sees the mount,
 * so inode and mount decide if they are known. */
static bool is_holder(const struct descriptor *d, void *user)
{
    const struct closer_file *file = user;
    const char *name = strrchr(file->tail, '/');
    struct info info;

    /* Cheap first: few descriptors in the world have this name. */
    if (d->link && !link_ends_with(d->link, d->link_len, name ? name : file->tail))
        return false;
    if (!read_info(d, &info) || !info.writing)
        return false;
    if (file->ino && info.ino && file->device)
        return info.ino == file->ino && is_on_mount(d->pid, info.mount_id, file);
    return d->link && link_ends_with(d->link, d->link_len, file->tail);
}

/* As descriptors_of. */
static int search_process(pid_t pid, struct closer_file *file)
{
    return descriptors_of(pid, is_holder, file);
}

struct task {
    char state;
    pid_t parent;
    bool exiting;                               /* its descriptors are gone */
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
        unsigned long number;
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
        else if (sscanf(line, "FDSize: %lu", &number) == 1)
            out->exiting = number == 0;
    }
    free(line);
    fclose(f);
    return out->state ? 0 : -ESRCH;
}

/* Two fields of /proc/<tid>/stat: the task's flags, and (the last one) how its process ends, as
 * wait() tells it; that is 0 for those who may not look into the process. Only for a task that
 * exits: reading it of one inside execve() would wait. */
static bool read_end(pid_t tid, unsigned int *flags, int *exit_code)
{
    char text[2048], *field;

    if (!descriptors_process_text(tid, "stat", text, sizeof(text)))
        return false;
    /* The second field is the program's name, in brackets, and may hold anything. */
    field = strrchr(text, ')');
    if (!field || sscanf(field, ") %*c %*d %*d %*d %*d %*d %u", flags) != 1)
        return false;
    field = strrchr(field, ' ');
    return field && sscanf(field, "%d", exit_code) == 1;
}

/* May we see what of a task only its owner may? Not for a task that may be inside execve(). */
static bool may_look_into(pid_t tid)
{
    char path[64], link[64];

    snprintf(path, sizeof(path), "/proc/%d/ns/user", tid);
    return readlink(path, link, sizeof(link)) > 0;
}

/* Of a task that exits. */
static bool is_killed(pid_t tid)
{
    unsigned int flags;
    int exit_code;

    if (!read_end(tid, &flags, &exit_code) || !(flags & TASK_SIGNALED))
        return false;
    /* exit() of a process with several threads ends the others by a signal, too: how the process
     * ends makes the difference. A signal is in the low bits. */
    return (exit_code & 0x7f) != 0 || !may_look_into(tid);
}

bool closer_is_killed(pid_t tid)
{
    struct task task;

    return tid > 0 && read_task(tid, &task) == 0 && task.exiting && is_killed(tid);
}

enum closer_state closer_look(pid_t tid, const struct closer_file *wanted)
{
    struct closer_file file = *wanted;
    bool readable = false;
    struct task task = {0};

    /* The likely ones first: the flusher itself, and the shell that opened the file for it. */
    if (tid > 0 && read_task(tid, &task) == 0) {
        int rc;

        if (descriptors_executing(tid))
            return CLOSER_EXECUTING;
        rc = search_process(tid, &file);
        if (rc > 0 || (task.parent > 0 && search_process(task.parent, &file) > 0))
            return CLOSER_OTHERS;
        /* An exiting task has let go of its table, and the directory is closed to others then. */
        readable = rc == 0 || task.exiting;
    }
    if (descriptors_of_all(is_holder, &file) > 0)
        return CLOSER_OTHERS;
    if (task.exiting && is_killed(tid))
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
    return task.exiting && is_killed(tid) ? CLOSER_SIGNAL_ENDS : CLOSER_SIGNAL_NONE;
}
