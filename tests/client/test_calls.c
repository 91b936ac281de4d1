/* Sessions, links, state, balance: envelopes, headers, retries. */
#include "kit.h"

#include <errno.h>
#include <unistd.h>

#define SESSION "POST /api/tasks/me/with-session/nemo_agent"
#define CLAIM "POST /api/auth/claim-token"
#define BALANCE "GET /api/credits/balance/simple"
#define STATE "GET /api/state/nemo_agent/me/"
#define TOKEN "POST /api/auth/anonymous-token"

static const char *balance_ok =
    "{\"code\":0,\"data\":{\"available\":42,\"frozen\":-3,\"total\":100}}";
static const char *session_ok =
    "{\"code\":0,\"data\":{\"task_id\":\"7\",\"session_id\":\"1234567890123456789\"}}";

static struct fault balance(struct kit *k, enum client_patience patience, struct told *t)
{
    memset(t, 0, sizeof *t);
    assert_int_equal(client_balance(k->client, patience, told_balance, t, NULL), 0);
    told_wait(t);
    return t->fault;
}

static void test_session(void **state)
{
    struct kit *k = *state;
    static struct told t;
    client_call call = 0;

    memset(&t, 0, sizeof t);
    peer_json(k->peer, SESSION, 200, session_ok);
    assert_int_equal(client_session_create(k->client, "clip \"a\"", "de", told_session, &t, &call),
                     0);
    assert_true(call != 0);
    told_wait(&t);
    assert_int_equal(t.fault.kind, FAULT_NONE);
    assert_string_equal(t.text, "1234567890123456789");

    struct peer_request r = peer_request(k->peer, SESSION, 0);
    assert_string_equal(r.body, "{\"task_name\":\"clip \\\"a\\\"\",\"language\":\"de\"}");
    assert_string_equal(peer_header(&r, "Authorization"), "Bearer nmv_usr_1");
    assert_string_equal(peer_header(&r, "Content-Type"), "application/json");
    assert_string_equal(peer_header(&r, "X-Skill-Source"), "lipsyncvideo-ai");
    assert_string_equal(peer_header(&r, "X-Skill-Version"), "1.0.1");
    assert_string_equal(peer_header(&r, "X-Skill-Platform"), "unknown");
    assert_string_equal(peer_header(&r, "Expect"), "");
}

static void test_session_not_twice(void **state)
{
    struct kit *k = *state;
    static struct told t;

    memset(&t, 0, sizeof t);
    peer_on(k->peer, SESSION, (struct peer_answer){.end = PEER_RESET});
    assert_int_equal(client_session_create(k->client, "a", "en", told_session, &t, NULL), 0);
    told_wait(&t);
    assert_int_equal(t.fault.kind, FAULT_BROKEN);
    assert_true(t.fault.sent);
    assert_int_equal(peer_count(k->peer, SESSION), 1);
}

/* A kept connection that the server has closed: libcurl would send the request again by itself. */
static void test_session_on_a_dead_connection(void **state)
{
    struct kit *k = *state;
    static struct told t;

    peer_json(k->peer, BALANCE, 200, balance_ok);
    balance(k, CLIENT_ONE_TRY, &t);
    memset(&t, 0, sizeof t);
    peer_on(k->peer, SESSION, (struct peer_answer){.end = PEER_CLOSE});
    assert_int_equal(client_session_create(k->client, "a", "en", told_session, &t, NULL), 0);
    told_wait(&t);
    assert_int_equal(t.fault.kind, FAULT_BROKEN);
    assert_int_equal(peer_count(k->peer, SESSION), 1);
}

static void test_session_hostile_name(void **state)
{
    struct kit *k = *state;
    static struct told t;

    assert_int_equal(client_session_create(k->client, "\xff", "en", told_session, &t, NULL),
                     -EINVAL);
}

static void test_link(void **state)
{
    struct kit *k = *state;
    static struct told t, none;

    memset(&t, 0, sizeof t);
    memset(&none, 0, sizeof none);
    peer_json(k->peer, CLAIM, 200,
              "{\"code\":0,\"data\":{\"claim_token\":\"clm_x\",\"expires_in\":600}}");
    peer_json(k->peer, CLAIM, 404, "{\"detail\":\"Not Found\"}");
    client_link(k->client, "7", "8", told_link, &t, NULL);
    told_wait(&t);
    assert_string_equal(t.text, "https://web.example/workspace/claim?ct=clm_x");
    assert_int_equal(t.number[0], 600);
    client_link(k->client, "7", "8", told_link, &none, NULL);
    told_wait(&none);
    assert_int_equal(none.fault.kind, FAULT_NOT_FOUND);
    assert_string_equal(none.text, "");
}

