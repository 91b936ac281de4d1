/* No memory, at every place in turn: calls still end once, and nothing is lost or leaked. */
#include "kit.h"
#include "wrapped.h"

#include <sys/prctl.h>
#include <unistd.h>

#define BALANCE "GET /api/credits/balance/simple"
#define CALLS 7

int __real_vasprintf(char **out, const char *format, va_list ap);
int __wrap_vasprintf(char **out, const char *format, va_list ap);
int __wrap_asprintf(char **out, const char *format, ...);

static long countdown;            /* the allocation at which it reaches 0 fails; 0 or less: none */
static _Thread_local bool inside; /* the main thread is in a function of the client */

/* Only the client's memory runs out, not that of the test. */
static bool fails(void)
{
    char name[16] = "";

    if (__atomic_load_n(&countdown, __ATOMIC_RELAXED) <= 0)
        return false;
    prctl(PR_GET_NAME, name);
    if (!inside && strncmp(name, "lipsync-", 8))
        return false;
    return __atomic_sub_fetch(&countdown, 1, __ATOMIC_RELAXED) == 0;
}

int __wrap_vasprintf(char **out, const char *format, va_list ap)
{
    return fails() ? -1 : __real_vasprintf(out, format, ap);
}

int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    int len = __wrap_vasprintf(out, format, ap);
    va_end(ap);
    return len;
}

static void script(struct peer *p)
{
    peer_json(p, BALANCE, 200, "{\"code\":0,\"data\":{\"available\":1}}");
    peer_json(p, "POST /api/tasks", 200, "{\"code\":0,\"data\":{\"session_id\":\"1\"}}");
    peer_json(p, "GET /api/state", 200, "{\"code\":0,\"data\":{\"state\":{\"draft\":{}}}}");
    peer_json(p, "POST /api/upload-video", 200,
              "{\"code\":0,\"data\":{\"files\":[{\"url\":\"x\"}]}}");
    peer_json(p, "GET /api/render", 200, "{\"status\":\"completed\"}");
    peer_on(p, "GET /file", (struct peer_answer){.status = 200, .body = "bytes"});
    peer_on(p, "POST /run_sse",
            (struct peer_answer){.status = 200,
                                 .body = "data: {\"type\":\"text\",\"content\":\"Done.\"}\n\n",
                                 .chunked = true,
                                 .end = PEER_CLOSE});
}

/* True if the client could be made. Every call that was accepted has ended when it returns. */
static bool live(struct kit *k, int fd, struct told told[CALLS], bool started[CALLS])
{
    struct client_turn turn = {.session_id = "1", .message = "x", .before = "{}", .before_len = 2};
    struct client_download what = {.url = "/file", .fd = fd};
    struct client *c;
    int err = 0;

    inside = true;
    c = client_new(&k->options, &err);
    if (!c) {
        inside = false;
        assert_true(err < 0);
        return false;
    }
    started[0] = !client_balance(c, CLIENT_ONE_TRY, told_balance, &told[0], NULL);
    started[1] = !client_session_create(c, "a", "en", told_session, &told[1], NULL);
    started[2] = !client_state(c, "1", CLIENT_ONE_TRY, told_state, &told[2], NULL);
    started[3] = !client_upload_file(c, "1", fd, 5, "a.mp4", NULL, told_upload, &told[3], NULL);
    started[4] = !client_turn(c, &turn, &told_turn, &told[4], NULL);
    started[5] = !client_download(c, &what, NULL, told_download, &told[5], NULL);
    started[6] = !client_render_wait(c, "r", NULL, told_render, &told[6], NULL);
    inside = false;
    for (int i = 0; i < CALLS; i++)
        if (started[i])
            told_wait(&told[i]);
    inside = true;
    client_free(c);
    inside = false;
    return true;
}

static void test_every_allocation(void **state)
{
    struct kit *k = *state;
    static struct told told[CALLS];
    int fd = kit_file(k, "x", 5, NULL), out = kit_file(k, "out", 0, NULL);
    unsigned failed_calls = 0;
    long n;

    script(k->peer);
    k->options.retry_wait_ms = 1;
    k->options.poll_ms = 1;
    for (n = 1;; n++) {
        bool started[CALLS] = {false};
        memset(told, 0, sizeof told);
        unlink(k->token_path);
        __atomic_store_n(&countdown, n, __ATOMIC_RELAXED);
        bool made = live(k, fd, told, started);
        long left = __atomic_exchange_n(&countdown, 0, __ATOMIC_RELAXED);
        for (int i = 0; made && i < CALLS; i++) {
            assert_int_equal(told[i].ends, started[i] ? 1 : 0);
            failed_calls += !started[i] || told[i].fault.kind != FAULT_NONE;
        }
        if (left > 0)
            break; /* there were not that many */
    }
    print_message("%ld allocations, %u calls failed\n", n - 1, failed_calls);
    assert_true(n > 50);
    assert_true(failed_calls > 20);
    close(fd);
    close(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_allocation, kit_begin, kit_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
