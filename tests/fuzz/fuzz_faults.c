/* The fault rules of the local backend: any text is taken or refused in words, and what it asks for
 * keeps the promises of faults.h. */
#include "fuzz.h"

#include "../backend/faults.h"

static void check_effects(const struct effects *fx)
{
    char bytes[256];

    fuzz_check(fx->header_count >= 0 && fx->header_count <= FAULTS_HEADERS_MAX);
    for (int i = 0; i < fx->header_count; i++)
        fuzz_check(fx->headers[i].name && fx->headers[i].value);
    fuzz_check(!fx->body || strlen(fx->body) <= fx->body_len);
    fuzz_check(!fx->events || strlen(fx->events) <= fx->events_len);
    fuzz_check(fx->status == 0 || (fx->status >= 200 && fx->status <= 999));
    fuzz_check(fx->delay_ms >= 0 && fx->gap_ms >= 0 && fx->render_ms >= 0 && fx->lag_reads >= 0);
    fuzz_check(fx->hostile >= HOSTILE_NONE && fx->hostile < HOSTILE_COUNT);
    fuzz_check(!fx->hostile ||
               hostile_read(fx->hostile, fx->size, 0, bytes, sizeof(bytes)) <= sizeof(bytes));
    fuzz_check((ruleset_fd(fx->rules) >= 0) == (fx->rules != NULL));
}

FUZZ_ENTRY int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct faults *f;
    struct effects fx[ENDPOINT_COUNT];
    char words[FAULTS_WORDS_MAX];

    /* Rules may name files: of this machine, and not of the input. */
    if (size && memmem(data, size, "_file", 5))
        return 0;
    f = faults_new();
    fuzz_check(f);
    if (faults_set(f, (const char *)data, size, words)) {
        fuzz_check(memchr(words, '\0', sizeof(words)) && *words);
        faults_free(f);
        return 0;
    }
    for (int calls = 0; calls < 2; calls++) {
        for (int i = 0; i < ENDPOINT_COUNT; i++) {
            faults_take(f, (enum endpoint)i, "/api/state/nemo_agent/me/1/latest", &fx[i]);
            check_effects(&fx[i]);
        }
        for (int i = 0; i < ENDPOINT_COUNT; i++)
            effects_release(&fx[i]);
    }
    faults_free(f);
    return 0;
}
