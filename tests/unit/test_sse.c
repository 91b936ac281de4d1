#include "fixture.h"
#include "unit.h"

#include "buffer.h"
#include "sse.h"

/* Events written out as "[data]", and "<" before what is left at the end. */
static void on_event(void *user, const char *data, size_t len)
{
    struct buffer *log = user;
    assert_int_equal(data[len], '\0');
    buffer_add(log, "[", 1);
    buffer_add(log, data, len);
    buffer_add(log, "]", 1);
}

static char *take(struct buffer *log, size_t *len)
{
    char *text;
    assert_int_equal(buffer_take(log, &text, len), 0);
    return text;
}

/* Feeds the bytes in pieces: up to `first`, then `step` at a time. */
static char *run(const char *bytes, size_t len, size_t first, size_t step, size_t *out_len)
{
    struct buffer log;
    struct sse s;
    const char *rest;
    size_t rest_len;
    buffer_init(&log, 16u << 20);
    sse_init(&s, SSE_EVENT_MAX, on_event, &log);
    assert_int_equal(sse_feed(&s, bytes, first), 0);
    for (size_t at = first; at < len; at += step) {
        size_t n = len - at < step ? len - at : step;
        char *piece = exact_copy(bytes + at, n);
        assert_int_equal(sse_feed(&s, piece, n), 0);
        free(piece);
    }
    if (sse_rest(&s, &rest, &rest_len)) {
        buffer_add(&log, "<", 1);
        buffer_add(&log, rest, rest_len);
    }
    sse_release(&s);
    return take(&log, out_len);
}

static void check(const char *bytes, size_t len, const char *expected, size_t expected_len)
{
    for (size_t split = 0; split <= len + 1; split++) {
        /* One byte at a time in the last round. */
        bool bytewise = split == len + 1;
        size_t got_len;
        char *got = run(bytes, len, bytewise ? 0 : split, bytewise ? 1 : len + 1, &got_len);
        if (got_len != expected_len || memcmp(got, expected, got_len) != 0)
            fail_msg("split at %zu of %.60s: %s instead of %s", split, bytes, got, expected);
        free(got);
    }
}

