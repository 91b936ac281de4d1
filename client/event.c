#include "event.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "envelope.h"
#include "jsontext.h"

#define NAME_MAX_LEN 128 /* bytes kept of an author or invocation, terminated */

/* An event while it is read: its items, and the room for their strings. */
struct reading {
    struct event_list *list;
    char *author, *invocation;
    char *text;
    size_t text_len, text_size;
    bool has_partial, partial;
};

static struct event_item *add(struct reading *r, enum event_kind kind)
{
    struct event_list *list = r->list;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].kind == kind)
            return &list->items[i];
    struct event_item *item = &list->items[list->count++];
    *item = (struct event_item){.kind = kind,
                                .text = "",
                                .author = r->author,
                                .invocation = r->invocation,
                                .fault = fault_make(FAULT_NONE, NULL)};
    return item;
}

static void add_text(struct reading *r, struct jsontext string, enum event_shape shape)
{
    size_t n = jsontext_copy(string, r->text + r->text_len, r->text_size - r->text_len);
    if (!n)
        return;
    r->text_len += n;
    struct event_item *item = add(r, EVENT_TEXT);
    item->shape = shape;
    item->text = r->text;
    item->len = r->text_len;
}

static bool has(struct jsontext object, const char *name)
{
    struct jsontext value;
    return !jsontext_find(object, &value, name, NULL) && jsontext_type(value) != JSONTEXT_NULL;
}

static bool is_true(struct jsontext object, const char *name)
{
    struct jsontext value;
    return !jsontext_find(object, &value, name, NULL) && jsontext_is_true(value);
}

static void add_error(struct reading *r, struct fault fault)
{
    switch (fault.kind) {
    case FAULT_TOKEN:
    case FAULT_SESSION:
    case FAULT_CREDITS:
    case FAULT_TYPE:
    case FAULT_TOO_LARGE:
    case FAULT_PLAN:
    case FAULT_RATE:
        break;
    default:
        fault.kind = FAULT_AGENT;
    }
    fault.sent = true;
    add(r, EVENT_ERROR)->fault = fault;
}

/* ---- ADK's shape ---- */

static bool is_tool_part(struct jsontext part)
{
    static const char *const names[] = {"functionCall",   "functionResponse",
                                        "function_call",  "function_response",
                                        "executableCode", "codeExecutionResult"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (has(part, names[i]))
            return true;
    return false;
}

static void read_part(struct reading *r, struct jsontext part)
{
    struct jsontext text;
    if (is_tool_part(part))
        add(r, EVENT_TOOL);
    else if (jsontext_find(part, &text, "text", NULL))
        add(r, EVENT_UNKNOWN);
    else if (is_true(part, "thought"))
        add(r, EVENT_THOUGHT);
    else
        add_text(r, text, r->partial ? EVENT_PARTIAL : EVENT_WHOLE);
}

static bool read_adk(struct reading *r, struct jsontext root)
{
    struct jsontext parts, role, part;
    if (jsontext_find(root, &parts, "content", "parts", NULL) ||
        jsontext_type(parts) != JSONTEXT_ARRAY)
        return false;
    /* Only tool answers come in the user's role; text there is an echo of the message. */
    bool echo =
        !jsontext_find(root, &role, "content", "role", NULL) && jsontext_equals(role, "user");
    struct jsontext_walk walk;
    jsontext_walk_init(&walk, parts);
    while (jsontext_walk_next(&walk, NULL, &part))
        if (!echo || is_tool_part(part))
            read_part(r, part);
    return true;
}

static bool is_set(struct jsontext object, const char *name)
{
    struct jsontext value;
    if (jsontext_find(object, &value, name, NULL))
        return false;
    int64_t number;
    if (jsontext_type(value) == JSONTEXT_STRING)
        return value.len > 2;
    return !jsontext_int64(value, &number) && number;
}

/* errorCode is a word more often than a number of the protocol's table. */
static bool read_adk_error(struct reading *r, struct jsontext root)
{
    if (!is_set(root, "errorCode") && !is_set(root, "errorMessage"))
        return false;
    char words[ENVELOPE_WORDS_MAX] = "";
    struct jsontext value;
    int64_t code = 0;
    if (!jsontext_find(root, &value, "errorMessage", NULL))
        jsontext_copy(value, words, sizeof(words));
    if (!jsontext_find(root, &value, "errorCode", NULL)) {
        if (!*words)
            jsontext_copy(value, words, sizeof(words));
        jsontext_int64(value, &code);
    }
    if (code < 0 || code > 99999)
        code = 0;
    struct fault fault = fault_make(code ? fault_of_code((int)code) : FAULT_AGENT, words);
    fault.code = (int)code;
    add_error(r, fault);
    return true;
}

/* ---- the typed shape ---- */

static const struct {
    const char *type;
    enum event_kind kind;
} TYPES[] = {
    {"text", EVENT_TEXT},           {"tool_call", EVENT_TOOL}, {"tool_result", EVENT_TOOL},
    {"heartbeat", EVENT_HEARTBEAT}, {"ping", EVENT_HEARTBEAT}, {"thought", EVENT_THOUGHT},
    {"thinking", EVENT_THOUGHT},    {"error", EVENT_ERROR},
};

static struct fault with_words(struct fault fault, const char *words)
{
    struct fault told = fault_make(fault.kind, words);
    told.code = fault.code;
    return told;
}

static bool read_typed(struct reading *r, struct jsontext root)
{
    struct jsontext type, content;
    if (jsontext_find(root, &type, "type", NULL) || jsontext_type(type) != JSONTEXT_STRING)
        return false;
    enum event_kind kind = EVENT_UNKNOWN;
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(*TYPES); i++)
        if (jsontext_equals(type, TYPES[i].type))
            kind = TYPES[i].kind;

    if (kind == EVENT_TEXT) {
        enum event_shape shape = !r->has_partial ? EVENT_LOOSE
                                 : r->partial    ? EVENT_PARTIAL
                                                 : EVENT_WHOLE;
        if (jsontext_find(root, &content, "content", NULL))
            return false;
        add_text(r, content, shape);
    } else if (kind == EVENT_ERROR) {
        struct fault fault = envelope_fault(root, 0);
        char words[ENVELOPE_WORDS_MAX];
        if (!envelope_words(root, words) && !jsontext_find(root, &content, "content", NULL))
            jsontext_copy(content, words, sizeof(words));
        add_error(r, with_words(fault, words));
    } else if (kind != EVENT_UNKNOWN) {
        add(r, kind);
    }
    return kind != EVENT_UNKNOWN;
}

