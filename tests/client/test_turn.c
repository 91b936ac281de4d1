/* Messages: streams, breaks at every point, and that nothing is ever sent twice. */
#include "kit.h"

#include <unistd.h>

#define RUN "POST /run_sse"
#define STATE "GET /api/state/nemo_agent/me/1/latest"

#define STATE_OF(draft) "{\"code\":0,\"data\":{\"state\":{\"draft\":" draft "}}}"
#define BEFORE "{\"draft\":{\"t\":[]}}"
#define UNCHANGED STATE_OF("{ \"t\": [] }")
#define CHANGED STATE_OF("{\"t\":[{\"tt\":0,\"sg\":[{}]}]}")
#define SAYS(text) "data: {\"type\":\"text\",\"content\":\"" text "\"}\n\n"
#define HEARTBEAT "data: {\"type\":\"heartbeat\"}\n\n"
#define TOOL "data: {\"type\":\"tool_call\",\"name\":\"x\",\"args\":{}}\n\n"

static struct told told;

static void start(struct kit *k, client_call *call)
{
    struct client_turn turn = {
        .session_id = "1", .message = "sync it", .before = BEFORE, .before_len = sizeof BEFORE - 1};

    memset(&told, 0, sizeof told);
    assert_int_equal(client_turn(k->client, &turn, &told_turn, &told, call), 0);
}

static struct fault run(struct kit *k)
{
    start(k, NULL);
    told_wait(&told);
    assert_int_equal(told.ends, 1);
    return told.fault;
}

static void stream(struct kit *k, const char *body, enum peer_end end)
{
    peer_on(k->peer, RUN,
            (struct peer_answer){.status = 200, .body = body, .chunked = true, .end = end});
}

static void test_plain(void **state)
{
    struct kit *k = *state;

    stream(k, SAYS("Hello ") HEARTBEAT SAYS("there."), PEER_CLOSE);
    peer_json(k->peer, STATE, 200, CHANGED);
    assert_int_equal(run(k).kind, FAULT_NONE);
    assert_string_equal(told.before_end, "TxD");
    assert_non_null(strstr(told.text, "Hello"));
    assert_non_null(strstr(told.text, "there."));
    assert_true(told.result.answered);
    assert_true(told.result.changed);
    assert_false(told.result.recovered);
    assert_string_equal(told.text2, "{\"draft\":{\"t\":[{\"tt\":0,\"sg\":[{}]}]}}");
    assert_int_equal(peer_count(k->peer, RUN), 1);
    assert_int_equal(peer_count(k->peer, STATE), 1);

    struct peer_request r = peer_request(k->peer, RUN, 0);
    assert_string_equal(peer_header(&r, "Accept"), "text/event-stream");
    assert_string_equal(r.body, "{\"app_name\":\"nemo_agent\",\"user_id\":\"me\",\"session_id\":"
                                "\"1\",\"new_message\":{\"parts\":[{\"text\":\"sync it\"}]}}");
}

/* The words come while the stream goes on. */
static void test_live(void **state)
{
    struct kit *k = *state;

    peer_on(k->peer, RUN,
            (struct peer_answer){.status = 200,
                                 .body = SAYS("Working on the clip now.\\n"),
                                 .chunked = true,
                                 .rest = SAYS("Done."),
                                 .end = PEER_CLOSE});
    peer_json(k->peer, STATE, 200, UNCHANGED);
    start(k, NULL);
    told_wait_order(&told, "Tx");
    assert_false(told_ended(&told));
    peer_go_on(k->peer);
    told_wait(&told);
    assert_int_equal(told.fault.kind, FAULT_NONE);
    assert_false(told.result.changed);
}

static void test_silent_edit(void **state)
{
    struct kit *k = *state;

    stream(k, TOOL HEARTBEAT, PEER_CLOSE);
    peer_json(k->peer, STATE, 200, UNCHANGED);
    peer_json(k->peer, STATE, 500, "");
    peer_json(k->peer, STATE, 200, CHANGED);
    assert_int_equal(run(k).kind, FAULT_NONE);
    assert_string_equal(told.before_end, "TD");
    assert_false(told.result.answered);
    assert_true(told.result.changed);
    assert_int_equal(peer_count(k->peer, STATE), 3);
}

