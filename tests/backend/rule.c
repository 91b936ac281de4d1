#include "rule.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "store.h"

/* The keys that rules know, in the order of `set`'s bits. */
enum key {
    KEY_ENDPOINT,
    KEY_CALL,
    KEY_PATH,
    KEY_CODE,
    KEY_MESSAGE,
    KEY_STATUS,
    KEY_BODY,
    KEY_BODY_FILE,
    KEY_REPEAT,
    KEY_GARBAGE,
    KEY_GENERATE,
    KEY_SIZE,
    KEY_HEADERS,
    KEY_RETRY_AFTER,
    KEY_DELAY_MS,
    KEY_CUT,
    KEY_CUT_AFTER,
    KEY_RESET,
    KEY_STALL,
    KEY_STALL_AFTER,
    KEY_RATE,
    KEY_REQUEST_RATE,
    KEY_EVENTS,
    KEY_EVENTS_FILE,
    KEY_GAP_MS,
    KEY_ENDLESS,
    KEY_SILENT,
    KEY_EDIT,
    KEY_LAG_READS,
    KEY_RENDER,
    KEY_RENDER_MS,
    KEY_OUTPUT_URL,
    KEY_COUNT,
};

static const char *const key_names[KEY_COUNT] = {
    "endpoint",     "call",   "path",        "code",       "message", "status",      "body",
    "body_file",    "repeat", "garbage",     "generate",   "size",    "headers",     "retry_after",
    "delay_ms",     "cut",    "cut_after",   "reset",      "stall",   "stall_after", "rate",
    "request_rate", "events", "events_file", "gap_ms",     "endless", "silent",      "edit",
    "lag_reads",    "render", "render_ms",   "output_url",
};

static bool whole(const cJSON *v, double max, double *out)
{
    if (!cJSON_IsNumber(v) || !(v->valuedouble >= 0) || v->valuedouble > max)
        return false;
    *out = floor(v->valuedouble);
    return true;
}

static bool read_endpoint(struct rule *r, const char *name)
{
    if (name && strcmp(name, "*") == 0) {
        r->endpoint = -1;
        return true;
    }
    for (int i = 0; name && i < ENDPOINT_COUNT; i++) {
        if (i != ENDPOINT_CONTROL && strcmp(name, endpoint_names[i]) == 0) {
            r->endpoint = i;
            return true;
        }
    }
    return false;
}

static bool read_calls(struct rule *r, const cJSON *v)
{
    const cJSON *from = cJSON_GetObjectItemCaseSensitive(v, "from");
    const cJSON *to = cJSON_GetObjectItemCaseSensitive(v, "to");
    double n = 0;

    if (cJSON_IsNumber(v)) {
        bool ok = whole(v, 1e15, &n);
        r->from = r->to = (uint64_t)n;
        return ok;
    }
    if (from && !whole(from, 1e15, &n))
        return false;
    r->from = (uint64_t)n;
    if (!to)
        return cJSON_IsObject(v);
    bool ok = whole(to, 1e15, &n);
    r->to = (uint64_t)n;
    return ok;
}

static bool read_cut(struct rule *r, const char *name)
{
    static const char *const names[] = {"", "request", "before_headers", "body"};

    for (int i = 1; name && i < 4; i++) {
        if (strcmp(name, names[i]) == 0) {
            r->fx.cut = (enum cut)i;
            return true;
        }
    }
    return false;
}

static bool read_stall(struct rule *r, const char *name)
{
    if (!name || (strcmp(name, "request") != 0 && strcmp(name, "body") != 0))
        return false;
    r->fx.stall = *name == 'r' ? STALL_REQUEST : STALL_BODY;
    return true;
}

static bool read_hostile(struct rule *r, const char *name)
{
    for (int i = 1; name && i < HOSTILE_COUNT; i++) {
        if (strcmp(name, hostile_names[i]) == 0) {
            r->fx.hostile = (enum hostile)i;
            return true;
        }
    }
    return false;
}

static bool add_header(struct effects *fx, const char *name, const char *value)
{
    if (!name || !value || fx->header_count == FAULTS_HEADERS_MAX)
        return false;
    fx->headers[fx->header_count++] = (struct fault_header){name, value};
    return true;
}

static bool read_headers(struct rule *r, const cJSON *v)
{
    const cJSON *h;

    cJSON_ArrayForEach(h, v)
    {
        if (!add_header(&r->fx, h->string, cJSON_GetStringValue(h)))
            return false;
    }
    return cJSON_IsObject(v);
}

