#include "places.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The user's home directory, malloc'd; NULL if there is none. */
static char *find_home(void)
{
    const char *home = getenv("HOME");
    struct passwd entry, *found = NULL;
    char buf[4096];

    if (home && home[0] == '/')
        return strdup(home);
    if (getpwuid_r(geteuid(), &entry, buf, sizeof(buf), &found) == 0 && found &&
        found->pw_dir[0] == '/')
        return strdup(found->pw_dir);
    errno = ENOENT;
    return NULL;
}

static char *join(const char *dir, const char *name)
{
    char *out;

    return asprintf(&out, "%s/%s", dir, name) < 0 ? NULL : out;
}

char *places_absolute(const char *path)
{
    char *here, *out;

    if (path[0] == '/')
        return strdup(path);
    here = getcwd(NULL, 0);
    if (!here)
        return NULL;
    out = join(here, path);
    free(here);
    return out;
}

char *places_dir(const char *variable, const char *below_home, const char *name)
{
    const char *base = getenv(variable);
    char *home, *dir, *out = NULL;

    if (base && base[0] == '/')
        return join(base, name);
    home = find_home();
    if (!home)
        return NULL;
    dir = join(home, below_home);
    if (dir)
        out = join(dir, name);
    free(dir);
    free(home);
    return out;
}

bool places_is_descriptor(const char *mountpoint)
{
    static const char descriptors[] = "/dev/fd/";

    return strncmp(mountpoint, descriptors, strlen(descriptors)) == 0;
}

char *places_mountpoint(const char *arg)
{
    char *path, *copy, *slash, *parent, *out = NULL;
    size_t len;

    if (places_is_descriptor(arg))
        return strdup(arg);
    path = realpath(arg, NULL);
    if (path || errno != ENOTCONN)
        return path;
    copy = strdup(arg);
    if (!copy)
        return NULL;
    len = strlen(copy);
    while (len > 1 && copy[len - 1] == '/')
        copy[--len] = '\0';
    slash = strrchr(copy, '/');
    if (slash)
        *slash = '\0';
    parent = realpath(slash ? (slash == copy ? "/" : copy) : ".", NULL);
    if (parent)
        out = join(strcmp(parent, "/") == 0 ? "" : parent, slash ? slash + 1 : copy);
    free(parent);
    free(copy);
    return out;
}

/* Both with links resolved. */
static bool is_below(const char *path, const char *dir)
{
    size_t n = strcmp(dir, "/") == 0 ? 0 : strlen(dir);

    return strncmp(path, dir, n) == 0 && path[n] == '/';
}

bool places_is_inside(const char *path, const char *dir)
{
    char *copy = strdup(path), *real = NULL, *slash;
    bool inside;

    /* What does not exist yet will come where the part of its path is that does. A mount point that
     * a crash left behind cannot be resolved: its name tells. */
    while (copy && !(real = realpath(copy, NULL)) && errno != ENOMEM && strcmp(copy, dir) != 0) {
        slash = strrchr(copy, '/');
        slash[slash == copy] = '\0';
    }
    inside = !real || strcmp(real, dir) == 0 || is_below(real, dir);
    free(real);
    free(copy);
    return inside;
}

/* Is the program below this directory of the user's home? */
static bool is_installed_in(const char *program, const char *home, const char *name)
{
    char *dir = join(home, name);
    char *real = dir ? realpath(dir, NULL) : NULL;
    bool below = real && is_below(program, real);

    free(dir);
    free(real);
    return below;
}

char *places_platform(void)
{
    static const struct {
        const char *dir;
        const char *platform;
    } known[] = {{".clawhub", "clawhub"}, {".cursor/skills", "cursor"}};
    const char *platform = "unknown";
    char *program = realpath("/proc/self/exe", NULL);
    char *home = find_home();

    for (size_t i = 0; program && home && i < sizeof(known) / sizeof(known[0]); i++)
        if (is_installed_in(program, home, known[i].dir))
            platform = known[i].platform;
    free(program);
    free(home);
    return strdup(platform);
}