static void test_silent_nothing(void **state)
{
    struct kit *k = *state;

    stream(k, "", PEER_CLOSE);
    peer_json(k->peer, STATE, 200, UNCHANGED);
    assert_int_equal(run(k).kind, FAULT_NONE);
    assert_false(told.result.changed);
    assert_int_equal(peer_count(k->peer, STATE), 3);
    assert_non_null(told.result.state);
}

static void test_agent_error(void **state)
{
    struct kit *k = *state;

    stream(k, SAYS("Trying.") "data: {\"error\":\"tool \\\"sync\\\" failed: {bad}\"}\n\n",
           PEER_CLOSE);
    peer_json(k->peer, STATE, 200, UNCHANGED);
    assert_int_equal(run(k).kind, FAULT_AGENT);
    assert_non_null(strstr(told.fault.detail, "failed"));
    assert_int_equal(peer_count(k->peer, STATE), 1);
    assert_int_equal(peer_count(k->peer, RUN), 1);
}

/* ---- breaks: the message has left, and is not sent again ---- */

static void expect_recovery(struct kit *k, const char *order)
{
    peer_json(k->peer, STATE, 200, UNCHANGED);
    peer_json(k->peer, STATE, 200, CHANGED);
    assert_int_equal(run(k).kind, FAULT_NONE);
    assert_string_equal(told.before_end, order);
    assert_true(told.result.recovered);
    assert_true(told.result.changed);
    assert_int_equal(peer_count(k->peer, RUN), 1);
    assert_int_equal(peer_count(k->peer, STATE), 2);
}

static void test_break_before_answer(void **state)
{
    struct kit *k = *state;

    peer_on(k->peer, RUN, (struct peer_answer){.end = PEER_RESET});
    expect_recovery(k, "TbrD");
}

/* It may have been read all the same, for all that we know. */
static void test_break_before_reading(void **state)
{
    struct kit *k = *state;

    peer_on(k->peer, RUN, (struct peer_answer){.read_only = 1, .end = PEER_RESET});
    expect_recovery(k, "TbrD");
}

static void test_close_before_answer(void **state)
{
    struct kit *k = *state;

    peer_on(k->peer, RUN, (struct peer_answer){.end = PEER_CLOSE});
    expect_recovery(k, "TbrD");
}

static void test_break_in_headers(void **state)
{
    struct kit *k = *state;

    peer_on(k->peer, RUN,
            (struct peer_answer){.body = "HTTP/1.1 200 OK\r\nContent-T", .end = PEER_RESET});
    expect_recovery(k, "TbrD");
}

static void test_break_after_headers(void **state)
{
    struct kit *k = *state;

    stream(k, "", PEER_RESET);
    expect_recovery(k, "TbrD");
}

static void test_break_in_event(void **state)
{
    struct kit *k = *state;

    stream(k, SAYS("Half an answer. ") "data: {\"type\":\"te", PEER_RESET);
    expect_recovery(k, "TxbrD");
}

static void test_break_after_last_event(void **state)
{
    struct kit *k = *state;

    stream(k, SAYS("Done."), PEER_RESET);
    expect_recovery(k, "TxbrD");
}

/* A close in order, but in the middle of a chunked body. */
static void test_cut_chunk(void **state)
{
    struct kit *k = *state;

    peer_on(k->peer, RUN,
            (struct peer_answer){.body = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                         "Transfer-Encoding: chunked\r\n\r\nff\r\ndata: {\"ty",
                                 .end = PEER_CLOSE});
    expect_recovery(k, "TbrD");
}

/* The same between two chunks: only the last one is missing. */
static void test_missing_last_chunk(void **state)
{
    struct kit *k = *state;

    peer_on(k->peer, RUN,
            (struct peer_answer){.body = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                         "Transfer-Encoding: chunked\r\n\r\n2\r\n:\n\r\n",
                                 .end = PEER_CLOSE});
    expect_recovery(k, "TbrD");
}

