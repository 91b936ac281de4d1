#include "envelope.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

bool envelope_says_no_session(const char *text, size_t len)
{
    static const char phrase[] = "session not found";
    size_t n = sizeof(phrase) - 1;
    for (size_t i = 0; i + n <= len; i++)
        if ((text[i] | 0x20) == 's' && !strncasecmp(text + i, phrase, n))
            return true;
    return false;
}

/* The code that a value spells; 0 for none. A word that is no number stands for an error that the
 * table does not know, unless it says that all is well. */
static int code_of(struct jsontext value)
{
    static const char *const fine[] = {"", "ok", "success"};
    int64_t number;
    if (!jsontext_int64(value, &number))
        return number > INT_MAX ? INT_MAX : number < INT_MIN ? INT_MIN : (int)number;

    char word[16];
    if (jsontext_type(value) != JSONTEXT_STRING)
        return 0;
    jsontext_copy(value, word, sizeof(word));
    for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++)
        if (!strcasecmp(word, fine[i]))
            return 0;
    return -1;
}

static bool find_code(struct jsontext root, int *code)
{
    struct jsontext value;
    if (!jsontext_find(root, &value, "code", NULL) && (*code = code_of(value)))
        return true;
    if (!jsontext_find(root, &value, "error", "code", NULL) && (*code = code_of(value)))
        return true;
    return false;
}

static bool is_set(struct jsontext value)
{
    switch (jsontext_type(value)) {
    case JSONTEXT_STRING:
        return value.len > 2;
    case JSONTEXT_OBJECT:
        return true;
    default:
        return false;
    }
}

/* Without a code: does the answer call itself a failure? */
static bool is_failure(struct jsontext root)
{
    struct jsontext value;
    if (!jsontext_find(root, &value, "success", NULL))
        return jsontext_type(value) == JSONTEXT_BOOL && !jsontext_is_true(value);
    if (jsontext_find(root, &value, "error", NULL) || !is_set(value))
        return false;
    return jsontext_find(root, &value, "code", NULL) && jsontext_find(root, &value, "status", NULL);
}

/* The backend's words: a string, or the message inside an object or the first element of a list. */
static bool words_of(struct jsontext value, char *out, size_t size)
{
    static const char *const inner[] = {"message", "msg", "detail", "error"};
    struct jsontext_walk walk;
    jsontext_walk_init(&walk, value);
    if (jsontext_type(value) == JSONTEXT_ARRAY && !jsontext_walk_next(&walk, NULL, &value))
        return false;
    if (jsontext_type(value) == JSONTEXT_STRING)
        return jsontext_copy(value, out, size) > 0;
    struct jsontext found;
    for (size_t i = 0; i < sizeof(inner) / sizeof(*inner); i++)
        if (!jsontext_find(value, &found, inner[i], NULL) && jsontext_copy(found, out, size))
            return true;
    return false;
}

bool envelope_words(struct jsontext root, char words[ENVELOPE_WORDS_MAX])
{
    static const char *const names[] = {"message", "error", "detail", "msg"};
    struct jsontext value;
    words[0] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (!jsontext_find(root, &value, names[i], NULL) &&
            words_of(value, words, ENVELOPE_WORDS_MAX))
            return true;
    return false;
}

struct fault envelope_fault(struct jsontext root, int http)
{
    int code = 0;
    enum fault_kind by_http = http ? fault_of_http(http) : FAULT_NONE;
    enum fault_kind kind = by_http;
    if (find_code(root, &code)) {
        kind = fault_of_code(code);
        if (kind == FAULT_SERVER && by_http != FAULT_NONE)
            kind = by_http; /* the table does not know the code, but the status says something */
    } else if (is_failure(root) && kind == FAULT_NONE) {
        kind = FAULT_SERVER;
    }

    struct fault fault = fault_make(kind, NULL);
    if (kind != FAULT_NONE) {
        char words[ENVELOPE_WORDS_MAX];
        envelope_words(root, words);
        if ((kind == FAULT_NOT_FOUND || kind == FAULT_SERVER) &&
            envelope_says_no_session(words, strlen(words)))
            kind = FAULT_SESSION;
        fault = fault_make(kind, words);
    }
    fault.http = http;
    fault.code = code;
    return fault;
}

struct jsontext envelope_payload(struct jsontext root)
{
    struct jsontext data;
    if (!jsontext_find(root, &data, "data", NULL) && jsontext_type(data) != JSONTEXT_NULL)
        return data;
    return root;
}
