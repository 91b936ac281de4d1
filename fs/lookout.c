#include "lookout.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "names.h"
#include "sniffers.h"
#include "watchers.h"

#define NAME "lipsync-lookout"
#define STACK_BYTES (256u << 10)
#define QUESTIONS 3 /* the descriptor on which they come, in the lookout */

enum what { LOOK, IS_KILLED, SIGNAL, IS_SNIFFER, IS_WATCHED, DETACH };

struct question {
    enum what what;
    pid_t tid;
    uint64_t ino;
    dev_t device;
    int mount_id;
    char tail[3 * NAMES_MAX];
};

/* With the question goes the end of a pipe for its answer. */
union passed {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
};

/* Seen by both processes. */
struct shared {
    pthread_mutex_t program_lives; /* held by its first thread */
    _Atomic dev_t device;          /* of the mount; 0: not yet */
};

static struct {
    int fd; /* where questions are put */
    pid_t pid;
    struct shared *shared;
} lookout = {.fd = -1};

/* ---- the lookout's process ---- */

struct work {
    struct question question;
    int out;
};

static atomic_int under_way;

static void answer(int out, unsigned char byte)
{
    while (write(out, &byte, 1) < 0 && errno == EINTR)
        ;
    close(out);
}

static unsigned char find_out(const struct question *q)
{
    struct closer_file file = {
        .tail = q->tail, .ino = q->ino, .device = q->device, .mount_id = q->mount_id};

    switch (q->what) {
    case LOOK:
        return (unsigned char)closer_look(q->tid, &file);
    case IS_KILLED:
        return closer_is_killed(q->tid);
    case SIGNAL:
        return (unsigned char)closer_signal(q->tid);
    case IS_SNIFFER:
        return sniffers_look(q->tid);
    case IS_WATCHED:
        return watchers_look(q->device);
    case DETACH:
        break;
    }
    return 0;
}

static void *look(void *user)
{
    struct work *w = user;

    answer(w->out, find_out(&w->question));
    free(w);
    atomic_fetch_sub(&under_way, 1);
    return NULL;
}

/* What nobody looks into is answered by closing the pipe. */
static void start_looking(const struct question *q, int out)
{
    struct work *w = NULL;
    pthread_attr_t attr;
    pthread_t thread;
    int r = EAGAIN;

    if (atomic_fetch_add(&under_way, 1) < LOOKOUT_QUESTIONS_MAX)
        w = calloc(1, sizeof(*w));
    if (w) {
        w->question = *q;
        w->out = out;
        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attr, STACK_BYTES);
        r = pthread_create(&thread, &attr, look, w);
        pthread_attr_destroy(&attr);
    }
    if (r == 0)
        return;
    free(w);
    close(out);
    atomic_fetch_sub(&under_way, 1);
}

static int detach(const char *mountpoint)
{
    int status = -1;
    pid_t pid;

    if (umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        return 0;
    pid = fork();
    if (pid == 0) {
        execlp("fusermount3", "fusermount3", "-u", "-z", "-q", "--", mountpoint, (char *)NULL);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status == 0 ? 0 : EBUSY;
}

/* By its control file, or, where that is not to be had, as root by a forced unmount, which the open
 * directory keeps from being more than that. */
static void end_connection(const char *mountpoint, dev_t device)
{
    struct statx stx;
    char path[64];
    int fd, root;

    snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%u/abort", minor(device));
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "1", 1) == 1)
        return;
    root = open(mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0 || statx(root, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &stx) ||
        makedev(stx.stx_dev_major, stx.stx_dev_minor) != device)
        return;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", root);
    umount2(path, MNT_FORCE);
}

/* Its descriptors are gone: nothing of it hangs, and the device may already be another mount's. */
static bool program_is_gone(void)
{
    struct pollfd questions = {.fd = QUESTIONS};

    return poll(&questions, 1, 0) == 1 && questions.revents & POLLHUP;
}

/* The kernel gives the lock away when its owner dies, whatever becomes of his other threads. */
static void *outlive(void *mountpoint)
{
    if (pthread_mutex_lock(&lookout.shared->program_lives) == EOWNERDEAD &&
        lookout.shared->device && !program_is_gone())
        end_connection(mountpoint, lookout.shared->device);
    _exit(0);
}

/* The next question and where its answer goes; -1: there was no descriptor left for that. False:
 * the program has ended. */
static bool receive(int fd, struct question *q, int *out)
{
    union passed passed;
    struct iovec part = {.iov_base = q, .iov_len = sizeof(*q)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &passed,
                             .msg_controllen = sizeof(passed)};
    const struct cmsghdr *c;
    ssize_t n;

    do
        n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof(*q))
        return false;
    *out = -1;
    c = CMSG_FIRSTHDR(&message);
    if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(*out)))
        memcpy(out, CMSG_DATA(c), sizeof(*out));
    return true;
}

