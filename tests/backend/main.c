/*
 * nemo-local: a backend on this machine, for tests and for work without the cloud.
 */
#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "account.h"
#include "faults.h"
#include "http.h"
#include "jobs.h"
#include "journal.h"
#include "session.h"

#define PARENT_SIGNAL SIGUSR1

/* The kernel sends the signal when the thread that started us ends, its process or not; and it was
 * asked too late if the parent ended before. So who looks, looks at the parent. */
static bool follow_parent(pid_t parent)
{
    return prctl(PR_SET_PDEATHSIG, PARENT_SIGNAL) == 0 && getppid() == parent;
}

/* Until a signal that ends the program. */
static void wait_for_the_end(const sigset_t *ends, pid_t parent)
{
    int which;

    do {
        sigwait(ends, &which);
    } while (which == PARENT_SIGNAL && getppid() == parent);
}

/* A connection, its stream and its file: more than the usual 1024. */
static void allow_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int load_faults(struct backend *b)
{
    char words[FAULTS_WORDS_MAX];
    struct bytes text;

    if (!b->options.faults)
        return 0;
    bytes_init(&text, STORE_RECORD_MAX);
    int err = store_read(b->options.faults, &text);
    if (err)
        fprintf(stderr, "nemo-local: %s: %s\n", b->options.faults, strerror(-err));
    else if ((err = faults_set(b->faults, text.data ? text.data : "", text.len, words)) != 0)
        fprintf(stderr, "nemo-local: %s: %s\n", b->options.faults, words);
    bytes_release(&text);
    return err;
}

static int open_parts(struct backend *b)
{
    pthread_mutex_init(&b->crew.lock, NULL);
    pthread_cond_init(&b->crew.idle, NULL);
    b->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = b->stop_fd < 0 ? -errno : store_open(&b->store, b->options.state_dir);
    if (err) {
        fprintf(stderr, "nemo-local: cannot use the state directory: %s\n", strerror(-err));
        return err;
    }
    b->faults = faults_new();
    b->journal = journal_new();
    b->accounts = accounts_new(b);
    b->sessions = sessions_new(b);
    b->jobs = jobs_new(b);
    if (!b->faults || !b->journal || !b->accounts || !b->sessions || !b->jobs)
        return -ENOMEM;
    return load_faults(b);
}

static void close_parts(struct backend *b)
{
    jobs_free(b->jobs);
    sessions_free(b->sessions);
    accounts_free(b->accounts);
    journal_free(b->journal);
    faults_free(b->faults);
    store_close(&b->store);
    if (b->stop_fd >= 0)
        close(b->stop_fd);
    pthread_cond_destroy(&b->crew.idle);
    pthread_mutex_destroy(&b->crew.lock);
}

static int serve(struct backend *b, const sigset_t *ends, pid_t parent)
{
    jobs_resume(b->jobs);
    struct MHD_Daemon *daemon = http_start(b);
    if (daemon) {
        printf("%s\n", b->url);
        fflush(stdout);
        wait_for_the_end(ends, parent);
    }
    eventfd_write(b->stop_fd, 1);
    sessions_stop(b->sessions);
    jobs_stop(b->jobs);
    if (daemon)
        http_stop(daemon);
    crew_wait(&b->crew);
    return daemon ? 0 : 1;
}

int main(int argc, char **argv)
{
    pid_t parent = getppid();
    struct backend b = {.stop_fd = -1};
    sigset_t ends;

    int said = options_read(&b.options, argc, argv);
    if (said)
        return said > 0 ? 0 : 2;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGHUP);
    if (b.options.die_with_parent)
        sigaddset(&ends, PARENT_SIGNAL);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (b.options.die_with_parent && !follow_parent(parent))
        return 1;
    /* Where a title's font is for fontconfig to choose, it is one with Chinese letters. */
    setenv("FC_LANG", "zh-cn", 0);
    allow_descriptors();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int status = open_parts(&b) == 0 ? serve(&b, &ends, parent) : 1;
    close_parts(&b);
    curl_global_cleanup();
    return status;
}
