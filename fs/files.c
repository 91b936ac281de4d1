#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_CHUNK (256u << 10)

/* A directory that was made is there after a power cut, too. */
static int sync_parent(const char *path)
{
    char *copy = strdup(path);
    int fd = -1, r;

    if (!copy)
        return -ENOMEM;
    r = files_open_dir(dirname(copy), &fd);
    free(copy);
    if (r < 0)
        return r == -EACCES ? 0 : r; /* one that may be entered, not read */
    r = files_sync_dir(fd);
    close(fd);
    return r;
}

/* One directory of a path: there already, or made with exactly this mode. */
static int make_dir(const char *path, mode_t mode)
{
    struct stat st;

    if (mkdir(path, mode) == 0)
        return chmod(path, mode) < 0 ? -errno : sync_parent(path);
    if (errno != EEXIST)
        return -errno;
    if (stat(path, &st) < 0)
        return -errno;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int files_mkdirs(const char *path, mode_t mode)
{
    char partial[PATH_MAX];
    size_t len = strlen(path);

    if (len == 0)
        return -ENOENT;
    if (len >= sizeof(partial))
        return -ENAMETOOLONG;
    memcpy(partial, path, len + 1);
    for (char *p = partial + 1; *p; p++) {
        int rc;

        if (*p != '/' || p[-1] == '/')
            continue;
        *p = '\0';
        rc = make_dir(partial, mode);
        if (rc < 0)
            return rc;
        *p = '/';
    }
    return make_dir(partial, mode);
}

int files_open_dir(const char *path, int *fd_out)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    *fd_out = fd;
    return 0;
}

