/* From the command line to a mount that answers, and back. */
#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "confine.h"
#include "lookout.h"
#include "mounts.h"
#include "ops.h"
#include "places.h"
#include "query.h"
#include "session.h"
#include "store.h"
#include "text.h"
#include "words.h"

#define DRAIN_MS 10000 /* for uploads under way when the mount goes away */
#define WAKE_SIGNAL SIGUSR1
/* Of the C library: one for each thread leaves most of what they took idle. */
#define ARENAS_MAX 2

static struct fs fs;
static struct options options;
static int ready_fd = -1;
static pthread_t main_thread;

static void complain(const char *what)
{
    fprintf(stderr, "lipsyncfs: %s\n", what);
}

/* ---- into the background ---- */

/* The child goes on; the parent ends with the child's word: 0 once the mount answers. */
static void into_background(void)
{
    char status = 1;
    int fds[2];
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) || (pid = fork()) < 0) {
        complain(strerror(errno));
        exit(1);
    }
    if (pid == 0) {
        close(fds[0]);
        ready_fd = fds[1];
        setsid();
        return;
    }
    close(fds[1]);
    while (read(fds[0], &status, 1) < 0 && errno == EINTR)
        ;
    _exit(status);
}

static void on_ready(void)
{
    char status = 0;
    int null;

    if (ready_fd < 0)
        return;
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        close(null);
    }
    if (write(ready_fd, &status, 1) < 0) {
        /* The parent was killed: nobody wants to know. */
    }
    close(ready_fd);
    ready_fd = -1;
}

/* ---- the mount point ---- */

/* A crash leaves a mount that nobody serves. If it was ours it goes. */
static void clean_stale(const char *mountpoint)
{
    struct mounts_entry entry;
    struct stat st;

    if (stat(mountpoint, &st) == 0 || errno != ENOTCONN)
        return;
    if (mounts_find(mountpoint, &entry) == 0 && strcmp(entry.type, "fuse.lipsyncfs") == 0)
        lookout_detach();
}

static int check_mountpoint(const char *mountpoint)
{
    struct stat st;
    int error = 0;

    if (places_is_descriptor(mountpoint))
        return 0;
    if (stat(mountpoint, &st))
        error = errno;
    else if (!S_ISDIR(st.st_mode))
        error = ENOTDIR;
    if (!error)
        return 0;
    fprintf(stderr, "lipsyncfs: %s: %s\n", mountpoint, strerror(error));
    return -1;
}

/* ---- going away ---- */

/* Answers what waits; gives uploads their time. Once: by the thread of the signals, or after it has
 * ended. */
static void drain(void)
{
    static bool drained;
    struct timespec until;

    if (drained)
        return;
    drained = true;
    park_give_up_all(&fs, ESHUTDOWN, false);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += DRAIN_MS / 1000;
    fs_lock(&fs);
    while (fs.uploads && pthread_cond_timedwait(&fs.uploads_ended, &fs.lock, &until) == 0)
        ;
    fs_unlock(&fs);
    park_give_up_all(&fs, ESHUTDOWN, true);
}

static void woken(int signal)
{
    (void)signal;
}

static sigset_t ending_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    return set;
}

/* The mount is still served while this thread drains it. */
static void *await_signal(void *arg)
{
    sigset_t set = ending_signals();
    int signal;

    (void)arg;
    sigaddset(&set, SIGUSR2); /* the session has ended by itself */
    sigwait(&set, &signal);
    if (signal == SIGUSR2)
        return NULL;
    drain();
    fuse_session_exit(fs.se);
    pthread_kill(main_thread, WAKE_SIGNAL);
    return NULL;
}

