/*
 * The waits of the protocol with the numbers that users have, minutes long: by a clock that stands
 * still until the test moves it.
 */
#include "kit.h"

#include <semaphore.h>
#include <unistd.h>

#include "clock.h"
#include "internal.h"

#define RUN "POST /run_sse"
#define STATE "GET /api/state/nemo_agent/me/1/latest"
#define POLL "GET /api/render/proxy/lambda/render_1"
#define UNCHANGED "{\"code\":0,\"data\":{\"state\":{\"draft\":{\"t\":[]}}}}"
#define SAYS(text) "data: {\"type\":\"text\",\"content\":\"" text "\"}\n\n"
#define HEARTBEAT "data: {\"type\":\"heartbeat\"}\n\n"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)

/* ---- the clock ---- */

/* From where the test puts it the clock creeps on, for libcurl's short waits need that; but less
 * far than any wait that is tested, so what comes too early is seen. */
#define SLOWER 10
#define LEEWAY INT64_C(1900)

static struct {
    pthread_mutex_t lock;
    int64_t put_ms; /* where it was put, and when that was */
    int64_t real_ms;
} hands = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Instead of the client's own. */
int64_t clock_ms(void)
{
    pthread_mutex_lock(&hands.lock);
    int64_t ran = (now_ms() - hands.real_ms) / SLOWER;
    int64_t ms = hands.put_ms + (ran < LEEWAY ? ran : LEEWAY);
    pthread_mutex_unlock(&hands.lock);
    return ms;
}

static void put_clock(int64_t ms)
{
    pthread_mutex_lock(&hands.lock);
    hands.put_ms = ms;
    hands.real_ms = now_ms();
    pthread_mutex_unlock(&hands.lock);
}

struct round {
    struct loop_task task;
    sem_t done;
};

static void on_round(struct loop_task *task)
{
    sem_post(&container_of(task, struct round, task)->done);
}

/* Waits until the client's thread has done what it was at. */
static void finish_round(struct kit *k)
{
    struct round round = {.task.run = on_round};

    assert_int_equal(sem_init(&round.done, 0, 0), 0);
    loop_post(k->client->loop, &round.task);
    while (sem_wait(&round.done))
        ;
    sem_destroy(&round.done);
}

/* Puts the clock there. All that is due by then was started when this returns. */
static void at(struct kit *k, int64_t ms)
{
    finish_round(k); /* timers that are being set belong to the time before */
    put_clock(ms);
    finish_round(k); /* it may have looked at the clock already */
    finish_round(k);
}

/* As late as the clock can be put without reaching `ms`. */
static void just_before(struct kit *k, int64_t ms)
{
    at(k, ms - LEEWAY - 1);
}

/* ---- when requests began and ended, by that clock ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct exchange_seen {
        char line[128]; /* "GET /path status 0 ms" */
        int64_t began_ms, ended_ms;
    } all[64];
    unsigned count;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

/* The line of a request comes at its end and says how long it took: one that began too early cannot
 * hide. */
static void on_log(const char *line)
{
    const char *ms = strrchr(line, ' '), *number = ms;
    struct exchange_seen *x;

    if (!ms || strcmp(ms, " ms"))
        return;
    while (number > line && number[-1] != ' ')
        number--;
    pthread_mutex_lock(&seen.lock);
    assert_true(seen.count < 64);
    x = &seen.all[seen.count++];
    snprintf(x->line, sizeof x->line, "%s", line);
    x->ended_ms = clock_ms();
    x->began_ms = x->ended_ms - strtoll(number, NULL, 10);
    pthread_cond_broadcast(&seen.more);
    pthread_mutex_unlock(&seen.lock);
}

/* NULL: there are not so many yet. */
static const struct exchange_seen *find_seen(const char *what, unsigned n)
{
    for (unsigned i = 0; i < seen.count; i++)
        if (!strncmp(seen.all[i].line, what, strlen(what)) && n-- == 0)
            return &seen.all[i];
    return NULL;
}