/* Without chunks or a length the close is the end: there is no other. */
static void test_close_delimited(void **state)
{
    struct kit *k = *state;

    peer_on(k->peer, RUN,
            (struct peer_answer){.body = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                         "\r\n" SAYS("Done."),
                                 .end = PEER_CLOSE});
    peer_json(k->peer, STATE, 200, UNCHANGED);
    assert_int_equal(run(k).kind, FAULT_NONE);
    assert_string_equal(told.before_end, "TxD");
}

/* The last event counts although no blank line ended it. */
static void test_end_without_blank_line(void **state)
{
    static const char *const ends[] = {"", "\n", "\r\n", "\n: bye"};
    struct kit *k = *state;
    char body[256];

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(body, sizeof body, SAYS("Trying.") "data: {\"error\":\"no voice\"}%s", ends[i]);
        stream(k, body, PEER_CLOSE);
        peer_json(k->peer, STATE, 200, UNCHANGED);
        assert_int_equal(run(k).kind, FAULT_AGENT);
        assert_string_equal(told.fault.detail, "no voice");
        assert_string_equal(told.before_end, "TxD");
    }
}

/* Half an event: the stream was cut off, though the connection was closed in order. */
static void test_end_in_event(void **state)
{
    struct kit *k = *state;

    stream(k, SAYS("Half an answer. ") "data: {\"type\":\"te", PEER_CLOSE);
    expect_recovery(k, "TxbrD");
}

/* What is not even the beginning of an object is nothing, as it is with a blank line. */
static void test_end_in_no_event(void **state)
{
    struct kit *k = *state;

    stream(k, SAYS("Done.") "data: [DONE]", PEER_CLOSE);
    peer_json(k->peer, STATE, 200, UNCHANGED);
    assert_int_equal(run(k).kind, FAULT_NONE);
    assert_string_equal(told.before_end, "TxD");
}

static void test_garbage_answer(void **state)
{
    struct kit *k = *state;

    peer_on(k->peer, RUN, (struct peer_answer){.body = "what?\r\n\r\n", .end = PEER_CLOSE});
    expect_recovery(k, "TbrD");
}

static void test_html_answer(void **state)
{
    struct kit *k = *state;

    peer_on(k->peer, RUN,
            (struct peer_answer){
                .status = 200, .headers = "Content-Type: text/html\r\n", .body = "<html>"});
    expect_recovery(k, "TbrD");
}

static void test_break_in_first_request_of_a_kept_connection(void **state)
{
    struct kit *k = *state;
    static struct told t;

    /* A kept connection, closed by the server when the message comes. */
    peer_json(k->peer, "GET /api/credits", 200, "{\"code\":0,\"data\":{}}");
    memset(&t, 0, sizeof t);
    client_balance(k->client, CLIENT_ONE_TRY, told_balance, &t, NULL);
    told_wait(&t);
    peer_on(k->peer, RUN, (struct peer_answer){.end = PEER_CLOSE});
    expect_recovery(k, "TbrD");
    assert_int_not_equal(peer_request(k->peer, RUN, 0).connection,
                         peer_request(k->peer, "GET /api/credits", 0).connection);
}

static void test_endless_event(void **state)
{
    struct kit *k = *state;
    size_t len = 6u << 20;
    char *body = malloc(len + 1);

    memset(body, 'x', len);
    memcpy(body, "data: ", 6);
    body[len] = '\0';
    stream(k, body, PEER_STALL);
    expect_recovery(k, "TbrD");
    free(body);
}

static void test_unchanged_to_the_end(void **state)
{
    struct kit *k = *state;

    stream(k, SAYS("Half. "), PEER_RESET);
    peer_json(k->peer, STATE, 200, UNCHANGED);
    peer_json(k->peer, STATE, 502, "");
    peer_on(k->peer, STATE, (struct peer_answer){.end = PEER_RESET});
    peer_json(k->peer, STATE, 200, UNCHANGED);
    k->options.retry_wait_ms = 20;
    kit_client(k);
    assert_int_equal(run(k).kind, FAULT_BROKEN);
    assert_string_equal(told.before_end, "TxbrrrrD");
    assert_false(told.result.changed);
    assert_false(told.result.recovered);
    assert_int_equal(peer_count(k->peer, RUN), 1);
    /* The reset one may be asked twice, by libcurl, on a kept connection: reading is free. */
    assert_in_range(peer_count(k->peer, STATE), 5, 6);
}

