#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const rooms[] = {"sessions", "media", "renders", "tmp"};

static int make_dir(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : -errno;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_stale(void *user, const char *name)
{
    char path[STORE_PATH_MAX];

    store_path(user, path, "tmp/%s", name);
    unlink(path);
}

static int choose_dir(struct store *s, const char *dir)
{
    if (dir) {
        if (strlen(dir) >= sizeof(s->dir))
            return -ENAMETOOLONG;
        snprintf(s->dir, sizeof(s->dir), "%s", dir);
        return make_dir(s->dir);
    }
    const char *tmp = getenv("TMPDIR");
    int len = snprintf(s->dir, sizeof(s->dir), "%s/nemo-local-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (len < 0 || (size_t)len >= sizeof(s->dir))
        return -ENAMETOOLONG;
    if (!mkdtemp(s->dir))
        return -errno;
    s->temporary = true;
    return 0;
}

int store_open(struct store *s, const char *dir)
{
    memset(s, 0, sizeof(*s));
    int err = choose_dir(s, dir);
    for (size_t i = 0; !err && i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        char path[STORE_PATH_MAX];
        store_path(s, path, "%s", rooms[i]);
        err = make_dir(path);
    }
    if (!err)
        store_list(s, "tmp", "", remove_stale, s);
    return err;
}

void store_close(struct store *s)
{
    if (s->temporary)
        nftw(s->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    s->temporary = false;
}

void store_path(const struct store *s, char out[STORE_PATH_MAX], const char *format, ...)
{
    va_list args;
    int len = snprintf(out, STORE_PATH_MAX, "%s/", s->dir);

    va_start(args, format);
    vsnprintf(out + len, STORE_PATH_MAX - (size_t)len, format, args);
    va_end(args);
}

int store_temporary(const struct store *s, char out[STORE_PATH_MAX])
{
    store_path(s, out, "tmp/XXXXXX");
    int fd = mkostemp(out, O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int store_write_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

int store_write(const struct store *s, const char *path, const void *data, size_t len)
{
    char tmp[STORE_PATH_MAX];
    int fd = store_temporary(s, tmp);

    if (fd < 0)
        return fd;
    int err = store_write_all(fd, data, len);
    if (close(fd) != 0 && !err)
        err = -errno;
    if (!err && rename(tmp, path) != 0)
        err = -errno;
    if (err)
        unlink(tmp);
    return err;
}

int store_read(const char *path, struct bytes *out)
{
    char buf[65536];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    int err = 0;
    for (;;) {
        ssize_t n = read(fd, buf, sizeof(buf));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = -errno;
        if (n <= 0)
            break;
        bytes_add(out, buf, (size_t)n);
    }
    close(fd);
    return err ? err : out->failed ? -EFBIG : 0;
}

void store_list(const struct store *s, const char *sub, const char *suffix,
                void (*each)(void *user, const char *stem), void *user)
{
    char path[STORE_PATH_MAX];
    struct dirent *entry;

    store_path(s, path, "%s", sub);
    DIR *dir = opendir(path);
    if (!dir)
        return;
    while ((entry = readdir(dir))) {
        size_t len = strlen(entry->d_name), end = strlen(suffix);
        if (entry->d_name[0] == '.' || len <= end || strcmp(entry->d_name + len - end, suffix) != 0)
            continue;
        entry->d_name[len - end] = '\0';
        each(user, entry->d_name);
    }
    closedir(dir);
}
