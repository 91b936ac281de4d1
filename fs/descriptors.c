#include "descriptors.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINK_SIZE (PATH_MAX + 32) /* with the kernel's " (deleted)" */

bool descriptors_text(int fd, char *text, size_t size)
{
    ssize_t n;

    if (fd < 0)
        return false;
    n = read(fd, text, size - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    return true;
}

bool descriptors_process_text(pid_t pid, const char *file, char *text, size_t size)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
    return descriptors_text(open(path, O_RDONLY | O_CLOEXEC), text, size);
}

bool descriptors_executing(pid_t pid)
{
    unsigned long size, code;
    char text[128];

    if (!descriptors_process_text(pid, "statm", text, sizeof(text)))
        return false;
    /* Those that exit, and the kernel's own, have no memory at all. */
    return sscanf(text, "%lu %*u %*u %lu", &size, &code) == 2 && size != 0 && code == 0;
}

/* *count is the number of descriptors seen. */
static int search_table(pid_t pid, descriptor_take *take, void *user, int *count)
{
    struct dirent *entry;
    char path[64];
    bool executing;
    int rc = 0;
    DIR *dir;

    *count = 0;
    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    dir = opendir(path);
    if (!dir)
        return -errno;
    executing = descriptors_executing(pid);
    while (rc == 0 && (entry = readdir(dir))) {
        struct descriptor d = {.pid = pid, .table = dirfd(dir), .number = entry->d_name};
        char link[LINK_SIZE];
        ssize_t len = 0;

        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        (*count)++;
        if (!executing) {
            len = readlinkat(d.table, d.number, link, sizeof(link) - 1);
            if (len <= 0)
                continue;
            link[len] = '\0';
            d.link = link;
            d.link_len = (size_t)len;
        }
        rc = take(&d, user);
    }
    closedir(dir);
    return rc;
}

/* The tables of a process's other threads, for a process whose first thread has ended shows none.
 */
static int search_threads(pid_t pid, descriptor_take *take, void *user)
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

        if (tid > 0 && tid != pid)
            rc = search_table(tid, take, user, &count);
    }
    closedir(dir);
    return rc > 0;
}

int descriptors_of(pid_t pid, descriptor_take *take, void *user)
{
    int count, rc = search_table(pid, take, user, &count);

    return rc == 0 && count == 0 ? search_threads(pid, take, user) : rc;
}

int descriptors_of_all(descriptor_take *take, void *user)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    int rc = 0;

    if (!dir)
        return -errno;
    while (rc <= 0 && (entry = readdir(dir))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (pid > 0)
            rc = descriptors_of(pid, take, user);
    }
    closedir(dir);
    return rc > 0;
}

int descriptor_info(const struct descriptor *d)
{
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "../fdinfo/%.20s", d->number);
    fd = openat(d->table, path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}
