/* Saves whose syncs fail: what a later one says is on disk is there, with its folder. */
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "fs.h"
#include "session.h"
#include "store.h"
#include "store_inside.h"

int __wrap_fsync(int fd);

static long countdown;     /* the sync at which it reaches 0 fails; 0 or less: none */
static bool folder_synced; /* the one of all sessions */
static struct fs fs;

static ino_t inode_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

int __wrap_fsync(int fd)
{
    if (countdown > 0 && --countdown == 0) {
        errno = EIO;
        return -1;
    }
    folder_synced |= inode_of(fd) == inode_of(fs.store->sessions_dir);
    return 0;
}

static struct session *make(long number)
{
    struct session *s;
    char name[32];

    snprintf(name, sizeof(name), "s %ld", number);
    fs_lock(&fs);
    assert_int_equal(session_new(&fs, name, &s), 0);
    fs_unlock(&fs);
    return s;
}

static void forget(struct session *s)
{
    fs_lock(&fs);
    session_remove(s);
    fs_unlock(&fs);
}

static void new_folders(void **state)
{
    bool failed = true;
    long number = 0;

    (void)state;
    while (failed) {
        struct session *s = make(++number);

        folder_synced = false;
        countdown = number;
        failed = store_save_now(s) != 0;
        assert_true(failed == (countdown == 0));
        countdown = 0;
        if (failed)
            assert_int_equal(store_save_now(s), 0);
        assert_true(folder_synced);
        forget(s);
    }
    assert_true(number > 3);
}

int main(void)
{
    static struct options options;
    const struct CMUnitTest tests[] = {cmocka_unit_test(new_folders)};
    char directory[] = "/tmp/test-save-XXXXXX", state_dir[64], cache_dir[64], command[64], why[256];
    int failed;

    if (!mkdtemp(directory))
        return 1;
    snprintf(state_dir, sizeof(state_dir), "%s/state", directory);
    snprintf(cache_dir, sizeof(cache_dir), "%s/cache", directory);
    options.state_dir = state_dir;
    options.cache_dir = cache_dir;
    if (fs_init(&fs, &options) || store_open(&fs, why, sizeof(why)))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    store_start(&fs); /* it lets go of what was removed */
    store_stop(&fs);
    free(fs.readme);
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return failed || system(command);
}
