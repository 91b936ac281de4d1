/* Option values: whatever is accepted keeps the promises of values.h. */
#include "fuzz.h"

#include <strings.h>

#include "values.h"

FUZZ_ENTRY int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *url = NULL, lang[VALUES_LANG_SIZE];
    uint64_t bytes = 0;
    int64_t ms = -1;

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (!values_size(text, &bytes))
        fuzz_check(bytes > 0);
    if (!values_seconds(text, &ms))
        fuzz_check(ms >= 0 && ms <= (int64_t)VALUES_SECONDS_MAX * 1000);
    for (int rule = VALUES_URL_SECRET; rule <= VALUES_URL_LINK; rule++) {
        if (values_url(text, rule, &url))
            continue;
        fuzz_check(!strpbrk(url, "@?# \n\r") && *url && url[strlen(url) - 1] != '/');
        fuzz_check(strncasecmp(url, "http", 4) == 0);
        free(url);
    }
    if (!values_lang(text, lang))
        fuzz_check(strlen(lang) > 0 && strspn(lang, "abcdefghijklmnopqrstuvwxyz") == strlen(lang));
    if (!values_token(text, 64))
        fuzz_check(strlen(text) > 0 && strlen(text) <= 64 && !strpbrk(text, " \r\n\t\x1b\x7f"));
    free(text);
    return 0;
}
