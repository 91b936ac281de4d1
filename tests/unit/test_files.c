/* Small durable files, private directories, copies, removal. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <dirent.h>
#include <signal.h>
#include <unistd.h>
#include <cmocka.h>

#include "files.h"

#define NOBODY 65534

static char root[64];
static int dir; /* of root */

static int setup(void **state)
{
    (void)state;
    snprintf(root, sizeof(root), "/tmp/test_files.XXXXXX");
    if (!mkdtemp(root))
        return -1;
    return files_open_dir(root, &dir);
}

static int teardown(void **state)
{
    int tmp, rc;

    (void)state;
    close(dir);
    rc = files_open_dir("/tmp", &tmp);
    if (rc < 0)
        return rc;
    rc = files_remove_tree(tmp, root + strlen("/tmp/"));
    close(tmp);
    return rc;
}

static const char *below(const char *name)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/%s", root, name);
    return path;
}

static mode_t mode_of(const char *name)
{
    struct stat st;

    assert_int_equal(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st.st_mode & 07777;
}

static void put(const char *name, const char *text)
{
    assert_int_equal(files_write_atomic(dir, name, text, strlen(text), 0600), 0);
}

static void check_text(const char *name, const char *text)
{
    size_t len;
    char *out;

    assert_int_equal(files_read(dir, name, 1000, &out, &len), 0);
    assert_int_equal(len, strlen(text));
    assert_string_equal(out, text);
    free(out);
}

/* How many entries the directory has. */
static int count_entries(void)
{
    DIR *d = opendir(root);
    int count = 0;

    assert_non_null(d);
    while (readdir(d))
        count++;
    closedir(d);
    return count - 2;
}

static void directories_are_made_to_the_end(void **state)
{
    mode_t before = umask(0277); /* which must not matter */

    (void)state;
    assert_int_equal(files_mkdirs(below("a/b//c/"), 0700), 0);
    umask(before);
    assert_int_equal(mode_of("a"), 0700);
    assert_int_equal(mode_of("a/b/c"), 0700);
    assert_int_equal(files_mkdirs(below("a/b/c"), 0755), 0);
    assert_int_equal(mode_of("a/b/c"), 0700);
    put("file", "x");
    assert_int_equal(files_mkdirs(below("file"), 0700), -ENOTDIR);
    assert_int_equal(files_mkdirs(below("file/below"), 0700), -ENOTDIR);
    assert_int_equal(files_mkdirs("", 0700), -ENOENT);
}

static void a_path_too_long_is_refused(void **state)
{
    char path[5000];

    (void)state;
    memset(path, 'a', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(files_mkdirs(path, 0700), -ENAMETOOLONG);
}

static void private_means_that_no_other_writes(void **state)
{
    static const struct {
        mode_t mode;
        int expected;
    } table[] = {{0700, 0}, {0755, 0}, {0770, -EPERM}, {0702, -EPERM}, {01777, -EPERM}};

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_int_equal(fchmod(dir, table[i].mode), 0);
        assert_int_equal(files_check_private_dir(dir), table[i].expected);
    }
    assert_int_equal(fchmod(dir, 0700), 0);
    if (geteuid() == 0) {
        assert_int_equal(fchown(dir, NOBODY, NOBODY), 0);
        assert_int_equal(files_check_private_dir(dir), -EPERM);
        assert_int_equal(fchown(dir, 0, 0), 0);
    }
}

static void a_written_file_reads_back(void **state)
{
    static const char data[] = "zero \0 inside";
    mode_t before = umask(0777);
    size_t len;
    char *out;

    (void)state;
    assert_int_equal(files_write_atomic(dir, "a", data, sizeof(data), 0640), 0);
    umask(before);
    assert_int_equal(mode_of("a"), 0640);
    assert_int_equal(files_read(dir, "a", sizeof(data), &out, &len), 0);
    assert_int_equal(len, sizeof(data));
    assert_memory_equal(out, data, len);
    assert_int_equal(out[len], '\0');
    free(out);
    put("a", "another");
    check_text("a", "another");
    put("a", "");
    check_text("a", "");
    assert_int_equal(count_entries(), 1);
}

static void reading_is_bounded(void **state)
{
    size_t len = 77;
    char *out = NULL;

    (void)state;
    put("a", "12345");
    assert_int_equal(files_read(dir, "a", 5, &out, &len), 0);
    free(out);
    out = NULL;
    len = 77;
    assert_int_equal(files_read(dir, "a", 4, &out, &len), -EFBIG);
    assert_int_equal(files_read(dir, "none", 4, &out, &len), -ENOENT);
    assert_null(out);
    assert_int_equal(len, 77);
}

static void only_regular_files_are_read(void **state)
{
    size_t len;
    char *out;

    (void)state;
    assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
    assert_int_equal(files_read(dir, "fifo", 100, &out, &len), -EINVAL);
    assert_int_equal(mkdirat(dir, "dir", 0700), 0);
    assert_int_equal(files_read(dir, "dir", 100, &out, &len), -EINVAL);
    assert_int_equal(symlinkat("/etc/passwd", dir, "link"), 0);
    assert_int_equal(files_read(dir, "link", 100000, &out, &len), -ELOOP);
}

/* In a process of its own, for the limit cannot be raised again. */
static void a_failed_write_leaves_the_old_file(void **state)
{
    int status;
    pid_t pid;

    (void)state;
    put("a", "old");
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit limit = {100, 100};
        char large[1000] = {0};

        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        _exit(files_write_atomic(dir, "a", large, sizeof(large), 0600) == -EFBIG ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    check_text("a", "old");
    assert_int_equal(count_entries(), 1);

    assert_int_equal(mkdirat(dir, "dir", 0700), 0);
    assert_int_equal(files_write_atomic(dir, "dir", "x", 1, 0600), -EISDIR);
    assert_int_equal(count_entries(), 2);
}

static void a_written_file_replaces_a_link_itself(void **state)
{
    (void)state;
    put("target", "safe");
    assert_int_equal(symlinkat("target", dir, "a"), 0);
    put("a", "new");
    check_text("target", "safe");
    check_text("a", "new");
}

static void a_lock_has_one_owner(void **state)
{
    int first, second;

    (void)state;
    assert_int_equal(files_lock(dir, "lock", &first), 0);
    assert_int_equal(files_lock(dir, "lock", &second), -EWOULDBLOCK);
    close(first);
    assert_int_equal(files_lock(dir, "lock", &second), 0);
    close(second);
}

/* ---- copies ---- */

static int make(const char *name, const char *data, size_t len)
{
    int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
    return fd;
}

static void copies_are_equal(void **state)
{
    static const size_t sizes[] = {0, 1, 4096, 700001};
    char *data = malloc(700001), *back = malloc(700001);

    (void)state;
    assert_non_null(data);
    assert_non_null(back);
    srand(7);
    for (size_t i = 0; i < 700001; i++)
        data[i] = (char)rand();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int from = make("from", data, sizes[i]), to = make("to", "", 0);

        assert_int_equal(files_copy(from, to, (off_t)sizes[i]), 0);
        assert_int_equal(lseek(to, 0, SEEK_END), (off_t)sizes[i]);
        assert_int_equal(pread(to, back, sizes[i], 0), (ssize_t)sizes[i]);
        assert_memory_equal(back, data, sizes[i]);
        assert_int_equal(lseek(from, 0, SEEK_CUR), (off_t)sizes[i]);
        close(from);
        close(to);
        unlinkat(dir, "from", 0);
        unlinkat(dir, "to", 0);
    }
    free(data);
    free(back);
}

static void a_part_is_copied(void **state)
{
    int from = make("from", "0123456789", 10), to = make("to", "", 0);
    char back[10];

    (void)state;
    assert_int_equal(files_copy(from, to, 4), 0);
    assert_int_equal(pread(to, back, 10, 0), 4);
    assert_memory_equal(back, "0123", 4);
    assert_int_equal(files_copy(from, to, 11), -EIO);
    close(from);
    close(to);
}

/* The kernel copies nothing into a descriptor that appends, so it goes by hand. */
static void copying_by_hand_works_too(void **state)
{
    int from = make("from", "0123456789", 10), to;
    char back[10];

    (void)state;
    close(make("to", "", 0));
    to = openat(dir, "to", O_RDWR | O_APPEND | O_CLOEXEC);
    assert_int_equal(files_copy(from, to, 9), 0);
    assert_int_equal(pread(to, back, 10, 0), 9);
    assert_memory_equal(back, "012345678", 9);
    close(to);
    to = openat(dir, "to", O_RDONLY | O_CLOEXEC);
    assert_int_equal(files_copy(from, to, 9), -EBADF);
    close(to);
    close(from);
}

/* ---- removal ---- */

static void trees_are_removed(void **state)
{
    (void)state;
    assert_int_equal(files_mkdirs(below("tree/a/b"), 0700), 0);
    put("kept", "x");
    for (int i = 0; i < 300; i++) {
        char name[64];

        snprintf(name, sizeof(name), "tree/a/%d", i);
        close(make(name, "", 0));
    }
    assert_int_equal(symlinkat("../kept", dir, "tree/link"), 0);
    assert_int_equal(symlinkat("..", dir, "tree/a/b/up"), 0);
    assert_int_equal(files_remove_tree(dir, "tree"), 0);
    assert_int_equal(count_entries(), 1);
    check_text("kept", "x");
    assert_int_equal(files_remove_tree(dir, "none"), 0);
    assert_int_equal(files_remove_tree(dir, "kept"), 0);
    assert_int_equal(count_entries(), 0);
}

static void removal_does_not_follow_a_link(void **state)
{
    (void)state;
    assert_int_equal(files_mkdirs(below("dir"), 0700), 0);
    close(make("dir/file", "", 0));
    assert_int_equal(symlinkat("dir", dir, "link"), 0);
    assert_int_equal(files_remove_tree(dir, "link"), 0);
    assert_int_equal(faccessat(dir, "dir/file", F_OK, 0), 0);
}

static void removal_has_a_depth(void **state)
{
    (void)state;
    assert_int_equal(files_mkdirs(below("1/2/3/4/5/6/7/8/9"), 0700), 0);
    assert_int_equal(files_remove_tree(dir, "1"), -ELOOP);
    assert_int_equal(unlinkat(dir, "1/2/3/4/5/6/7/8/9", AT_REMOVEDIR), 0);
    assert_int_equal(files_remove_tree(dir, "1"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(directories_are_made_to_the_end),
        TEST(a_path_too_long_is_refused),
        TEST(private_means_that_no_other_writes),
        TEST(a_written_file_reads_back),
        TEST(reading_is_bounded),
        TEST(only_regular_files_are_read),
        TEST(a_failed_write_leaves_the_old_file),
        TEST(a_written_file_replaces_a_link_itself),
        TEST(a_lock_has_one_owner),
        TEST(copies_are_equal),
        TEST(a_part_is_copied),
        TEST(copying_by_hand_works_too),
        TEST(trees_are_removed),
        TEST(removal_does_not_follow_a_link),
        TEST(removal_has_a_depth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
