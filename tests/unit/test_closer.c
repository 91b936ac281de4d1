/* Who holds a file, who was killed, which pending signals end a wait: with real processes. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "closer.h"
#include "files.h"
#include "mounts.h"

#define DIRECTORY "/tmp"
#define NOBODY 65534

static char root[128];
static char path[192];
static const char *tail; /* of the path; begins with the root's name, for other copies of this test
                            may run */

/* A process that did what it was told, said so, and waits for its end. */
struct child {
    pid_t pid;
    int ready; /* one byte comes when it is */
    int hold;  /* a byte in it lets the child go (others inherit it, so closing would not) */
};

static int setup(void **state)
{
    char dir[192];

    (void)state;
    snprintf(root, sizeof(root), DIRECTORY "/test_closer.XXXXXX");
    if (!mkdtemp(root) || chmod(root, 0755) < 0)
        return -1;
    snprintf(path, sizeof(path), "%s/demo/inputs/clip.mp4", root);
    tail = path + strlen(DIRECTORY);
    snprintf(dir, sizeof(dir), "%s/demo/inputs", root);
    return files_mkdirs(dir, 0755);
}

static int teardown(void **state)
{
    int tmp, rc;

    (void)state;
    rc = files_open_dir(DIRECTORY, &tmp);
    if (rc < 0)
        return rc;
    rc = files_remove_tree(tmp, root + strlen(DIRECTORY "/"));
    close(tmp);
    return rc;
}

static struct closer_file by_path(void)
{
    return (struct closer_file){.tail = tail};
}

/* What fdinfo says about an own descriptor. */
static struct closer_file identity(int fd)
{
    struct closer_file file = by_path();
    char name[64], line[256];
    int id = -1;
    FILE *f;

    snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
    f = fopen(name, "re");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        unsigned long ino;

        sscanf(line, "mnt_id: %d", &id);
        if (sscanf(line, "ino: %lu", &ino) == 1)
            file.ino = ino;
    }
    fclose(f);
    assert_int_equal(mounts_device_of(getpid(), id, &file.device), 0);
    return file;
}

static struct closer_file by_identity; /* of the file opened last */

