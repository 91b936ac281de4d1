#include "multipart.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buffer.h"

#define HEAD_MAX 16384 /* bytes */

static void add_name(struct buffer *b, const char *name)
{
    for (; *name; name++) {
        if (*name == '"' || *name == '\r' || *name == '\n')
            buffer_addf(b, "%%%02X", *name);
        else
            buffer_add(b, name, 1);
    }
}

int multipart_init(struct multipart *m, const char *boundary, const char *field, const char *name,
                   const char *type)
{
    struct buffer head, tail;
    int err;

    memset(m, 0, sizeof *m);
    snprintf(m->type, sizeof m->type, "multipart/form-data; boundary=%s", boundary);
    buffer_init(&head, HEAD_MAX);
    buffer_addf(&head, "--%s\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"", boundary,
                field);
    add_name(&head, name);
    buffer_addf(&head, "\"\r\nContent-Type: %s\r\n\r\n", type);
    buffer_init(&tail, HEAD_MAX);
    buffer_addf(&tail, "\r\n--%s--\r\n", boundary);
    err = buffer_take(&head, &m->head, &m->head_len);
    if (!err)
        err = buffer_take(&tail, &m->tail, &m->tail_len);
    if (err) {
        buffer_release(&tail);
        multipart_release(m);
    }
    return err;
}

void multipart_release(struct multipart *m)
{
    free(m->head);
    free(m->tail);
    m->head = m->tail = NULL;
}

const char *multipart_type_of(const char *name)
{
    static const struct {
        const char *extension, *type;
    } table[] = {
        {"mp4", "video/mp4"},   {"mov", "video/quicktime"},  {"avi", "video/x-msvideo"},
        {"webm", "video/webm"}, {"mkv", "video/x-matroska"}, {"jpg", "image/jpeg"},
        {"jpeg", "image/jpeg"}, {"png", "image/png"},        {"gif", "image/gif"},
        {"webp", "image/webp"}, {"mp3", "audio/mpeg"},       {"wav", "audio/wav"},
        {"m4a", "audio/mp4"},   {"aac", "audio/aac"},
    };
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < sizeof table / sizeof *table; i++)
        if (!strcasecmp(dot + 1, table[i].extension))
            return table[i].type;
    return "application/octet-stream";
}
