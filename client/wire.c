/* The answers. */
#include "wire.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

#include "date.h"
#include "envelope.h"
#include "jsontext.h"

/* ---- answers, all of them ---- */

#define TEXT_MAX 8192 /* bytes looked at of an answer that is no JSON */

/* Its fault: its status, and its words if they are words. */
static struct fault fault_of_text(const struct wire_answer *a)
{
    enum fault_kind kind = fault_of_http(a->http);
    if (kind == FAULT_NONE)
        kind = FAULT_PROTOCOL;
    char words[ENVELOPE_WORDS_MAX];
    fault_clean_text(a->body, a->len < TEXT_MAX ? a->len : TEXT_MAX, words, sizeof(words));
    const char *first = words + strspn(words, " ");
    bool markup = *first && strchr("<{[", *first);
    return fault_make(kind, markup || kind == FAULT_PROTOCOL ? NULL : first);
}

/* The payload of an answer that tells of no failure. */
static bool read_payload(const struct wire_answer *a, struct jsontext *root,
                         struct jsontext *payload, struct fault *fault)
{
    bool readable = a->len && !jsontext_parse(a->body, a->len, root);
    *fault = readable ? envelope_fault(*root, a->http) : fault_of_text(a);
    if (fault->kind == FAULT_NOT_FOUND && envelope_says_no_session(a->body, a->len))
        fault->kind = FAULT_SESSION;
    fault->http = a->http;
    fault->sent = true;
    if (readable)
        *payload = envelope_payload(*root);
    return fault->kind == FAULT_NONE;
}

/* The same where 400 means no more than a request that the backend does not like. */
static bool read_answer(const struct wire_answer *a, struct jsontext *root,
                        struct jsontext *payload, struct fault *fault)
{
    bool fine = read_payload(a, root, payload, fault);
    if (fault->kind == FAULT_CLIENT_ID)
        fault->kind = FAULT_SERVER;
    return fine;
}

/* An answer that tells of success and yet does not hold what it has to. */
static bool makes_no_sense(struct fault *fault)
{
    int http = fault->http;
    *fault = fault_make(FAULT_PROTOCOL, NULL);
    fault->http = http;
    fault->sent = true;
    return false;
}

bool wire_read_done(const struct wire_answer *a, struct fault *fault)
{
    struct jsontext root, payload;
    if (!a->len && fault_of_http(a->http) == FAULT_NONE) {
        *fault = fault_make(FAULT_NONE, NULL);
        fault->http = a->http;
        return true;
    }
    return read_answer(a, &root, &payload, fault);
}

/* ---- members ---- */

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

/* An id or a token: a string of printable ASCII, or the digits of a number as they stand. False and
 * "" if there is none that fits. */
static bool copy_id(struct jsontext object, const char *name, char *out, size_t size)
{
    struct jsontext value;
    out[0] = '\0';
    if (jsontext_find(object, &value, name, NULL) || value.len >= size)
        return false;
    if (jsontext_type(value) == JSONTEXT_NUMBER) {
        memcpy(out, value.text, value.len);
        out[value.len] = '\0';
    } else {
        jsontext_copy(value, out, size);
    }
    if (!is_plain(out))
        out[0] = '\0';
    return *out;
}

static int64_t integer(struct jsontext object, const char *name, int64_t otherwise)
{
    struct jsontext value;
    int64_t number;
    if (jsontext_find(object, &value, name, NULL) || jsontext_int64(value, &number))
        return otherwise;
    return number;
}

static int clamp(int64_t number, int low, int high)
{
    return number < low ? low : number > high ? high : (int)number;
}

/* ---- token, session, link ---- */

#define MILLISECONDS_FROM INT64_C(100000000000) /* as seconds, the year 5138 */

static int64_t expiry(struct jsontext payload)
{
    char text[64];
    struct jsontext value;
    int64_t at;
    if (jsontext_find(payload, &value, "expires_at", NULL))
        return 0;
    if (!jsontext_int64(value, &at))
        return at < 0 ? 0 : at >= MILLISECONDS_FROM ? at / 1000 : at;
    jsontext_copy(value, text, sizeof(text));
    return date_from_iso8601(text, &at) ? 0 : at;
}

bool wire_read_token(const struct wire_answer *a, struct wire_token *out, struct fault *fault)
{
    struct jsontext root, payload;
    struct wire_token token;
    if (!read_payload(a, &root, &payload, fault))
        return false;
    if (!copy_id(payload, "token", token.token, sizeof(token.token)))
        return makes_no_sense(fault);
    copy_id(payload, "user_id", token.user_id, sizeof(token.user_id));
    token.expires_at_s = expiry(payload);
    token.credits = integer(payload, "credits", -1);
    if (token.credits < 0)
        token.credits = -1;
    *out = token;
    return true;
}

