/* Two states, parted by a NUL: the listing of each, and what changed from one to the other. */
#include "fuzz.h"

#include "draft.h"
#include "jsontext.h"
#include "utf8.h"

static void check_text(const char *text, size_t max)
{
    size_t len = strlen(text);
    fuzz_check(len <= max);
    fuzz_check(!len || text[len - 1] == '\n');
    fuzz_check(utf8_is_valid(text, len));
    fuzz_check(!strpbrk(text, "\r\t\x1b\x07"));
}

static void check_state(const char *state, size_t len)
{
    const char *draft;
    char *listing;
    size_t draft_len;
    int err = draft_find(state, len, &draft, &draft_len);
    fuzz_check((draft_fingerprint(state, len) != 0) == !err);
    fuzz_check(draft_duration_ms(state, len) >= -1);
    fuzz_check(!err || !draft_is_ready(state, len));
    if (!err) {
        struct jsontext value;
        fuzz_check(!jsontext_parse(draft, draft_len, &value) && value.len == draft_len);
    }
    if (!draft_listing(state, len, &listing)) {
        check_text(listing, DRAFT_LISTING_MAX);
        free(listing);
    }
}

static void check_changes(const char *a, size_t a_len, const char *b, size_t b_len)
{
    bool changed;
    char *words;
    if (draft_changes(a, a_len, b, b_len, &changed, &words))
        return;
    check_text(words, 2u << 20);
    fuzz_check(changed == (*words != '\0'));
    free(words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *a = (const char *)data;
    const char *nul = size ? memchr(a, 0, size) : NULL;
    size_t a_len = nul ? (size_t)(nul - a) : size;
    const char *b = nul ? nul + 1 : NULL;
    size_t b_len = nul ? size - a_len - 1 : 0;
    check_state(a, a_len);
    if (b)
        check_state(b, b_len);
    check_changes(a, a_len, b, b_len);
    check_changes(b, b_len, a, a_len);
    check_changes(a, a_len, a, a_len);
    return 0;
}