static int open_it(int flags)
{
    int fd = open(path, flags | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    by_identity = identity(fd);
    return fd;
}

/* By its path, and by what it is. */
static enum closer_state look(pid_t tid)
{
    struct closer_file file = by_path();
    enum closer_state state = closer_look(tid, &file);

    assert_int_equal(closer_look(tid, &by_identity), state);
    return state;
}

static void wait_ready(struct child *c)
{
    char byte;

    assert_int_equal(read(c->ready, &byte, 1), 1);
}

/* Runs `work` in a new process; it returns when the child may wait. */
static struct child start(void (*work)(int argument), int argument)
{
    int ready[2], hold[2];
    struct child c;
    char byte;

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
    c.pid = fork();
    assert_true(c.pid >= 0);
    if (c.pid == 0) {
        signal(SIGSEGV, SIG_DFL); /* cmocka's */
        signal(SIGINT, SIG_DFL);  /* a shell's, of what it starts in the background */
        work(argument);
        _exit(write(ready[1], "r", 1) != 1 || read(hold[0], &byte, 1) != 1);
    }
    close(ready[1]);
    close(hold[0]);
    c.ready = ready[0];
    c.hold = hold[1];
    wait_ready(&c);
    return c;
}

static void let_go(struct child *c)
{
    assert_int_equal(write(c->hold, "g", 1), 1);
}

static void bury(struct child *c)
{
    close(c->hold);
    close(c->ready);
    assert_int_equal(waitpid(c->pid, NULL, 0), c->pid);
}

static void finish(struct child *c)
{
    let_go(c);
    bury(c);
}

static void nothing(int unused)
{
    (void)unused;
}

/* ---- holders ---- */

static void nobody_holds_it(void **state)
{
    (void)state;
    close(open_it(O_WRONLY));
    assert_int_equal(look(getpid()), CLOSER_LAST);
}

static void an_own_descriptor_counts_if_it_writes(void **state)
{
    static const int writing[] = {O_WRONLY, O_RDWR, O_WRONLY | O_APPEND};
    int fd;

    (void)state;
    for (size_t i = 0; i < sizeof(writing) / sizeof(writing[0]); i++) {
        fd = open_it(writing[i]);
        assert_int_equal(look(getpid()), CLOSER_OTHERS);
        close(fd);
        assert_int_equal(look(getpid()), CLOSER_LAST);
    }
    fd = open_it(O_RDONLY);
    assert_int_equal(look(getpid()), CLOSER_LAST);
    close(fd);
    fd = open(path, O_PATH | O_CLOEXEC);
    assert_int_equal(look(getpid()), CLOSER_LAST);
    close(fd);
}

static void one_of_two_duplicates_is_not_the_last(void **state)
{
    int fd = open_it(O_WRONLY), copy = dup(fd);

    (void)state;
    close(fd);
    assert_int_equal(look(getpid()), CLOSER_OTHERS);
    close(copy);
    assert_int_equal(look(getpid()), CLOSER_LAST);
}

static void a_child_that_inherited_it_counts(void **state)
{
    int fd = open_it(O_WRONLY);
    struct child c = start(nothing, 0);

    (void)state;
    close(fd);
    assert_int_equal(look(getpid()), CLOSER_OTHERS);
    finish(&c);
    assert_int_equal(look(getpid()), CLOSER_LAST);
}

static void close_it(int fd)
{
    close(fd);
}

static void a_parent_that_holds_it_counts(void **state)
{
    int fd = open_it(O_WRONLY);
    struct child c = start(close_it, fd);

    (void)state;
    assert_int_equal(look(c.pid), CLOSER_OTHERS);
    close(fd);
    assert_int_equal(look(c.pid), CLOSER_LAST);
    finish(&c);
}

static void a_stranger_that_holds_it_counts(void **state)
{
    struct child holder, flusher;
    int fd = open_it(O_WRONLY);

    (void)state;
    holder = start(nothing, 0);
    close(fd);
    flusher = start(nothing, 0);
    assert_int_equal(look(flusher.pid), CLOSER_OTHERS);
    finish(&holder);
    assert_int_equal(look(flusher.pid), CLOSER_LAST);
    finish(&flusher);
}

/* The group's redirection belongs to the shell; its commands come and go. */
static void a_shell_holds_its_redirection(void **state)
{
    int ready[2], go[2], status;
    char command[512], byte;
    pid_t pid;

    (void)state;
    close(open_it(O_WRONLY));
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    snprintf(command, sizeof(command),
             "{ /bin/echo one; echo r >&%d; read x <&%d; /bin/echo two; } > '%s'", ready[1], go[0],
             path);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(127);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(look(getpid()), CLOSER_OTHERS);
    assert_int_equal(write(go[1], "\n", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(look(getpid()), CLOSER_LAST);
    close(ready[0]);
    close(ready[1]);
    close(go[0]);
    close(go[1]);
}

static void *thread_that_holds(void *argument)
{
    int *pipes = argument;
    char byte;

    if (write(pipes[1], "r", 1) != 1 || read(pipes[0], &byte, 1) != 0)
        _exit(3);
    _exit(0);
}

/* The first thread of a process may be gone, and shows no descriptors then. */
static void threads_without_a_first_one_count(void **state)
{
    int fd = open_it(O_WRONLY), ready[2], hold[2];
    char byte, name[64], line[256];
    bool zombie = false;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(hold), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int pipes[2] = {hold[0], ready[1]};
        pthread_t thread;

        close(hold[1]);
        if (pthread_create(&thread, NULL, thread_that_holds, pipes) != 0)
            _exit(3);
        syscall(SYS_exit, 0); /* this thread alone; `pipes` stays, for the stack does */
    }
    close(fd);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    snprintf(name, sizeof(name), "/proc/%d/stat", pid);
    for (int i = 0; i < 100000 && !zombie; i++) {
        FILE *f = fopen(name, "re");

        assert_non_null(f);
        assert_non_null(fgets(line, sizeof(line), f));
        fclose(f);
        zombie = strstr(line, ") Z ") != NULL;
    }
    assert_true(zombie);
    assert_int_equal(look(getpid()), CLOSER_OTHERS);
    close(hold[1]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(look(getpid()), CLOSER_LAST);
    close(ready[0]);
    close(ready[1]);
    close(hold[0]);
}

static void *look_from_thread(void *argument)
{
    *(enum closer_state *)argument = look(gettid());
    return NULL;
}

static void a_thread_may_be_the_flusher(void **state)
{
    int fd = open_it(O_WRONLY);
    enum closer_state seen = CLOSER_UNKNOWN;
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, look_from_thread, &seen), 0);
    pthread_join(thread, NULL);
    assert_int_equal(seen, CLOSER_OTHERS);
    close(fd);
    assert_int_equal(pthread_create(&thread, NULL, look_from_thread, &seen), 0);
    pthread_join(thread, NULL);
    assert_int_equal(seen, CLOSER_LAST);
}

/* ---- which file it is ---- */

static void unlinked_and_renamed_files_are_known(void **state)
{
    char other[256];
    struct closer_file file = {.tail = other + strlen(DIRECTORY)};
    int fd = open_it(O_WRONLY);

    (void)state;
    snprintf(other, sizeof(other), "%s/demo/inputs/x (deleted)", root);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(look(getpid()), CLOSER_LAST);
    assert_int_equal(closer_look(getpid(), &file), CLOSER_OTHERS);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(closer_look(getpid(), &file), CLOSER_OTHERS);
    close(fd);
    assert_int_equal(closer_look(getpid(), &file), CLOSER_LAST);
}

static void other_names_are_other_files(void **state)
{
    static const char *const others[] = {"/demo/inputs/clip.mp", "/demo/inputs/lip.mp4",
                                         "/other/inputs/clip.mp4", "/demo/inputs"};
    int fd = open_it(O_WRONLY);

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct closer_file file = {.tail = others[i]};

        assert_int_equal(closer_look(getpid(), &file), CLOSER_LAST);
    }
    close(fd);
}

