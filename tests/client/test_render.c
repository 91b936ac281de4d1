/* Exports: submission and polling. */
#include "kit.h"

#define SUBMIT "POST /api/render/proxy/lambda"
#define POLL "GET /api/render/proxy/lambda/render_1"

static struct told told;

static enum fault_kind submit(struct kit *k)
{
    static const char draft[] = "{\"id\" : 12345678901234567890, \"n\":1.50e+3}";

    memset(&told, 0, sizeof told);
    assert_int_equal(client_render_submit(k->client, "1", "render_1", draft, sizeof draft - 1,
                                          told_done, &told, NULL),
                     0);
    told_wait(&told);
    return told.fault.kind;
}

static enum fault_kind wait_for(struct kit *k)
{
    memset(&told, 0, sizeof told);
    assert_int_equal(
        client_render_wait(k->client, "render_1", told_render_progress, told_render, &told, NULL),
        0);
    told_wait(&told);
    return told.fault.kind;
}

static void test_ids(void **state)
{
    char last[40] = "", id[40];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        client_render_id(id);
        assert_int_equal(strncmp(id, "render_", 7), 0);
        assert_true(strlen(id) == 20);
        assert_true(strcmp(id, last) > 0);
        strcpy(last, id);
    }
}

static void test_submit(void **state)
{
    struct kit *k = *state;

    peer_json(k->peer, SUBMIT, 200, "{\"success\":true,\"data\":{}}");
    assert_int_equal(submit(k), FAULT_NONE);
    struct peer_request r = peer_request(k->peer, SUBMIT, 0);
    assert_string_equal(r.body, "{\"id\":\"render_1\",\"sessionId\":\"1\",\"draft\":"
                                "{\"id\" : 12345678901234567890, \"n\":1.50e+3},"
                                "\"output\":{\"format\":\"mp4\",\"quality\":\"high\"}}");
}

static void test_submit_again(void **state)
{
    struct kit *k = *state;

    peer_on(k->peer, SUBMIT, (struct peer_answer){.end = PEER_RESET});
    peer_json(k->peer, SUBMIT, 409, "{\"success\":false,\"error\":\"render already exists\"}");
    peer_json(k->peer, SUBMIT, 402, "{\"code\":402,\"message\":\"plan\"}");
    peer_json(k->peer, SUBMIT, 200, "{\"success\":false,\"error\":\"no\"}");
    assert_int_equal(submit(k), FAULT_NONE);
    assert_int_equal(peer_count(k->peer, SUBMIT), 2);
    assert_int_equal(submit(k), FAULT_PLAN);
    assert_int_equal(submit(k), FAULT_SERVER);
}

static void test_polled_through(void **state)
{
    struct kit *k = *state;

    peer_json(k->peer, POLL, 200, "{\"status\":\"pending\"}");
    peer_json(k->peer, POLL, 503, "");
    peer_json(k->peer, POLL, 429, "");
    peer_json(k->peer, POLL, 408, "");
    peer_on(k->peer, POLL, (struct peer_answer){.end = PEER_RESET});
    peer_json(k->peer, POLL, 200,
              "{\"success\":true,\"data\":{\"status\":\"processing\",\"progress\":40}}");
    peer_json(k->peer, POLL, 200, "{\"status\":\"whatever\",\"progress\":60}");
    peer_json(k->peer, POLL, 200,
              "{\"data\":{\"status\":\"completed\",\"output\":{\"url\":\"https://c.example/o\"}}}");
    assert_int_equal(wait_for(k), FAULT_NONE);
    assert_string_equal(told.text, "https://c.example/o");
    assert_false(told.late);
    assert_true(told.progress >= 3);
}

static void test_failed(void **state)
{
    struct kit *k = *state;

    peer_json(k->peer, POLL, 200, "{\"status\":\"failed\",\"error\":\"codec\"}");
    peer_json(k->peer, POLL, 404, "{\"detail\":\"Not Found\"}");
    peer_json(k->peer, POLL, 200, "{\"status\":\"completed\"}");
    assert_int_equal(wait_for(k), FAULT_RENDER);
    assert_int_equal(wait_for(k), FAULT_NOT_FOUND);
    assert_int_equal(wait_for(k), FAULT_NONE);
    assert_string_equal(told.text, "");
}

static void test_late(void **state)
{
    struct kit *k = *state;

    k->options.render_timeout_ms = 100;
    kit_client(k);
    for (int i = 0; i < 10; i++)
        peer_json(k->peer, POLL, 200, "{\"status\":\"processing\"}");
    peer_json(k->peer, POLL, 200, "{\"status\":\"completed\"}");
    assert_int_equal(wait_for(k), FAULT_NONE);
    assert_true(told.late);
    assert_int_equal(told.number[0], -1);
    assert_int_equal(peer_count(k->peer, POLL), 11);
}

static void test_pauses(void **state)
{
    struct kit *k = *state;

    /* Longer than the first pause: it begins with 2 s. */
    k->options.poll_ms = 30000;
    kit_client(k);
    peer_json(k->peer, POLL, 200, "{\"status\":\"completed\"}");
    int64_t start = now_ms();
    assert_int_equal(wait_for(k), FAULT_NONE);
    assert_in_range(told.ended_ms - start, 1900, 20000);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_begin, kit_end)
    const struct CMUnitTest tests[] = {
        T(test_ids),    T(test_submit), T(test_submit_again), T(test_polled_through),
        T(test_failed), T(test_late),   T(test_pauses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
