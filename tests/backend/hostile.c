#include "hostile.h"

#include <string.h>

const char *const hostile_names[HOSTILE_COUNT] = {
    [HOSTILE_NONE] = "",
    [HOSTILE_NOISE] = "noise",
    [HOSTILE_DEEP_JSON] = "deep_json",
    [HOSTILE_WIDE_JSON] = "wide_json",
    [HOSTILE_LONG_STRING] = "long_string",
    [HOSTILE_LONG_LINE] = "long_line",
    [HOSTILE_EVENTS] = "events",
    [HOSTILE_SPACE] = "space",
    [HOSTILE_LONG_HEADER] = "long_header",
    [HOSTILE_HEADERS] = "headers",
};

/* A beginning, a middle repeated as often as fits, an end. */
struct shape {
    const char *head;
    const char *unit;
    const char *tail;
};

#define DRAFT_HEAD "{\"code\":0,\"data\":{\"state\":{\"draft\":"

static const struct shape shapes[HOSTILE_COUNT] = {
    [HOSTILE_DEEP_JSON] = {DRAFT_HEAD, "[", "}}}"}, /* the second half of the middle is closing */
    [HOSTILE_WIDE_JSON] = {DRAFT_HEAD "{\"t\":[",
                           "{\"tt\":0,\"sg\":[{\"d\":1000,\"name\":\"x\"}]},",
                           "{\"tt\":1,\"sg\":[]}]}}}}"},
    [HOSTILE_LONG_STRING] = {"{\"code\":0,\"message\":\"", "a", "\"}"},
    [HOSTILE_LONG_LINE] = {"data: ", "a", "\n\n"},
    [HOSTILE_EVENTS] = {"", "data: {\"type\":\"text\",\"content\":\"word \"}\n\n", ""},
    [HOSTILE_SPACE] = {"", " ", ""},
    [HOSTILE_LONG_HEADER] = {"HTTP/1.1 200 OK\r\nX-Long: ", "a", "\r\nContent-Length: 2\r\n\r\n{}"},
    [HOSTILE_HEADERS] = {"HTTP/1.1 200 OK\r\n", "X-Many: abcdefghijklmnopqrstuvwxyz\r\n",
                         "Content-Length: 2\r\n\r\n{}"},
};

static char noise(uint64_t pos)
{
    uint64_t x = (pos + 1) * UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return (char)(x >> 56);
}

static char byte_at(enum hostile kind, const struct shape *s, uint64_t middle, uint64_t pos)
{
    size_t head = strlen(s->head);

    if (pos < head)
        return s->head[pos];
    pos -= head;
    if (pos < middle)
        return kind == HOSTILE_DEEP_JSON && pos >= middle / 2 ? ']'
                                                              : s->unit[pos % strlen(s->unit)];
    return s->tail[pos - middle];
}

size_t hostile_read(enum hostile kind, uint64_t size, uint64_t pos, char *buf, size_t max)
{
    const struct shape *s = &shapes[kind];
    uint64_t middle = UINT64_MAX, total = UINT64_MAX;

    if (kind == HOSTILE_NOISE) {
        total = size ? size : UINT64_MAX;
    } else if (size) {
        uint64_t ends = strlen(s->head) + strlen(s->tail);
        uint64_t unit = kind == HOSTILE_DEEP_JSON ? 2 : strlen(s->unit);
        middle = size > ends ? (size - ends) / unit * unit : 0;
        total = ends + middle;
    } else {
        middle = UINT64_MAX / 4;
    }
    if (pos >= total)
        return 0;
    size_t n = total - pos < max ? (size_t)(total - pos) : max;
    for (size_t i = 0; i < n; i++)
        buf[i] = kind == HOSTILE_NOISE ? noise(pos + i) : byte_at(kind, s, middle, pos + i);
    return n;
}
