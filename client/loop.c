#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"

/* Kept connections at rest; those in use are not limited. */
#define CONNECTIONS_KEPT 64L
#define EVENTS_AT_ONCE 64

struct loop {
    pthread_t thread;
    int epoll_fd;
    int event_fd;
    CURLM *multi;
    CURLSH *share;
    struct timers timers;
    struct timer curl_timer;
    bool quit; /* the thread's own */

    pthread_mutex_t lock; /* guards the queue of tasks */
    struct loop_task *first;
    struct loop_task **last;
    bool stopping;
};

/* ---- tasks ---- */

static void wake(struct loop *loop)
{
    uint64_t one = 1;

    /* A full counter is a wake-up too, so EAGAIN is as good as success. */
    while (write(loop->event_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void loop_post(struct loop *loop, struct loop_task *task)
{
    pthread_mutex_lock(&loop->lock);
    bool was_empty = !loop->first;
    task->next = NULL;
    *loop->last = task;
    loop->last = &task->next;
    pthread_mutex_unlock(&loop->lock);
    if (was_empty)
        wake(loop);
}

/* Runs what was posted so far; the tasks that these post come in the next round. */
static void run_tasks(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    struct loop_task *task = loop->first;
    loop->first = NULL;
    loop->last = &loop->first;
    if (!task && loop->stopping)
        loop->quit = true;
    pthread_mutex_unlock(&loop->lock);

    while (task) {
        struct loop_task *next = task->next;
        task->run(task); /* may free the task */
        task = next;
    }
}

/* ---- timers ---- */

void loop_timer_set(struct loop *loop, struct timer *timer, int64_t delay_ms)
{
    timers_set(&loop->timers, timer, clock_ms() + (delay_ms > 0 ? delay_ms : 0));
}

void loop_timer_stop(struct loop *loop, struct timer *timer)
{
    timers_stop(&loop->timers, timer);
}

static int wait_ms(struct loop *loop)
{
    struct timer *first = timers_first(&loop->timers);
    if (!first)
        return -1;

    int64_t ms = first->due_ms - clock_ms();
    if (ms < 0)
        return 0;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

static void run_timers(struct loop *loop)
{
    struct timer *timer;
    int64_t now = clock_ms();

    while ((timer = timers_first(&loop->timers)) && timer->due_ms <= now) {
        timers_stop(&loop->timers, timer);
        timer->fire(timer);
    }
}

/* ---- libcurl ---- */

/* NULL: a handle of libcurl's own. */
static struct loop_easy *owner_of(CURL *easy)
{
    char *private = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    return (struct loop_easy *)(void *)private;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
    struct loop *loop = user;
    struct epoll_event event = {.data.fd = fd};
    struct loop_easy *e = owner_of(easy);

    if (e && what != CURL_POLL_REMOVE)
        e->fd = fd;
    else if (e && e->fd == fd)
        e->fd = -1;
    if (what == CURL_POLL_REMOVE) {
        /* Fails if the descriptor is closed already, and then it is out of the set anyway. */
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        curl_multi_assign(loop->multi, fd, NULL);
        return 0;
    }
    if (what & CURL_POLL_IN)
        event.events |= EPOLLIN;
    if (what & CURL_POLL_OUT)
        event.events |= EPOLLOUT;
    if (!known)
        curl_multi_assign(loop->multi, fd, loop);
    if (epoll_ctl(loop->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0)
        return 0;
    /* The number may have been closed and given out again behind our back, either way round. */
    if (errno == ENOENT && epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return 0;
    if (errno == EEXIST && epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0)
        return 0;
    return -1; /* libcurl ends its transfers: better than one that never moves */
}

static int on_timer(CURLM *multi, long delay_ms, void *user)
{
    struct loop *loop = user;

    (void)multi;
    if (delay_ms < 0)
        loop_timer_stop(loop, &loop->curl_timer);
    else
        loop_timer_set(loop, &loop->curl_timer, delay_ms);
    return 0;
}

static void on_curl_timer(struct timer *timer)
{
    struct loop *loop = container_of(timer, struct loop, curl_timer);
    int running;

    curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

/* Tells the ends of transfers, outside libcurl's own callbacks, so that they may start and end
 * others. */
static void run_ends(struct loop *loop)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(loop->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        struct loop_easy *e = owner_of(message->easy_handle);
        loop_detach(loop, e);
        e->done(e, code);
    }
}

int loop_attach(struct loop *loop, struct loop_easy *e)
{
    CURLMcode code;

    e->fd = -1;
    if (curl_easy_setopt(e->easy, CURLOPT_PRIVATE, e) != CURLE_OK)
        return -ENOMEM;
    code = curl_multi_add_handle(loop->multi, e->easy);
    if (code == CURLM_OK)
        return 0;
    return code == CURLM_OUT_OF_MEMORY ? -ENOMEM : -EIO;
}

void loop_detach(struct loop *loop, struct loop_easy *e)
{
    curl_multi_remove_handle(loop->multi, e->easy);
}

CURLSH *loop_share(struct loop *loop)
{
    return loop->share;
}

/* ---- the thread ---- */

static void run_events(struct loop *loop, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        int running, mask = 0;
        if (events[i].data.fd == loop->event_fd) {
            uint64_t posted;
            while (read(loop->event_fd, &posted, sizeof posted) < 0 && errno == EINTR)
                ;
            continue;
        }
        if (events[i].events & EPOLLIN)
            mask |= CURL_CSELECT_IN;
        if (events[i].events & EPOLLOUT)
            mask |= CURL_CSELECT_OUT;
        if (events[i].events & (EPOLLERR | EPOLLHUP))
            mask |= CURL_CSELECT_IN | CURL_CSELECT_ERR;
        curl_multi_socket_action(loop->multi, events[i].data.fd, mask, &running);
    }
}

static void *loop_main(void *user)
{
    struct loop *loop = user;
    struct epoll_event events[EVENTS_AT_ONCE];

    pthread_setname_np(pthread_self(), "lipsync-net");
    while (!loop->quit) {
        int count = epoll_wait(loop->epoll_fd, events, EVENTS_AT_ONCE, wait_ms(loop));
        if (count < 0 && errno != EINTR)
            abort(); /* EBADF, EFAULT or EINVAL: our own memory is broken */
        run_events(loop, events, count);
        run_timers(loop);
        run_ends(loop);
        run_tasks(loop);
    }
    return NULL;
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void curl_init(void)
{
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int make_multi(struct loop *loop)
{
    CURLM *m;

    pthread_once(&curl_once, curl_init);
    if (curl_ready != CURLE_OK)
        return -EIO;
    loop->multi = m = curl_multi_init();
    loop->share = curl_share_init();
    if (!loop->multi || !loop->share)
        return -ENOMEM;
    if (curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
        curl_multi_setopt(m, CURLMOPT_SOCKETDATA, loop) != CURLM_OK ||
        curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK ||
        curl_multi_setopt(m, CURLMOPT_TIMERDATA, loop) != CURLM_OK ||
        curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT) != CURLM_OK ||
        curl_multi_setopt(m, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) != CURLM_OK)
        return -EIO;
    /* All on one thread, so the share needs no lock functions. */
    if (curl_share_setopt(loop->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK)
        return -EIO;
    return 0;
}

static int make_thread(struct loop *loop)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = loop->event_fd};
    sigset_t all, old;
    int err;

    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->event_fd, &event) < 0)
        return -errno;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    err = pthread_create(&loop->thread, NULL, loop_main, loop);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -err;
}

static void loop_release(struct loop *loop)
{
    if (loop->multi)
        curl_multi_cleanup(loop->multi);
    if (loop->share)
        curl_share_cleanup(loop->share);
    if (loop->event_fd >= 0)
        close(loop->event_fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}

struct loop *loop_new(int *error)
{
    struct loop *loop = calloc(1, sizeof *loop);
    int err;

    if (!loop) {
        *error = -ENOMEM;
        return NULL;
    }
    pthread_mutex_init(&loop->lock, NULL);
    loop->last = &loop->first;
    loop->curl_timer.fire = on_curl_timer;
    loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->event_fd < 0 || loop->epoll_fd < 0)
        err = -errno;
    else
        err = make_multi(loop);
    if (!err)
        err = make_thread(loop);
    if (err) {
        loop_release(loop);
        *error = err;
        return NULL;
    }
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    pthread_mutex_lock(&loop->lock);
    loop->stopping = true;
    pthread_mutex_unlock(&loop->lock);
    wake(loop);
    pthread_join(loop->thread, NULL);
    loop_release(loop);
}
