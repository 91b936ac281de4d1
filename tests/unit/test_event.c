#include "unit.h"

#include "buffer.h"
#include "event.h"

/* Items written out as "text(…)", "piece(…)", "loose(…)", "thought", "tool", "heartbeat",
 * "error(kind,code,…)", "unknown". */
static char *describe(const struct event_list *list)
{
    static const char *const shapes[] = {"text", "piece", "loose"};
    struct buffer b;
    char *text;
    buffer_init(&b, 16u << 20);
    for (size_t i = 0; i < list->count; i++) {
        const struct event_item *item = &list->items[i];
        if (i)
            buffer_add_string(&b, " ");
        switch (item->kind) {
        case EVENT_TEXT:
            assert_int_equal(strlen(item->text), item->len);
            buffer_addf(&b, "%s(%s)", shapes[item->shape], item->text);
            break;
        case EVENT_THOUGHT:
            buffer_add_string(&b, "thought");
            break;
        case EVENT_TOOL:
            buffer_add_string(&b, "tool");
            break;
        case EVENT_HEARTBEAT:
            buffer_add_string(&b, "heartbeat");
            break;
        case EVENT_ERROR:
            buffer_addf(&b, "error(%d,%d,%s)", (int)item->fault.kind, item->fault.code,
                        item->fault.detail);
            break;
        default:
            buffer_add_string(&b, "unknown");
        }
    }
    assert_int_equal(buffer_take(&b, &text, NULL), 0);
    return text;
}

static char *read_event(const char *data, size_t len)
{
    struct event_list list;
    char *copy = exact_copy(data, len);
    assert_int_equal(event_read(copy, len, &list), 0);
    free(copy); /* the items do not point into it */
    char *text = describe(&list);
    event_list_release(&list);
    return text;
}

struct event_case {
    const char *data;
    const char *items;
};

static void check(const struct event_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text = read_event(cases[i].data, strlen(cases[i].data));
        if (strcmp(text, cases[i].items) != 0)
            fail_msg("%s\n is %s\n not %s", cases[i].data, text, cases[i].items);
        free(text);
    }
}

#define ADK(parts, more) "{\"content\":{\"role\":\"model\",\"parts\":[" parts "]}" more "}"

static void adk_shape(void **state)
{
    static const struct event_case cases[] = {
        {ADK("{\"text\":\"Hello\"}", ",\"author\":\"a\""), "text(Hello)"},
        {ADK("{\"text\":\"Hel\"}", ",\"partial\":true"), "piece(Hel)"},
        {ADK("{\"text\":\"Hello\"}", ",\"partial\":false"), "text(Hello)"},
        {ADK("{\"text\":\"Hello\"}", ",\"partial\":null"), "text(Hello)"},
        {ADK("{\"text\":\"Hel\"},{\"text\":\"lo\"}", ""), "text(Hello)"},
        {ADK("{\"text\":\"hm\",\"thought\":true}", ""), "thought"},
        {ADK("{\"text\":\"hm\",\"thought\":false}", ""), "text(hm)"},
        {ADK("{\"text\":\"hm\",\"thought\":true},{\"text\":\"Done\"}", ""), "thought text(Done)"},
        {ADK("{\"functionCall\":{\"id\":\"1\",\"name\":\"n\",\"args\":{\"text\":\"no\"}}}", ""),
         "tool"},
        {ADK("{\"functionResponse\":{\"response\":{\"text\":\"no\"}}}", ""), "tool"},
        {ADK("{\"text\":\"First\"},{\"functionCall\":{}},{\"text\":\", then\"}", ""),
         "text(First, then) tool"},
        {ADK("{\"text\":\"no\",\"functionCall\":{}}", ""), "tool"},
        {ADK("{\"text\":\"caf\\u00e9 \\ud83d\\ude00\"}", ""), "text(caf\xc3\xa9 \xf0\x9f\x98\x80)"},
        {ADK("{\"text\":\"\"}", ""), "unknown"},
        {ADK("{\"text\":5}", ""), "unknown"},
        {ADK("", ""), "unknown"},
        {ADK("5,[],null,\"x\"", ""), "unknown"},
        {ADK("{\"inlineData\":{}}", ""), "unknown"},
        {"{\"content\":{\"role\":\"user\",\"parts\":[{\"text\":\"my own message\"}]}}", "unknown"},
        {"{\"content\":{\"role\":\"user\",\"parts\":[{\"functionResponse\":{}}]}}", "tool"},
        {"{\"actions\":{\"stateDelta\":{}},\"author\":\"a\"}", "unknown"},
        {"{\"content\":{\"parts\":{}}}", "unknown"},
        {"{\"content\":\"no\"}", "unknown"},
    };
    (void)state;
    check(cases, COUNT(cases));
}