/* Waits for the end of the n-th request of that kind (from 0); it began when it was due. When it
 * ended. */
static int64_t wait_request(const char *what, unsigned n, int64_t due_ms)
{
    const struct exchange_seen *x;

    pthread_mutex_lock(&seen.lock);
    while (!(x = find_seen(what, n)))
        pthread_cond_wait(&seen.more, &seen.lock);
    int64_t began_ms = x->began_ms, ended_ms = x->ended_ms;
    pthread_mutex_unlock(&seen.lock);
    assert_in_range(began_ms, due_ms, due_ms + LEEWAY);
    return ended_ms;
}

static void assert_requests(const char *what, unsigned count)
{
    pthread_mutex_lock(&seen.lock);
    assert_null(find_seen(what, count));
    assert_true(!count || find_seen(what, count - 1));
    pthread_mutex_unlock(&seen.lock);
}

/* ---- a client with the defaults of the manual ---- */

static struct told told;

static int begin(void **state)
{
    struct kit *k = calloc(1, sizeof *k);

    put_clock(0);
    seen.count = 0;
    memset(&told, 0, sizeof told);
    kit_setup(k);
    k->options.token = "nmv_usr_fixed";
    k->options.poll_ms = 30 * SECOND;
    k->options.retry_wait_ms = 30 * SECOND;
    k->options.quiet_ms = 2 * MINUTE;
    k->options.turn_timeout_ms = 15 * MINUTE;
    k->options.render_timeout_ms = 10 * MINUTE;
    k->options.log = on_log;
    kit_client(k);
    peer_json(k->peer, STATE, 200, UNCHANGED);
    *state = k;
    return 0;
}

static void start(struct kit *k)
{
    static const char before[] = "{\"draft\":{\"t\":[]}}";
    struct client_turn turn = {
        .session_id = "1", .message = "go", .before = before, .before_len = sizeof before - 1};

    assert_int_equal(client_turn(k->client, &turn, &told_turn, &told, NULL), 0);
}

static void assert_order(const char *order)
{
    told_wait_order(&told, order);
    assert_string_equal(told.before_end, order);
}

/* After a break at `broke` the state is read five times, and stays as it was. */
static void expect_five_readings(struct kit *k, int64_t broke)
{
    int64_t due = broke + 30 * SECOND;
    char so_far[sizeof told.before_end + 8];

    told_wait_event(&told, 'b');
    snprintf(so_far, sizeof so_far, "%s", told.before_end);
    for (unsigned i = 0; i < 5; i++) {
        just_before(k, due);
        assert_order(so_far);
        at(k, due);
        due = wait_request("GET /api/state", i, due) + MINUTE;
        strcat(so_far, i < 4 ? "r" : "D");
        told_wait_order(&told, so_far);
    }
    told_wait(&told);
    assert_requests("GET /api/state", 5);
    assert_int_equal(peer_count(k->peer, RUN), 1);
}

/* ---- messages ---- */

static void quiet_every_two_minutes(void **state)
{
    struct kit *k = *state;

    peer_on(k->peer, RUN,
            (struct peer_answer){.status = 200,
                                 .body = HEARTBEAT,
                                 .rest = SAYS("Half. ") HEARTBEAT,
                                 .chunked = true,
                                 .end = PEER_STALL});
    start(k);
    told_wait_order(&told, "T");
    just_before(k, 2 * MINUTE);
    assert_order("T");
    at(k, 2 * MINUTE);
    assert_order("Tq");
    just_before(k, 4 * MINUTE);
    assert_order("Tq");
    at(k, 4 * MINUTE);
    assert_order("Tqq");
    /* Words begin a new silence. */
    at(k, 5 * MINUTE);
    peer_go_on(k->peer);
    told_wait_order(&told, "Tqqx");
    just_before(k, 7 * MINUTE);
    assert_order("Tqqx");
    at(k, 7 * MINUTE);
    assert_order("Tqqxq");
}