/* Another mount, or a plain directory, may have the same path below it. */
static void the_same_tail_elsewhere_is_another_file(void **state)
{
    int fd = open_it(O_WRONLY);
    struct closer_file file = identity(fd), wrong_ino = file, wrong_device = file;

    (void)state;
    assert_int_equal(closer_look(getpid(), &file), CLOSER_OTHERS);
    wrong_device.device ^= 1;
    assert_int_equal(closer_look(getpid(), &wrong_device), CLOSER_LAST);
    if (file.ino == 0)
        skip(); /* this kernel's fdinfo has no inode numbers */
    wrong_ino.ino++;
    assert_int_equal(closer_look(getpid(), &wrong_ino), CLOSER_LAST);
    close(fd);
}

/* Seen through a bind mount of the session alone the path is another. */
static void identity_outweighs_the_path(void **state)
{
    int fd = open_it(O_WRONLY);
    struct closer_file file = identity(fd);

    (void)state;
    file.tail = "/elsewhere/clip.mp4";
    assert_int_equal(closer_look(getpid(), &file), file.ino ? CLOSER_OTHERS : CLOSER_LAST);
    close(fd);
}

/* ---- what cannot be known ---- */

static void an_unknown_flusher_leaves_it_open(void **state)
{
    int fd = open_it(O_WRONLY);

    (void)state;
    assert_int_equal(look(0), CLOSER_OTHERS);
    close(fd);
    assert_int_equal(look(0), CLOSER_UNKNOWN);
    assert_int_equal(look(0x3fffffff), CLOSER_UNKNOWN);
}

static void become_opaque(int unused)
{
    (void)unused;
    prctl(PR_SET_DUMPABLE, 0);
}

static void an_opaque_flusher_leaves_it_open(void **state)
{
    struct child c = start(become_opaque, 0);
    pid_t pid = fork();
    int status;

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
            _exit(100);
        _exit((int)look(c.pid));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), CLOSER_UNKNOWN);
    finish(&c);
}

/* ---- the killed ---- */

/* Until the child has ended; it stays a zombie, which keeps its flags. */
static void await_zombie(pid_t pid)
{
    siginfo_t info;

    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void killed_processes_are_known(void **state)
{
    static const int signals[] = {SIGKILL, SIGINT, SIGTERM, SIGSEGV};

    (void)state;
    close(open_it(O_WRONLY));
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct child c = start(nothing, 0);

        assert_false(closer_is_killed(c.pid));
        kill(c.pid, signals[i]);
        await_zombie(c.pid);
        assert_true(closer_is_killed(c.pid));
        assert_int_equal(look(c.pid), CLOSER_KILLED);
        assert_int_equal(closer_signal(c.pid), CLOSER_SIGNAL_ENDS);
        bury(&c);
    }
}

