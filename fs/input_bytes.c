/* The bytes of an input: readers see `work` if there is one, writers make it. */
#include "inputs.h"

#include <errno.h>
#include <unistd.h>

#include "files.h"

/* What readers and writers see now, in use for the caller. NULL with *error 0: an empty file. */
static struct blob *use_current(struct input *in, int *error)
{
    struct fs *fs = in->session->fs;
    struct blob *b;

    fs_lock(fs);
    b = in->work ? in->work : in->content;
    if (b)
        blob_ref(b);
    fs_unlock(fs);
    *error = b ? blob_use(b) : 0;
    if (*error) {
        fs_lock(fs);
        blob_unref(b);
        fs_unlock(fs);
        return NULL;
    }
    return b;
}

static void unuse(struct fs *fs, struct blob *b)
{
    fs_lock(fs);
    blob_unuse(b);
    blob_unref(b);
    fs_unlock(fs);
}

ssize_t input_read(struct input *in, void *data, size_t size, off_t offset)
{
    struct fs *fs = in->session->fs;
    int error;
    struct blob *b = use_current(in, &error);
    ssize_t n;

    if (!b)
        return error;
    n = pread(b->fd, data, size, offset);
    if (n < 0)
        n = -errno;
    unuse(fs, b);
    return n;
}

/* Makes sure that there is a file to write to, with the first `keep` bytes of what was there.
 * in->io held. */
static int need_work(struct input *in, uint64_t keep)
{
    struct fs *fs = in->session->fs;
    struct blob *old, *work;
    uint64_t size;
    int r, error;

    if (in->work && in->work_used)
        return 0;
    if (in->work) {
        r = blob_use(in->work);
        in->work_used = r == 0;
        return r;
    }
    r = blob_create(fs, &work);
    if (r)
        return r;
    old = keep ? use_current(in, &error) : NULL;
    r = keep && !old ? error : 0;
    if (old) {
        fs_lock(fs);
        size = old->size < keep ? old->size : keep;
        r = blob_resize(work, size);
        fs_unlock(fs);
        if (!r)
            r = files_copy(old->fd, work->fd, (off_t)size);
        unuse(fs, old);
    }
    fs_lock(fs);
    if (r) {
        blob_unuse(work);
        blob_unref(work);
    } else {
        in->work = work;
        in->work_used = true;
    }
    fs_unlock(fs);
    return r;
}

static void touched(struct input *in, bool dirty)
{
    in->mtime = in->ctime = clock_now();
    in->dirty |= dirty;
    in->cut = false;
    in->session->inputs_changed = in->mtime;
}

/* in->io held. Room for `size` bytes in all, or -ENOSPC. */
static int reserve(struct input *in, uint64_t size, uint64_t *before)
{
    struct fs *fs = in->session->fs;
    int r = 0;

    fs_lock(fs);
    *before = in->work->size;
    if (size > in->work->size)
        r = blob_resize(in->work, size);
    fs_unlock(fs);
    return r;
}

/* in->io held. */
static ssize_t write_work(struct input *in, const void *data, size_t size, off_t offset)
{
    struct fs *fs = in->session->fs;
    uint64_t before = 0;
    ssize_t n;
    int r;

    if ((uint64_t)offset + size > fs->options->max_upload)
        return -EFBIG;
    r = need_work(in, UINT64_MAX);
    if (!r)
        r = reserve(in, (uint64_t)offset + size, &before);
    if (r)
        return r;
    n = pwrite(in->work->fd, data, size, offset);
    if (n < 0)
        n = -errno;
    fs_lock(fs);
    if (n < (ssize_t)size) { /* give back what was reserved and not written */
        uint64_t end = n > 0 ? (uint64_t)offset + (uint64_t)n : 0;

        (void)blob_resize(in->work, end > before ? end : before);
    }
    if (n > 0)
        touched(in, true);
    fs_unlock(fs);
    return n;
}

ssize_t input_write(struct input *in, const void *data, size_t size, off_t offset)
{
    struct fs *fs = in->session->fs;
    ssize_t n;

    pthread_mutex_lock(&in->io);
    n = write_work(in, data, size, offset);
    fs_lock(fs);
    if (n < 0) {
        in->lost = (int)-n;
        in->lost_at = offset;
    } else if (offset <= in->lost_at && in->lost_at < offset + n) {
        in->lost = 0;
    }
    fs_unlock(fs);
    pthread_mutex_unlock(&in->io);
    return n;
}

/* in->io held. */
static int resize_work(struct input *in, uint64_t size)
{
    struct fs *fs = in->session->fs;
    uint64_t before = 0;
    int r = need_work(in, size);

    if (!r)
        r = reserve(in, size, &before);
    if (!r && ftruncate(in->work->fd, (off_t)size))
        r = -errno;
    if (r)
        return r;
    fs_lock(fs);
    (void)blob_resize(in->work, size);
    /* An empty file is nothing to upload; a size that was asked for is. */
    touched(in, size > 0);
    if (!size)
        in->dirty = false;
    fs_unlock(fs);
    return 0;
}

int input_truncate(struct input *in, uint64_t size)
{
    struct fs *fs = in->session->fs;
    bool changed;
    int r = 0;

    if (size > fs->options->max_upload)
        return -EFBIG;
    pthread_mutex_lock(&in->io);
    fs_lock(fs);
    changed = input_size(in) != size;
    fs_unlock(fs);
    if (changed)
        r = resize_work(in, size);
    fs_lock(fs);
    if (!r && size <= (uint64_t)in->lost_at)
        in->lost = 0;
    fs_unlock(fs);
    pthread_mutex_unlock(&in->io);
    return r;
}
