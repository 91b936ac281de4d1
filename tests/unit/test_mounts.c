/* Which device a mount is. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "mounts.h"

static void proc_is_found(void **state)
{
    struct mounts_entry entry;
    struct stat st;

    (void)state;
    assert_int_equal(mounts_find("/proc", &entry), 0);
    assert_int_equal(stat("/proc", &st), 0);
    assert_true(entry.device == st.st_dev);
    assert_string_equal(entry.type, "proc");
}

static void what_is_no_mount_point_is_not_found(void **state)
{
    struct mounts_entry entry;

    (void)state;
    assert_int_equal(mounts_find("/proc/", &entry), -ENOENT);
    assert_int_equal(mounts_find("/there/is/none", &entry), -ENOENT);
    assert_int_equal(mounts_find("", &entry), -ENOENT);
}

static void mounts_are_found_by_id(void **state)
{
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC), id = -1;
    char path[64], line[256];
    dev_t device = 0;
    struct stat st;
    FILE *f;

    (void)state;
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    f = fopen(path, "re");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        sscanf(line, "mnt_id: %d", &id);
    fclose(f);
    assert_int_equal(fstat(fd, &st), 0);
    close(fd);
    assert_int_equal(mounts_device_of(getpid(), id, &device), 0);
    assert_true(device == st.st_dev);
    assert_int_equal(mounts_device_of(getpid(), -5, &device), -ENOENT);
    assert_int_equal(mounts_device_of(0x3fffffff, id, &device), -ENOENT);
}

/* In a mount namespace of its own; 77: not allowed here. */
static int mount_and_find(const char *path)
{
    struct mounts_entry entry;
    struct stat st;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return 77;
    for (int i = 0; i < 2; i++) { /* the second one on top of the first */
        if (mount("a source\\", path, "tmpfs", 0, NULL) < 0)
            return 77;
        if (mounts_find(path, &entry) != 0 || stat(path, &st) < 0 || entry.device != st.st_dev ||
            strcmp(entry.type, "tmpfs") != 0 || strcmp(entry.source, "a source\\") != 0)
            return 1;
    }
    return 0;
}

static void odd_names_and_stacked_mounts_are_read(void **state)
{
    char root[] = "/tmp/test_mounts.XXXXXX", path[64];
    int status;
    pid_t pid;

    (void)state;
    assert_non_null(mkdtemp(root));
    snprintf(path, sizeof(path), "%s/a b\tc\nd\\040 - e", root);
    assert_int_equal(mkdir(path, 0700), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(mount_and_find(path));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    rmdir(path);
    rmdir(root);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proc_is_found),
        cmocka_unit_test(what_is_no_mount_point_is_not_found),
        cmocka_unit_test(mounts_are_found_by_id),
        cmocka_unit_test(odd_names_and_stacked_mounts_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