static bool is_private(const struct stat *st)
{
    return st->st_uid == geteuid() && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

int files_check_private_dir(int dirfd)
{
    struct stat st;

    if (fstat(dirfd, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return -ENOTDIR;
    return is_private(&st) ? 0 : -EPERM;
}

int files_check_private_file(int dirfd, const char *name)
{
    struct stat st;

    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    return S_ISREG(st.st_mode) && is_private(&st) ? 0 : -EPERM;
}

int files_sync_dir(int dirfd)
{
    return fsync(dirfd) < 0 ? -errno : 0;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* A new file beside its final name, hidden: a leftover of a crash is told apart by its first
 * character. */
static int open_temporary(int dirfd, mode_t mode, char name[32], int *fd_out)
{
    for (int attempt = 0; attempt < 16; attempt++) {
        uint64_t number;
        int fd;

        if (getrandom(&number, sizeof(number), 0) != sizeof(number))
            return -EIO;
        snprintf(name, 32, FILES_TEMPORARY "%016llx", (unsigned long long)number);
        fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        if (fd >= 0) {
            *fd_out = fd;
            return 0;
        }
        if (errno != EEXIST)
            return -errno;
    }
    return -EEXIST;
}

int files_write_atomic(int dirfd, const char *name, const void *data, size_t len, mode_t mode)
{
    char temporary[32];
    int fd = -1, rc;

    rc = open_temporary(dirfd, mode, temporary, &fd);
    if (rc < 0)
        return rc;
    rc = write_all(fd, data, len);
    if (rc == 0 && fchmod(fd, mode) < 0)
        rc = -errno;
    if (rc == 0 && fsync(fd) < 0)
        rc = -errno;
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && renameat(dirfd, temporary, dirfd, name) < 0)
        rc = -errno;
    if (rc < 0) {
        unlinkat(dirfd, temporary, 0);
        return rc;
    }
    return files_sync_dir(dirfd);
}

/* Reads to the end, at most `max` bytes; `hint` is what the size seems to be. */
static int read_all(int fd, size_t hint, size_t max, char **out, size_t *len)
{
    size_t size = hint + 1, done = 0;
    char *data = malloc(size + 1);

    if (!data)
        return -ENOMEM;
    for (;;) {
        ssize_t n = read(fd, data + done, size - done);

        if (n == 0)
            break;
        if (n < 0) {
            if (errno == EINTR)
                continue;
            n = -errno;
            free(data);
            return (int)n;
        }
        done += (size_t)n;
        if (done > max) {
            free(data);
            return -EFBIG;
        }
        if (done == size) { /* it grew meanwhile */
            char *more = realloc(data, size * 2 + 1);

            if (!more) {
                free(data);
                return -ENOMEM;
            }
            data = more;
            size *= 2;
        }
    }
    data[done] = '\0';
    *out = data;
    *len = done;
    return 0;
}

int files_read(int dirfd, const char *name, size_t max, char **out, size_t *len)
{
    /* O_NONBLOCK: a fifo in the way must not hold us up. */
    int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    int rc;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        rc = -errno;
    else if (!S_ISREG(st.st_mode))
        rc = -EINVAL;
    else if (!is_private(&st))
        rc = -EPERM;
    else if ((uint64_t)st.st_size > max)
        rc = -EFBIG;
    else
        rc = read_all(fd, (size_t)st.st_size, max, out, len);
    close(fd);
    return rc;
}

int files_lock(int dirfd, const char *name, int *fd_out)
{
    int fd = openat(dirfd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc;

    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        rc = -errno;
        close(fd);
        return rc;
    }
    *fd_out = fd;
    return 0;
}

/* The plain way, from `done` on. */
static int copy_by_hand(int from_fd, int to_fd, off_t done, off_t size)
{
    char *buf = malloc(COPY_CHUNK);
    int rc = 0;

    if (!buf)
        return -ENOMEM;
    while (done < size && rc == 0) {
        size_t want = size - done < (off_t)COPY_CHUNK ? (size_t)(size - done) : COPY_CHUNK;
        ssize_t n = pread(from_fd, buf, want, done);

        if (n == 0)
            rc = -EIO;
        else if (n < 0)
            rc = errno == EINTR ? 0 : -errno;
        for (ssize_t put = 0; rc == 0 && put < n;) {
            ssize_t m = pwrite(to_fd, buf + put, (size_t)(n - put), done + put);

            if (m >= 0)
                put += m;
            else if (errno != EINTR)
                rc = -errno;
        }
        if (rc == 0 && n > 0)
            done += n;
    }
    free(buf);
    return rc;
}

int files_copy(int from_fd, int to_fd, off_t size)
{
    loff_t from = 0, to = 0;
    struct stat st;

    if (fstat(from_fd, &st) < 0)
        return -errno;
    if (st.st_size < size)
        return -EIO;
    if (st.st_size == size && ioctl(to_fd, FICLONE, from_fd) == 0)
        return 0;
    while (to < size) {
        ssize_t n = copy_file_range(from_fd, &from, to_fd, &to, (size_t)(size - to), 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) /* cannot here, or the source shrank: the plain way finds out */
            break;
    }
    return copy_by_hand(from_fd, to_fd, to, size);
}

static int remove_below(int dirfd, const char *name, dev_t device, int depth);

/* Everything inside the directory `fd`, which it closes. */
static int empty_dir(int fd, dev_t device, int depth)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    int rc = 0;

    if (!dir) {
        rc = -errno;
        close(fd);
        return rc;
    }
    while (rc == 0) {
        errno = 0;
        entry = readdir(dir);
        if (!entry) {
            rc = -errno;
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            rc = remove_below(fd, entry->d_name, device, depth + 1);
    }
    closedir(dir);
    return rc;
}

static int remove_below(int dirfd, const char *name, dev_t device, int depth)
{
    struct stat st;
    int fd, rc;

    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    if (depth >= FILES_DEPTH_MAX)
        return -ELOOP;
    fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOTDIR ? -EPERM : -errno;
    if (fstat(fd, &st) < 0 || st.st_dev != device) {
        close(fd);
        return -EXDEV;
    }
    rc = empty_dir(fd, device, depth);
    if (rc == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        rc = -errno;
    return rc;
}

int files_remove_tree(int dirfd, const char *name)
{
    struct stat st;

    if (fstat(dirfd, &st) < 0)
        return -errno;
    return remove_below(dirfd, name, st.st_dev, 0);
}
