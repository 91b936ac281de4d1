#include "origin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

static int from_curlu(CURLUcode code)
{
    return code == CURLUE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
}

/* One part of a URL into a bounded buffer. */
static int copy_part(CURLU *u, CURLUPart part, unsigned flags, char *out, size_t size)
{
    char *text = NULL;
    CURLUcode code = curl_url_get(u, part, &text, flags);
    int err = 0;

    if (code != CURLUE_OK)
        return from_curlu(code);
    if (strlen(text) < size)
        strcpy(out, text);
    else
        err = -EINVAL;
    curl_free(text);
    return err;
}

static bool has_part(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    CURLUcode code = curl_url_get(u, part, &text, 0);

    curl_free(text);
    return code == CURLUE_OK;
}

static int read_origin(CURLU *u, struct origin *out)
{
    struct origin o;
    int err;

    if (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD))
        return -EINVAL;
    err = copy_part(u, CURLUPART_SCHEME, 0, o.scheme, sizeof o.scheme);
    if (!err && strcasecmp(o.scheme, "http") && strcasecmp(o.scheme, "https"))
        err = -EINVAL;
    if (!err)
        err = copy_part(u, CURLUPART_HOST, 0, o.host, sizeof o.host);
    if (!err)
        err = copy_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, o.port, sizeof o.port);
    if (!err)
        *out = o;
    return err;
}

int origin_of(const char *url, struct origin *out)
{
    CURLU *u = curl_url();
    CURLUcode code;
    int err;

    if (!u)
        return -ENOMEM;
    code = curl_url_set(u, CURLUPART_URL, url, 0);
    err = code == CURLUE_OK ? read_origin(u, out) : from_curlu(code);
    curl_url_cleanup(u);
    return err;
}

bool origin_same(const struct origin *a, const struct origin *b)
{
    return !strcasecmp(a->scheme, b->scheme) && !strcasecmp(a->host, b->host) &&
           !strcmp(a->port, b->port);
}

bool origin_is_loopback(const struct origin *o)
{
    struct in_addr v4;

    if (!strcasecmp(o->host, "localhost") || !strcmp(o->host, "[::1]"))
        return true;
    return inet_pton(AF_INET, o->host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

bool origin_is_allowed(const struct origin *o)
{
    return !strcasecmp(o->scheme, "https") || origin_is_loopback(o);
}

int origin_resolve(const char *base, const char *reference, char **absolute)
{
    CURLU *u = curl_url();
    struct origin o;
    char *text = NULL;
    CURLUcode code;
    int err = 0;

    if (!u)
        return -ENOMEM;
    code = curl_url_set(u, CURLUPART_URL, base, 0);
    if (code == CURLUE_OK)
        code = curl_url_set(u, CURLUPART_URL, reference, CURLU_URLENCODE);
    if (code == CURLUE_OK)
        code = curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
    if (code == CURLUE_OK)
        err = read_origin(u, &o);
    if (code == CURLUE_OK && !err)
        code = curl_url_get(u, CURLUPART_URL, &text, 0);
    if (code != CURLUE_OK)
        err = from_curlu(code);
    if (!err) {
        *absolute = strdup(text);
        if (!*absolute)
            err = -ENOMEM;
    }
    curl_free(text);
    curl_url_cleanup(u);
    return err;
}

void origin_path(const char *url, char *out, size_t size)
{
    const char *host = strstr(url, "://");
    const char *path = host ? strchr(host + 3, '/') : NULL;
    size_t len;

    if (!path)
        path = "/";
    len = strcspn(path, "?#");
    if (len >= size)
        len = size - 1;
    memcpy(out, path, len);
    out[len] = '\0';
}

/* ---- addresses ---- */

struct block4 {
    uint32_t start;
    int bits;
};

static bool in_blocks(uint32_t ip, const struct block4 *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if ((ip ^ blocks[i].start) >> (32 - blocks[i].bits) == 0)
            return true;
    return false;
}

static enum reach reach_of_v4(uint32_t ip)
{
    static const struct block4 loopback[] = {{0x7f000000, 8}, {0x00000000, 8}};
    static const struct block4 not_public[] = {
        {0x0a000000, 8},  /* 10 */
        {0xac100000, 12}, /* 172.16 */
        {0xc0a80000, 16}, /* 192.168 */
        {0xa9fe0000, 16}, /* 169.254: link-local, and where clouds keep their secrets */
        {0x64400000, 10}, /* 100.64: shared */
        {0xc0000000, 24}, /* 192.0.0 */
        {0xc6120000, 15}, /* 198.18: benchmarks */
        {0xe0000000, 3},  /* multicast and reserved */
    };

    if (in_blocks(ip, loopback, sizeof loopback / sizeof *loopback))
        return REACH_LOOPBACK;
    if (in_blocks(ip, not_public, sizeof not_public / sizeof *not_public))
        return REACH_PRIVATE;
    return REACH_PUBLIC;
}

static uint32_t v4_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static enum reach reach_of_v6(const struct in6_addr *a)
{
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    const uint8_t *b = a->s6_addr;

    if (IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_UNSPECIFIED(a))
        return REACH_LOOPBACK;
    if (IN6_IS_ADDR_V4MAPPED(a) || IN6_IS_ADDR_V4COMPAT(a) || !memcmp(b, nat64, sizeof nat64))
        return reach_of_v4(v4_at(b + 12));
    if (b[0] == 0x20 && b[1] == 0x02) /* 6to4 */
        return reach_of_v4(v4_at(b + 2));
    if ((b[0] & 0xfe) == 0xfc || (b[0] == 0xfe && (b[1] & 0x80)) || b[0] == 0xff)
        return REACH_PRIVATE;
    return REACH_PUBLIC;
}

enum reach reach_of(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        return reach_of_v4(ntohl(v4.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        return reach_of_v6(&v6.sin6_addr);
    }
    return REACH_LOOPBACK; /* nothing else ever leaves the machine */
}
