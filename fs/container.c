#include "container.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* Fragmented files have some boxes a second; nothing that is allowed to be uploaded has as many. */
#define STEPS_MAX 100000

#define BOX_HEAD 8 /* bytes: the size and the type of a box */

/* Writers that cannot seek back leave sizes from here up (sox, espeak-ng), or 0. */
#define RIFF_PLACEHOLDER 0x7f000000u

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t le32(const unsigned char *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* Up to `len` bytes from `offset`: how many there were, or a negative errno. */
static ssize_t read_at(int fd, void *buf, size_t len, uint64_t offset)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(fd, (char *)buf + done, len - done, (off_t)(offset + done));

        if (n == 0)
            break;
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static bool is_one_of(const unsigned char *type, const char *list)
{
    for (; *list; list += 4)
        if (memcmp(type, list, 4) == 0)
            return true;
    return false;
}

/* Every byte prints, or is the © that QuickTime begins some types with. */
static bool is_type(const unsigned char *type)
{
    for (int i = 0; i < 4; i++)
        if (!(type[i] < 0x80 && isprint(type[i])) && type[i] != 0xa9)
            return false;
    return true;
}

/* What stands at the top of MP4 and QuickTime files. Other types may be what a tagger appended. */
static bool is_box(const unsigned char *type)
{
    return is_one_of(type,
                     "ftypstypmoovmoofmdatmetafreeskipwideuuidpnotPICTmfrasidxssixprftemsgpdin"
                     "mecoudtaimda");
}

static bool is_quicktime_name(const char *name)
{
    return strcasestr(name, ".mov") || strcasestr(name, ".mp4") || strcasestr(name, ".m4a");
}

struct box {
    uint64_t size; /* with its header; 0: to the end of the file */
    unsigned char type[4];
};

/* 1: a box. 0: nothing to be judged. -EBADMSG: the file ends inside the header. */
static int read_box(int fd, uint64_t offset, uint64_t left, struct box *out)
{
    static const unsigned char zeros[BOX_HEAD];
    unsigned char head[16];
    size_t len = left < sizeof(head) ? (size_t)left : sizeof(head);
    ssize_t n = read_at(fd, head, len, offset);

    if (n < 0)
        return (int)n;
    if ((size_t)n < len)
        return 0;       /* shorter than we were told: it changes under us */
    if (len < BOX_HEAD) /* QuickTime may close a list with a zero size */
        return memcmp(head, zeros, len) == 0 ? 0 : -EBADMSG;
    memcpy(out->type, head + 4, 4);
    out->size = be32(head);
    if (out->size == 1) {
        if (!is_box(out->type))
            return 0;
        if (len < 16)
            return -EBADMSG;
        out->size = (uint64_t)be32(head + 8) << 32 | be32(head + 12);
        if (out->size < 16)
            return 0;
    } else if (out->size != 0 && out->size < BOX_HEAD) {
        return 0;
    }
    return is_type(out->type);
}

/* Walks the boxes at the top of an MP4 or QuickTime file. */
static int check_boxes(int fd, uint64_t size)
{
    bool described = false; /* something tells what the media data is */
    uint64_t offset = 0;

    for (int step = 0; offset < size && step < STEPS_MAX; step++) {
        struct box box;
        int rc = read_box(fd, offset, size - offset, &box);

        if (rc <= 0)
            return rc;
        described |= is_one_of(box.type, "moovmoofmeta");
        /* A writer that was ended leaves its media data open and never wrote the description. */
        if (box.size == 0)
            return memcmp(box.type, "mdat", 4) == 0 && !described ? -EBADMSG : 0;
        if (box.size > size - offset)
            return is_box(box.type) ? -EBADMSG : 0;
        offset += box.size;
    }
    return 0;
}

/* The chunks inside one RIFF list, `start` to `end`, in a file of `size` bytes. */
static int check_chunks(int fd, uint64_t start, uint64_t end, uint64_t size, int *steps)
{
    while (start + 8 <= end && start + 8 <= size && (*steps)++ < STEPS_MAX) {
        unsigned char head[8];
        ssize_t n = read_at(fd, head, sizeof(head), start);
        uint32_t len;

        if (n < 0)
            return (int)n;
        len = le32(head + 4);
        if (n < (ssize_t)sizeof(head) || !is_type(head) || len >= RIFF_PLACEHOLDER)
            return 0;
        if (start + 8 + len > size)
            return is_one_of(head, "dataLISTidx1VP8 VP8LVP8XALPHANMF") ? -EBADMSG : 0;
        start += 8 + (uint64_t)len + (len & 1);
    }
    return 0;
}

/* One RIFF list, or several on end (AVI beyond a gigabyte). */
static int check_riff(int fd, uint64_t size)
{
    uint64_t offset = 0;
    int steps = 0;

    while (size - offset >= 12 && steps++ < STEPS_MAX) {
        unsigned char head[12];
        ssize_t n = read_at(fd, head, sizeof(head), offset);
        uint64_t end;
        uint32_t len;
        int rc;

        if (n < 0)
            return (int)n;
        len = le32(head + 4);
        if (n < (ssize_t)sizeof(head) || memcmp(head, "RIFF", 4) != 0 ||
            !is_one_of(head + 8, "WAVEAVI AVIXWEBP") || len == 0 || len >= RIFF_PLACEHOLDER)
            return 0;
        end = offset + 8 + len;
        if (end > size + 1) /* the last padding byte is often left out */
            return -EBADMSG;
        rc = check_chunks(fd, offset + 12, end, size, &steps);
        if (rc < 0)
            return rc;
        offset = end + (len & 1);
        if (offset >= size)
            break;
    }
    return 0;
}

int container_check(int fd, off_t size, const char *name)
{
    unsigned char head[12] = {0};
    ssize_t n;

    if (size < BOX_HEAD)
        return 0;
    n = read_at(fd, head, sizeof(head), 0);
    if (n < 0)
        return (int)n;
    if (memcmp(head, "RIFF", 4) == 0)
        return check_riff(fd, (uint64_t)size);
    if (memcmp(head + 4, "ftyp", 4) == 0)
        return check_boxes(fd, (uint64_t)size);
    if (is_one_of(head + 4, "moovmdatwidefreeskippnot") && is_quicktime_name(name))
        return check_boxes(fd, (uint64_t)size);
    return 0;
}
