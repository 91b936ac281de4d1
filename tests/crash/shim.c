/*
 * Preloaded into the file system by the crash tests: kills it at the n-th call of a kind, lets such
 * calls fail or wait, turns its clock back, makes its memory run out. What it shall do stands in a
 * file that the test maps, too (SHIM_CONTROL), so it can be told at any moment.
 *
 * The layout of struct control is known to shim.py.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum kind {
    KIND_CREATE = 1,
    KIND_WRITE = 2,
    KIND_SYNC = 4,
    KIND_RENAME = 8,
    KIND_UNLINK = 16,
    KIND_MKDIR = 32,
    KIND_SEND = 64,
    KIND_RECV = 128,
    KIND_ANSWER = 256, /* to the kernel */
    KIND_ALLOC = 512,  /* by the program itself, and for it by libcjson */
    KIND_READ = 1024,
    KIND_OPEN = 2048, /* of what is there */
};

enum action { ACTION_NONE, ACTION_KILL_BEFORE, ACTION_KILL_AFTER, ACTION_FAIL, ACTION_HOLD };

struct control {
    _Atomic uint32_t kinds;
    _Atomic uint32_t action;
    _Atomic int32_t error;
    _Atomic int32_t after; /* so many calls go well first */
    _Atomic int32_t times; /* then so many are hit */
    _Atomic int32_t hits;
    _Atomic int64_t clock_offset_s;
    _Atomic uint64_t only; /* syncs of this inode, 0: of all */
};

static struct control *control;
static pid_t program; /* and not the lookout, which reads of other processes */
/* The program's own code, and libcjson's: whose allocations can fail. */
static struct {
    uintptr_t start, end;
} code[2];

static int find_code(struct dl_phdr_info *info, size_t size, void *user)
{
    int *objects = user, which = (*objects)++ == 0 ? 0 : 1;

    (void)size;
    if (which && !strstr(info->dlpi_name, "libcjson.so"))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];

        if (p->p_type == PT_LOAD && p->p_flags & PF_X) {
            code[which].start = info->dlpi_addr + p->p_vaddr;
            code[which].end = code[which].start + p->p_memsz;
        }
    }
    return 0;
}

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("SHIM_CONTROL");
    int fd, objects = 0;
    void *map;

    if (!path || strcmp(program_invocation_short_name, "lipsyncfs") != 0)
        return;
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        abort();
    map = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        abort();
    dl_iterate_phdr(find_code, &objects);
    program = getpid();
    control = map;
}

/* The action that is due for a call of this kind. */
static enum action due(enum kind kind)
{
    enum action action;