static void typed_shape(void **state)
{
    static const struct event_case cases[] = {
        {"{\"type\":\"text\",\"content\":\"Hello\"}", "loose(Hello)"},
        {"{\"type\":\"text\",\"content\":\"Hel\",\"partial\":true}", "piece(Hel)"},
        {"{\"type\":\"text\",\"content\":\"Hello\",\"partial\":false}", "text(Hello)"},
        {"{\"type\":\"text\",\"content\":\"\"}", "unknown"},
        {"{\"type\":\"text\"}", "unknown"},
        {"{\"type\":\"text\",\"content\":[\"no\"]}", "unknown"},
        {"{\"type\":\"tool_call\",\"name\":\"n\",\"args\":{\"content\":\"no\"}}", "tool"},
        {"{\"type\":\"tool_result\",\"name\":\"n\",\"result\":{\"error\":\"no\"}}", "tool"},
        {"{\"type\":\"heartbeat\"}", "heartbeat"},
        {"{\"type\":\"thought\",\"content\":\"no\"}", "thought"},
        {"{\"type\":\"progress\",\"content\":\"no\"}", "unknown"},
        {"{\"type\":7}", "unknown"},
    };
    (void)state;
    check(cases, COUNT(cases));
}

static void errors(void **state)
{
    static const struct event_case cases[] = {
        /* ADK */
        {"{\"errorCode\":\"RESOURCE_EXHAUSTED\",\"errorMessage\":\"model quota exhausted\"}",
         "error(18,0,model quota exhausted)"},
        {"{\"errorCode\":\"SAFETY\"}", "error(18,0,SAFETY)"},
        {"{\"errorMessage\":\"boom\"}", "error(18,0,boom)"},
        {"{\"errorCode\":2001,\"errorMessage\":\"no credits\"}", "error(3,2001,no credits)"},
        {"{\"errorCode\":\"1001\"}", "error(1,1001,1001)"},
        {ADK("{\"text\":\"So far\"}", ",\"errorCode\":\"MAX_TOKENS\""),
         "text(So far) error(18,0,MAX_TOKENS)"},
        {"{\"errorCode\":null,\"errorMessage\":\"\"}", "unknown"},
        {ADK("{\"text\":\"x\"}", ",\"errorCode\":0,\"errorMessage\":null"), "text(x)"},
        /* in mid-stream */
        {"{\"error\":\"boom\"}", "error(18,0,boom)"},
        {"{\"error\":{\"code\":500,\"message\":\"inner boom\"}}", "error(18,500,inner boom)"},
        {"{\"error\":\"Session not found\"}", "error(2,0,Session not found)"},
        {"{\"error\":\"\"}", "unknown"},
        {"{\"error\":null}", "unknown"},
        {"{\"error\":false}", "unknown"},
        /* badly escaped */
        {"{\"error\":\"tool \"sync\" failed: {bad}\"}", "error(18,0,tool \"sync\" failed: {bad})"},
        {"{\"error\": \"tool \\\"sync\\\" and \"x\" failed\"}",
         "error(18,0,tool \"sync\" and \"x\" failed)"},
        {"{\"error\":\"line one\nline two\"}", "error(18,0,line one line two)"},
        {"{\"error\":\"C:\\temp\"}", "error(18,0,C: emp)"},
        {"{\"error\":\"cut off", "error(18,0,\"cut off)"},
        {"{\"error\":", "error(18,0,)"},
        {"{\"error\"", "error(18,0,)"},
        {"{\"error\":\"}", "error(18,0,\")"},
        /* envelopes */
        {"{\"code\":1002,\"message\":\"no such session\"}", "error(2,1002,no such session)"},
        {"{\"code\":\"1002\",\"message\":\"gone\"}", "error(2,1002,gone)"},
        {"{\"code\":2001,\"message\":\"\"}", "error(3,2001,)"},
        {"{\"code\":402}", "error(7,402,)"},
        {"{\"code\":429,\"message\":\"slow down\",\"data\":null}", "error(8,429,slow down)"},
        {"{\"code\":4001}", "error(4,4001,)"},
        {"{\"code\":400,\"message\":\"bad\"}", "error(18,400,bad)"},
        {"{\"code\":9999}", "error(18,9999,)"},
        {"{\"success\":false,\"error\":\"boom\"}", "error(18,0,boom)"},
        {"{\"success\":false}", "error(18,0,)"},
        {"{\"code\":0,\"message\":\"ok\",\"data\":{}}", "unknown"},
        {"{\"success\":true,\"error\":null}", "unknown"},
        {"{\"detail\":\"Session not found\"}", "error(2,0,Session not found)"},
        {"{\"detail\":\"Internal\"}", "error(18,0,Internal)"},
        {"{\"type\":\"error\",\"message\":\"boom\"}", "error(18,0,boom)"},
        {"{\"type\":\"error\",\"content\":\"boom\"}", "error(18,0,boom)"},
        {"{\"type\":\"error\",\"code\":1001,\"message\":\"expired\"}", "error(1,1001,expired)"},
        /* neither JSON nor tokens get into the words */
        {"{\"error\":\"upstream said {\\\"code\\\":7} to nmv_usr_secret\"}",
         "error(18,0,upstream said  to ***)"},
    };
    (void)state;
    assert_int_equal(FAULT_AGENT, 18);
    check(cases, COUNT(cases));
}