static void a_duplicate_that_lives_on_outweighs_the_kill(void **state)
{
    int fd = open_it(O_WRONLY);
    struct child c = start(nothing, 0);

    (void)state;
    kill(c.pid, SIGKILL);
    await_zombie(c.pid);
    assert_int_equal(look(c.pid), CLOSER_OTHERS);
    close(fd);
    bury(&c);
}

static void *sleep_for_ever(void *unused)
{
    for (;;)
        pause();
    return unused;
}

static void start_threads(int count)
{
    pthread_t thread;

    while (count-- > 0)
        if (pthread_create(&thread, NULL, sleep_for_ever, NULL) != 0)
            _exit(3);
}

static void *exit_from_thread(void *code)
{
    _exit((int)(intptr_t)code);
}

/* A plain exit of a process ends its other threads by a signal, and that is no kill. */
static void a_plain_exit_is_no_kill(void **state)
{
    struct child c = start(nothing, 0);

    (void)state;
    let_go(&c);
    await_zombie(c.pid);
    assert_false(closer_is_killed(c.pid));
    assert_int_equal(look(c.pid), CLOSER_LAST);
    bury(&c);

    for (int code = 0; code < 2; code++) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            pthread_t thread;

            start_threads(3);
            if (pthread_create(&thread, NULL, exit_from_thread, (void *)(intptr_t)code) == 0)
                sleep_for_ever(NULL);
            _exit(3);
        }
        await_zombie(pid);
        assert_false(closer_is_killed(pid));
        assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
}

static void nobody_is_not_killed(void **state)
{
    (void)state;
    assert_false(closer_is_killed(0));
    assert_false(closer_is_killed(getpid()));
    assert_false(closer_is_killed(0x3fffffff));
}

/* ---- pending signals ---- */

enum disposition { DEFAULT, CAUGHT, IGNORED, BLOCKED, BLOCKED_AND_CAUGHT };

static void on_signal(int signal)
{
    (void)signal;
}

static int the_signal;

static void dispose(int disposition)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, the_signal);
    signal(the_signal, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    if (disposition == CAUGHT || disposition == BLOCKED_AND_CAUGHT)
        signal(the_signal, on_signal);
    if (disposition == IGNORED)
        signal(the_signal, SIG_IGN);
    if (disposition == BLOCKED || disposition == BLOCKED_AND_CAUGHT)
        sigprocmask(SIG_BLOCK, &set, NULL);
}

static const struct {
    int signal;
    enum disposition disposition;
    enum closer_signal expected;
} signals_table[] = {
    {SIGINT, DEFAULT, CLOSER_SIGNAL_ENDS},
    {SIGINT, CAUGHT, CLOSER_SIGNAL_ENDS},
    {SIGINT, IGNORED, CLOSER_SIGNAL_NONE},
    {SIGINT, BLOCKED, CLOSER_SIGNAL_NONE},
    {SIGINT, BLOCKED_AND_CAUGHT, CLOSER_SIGNAL_NONE},
    {SIGTERM, DEFAULT, CLOSER_SIGNAL_ENDS},
    {SIGTERM, CAUGHT, CLOSER_SIGNAL_ENDS},
    {SIGTERM, IGNORED, CLOSER_SIGNAL_NONE},
    {SIGHUP, CAUGHT, CLOSER_SIGNAL_ENDS},
    {SIGHUP, IGNORED, CLOSER_SIGNAL_NONE}, /* nohup */
    {SIGQUIT, DEFAULT, CLOSER_SIGNAL_ENDS},
    {SIGQUIT, CAUGHT, CLOSER_SIGNAL_ENDS},
    {SIGUSR1, DEFAULT, CLOSER_SIGNAL_ENDS},
    {SIGUSR1, CAUGHT, CLOSER_SIGNAL_NONE},
    {SIGUSR1, IGNORED, CLOSER_SIGNAL_NONE},
    {SIGALRM, DEFAULT, CLOSER_SIGNAL_ENDS},
    {SIGALRM, CAUGHT, CLOSER_SIGNAL_NONE},
    {SIGPIPE, DEFAULT, CLOSER_SIGNAL_ENDS},
    {SIGSEGV, DEFAULT, CLOSER_SIGNAL_ENDS},
    {SIGSEGV, CAUGHT, CLOSER_SIGNAL_NONE},
    {SIGCHLD, DEFAULT, CLOSER_SIGNAL_NONE},
    {SIGCHLD, CAUGHT, CLOSER_SIGNAL_NONE},
    {SIGURG, DEFAULT, CLOSER_SIGNAL_NONE},
    {SIGURG, CAUGHT, CLOSER_SIGNAL_NONE},
    {SIGWINCH, DEFAULT, CLOSER_SIGNAL_NONE},
    {SIGTSTP, DEFAULT, CLOSER_SIGNAL_NONE},
    {SIGTSTP, CAUGHT, CLOSER_SIGNAL_NONE},
};

