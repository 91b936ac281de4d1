/* Single exchanges, with limits too long for the tests of whole calls: silence, time, what was
 * sent. */
#include "kit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <unistd.h>

#include "loop.h"
#include "transfer.h"

struct run {
    struct loop_task task;
    struct loop *loop;
    struct transfer_spec spec;
    struct fault fault;
    int http;
    sem_t over;
};

static struct peer *peer;
static struct loop *loop;

static int begin(void **state)
{
    int err = 0;

    (void)state;
    peer = peer_new();
    loop = loop_new(&err);
    assert_non_null(loop);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    loop_free(loop);
    peer_free(peer);
    return 0;
}

static void on_done(void *user, struct transfer *t)
{
    struct run *r = user;

    r->fault = t->fault;
    r->http = t->http;
    transfer_free(t);
    sem_post(&r->over);
}

static void start(struct loop_task *task)
{
    struct run *r = container_of(task, struct run, task);
    int err = 0;

    if (!transfer_start(r->loop, &r->spec, &err))
        abort();
}

static struct fault run(struct transfer_spec spec)
{
    struct run r = {.task.run = start, .loop = loop, .spec = spec};
    char url[128];

    snprintf(url, sizeof url, "%s/x", peer_url(peer));
    r.spec.method = "GET";
    if (!r.spec.url)
        r.spec.url = url;
    r.spec.user = &r;
    sem_init(&r.over, 0, 0);
    loop_post(loop, &r.task);
    while (sem_wait(&r.over) < 0)
        ;
    sem_destroy(&r.over);
    assert_int_equal(r.fault.http, r.http);
    return r.fault;
}

/* GET /x with these limits; tells how it ended. */
static struct fault get(int64_t timeout_ms, int64_t stall_ms, enum reach nearest)
{
    static const struct transfer_ops ops = {.done = on_done};

    return run((struct transfer_spec){.answer_max = 1000,
                                      .timeout_ms = timeout_ms,
                                      .stall_ms = stall_ms,
                                      .nearest = nearest,
                                      .ops = &ops});
}

static void test_stalls(void **state)
{
    struct fault f;

    (void)state;
    peer_on(peer, "GET /x", (struct peer_answer){.end = PEER_STALL});
    peer_on(peer, "GET /x",
            (struct peer_answer){
                .status = 200, .headers = "Content-Length: 9\r\n", .body = "x", .end = PEER_STALL});
    f = get(0, 500, REACH_LOOPBACK);
    assert_int_equal(f.kind, FAULT_TIMEOUT);
    assert_int_equal(f.http, 0);
    assert_true(f.sent);
    f = get(0, 500, REACH_LOOPBACK);
    assert_int_equal(f.kind, FAULT_TIMEOUT);
    assert_int_equal(f.http, 200);
}

static void test_times_out(void **state)
{
    (void)state;
    peer_on(peer, "GET /x",
            (struct peer_answer){.status = 200, .chunked = true, .end = PEER_STALL});
    assert_int_equal(get(100, 0, REACH_LOOPBACK).kind, FAULT_TIMEOUT);
}

static void test_sent_on_kept_connections(void **state)
{
    struct fault f;

    (void)state;
    peer_on(peer, "GET /x", (struct peer_answer){.status = 204});
    peer_on(peer, "GET /x", (struct peer_answer){.status = 404});
    peer_on(peer, "GET /x", (struct peer_answer){.end = PEER_RESET});
    f = get(0, 0, REACH_LOOPBACK);
    assert_int_equal(f.kind, FAULT_NONE);
    assert_true(f.sent);
    f = get(0, 0, REACH_LOOPBACK);
    assert_int_equal(f.kind, FAULT_NONE); /* a status is no fault of the exchange */
    assert_int_equal(f.http, 404);
    assert_int_equal(peer_request(peer, "GET", 0).connection,
                     peer_request(peer, "GET", 1).connection);
    f = get(0, 0, REACH_LOOPBACK);
    assert_int_equal(f.kind, FAULT_BROKEN);
    assert_true(f.sent);
}