static const struct {
    const char *stream;
    size_t len;
    const char *events;
    size_t events_len;
} CASES[] = {
    {BYTES(""), BYTES("")},
    {BYTES("data: a\n\n"), BYTES("[a]")},
    {BYTES("data:a\n\n"), BYTES("[a]")},
    {BYTES("data:  a \n\n"), BYTES("[ a ]")},
    {BYTES("data:\ta\n\n"), BYTES("[\ta]")}, /* a space only, and only one */
    {BYTES("data: \n\n"), BYTES("[]")},
    {BYTES("data: a\r\n\r\n"), BYTES("[a]")},
    {BYTES("data: a\r\r"), BYTES("[a]")},
    {BYTES("data: a\n\r\ndata: b\r\n\n"), BYTES("[a][b]")},
    {BYTES("data: a\r\n\rdata: b\n\n"), BYTES("[a][b]")},

    /* Several data lines; a value may hold a colon; a line may be a field's name alone. */
    {BYTES("data: YHOO\ndata: +2\ndata: 10\n\n"), BYTES("[YHOO\n+2\n10]")},
    {BYTES("data: {\"a\": \"b:c\"}\n\n"), BYTES("[{\"a\": \"b:c\"}]")},
    {BYTES("data\n\ndata\ndata\n\ndata:"), BYTES("[][\n]<")},
    {BYTES("data:test\n\ndata: test\n\n"), BYTES("[test][test]")},
    {BYTES("data: a\ndata:\ndata: b\n\n"), BYTES("[a\n\nb]")},

    /* Comments, empty lines, unknown fields, names in another case. */
    {BYTES(": comment\n\n:\n\n"), BYTES("")},
    {BYTES("data: a\n: in between\ndata: b\n\n"), BYTES("[a\nb]")},
    {BYTES("\n\n\n\ndata: a\n\n\n\n"), BYTES("[a]")},
    {BYTES("Data: x\ndata : x\nfoo: x\nfoo\ndata: a\n\n"), BYTES("[a]")},
    {BYTES(" data: x\n\n"), BYTES("")},

    /* Types, ids and times to reconnect go by. */
    {BYTES("event: add\nid: 1\nretry: 10\ndata: 7\n\nevent: lost\n\nid\ndata: x\n\n"),
     BYTES("[7][x]")},

    /* What the end of the stream cuts off is no event. */
    {BYTES("data: a\n\ndata: b\n"), BYTES("[a]<b")},
    {BYTES("data: a\n\ndata: b"), BYTES("[a]<b")},
    {BYTES("data: a"), BYTES("<a")},
    {BYTES("data: a\r"), BYTES("<a")},
    {BYTES("data: a\ndata: b"), BYTES("<a\nb")},
    {BYTES("data: \xe7\x89"), BYTES("<\xef\xbf\xbd")},
    {BYTES("data: a\nda"), BYTES("<a")},
    {BYTES("data: a\n: b"), BYTES("<a")},
    {BYTES("data: a\n\n: b"), BYTES("[a]")},
    {BYTES("data: a\n\nevent: b\nid: c"), BYTES("[a]")},
    {BYTES("data: a\n\r"), BYTES("[a]")},

    /* A byte-order mark, once, at the start only. */
    {BYTES("\xef\xbb\xbf"
           "data: a\n\n"),
     BYTES("[a]")},
    {BYTES("\xef\xbb\xbf\xef\xbb\xbf"
           "data: x\n\ndata: a\n\n"),
     BYTES("[a]")},
    {BYTES("\xef\xbb\xbf\n\ndata: a\n\n"), BYTES("[a]")},
    {BYTES("data: a\n\n\xef\xbb\xbf"
           "data: x\n\n"),
     BYTES("[a]")},
    {BYTES("\xef\xbb"
           "data: x\n\ndata: a\n\n"),
     BYTES("[a]")},

    /* NULs and bad bytes: one U+FFFD for each longest beginning of a character. */
    {BYTES("data: a\0b\n\n"), BYTES("[a\0b]")},
    {BYTES("data: \xe7\x89\x87\n\n"), BYTES("[\xe7\x89\x87]")},
    {BYTES("data: \xff\xc3\n\n"), BYTES("[\xef\xbf\xbd\xef\xbf\xbd]")},
    {BYTES("data: \xf0\x9f\x98x\n\n"), BYTES("[\xef\xbf\xbdx]")},
    {BYTES("data: \xed\xa0\x80\n\n"), BYTES("[\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd]")},
    {BYTES("data: \xc0\xaf\n\n"), BYTES("[\xef\xbf\xbd\xef\xbf\xbd]")},
    {BYTES("data: \xe7\ndata: \x89\n\n"), BYTES("[\xef\xbf\xbd\n\xef\xbf\xbd]")},
};

static void streams_in_any_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++)
        check(CASES[i].stream, CASES[i].len, CASES[i].events, CASES[i].events_len);
}

/* The recorded streams have one event to a line; so what comes out is known without a parser.
 */
static void recorded_streams(void **state)
{
    static const char *const names[] = {"adk-plain.sse", "adk-silent.sse", "adk-boom.sse",
                                        "adk-errorcode.sse", "mixed.sse"};
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        size_t len;
        char *bytes = read_fixture(names[i], &len);
        struct buffer expected;
        buffer_init(&expected, 1 << 20);
        for (size_t at = 0; at < len;) {
            size_t n = (size_t)((char *)memchr(bytes + at, '\n', len - at) - (bytes + at));
            assert_memory_equal(bytes + at, "data: ", 6);
            buffer_addf(&expected, "[%.*s]", (int)n - 6, bytes + at + 6);
            at += n + 2;
        }
        size_t expected_len;
        char *text = take(&expected, &expected_len);
        assert_true(expected_len > 200);
        check(bytes, len, text, expected_len);
        free(text);
        free(bytes);
    }
}

