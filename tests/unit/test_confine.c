/* What a confined process can still do: tried by a child, for it is for good. */
#include "unit.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine.h"
#include "files.h"
#include "lookout.h"

static char root[] = "/tmp/test_confine.XXXXXX";
static struct options options;
static long landlock; /* the kernel's version of it */

static char *place(const char *name)
{
    char *path;

    assert_true(asprintf(&path, "%s/%s", root, name) > 0);
    return path;
}

static char *make(const char *name)
{
    char *path = place(name);

    assert_int_equal(files_mkdirs(path, 0700), 0);
    return path;
}

static int setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(root));
    options = (struct options){.mountpoint = make("mount"),
                               .state_dir = make("state"),
                               .cache_dir = make("cache"),
                               .client_id_path = place("home/nemovideo/client_id")};
    free(make("elsewhere"));
    landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return 0;
}

static int teardown(void **state)
{
    int tmp;

    (void)state;
    free(options.mountpoint);
    free(options.state_dir);
    free(options.cache_dir);
    free(options.client_id_path);
    assert_int_equal(files_open_dir("/tmp", &tmp), 0);
    assert_int_equal(files_remove_tree(tmp, root + strlen("/tmp/")), 0);
    close(tmp);
    return 0;
}

/* The errno of a call, 0 for none. */
#define ERROR_OF(call) ((call) < 0 ? errno : 0)

static int makes(const char *name)
{
    char *path = place(name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600), r = ERROR_OF(fd);

    if (fd >= 0)
        close(fd);
    free(path);
    return r;
}

static int reads(const char *path)
{
    int fd = open(path, O_RDONLY), r = ERROR_OF(fd);

    if (fd >= 0)
        close(fd);
    return r;
}

/* Runs `body` in a confined child; it tells with its exit status which line went wrong. */
static void confined(int (*body)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        confine(&options, NULL);
        _exit(body());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status))
        print_error("line %d (mod 255)\n", WEXITSTATUS(status) - 1);
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return __LINE__ % 255 + 1;                                                             \
    } while (0)

static int use_own_files(void)
{
    char *from = place("state/a"), *dir = place("state/dir"), *to = place("state/dir/b");

    CHECK(makes("state/a") == 0 && makes("cache/a") == 0 && makes("home/nemovideo/client_id") == 0);
    CHECK(mkdir(dir, 0700) == 0 && rename(from, to) == 0 && unlink(to) == 0 && rmdir(dir) == 0);
    CHECK(makes("mount/new") == 0);
    CHECK(reads("/etc/hosts") == 0 && reads("/dev/null") == 0 && reads("/proc/self/stat") == 0);
    free(from);
    free(dir);
    free(to);
    return 0;
}

static void own_files_can_be_used(void **state)
{
    (void)state;
    confined(use_own_files);
}

static int touch_others_files(void)
{
    char *other = place("elsewhere/a"), *inside = place("state/link");

    CHECK(makes("elsewhere/a") == EACCES);
    CHECK(reads("/proc/1/stat") == EACCES && reads(root) == EACCES);
    CHECK(ERROR_OF(open("/etc/hosts", O_WRONLY)) == EACCES);
    CHECK(ERROR_OF(symlink("/etc/hosts", inside)) == EACCES);
    free(other);
    free(inside);
    return 0;
}

static void others_files_cannot(void **state)
{
    (void)state;
    if (landlock < 2)
        skip();
    confined(touch_others_files);
}

static int listen_to_somebody(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0);
    CHECK(ERROR_OF(bind(fd, (struct sockaddr *)&any, sizeof(any))) == EACCES);
    close(fd);
    return 0;
}

static void nobody_is_listened_to(void **state)
{
    (void)state;
    if (landlock < 4)
        skip();
    confined(listen_to_somebody);
}

static int do_what_is_forbidden(void)
{
    char name[] = "true", *const argv[] = {name, NULL};

    CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    CHECK(prctl(PR_GET_SECCOMP) == 2);
    CHECK(ERROR_OF(execv("/bin/true", argv)) == EPERM);
    CHECK(ERROR_OF(umount2("/nowhere", MNT_DETACH)) == EPERM);
    CHECK(ERROR_OF(syscall(SYS_unshare, 0)) == EPERM);
    CHECK(ERROR_OF(syscall(SYS_bpf, 0, NULL, 0)) == EPERM);
    CHECK(ERROR_OF(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0)) == EPERM);
    /* the last of the list, and one that is not on it */
    CHECK(ERROR_OF(syscall(SYS_adjtimex, NULL)) == EPERM);
    CHECK(getppid() > 0);
    return 0;
}

static void forbidden_calls_fail(void **state)
{
    (void)state;
    confined(do_what_is_forbidden);
}

static char log_lines[3][128];
static int log_count;

static void remember(const char *line)
{
    snprintf(log_lines[log_count++ % 3], sizeof(log_lines[0]), "%s", line);
}

static int tell(void)
{
    confine(&options, remember);
    CHECK(log_count == 3);
    CHECK(strcmp(log_lines[0], "confined by no_new_privs: yes") == 0);
    return 0;
}

static void it_is_told_of(void **state)
{
    (void)state;
    confined(tell);
}

/* ---- the lookout ---- */

static int ask_the_lookout(void)
{
    struct closer_file file = {.tail = "/state/held"};
    char *held = place("state/held");
    int fd = open(held, O_RDWR | O_CREAT, 0600);

    free(held);
    CHECK(fd >= 0);
    CHECK(lookout_closer(getpid(), &file) == CLOSER_OTHERS);
    close(fd);
    CHECK(lookout_closer(getpid(), &file) == CLOSER_LAST);
    CHECK(!lookout_is_killed(getpid()));
    CHECK(lookout_signal(getpid()) == CLOSER_SIGNAL_NONE);
    CHECK(lookout_signal(0x3fffffff) == CLOSER_SIGNAL_ENDS);
    CHECK(!lookout_is_watched(1));
    return 0;
}

static void the_lookout_sees_for_the_confined(void **state)
{
    (void)state;
    assert_int_equal(lookout_start(options.mountpoint), 0);
    confined(ask_the_lookout);
    assert_int_not_equal(lookout_detach(), 0); /* nothing is mounted there */
    lookout_stop();
}

static void without_a_lookout_nothing_is_known(void **state)
{
    struct closer_file file = {.tail = "/state/held"};

    (void)state;
    assert_int_equal(lookout_closer(getpid(), &file), CLOSER_UNKNOWN);
    assert_false(lookout_is_killed(getpid()));
    assert_int_equal(lookout_signal(getpid()), CLOSER_SIGNAL_ENDS);
    assert_true(lookout_is_watched(1));
    assert_true(lookout_detach() < 0);
    lookout_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_files_can_be_used),
        cmocka_unit_test(others_files_cannot),
        cmocka_unit_test(nobody_is_listened_to),
        cmocka_unit_test(forbidden_calls_fail),
        cmocka_unit_test(it_is_told_of),
        cmocka_unit_test(the_lookout_sees_for_the_confined),
        cmocka_unit_test(without_a_lookout_nothing_is_known),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, setup, teardown);
}