static void test_recovery_without_before(void **state)
{
    struct kit *k = *state;
    struct client_turn turn = {.session_id = "1", .message = "x"};

    stream(k, "", PEER_RESET);
    peer_json(k->peer, STATE, 200, UNCHANGED);
    peer_json(k->peer, STATE, 200, UNCHANGED);
    peer_json(k->peer, STATE, 200, CHANGED);
    memset(&told, 0, sizeof told);
    client_turn(k->client, &turn, &told_turn, &told, NULL);
    told_wait(&told);
    assert_int_equal(told.fault.kind, FAULT_NONE);
    assert_string_equal(told.before_end, "TbrrD");
    assert_true(told.result.recovered);
}

static void test_resume(void **state)
{
    struct kit *k = *state;
    struct client_turn turn = {.session_id = "1",
                               .message = "x",
                               .before = BEFORE,
                               .before_len = sizeof BEFORE - 1,
                               .resume = true};

    peer_json(k->peer, STATE, 200, CHANGED);
    memset(&told, 0, sizeof told);
    client_turn(k->client, &turn, &told_turn, &told, NULL);
    told_wait(&told);
    assert_int_equal(told.fault.kind, FAULT_NONE);
    assert_string_equal(told.before_end, "TbD");
    assert_true(told.result.recovered);
    assert_int_equal(peer_count(k->peer, RUN), 0);
}

/* ---- refusals: nothing was taken ---- */

static void refused(struct kit *k, enum fault_kind kind, unsigned requests)
{
    assert_int_equal(run(k).kind, kind);
    assert_string_equal(told.before_end, "D");
    assert_int_equal(peer_count(k->peer, RUN), requests);
    assert_int_equal(peer_count(k->peer, STATE), 0);
}

static void test_refusals(void **state)
{
    struct kit *k = *state;

    peer_json(k->peer, RUN, 404, "{\"detail\":\"Session not found\"}");
    peer_json(k->peer, RUN, 200, "{\"code\":2001,\"message\":\"no\"}");
    peer_json(k->peer, RUN, 200, "{\"success\":false,\"error\":\"bad\"}");
    peer_json(k->peer, RUN, 500, "oops");
    peer_json(k->peer, RUN, 200, "{\"code\":1002}");
    peer_on(k->peer, RUN,
            (struct peer_answer){.body = "HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nx",
                                 .end = PEER_CLOSE});
    refused(k, FAULT_SESSION, 1);
    refused(k, FAULT_CREDITS, 2);
    refused(k, FAULT_SERVER, 3);
    refused(k, FAULT_SERVER, 4);
    refused(k, FAULT_SESSION, 5);
    refused(k, FAULT_SERVER, 6);
    assert_int_equal(told.fault.http, 503);
}

static void test_connection_refused(void **state)
{
    struct kit *k = *state;

    k->options.token = "nmv_usr_fixed";
    kit_client(k);
    peer_deafen(k->peer);
    refused(k, FAULT_REFUSED, 0);
    assert_false(told.fault.sent);
}

static void test_token_refused_once(void **state)
{
    struct kit *k = *state;

    peer_json(k->peer, RUN, 401, "");
    stream(k, SAYS("Done."), PEER_CLOSE);
    peer_json(k->peer, STATE, 200, UNCHANGED);
    assert_int_equal(run(k).kind, FAULT_NONE);
    assert_int_equal(peer_count(k->peer, RUN), 2);
    assert_int_equal(peer_count(k->peer, "POST /api/auth/anonymous-token"), 2);
}