static bool read_retry_after(struct rule *r, const cJSON *v)
{
    if (cJSON_IsString(v))
        return add_header(&r->fx, "Retry-After", v->valuestring);
    if (!cJSON_IsNumber(v) || r->retry_after ||
        asprintf(&r->retry_after, "%.0f", v->valuedouble) < 0)
        return false;
    return add_header(&r->fx, "Retry-After", r->retry_after);
}

static bool read_file(struct rule *r, const char *path, const char **text, size_t *len)
{
    struct bytes contents;

    bytes_init(&contents, STORE_RECORD_MAX);
    if (!path || r->file || store_read(path, &contents) != 0 ||
        !(r->file = bytes_take(&contents, len))) {
        bytes_release(&contents);
        return false;
    }
    *text = r->file;
    return true;
}

static bool read_text(const cJSON *v, const char **text, size_t *len)
{
    *text = cJSON_GetStringValue(v);
    *len = *text ? strlen(*text) : 0;
    return *text != NULL;
}

/* Where and when: -1 if the key is none of these, else whether it makes sense. */
static int read_place(struct rule *r, enum key key, const cJSON *v)
{
    switch (key) {
    case KEY_ENDPOINT:
        return read_endpoint(r, cJSON_GetStringValue(v));
    case KEY_CALL:
        return read_calls(r, v);
    case KEY_PATH:
        r->path = cJSON_GetStringValue(v);
        return r->path != NULL;
    default:
        return -1;
    }
}

/* Texts and names. */
static int read_words(struct rule *r, enum key key, const cJSON *v)
{
    struct effects *fx = &r->fx;
    const char *text = cJSON_GetStringValue(v);

    switch (key) {
    case KEY_MESSAGE:
        fx->message = text;
        return text != NULL;
    case KEY_BODY:
        return read_text(v, &fx->body, &fx->body_len);
    case KEY_BODY_FILE:
        return read_file(r, text, &fx->body, &fx->body_len);
    case KEY_GENERATE:
        return read_hostile(r, text);
    case KEY_HEADERS:
        return read_headers(r, v);
    case KEY_RETRY_AFTER:
        return read_retry_after(r, v);
    case KEY_CUT:
        return read_cut(r, text);
    case KEY_STALL:
        return read_stall(r, text);
    case KEY_EVENTS:
        return read_text(v, &fx->events, &fx->events_len);
    case KEY_EVENTS_FILE:
        return read_file(r, text, &fx->events, &fx->events_len);
    case KEY_RENDER:
        fx->render_fails = text && strcmp(text, "fail") == 0;
        return fx->render_fails;
    case KEY_OUTPUT_URL:
        fx->output_url = text;
        return text != NULL;
    default:
        return -1;
    }
}

static int read_switch(struct rule *r, enum key key, const cJSON *v)
{
    struct effects *fx = &r->fx;
    bool on = cJSON_IsTrue(v);

    switch (key) {
    case KEY_GARBAGE:
        fx->hostile = on ? HOSTILE_NOISE : HOSTILE_NONE;
        break;
    case KEY_RESET:
        fx->reset = on;
        break;
    case KEY_ENDLESS:
        fx->endless = on;
        break;
    case KEY_SILENT:
        fx->silent = on;
        break;
    case KEY_EDIT:
        fx->edit = on;
        break;
    default:
        return -1;
    }
    return cJSON_IsBool(v);
}

static bool read_number(struct rule *r, enum key key, const cJSON *v)
{
    struct effects *fx = &r->fx;
    double n = 0;

    if (!whole(v, key == KEY_CODE || key == KEY_STATUS || key == KEY_LAG_READS ? 1e9 : 1e15, &n))
        return false;
    switch (key) {
    case KEY_CODE:
        fx->code = (int)n;
        return true;
    case KEY_STATUS:
        fx->status = (int)n;
        return n >= 200 && n <= 999;
    case KEY_REPEAT:
        fx->repeat = (uint64_t)n;
        return true;
    case KEY_SIZE:
        fx->size = (uint64_t)n;
        return true;
    case KEY_DELAY_MS:
        fx->delay_ms = (int64_t)n;
        return true;
    case KEY_CUT_AFTER:
        fx->cut_after = (uint64_t)n;
        return true;
    case KEY_STALL_AFTER:
        fx->stall_after = (uint64_t)n;
        return true;
    case KEY_RATE:
        fx->rate = (uint64_t)n;
        return true;
    case KEY_REQUEST_RATE:
        fx->request_rate = (uint64_t)n;
        return true;
    case KEY_GAP_MS:
        fx->gap_ms = (int64_t)n;
        return true;
    case KEY_LAG_READS:
        fx->lag_reads = (int)n;
        return true;
    case KEY_RENDER_MS:
        fx->render_ms = (int64_t)n;
        return true;
    default:
        return false;
    }
}

