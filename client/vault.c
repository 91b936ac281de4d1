#include "vault.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "buffer.h"
#include "jsontext.h"

#define FILE_MAX 16384 /* bytes of either file */
#define AGREE_TRIES 8

static int read_file(const char *path, char *out, size_t size, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    size_t done = 0;
    int err = 0;

    if (fd < 0)
        return -errno;
    while (done < size && !err) {
        ssize_t n = read(fd, out + done, size - done);
        if (n == 0)
            break;
        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            err = -errno;
    }
    close(fd);
    if (!err && done == size)
        err = -EFBIG;
    if (!err)
        *len = done;
    return err;
}

static int make_parents(const char *path)
{
    char dir[PATH_MAX];

    if ((size_t)snprintf(dir, sizeof dir, "%s", path) >= sizeof dir)
        return -ENAMETOOLONG;
    for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(dir, 0700) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return 0;
}

/* A complete file beside `path`, 0600 and on disk; its name is left in `name`. */
static int write_beside(const char *path, const char *bytes, size_t len, char *name, size_t size)
{
    size_t done = 0;
    int fd, err;

    err = make_parents(path);
    if (err)
        return err;
    if ((size_t)snprintf(name, size, "%s.XXXXXX", path) >= size)
        return -ENAMETOOLONG;
    fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    while (done < len && !err) {
        ssize_t n = write(fd, bytes + done, len - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            err = -errno;
    }
    if (!err && fsync(fd) < 0)
        err = -errno;
    if (close(fd) < 0 && !err)
        err = -errno;
    if (err)
        unlink(name);
    return err;
}

/* The name of a file is its folder's to keep. */
static int sync_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX] = ".";
    int fd, err;

    if (slash)
        snprintf(dir, sizeof dir, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    err = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return err;
}

/* ---- client id ---- */

static bool is_id(const char *id)
{
    size_t len = strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.");

    return len > 0 && !id[len];
}

int vault_read_id(const char *path, char out[WIRE_ID_MAX])
{
    char text[WIRE_ID_MAX + 2];
    size_t len;
    int err = read_file(path, text, sizeof text, &len);

    if (err)
        return err == -EFBIG ? -EINVAL : err;
    while (len && strchr(" \t\r\n", text[len - 1]) && text[len - 1])
        len--;
    if (len >= WIRE_ID_MAX)
        return -EINVAL;
    text[len] = '\0';
    if (strlen(text) != len || !is_id(text))
        return -EINVAL;
    memcpy(out, text, len + 1);
    return 0;
}

void vault_new_id(char out[WIRE_ID_MAX])
{
    uuid_t id;

    uuid_generate_random(id);
    uuid_unparse_lower(id, out);
}

/* One attempt to put the id there. -EEXIST: another program was quicker. */
static int put_id(const char *path, const char *id, bool replace)
{
    char name[PATH_MAX], line[WIRE_ID_MAX + 1];
    int len = snprintf(line, sizeof line, "%s\n", id);
    int err = write_beside(path, line, (size_t)len, name, sizeof name);

    if (err)
        return err;
    if (replace)
        err = rename(name, path) < 0 ? -errno : 0;
    else
        err = link(name, path) < 0 ? -errno : 0;
    if (err || !replace)
        unlink(name);
    return err;
}

int vault_agree_id(const char *path, const char *proposal, const char *refused,
                   char out[WIRE_ID_MAX])
{
    for (int i = 0; i < AGREE_TRIES; i++) {
        int err = vault_read_id(path, out);
        if (!err && (!refused || strcmp(out, refused)))
            return 0;
        if (err && err != -ENOENT && err != -EINVAL)
            return err;
        err = put_id(path, proposal, err != -ENOENT);
        if (err && err != -EEXIST)
            return err;
    }
    return -EBUSY;
}

/* ---- token ---- */

static int copy_text(struct jsontext root, const char *name, char *out, size_t size)
{
    struct jsontext v;

    if (jsontext_find(root, &v, name, NULL) || jsontext_type(v) != JSONTEXT_STRING)
        return -EINVAL;
    jsontext_copy(v, out, size);
    return 0;
}

static int copy_time(struct jsontext root, const char *name, int64_t *out)
{
    struct jsontext v;

    if (jsontext_find(root, &v, name, NULL) || jsontext_int64(v, out))
        return -EINVAL;
    return 0;
}

bool vault_is_header_text(const char *text)
{
    if (!*text)
        return false;
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

int vault_read_token(const char *path, struct vault_token *out)
{
    char text[FILE_MAX];
    struct vault_token v = {.token.credits = -1};
    struct jsontext root;
    size_t len;
    int err = read_file(path, text, sizeof text, &len);

    if (err)
        return err == -EFBIG ? -EINVAL : err;
    if (jsontext_parse(text, len, &root) ||
        copy_text(root, "token", v.token.token, sizeof v.token.token) ||
        copy_text(root, "user_id", v.token.user_id, sizeof v.token.user_id) ||
        copy_text(root, "client_id", v.client_id, sizeof v.client_id) ||
        copy_text(root, "api", v.api, sizeof v.api) ||
        copy_time(root, "expires_at", &v.token.expires_at_s) ||
        copy_time(root, "issued_at", &v.issued_at_s))
        return -EINVAL;
    if (!vault_is_header_text(v.token.token) || !is_id(v.client_id))
        return -EINVAL;
    *out = v;
    return 0;
}

static void add_text(struct buffer *b, const char *name, const char *value)
{
    buffer_addf(b, "\"%s\":", name);
    if (jsontext_quote(b, value, strlen(value)) == -EILSEQ)
        buffer_add_string(b, "\"\"");
    buffer_add_string(b, ",\n");
}

int vault_write_token(const char *path, const struct vault_token *in)
{
    char name[PATH_MAX];
    char *text = NULL;
    struct buffer b;
    size_t len;
    int err;

    buffer_init(&b, FILE_MAX - 1);
    buffer_add_string(&b, "{");
    add_text(&b, "token", in->token.token);
    add_text(&b, "user_id", in->token.user_id);
    add_text(&b, "client_id", in->client_id);
    add_text(&b, "api", in->api);
    buffer_addf(&b, "\"expires_at\":%lld,\n", (long long)in->token.expires_at_s);
    buffer_addf(&b, "\"issued_at\":%lld}\n", (long long)in->issued_at_s);
    err = buffer_take(&b, &text, &len);
    if (err)
        return err;
    err = write_beside(path, text, len, name, sizeof name);
    if (!err && rename(name, path) < 0) {
        err = -errno;
        unlink(name);
    }
    if (!err)
        err = sync_parent(path);
    explicit_bzero(text, len);
    free(text);
    return err;
}