static _Noreturn void keep_lookout(int fd, const char *mountpoint)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct question q;
    pthread_t thread;
    int out;

    /* Not ended along with the program: neither as its group nor by its name. */
    setsid();
    prctl(PR_SET_NAME, NAME);
    /* Whoever reads what the program says must not wait for us, too. */
    for (int i = 0; i < QUESTIONS; i++)
        dup2(null, i);
    dup2(fd, QUESTIONS);
    close_range(QUESTIONS + 1, ~0u, 0);
    fcntl(QUESTIONS, F_SETFD, FD_CLOEXEC);
    if (chdir("/") || pthread_create(&thread, NULL, outlive, (void *)mountpoint))
        _exit(1);
    while (receive(QUESTIONS, &q, &out)) {
        if (out < 0)
            continue;
        if (q.what == DETACH)
            answer(out, (unsigned char)detach(mountpoint));
        else
            start_looking(&q, out);
    }
    _exit(0);
}

/* ---- the program ---- */

/* Held by this thread from now on. */
static int share(void)
{
    struct shared *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attr;
    int r;

    if (shared == MAP_FAILED)
        return -errno;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    r = pthread_mutex_init(&shared->program_lives, &attr);
    pthread_mutexattr_destroy(&attr);
    if (!r)
        r = pthread_mutex_lock(&shared->program_lives);
    lookout.shared = shared;
    return -r;
}

int lookout_start(const char *mountpoint)
{
    int fds[2], r = share();

    if (r)
        return r;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
        return -errno;
    lookout.pid = fork();
    if (lookout.pid < 0) {
        r = -errno;
        close(fds[0]);
        close(fds[1]);
        return r;
    }
    if (lookout.pid == 0)
        keep_lookout(fds[1], mountpoint);
    close(fds[1]);
    lookout.fd = fds[0];
    return 0;
}

void lookout_stop(void)
{
    if (lookout.fd < 0)
        return;
    close(lookout.fd);
    lookout.fd = -1;
    while (waitpid(lookout.pid, NULL, 0) < 0 && errno == EINTR)
        ;
    munmap(lookout.shared, sizeof(*lookout.shared));
    lookout.shared = NULL;
}

static bool put(const struct question *q, int out)
{
    union passed passed = {{0}};
    struct iovec part = {.iov_base = (void *)q, .iov_len = sizeof(*q)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &passed,
                             .msg_controllen = sizeof(passed)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    ssize_t n;

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &out, sizeof(out));
    do
        n = sendmsg(lookout.fd, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(*q);
}

/* The answer, -ETIMEDOUT, or -ENODATA: there will be none. */
static int await_answer(int in, int64_t until_ms)
{
    struct pollfd p = {.fd = in, .events = POLLIN};
    unsigned char byte;
    ssize_t n;
    int r;

    do {
        int64_t left = until_ms - clock_ms();

        r = poll(&p, 1, left > 0 ? (int)left : 0);
    } while (r < 0 && errno == EINTR);
    if (r == 0)
        return -ETIMEDOUT;
    do
        n = read(in, &byte, 1);
    while (n < 0 && errno == EINTR);
    return n == 1 ? byte : -ENODATA;
}

/* As await_answer. */
static int ask(const struct question *q, int patience_ms)
{
    int64_t until_ms = clock_ms() + patience_ms;
    int fds[2], byte = -ENODATA;
    bool sent;

    if (lookout.fd < 0 || pipe2(fds, O_CLOEXEC))
        return -ENODATA;
    sent = put(q, fds[1]);
    close(fds[1]);
    if (sent)
        byte = await_answer(fds[0], until_ms);
    close(fds[0]);
    return byte;
}

void lookout_mounted(dev_t device)
{
    lookout.shared->device = device;
}

int lookout_detach(void)
{
    struct question q = {.what = DETACH};

    return -abs(ask(&q, INT_MAX));
}

enum closer_state lookout_closer(pid_t tid, const struct closer_file *file)
{
    struct question q = {.what = LOOK,
                         .tid = tid,
                         .ino = file->ino,
                         .device = file->device,
                         .mount_id = file->mount_id};
    size_t size = strlen(file->tail) + 1;
    int r;

    if (size > sizeof(q.tail))
        return CLOSER_UNKNOWN;
    memcpy(q.tail, file->tail, size);
    r = ask(&q, LOOKOUT_MS);
    return r < 0 ? CLOSER_UNKNOWN : (enum closer_state)r;
}

bool lookout_is_killed(pid_t tid)
{
    struct question q = {.what = IS_KILLED, .tid = tid};

    return ask(&q, LOOKOUT_MS) == true;
}

enum closer_signal lookout_signal(pid_t tid)
{
    struct question q = {.what = SIGNAL, .tid = tid};
    int r = ask(&q, LOOKOUT_MS);

    if (r < 0)
        return r == -ETIMEDOUT ? CLOSER_SIGNAL_NONE : CLOSER_SIGNAL_ENDS;
    return (enum closer_signal)r;
}

bool lookout_is_sniffer(pid_t tid)
{
    struct question q = {.what = IS_SNIFFER, .tid = tid};

    return ask(&q, LOOKOUT_MS) == true;
}

bool lookout_is_watched(dev_t device)
{
    struct question q = {.what = IS_WATCHED, .device = device};

    return ask(&q, LOOKOUT_MS) != false;
}
