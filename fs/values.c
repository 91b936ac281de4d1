#include "values.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "text.h"

#define URL_MAX 2048
#define HOST_MAX 255

/* Reads "12" or "12.34" as a number of `scale`ths, what is finer rounded up; *end is behind it.
 * False if there is no number or it is over `max`. */
static bool read_decimal(const char *text, uint64_t scale, uint64_t max, const char **end,
                         uint64_t *out)
{
    uint64_t value = 0, place = scale;
    bool digits = false, rest = false;

    for (; isdigit((unsigned char)*text); text++) {
        if (value > max / 10)
            return false;
        value = value * 10 + (uint64_t)(*text - '0');
        digits = true;
    }
    if (value > max / scale)
        return false;
    value *= scale;
    if (*text == '.') {
        for (text++; isdigit((unsigned char)*text); text++) {
            uint64_t digit = (uint64_t)(*text - '0');

            value += digit * place / 10;
            rest |= digit * place % 10 != 0;
            place /= 10;
            digits = true;
        }
    }
    value += rest;
    if (!digits || value > max)
        return false;
    *end = text;
    *out = value;
    return true;
}

const char *values_size(const char *text, uint64_t *out)
{
    static const char units[] = "kMGT";
    const char *end = text + strspn(text, "0123456789.");
    const char *unit = *end ? strchr(units, *end == 'K' ? 'k' : *end) : NULL;
    uint64_t scale = 1, value;

    for (const char *u = units; unit && u <= unit; u++)
        scale *= 1000;
    if (end[unit ? 1 : 0] != '\0' || !read_decimal(text, scale, INT64_MAX, &end, &value) ||
        end[unit ? 1 : 0] != '\0')
        return _("not a size like 500M or 10G");
    if (value == 0)
        return _("must be more than 0");
    *out = value;
    return NULL;
}

const char *values_seconds(const char *text, int64_t *out_ms)
{
    const char *end;
    uint64_t value;

    if (!read_decimal(text, 1000, (uint64_t)VALUES_SECONDS_MAX * 1000, &end, &value) || *end)
        return _("not a number of seconds like 30 or 0.2");
    *out_ms = (int64_t)value;
    return NULL;
}

/* Host and port of a URL: "localhost:8080", "[::1]". */
struct authority {
    char host[HOST_MAX + 1]; /* without brackets */
    bool v6;
};

static bool parse_port(const char *text, size_t len)
{
    unsigned int port = 0;

    if (len == 0 || len > 5)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
        port = port * 10 + (unsigned int)(text[i] - '0');
    }
    return port > 0 && port <= 65535;
}

static bool parse_authority(const char *text, size_t len, struct authority *out)
{
    const char *host = text, *end;
    struct in6_addr address;
    size_t host_len;

    out->v6 = len > 0 && text[0] == '[';
    if (out->v6) {
        host++;
        end = memchr(text, ']', len);
        if (!end)
            return false;
        host_len = (size_t)(end - host);
        end++;
    } else {
        end = memchr(text, ':', len);
        if (!end)
            end = text + len;
        host_len = (size_t)(end - host);
    }
    if (host_len == 0 || host_len > HOST_MAX)
        return false;
    memcpy(out->host, host, host_len);
    out->host[host_len] = '\0';
    if (out->v6 ? inet_pton(AF_INET6, out->host, &address) != 1
                : strspn(out->host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789.-") != host_len)
        return false;
    if (end == text + len)
        return true;
    return *end == ':' && parse_port(end + 1, len - (size_t)(end + 1 - text));
}

/* Nothing that needs a name server to be believed. */
static bool is_loopback(const struct authority *a)
{
    struct in6_addr v6;
    struct in_addr v4;

    if (a->v6)
        return inet_pton(AF_INET6, a->host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
    if (strcasecmp(a->host, "localhost") == 0)
        return true;
    return inet_pton(AF_INET, a->host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

const char *values_url(const char *text, enum values_url rule, char **out)
{
    size_t len = strlen(text), n;
    struct authority authority;
    const char *rest;
    bool tls;

    if (len > URL_MAX)
        return _("too long");
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~' || strchr("\\\"<>^`{|}", text[i]))
            return _("not a URL");
    tls = strncasecmp(text, "https://", 8) == 0;
    if (!tls && strncasecmp(text, "http://", 7) != 0)
        return _("not a URL that begins with https://");
    rest = text + (tls ? 8 : 7);
    if (strpbrk(rest, "@?#"))
        return _("a URL here has no user, query or fragment");
    n = strcspn(rest, "/");
    if (!parse_authority(rest, n, &authority))
        return _("not a URL with a valid host");
    if (rule == VALUES_URL_SECRET && !tls && !is_loopback(&authority))
        return _("http:// is for loopback addresses only; use https://");
    while (text + len > rest + n && text[len - 1] == '/')
        len--;
    *out = strndup(text, len);
    return *out ? NULL : strerror(ENOMEM);
}

const char *values_lang(const char *text, char out[VALUES_LANG_SIZE])
{
    size_t len = strcspn(text, "_-.@:");

    if ((len == 1 && text[0] == 'C') || (len == 5 && strncmp(text, "POSIX", 5) == 0)) {
        text = "en";
        len = 2;
    }
    if (len < 2 || len >= VALUES_LANG_SIZE)
        return _("not a language like en or zh");
    for (size_t i = 0; i < len; i++)
        if (!isascii((unsigned char)text[i]) || !isalpha((unsigned char)text[i]))
            return _("not a language like en or zh");
    for (size_t i = 0; i < len; i++)
        out[i] = (char)tolower((unsigned char)text[i]);
    out[len] = '\0';
    return NULL;
}

const char *values_token(const char *text, size_t max)
{
    size_t len = strlen(text);

    if (len == 0)
        return _("empty");
    if (len > max)
        return _("too long");
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return _("has characters that are not printable ASCII");
    return NULL;
}