static void prepare_signals(void)
{
    struct sigaction wake = {.sa_handler = woken}, ignore = {.sa_handler = SIG_IGN};
    sigset_t set = ending_signals();

    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sigaction(WAKE_SIGNAL, &wake, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

/* ---- the parts ---- */

static void log_line(const char *line)
{
    fprintf(stderr, "lipsyncfs: %s\n", line);
}

static int start_client(void)
{
    struct client_options o = {
        .api_url = options.api_url,
        .web_url = options.web_url,
        .platform = options.platform,
        .token = options.token,
        .client_id = options.client_id,
        .client_id_path = options.client_id_path,
        .poll_ms = options.poll_ms,
        .retry_wait_ms = options.retry_wait_ms,
        .quiet_ms = options.quiet_ms,
        .turn_timeout_ms = options.turn_timeout_ms,
        .render_timeout_ms = options.render_timeout_ms,
        .log = options.debug ? log_line : NULL,
    };
    char *token_path;
    int error = 0;

    if (asprintf(&token_path, "%s/token", options.state_dir) < 0)
        return -ENOMEM;
    o.token_path = token_path;
    fs.client = client_new(&o, &error);
    free(token_path);
    return fs.client ? 0 : error;
}

static void raise_limits(void)
{
    struct rlimit none = {0, 0}, files;

    /* A core would hold the token, and so does what the user's other programs could look into. */
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    mallopt(M_ARENA_MAX, ARENAS_MAX);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static int mount_it(void)
{
    struct mounts_entry entry;

    fs.se = fuse_session_new(&options.args, &ops_table, sizeof(ops_table), &fs);
    if (!fs.se)
        return -1;
    if (fuse_session_mount(fs.se, options.mountpoint))
        return -1;
    if (mounts_find(options.mountpoint, &entry) == 0) {
        fs.device = entry.device;
        fs.mount_id = entry.id;
        lookout_mounted(fs.device);
    }
    return 0;
}

/* What needs privileges comes first, then the confinement, then the threads, which inherit it. */
static int start(void)
{
    char why[1024];
    int r;

    r = lookout_start(options.mountpoint);
    if (!r)
        r = fs_init(&fs, &options);
    if (r) {
        complain(strerror(-r));
        return r;
    }
    if (store_open(&fs, why, sizeof(why))) {
        complain(why);
        return -1;
    }
    r = store_load(&fs);
    if (r) {
        complain(strerror(-r));
        return r;
    }
    clean_stale(options.mountpoint);
    if (check_mountpoint(options.mountpoint) || mount_it())
        return -1;
    confine(&options, options.debug ? log_line : NULL);
    r = start_client();
    if (r || store_start(&fs) || park_start(&fs)) {
        complain(strerror(r ? -r : EAGAIN));
        return -1;
    }
    /* Without the watch thread nobody is told of changes; all else works. */
    fs.watch = watch_new(options.mountpoint, fs.device, &r);
    return 0;
}

static void resume(void)
{
    struct session *s, *next;
    size_t count;

    fs_lock(&fs);
    HASH_ITER(hh_number, fs.by_number, s, next)
    session_resume(s);
    count = HASH_CNT(hh_number, fs.by_number);
    if (count)
        query_balance(&fs, NULL);
    fs_unlock(&fs);
}

/* The connection ends before the mount is taken away, for what the kernel still has to say would
 * be answered by nobody. libfuse, finding its descriptor in error, then takes the mount for gone
 * and does not try to do it itself. */
static void unmount(void)
{
    struct pollfd connection = {.fd = fuse_session_fd(fs.se)};
    int fds[2];

    if (poll(&connection, 1, 0) == 1 && connection.revents & POLLERR) {
        /* done by somebody else */
    } else if (connection.fd >= 0 && pipe2(fds, O_CLOEXEC) == 0) {
        close(fds[0]);
        dup3(fds[1], connection.fd, O_CLOEXEC);
        close(fds[1]);
        if (!places_is_descriptor(options.mountpoint) && lookout_detach())
            complain(_("cannot unmount"));
    }
    fuse_session_unmount(fs.se);
}

/* Whoever writes to the kernel ends before the unmount closes its descriptor, which another file
 * might get. Only the watch thread may need the unmount to come out of a call on our own mount. */
static void stop(void)
{
    if (fs.park.running)
        drain();
    watch_stop(fs.watch);
    client_stop(fs.client);
    store_stop(&fs); /* its last saves may ask the client for more */
    park_stop(&fs);
    if (fs.se)
        unmount();
    watch_free(fs.watch);
    client_free(fs.client);
    if (fs.se)
        fuse_session_destroy(fs.se);
    lookout_stop();
}

static int serve(void)
{
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    pthread_t signals;
    int r;

    if (!config || pthread_create(&signals, NULL, await_signal, NULL)) {
        complain(strerror(ENOMEM));
        return 1;
    }
    if (options.max_idle_threads)
        fuse_loop_cfg_set_idle_threads(config, options.max_idle_threads);
    if (options.single)
        options.max_threads = 1;
    if (options.max_threads)
        fuse_loop_cfg_set_max_threads(config, options.max_threads);
    fuse_loop_cfg_set_clone_fd(config, options.clone_fd);
    r = fuse_session_loop_mt(fs.se, config);
    fuse_loop_cfg_destroy(config);
    pthread_kill(signals, SIGUSR2);
    pthread_join(signals, NULL);
    /* So the kernel says, now and then, when the mount goes away while it hands over a request. */
    return r < 0 && r != -ECONNABORTED ? 1 : 0;
}

int main(int argc, char **argv)
{
    int status = 1;

    /* English or Chinese, as the locale says, until -o lang was read. */
    words_start(NULL);
    switch (options_parse(&options, argc, argv)) {
    case OPTIONS_GO:
        break;
    case OPTIONS_SHOWN:
        options_release(&options);
        return 0;
    case OPTIONS_BAD:
        options_release(&options);
        return 2;
    case OPTIONS_FAILED:
        options_release(&options);
        return 1;
    }
    words_start(options.lang);
    raise_limits();
    if (!options.foreground)
        into_background();
    umask(077);
    main_thread = pthread_self();
    prepare_signals();
    ops_on_ready(on_ready);
    if (start() == 0) {
        if (!options.foreground && chdir("/"))
            complain(strerror(errno));
        resume();
        status = serve();
    }
    stop();
    options_release(&options);
    return status;
}
