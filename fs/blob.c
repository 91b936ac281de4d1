#include "blob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "files.h"
#include "inputs.h"

int blob_create(struct fs *fs, struct blob **out)
{
    struct blob *b = calloc(1, sizeof(*b));
    uuid_t id;

    if (!b)
        return -ENOMEM;
    uuid_generate(id);
    uuid_unparse_lower(id, b->name);
    b->fd = openat(fs->cache_dir, b->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (b->fd < 0) {
        int error = errno;

        free(b);
        return -error;
    }
    b->fs = fs;
    b->refs = b->users = 1;
    b->present = true;
    *out = b;
    return 0;
}

struct blob *blob_adopt(struct fs *fs, const char *name, uint64_t size, bool present)
{
    struct blob *b = calloc(1, sizeof(*b));

    if (!b)
        return NULL;
    b->fs = fs;
    b->refs = 1;
    b->fd = -1;
    strncpy(b->name, name, sizeof(b->name) - 1);
    b->size = size;
    b->present = present;
    if (present)
        fs->cache_used += size;
    return b;
}

struct blob *blob_ref(struct blob *b)
{
    b->refs++;
    return b;
}

static void bury(struct later *l)
{
    struct blob *b = container_of(l, struct blob, later);

    if (b->fd >= 0)
        close(b->fd);
    /* ENOENT: somebody emptied the cache; nothing is left to remove either way. */
    if (!b->kept)
        unlinkat(b->fs->cache_dir, b->name, 0);
    free(b);
}

void blob_unref(struct blob *b)
{
    if (!b || --b->refs > 0)
        return;
    if (b->present)
        b->fs->cache_used -= b->size;
    fs_defer(b->fs, &b->later, bury);
}

int blob_use(struct blob *b)
{
    struct fs *fs = b->fs;
    int fd, r = 0;

    fs_lock(fs);
    b->users++;
    if (b->fd < 0 && !b->present)
        r = -ENODATA;
    if (b->fd >= 0 || r) {
        b->users -= r != 0;
        fs_unlock(fs);
        return r;
    }
    fs_unlock(fs);
    fd = openat(fs->cache_dir, b->name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        r = -errno;
    fs_lock(fs);
    if (r) {
        b->users--;
        if (r == -ENOENT) { /* somebody emptied the cache */
            blob_drop(b);
            r = -ENODATA;
        }
    } else if (b->fd < 0) {
        b->fd = fd;
    } else {
        fs_defer_close(fs, fd);
    }
    fs_unlock(fs);
    return r;
}

void blob_unuse(struct blob *b)
{
    if (--b->users > 0 || b->fd < 0)
        return;
    fs_defer_close(b->fs, b->fd);
    b->fd = -1;
}

int blob_resize(struct blob *b, uint64_t size)
{
    struct fs *fs = b->fs;
    uint64_t limit = fs->options->cache_size;

    if (size > b->size) {
        uint64_t more = size - b->size;

        if (fs->cache_used + more > limit)
            inputs_evict(fs, fs->cache_used + more - limit);
        if (fs->cache_used + more > limit)
            return -ENOSPC;
        fs->cache_used += more;
    } else {
        fs->cache_used -= b->size - size;
    }
    b->size = size;
    return 0;
}

struct unlinking {
    struct later later;
    int dir;
    char name[BLOB_NAME_MAX];
};

static void do_unlink(struct later *l)
{
    struct unlinking *u = container_of(l, struct unlinking, later);

    unlinkat(u->dir, u->name, 0);
    free(u);
}

void blob_drop(struct blob *b)
{
    struct unlinking *u;

    if (!b->present)
        return;
    b->present = b->synced = false;
    b->fs->cache_used -= b->size;
    u = malloc(sizeof(*u));
    if (!u)
        return; /* the next start sweeps it away */
    u->dir = b->fs->cache_dir;
    memcpy(u->name, b->name, sizeof(u->name));
    fs_defer(b->fs, &u->later, do_unlink);
}

int blob_sync(struct blob *b)
{
    int fd = openat(b->fs->cache_dir, b->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int r;

    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    r = fdatasync(fd) ? -errno : 0;
    close(fd);
    return r;
}

int blob_sync_names(struct fs *fs)
{
    return files_sync_dir(fs->cache_dir);
}

int blob_compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void blob_sweep(struct fs *fs, const char *const *known, size_t count)
{
    int fd = openat(fs->cache_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;

    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while ((e = readdir(dir))) {
        const char *name = e->d_name;
        uuid_t id;

        /* Only names that we give: a cache directory may be shared with who knows what. */
        if (uuid_parse(name, id) == 0 &&
            !bsearch(&name, known, count, sizeof(*known), blob_compare_names))
            unlinkat(fs->cache_dir, name, 0);
    }
    closedir(dir);
}