static void quiet_and_strange(void **state)
{
    static const struct event_case cases[] = {
        {"", "heartbeat"},
        {" \r\n\t ", "heartbeat"},
        {"[DONE]", "unknown"},
        {"hello", "unknown"},
        {"{", "unknown"},
        {"[]", "unknown"},
        {"5", "unknown"},
        {"\"text\"", "unknown"},
        {"{}", "unknown"},
        {"null", "unknown"},
        {"{\"a\":1", "unknown"},
        {"{\"text\":\"no\"}", "unknown"},
        {" {\"type\":\"heartbeat\"} ", "heartbeat"},
    };
    (void)state;
    check(cases, COUNT(cases));
}

static void who_speaks(void **state)
{
    (void)state;
    struct event_list list;
    static const char data[] =
        ADK("{\"text\":\"x\"}", ",\"author\":\"nemo_agent\",\"invocationId\":\"e-1\"");
    assert_int_equal(event_read(BYTES(data), &list), 0);
    assert_string_equal(list.items[0].author, "nemo_agent");
    assert_string_equal(list.items[0].invocation, "e-1");
    event_list_release(&list);
    assert_int_equal(event_read(BYTES("{\"type\":\"text\",\"content\":\"x\"}"), &list), 0);
    assert_string_equal(list.items[0].author, "");
    assert_string_equal(list.items[0].invocation, "");
    event_list_release(&list);
}

static void bad_bytes(void **state)
{
    (void)state;
    char *text = read_event(BYTES("{\"type\":\"text\",\"content\":\"a\xff\\u0000\\ud800"
                                  "b\"}"));
    assert_string_equal(text, "loose(a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                              "b)");
    free(text);
    text = read_event(BYTES("{\"type\":\"text\",\"content\":\"a\0b\"}"));
    assert_string_equal(text, "unknown");
    free(text);
}

/* Nothing that was cut may be taken for text. */
static void cut_at_every_byte(void **state)
{
    static const char *const events[] = {
        ADK("{\"text\":\"Hello\"},{\"functionCall\":{\"name\":\"x\"}}", ",\"partial\":true"),
        "{\"type\":\"text\",\"content\":\"Hello\"}",
        "{\"code\":1002,\"message\":\"no such session\"}",
        "{\"errorCode\":\"X\",\"errorMessage\":\"y\"}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(events); i++) {
        for (size_t len = 1; len < strlen(events[i]); len++) {
            char *text = read_event(events[i], len);
            assert_string_equal(text, "unknown");
            free(text);
        }
    }
}

static void a_megabyte_of_text(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 4u << 20);
    buffer_add_string(&b, "{\"content\":{\"parts\":[");
    for (int i = 0; i < 40000; i++)
        buffer_addf(&b, "%s{\"text\":\"twenty-five bytes of text\"}", i ? "," : "");
    buffer_add_string(&b, "]}}");
    struct event_list list;
    assert_int_equal(event_read(b.data, b.len, &list), 0);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.items[0].len, 40000 * 25);
    event_list_release(&list);
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adk_shape),
        cmocka_unit_test(typed_shape),
        cmocka_unit_test(errors),
        cmocka_unit_test(quiet_and_strange),
        cmocka_unit_test(who_speaks),
        cmocka_unit_test(bad_bytes),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(a_megabyte_of_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
