#include "mp4.h"

#include <string.h>

static uint64_t be(const unsigned char *bytes, size_t count)
{
    uint64_t n = 0;

    for (size_t i = 0; i < count; i++)
        n = n << 8 | bytes[i];
    return n;
}

static bool is_known(const unsigned char *type)
{
    static const char names[][5] = {"ftyp", "moov", "mdat", "free", "skip", "wide", "uuid",
                                    "meta", "moof", "mfra", "sidx", "ssix", "styp", "udta",
                                    "pdin", "prft", "emsg", "pnot", "meco", "imda"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!memcmp(type, names[i], 4))
            return true;
    return false;
}

/* A header is complete: where is the next one? */
static void read_box(struct mp4 *m)
{
    uint64_t size = be(m->head, 4), least = m->head_len;
    const unsigned char *type = m->head + 4;

    if (!m->begun && memcmp(type, "ftyp", 4)) {
        m->bad = true;
        return;
    }
    m->begun = true;
    if (!is_known(type)) {
        m->unjudged = true;
        return;
    }
    if (size == 0) {
        m->open_ended = true;
        return;
    }
    if (size == 1)
        size = be(m->head + 8, 8);
    if (size < least || size > UINT64_MAX - m->next)
        m->bad = true;
    m->next += size;
    m->head_len = 0;
}

static size_t head_size(const struct mp4 *m)
{
    return m->head_len >= 8 && be(m->head, 4) == 1 ? 16 : 8;
}

void mp4_init(struct mp4 *m)
{
    memset(m, 0, sizeof *m);
}

bool mp4_feed(struct mp4 *m, const char *bytes, size_t len)
{
    uint64_t end = m->position + len;

    while (!m->bad && !m->unjudged && !m->open_ended && m->next + m->head_len < end) {
        /* The header's next byte lies in this piece: boxes are walked in the order of the bytes. */
        uint64_t at = m->next + m->head_len;
        m->head[m->head_len++] = (unsigned char)bytes[at - m->position];
        if (m->head_len == head_size(m))
            read_box(m);
    }
    m->position = end;
    return !m->bad;
}

bool mp4_is_whole(const struct mp4 *m)
{
    if (m->bad || !m->begun)
        return false;
    return m->unjudged || m->open_ended || (m->next == m->position && m->head_len == 0);
}