static void stop(pid_t pid)
{
    siginfo_t info;

    kill(pid, SIGSTOP);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
}

static void end(struct child *c)
{
    kill(c->pid, SIGKILL);
    bury(c);
}

/* A stopped process takes no signal, as one that waits in the kernel does not. */
static void pending_signals_are_weighed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(signals_table) / sizeof(signals_table[0]); i++) {
        enum closer_signal seen[2];

        for (int to_thread = 0; to_thread < 2; to_thread++) {
            struct child c;

            the_signal = signals_table[i].signal;
            c = start(dispose, signals_table[i].disposition);
            stop(c.pid);
            assert_int_equal(closer_signal(c.pid), CLOSER_SIGNAL_NONE);
            if (to_thread)
                syscall(SYS_tgkill, c.pid, c.pid, the_signal);
            else
                kill(c.pid, the_signal);
            seen[to_thread] = closer_signal(c.pid);
            end(&c);
        }
        if (seen[0] != signals_table[i].expected || seen[1] != signals_table[i].expected)
            fail_msg("signal %d, disposition %d: %d %d", signals_table[i].signal,
                     signals_table[i].disposition, seen[0], seen[1]);
    }
}

static void realtime_signals_end_by_default(void **state)
{
    struct child c;

    (void)state;
    for (int disposition = DEFAULT; disposition <= CAUGHT; disposition++) {
        the_signal = SIGRTMAX;
        c = start(dispose, disposition);
        stop(c.pid);
        kill(c.pid, the_signal);
        assert_int_equal(closer_signal(c.pid),
                         disposition == DEFAULT ? CLOSER_SIGNAL_ENDS : CLOSER_SIGNAL_NONE);
        end(&c);
    }
}

static void a_harmless_signal_hides_no_other(void **state)
{
    struct child c;

    (void)state;
    the_signal = SIGURG;
    c = start(dispose, CAUGHT);
    stop(c.pid);
    kill(c.pid, SIGURG);
    assert_int_equal(closer_signal(c.pid), CLOSER_SIGNAL_NONE);
    kill(c.pid, SIGINT);
    assert_int_equal(closer_signal(c.pid), CLOSER_SIGNAL_ENDS);
    end(&c);
}

static void the_gone_wait_no_more(void **state)
{
    struct child c = start(nothing, 0);

    (void)state;
    assert_int_equal(closer_signal(0), CLOSER_SIGNAL_ENDS);
    assert_int_equal(closer_signal(0x3fffffff), CLOSER_SIGNAL_ENDS);
    assert_int_equal(closer_signal(c.pid), CLOSER_SIGNAL_NONE);
    let_go(&c);
    await_zombie(c.pid);
    assert_int_equal(closer_signal(c.pid), CLOSER_SIGNAL_ENDS);
    bury(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_holds_it),
        TEST(an_own_descriptor_counts_if_it_writes),
        TEST(one_of_two_duplicates_is_not_the_last),
        TEST(a_child_that_inherited_it_counts),
        TEST(a_parent_that_holds_it_counts),
        TEST(a_stranger_that_holds_it_counts),
        TEST(a_shell_holds_its_redirection),
        TEST(threads_without_a_first_one_count),
        TEST(a_thread_may_be_the_flusher),
        TEST(unlinked_and_renamed_files_are_known),
        TEST(other_names_are_other_files),
        TEST(the_same_tail_elsewhere_is_another_file),
        TEST(identity_outweighs_the_path),
        TEST(an_unknown_flusher_leaves_it_open),
        TEST(an_opaque_flusher_leaves_it_open),
        TEST(killed_processes_are_known),
        TEST(a_duplicate_that_lives_on_outweighs_the_kill),
        TEST(a_plain_exit_is_no_kill),
        TEST(nobody_is_not_killed),
        TEST(pending_signals_are_weighed),
        TEST(realtime_signals_end_by_default),
        TEST(a_harmless_signal_hides_no_other),
        TEST(the_gone_wait_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