bool wire_read_session(const struct wire_answer *a, struct wire_session *out, struct fault *fault)
{
    struct jsontext root, payload;
    struct wire_session session;
    if (!read_answer(a, &root, &payload, fault))
        return false;
    if (!copy_id(payload, "session_id", session.session_id, sizeof(session.session_id)))
        return makes_no_sense(fault);
    copy_id(payload, "task_id", session.task_id, sizeof(session.task_id));
    copy_id(payload, "user_id", session.user_id, sizeof(session.user_id));
    *out = session;
    return true;
}

bool wire_read_claim(const struct wire_answer *a, struct wire_claim *out, struct fault *fault)
{
    static const char fit_for_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789-_.~";
    struct jsontext root, payload;
    struct wire_claim claim;
    if (!read_answer(a, &root, &payload, fault))
        return false;
    if (!copy_id(payload, "claim_token", claim.claim_token, sizeof(claim.claim_token)) ||
        claim.claim_token[strspn(claim.claim_token, fit_for_url)])
        return makes_no_sense(fault);
    claim.expires_in_s = clamp(integer(payload, "expires_in", INT_MAX), 0, INT_MAX);
    *out = claim;
    return true;
}

/* ---- upload ---- */

static bool first_file(struct jsontext payload, const char *name, struct jsontext *file)
{
    struct jsontext_walk walk;
    struct jsontext list;
    if (jsontext_find(payload, &list, name, NULL) || jsontext_type(list) != JSONTEXT_ARRAY)
        return false;
    jsontext_walk_init(&walk, list);
    while (jsontext_walk_next(&walk, NULL, file))
        if (jsontext_type(*file) == JSONTEXT_OBJECT)
            return true;
    return false;
}

bool wire_read_upload(const struct wire_answer *a, char url[WIRE_URL_MAX], struct fault *fault)
{
    static const char *const names[] = {"cdn_url", "url"};
    struct jsontext root, payload, file, value;
    if (!read_answer(a, &root, &payload, fault))
        return false;
    if (!first_file(payload, "files", &file) && !first_file(payload, "uploaded_files", &file))
        return makes_no_sense(fault);
    url[0] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !*url; i++)
        if (!jsontext_find(file, &value, names[i], NULL) && value.len < WIRE_URL_MAX)
            jsontext_copy(value, url, WIRE_URL_MAX);
    return true;
}

/* ---- state, balance ---- */

/* Without a member `state`: is this a state itself? An object that holds nothing tells nothing. */
static bool is_bare_state(struct jsontext payload)
{
    static const char *const names[] = {"draft", "video_infos", "generated_media", "canvas_config"};
    struct jsontext value;
    if (jsontext_type(payload) != JSONTEXT_OBJECT)
        return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (!jsontext_find(payload, &value, names[i], NULL))
            return true;
    return false;
}

bool wire_read_state(const struct wire_answer *a, const char **state, size_t *len,
                     struct fault *fault)
{
    struct jsontext root, payload, value;
    if (!read_answer(a, &root, &payload, fault))
        return false;
    if (jsontext_find(payload, &value, "state", NULL)) {
        bool nothing =
            !jsontext_find(root, &value, "data", NULL) && jsontext_type(value) == JSONTEXT_NULL;
        if (!nothing && !is_bare_state(payload))
            return makes_no_sense(fault);
        if (!nothing)
            value = payload;
    }
    enum jsontext_type type = jsontext_type(value);
    if (type != JSONTEXT_OBJECT && type != JSONTEXT_NULL)
        return makes_no_sense(fault);
    *state = value.text;
    *len = value.len;
    return true;
}

static int64_t credits(struct jsontext payload, const char *name)
{
    int64_t number = integer(payload, name, 0);
    return number < 0 ? 0 : number;
}

bool wire_read_balance(const struct wire_answer *a, struct client_balance *out, struct fault *fault)
{
    struct jsontext root, payload;
    if (!read_answer(a, &root, &payload, fault))
        return false;
    if (jsontext_type(payload) != JSONTEXT_OBJECT)
        return makes_no_sense(fault);
    out->available = credits(payload, "available");
    out->frozen = credits(payload, "frozen");
    out->total = credits(payload, "total");
    return true;
}

/* ---- render ---- */

