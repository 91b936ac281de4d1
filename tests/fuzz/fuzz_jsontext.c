/* JSON: the slices of a text that was accepted are accepted themselves, and what is quoted comes
 * back. */
#include "fuzz.h"

#include "buffer.h"
#include "jsontext.h"
#include "utf8.h"

/* A string, all of it, in a room of exactly three times its bytes. */
static size_t copy_whole(struct jsontext string, char **out)
{
    *out = malloc(3 * string.len);
    fuzz_check(*out);
    return jsontext_copy(string, *out, 3 * string.len);
}

static void check_value(struct jsontext value, int depth)
{
    struct jsontext again, name, inner;
    struct jsontext_walk walk;
    int64_t integer;
    double real;
    fuzz_check(!jsontext_parse(value.text, value.len, &again));
    fuzz_check(again.text == value.text && again.len == value.len);
    fuzz_check(jsontext_int64(value, &integer) == jsontext_double(value, &real));
    if (jsontext_type(value) == JSONTEXT_STRING) {
        char *text, small[8];
        size_t len = copy_whole(value, &text);
        fuzz_check(strlen(text) == len && utf8_is_valid(text, len));
        fuzz_check(jsontext_equals(value, text));
        size_t n = jsontext_copy(value, small, sizeof(small));
        fuzz_check(n < sizeof(small) && n <= len && !memcmp(small, text, n));
        free(text);
    }
    if (depth >= 8)
        return;
    jsontext_walk_init(&walk, value);
    while (
        jsontext_walk_next(&walk, jsontext_type(value) == JSONTEXT_OBJECT ? &name : NULL, &inner)) {
        if (jsontext_type(value) == JSONTEXT_OBJECT)
            check_value(name, 100);
        check_value(inner, depth + 1);
    }
    fuzz_check(walk.at == walk.end);
}

/* The fingerprint knows of no white space between tokens, but of everything else. */
static void check_fingerprint(struct jsontext value)
{
    struct buffer b;
    struct jsontext spaced;
    bool in_string = false;
    buffer_init(&b, 1u << 30);
    for (size_t i = 0; i < value.len; i++) {
        char c = value.text[i];
        buffer_add(&b, &c, 1);
        if (in_string && c == '\\')
            buffer_add(&b, &value.text[++i], 1);
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && strchr("{}[],:", c))
            buffer_add_string(&b, " \n");
    }
    fuzz_check(!jsontext_parse(b.data, b.len, &spaced));
    fuzz_check(jsontext_fingerprint(spaced) == jsontext_fingerprint(value));
    buffer_release(&b);
}

static void check_quote(const char *text, size_t len)
{
    struct buffer b;
    struct jsontext value;
    char *back;
    buffer_init(&b, 1u << 30);
    bool valid = utf8_is_valid(text, len);
    fuzz_check(!jsontext_quote(&b, text, len) == valid);
    if (valid && !memchr(text, 0, len)) {
        fuzz_check(!jsontext_parse(b.data, b.len, &value) && value.len == b.len);
        fuzz_check(copy_whole(value, &back) == len && !memcmp(back, text, len));
        free(back);
    }
    buffer_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jsontext root, value;
    if (size)
        check_quote((const char *)data, size);
    if (jsontext_parse((const char *)data, size, &root))
        return 0;
    check_value(root, 0);
    check_fingerprint(root);
    if (!jsontext_find(root, &value, "data", "state", NULL))
        fuzz_check(value.text >= root.text && value.text + value.len <= root.text + root.len);
    return 0;
}
