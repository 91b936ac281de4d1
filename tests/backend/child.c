#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child: nothing here may allocate or lock, for other threads may have held locks at the
 * fork. */
static void become(const char *const argv[], int in, int out, int err, pid_t parent)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(126);
    if (dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(err, 2) >= 0)
        execvp(argv[0], (char *const *)argv);
    _exit(127);
}

int child_start(struct child *c, const char *const argv[], int stop_fd)
{
    int pipe_fds[2] = {-1, -1};
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int words = memfd_create("child-words", MFD_CLOEXEC);
    int err = 0;

    if (in < 0 || words < 0 || pipe2(pipe_fds, O_CLOEXEC) != 0) {
        err = -errno;
        goto out;
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become(argv, in, pipe_fds[1], words, parent);
    if (pid < 0) {
        err = -errno;
        goto out;
    }
    *c = (struct child){.pid = pid, .out = pipe_fds[0], .err = words, .stop = stop_fd};
out:
    if (in >= 0)
        close(in);
    if (pipe_fds[1] >= 0)
        close(pipe_fds[1]);
    if (err && pipe_fds[0] >= 0)
        close(pipe_fds[0]);
    if (err && words >= 0)
        close(words);
    return err;
}

ssize_t child_read(struct child *c, void *buf, size_t size)
{
    struct pollfd p[] = {{.fd = c->stop, .events = POLLIN}, {.fd = c->out, .events = POLLIN}};

    for (;;) {
        int n = poll(p, 2, -1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || p[0].revents) {
            kill(c->pid, SIGKILL);
            return n < 0 ? -errno : -ECANCELED;
        }
        ssize_t got = read(c->out, buf, size);
        if (got >= 0 || errno != EINTR)
            return got >= 0 ? got : -errno;
    }
}

/* The last line that says something. */
static void last_line(int fd, char words[CHILD_WORDS_MAX])
{
    off_t end = lseek(fd, 0, SEEK_END);
    off_t from = end > CHILD_WORDS_MAX - 1 ? end - (CHILD_WORDS_MAX - 1) : 0;
    ssize_t n = end > 0 ? pread(fd, words, CHILD_WORDS_MAX - 1, from) : 0;

    words[n > 0 ? n : 0] = '\0';
    size_t len = strlen(words);
    while (len && (words[len - 1] == '\n' || words[len - 1] == '\r' || words[len - 1] == ' '))
        words[--len] = '\0';
    char *line = strrchr(words, '\n');
    if (line)
        memmove(words, line + 1, strlen(line + 1) + 1);
}

int child_finish(struct child *c, char words[CHILD_WORDS_MAX])
{
    int status = 0;
    int err = 0;

    close(c->out);
    while (waitpid(c->pid, &status, 0) < 0) {
        if (errno != EINTR) {
            err = -errno;
            break;
        }
    }
    if (words)
        last_line(c->err, words);
    close(c->err);
    if (err)
        return err;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int child_run(const char *const argv[], int stop_fd, struct bytes *out, char words[CHILD_WORDS_MAX])
{
    char buf[65536];
    struct child c;
    ssize_t n;

    int err = child_start(&c, argv, stop_fd);
    if (err) {
        if (words)
            snprintf(words, CHILD_WORDS_MAX, "%s: %s", argv[0], strerror(-err));
        return err;
    }
    while ((n = child_read(&c, buf, sizeof(buf))) > 0) {
        if (out)
            bytes_add(out, buf, (size_t)n);
    }
    int status = child_finish(&c, words);
    return n < 0 ? (int)n : status;
}
