#include "unit.h"

#include <limits.h>

#include "date.h"
#include "jsontext.h"
#include "wire.h"

static struct wire_answer answer(int http, const char *body)
{
    return (struct wire_answer){http, body, strlen(body)};
}

/* ---- requests ---- */

static void assert_body(int err, char *body, size_t len, const char *expected)
{
    struct jsontext v;
    assert_int_equal(err, 0);
    assert_string_equal(body, expected);
    assert_int_equal(len, strlen(expected));
    assert_int_equal(jsontext_parse(body, len, &v), 0);
    free(body);
}

static void bodies(void **state)
{
    (void)state;
    char *body;
    size_t len;
    int err = wire_session_body("my \"first\" \xe7\x89\x87", "zh", &body, &len);
    assert_body(err, body, len,
                "{\"task_name\":\"my \\\"first\\\" \xe7\x89\x87\",\"language\":\"zh\"}");
    err = wire_claim_body("7", "1234567890123456789", &body, &len);
    assert_body(err, body, len, "{\"task_id\":\"7\",\"session_id\":\"1234567890123456789\"}");
    err = wire_message_body("42", "line one\nC:\\x \x01\x7f", &body, &len);
    assert_body(err, body, len,
                "{\"app_name\":\"nemo_agent\",\"user_id\":\"me\",\"session_id\":\"42\","
                "\"new_message\":{\"parts\":[{\"text\":\"line one\\nC:\\\\x \\u0001\x7f\"}]}}");
    err = wire_url_body("http://b/\"y\".wav", &body, &len);
    assert_body(err, body, len, "{\"urls\":[\"http://b/\\\"y\\\".wav\"],\"source_type\":\"url\"}");
}

static void the_draft_goes_in_as_it_is(void **state)
{
    static const char draft[] = "{ \"id\":1234567890123456789, \"z\":1.0,\"e\":1e-7,\n"
                                "\"s\":\"caf\\u00e9\\/\",\"a\":1,\"a\":2,\"b\":\"\xff\"}";
    (void)state;
    char *body;
    size_t len;
    assert_int_equal(wire_render_body("render_1", "42", BYTES(draft), &body, &len), 0);
    assert_non_null(strstr(body, draft));
    struct jsontext root, v;
    assert_int_equal(jsontext_parse(body, len, &root), 0);
    assert_int_equal(jsontext_find(root, &v, "draft", NULL), 0);
    assert_int_equal(v.len, strlen(draft));
    assert_int_equal(jsontext_find(root, &v, "sessionId", NULL), 0);
    assert_true(jsontext_equals(v, "42"));
    assert_int_equal(jsontext_find(root, &v, "id", NULL), 0);
    assert_true(jsontext_equals(v, "render_1"));
    assert_int_equal(jsontext_find(root, &v, "output", "quality", NULL), 0);
    assert_true(jsontext_equals(v, "high"));
    free(body);

    static const char *const no_drafts[] = {"", "null", "[]", "\"x\"", "{", "{},\"id\":1", "{}}"};
    for (size_t i = 0; i < COUNT(no_drafts); i++)
        assert_int_equal(
            wire_render_body("r", "s", no_drafts[i], strlen(no_drafts[i]), &body, &len), -EINVAL);
}

static void texts_have_to_be_utf8(void **state)
{
    (void)state;
    char *body;
    size_t len;
    assert_int_equal(wire_message_body("42", "\xff", &body, &len), -EILSEQ);
    assert_int_equal(wire_session_body("\xc0\x80", "en", &body, &len), -EILSEQ);
    assert_int_equal(wire_url_body("\xed\xa0\x80", &body, &len), -EILSEQ);
}

/* ---- faults ---- */

/* Sequences that never end take long to be told from words: only so much of a text is looked at. */
static void a_text_is_judged_by_its_beginning(void **state)
{
    (void)state;
    static char body[1u << 20];
    struct fault f;
    memset(body, '\x1b', sizeof(body));
    for (size_t i = 1; i < sizeof(body); i += 2)
        body[i] = ']';
    memcpy(body + sizeof(body) - 9, "\x1b\\words", 8);
    body[sizeof(body) - 1] = '\0';
    struct wire_answer a = answer(500, body);
    assert_false(wire_read_done(&a, &f));
    assert_int_equal(f.kind, FAULT_SERVER);
    assert_string_equal(f.detail, "");
}