static void a_stream_with_everything(void **state)
{
    (void)state;
    size_t len;
    char *bytes = read_fixture("typed-lines.sse", &len);
    check(bytes, len,
          BYTES("[{\"type\":\"heartbeat\"}]"
                "[{\"type\":\"tool_call\",\"name\":\"trim\",\"args\":{\"text\":"
                "\"must never be shown\"}}]"
                "[][{\"type\":\"text\",\n"
                "\"content\":\"Trimmed \xe7\x89\x87\xe6\xae\xb5.\"}]"
                "<{\"type\":\"text\",\"content\":\" Ended.\"}"));
    free(bytes);
}

static void count_bytes(void *user, const char *data, size_t len)
{
    (void)data;
    *(size_t *)user += len;
}

static void a_megabyte_is_an_event(void **state)
{
    (void)state;
    size_t size = 1u << 20, total = 0;
    char *big = malloc(size);
    assert_non_null(big);
    memset(big, 'x', size);
    struct sse s;
    sse_init(&s, SSE_EVENT_MAX, count_bytes, &total);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sse_feed(&s, BYTES("data: ")), 0);
        for (size_t at = 0; at < size; at += 4096)
            assert_int_equal(sse_feed(&s, big + at, 4096), 0);
        assert_int_equal(sse_feed(&s, BYTES("\n\n")), 0);
    }
    assert_int_equal(total, 3 * size);
    sse_release(&s);
    free(big);
}

/* Streams that never end an event or a line: what is repeated for ever. */
static void bounds(void **state)
{
    static const char *const endless[] = {"x", "data: x\n", ":x", "id: x", "event: x", "\xff"};
    (void)state;
    for (size_t i = 0; i < COUNT(endless); i++) {
        struct sse s;
        size_t total = 0, fed = 0;
        int err = 0;
        sse_init(&s, 1000, count_bytes, &total);
        while (!err && fed < 20000) {
            err = sse_feed(&s, endless[i], strlen(endless[i]));
            fed += strlen(endless[i]);
        }
        assert_int_equal(err, -EMSGSIZE);
        assert_true(fed <= 8 * 1001);
        /* It stays failed, and says nothing more. */
        assert_int_equal(sse_feed(&s, BYTES("\n\ndata: y\n\n")), -EMSGSIZE);
        assert_int_equal(total, 0);
        sse_release(&s);
    }
}

/* Also one whose bytes nobody would keep: whether a stream fails must not depend on its split. */
static void a_long_line_in_one_piece_is_bounded_too(void **state)
{
    static const char *const begins[] = {"data: ", ": ", "unknown: "};
    (void)state;
    for (size_t i = 0; i < COUNT(begins); i++) {
        char line[2000];
        size_t total = 0;
        struct sse s;
        memset(line, 'x', sizeof(line));
        memcpy(line, begins[i], strlen(begins[i]));
        memcpy(line + sizeof(line) - 2, "\n\n", 2);
        sse_init(&s, 1000, count_bytes, &total);
        assert_int_equal(sse_feed(&s, line, sizeof(line)), -EMSGSIZE);
        assert_int_equal(total, 0);
        sse_release(&s);
    }
}

static void many_short_events_are_unbounded(void **state)
{
    (void)state;
    size_t total = 0;
    struct sse s;
    sse_init(&s, 100, count_bytes, &total);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(sse_feed(&s, BYTES("id: 1\nevent: e\ndata: abc\r\n\r\n")), 0);
    assert_int_equal(total, 30000);
    sse_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_in_any_split),
        cmocka_unit_test(recorded_streams),
        cmocka_unit_test(a_stream_with_everything),
        cmocka_unit_test(a_megabyte_is_an_event),
        cmocka_unit_test(bounds),
        cmocka_unit_test(a_long_line_in_one_piece_is_bounded_too),
        cmocka_unit_test(many_short_events_are_unbounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
