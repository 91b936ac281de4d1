/* A text written to `instruct`: what is a free command was one from its first byte on, and the URLs
 * are part of the text. */
#include "fuzz.h"

#include "route.h"

static void check_urls(const char *text, size_t len, const struct route_urls *urls)
{
    fuzz_check(urls->count > 0 && urls->count <= ROUTE_URLS_MAX);
    const char *after = text;
    for (size_t i = 0; i < urls->count; i++) {
        fuzz_check(urls->url[i].start >= after && urls->url[i].len > strlen("http://"));
        after = urls->url[i].start + urls->url[i].len;
        fuzz_check(after <= text + len);
        for (const char *c = urls->url[i].start; c < after; c++)
            fuzz_check(*c > ' ' && *c < 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Copied, so that a read beyond its end is seen. */
    char *text = malloc(size ? size : 1);
    struct route_urls urls = {0};
    fuzz_check(text);
    memcpy(text, data, size);

    enum route route = route_of(text, size, &urls);
    fuzz_check(route == route_of(text, size, NULL));
    if (route == ROUTE_UPLOAD)
        check_urls(text, size, &urls);
    else
        fuzz_check(urls.count == 0);
    size_t step = 1 + size / 64;
    for (size_t cut = 0; route != ROUTE_EDIT && cut <= size; cut += step)
        fuzz_check(route_may_become_free(text, cut));
    route_may_become_free(text, size);
    free(text);
    return 0;
}