static void faults(void **state)
{
    static const struct {
        int http;
        const char *body;
        enum fault_kind kind;
        int code;
        const char *detail;
    } cases[] = {
        /* success in all envelopes */
        {200, "{\"code\":0,\"message\":\"ok\",\"data\":{}}", FAULT_NONE, 0, ""},
        {200, "{\"code\":\"0\",\"data\":{}}", FAULT_NONE, 0, ""},
        {200, "{\"code\":null,\"data\":{}}", FAULT_NONE, 0, ""},
        {200, "{\"code\":\"OK\"}", FAULT_NONE, 0, ""},
        {201, "{\"success\":true,\"data\":{},\"error\":null}", FAULT_NONE, 0, ""},
        {200, "{\"success\":true,\"error\":\"\"}", FAULT_NONE, 0, ""},
        {200, "{\"anything\":1}", FAULT_NONE, 0, ""},
        {200, "[]", FAULT_NONE, 0, ""},
        {204, "", FAULT_NONE, 0, ""},

        /* the table of codes, whatever the status */
        {200, "{\"code\":1001,\"message\":\"expired\"}", FAULT_TOKEN, 1001, "expired"},
        {200, "{\"code\":\"1001\",\"message\":\"expired\"}", FAULT_TOKEN, 1001, "expired"},
        {200, "{\"code\":1001.0}", FAULT_TOKEN, 1001, ""},
        {500, "{\"code\":1002}", FAULT_SESSION, 1002, ""},
        {200, "{\"code\":2001}", FAULT_CREDITS, 2001, ""},
        {402, "{\"code\":2001}", FAULT_CREDITS, 2001, ""},
        {400, "{\"code\":4001,\"message\":\"no gifs\"}", FAULT_TYPE, 4001, "no gifs"},
        {200, "{\"code\":4002}", FAULT_TOO_LARGE, 4002, ""},
        {200, "{\"code\":402}", FAULT_PLAN, 402, ""},
        {200, "{\"code\":429}", FAULT_RATE, 429, ""},
        {200, "{\"code\":503}", FAULT_SERVER, 503, ""},
        {200, "{\"code\":-1}", FAULT_SERVER, -1, ""},
        {200, "{\"code\":7777,\"message\":\"odd\"}", FAULT_SERVER, 7777, "odd"},
        {429, "{\"code\":7777}", FAULT_RATE, 7777, ""},
        {200, "{\"code\":\"BROKEN\"}", FAULT_SERVER, -1, ""},
        {200, "{\"code\":99999999999999999999}", FAULT_SERVER, 2147483647, ""},
        {200, "{\"code\":1,\"code\":1001}", FAULT_TOKEN, 1001, ""},

        /* the other envelopes */
        {200, "{\"success\":false,\"error\":\"boom\"}", FAULT_SERVER, 0, "boom"},
        {200, "{\"success\":false,\"error\":{\"code\":402,\"message\":\"upgrade\"}}", FAULT_PLAN,
         402, "upgrade"},
        {200, "{\"success\":false,\"code\":2001}", FAULT_CREDITS, 2001, ""},
        {402, "{\"success\":false,\"error\":\"export limit\"}", FAULT_PLAN, 0, "export limit"},
        {200, "{\"error\":\"boom\"}", FAULT_SERVER, 0, "boom"},
        {200, "{\"error\":{\"message\":\"boom\"}}", FAULT_SERVER, 0, "boom"},

        /* statuses */
        {401, "{\"detail\":\"Not authenticated\"}", FAULT_TOKEN, 0, "Not authenticated"},
        {401, "", FAULT_TOKEN, 0, ""},
        {404, "{\"detail\":\"Session not found\"}", FAULT_SESSION, 0, "Session not found"},
        {404, "{\"detail\":\"SESSION NOT FOUND: 42\"}", FAULT_SESSION, 0, "SESSION NOT FOUND: 42"},
        {404, "Session not found", FAULT_SESSION, 0, "Session not found"},
        {404, "{\"detail\":{\"reason\":\"Session not found\"}}", FAULT_SESSION, 0, ""},
        {404, "{\"detail\":\"Not Found\"}", FAULT_NOT_FOUND, 0, "Not Found"},
        {403, "", FAULT_FORBIDDEN, 0, ""},
        {402, "{}", FAULT_PLAN, 0, ""},
        {413, "<html>too large</html>", FAULT_TOO_LARGE, 0, ""},
        {429, "slow down, please", FAULT_RATE, 0, "slow down, please"},
        {400, "{\"message\":\"bad\"}", FAULT_SERVER, 0, "bad"},
        {418, "", FAULT_SERVER, 0, ""},
        {408, "", FAULT_TIMEOUT, 0, ""},
        {500, "{\"detail\":[{\"msg\":\"first\"},{\"msg\":\"second\"}]}", FAULT_SERVER, 0, "first"},
        {502, "<html>", FAULT_SERVER, 0, ""},
        {503, "{\"code\":0}", FAULT_SERVER, 0, ""},
        {302, "", FAULT_PROTOCOL, 0, ""},
        {100, "{}", FAULT_PROTOCOL, 0, ""},

        /* what makes no sense, and what may not be shown */
        {200, "<html>welcome</html>", FAULT_PROTOCOL, 0, ""},
        {200, "ok", FAULT_PROTOCOL, 0, ""},
        {200, "{\"code\":0", FAULT_PROTOCOL, 0, ""},
        {500, "{\"message\":\"for nmv_usr_abc: {\\\"x\\\":1}\\u001b[31m red\\n\"}", FAULT_SERVER, 0,
         "for ***:  red"},
        {500, "{\"code\":1", FAULT_SERVER, 0, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fault fault;
        struct wire_answer a = answer(cases[i].http, cases[i].body);
        char *body = exact_copy(a.body, a.len);
        a.body = body;
        bool fine = wire_read_done(&a, &fault);
        free(body);
        if (fault.kind != cases[i].kind || fault.code != cases[i].code ||
            strcmp(fault.detail, cases[i].detail) != 0)
            fail_msg("%d %s is kind %d, code %d, \"%s\"", cases[i].http, cases[i].body, fault.kind,
                     fault.code, fault.detail);
        assert_true(fine == (fault.kind == FAULT_NONE));
        assert_int_equal(fault.http, cases[i].http);
        assert_int_equal(fault.retry_after_s, -1);
    }
}

/* ---- token, session, link ---- */

static void tokens(void **state)
{
    (void)state;
    struct fault fault;
    struct wire_token token;
    struct wire_answer a =
        answer(200, "{\"code\":0,\"data\":{\"token\":\"nmv_usr_1\",\"user_id\":\"anon_2\","
                    "\"expires_at\":\"2026-11-29T08:15:00Z\",\"credits\":100}}");
    assert_true(wire_read_token(&a, &token, &fault));
    assert_string_equal(token.token, "nmv_usr_1");
    assert_string_equal(token.user_id, "anon_2");
    assert_int_equal(token.expires_at_s, 1795940100);
    assert_int_equal(token.credits, 100);

    a = answer(200, "{\"token\":\"x\",\"expires_at\":1795940100123}");
    assert_true(wire_read_token(&a, &token, &fault));
    assert_string_equal(token.token, "x");
    assert_string_equal(token.user_id, "");
    assert_int_equal(token.expires_at_s, 1795940100);
    assert_int_equal(token.credits, -1);

    a = answer(200, "{\"token\":\"x\",\"expires_at\":\"soon\",\"credits\":-5}");
    assert_true(wire_read_token(&a, &token, &fault));
    assert_int_equal(token.expires_at_s, 0);
    assert_int_equal(token.credits, -1);

    /* No token, or one that would break a header. */
    static const char *const bad[] = {
        "{\"code\":0,\"data\":{}}",
        "{\"token\":\"\"}",
        "{\"token\":null}",
        "{\"token\":\"a b\"}",
        "{\"token\":\"a\\r\\nX: y\"}",
        "{\"token\":\"\xe7\x89\x87\"}",
        "{\"token\":[\"x\"]}",
        "[]",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct wire_token untouched = token;
        a = answer(200, bad[i]);
        assert_false(wire_read_token(&a, &token, &fault));
        assert_int_equal(fault.kind, FAULT_PROTOCOL);
        assert_memory_equal(&token, &untouched, sizeof(token));
    }
    /* Only here does 400 mean the client id. */
    a = answer(400, "{\"message\":\"X-Client-Id missing\"}");
    assert_false(wire_read_token(&a, &token, &fault));
    assert_int_equal(fault.kind, FAULT_CLIENT_ID);
    a = answer(200, "{\"code\":400}");
    assert_false(wire_read_token(&a, &token, &fault));
    assert_int_equal(fault.kind, FAULT_CLIENT_ID);
}

static void sessions(void **state)
{
    static const struct {
        const char *body, *session, *task, *user;
    } cases[] = {
        {"{\"code\":0,\"data\":{\"task_id\":\"11\",\"session_id\":\"1234567890123456789\","
         "\"user_id\":\"anon_2\"}}",
         "1234567890123456789", "11", "anon_2"},
        {"{\"data\":{\"task_id\":9007199254740993,\"session_id\":1234567890123456789}}",
         "1234567890123456789", "9007199254740993", ""},
        {"{\"session_id\":\"s\",\"user_id\":null,\"task_id\":{}}", "s", "", ""},
    };
    (void)state;
    struct fault fault;
    struct wire_session session;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct wire_answer a = answer(200, cases[i].body);
        assert_true(wire_read_session(&a, &session, &fault));
        assert_string_equal(session.session_id, cases[i].session);
        assert_string_equal(session.task_id, cases[i].task);
        assert_string_equal(session.user_id, cases[i].user);
    }
    char big[300] = "{\"session_id\":\"";
    memset(big + strlen(big), '1', 200);
    strcat(big, "\"}");
    const char *const bad[] = {"{}", "{\"session_id\":\"\"}", "{\"session_id\":\"a\\u0000b\"}",
                               "{\"session_id\":true,\"task_id\":\"1\"}", big};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct wire_answer a = answer(200, bad[i]);
        assert_false(wire_read_session(&a, &session, &fault));
        assert_int_equal(fault.kind, FAULT_PROTOCOL);
        assert_string_equal(session.session_id, "s");
    }
}