static const struct {
    const char *word;
    enum wire_render_status status;
} STATUSES[] = {
    {"pending", WIRE_RENDER_PENDING},     {"queued", WIRE_RENDER_PENDING},
    {"completed", WIRE_RENDER_COMPLETED}, {"complete", WIRE_RENDER_COMPLETED},
    {"succeeded", WIRE_RENDER_COMPLETED}, {"done", WIRE_RENDER_COMPLETED},
    {"failed", WIRE_RENDER_FAILED},       {"error", WIRE_RENDER_FAILED},
};

static bool find_status(struct jsontext object, enum wire_render_status *status)
{
    struct jsontext value;
    char word[32];
    if (jsontext_find(object, &value, "status", NULL) || !jsontext_copy(value, word, sizeof(word)))
        return false;
    *status = WIRE_RENDER_PROCESSING;
    for (size_t i = 0; i < sizeof(STATUSES) / sizeof(*STATUSES); i++)
        if (!strcasecmp(word, STATUSES[i].word))
            *status = STATUSES[i].status;
    return true;
}

static bool copy_url(struct jsontext value, char out[WIRE_URL_MAX])
{
    out[0] = '\0';
    if (value.len >= WIRE_URL_MAX)
        return false;
    jsontext_copy(value, out, WIRE_URL_MAX);
    bool absolute = !strncasecmp(out, "https://", 8) || !strncasecmp(out, "http://", 7);
    if (!absolute || !is_plain(out))
        out[0] = '\0';
    return *out;
}

static bool find_url(struct jsontext object, char out[WIRE_URL_MAX])
{
    struct jsontext value;
    return (!jsontext_find(object, &value, "output", "url", NULL) && copy_url(value, out)) ||
           (!jsontext_find(object, &value, "outputUrl", NULL) && copy_url(value, out));
}

static int percent(struct jsontext root, struct jsontext payload)
{
    struct jsontext value;
    double number;
    if ((jsontext_find(payload, &value, "progress", NULL) &&
         jsontext_find(root, &value, "progress", NULL)) ||
        jsontext_double(value, &number))
        return -1;
    return number <= 0 ? 0 : number >= 100 ? 100 : (int)number;
}

/* Why a render failed. The message of an envelope around it says no more than that the poll went
 * well. */
static void find_reason(struct jsontext root, struct jsontext payload, char out[FAULT_DETAIL_MAX])
{
    char words[ENVELOPE_WORDS_MAX];
    struct jsontext error;
    if (!envelope_words(payload, words) && !jsontext_find(root, &error, "error", NULL) &&
        jsontext_type(error) == JSONTEXT_STRING)
        jsontext_copy(error, words, sizeof(words));
    struct fault fault = fault_make(FAULT_RENDER, words);
    memcpy(out, fault.detail, FAULT_DETAIL_MAX);
}

bool wire_read_render(const struct wire_answer *a, struct wire_render *out, struct fault *fault)
{
    struct jsontext root, payload;
    struct wire_render render = {.percent = -1};
    bool fine = read_answer(a, &root, &payload, fault);
    bool answered = fine || (fault->kind == FAULT_SERVER && fault_of_http(a->http) == FAULT_NONE);
    if (!answered)
        return false;

    bool told = find_status(payload, &render.status) || find_status(root, &render.status);
    /* A failed render may come in an envelope that says so too. */
    if (!fine && !(told && render.status == WIRE_RENDER_FAILED))
        return false;
    bool has_url = find_url(payload, render.url) || find_url(root, render.url);
    if (!told && !has_url)
        return makes_no_sense(fault);
    if (!told)
        render.status = WIRE_RENDER_COMPLETED;
    if (render.status != WIRE_RENDER_COMPLETED)
        render.url[0] = '\0';
    render.percent = percent(root, payload);
    if (render.status == WIRE_RENDER_FAILED)
        find_reason(root, payload, render.detail);
    *fault = fault_make(FAULT_NONE, NULL);
    fault->http = a->http;
    *out = render;
    return true;
}

bool wire_render_exists(const struct fault *fault)
{
    return fault->http == 409 || fault->code == 409 || strcasestr(fault->detail, "already exist") ||
           strcasestr(fault->detail, "duplicate");
}

/* ---- Retry-After ---- */

int wire_retry_after_s(const char *value, int64_t now_s)
{
    int64_t wait = 0, then;
    if (!value)
        return -1;
    value += strspn(value, " \t");
    size_t digits = strspn(value, "0123456789");
    if (digits && !value[digits + strspn(value + digits, " \t")]) {
        for (size_t i = 0; i < digits && wait <= WIRE_RETRY_AFTER_MAX_S; i++)
            wait = wait * 10 + (value[i] - '0');
    } else if (!date_from_http(value, &then)) {
        wait = then - now_s;
    } else {
        return -1;
    }
    return clamp(wait, 0, WIRE_RETRY_AFTER_MAX_S);
}
