/* A look at descriptors does not wait for a process that execve() holds: the close-on-exec file of
 * a small mount, whose FLUSH is answered when the test says so. */
#define FUSE_USE_VERSION 35
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "closer.h"
#include "descriptors.h"
#include "mounts.h"
#include "watchers.h"

#define PATIENCE_S 30
#define FILE_INO 2

static char point[64], held[96]; /* the mount; an ordinary file that the process holds */
static int flushing[2], answer[2];
static pid_t server, process;

/* ---- a mount with one file ---- */

static void describe(fuse_ino_t ino, struct stat *st)
{
    *st = (struct stat){.st_ino = ino, .st_nlink = 1};
    st->st_mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fuse_entry_param e = {.ino = FILE_INO};

    (void)parent;
    (void)name;
    describe(e.ino, &e.attr);
    fuse_reply_entry(req, &e);
}

static void on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct stat st;

    (void)fi;
    describe(ino, &st);
    fuse_reply_attr(req, &st, 0);
}

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    fuse_reply_open(req, fi);
}

static void on_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    char byte;

    (void)ino;
    (void)fi;
    if (write(flushing[1], "f", 1) != 1 || read(answer[0], &byte, 1) != 1)
        _exit(3);
    fuse_reply_err(req, 0);
}

static int serve(void)
{
    static const struct fuse_lowlevel_ops ops = {
        .lookup = on_lookup, .getattr = on_getattr, .open = on_open, .flush = on_flush};
    char name[] = "test_executing", *argv[] = {name, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(1, argv);
    struct fuse_session *se = fuse_session_new(&args, &ops, sizeof(ops), NULL);

    if (!se || fuse_set_signal_handlers(se) != 0 || fuse_session_mount(se, point) != 0 ||
        write(flushing[1], "m", 1) != 1)
        return 3;
    fuse_session_loop(se);
    fuse_session_unmount(se);
    fuse_session_destroy(se);
    return 0;
}

/* ---- the process ---- */

static int hold_and_execute(void)
{
    char file[96];
    int watch;

    snprintf(file, sizeof(file), "%s/file", point);
    watch = inotify_init();
    if (open(held, O_WRONLY) < 0 || watch < 0 || inotify_add_watch(watch, held, IN_MODIFY) < 0)
        return 3;
    if (open(file, O_WRONLY | O_CLOEXEC) < 0)
        return 3;
    execl("/bin/sleep", "sleep", "1000", NULL);
    return 3;
}

static pid_t start(int (*work)(void))
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(work());
    return pid;
}

static void end(pid_t pid, int signal)
{
    kill(pid, signal);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void await(char expected)
{
    char byte = 0;

    assert_int_equal(read(flushing[0], &byte, 1), 1);
    assert_int_equal(byte, expected);
}

static int setup(void **state)
{
    (void)state;
    snprintf(point, sizeof(point), "/tmp/test_executing.XXXXXX");
    if (!mkdtemp(point) || pipe2(flushing, O_CLOEXEC) < 0 || pipe2(answer, O_CLOEXEC) < 0)
        return -1;
    snprintf(held, sizeof(held), "%s.held", point);
    close(open(held, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    alarm(PATIENCE_S); /* a look that waits would wait for ever */
    server = start(serve);
    await('m');
    process = start(hold_and_execute);
    await('f');
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(write(answer[1], "a", 1), 1);
    end(process, SIGKILL);
    end(server, SIGTERM);
    alarm(0);
    close(flushing[0]);
    close(flushing[1]);
    close(answer[0]);
    close(answer[1]);
    return unlink(held) + rmdir(point);
}

/* ---- looking ---- */

static struct closer_file identity(void)
{
    struct closer_file file = {.tail = strrchr(held, '/')};
    char name[64], line[256];
    int fd = open(held, O_RDONLY | O_CLOEXEC), id = -1;
    struct stat st;
    FILE *f;

    assert_int_equal(fstat(fd, &st), 0);
    file.ino = st.st_ino;
    snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
    f = fopen(name, "re");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        sscanf(line, "mnt_id: %d", &id);
    fclose(f);
    close(fd);
    assert_int_equal(mounts_device_of(getpid(), id, &file.device), 0);
    return file;
}

static void what_it_holds_is_seen(void **state)
{
    struct closer_file file = identity(), other = file;

    (void)state;
    assert_true(descriptors_executing(process));
    assert_int_equal(closer_look(getpid(), &file), CLOSER_OTHERS);
    other.ino++;
    assert_int_equal(closer_look(getpid(), &other), CLOSER_LAST);
    assert_true(watchers_look(file.device));
}

static void it_is_not_kept_waiting(void **state)
{
    struct closer_file file = identity();

    (void)state;
    assert_int_equal(closer_look(process, &file), CLOSER_EXECUTING);
    assert_false(closer_is_killed(process));
    assert_int_equal(closer_signal(process), CLOSER_SIGNAL_NONE);
}

static void others_are_not_executing(void **state)
{
    (void)state;
    assert_false(descriptors_executing(getpid()));
    assert_false(descriptors_executing(server));
    assert_false(descriptors_executing(0x3fffffff));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_it_holds_is_seen),
        TEST(it_is_not_kept_waiting),
        TEST(others_are_not_executing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