static void links(void **state)
{
    (void)state;
    struct fault fault;
    struct wire_claim claim;
    struct wire_answer a =
        answer(200, "{\"code\":0,\"data\":{\"claim_token\":\"clm_a-1\",\"expires_in\":600}}");
    assert_true(wire_read_claim(&a, &claim, &fault));
    assert_string_equal(claim.claim_token, "clm_a-1");
    assert_int_equal(claim.expires_in_s, 600);
    a = answer(200, "{\"data\":{\"claim_token\":\"clm_b\"}}");
    assert_true(wire_read_claim(&a, &claim, &fault));
    assert_int_equal(claim.expires_in_s, INT_MAX);
    a = answer(200, "{\"data\":{\"claim_token\":\"clm_a&x=1\"}}");
    assert_false(wire_read_claim(&a, &claim, &fault));
    assert_int_equal(fault.kind, FAULT_PROTOCOL);
    a = answer(404, "{\"detail\":\"Not Found\"}");
    assert_false(wire_read_claim(&a, &claim, &fault));
    assert_int_equal(fault.kind, FAULT_NOT_FOUND);
}

/* ---- upload ---- */

static void uploads(void **state)
{
    static const struct {
        const char *body, *url;
    } cases[] = {
        {"{\"code\":0,\"data\":{\"files\":[{\"filename\":\"a.mp4\",\"cdn_url\":\"https://c/a\","
         "\"url\":\"https://u/a\"},{\"url\":\"https://u/b\"},{}]}}",
         "https://c/a"},
        {"{\"files\":[{\"cdn_url\":null,\"url\":\"/a?b=\\u0026\"}]}", "/a?b=&"},
        {"{\"success\":true,\"data\":{\"files\":[],\"uploaded_files\":[1,{\"url\":\"u\"}]}}", "u"},
        {"{\"files\":[{\"url\":\"\xff\"}]}", "\xef\xbf\xbd"},
        {"{\"files\":[{\"filename\":\"a.mp4\"},{\"url\":\"u\"}]}", ""},
        {"{\"files\":[{\"url\":7}]}", ""},
    };
    static const char *const none[] = {
        "{\"code\":0,\"data\":{\"files\":[]}}",       "{\"uploaded_files\":[]}", "{}",
        "{\"code\":0,\"data\":{\"files\":{}}}",       "{\"files\":[null,1]}",    "[]",
        "{\"code\":0,\"data\":null,\"files\":\"x\"}",
    };
    struct fault fault;
    char url[WIRE_URL_MAX];
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct wire_answer a = answer(200, cases[i].body);
        assert_true(wire_read_upload(&a, url, &fault));
        assert_string_equal(url, cases[i].url);
    }
    for (size_t i = 0; i < COUNT(none); i++) {
        struct wire_answer a = answer(200, none[i]);
        assert_false(wire_read_upload(&a, url, &fault));
        assert_int_equal(fault.kind, FAULT_PROTOCOL);
    }
    struct wire_answer a = answer(200, "{\"code\":4001,\"message\":\"no\"}");
    assert_false(wire_read_upload(&a, url, &fault));
    assert_int_equal(fault.kind, FAULT_TYPE);
}