static void test_rate_once(void **state)
{
    struct kit *k = *state;

    peer_json(k->peer, RUN, 429, "");
    peer_json(k->peer, RUN, 429, "");
    stream(k, SAYS("Done."), PEER_CLOSE);
    refused(k, FAULT_RATE, 2);
}

/* A bare JSON answer that is no refusal. */
static void test_json_answer(void **state)
{
    struct kit *k = *state;

    peer_json(k->peer, RUN, 200, "{\"type\":\"text\",\"content\":\"All at once.\"}");
    peer_json(k->peer, STATE, 200, UNCHANGED);
    assert_int_equal(run(k).kind, FAULT_NONE);
    assert_string_equal(told.before_end, "TxD");
}

/* ---- time ---- */

static void test_quiet(void **state)
{
    struct kit *k = *state;

    k->options.quiet_ms = 50;
    kit_client(k);
    peer_on(k->peer, RUN,
            (struct peer_answer){.status = 200,
                                 .body = TOOL HEARTBEAT,
                                 .rest = SAYS("Done."),
                                 .chunked = true,
                                 .end = PEER_CLOSE});
    peer_json(k->peer, STATE, 200, UNCHANGED);
    start(k, NULL);
    told_wait_order(&told, "Tqq");
    peer_go_on(k->peer);
    told_wait(&told);
    assert_int_equal(told.fault.kind, FAULT_NONE);
}

static void test_heartbeats_alone(void **state)
{
    struct kit *k = *state;

    k->options.turn_timeout_ms = 600;
    kit_client(k);
    stream(k, HEARTBEAT ": comment\n\n", PEER_STALL);
    peer_json(k->peer, STATE, 200, CHANGED);
    int64_t began = now_ms();
    assert_int_equal(run(k).kind, FAULT_NONE);
    assert_string_equal(told.before_end, "TbD");
    assert_in_range(told.ended_ms - began, 400, 20000);
    assert_true(told.result.recovered);
}

static void test_no_answer_in_time(void **state)
{
    struct kit *k = *state;

    k->options.turn_timeout_ms = 300;
    k->options.retry_wait_ms = 10;
    kit_client(k);
    peer_on(k->peer, RUN, (struct peer_answer){.end = PEER_STALL});
    peer_json(k->peer, STATE, 200, UNCHANGED);
    assert_int_equal(run(k).kind, FAULT_TIMEOUT);
    assert_string_equal(told.before_end, "TbrrrrD");
    assert_int_equal(peer_count(k->peer, RUN), 1);
}

static void test_cancel(void **state)
{
    struct kit *k = *state;
    client_call call;

    stream(k, SAYS("Half. ") SAYS("More. "), PEER_STALL);
    start(k, &call);
    told_wait_order(&told, "Tx");
    client_cancel(k->client, call);
    client_cancel(k->client, call);
    told_wait(&told);
    assert_int_equal(told.fault.kind, FAULT_CANCELLED);
    client_cancel(k->client, call);
    assert_int_equal(told.ends, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_begin, kit_end)
    const struct CMUnitTest tests[] = {
        T(test_plain),
        T(test_live),
        T(test_silent_edit),
        T(test_silent_nothing),
        T(test_agent_error),
        T(test_break_before_answer),
        T(test_break_before_reading),
        T(test_close_before_answer),
        T(test_break_in_headers),
        T(test_break_after_headers),
        T(test_break_in_event),
        T(test_break_after_last_event),
        T(test_cut_chunk),
        T(test_missing_last_chunk),
        T(test_close_delimited),
        T(test_end_without_blank_line),
        T(test_end_in_event),
        T(test_end_in_no_event),
        T(test_garbage_answer),
        T(test_html_answer),
        T(test_break_in_first_request_of_a_kept_connection),
        T(test_endless_event),
        T(test_unchanged_to_the_end),
        T(test_recovery_without_before),
        T(test_resume),
        T(test_refusals),
        T(test_connection_refused),
        T(test_token_refused_once),
        T(test_rate_once),
        T(test_json_answer),
        T(test_quiet),
        T(test_heartbeats_alone),
        T(test_no_answer_in_time),
        T(test_cancel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