static void test_too_near(void **state)
{
    struct fault f;

    (void)state;
    f = get(0, 0, REACH_PRIVATE);
    assert_int_equal(f.kind, FAULT_PROTOCOL);
    assert_false(f.sent);
    assert_int_equal(peer_count(peer, ""), 0);
}

/* In place of the C library's: a name with an address out there and one in here. */
__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **result);

static struct addrinfo *address(const char *text, in_port_t port, struct addrinfo *next)
{
    struct addrinfo *ai = calloc(1, sizeof *ai + sizeof(struct sockaddr_in));
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)(ai + 1);

    in->sin_family = AF_INET;
    in->sin_port = port;
    inet_pton(AF_INET, text, &in->sin_addr);
    ai->ai_family = AF_INET;
    ai->ai_socktype = SOCK_STREAM;
    ai->ai_addr = (struct sockaddr *)(void *)in;
    ai->ai_addrlen = sizeof *in;
    ai->ai_next = next;
    return ai;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    in_port_t port = htons((uint16_t)atoi(service));

    (void)node;
    (void)hints;
    *result = address("192.0.2.1", port, address("127.0.0.1", port, NULL));
    return 0;
}

/* An address that was passed over has nothing to do with what came of the next one. */
static void test_one_address_of_two(void **state)
{
    static const struct transfer_ops ops = {.done = on_done};
    struct transfer_spec spec = {
        .answer_max = 1000, .nearest = REACH_LOOPBACK, .fresh = true, .ops = &ops};
    char url[128];

    (void)state;
    snprintf(url, sizeof url, "http://two.invalid%s/x", strrchr(peer_url(peer), ':'));
    spec.url = url;
    peer_on(peer, "GET /x", (struct peer_answer){.status = 204});
    peer_on(peer, "GET /x", (struct peer_answer){.end = PEER_RESET});
    assert_int_equal(run(spec).kind, FAULT_NONE);
    assert_int_equal(run(spec).kind, FAULT_BROKEN);
    peer_deafen(peer);
    assert_int_equal(run(spec).kind, FAULT_REFUSED);
}

static void test_no_descriptors(void **state)
{
    struct rlimit old, none;
    int next = dup(0);

    (void)state;
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = (struct rlimit){(rlim_t)next, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct fault f = get(0, 0, REACH_LOOPBACK);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(f.kind, FAULT_LOCAL);
    assert_int_equal(f.error, EMFILE);
}

/* Bytes that are refused when they come the second time, after a pause: nothing more comes that
 * could end the transfer. */
static struct transfer *waiting;
static bool resumed;

static enum transfer_verdict stream(void *user, struct transfer *t)
{
    (void)user;
    t->streamed = true;
    return TRANSFER_GO_ON;
}

static void resume(struct loop_task *task)
{
    (void)task;
    resumed = true;
    transfer_resume(waiting);
}

static enum transfer_verdict refuse_later(void *user, struct transfer *t, const char *bytes,
                                          size_t len)
{
    static struct loop_task task = {.run = resume};

    (void)user;
    (void)bytes;
    (void)len;
    if (resumed)
        return transfer_fail(t, fault_local(ENOSPC));
    waiting = t;
    loop_post(loop, &task);
    return TRANSFER_PAUSE;
}

static void test_fails_when_resumed(void **state)
{
    static const struct transfer_ops ops = {.head = stream, .data = refuse_later, .done = on_done};

    (void)state;
    peer_on(peer, "GET /x",
            (struct peer_answer){
                .status = 200, .headers = "Content-Length: 9\r\n", .body = "x", .end = PEER_STALL});
    struct fault f =
        run((struct transfer_spec){.stall_ms = 2000, .nearest = REACH_LOOPBACK, .ops = &ops});
    assert_true(resumed);
    assert_int_equal(f.kind, FAULT_LOCAL);
    assert_int_equal(f.error, ENOSPC);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        T(test_stalls),         T(test_sent_on_kept_connections), T(test_times_out),
        T(test_too_near),       T(test_fails_when_resumed),       T(test_one_address_of_two),
        T(test_no_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