static void ten_minutes_of_heartbeats_alone(void **state)
{
    struct kit *k = *state;

    peer_on(k->peer, RUN,
            (struct peer_answer){.status = 200,
                                 .body = HEARTBEAT,
                                 .rest = HEARTBEAT,
                                 .rests = 39,
                                 .chunked = true,
                                 .end = PEER_STALL});
    start(k);
    told_wait_order(&told, "T");
    for (int i = 1; i < 40; i++) {
        at(k, i * 15 * SECOND);
        peer_go_on(k->peer);
    }
    just_before(k, 10 * MINUTE);
    assert_order("Tqqqq");
    at(k, 10 * MINUTE);
    expect_five_readings(k, 10 * MINUTE);
    assert_int_equal(told.fault.kind, FAULT_TIMEOUT);
}

static void no_answer_at_all(void **state)
{
    struct kit *k = *state;

    peer_on(k->peer, RUN, (struct peer_answer){.end = PEER_STALL});
    start(k);
    peer_wait(k->peer, RUN, 1);
    just_before(k, 10 * MINUTE);
    assert_order("");
    at(k, 10 * MINUTE);
    expect_five_readings(k, 10 * MINUTE);
    assert_int_equal(told.fault.kind, FAULT_TIMEOUT);
}

/* A stream that goes on and on ends after a quarter of an hour. */
static void fifteen_minutes_in_all(void **state)
{
    struct kit *k = *state;
    size_t len = 0;

    peer_on(k->peer, RUN,
            (struct peer_answer){.status = 200,
                                 .body = HEARTBEAT,
                                 .rest = SAYS("More. "),
                                 .rests = 14,
                                 .chunked = true,
                                 .end = PEER_STALL});
    start(k);
    told_wait_order(&told, "T");
    for (int i = 1; i < 15; i++) {
        at(k, i * MINUTE);
        peer_go_on(k->peer);
        len = told_wait_text(&told, len + 1);
    }
    just_before(k, 15 * MINUTE);
    assert_order("Tx");
    at(k, 15 * MINUTE);
    expect_five_readings(k, 15 * MINUTE);
    assert_int_equal(told.fault.kind, FAULT_TIMEOUT);
}

static void readings_after_a_break(void **state)
{
    struct kit *k = *state;

    peer_on(k->peer, RUN,
            (struct peer_answer){
                .status = 200, .body = SAYS("Half. "), .chunked = true, .end = PEER_RESET});
    start(k);
    told_wait_order(&told, "Txb");
    expect_five_readings(k, 0);
    assert_int_equal(told.fault.kind, FAULT_BROKEN);
}

static void readings_after_silence(void **state)
{
    struct kit *k = *state;
    int64_t due = 0;

    peer_on(k->peer, RUN, (struct peer_answer){.status = 200, .chunked = true, .end = PEER_CLOSE});
    start(k);
    for (unsigned i = 0; i < 3; i++) {
        at(k, due);
        due = wait_request("GET /api/state", i, due) + 3 * SECOND;
    }
    told_wait(&told);
    assert_requests("GET /api/state", 3);
}

/* ---- 429 ---- */

static void wait_of_429(struct kit *k, const char *headers, int64_t wait)
{
    int64_t due;

    peer_on(k->peer, RUN, (struct peer_answer){.status = 429, .headers = headers});
    start(k);
    due = wait_request("POST /run_sse", 0, 0) + wait;
    just_before(k, due);
    assert_order("");
    at(k, due);
    wait_request("POST /run_sse", 1, due);
    told_wait(&told);
    assert_int_equal(told.fault.kind, FAULT_RATE);
    assert_requests("POST /run_sse", 2);
}

static void half_a_minute_after_429(void **state)
{
    wait_of_429(*state, NULL, 30 * SECOND);
}

static void as_long_as_retry_after_says(void **state)
{
    wait_of_429(*state, "Retry-After: 7\r\n", 7 * SECOND);
}