static void test_state_bytes(void **state)
{
    struct kit *k = *state;
    static struct told t;

    memset(&t, 0, sizeof t);
    peer_json(k->peer, STATE "a%2Fb%3F", 200,
              "{\"code\":0, \"data\" : {\"x\":1,\"state\": {\"draft\" : {\"id\": "
              "12345678901234567890, \"n\":1.50e+3, \"s\":\"\\u00e9\\/\"} } }}");
    client_state(k->client, "a/b?", CLIENT_ONE_TRY, told_state, &t, NULL);
    told_wait(&t);
    assert_int_equal(t.fault.kind, FAULT_NONE);
    assert_string_equal(t.text, "{\"draft\" : {\"id\": 12345678901234567890, \"n\":1.50e+3, "
                                "\"s\":\"\\u00e9\\/\"} }");
}

static void test_no_such_session(void **state)
{
    struct kit *k = *state;
    static struct told t;

    memset(&t, 0, sizeof t);
    peer_json(k->peer, STATE, 404, "{\"detail\":\"Session not found\"}");
    client_state(k->client, "1", CLIENT_RETRY, told_state, &t, NULL);
    told_wait(&t);
    assert_int_equal(t.fault.kind, FAULT_SESSION);
    assert_int_equal(peer_count(k->peer, STATE), 1);
}

static void test_balance(void **state)
{
    struct kit *k = *state;
    static struct told t;

    peer_json(k->peer, BALANCE, 200, balance_ok);
    balance(k, CLIENT_ONE_TRY, &t);
    assert_int_equal(t.number[0], 42);
    assert_int_equal(t.number[1], 0);
    assert_int_equal(t.number[2], 100);
    kit_log_lacks("nmv_usr_");
}

static void test_passing_faults(void **state)
{
    struct kit *k = *state;
    static struct told t;

    peer_json(k->peer, BALANCE, 503, "busy");
    peer_json(k->peer, BALANCE, 503, "busy");
    peer_on(k->peer, BALANCE, (struct peer_answer){.end = PEER_RESET});
    peer_json(k->peer, BALANCE, 200, balance_ok);
    assert_int_equal(balance(k, CLIENT_ONE_TRY, &t).kind, FAULT_SERVER);
    assert_int_equal(t.fault.http, 503);
    assert_int_equal(peer_count(k->peer, BALANCE), 1);
    assert_int_equal(balance(k, CLIENT_RETRY, &t).kind, FAULT_NONE);
    assert_int_equal(peer_count(k->peer, BALANCE), 4);
}

static void test_definite_faults_are_not_repeated(void **state)
{
    struct kit *k = *state;
    static struct told t;

    peer_json(k->peer, BALANCE, 403, "");
    peer_json(k->peer, BALANCE, 200, "{\"code\":2001,\"message\":\"no credits\"}");
    peer_json(k->peer, BALANCE, 200, "<html>");
    peer_json(k->peer, BALANCE, 302, "");
    assert_int_equal(balance(k, CLIENT_RETRY, &t).kind, FAULT_FORBIDDEN);
    assert_int_equal(balance(k, CLIENT_RETRY, &t).kind, FAULT_CREDITS);
    assert_int_equal(balance(k, CLIENT_RETRY, &t).kind, FAULT_PROTOCOL);
    assert_int_equal(balance(k, CLIENT_RETRY, &t).kind, FAULT_PROTOCOL);
    assert_int_equal(peer_count(k->peer, BALANCE), 4);
}

static void test_rate(void **state)
{
    struct kit *k = *state;
    static struct told t;
    int64_t start = now_ms();

    peer_json(k->peer, BALANCE, 429, "");
    peer_json(k->peer, BALANCE, 429, "");
    peer_json(k->peer, BALANCE, 200, balance_ok);
    assert_int_equal(balance(k, CLIENT_ONE_TRY, &t).kind, FAULT_RATE);
    assert_int_equal(peer_count(k->peer, BALANCE), 1);
    assert_int_equal(balance(k, CLIENT_RETRY, &t).kind, FAULT_NONE);
    assert_int_equal(peer_count(k->peer, BALANCE), 3);
    assert_true(now_ms() - start >= k->options.retry_wait_ms);
}

static void test_retry_after(void **state)
{
    struct kit *k = *state;
    static struct told t;
    int64_t start = now_ms();

    peer_on(k->peer, BALANCE, (struct peer_answer){.status = 429, .headers = "Retry-After: 1\r\n"});
    assert_int_equal(balance(k, CLIENT_RETRY, &t).kind, FAULT_RATE); /* once more, then the end */
    assert_int_equal(t.fault.retry_after_s, 1);
    assert_int_equal(peer_count(k->peer, BALANCE), 2);
    assert_in_range(now_ms() - start, 1000, 10000);
}

