/* The watch thread's calls, on a plain directory that stands for the mount; seen through inotify.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "files.h"
#include "watch.h"
#include "watchers.h"

#define DEADLINE_MS 10000

static char root[64], session[96];
static int dir, events; /* of the session */

static int setup(void **state)
{
    (void)state;
    snprintf(root, sizeof(root), "/tmp/test_watch.XXXXXX");
    if (!mkdtemp(root))
        return -1;
    snprintf(session, sizeof(session), "%s/demo", root);
    if (files_mkdirs(session, 0700) < 0 || files_open_dir(session, &dir) < 0)
        return -1;
    events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    return inotify_add_watch(events, session,
                             IN_MOVED_TO | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB) < 0
               ? -1
               : 0;
}

static int teardown(void **state)
{
    int tmp, rc;

    (void)state;
    close(dir);
    close(events);
    rc = files_open_dir("/tmp", &tmp);
    if (rc < 0)
        return rc;
    rc = files_remove_tree(tmp, root + strlen("/tmp/"));
    close(tmp);
    return rc;
}

static void make(const char *name)
{
    assert_int_equal(files_write_atomic(dir, name, "x", 1, 0600), 0);
}

static void forget_events(void)
{
    char buf[8192];

    while (read(events, buf, sizeof(buf)) > 0)
        ;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits for an event of this kind on this name; others before it are passed over. */
static void await_event(uint32_t mask, const char *name)
{
    int64_t end = now_ms() + DEADLINE_MS;

    for (;;) {
        char buf[sizeof(struct inotify_event) + 256]
            __attribute__((aligned(__alignof__(struct inotify_event))));
        const struct inotify_event *event = (const struct inotify_event *)buf;
        struct pollfd p = {.fd = events, .events = POLLIN};

        assert_true(now_ms() < end);
        if (poll(&p, 1, DEADLINE_MS) != 1)
            continue;
        for (ssize_t n = read(events, buf, sizeof(buf)), at = 0; at < n;
             at += (ssize_t)(sizeof(*event) + event->len)) {
            event = (const struct inotify_event *)(buf + at);
            if ((event->mask & mask) && strcmp(event->name, name) == 0)
                return;
        }
    }
}

static bool has_events(void)
{
    struct pollfd p = {.fd = events, .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

static pid_t find_thread(const struct watch *w)
{
    int64_t end = now_ms() + DEADLINE_MS;

    while (now_ms() < end) {
        DIR *tasks = opendir("/proc/self/task");
        struct dirent *entry;
        pid_t found = 0;

        assert_non_null(tasks);
        while (!found && (entry = readdir(tasks)))
            if (watch_is_self(w, (pid_t)strtol(entry->d_name, NULL, 10)))
                found = (pid_t)strtol(entry->d_name, NULL, 10);
        closedir(tasks);
        if (found)
            return found;
        sched_yield();
    }
    fail_msg("no watch thread");
    return 0;
}

/* Work is queued and its thread woken before a watch function returns, so a thread that sleeps now
 * has done what was asked until now. */
static void await_idle(const struct watch *w)
{
    int64_t end = now_ms() + DEADLINE_MS;
    char path[64], line[512];

    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", find_thread(w));
    do {
        FILE *f = fopen(path, "re");

        assert_true(now_ms() < end);
        assert_non_null(f);
        assert_non_null(fgets(line, sizeof(line), f));
        fclose(f);
    } while (!strstr(line, ") S "));
}

static struct watch *start(dev_t device)
{
    struct watch *w;
    int error;

    w = watch_new(root, device, &error);
    assert_non_null(w);
    assert_int_equal(error, 0);
    return w;
}

static dev_t device_of_root(void)
{
    struct stat st;

    assert_int_equal(stat(root, &st), 0);
    return st.st_dev;
}

static void outputs_appear_and_go(void **state)
{
    struct watch *w = start(device_of_root());

    (void)state;
    for (int i = 0; i < 3; i++) {
        make(WATCH_OUTPUT_NEW);
        watch_output_appeared(w, "demo");
        await_event(IN_MOVED_TO, "output.mp4");
        watch_output_gone(w, "demo");
        await_event(IN_DELETE, "output.mp4");
    }
    watch_free(w);
}

static void inputs_go(void **state)
{
    struct watch *w = start(device_of_root());
    char inputs[128];

    (void)state;
    snprintf(inputs, sizeof(inputs), "%s/inputs", session);
    assert_int_equal(files_mkdirs(inputs, 0700), 0);
    assert_true(inotify_add_watch(events, inputs, IN_DELETE) >= 0);
    make("inputs/x.mp4");
    watch_input_gone(w, "demo", "gone.mp4"); /* nothing there to unlink */
    watch_input_gone(w, "demo", "x.mp4");
    await_event(IN_DELETE, "x.mp4");
    watch_free(w);
}

static void sessions_that_are_gone_do_no_harm(void **state)
{
    struct watch *w = start(0);

    (void)state;
    watch_output_gone(w, "renamed");
    watch_output_appeared(w, "demo"); /* nothing there to rename */
    watch_status(w, "renamed");
    watch_status(w, "");
    make("output.mp4");
    forget_events();
    watch_output_gone(w, "demo");
    await_event(IN_DELETE, "output.mp4");
    watch_free(w);
}

static void another_device_is_left_alone(void **state)
{
    struct watch *w = start(device_of_root() ^ 1);

    (void)state;
    make("output.mp4");
    make("status.txt");
    forget_events();
    watch_output_gone(w, "demo");
    watch_status(w, "demo");
    await_idle(w);
    assert_false(has_events());
    watch_free(w);
    w = start(device_of_root());
    watch_output_gone(w, "demo");
    await_idle(w);
    assert_true(has_events());
    watch_free(w);
}

static void a_status_is_told_once_in_an_interval(void **state)
{
    struct watch *w = start(0);
    int64_t first, second;

    (void)state;
    make("status.txt");
    make("output.mp4");
    forget_events();
    for (int i = 0; i < 100; i++)
        watch_status(w, "demo");
    first = now_ms();
    await_event(IN_CLOSE_WRITE, "status.txt");
    assert_true(now_ms() - first < WATCH_STATUS_INTERVAL_MS);

    watch_status(w, "demo");
    watch_output_gone(w, "demo"); /* what else there is to do does not wait */
    await_event(IN_DELETE, "output.mp4");
    assert_true(now_ms() - first < WATCH_STATUS_INTERVAL_MS);
    await_event(IN_CLOSE_WRITE, "status.txt");
    second = now_ms();
    assert_in_range(second - first, WATCH_STATUS_INTERVAL_MS - 50, DEADLINE_MS);
    await_idle(w);
    assert_false(has_events());
    watch_free(w);
}

static void a_status_that_cannot_be_written_is_touched(void **state)
{
    struct watch *w = start(0);

    (void)state;
    assert_int_equal(mkdirat(dir, "status.txt", 0700), 0);
    forget_events();
    watch_status(w, "demo");
    await_event(IN_ATTRIB, "status.txt");
    watch_free(w);
}

static void links_are_not_followed(void **state)
{
    struct watch *w = start(0);
    char link[96];

    (void)state;
    make("output.mp4");
    snprintf(link, sizeof(link), "%s/link", root);
    assert_int_equal(symlink("demo", link), 0);
    forget_events();
    watch_output_gone(w, "link");
    await_idle(w);
    assert_false(has_events());
    watch_free(w);
}

static void watchers_are_found_by_device(void **state)
{
    struct watchers ours = {.look = watchers_look, .device = device_of_root()}, others = ours;
    struct watchers unknown = {.look = watchers_look, .device = 0};

    (void)state;
    others.device ^= 1;
    assert_true(watchers_exist(&ours, 0));
    assert_true(watchers_exist(&unknown, 0));
    assert_false(watchers_exist(&others, 0));
    others.device = ours.device; /* an answer serves for a while */
    assert_false(watchers_exist(&others, WATCHERS_FRESH_MS - 1));
    assert_true(watchers_exist(&others, WATCHERS_FRESH_MS));
}

static void a_stopped_watch_does_nothing(void **state)
{
    struct watch *w = start(0);

    (void)state;
    make("output.mp4");
    forget_events();
    watch_stop(w);
    watch_output_gone(w, "demo");
    watch_stop(w);
    watch_free(w);
    assert_false(has_events());
    watch_status(NULL, "demo");
    watch_stop(NULL);
    watch_free(NULL);
}

static void only_its_own_thread_is_itself(void **state)
{
    struct watch *w = start(0);

    (void)state;
    assert_true(watch_is_self(w, find_thread(w)));
    assert_false(watch_is_self(w, gettid()));
    assert_false(watch_is_self(w, 0));
    assert_false(watch_is_self(NULL, gettid()));
    watch_free(w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(outputs_appear_and_go),
        TEST(inputs_go),
        TEST(sessions_that_are_gone_do_no_harm),
        TEST(another_device_is_left_alone),
        TEST(a_status_is_told_once_in_an_interval),
        TEST(a_status_that_cannot_be_written_is_touched),
        TEST(links_are_not_followed),
        TEST(watchers_are_found_by_device),
        TEST(a_stopped_watch_does_nothing),
        TEST(only_its_own_thread_is_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