static void two_minutes_of_retry_after_at_most(void **state)
{
    wait_of_429(*state, "Retry-After: 3600\r\n", 120 * SECOND);
}

/* ---- renders ---- */

/* From 2 s growing by half up to 30 s; after ten minutes it is late, and they are up to 60 s. */
static void pauses_between_polls(void **state)
{
    struct kit *k = *state;
    int64_t due = 0, pause = 2 * SECOND;

    peer_json(k->peer, POLL, 200, "{\"status\":\"processing\"}");
    assert_int_equal(
        client_render_wait(k->client, "render_1", told_render_progress, told_render, &told, NULL),
        0);
    at(k, 1);
    for (unsigned i = 0; due < 14 * MINUTE; i++) {
        due += pause;
        just_before(k, due);
        assert_int_equal(told.late, due > 10 * MINUTE + LEEWAY);
        at(k, due);
        due = wait_request("GET /api/render", i, due);
        pause += pause / 2 + 1;
        int64_t most = (due >= 10 * MINUTE ? 60 : 30) * SECOND;
        if (pause > most)
            pause = most;
    }
}

/* ---- uploads ---- */

#define UPLOAD "POST /api/upload-video/nemo_agent/me/1"
#define STEP (64u << 10)
#define STEPS 16

/* A line that takes 50 s for what we hand it at once is slow, not dead. */
static void upload_over_a_slow_line(void **state)
{
    struct kit *k = *state;
    int fd = kit_file(k, "clip.mp4", (STEPS - 1) * STEP, NULL);

    peer_narrow(k->peer);
    peer_on(k->peer, UPLOAD,
            (struct peer_answer){.status = 200,
                                 .body = "{\"code\":0,\"data\":{\"files\":[{\"url\":\"u\"}]}}",
                                 .step = STEP});
    assert_int_equal(client_upload_file(k->client, "1", fd, (STEPS - 1) * STEP, "clip.mp4", NULL,
                                        told_upload, &told, NULL),
                     0);
    close(fd);
    for (unsigned i = 1; i < STEPS; i++) {
        peer_go_on(k->peer);
        peer_wait_read(k->peer, i * STEP);
        at(k, i * 50 * SECOND);
        assert_false(told_ended(&told));
    }
    peer_go_on(k->peer);
    told_wait(&told);
    assert_int_equal(told.fault.kind, FAULT_NONE);
    assert_int_equal(peer_count(k->peer, UPLOAD), 1);
}

static void upload_over_a_dead_line(void **state)
{
    struct kit *k = *state;
    int fd = kit_file(k, "clip.mp4", 2 * STEP, NULL);

    peer_narrow(k->peer);
    peer_on(k->peer, UPLOAD, (struct peer_answer){.status = 200, .step = STEP});
    assert_int_equal(client_upload_file(k->client, "1", fd, 2 * STEP, "clip.mp4", NULL, told_upload,
                                        &told, NULL),
                     0);
    close(fd);
    at(k, 50 * SECOND);
    peer_go_on(k->peer);
    peer_wait_read(k->peer, STEP);
    at(k, 100 * SECOND);
    assert_false(told_ended(&told));
    just_before(k, 160 * SECOND);
    assert_false(told_ended(&told));
    at(k, 160 * SECOND);
    told_wait(&told);
    assert_int_equal(told.fault.kind, FAULT_TIMEOUT);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, kit_end)
    const struct CMUnitTest tests[] = {
        T(quiet_every_two_minutes),
        T(ten_minutes_of_heartbeats_alone),
        T(no_answer_at_all),
        T(fifteen_minutes_in_all),
        T(readings_after_a_break),
        T(readings_after_silence),
        T(half_a_minute_after_429),
        T(as_long_as_retry_after_says),
        T(two_minutes_of_retry_after_at_most),
        T(pauses_between_polls),
        T(upload_over_a_slow_line),
        T(upload_over_a_dead_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
