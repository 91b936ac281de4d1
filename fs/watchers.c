#include "watchers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "descriptors.h"

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

static bool descriptor_watches(const struct descriptor *d, void *user)
{
    const dev_t *device = user;
    char *line = NULL;
    bool found = false;
    size_t size = 0;
    FILE *f;
    int fd;

    if (d->link && strcmp(d->link, INOTIFY_LINK) != 0 && strcmp(d->link, "inotify") != 0)
        return false;
    fd = descriptor_info(d);
    f = fd < 0 ? NULL : fdopen(fd, "re");
    if (!f) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    while (!found && getline(&line, &size, f) >= 0)
        found = line_is_of(line, *device);
    free(line);
    fclose(f);
    return found;
}

bool watchers_look(dev_t device)
{
    /* If nobody can tell: better a call for nobody. */
    return descriptors_of_all(descriptor_watches, &device) != 0;
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