    if (!control || !(control->kinds & kind))
        return ACTION_NONE;
    action = control->action;
    if (action == ACTION_NONE || atomic_fetch_sub(&control->after, 1) > 0 ||
        atomic_fetch_sub(&control->times, 1) <= 0)
        return ACTION_NONE;
    control->hits++;
    return action;
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* A call with its real twin: killed before or after it, or failing in its stead. */
#define AROUND(kind, type, call)                                                                   \
    do {                                                                                           \
        enum action action_ = due(kind);                                                           \
        type result_;                                                                              \
                                                                                                   \
        if (action_ == ACTION_KILL_BEFORE)                                                         \
            die();                                                                                 \
        while (action_ == ACTION_HOLD && control->action == ACTION_HOLD)                           \
            usleep(1000);                                                                          \
        if (action_ == ACTION_FAIL) {                                                              \
            errno = control->error;                                                                \
            return -1;                                                                             \
        }                                                                                          \
        result_ = (call);                                                                          \
        if (action_ == ACTION_KILL_AFTER)                                                          \
            die();                                                                                 \
        return result_;                                                                            \
    } while (0)

static bool is_file(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static int open_at(int dir, const char *path, int flags, mode_t mode)
{
    static int (*real)(int, const char *, int, ...);

    if (!real)
        real = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, "openat");
    if (flags & O_CREAT)
        AROUND(KIND_CREATE, int, real(dir, path, flags, mode));
    if (getpid() == program)
        AROUND(KIND_OPEN, int, real(dir, path, flags));
    return real(dir, path, flags, mode);
}

EXPORT int openat(int dir, const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return open_at(dir, path, flags, mode);
}

EXPORT int openat64(int dir, const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return open_at(dir, path, flags, mode);
}

EXPORT ssize_t write(int fd, const void *data, size_t size)
{
    static __typeof__(&write) real;

    if (!real)
        real = REAL(write);
    if (control && control->kinds & KIND_WRITE && is_file(fd))
        AROUND(KIND_WRITE, ssize_t, real(fd, data, size));
    return real(fd, data, size);
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset)
{
    static ssize_t (*real)(int, const void *, size_t, off_t);

    if (!real)
        real = (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite64");
    AROUND(KIND_WRITE, ssize_t, real(fd, data, size, offset));
}

EXPORT ssize_t read(int fd, void *data, size_t size)
{
    static __typeof__(&read) real;

    if (!real)
        real = REAL(read);
    if (control && control->kinds & KIND_READ && getpid() == program && is_file(fd))
        AROUND(KIND_READ, ssize_t, real(fd, data, size));
    return real(fd, data, size);
}

EXPORT ssize_t pread64(int fd, void *data, size_t size, off_t offset)
{
    static ssize_t (*real)(int, void *, size_t, off_t);

    if (!real)
        real = (ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread64");
    AROUND(KIND_READ, ssize_t, real(fd, data, size, offset));
}

EXPORT int ftruncate64(int fd, off_t size)
{
    static int (*real)(int, off_t);

    if (!real)
        real = (int (*)(int, off_t))dlsym(RTLD_NEXT, "ftruncate64");
    AROUND(KIND_WRITE, int, real(fd, size));
}

static bool is_meant(int fd)
{
    struct stat st;

    return control && (!control->only || (fstat(fd, &st) == 0 && st.st_ino == control->only));
}

EXPORT int fsync(int fd)
{
    static __typeof__(&fsync) real;

    if (!real)
        real = REAL(fsync);
    if (is_meant(fd))
        AROUND(KIND_SYNC, int, real(fd));
    return real(fd);
}

EXPORT int fdatasync(int fd)
{
    static __typeof__(&fdatasync) real;

    if (!real)
        real = REAL(fdatasync);
    if (is_meant(fd))
        AROUND(KIND_SYNC, int, real(fd));
    return real(fd);
}

EXPORT int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    static int (*real)(int, const char *, int, const char *);

    if (!real)
        real = (int (*)(int, const char *, int, const char *))dlsym(RTLD_NEXT, "renameat");
    AROUND(KIND_RENAME, int, real(from_dir, from, to_dir, to));
}

EXPORT int unlinkat(int dir, const char *name, int flags)
{
    static __typeof__(&unlinkat) real;

    if (!real)
        real = REAL(unlinkat);
    AROUND(KIND_UNLINK, int, real(dir, name, flags));
}

EXPORT int mkdirat(int dir, const char *name, mode_t mode)
{
    static __typeof__(&mkdirat) real;

    if (!real)
        real = REAL(mkdirat);
    AROUND(KIND_MKDIR, int, real(dir, name, mode));
}

EXPORT ssize_t send(int fd, const void *data, size_t size, int flags)
{
    static __typeof__(&send) real;

    if (!real)
        real = REAL(send);
    AROUND(KIND_SEND, ssize_t, real(fd, data, size, flags));
}

EXPORT ssize_t recv(int fd, void *data, size_t size, int flags)
{
    static __typeof__(&recv) real;

    if (!real)
        real = REAL(recv);
    AROUND(KIND_RECV, ssize_t, real(fd, data, size, flags));
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    static __typeof__(&writev) real;

    if (!real)
        real = REAL(writev);
    AROUND(KIND_ANSWER, ssize_t, real(fd, parts, count));
}

/* ---- time ---- */

EXPORT int clock_gettime(clockid_t clock, struct timespec *out)
{
    static __typeof__(&clock_gettime) real;
    int r;

    if (!real)
        real = REAL(clock_gettime);
    r = real(clock, out);
    if (r == 0 && control && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        out->tv_sec += control->clock_offset_s;
    return r;
}

EXPORT time_t time(time_t *out)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

/* ---- memory ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static bool out_of_memory(const void *caller)
{
    uintptr_t at = (uintptr_t)caller;
    bool counts = false;

    for (int i = 0; i < 2; i++)
        counts |= at >= code[i].start && at < code[i].end;
    if (!control || !counts || due(KIND_ALLOC) != ACTION_FAIL)
        return false;
    errno = ENOMEM;
    return true;
}

EXPORT void *malloc(size_t size)
{
    return out_of_memory(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return out_of_memory(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

EXPORT void *realloc(void *old, size_t size)
{
    return out_of_memory(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

EXPORT char *strndup(const char *text, size_t max)
{
    size_t len = strnlen(text, max);
    char *copy = out_of_memory(__builtin_return_address(0)) ? NULL : __libc_malloc(len + 1);

    if (copy) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

EXPORT char *strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = out_of_memory(__builtin_return_address(0)) ? NULL : __libc_malloc(size);

    return copy ? memcpy(copy, text, size) : NULL;
}
