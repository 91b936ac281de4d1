/* Who polls a reply: however often, each open file is told once, and keeps one handle of the
 * kernel's. */
#include "unit.h"

#include <poll.h>

#include "reply.h"

int __wrap_fuse_lowlevel_notify_poll(struct fuse_pollhandle *ph);
void __wrap_fuse_pollhandle_destroy(struct fuse_pollhandle *ph);

static struct fs fs;
static size_t notified, destroyed;

int __wrap_fuse_lowlevel_notify_poll(struct fuse_pollhandle *ph)
{
    (void)ph;
    notified++;
    return 0;
}

void __wrap_fuse_pollhandle_destroy(struct fuse_pollhandle *ph)
{
    (void)ph;
    destroyed++;
}

void fs_open_unclaimed(struct fs *f, uint64_t handle)
{
    (void)f;
    (void)handle;
    fail();
}

/* At the end of what `file` has read. */
static unsigned poll_once(struct reply *r, const char *file)
{
    static char handle; /* told from others by nobody */
    unsigned events;

    fs_lock(&fs);
    events = reply_poll(r, file, (off_t)r->len, (struct fuse_pollhandle *)(void *)&handle);
    fs_unlock(&fs);
    return events;
}

static void add(struct reply *r)
{
    fs_lock(&fs);
    reply_add(&fs, r, "more", 4);
    fs_unlock(&fs);
}

static void each_file_once(void **state)
{
    static const char files[3];
    struct reply *r = reply_new();

    (void)state;
    assert_non_null(r);
    notified = destroyed = 0;
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(poll_once(r, &files[i % 3]), 0);
    assert_int_equal(destroyed, 1000 - 3);
    add(r);
    assert_int_equal(notified, 3);
    assert_int_equal(destroyed, 1000);
    add(r);
    assert_int_equal(notified, 3);

    /* One that is closed is not told. */
    poll_once(r, &files[0]);
    poll_once(r, &files[1]);
    fs_lock(&fs);
    reply_poll_end(r, &files[0]);
    reply_poll_end(r, &files[2]);
    reply_end(&fs, r);
    fs_unlock(&fs);
    assert_int_equal(notified, 4);
    assert_int_equal(destroyed, 1002);
    assert_int_equal(poll_once(r, &files[0]), POLLIN | POLLRDNORM);
    assert_int_equal(destroyed, 1003);
    fs_lock(&fs);
    reply_unref(&fs, r);
    fs_unlock(&fs);
    assert_int_equal(notified, 4);
}

int main(void)
{
    static struct options options;
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_file_once)};

    return fs_init(&fs, &options) ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
