/* Streamed words of the backend: whatever way the bytes are split, the same comes out, and it is
 * fit to be shown. */
#include "fuzz.h"

#include "buffer.h"
#include "translate.h"
#include "utf8.h"

static void on_text(void *user, const char *text, size_t len)
{
    fuzz_check(len > 0 && utf8_is_valid(text, len));
    for (size_t at = 0; at < len;) {
        uint32_t c;
        at += utf8_decode(text + at, len - at, &c);
        fuzz_check(c == '\n' || c == '\t' || (c >= 0x20 && c != 0x7f && (c < 0x80 || c > 0x9f)));
    }
    fuzz_check(!buffer_add(user, text, len));
}

static unsigned run(const uint8_t *data, size_t size, size_t step, bool manual,
                    struct buffer *shown)
{
    buffer_init(shown, 256u << 20);
    struct translate *t = translate_new(manual, on_text, shown);
    fuzz_check(t);
    for (size_t at = 0; at < size; at += step)
        translate_feed(t, (const char *)data + at, size - at < step ? size - at : step);
    unsigned wishes = translate_finish(t);
    fuzz_check(!manual || !(wishes & TRANSLATE_EXPORT));
    fuzz_check(translate_finish(t) == 0);
    translate_free(t);
    return wishes;
}

static void check_secrets(const struct buffer *shown)
{
    static const char *const secrets[] = {"nmv_usr_", "clm_"};
    for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++) {
        size_t n = strlen(secrets[i]);
        const char *found = shown->len ? memmem(shown->data, shown->len, secrets[i], n) : NULL;
        const char *end = shown->len ? shown->data + shown->len : NULL;
        /* Its prefix may stand there, what follows may not. */
        fuzz_check(!found || found + n == end || !memcmp(found + n, "***", 3));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer whole, pieces;
    size_t step = size ? 1 + data[size - 1] % 7 : 1;
    bool manual = size && data[0] & 1;
    unsigned wishes = run(data, size, size + 1, manual, &whole);
    fuzz_check(run(data, size, step, manual, &pieces) == wishes);
    fuzz_check(whole.len == pieces.len);
    fuzz_check(!whole.len || !memcmp(whole.data, pieces.data, whole.len));
    check_secrets(&whole);
    buffer_release(&whole);
    buffer_release(&pieces);
    return 0;
}
