#include "watchers.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define INOTIFY_LINK "anon_inode:inotify"
#define KERNEL_MINOR_BITS 20 /* of the device numbers that fdinfo prints */

/* A line of an inotify descriptor: "inotify wd:1 ino:9e7e sdev:800013 mask:fce …", all hexadecimal.
 */
static bool line_is_of(const char *line, dev_t device)
{
    const char *field = strncmp(line, "inotify ", 8) == 0 ? strstr(line, " sdev:") : NULL;
    unsigned long number;

    if (!field)
        return false;
    number = strtoul(field + 6, NULL, 16);
    return makedev(number >> KERNEL_MINOR_BITS, number & ((1ul << KERNEL_MINOR_BITS) - 1)) ==
           device;
}

static bool descriptor_watches(int table, const char *number, dev_t device)
{
    char path[64], *line = NULL;
    bool found = false;
    size_t size = 0;
    FILE *f;
    int fd;

    snprintf(path, sizeof(path), "../fdinfo/%.20s", number);
    fd = openat(table, path, O_RDONLY | O_CLOEXEC);
    f = fd < 0 ? NULL : fdopen(fd, "re");
    if (!f) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    while (!found && getline(&line, &size, f) >= 0)
        found = line_is_of(line, device);
    free(line);
    fclose(f);
    return found;
}

static bool process_watches(const char *pid, dev_t device)
{
    char path[64], link[64];
    bool found = false;
    struct dirent *e;
    DIR *table;

    snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
    table = opendir(path);
    if (!table)
        return false;
    while (!found && (e = readdir(table))) {
        ssize_t n = readlinkat(dirfd(table), e->d_name, link, sizeof(link) - 1);

        if (n <= 0)
            continue;
        link[n] = '\0';
        found = (strcmp(link, INOTIFY_LINK) == 0 || strcmp(link, "inotify") == 0) &&
                descriptor_watches(dirfd(table), e->d_name, device);
    }
    closedir(table);
    return found;
}

bool watchers_look(dev_t device)
{
    DIR *proc = opendir("/proc");
    bool found = false;
    struct dirent *e;

    if (!proc)
        return true; /* better a call for nobody */
    while (!found && (e = readdir(proc)))
        found = e->d_name[0] >= '1' && e->d_name[0] <= '9' && process_watches(e->d_name, device);
    closedir(proc);
    return found;
}

bool watchers_exist(struct watchers *w, int64_t now_ms)
{
    if (!w->device)
        return true;
    if (now_ms >= w->until_ms) {
        w->found = w->look(w->device);
        w->until_ms = now_ms + WATCHERS_FRESH_MS;
    }
    return w->found;
}