static void a_url_without_measure_is_none(void **state)
{
    (void)state;
    char body[WIRE_URL_MAX + 100], url[WIRE_URL_MAX];
    struct fault fault;
    int len = snprintf(body, sizeof(body), "{\"files\":[{\"url\":\"%0*d\"}]}", WIRE_URL_MAX, 0);
    assert_true((size_t)len < sizeof(body));
    struct wire_answer a = answer(200, body);
    assert_true(wire_read_upload(&a, url, &fault));
    assert_string_equal(url, "");
}

/* ---- state, balance ---- */

static void states(void **state)
{
    static const struct {
        const char *body, *text; /* NULL: makes no sense */
    } cases[] = {
        {"{\"code\":0,\"data\":{\"state\": { \"draft\":{\"x\":1.0} } }}",
         "{ \"draft\":{\"x\":1.0} }"},
        {"{\"success\":true,\"data\":{\"state\":{}}}", "{}"},
        {"{\"data\":{\"state\":null}}", "null"},
        {"{\"code\":0,\"data\":null}", "null"},
        {"{\"state\":{\"draft\":null}}", "{\"draft\":null}"},
        {" {\"draft\":{},\"canvas_config\":{}} ", "{\"draft\":{},\"canvas_config\":{}}"},
        {"{\"code\":0,\"data\":{\"draft\":{}}}", "{\"draft\":{}}"},
        {"{\"code\":0,\"data\":{}}", NULL}, /* an empty session would say so */
        {"{}", NULL},
        {"{\"code\":0,\"data\":{\"state\":\"x\"}}", NULL},
        {"{\"code\":0,\"data\":{\"state\":[]}}", NULL},
        {"{\"code\":0,\"data\":{\"other\":1}}", NULL},
        {"{\"code\":0}", NULL},
        {"[]", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fault fault;
        const char *text = NULL;
        size_t len = 0;
        struct wire_answer a = answer(200, cases[i].body);
        bool fine = wire_read_state(&a, &text, &len, &fault);
        if (cases[i].text) {
            assert_true(fine);
            assert_int_equal(len, strlen(cases[i].text));
            assert_memory_equal(text, cases[i].text, len);
            assert_true(text >= a.body && text + len <= a.body + a.len);
        } else {
            assert_false(fine);
            assert_int_equal(fault.kind, FAULT_PROTOCOL);
            assert_null(text);
        }
    }
}

static void balances(void **state)
{
    static const struct {
        const char *body;
        int64_t available, frozen, total;
    } cases[] = {
        {"{\"code\":0,\"data\":{\"available\":70,\"frozen\":5,\"total\":75}}", 70, 5, 75},
        {"{\"available\":\"70\",\"total\":70.9}", 70, 0, 70},
        {"{\"code\":0,\"data\":{\"available\":-3,\"frozen\":null,\"total\":[]}}", 0, 0, 0},
        {"{\"code\":0,\"data\":{}}", 0, 0, 0},
        {"{\"available\":1e30}", INT64_MAX, 0, 0},
    };
    (void)state;
    struct fault fault;
    struct client_balance b;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct wire_answer a = answer(200, cases[i].body);
        assert_true(wire_read_balance(&a, &b, &fault));
        assert_true(b.available == cases[i].available && b.frozen == cases[i].frozen &&
                    b.total == cases[i].total);
    }
    struct wire_answer a = answer(200, "[1]");
    assert_false(wire_read_balance(&a, &b, &fault));
    assert_int_equal(fault.kind, FAULT_PROTOCOL);
}