static void test_refused(void **state)
{
    struct kit *k = *state;
    static struct told t;

    peer_json(k->peer, BALANCE, 200, balance_ok);
    balance(k, CLIENT_ONE_TRY, &t);
    peer_deafen(k->peer);
    memset(&t, 0, sizeof t);
    client_session_create(k->client, "a", "en", told_session, &t, NULL);
    told_wait(&t);
    assert_int_equal(t.fault.kind, FAULT_REFUSED);
    assert_false(t.fault.sent);
}

static void test_unknown_host(void **state)
{
    struct kit *k = *state;
    static struct told t;

    k->options.api_url = "https://nothing.invalid";
    k->options.token = "nmv_usr_fixed";
    kit_client(k);
    assert_int_equal(balance(k, CLIENT_ONE_TRY, &t).kind, FAULT_UNREACHABLE);
}

/* The peer speaks no TLS: nothing of a request gets to it. */
static void test_no_tls(void **state)
{
    struct kit *k = *state;
    static struct told t;
    char url[64];

    snprintf(url, sizeof url, "https%s", peer_url(k->peer) + 4);
    k->options.api_url = url;
    k->options.token = "nmv_usr_fixed";
    kit_client(k);
    peer_on(k->peer, "", (struct peer_answer){.end = PEER_CLOSE});
    enum fault_kind kind = balance(k, CLIENT_ONE_TRY, &t).kind;
    assert_true(kind == FAULT_TLS || kind == FAULT_BROKEN || kind == FAULT_TIMEOUT);
    assert_false(t.fault.sent);
    assert_int_equal(peer_count(k->peer, ""), 0);
}

static void hostile(struct kit *k, struct peer_answer answer)
{
    static struct told t;

    peer_on(k->peer, BALANCE, answer);
    assert_int_equal(balance(k, CLIENT_ONE_TRY, &t).kind, FAULT_PROTOCOL);
    client_free(k->client);
    k->client = NULL;
    peer_wait_closed(k->peer);
}

static void test_endless_body(void **state)
{
    size_t len = 4u << 20;
    char *huge = malloc(len + 1);

    memset(huge, ' ', len);
    huge[len] = '\0';
    hostile(*state, (struct peer_answer){.status = 200, .body = huge});
    free(huge);
}

static void test_endless_headers(void **state)
{
    size_t len = 4u << 20;
    char *huge = malloc(len + 1);

    memset(huge, 'a', len);
    for (size_t i = 0; i + 1000 < len; i += 1000)
        memcpy(huge + i, "\r\nX-Header: ", 12);
    memcpy(huge, "HTTP/1.1 200 OK\r\nX: ", 20);
    huge[len] = '\0';
    hostile(*state, (struct peer_answer){.body = huge});
    free(huge);
}

static void test_garbage(void **state)
{
    struct kit *k = *state;
    static struct told t;

    peer_on(k->peer, BALANCE, (struct peer_answer){.body = "SSH-2.0-x\r\n", .end = PEER_CLOSE});
    peer_on(k->peer, BALANCE,
            (struct peer_answer){.body = "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{",
                                 .end = PEER_CLOSE});
    assert_int_equal(balance(k, CLIENT_ONE_TRY, &t).kind, FAULT_PROTOCOL);
    assert_int_equal(balance(k, CLIENT_ONE_TRY, &t).kind, FAULT_BROKEN);
}

static void test_bad_options(void **state)
{
    struct kit *k = *state;
    static const char *bad[] = {"http://example.com", "ftp://127.0.0.1",
                                "https://u:p@host",   "nonsense",
                                "https://host/?a=b",  "http://127.0.0.1.example.com",
                                "http://[::2]:80",    "http://128.0.0.1"};
    int err;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        k->options.api_url = bad[i];
        err = 0;
        assert_null(client_new(&k->options, &err));
        assert_int_equal(err, -EINVAL);
    }
    k->options.api_url = peer_url(k->peer);
    k->options.token = "with space";
    assert_null(client_new(&k->options, &err));
    assert_int_equal(err, -EINVAL);
    k->options.token = "line\nbreak";
    assert_null(client_new(&k->options, &err));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_begin, kit_end)
    const struct CMUnitTest tests[] = {
        T(test_session),
        T(test_session_not_twice),
        T(test_session_on_a_dead_connection),
        T(test_session_hostile_name),
        T(test_link),
        T(test_state_bytes),
        T(test_no_such_session),
        T(test_balance),
        T(test_passing_faults),
        T(test_definite_faults_are_not_repeated),
        T(test_rate),
        T(test_retry_after),
        T(test_refused),
        T(test_unknown_host),
        T(test_no_tls),
        T(test_endless_body),
        T(test_endless_headers),
        T(test_garbage),
        T(test_bad_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
