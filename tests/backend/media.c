/*
 * Files over HTTP: whole, or a range of them.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls.h"
#include "jobs.h"
#include "session.h"

struct range {
    uint64_t first, last; /* both included */
};

enum ranging {
    RANGE_NONE, /* the whole file */
    RANGE_PART,
    RANGE_BEYOND,
};

static bool read_digits(const char **text, uint64_t *out)
{
    char *end;

    if (!isdigit((unsigned char)**text))
        return false;
    errno = 0;
    *out = strtoull(*text, &end, 10);
    *text = end;
    return errno == 0;
}

/* "bytes=2-5", "bytes=2-", "bytes=-5"; several ranges, or what makes no sense, give the whole file.
 */
static enum ranging read_range(const char *text, uint64_t size, struct range *out)
{
    uint64_t first = 0, last = UINT64_MAX;

    if (!text || strncmp(text, "bytes=", 6) != 0)
        return RANGE_NONE;
    text += 6;
    bool has_first = read_digits(&text, &first);
    if (*text++ != '-')
        return RANGE_NONE;
    bool has_last = read_digits(&text, &last);
    if (*text || (!has_first && !has_last) || (has_first && has_last && last < first))
        return RANGE_NONE;
    if (!has_first) {
        first = last < size ? size - last : 0;
        if (last == 0)
            return RANGE_BEYOND;
        last = UINT64_MAX;
    }
    if (first >= size)
        return RANGE_BEYOND;
    *out = (struct range){first, last < size ? last : size - 1};
    return RANGE_PART;
}

void media_answer(struct request *r, struct answer *a, int fd, const char *mime, const char *tag)
{
    const char *if_range = request_header(r, "If-Range");
    const char *text = request_header(r, "Range");
    char etag[ID_MAX + 2];
    struct stat st;
    struct range range;

    if (fstat(fd, &st) != 0) {
        close(fd);
        answer_broken(a);
        return;
    }
    uint64_t size = (uint64_t)st.st_size;
    snprintf(etag, sizeof(etag), "\"%s\"", tag);
    enum ranging what = read_range(text, size, &range);
    if (if_range && strcmp(if_range, etag) != 0)
        what = RANGE_NONE;
    answer_header(a, "Accept-Ranges", "bytes");
    answer_header(a, "ETag", "%s", etag);
    answer_header(a, "Content-Type", "%s", mime);
    if (what == RANGE_BEYOND) {
        close(fd);
        a->status = 416;
        answer_header(a, "Content-Range", "bytes */%" PRIu64, size);
        return;
    }
    if (what == RANGE_NONE)
        range = (struct range){0, size - 1};
    else
        answer_header(a, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range.first,
                      range.last, size);
    a->status = what == RANGE_PART ? 206 : 200;
    source_file(&a->source, fd, range.first, size ? range.last - range.first + 1 : 0);
}

void call_input(struct request *r, struct answer *a)
{
    char path[STORE_PATH_MAX];
    struct material m;

    if (sessions_material(r->b->sessions, r->arg, &m) != 0) {
        answer_detail(a, 404, "Not Found");
        return;
    }
    store_path(&r->b->store, path, "media/%s", m.id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        answer_detail(a, 404, "Not Found");
    else
        media_answer(r, a, fd, m.mime, m.id);
}

void call_output(struct request *r, struct answer *a)
{
    int fd = jobs_open(r->b->jobs, r->arg);

    if (fd < 0)
        answer_detail(a, 404, "Not Found");
    else
        media_answer(r, a, fd, "video/mp4", r->arg);
}
