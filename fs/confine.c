#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "files.h"
#include "places.h"

/* ---- files ---- */

/* Later than the headers that we build with; the kernel is asked what it knows. */
#define FS_TRUNCATE (1ull << 14)
#define FS_IOCTL_DEV (1ull << 15)
#define NET_BIND_TCP (1ull << 0)
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ull << 0)
#define SCOPE_SIGNAL (1ull << 1)

/* struct landlock_ruleset_attr as it is today; older kernels want zeroes in what they do not know.
 */
struct ruleset {
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
};

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE (LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)
#define ENTRIES                                                                                    \
    (LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REFER)
#define OWN (READ | WRITE | ENTRIES | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR)
#define OF_FILES                                                                                   \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |   \
     FS_TRUNCATE | FS_IOCTL_DEV)

/* What any program reads that looks up host names, checks certificates and speaks a language; the
 * C library loads the modules for names when it needs them. */
static const struct rule {
    const char *path;
    uint64_t access;
} common[] = {
    {"/etc", READ},
    {"/usr", READ},
    {"/lib", READ},
    {"/lib64", READ},
    {"/var/lib/ca-certificates", READ},
    {"/proc/self", READ},
    {"/proc/self/exe", READ}, /* sanitizers name the functions of their reports */
    {"/proc/sys/fs", READ},   /* libfuse asks for the size of pipes */
    {"/dev/null", READ | WRITE},
    {"/dev/urandom", READ},
    {"/dev/fuse", READ | WRITE | FS_IOCTL_DEV}, /* clone_fd */
};

/* Files that OpenSSL is told of by its own variables. */
static const char *const variables[] = {"SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF"};

/* What `ruleset` handles of it is allowed there. 0 or -errno. */
static int allow(int ruleset, const struct ruleset *handled, const char *path, uint64_t access)
{
    struct landlock_path_beneath_attr beneath = {
        .parent_fd = open(path, O_PATH | O_CLOEXEC),
        .allowed_access = access & handled->fs,
    };
    struct statx st;
    int r = 0;

    /* DONT_SYNC: nobody serves our own mount yet. */
    if (beneath.parent_fd < 0 ||
        statx(beneath.parent_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st)) {
        r = -errno;
    } else {
        if (!S_ISDIR(st.stx_mode))
            beneath.allowed_access &= OF_FILES;
        if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0))
            r = -errno;
    }
    if (beneath.parent_fd >= 0)
        close(beneath.parent_fd);
    return r;
}

/* The directory of a file, for files that are replaced there. */
static int allow_around(int ruleset, const struct ruleset *handled, const char *file,
                        uint64_t access)
{
    char dir[PATH_MAX];

    if (strlen(file) >= sizeof(dir))
        return -ENAMETOOLONG;
    return allow(ruleset, handled, dirname(strcpy(dir, file)), access);
}

/* What there is of it: not every system has everything. */
static void allow_common(int ruleset, const struct ruleset *handled)
{
    char *resolver = realpath("/etc/resolv.conf", NULL);

    for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
        allow(ruleset, handled, common[i].path, common[i].access);
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        if (getenv(variables[i]))
            allow(ruleset, handled, getenv(variables[i]), READ);
    if (resolver)
        allow_around(ruleset, handled, resolver, READ);
    free(resolver);
}

/* The client id is shared with other programs, and made when there is none yet. */
static int allow_client_id(int ruleset, const struct ruleset *handled, const char *path)
{
    char dir[PATH_MAX];

    if (strlen(path) >= sizeof(dir))
        return -ENAMETOOLONG;
    files_mkdirs(dirname(strcpy(dir, path)), 0700);
    return allow_around(ruleset, handled, path, READ | WRITE | ENTRIES);
}

static int allow_own(int ruleset, const struct ruleset *handled, const struct options *o)
{
    int r = allow(ruleset, handled, o->state_dir, OWN);

    if (!r)
        r = allow(ruleset, handled, o->cache_dir, OWN);
    if (!r && !o->token && !o->client_id)
        r = allow_client_id(ruleset, handled, o->client_id_path);
    /* For watch.h. */
    if (!r && !places_is_descriptor(o->mountpoint))
        r = allow(ruleset, handled, o->mountpoint, WRITE | ENTRIES);
    return r;
}

/* 0 or -errno; -EOPNOTSUPP before version 2, which cannot rename across directories. */
static int confine_files(const struct options *o)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct ruleset handled = {.fs = (LANDLOCK_ACCESS_FS_REFER << 1) - 1};
    int ruleset, r;

    if (version < 2)
        return version < 0 ? -errno : -EOPNOTSUPP;
    if (version >= 3)
        handled.fs |= FS_TRUNCATE;
    if (version >= 4)
        handled.net = NET_BIND_TCP;
    if (version >= 5)
        handled.fs |= FS_IOCTL_DEV;
    if (version >= 6)
        handled.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
    if (ruleset < 0)
        return -errno;
    allow_common(ruleset, &handled);
    r = allow_own(ruleset, &handled, o);
    if (!r && syscall(SYS_landlock_restrict_self, ruleset, 0))
        r = -errno;
    close(ruleset);
    return r;
}

/* ---- system calls ---- */

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define CALLS_END 0x40000000u /* from here on: the x32 twins */
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#define CALLS_END UINT32_MAX
#endif

/*
 * A list of what is forbidden, for what is needed depends on libraries that change. These have no
 * place in a file system, and are what an intruder would want next: other programs, other
 * processes, other views of the system, and the parts of the kernel with the longest record of
 * holes.
 */
static const unsigned int forbidden[] = {
    SYS_execve,
    SYS_execveat,
#ifndef __SANITIZE_ADDRESS__ /* LeakSanitizer stops threads with it */
    SYS_ptrace,
#endif
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_pidfd_getfd,
    SYS_kcmp,
    SYS_mount,
    SYS_umount2,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_pivot_root,
    SYS_chroot,
    SYS_unshare,
    SYS_setns,
    SYS_open_by_handle_at,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
};

#define FORBIDDEN_COUNT (sizeof(forbidden) / sizeof(forbidden[0]))

static int confine_calls(void)
{
#ifdef ARCH
    enum { HEAD = 4 }; /* instructions before the list */
    struct sock_filter code[HEAD + FORBIDDEN_COUNT + 2];
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    const unsigned char allow = HEAD + FORBIDDEN_COUNT, deny = allow + 1;
    size_t n = 0;

/* Jumps are counted from the next instruction. */
#define TO(target) ((unsigned char)((target)-n - 1))
    code[n] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    n++;
    code[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 0, TO(deny));
    n++;
    code[n] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    n++;
    code[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, CALLS_END, TO(deny), 0);
    n++;
    for (size_t i = 0; i < FORBIDDEN_COUNT; i++, n++)
        code[n] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, forbidden[i], TO(deny), 0);
#undef TO
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -errno : 0;
#else
    return -EOPNOTSUPP;
#endif
}

/* ---- all of it ---- */

static void tell(void (*log)(const char *line), const char *what, int error)
{
    char line[128];

    if (!log)
        return;
    snprintf(line, sizeof(line), "confined by %s: %s", what, error ? strerror(-error) : "yes");
    log(line);
}

void confine(const struct options *o, void (*log)(const char *line))
{
    tell(log, "no_new_privs", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0);
    tell(log, "Landlock", confine_files(o));
    tell(log, "seccomp", confine_calls());
}
