#include "ids.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void fill(void *out, size_t len)
{
    /* At most 256 bytes are never interrupted nor cut short. */
    if (getrandom(out, len, 0) != (ssize_t)len)
        abort();
}

void id_decimal(char out[ID_MAX])
{
    uint64_t n;

    fill(&n, sizeof(n));
    snprintf(out, ID_MAX, "7%018llu", (unsigned long long)(n % 1000000000000000000ULL));
}

void id_hex(char out[ID_MAX], const char *prefix, size_t digits)
{
    unsigned char raw[32];
    int len = snprintf(out, ID_MAX, "%.24s", prefix);

    fill(raw, sizeof(raw));
    for (size_t i = 0; i < digits / 2 && i < sizeof(raw); i++)
        len += snprintf(out + len, ID_MAX - (size_t)len, "%02x", raw[i]);
}

bool id_is_plain(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return len > 0 && len < ID_MAX && !text[len];
}