/* ---- render ---- */

static void renders(void **state)
{
    static const struct {
        const char *body;
        enum wire_render_status status;
        int percent;
        const char *url, *detail;
    } cases[] = {
        {"{\"status\":\"pending\"}", WIRE_RENDER_PENDING, -1, "", ""},
        {"{\"success\":true,\"data\":{\"status\":\"processing\",\"progress\":42.7}}",
         WIRE_RENDER_PROCESSING, 42, "", ""},
        {"{\"code\":0,\"data\":{\"status\":\"rendering\"},\"progress\":\"7\"}",
         WIRE_RENDER_PROCESSING, 7, "", ""},
        {"{\"status\":\"processing\",\"progress\":-1}", WIRE_RENDER_PROCESSING, 0, "", ""},
        {"{\"status\":\"processing\",\"progress\":1e9}", WIRE_RENDER_PROCESSING, 100, "", ""},
        {"{\"status\":\"completed\",\"output\":{\"url\":\"https://c/o.mp4?a=1&b\"}}",
         WIRE_RENDER_COMPLETED, -1, "https://c/o.mp4?a=1&b", ""},
        {"{\"success\":true,\"data\":{\"status\":\"COMPLETED\",\"progress\":100,"
         "\"output\":{\"url\":\"http://127.0.0.1/o\"}}}",
         WIRE_RENDER_COMPLETED, 100, "http://127.0.0.1/o", ""},
        {"{\"status\":\"completed\",\"data\":{\"outputUrl\":\"https://c/o\"}}",
         WIRE_RENDER_COMPLETED, -1, "https://c/o", ""},
        {"{\"data\":{\"outputUrl\":\"https://c/o\"}}", WIRE_RENDER_COMPLETED, -1, "https://c/o",
         ""},
        {"{\"status\":\"completed\"}", WIRE_RENDER_COMPLETED, -1, "", ""},
        {"{\"status\":\"completed\",\"output\":{\"url\":\"/relative\"}}", WIRE_RENDER_COMPLETED, -1,
         "", ""},
        {"{\"status\":\"completed\",\"output\":{\"url\":\"file:///etc/passwd\"}}",
         WIRE_RENDER_COMPLETED, -1, "", ""},
        {"{\"status\":\"completed\",\"output\":{\"url\":\"https://c/a b\"}}", WIRE_RENDER_COMPLETED,
         -1, "", ""},
        {"{\"status\":\"processing\",\"output\":{\"url\":\"https://c/early\"}}",
         WIRE_RENDER_PROCESSING, -1, "", ""},
        {"{\"status\":\"failed\",\"error\":\"no codec\"}", WIRE_RENDER_FAILED, -1, "", "no codec"},
        {"{\"code\":0,\"message\":\"success\",\"data\":{\"status\":\"failed\",\"error\":{"
         "\"message\":\"no codec\"}}}",
         WIRE_RENDER_FAILED, -1, "", "no codec"},
        {"{\"success\":false,\"data\":{\"status\":\"failed\"},\"error\":\"no codec\"}",
         WIRE_RENDER_FAILED, -1, "", "no codec"},
        {"{\"code\":5001,\"data\":{\"status\":\"failed\"}}", WIRE_RENDER_FAILED, -1, "", ""},
    };
    (void)state;
    struct fault fault;
    struct wire_render render;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct wire_answer a = answer(200, cases[i].body);
        if (!wire_read_render(&a, &render, &fault))
            fail_msg("%s is a fault of kind %d", cases[i].body, fault.kind);
        assert_int_equal(fault.kind, FAULT_NONE);
        assert_int_equal(render.status, cases[i].status);
        assert_int_equal(render.percent, cases[i].percent);
        assert_string_equal(render.url, cases[i].url);
        assert_string_equal(render.detail, cases[i].detail);
    }

    static const struct {
        int http;
        const char *body;
        enum fault_kind kind;
    } bad[] = {
        {200, "{}", FAULT_PROTOCOL},
        {200, "{\"status\":7}", FAULT_PROTOCOL},
        {200, "[]", FAULT_PROTOCOL},
        {404, "{\"detail\":\"Not Found\"}", FAULT_NOT_FOUND},
        {200, "{\"code\":1001,\"data\":{\"status\":\"failed\"}}", FAULT_TOKEN},
        {502, "{\"status\":\"failed\"}", FAULT_SERVER},
        {200, "{\"success\":false,\"error\":\"x\"}", FAULT_SERVER},
        {429, "", FAULT_RATE},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct wire_answer a = answer(bad[i].http, bad[i].body);
        assert_false(wire_read_render(&a, &render, &fault));
        assert_int_equal(fault.kind, bad[i].kind);
    }
}

