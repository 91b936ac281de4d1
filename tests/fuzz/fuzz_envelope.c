/* An answer's envelope: the first byte picks the status, the rest is its JSON. */
#include "fuzz.h"

#include "envelope.h"
#include "utf8.h"

static const int STATUSES[] = {0, 200, 204, 302, 400, 401, 402, 403, 404, 413, 429, 500, 503, 999};

FUZZ_ENTRY int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jsontext root, payload, again;
    char words[ENVELOPE_WORDS_MAX];
    struct fault f;
    bool spoken;

    if (!size || jsontext_parse((const char *)data + 1, size - 1, &root))
        return 0;
    f = envelope_fault(root, STATUSES[data[0] % (sizeof(STATUSES) / sizeof(*STATUSES))]);
    fuzz_check(memchr(f.detail, '\0', sizeof(f.detail)));
    fuzz_check(utf8_is_valid(f.detail, strlen(f.detail)) && !strpbrk(f.detail, "\n\r\x1b\x7f"));
    fuzz_check(f.kind != FAULT_NONE || (f.code == 0 && !*f.detail));

    spoken = envelope_words(root, words);
    fuzz_check(memchr(words, '\0', sizeof(words)) && spoken == (*words != '\0'));
    fuzz_check(utf8_is_valid(words, strlen(words)));
    envelope_says_no_session(words, strlen(words));

    payload = envelope_payload(root);
    fuzz_check(payload.text >= root.text && payload.text + payload.len <= root.text + root.len);
    fuzz_check(!jsontext_parse(payload.text, payload.len, &again) && again.len == payload.len);
    return 0;
}