/* ---- errors ---- */

/* {"code":…}, {"success":false}, {"error":…}, and the {"detail":…} of an HTTP framework. */
static bool read_envelope(struct reading *r, struct jsontext root)
{
    struct fault fault = envelope_fault(root, 0);
    struct jsontext detail;
    if (fault.kind == FAULT_NONE && !jsontext_find(root, &detail, "detail", NULL) &&
        jsontext_type(detail) == JSONTEXT_STRING && detail.len > 2) {
        char words[ENVELOPE_WORDS_MAX];
        size_t len = jsontext_copy(detail, words, sizeof(words));
        bool lost = envelope_says_no_session(words, len);
        fault = fault_make(lost ? FAULT_SESSION : FAULT_AGENT, words);
    }
    if (fault.kind == FAULT_NONE)
        return false;
    add_error(r, fault);
    return true;
}

/* {"error":"…"} whose text was put in without escaping what has to be escaped. */
static bool read_broken_error(struct reading *r, const char *data, size_t len)
{
    static const char name[] = "\"error\"";
    char words[ENVELOPE_WORDS_MAX];
    const char *end = data + len;
    const char *p = data[0] == '{' ? memmem(data, len, name, sizeof(name) - 1) : NULL;
    if (!p)
        return false;
    p += sizeof(name) - 1;
    while (p < end && strchr(" \t:", *p))
        p++;
    while (end > p && strchr(" \t\r\n", end[-1]))
        end--;
    if (end > p && end[-1] == '}')
        end--;
    if (end - p >= 2 && *p == '"' && end[-1] == '"') {
        p++;
        end--;
    }
    size_t n = 0;
    for (; p < end && n < sizeof(words) - 1; p++) {
        bool escaped = *p == '\\' && end - p > 1;
        if (escaped)
            p++;
        if (escaped && strchr("bfnrt", *p))
            words[n++] = ' ';
        else if (*p)
            words[n++] = *p;
    }
    words[n] = '\0';
    add_error(r, fault_make(FAULT_AGENT, words));
    return true;
}

/* ---- one event ---- */

static void read_object(struct reading *r, struct jsontext root)
{
    struct jsontext value;
    if (!jsontext_find(root, &value, "author", NULL))
        jsontext_copy(value, r->author, NAME_MAX_LEN);
    if (!jsontext_find(root, &value, "invocationId", NULL))
        jsontext_copy(value, r->invocation, NAME_MAX_LEN);
    r->has_partial = has(root, "partial");
    r->partial = is_true(root, "partial");

    bool content = read_adk(r, root);
    bool error = read_adk_error(r, root);
    if (!content && !error && !read_typed(r, root))
        read_envelope(r, root);
}

int event_read(const char *data, size_t len, struct event_list *list)
{
    struct jsontext root;
    memset(list, 0, sizeof(*list));
    while (len && strchr(" \t\r\n", data[0]) && data[0]) {
        data++;
        len--;
    }

    /* Decoding makes a bad byte three, and shrinks all else. */
    struct reading r = {.list = list, .text_size = 3 * len + 1};
    list->strings = malloc(2 * NAME_MAX_LEN + r.text_size);
    if (!list->strings)
        return -ENOMEM;
    r.author = list->strings;
    r.invocation = r.author + NAME_MAX_LEN;
    r.text = r.invocation + NAME_MAX_LEN;
    r.author[0] = r.invocation[0] = r.text[0] = '\0';

    if (!len)
        add(&r, EVENT_HEARTBEAT);
    else if (jsontext_parse(data, len, &root))
        read_broken_error(&r, data, len);
    else if (jsontext_type(root) == JSONTEXT_OBJECT)
        read_object(&r, root);
    if (!list->count)
        add(&r, EVENT_UNKNOWN);
    return 0;
}

void event_list_release(struct event_list *list)
{
    free(list->strings);
    memset(list, 0, sizeof(*list));
}