static bool has(const struct rule *r, enum key key)
{
    return r->set >> key & 1;
}

static bool read_key(struct rule *r, const cJSON *v)
{
    int key = 0;

    while (key < KEY_COUNT && strcmp(v->string, key_names[key]) != 0)
        key++;
    if (key == KEY_COUNT)
        return false;
    r->set |= UINT64_C(1) << key;
    int ok = read_place(r, (enum key)key, v);
    if (ok < 0)
        ok = read_words(r, (enum key)key, v);
    if (ok < 0)
        ok = read_switch(r, (enum key)key, v);
    return ok < 0 ? read_number(r, (enum key)key, v) : ok;
}

bool rule_read(struct rule *r, const cJSON *o, char words[FAULTS_WORDS_MAX])
{
    const cJSON *v;

    *r = (struct rule){.to = UINT64_MAX, .fx = {.edit = -1, .repeat = 1}};
    if (!cJSON_IsObject(o) || !cJSON_HasObjectItem(o, key_names[KEY_ENDPOINT])) {
        snprintf(words, FAULTS_WORDS_MAX, "a rule is an object with an endpoint");
        return false;
    }
    cJSON_ArrayForEach(v, o)
    {
        if (!read_key(r, v)) {
            snprintf(words, FAULTS_WORDS_MAX, "bad value, or no such key: %.80s", v->string);
            return false;
        }
    }
    /* A place alone says that it happens there. */
    if (has(r, KEY_CUT_AFTER) && !has(r, KEY_CUT))
        r->fx.cut = CUT_BODY;
    if (has(r, KEY_STALL_AFTER) && !has(r, KEY_STALL))
        r->fx.stall = STALL_BODY;
    return true;
}

#define TAKE(key, field)                                                                           \
    do {                                                                                           \
        if (has(r, key))                                                                           \
            out->field = r->fx.field;                                                              \
    } while (0)

void rule_apply(const struct rule *r, struct effects *out)
{
    TAKE(KEY_CODE, code);
    TAKE(KEY_MESSAGE, message);
    TAKE(KEY_STATUS, status);
    TAKE(KEY_REPEAT, repeat);
    TAKE(KEY_SIZE, size);
    TAKE(KEY_DELAY_MS, delay_ms);
    TAKE(KEY_RESET, reset);
    TAKE(KEY_RATE, rate);
    TAKE(KEY_REQUEST_RATE, request_rate);
    TAKE(KEY_GAP_MS, gap_ms);
    TAKE(KEY_ENDLESS, endless);
    TAKE(KEY_SILENT, silent);
    TAKE(KEY_EDIT, edit);
    TAKE(KEY_LAG_READS, lag_reads);
    TAKE(KEY_RENDER, render_fails);
    TAKE(KEY_RENDER_MS, render_ms);
    TAKE(KEY_OUTPUT_URL, output_url);
    if (has(r, KEY_BODY) || has(r, KEY_BODY_FILE)) {
        out->body = r->fx.body;
        out->body_len = r->fx.body_len;
    }
    if (has(r, KEY_GARBAGE) || has(r, KEY_GENERATE))
        out->hostile = r->fx.hostile;
    if (r->fx.cut) {
        out->cut = r->fx.cut;
        out->cut_after = r->fx.cut_after;
    }
    if (r->fx.stall) {
        out->stall = r->fx.stall;
        out->stall_after = r->fx.stall_after;
    }
    if (has(r, KEY_EVENTS) || has(r, KEY_EVENTS_FILE)) {
        out->events = r->fx.events;
        out->events_len = r->fx.events_len;
    }
    for (int i = 0; i < r->fx.header_count; i++)
        add_header(out, r->fx.headers[i].name, r->fx.headers[i].value);
}

void rule_release(struct rule *r)
{
    free(r->file);
    free(r->retry_after);
}
