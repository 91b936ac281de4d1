#include "mounts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* A line of mountinfo: "id parent major:minor root mountpoint options [tags…] - type source
 * options". */
struct line {
    int id;
    dev_t device;
    char *mountpoint; /* unescaped; points into the line's buffer, as do the next two */
    char *type;
    char *source;
};

/* Space, tab, newline and backslash are written as \ooo. In place. */
static void unescape(char *s)
{
    char *to = s;

    while (*s) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
            s[3] >= '0' && s[3] <= '7') {
            *to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
            s += 4;
        } else {
            *to++ = *s++;
        }
    }
    *to = '\0';
}

static bool parse_line(char *text, struct line *out)
{
    unsigned int major_number, minor_number;
    char *tail, *word, *rest = NULL;

    text[strcspn(text, "\n")] = '\0';
    tail = strstr(text, " - ");
    if (!tail)
        return false;
    *tail = '\0';
    tail += 3;

    if (sscanf(text, "%d %*d %u:%u", &out->id, &major_number, &minor_number) != 3)
        return false;
    out->device = makedev(major_number, minor_number);
    word = strtok_r(text, " ", &rest);
    for (int i = 0; word && i < 4; i++)
        word = strtok_r(NULL, " ", &rest);
    out->mountpoint = word;
    out->type = strtok_r(tail, " ", &rest);
    out->source = strtok_r(NULL, " ", &rest);
    if (!out->mountpoint || !out->type)
        return false;
    if (!out->source)
        out->source = tail + strlen(tail);
    unescape(out->mountpoint);
    unescape(out->type);
    unescape(out->source);
    return true;
}

/* Runs over the lines until `take` is content with one; with `last`, the last such line counts. */
static int scan(const char *path, bool (*take)(const struct line *, void *), void *user, bool last)
{
    FILE *f = fopen(path, "re");
    char *text = NULL;
    size_t size = 0;
    int rc = -ENOENT;

    if (!f)
        return -errno;
    errno = 0;
    while (getline(&text, &size, f) >= 0) {
        struct line line;

        if (parse_line(text, &line) && take(&line, user)) {
            rc = 0;
            if (!last)
                break;
        }
        errno = 0;
    }
    if (rc != 0 && errno != 0)
        rc = -errno;
    free(text);
    fclose(f);
    return rc;
}

struct find {
    const char *mountpoint;
    struct mounts_entry entry;
};

static bool take_mountpoint(const struct line *line, void *user)
{
    struct find *find = user;

    if (strcmp(line->mountpoint, find->mountpoint) != 0)
        return false;
    find->entry.id = line->id;
    find->entry.device = line->device;
    snprintf(find->entry.type, sizeof(find->entry.type), "%s", line->type);
    snprintf(find->entry.source, sizeof(find->entry.source), "%s", line->source);
    return true;
}

int mounts_find(const char *mountpoint, struct mounts_entry *out)
{
    struct find find = {.mountpoint = mountpoint};
    int rc = scan("/proc/self/mountinfo", take_mountpoint, &find, true);

    if (rc == 0)
        *out = find.entry;
    return rc;
}

struct by_id {
    int id;
    dev_t device;
};

static bool take_id(const struct line *line, void *user)
{
    struct by_id *by_id = user;

    if (line->id != by_id->id)
        return false;
    by_id->device = line->device;
    return true;
}

int mounts_device_of(pid_t pid, int id, dev_t *out)
{
    struct by_id by_id = {.id = id};
    char path[64];
    int rc;

    snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
    rc = scan(path, take_id, &by_id, false);
    if (rc == 0)
        *out = by_id.device;
    return rc;
}
