#include "exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "source.h"

#define UPLOAD_FIELD "files"
#define SEND_BUFFER (512L << 10) /* bytes */
#define UPLOAD_STALL_MS 60000    /* no byte went, or no answer came after the last one */
#define URLS_TIMEOUT_MS 120000   /* the backend fetches them meanwhile */
#define PROGRESS_EVERY_MS 100

struct upload_call {
    struct call call;
    struct exchange x;
    struct wire_files files;
    client_upload_fn *done;
    void *user;

    /* A file's only. */
    client_upload_progress_fn *progress;
    int fd; /* until the source has it; -1 */
    uint64_t size;
    char *name;
    struct source *source;
    struct timer report;
    bool reported; /* within the last PROGRESS_EVERY_MS */
    uint64_t told; /* the last number reported */
};

/* ---- progress: at once when it is news, then at most every PROGRESS_EVERY_MS ---- */

static void report(struct upload_call *u)
{
    uint64_t sent = source_position(u->source);

    if (!u->progress || u->reported || sent == u->told)
        return;
    u->reported = true;
    u->told = sent;
    loop_timer_set(u->call.client->loop, &u->report, PROGRESS_EVERY_MS);
    u->progress(u->user, sent, u->size);
}

static void on_report(struct timer *timer)
{
    struct upload_call *u = container_of(timer, struct upload_call, report);

    u->reported = false;
    report(u);
}

/* ---- the body ---- */

static void on_ready(void *user)
{
    struct upload_call *u = user;

    if (u->x.transfer)
        transfer_resume(u->x.transfer);
}

static size_t on_read(char *out, size_t size, size_t count, void *user)
{
    struct upload_call *u = user;
    struct transfer *t = u->x.transfer;
    ssize_t n = source_read(u->source, out, size * count);

    if (n == -EAGAIN) {
        transfer_paused(t);
        return CURL_READFUNC_PAUSE;
    }
    if (n < 0) {
        transfer_fail(t, fault_local(n == -ENODATA ? EIO : (int)-n));
        return CURL_READFUNC_ABORT;
    }
    transfer_moved(t);
    report(u);
    return (size_t)n;
}

/* libcurl goes back only to the start, to send the same request on another connection. */
static int on_seek(void *user, curl_off_t offset, int origin)
{
    struct upload_call *u = user;

    if (origin != SEEK_SET || offset != 0)
        return CURL_SEEKFUNC_FAIL;
    source_rewind(u->source);
    return CURL_SEEKFUNC_OK;
}

static const char *mime_type(const char *name)
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

static curl_mime *upload_form(void *user, CURL *easy)
{
    struct upload_call *u = user;
    curl_mime *mime = curl_mime_init(easy);
    curl_mimepart *part = mime ? curl_mime_addpart(mime) : NULL;

    if (part && !curl_mime_name(part, UPLOAD_FIELD) && !curl_mime_filename(part, u->name) &&
        !curl_mime_type(part, mime_type(u->name)) &&
        !curl_mime_data_cb(part, (curl_off_t)u->size, on_read, on_seek, NULL, u))
        return mime;
    curl_mime_free(mime);
    return NULL;
}

/* ---- the call ---- */

static void upload_start(struct call *call)
{
    struct upload_call *u = container_of(call, struct upload_call, call);

    if (u->name) {
        u->source = source_new(call->client->disk, u->fd, u->size, on_ready, u);
        u->fd = -1;
        if (!u->source) {
            struct fault f = fault_local(ENOMEM);
            call_end(call, &f);
            return;
        }
    }
    exchange_start(&u->x);
}

static void upload_tell(struct call *call, const struct fault *f)
{
    struct upload_call *u = container_of(call, struct upload_call, call);

    u->done(u->user, f, u->files.files, f->kind == FAULT_NONE ? u->files.count : 0);
}

static void upload_release(struct call *call)
{
    struct upload_call *u = container_of(call, struct upload_call, call);

    if (u->call.client)
        loop_timer_stop(u->call.client->loop, &u->report);
    exchange_release(&u->x); /* before the source, which it reads from */
    source_free(u->source);
    wire_files_release(&u->files);
    if (u->fd >= 0)
        close(u->fd);
    free(u->name);
    free(u);
}

static int upload_begin(void *user)
{
    struct upload_call *u = user;

    if (u->source && source_position(u->source))
        source_rewind(u->source);
    return 0;
}

static void upload_read(void *user, struct transfer *t, struct fault *f)
{
    struct upload_call *u = user;
    struct wire_answer answer = {t->http, t->body.data, t->body.len};

    wire_read_files(&answer, &u->files, f);
}

static void upload_done(void *user, const struct fault *f)
{
    struct upload_call *u = user;

    call_end(&u->call, f);
}

static const struct call_class upload_class = {upload_start, upload_tell, upload_release};

static struct upload_call *upload_new(struct client *c, const char *session_id,
                                      const struct exchange_ops *ops, client_upload_fn *done,
                                      void *user)
{
    struct upload_call *u = calloc(1, sizeof *u);
    char *sid = url_escape(session_id);

    if (u) {
        exchange_init(&u->x, c, ops, u);
        u->fd = -1;
        u->done = done;
        u->user = user;
        u->report.fire = on_report;
        u->x.method = "POST";
        u->x.again = EXCHANGE_PASSING; /* twice wastes bandwidth and harms nothing */
        if (sid)
            u->x.url = api_url(c, "/api/upload-video/nemo_agent/me/%s", sid);
        if (!u->x.url) {
            upload_release(&u->call);
            u = NULL;
        }
    }
    curl_free(sid);
    return u;
}

int client_upload_file(struct client *c, const char *session_id, int fd, uint64_t size,
                       const char *name, client_upload_progress_fn *progress,
                       client_upload_fn *done, void *user, client_call *call)
{
    static const struct exchange_ops ops = {
        .begin = upload_begin, .form = upload_form, .read = upload_read, .done = upload_done};
    struct upload_call *u;
    int err = 0;

    if (size > INT64_MAX || !*name)
        return -EINVAL;
    u = upload_new(c, session_id, &ops, done, user);
    if (!u)
        return -ENOMEM;
    u->progress = progress;
    u->size = size;
    u->x.timeout_ms = 0; /* as long as bytes go */
    u->x.stall_ms = UPLOAD_STALL_MS;
    u->x.send_buffer = SEND_BUFFER;
    u->name = strdup(name);
    u->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (u->fd < 0)
        err = -errno;
    else if (!u->name)
        err = -ENOMEM;
    if (err) {
        upload_release(&u->call);
        return err;
    }
    return call_launch(c, &u->call, &upload_class, call);
}

int client_upload_urls(struct client *c, const char *session_id, const char *const *urls,
                       size_t count, client_upload_fn *done, void *user, client_call *call)
{
    static const struct exchange_ops ops = {.read = upload_read, .done = upload_done};
    struct upload_call *u = upload_new(c, session_id, &ops, done, user);
    int err;

    if (!u)
        return -ENOMEM;
    u->x.timeout_ms = URLS_TIMEOUT_MS;
    err = wire_urls_body(urls, count, &u->x.body, &u->x.body_len);
    if (err) {
        upload_release(&u->call);
        return err == -ENOMEM ? err : -EINVAL;
    }
    return call_launch(c, &u->call, &upload_class, call);
}