static void a_render_id_that_is_taken(void **state)
{
    static const struct {
        int http;
        const char *body;
        bool exists;
    } cases[] = {
        {409, "{\"message\":\"conflict\"}", true},
        {200, "{\"code\":409}", true},
        {400, "{\"success\":false,\"error\":\"Render render_1 already exists\"}", true},
        {200, "{\"success\":false,\"error\":\"duplicate id\"}", true},
        {500, "{\"message\":\"boom\"}", false},
        {404, "{\"message\":\"does not exist\"}", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fault fault;
        struct wire_answer a = answer(cases[i].http, cases[i].body);
        assert_false(wire_read_done(&a, &fault));
        assert_true(wire_render_exists(&fault) == cases[i].exists);
    }
}

/* ---- hostile ---- */

static void read_all_ways(const struct wire_answer *a)
{
    struct fault fault;
    struct wire_token token;
    struct wire_session session;
    struct wire_claim claim;
    char url[WIRE_URL_MAX];
    struct client_balance balance;
    struct wire_render render;
    const char *text;
    size_t len;
    wire_read_done(a, &fault);
    wire_read_token(a, &token, &fault);
    wire_read_session(a, &session, &fault);
    wire_read_claim(a, &claim, &fault);
    wire_read_upload(a, url, &fault);
    wire_read_state(a, &text, &len, &fault);
    wire_read_balance(a, &balance, &fault);
    wire_read_render(a, &render, &fault);
}

static void cut_at_every_byte(void **state)
{
    static const char body[] =
        "{\"code\":0,\"data\":{\"token\":\"x\",\"session_id\":\"1\",\"claim_token\":\"c\","
        "\"files\":["
        "{\"filename\":\"\\ud83d\\ude00\",\"duration\":1.5e1}],\"state\":{\"draft\":{}},"
        "\"available\":-1,\"status\":\"failed\",\"output\":{\"url\":\"https://c/\"}}}";
    (void)state;
    for (size_t len = 0; len < sizeof(body) - 1; len++) {
        struct fault fault;
        char *cut = exact_copy(body, len);
        struct wire_answer a = {200, cut, len};
        read_all_ways(&a);
        assert_true(wire_read_done(&a, &fault) == !len);
        free(cut);
    }
}

static void deep_answers_are_refused(void **state)
{
    (void)state;
    size_t size = 1 << 16;
    char *body = malloc(size + 1);
    assert_non_null(body);
    memset(body, '[', size / 2);
    memset(body + size / 2, ']', size / 2);
    body[size] = '\0';
    struct fault fault;
    struct wire_answer a = answer(200, body);
    assert_false(wire_read_done(&a, &fault));
    assert_int_equal(fault.kind, FAULT_PROTOCOL);
    read_all_ways(&a);
    free(body);
}

/* ---- dates ---- */

static void dates(void **state)
{
    static const struct {
        const char *text;
        int64_t epoch_s; /* -1: refused */
    } iso[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2000-02-29T23:59:59Z", 951868799},
        {"2026-11-29T08:15:00.250Z", 1795940100},
        {"2026-11-29T08:15:00", 1795940100},
        {"2026-11-29 08:15:00+00:00", 1795940100},
        {"2026-11-29T10:15:00+02:00", 1795940100},
        {"2026-11-29T02:45:00-0530", 1795940100},
        {"2026-11-29T09:15:00+01", 1795940100},
        {"2026-11-29", 1795910400},
        {"2100-03-01T00:00:00Z", 4107542400},
        {"", -1},
        {"2026", -1},
        {"2026-13-01T00:00:00Z", -1},
        {"2026-02-29T00:00:00Z", -1},
        {"2100-02-29T00:00:00Z", -1},
        {"2026-11-29T24:00:00Z", -1},
        {"2026-11-29T08:15Z", -1},
        {"2026-11-29T08:15:00ZZ", -1},
        {"2026-11-29T08:15:00+", -1},
        {"tomorrow", -1},
    };
    static const struct {
        const char *text;
        int64_t epoch_s;
    } http[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Sun Nov 16 08:49:37 1994", 784975777},
        {"Sun, 29 Nov 2026 08:15:00 GMT", 1795940100},
        {"Sunday, 29-Nov-26 08:15:00 GMT", 1795940100},
        {"", -1},
        {"Sun", -1},
        {"Sun, 06 Nov 1994 08:49:37", -1},
        {"Sun, 06 Nov 1994 08:49:37 CET", -1},
        {"Sun, 32 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nux 1994 08:49:37 GMT", -1},
        {"Sun Nov  6 08:49:37", -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(iso); i++) {
        int64_t at = -1;
        assert_int_equal(date_from_iso8601(iso[i].text, &at), iso[i].epoch_s < 0 ? -EINVAL : 0);
        if (at != iso[i].epoch_s)
            fail_msg("%s is %lld", iso[i].text, (long long)at);
    }
    for (size_t i = 0; i < COUNT(http); i++) {
        int64_t at = -1;
        assert_int_equal(date_from_http(http[i].text, &at), http[i].epoch_s < 0 ? -EINVAL : 0);
        if (at != http[i].epoch_s)
            fail_msg("%s is %lld", http[i].text, (long long)at);
    }
}

static void retry_after(void **state)
{
    const int64_t now = 784111777; /* Sun, 06 Nov 1994 08:49:37 GMT */
    static const struct {
        const char *value;
        int wait_s;
    } cases[] = {
        {"0", 0},
        {"30", 30},
        {" 30 ", 30},
        {"120", 120},
        {"121", 120},
        {"99999999999999999999", 120},
        {"Sun, 06 Nov 1994 08:50:37 GMT", 60},
        {"Sun, 06 Nov 1994 09:50:37 GMT", 120},
        {"Sun, 06 Nov 1994 08:00:00 GMT", 0},
        {NULL, -1},
        {"", -1},
        {"-1", -1},
        {"1.5", -1},
        {"soon", -1},
        {"30s", -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(wire_retry_after_s(cases[i].value, now), cases[i].wait_s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies),
        cmocka_unit_test(the_draft_goes_in_as_it_is),
        cmocka_unit_test(texts_have_to_be_utf8),
        cmocka_unit_test(a_text_is_judged_by_its_beginning),
        cmocka_unit_test(faults),
        cmocka_unit_test(tokens),
        cmocka_unit_test(sessions),
        cmocka_unit_test(links),
        cmocka_unit_test(uploads),
        cmocka_unit_test(a_url_without_measure_is_none),
        cmocka_unit_test(states),
        cmocka_unit_test(balances),
        cmocka_unit_test(renders),
        cmocka_unit_test(a_render_id_that_is_taken),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(deep_answers_are_refused),
        cmocka_unit_test(dates),
        cmocka_unit_test(retry_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
