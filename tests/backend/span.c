#include "span.h"

#include <string.h>

static size_t skip_space(const char *text, size_t len, size_t i)
{
    while (i < len && memchr(" \t\r\n", text[i], 4))
        i++;
    return i;
}

/* `i` is at an opening quote; the place after the closing one, or len. */
static size_t skip_string(const char *text, size_t len, size_t i)
{
    for (i++; i < len && text[i] != '"'; i++) {
        if (text[i] == '\\')
            i++;
    }
    return i < len ? i + 1 : len;
}

/* The place after the value that begins at `i`. */
static size_t skip_value(const char *text, size_t len, size_t i)
{
    size_t depth = 0;

    while (i < len) {
        char c = text[i];
        if (c == '"') {
            i = skip_string(text, len, i);
        } else if (c == '{' || c == '[') {
            depth++;
            i++;
        } else if (c == '}' || c == ']') {
            if (depth == 0)
                return i;
            depth--;
            i++;
        } else if (depth == 0 && memchr(", \t\r\n", c, 5)) {
            return i;
        } else {
            i++;
            continue;
        }
        if (depth == 0)
            return i;
    }
    return len;
}

bool span_member(const char *text, size_t len, const char *key, const char **value,
                 size_t *value_len)
{
    size_t key_len = strlen(key);
    bool found = false;
    size_t i = skip_space(text, len, 0);

    if (i >= len || text[i] != '{')
        return false;
    i++;
    for (;;) {
        i = skip_space(text, len, i);
        if (i >= len || text[i] != '"')
            return found;
        size_t name = i + 1;
        i = skip_string(text, len, i);
        bool match = i - name == key_len + 1 && memcmp(text + name, key, key_len) == 0;
        i = skip_space(text, len, i);
        if (i >= len || text[i] != ':')
            return found;
        i = skip_space(text, len, i + 1);
        size_t end = skip_value(text, len, i);
        if (match) {
            *value = text + i;
            *value_len = end - i;
            found = true;
        }
        i = skip_space(text, len, end);
        if (i >= len || text[i] != ',')
            return found;
        i++;
    }
}
