/* An answer: its first byte picks the status, the rest is the body, which is read as every kind of
 * answer. */
#include "fuzz.h"

#include "jsontext.h"
#include "utf8.h"
#include "wire.h"

static const int STATUSES[] = {200, 200, 200, 201, 204, 302, 400, 401, 402, 403,
                               404, 409, 413, 429, 500, 503, 0,   99,  600, -1};

static void check_fault(const struct fault *f, bool fine)
{
    char words[512], hint[512];
    struct fault_context who = {"https://web", f->detail, f->code & 1};
    fuzz_check(fine == (f->kind == FAULT_NONE));
    fuzz_check(utf8_is_valid(f->detail, strnlen(f->detail, FAULT_DETAIL_MAX)));
    fault_words(f, words, sizeof(words));
    fault_hint(f, &who, hint, sizeof(hint));
    fuzz_check(!strpbrk(words, "\n\r\x1b") && !strpbrk(hint, "\n\r\x1b"));
    wire_render_exists(f);
}

static void read_small(const struct wire_answer *a)
{
    struct fault f;
    struct wire_token token;
    struct wire_session session;
    struct wire_claim claim;
    struct client_balance balance;
    struct wire_render render;
    check_fault(&f, wire_read_done(a, &f));
    bool fine = wire_read_token(a, &token, &f);
    check_fault(&f, fine);
    fuzz_check(!fine || *token.token);
    fine = wire_read_session(a, &session, &f);
    check_fault(&f, fine);
    fuzz_check(!fine || *session.session_id);
    fine = wire_read_claim(a, &claim, &f);
    check_fault(&f, fine);
    fine = wire_read_balance(a, &balance, &f);
    check_fault(&f, fine);
    fuzz_check(!fine || (balance.available >= 0 && balance.frozen >= 0 && balance.total >= 0));
    fine = wire_read_render(a, &render, &f);
    check_fault(&f, fine);
    fuzz_check(!fine || (render.percent >= -1 && render.percent <= 100));
    fuzz_check(!fine || !*render.url || !strncasecmp(render.url, "http", 4));
}

static void read_state(const struct wire_answer *a)
{
    struct fault f;
    const char *state;
    size_t len;
    bool fine = wire_read_state(a, &state, &len, &f);
    check_fault(&f, fine);
    if (!fine)
        return;
    struct jsontext value;
    fuzz_check(state >= a->body && state + len <= a->body + a->len);
    fuzz_check(!jsontext_parse(state, len, &value) && value.len == len);
    char *body;
    size_t body_len;
    if (!wire_render_body("render_1", "1", state, len, &body, &body_len)) {
        fuzz_check(memmem(body, body_len, state, len));
        free(body);
    }
}

static void read_upload(const struct wire_answer *a)
{
    struct fault f;
    char url[WIRE_URL_MAX];
    bool fine = wire_read_upload(a, url, &f);
    check_fault(&f, fine);
    fuzz_check(!fine || utf8_is_valid(url, strlen(url)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct wire_answer a = {STATUSES[data[0] % (sizeof(STATUSES) / sizeof(*STATUSES))],
                            (const char *)data + 1, size - 1};
    read_small(&a);
    read_state(&a);
    read_upload(&a);

    char *text = strndup((const char *)data, size), *body;
    size_t len;
    fuzz_check(text);
    int wait = wire_retry_after_s(text, 1795940100);
    fuzz_check(wait >= -1 && wait <= WIRE_RETRY_AFTER_MAX_S);
    if (!wire_message_body("1", text, &body, &len)) {
        struct jsontext value;
        fuzz_check(!jsontext_parse(body, len, &value));
        free(body);
    }
    free(text);
    return 0;
}
