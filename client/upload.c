#include "exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "multipart.h"
#include "source.h"

#define UPLOAD_FIELD "files"
#define UPLOAD_MAX (SIZE_MAX / 2) /* bytes; the backend knows better */
#define SEND_BUFFER (512L << 10)  /* bytes */
#define UPLOAD_STALL_MS 60000     /* no byte went, or no answer came after the last one */
#define URL_TIMEOUT_MS 120000     /* the backend fetches it meanwhile */
#define PROGRESS_EVERY_MS 100

struct upload_call {
    struct call call;
    struct exchange x;
    char url[WIRE_URL_MAX];
    client_upload_fn *done;
    void *user;

    /* A file's only. */
    client_upload_progress_fn *progress;
    int fd; /* until the source has it; -1 */
    uint64_t size;
    struct multipart form;
    uint64_t position; /* in the whole body */
    struct source *source;
    struct timer report;
    bool reported; /* within the last PROGRESS_EVERY_MS */
    uint64_t told; /* the last number reported */
};

/* ---- progress: at once when it is news or the end, then at most every PROGRESS_EVERY_MS ---- */

static void report(struct upload_call *u)
{
    uint64_t sent = source_position(u->source);

    if (!u->progress || sent == u->told || (u->reported && sent < u->size))
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

/* ---- the body: form, file, form ---- */

static void on_ready(void *user)
{
    struct upload_call *u = user;

    if (u->x.transfer)
        transfer_resume(u->x.transfer);
}

static size_t copy_text(char *out, size_t size, const char *text, size_t len, uint64_t from)
{
    size_t n = len - (size_t)from;

    if (n > size)
        n = size;
    memcpy(out, text + from, n);
    return n;
}

/* Some of the part where we are: bytes, 0 at the end, or a negative errno. */
static ssize_t send_part(struct upload_call *u, char *out, size_t size)
{
    uint64_t at = u->position;

    if (at < u->form.head_len)
        return (ssize_t)copy_text(out, size, u->form.head, u->form.head_len, at);
    at -= u->form.head_len;
    if (at < u->size)
        return source_read(u->source, out, size);
    at -= u->size;
    return (ssize_t)copy_text(out, size, u->form.tail, u->form.tail_len, at);
}

static ssize_t upload_send(void *user, struct transfer *t, char *out, size_t size)
{
    struct upload_call *u = user;
    size_t done = 0;

    (void)t;
    while (done < size) {
        ssize_t n = send_part(u, out + done, size - done);
        if (n == 0 || (n == -EAGAIN && done))
            break;
        if (n < 0)
            return n == -ENODATA ? -EIO : n;
        done += (size_t)n;
        u->position += (uint64_t)n;
    }
    report(u);
    return (ssize_t)done;
}

static void upload_rewind(void *user)
{
    struct upload_call *u = user;

    if (u->position)
        source_rewind(u->source);
    u->position = 0;
}

static int prepare_form(struct upload_call *u, const char *name)
{
    char boundary[MULTIPART_BOUNDARY_MAX];
    int err;

    snprintf(boundary, sizeof boundary, "lipsyncfs-%08x%08x%08x%08x", arc4random(), arc4random(),
             arc4random(), arc4random());
    err = multipart_init(&u->form, boundary, UPLOAD_FIELD, name, multipart_type_of(name));
    if (err)
        return err;
    u->x.content_type = u->form.type;
    u->x.body_len = u->form.head_len + u->size + u->form.tail_len;
    return 0;
}

/* ---- the call ---- */

static void upload_start(struct call *call)
{
    struct upload_call *u = container_of(call, struct upload_call, call);

    if (u->fd >= 0) {
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

    u->done(u->user, f, f->kind == FAULT_NONE && *u->url ? u->url : NULL);
}

static void upload_release(struct call *call)
{
    struct upload_call *u = container_of(call, struct upload_call, call);

    if (u->call.client)
        loop_timer_stop(u->call.client->loop, &u->report);
    exchange_release(&u->x); /* before the source, which it reads from */
    source_free(u->source);
    if (u->fd >= 0)
        close(u->fd);
    multipart_release(&u->form);
    free(u);
}

static int upload_begin(void *user)
{
    struct upload_call *u = user;

    upload_rewind(u);
    return 0;
}

static void upload_read(void *user, struct transfer *t, struct fault *f)
{
    struct upload_call *u = user;
    struct wire_answer answer = {t->http, t->body.data, t->body.len};

    wire_read_upload(&answer, u->url, f);
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
        .begin = upload_begin,
        .send = upload_send,
        .rewind = upload_rewind,
        .read = upload_read,
        .done = upload_done,
    };
    struct upload_call *u;
    int err;

    if (size > UPLOAD_MAX || !*name)
        return -EINVAL;
    u = upload_new(c, session_id, &ops, done, user);
    if (!u)
        return -ENOMEM;
    u->progress = progress;
    u->size = size;
    u->x.timeout_ms = 0; /* as long as bytes go */
    u->x.stall_ms = UPLOAD_STALL_MS;
    u->x.send_buffer = SEND_BUFFER;
    u->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    err = u->fd < 0 ? -errno : prepare_form(u, name);
    if (err) {
        upload_release(&u->call);
        return err;
    }
    return call_launch(c, &u->call, &upload_class, call);
}

int client_upload_url(struct client *c, const char *session_id, const char *url,
                      client_upload_fn *done, void *user, client_call *call)
{
    static const struct exchange_ops ops = {.read = upload_read, .done = upload_done};
    struct upload_call *u = upload_new(c, session_id, &ops, done, user);
    int err;

    if (!u)
        return -ENOMEM;
    u->x.timeout_ms = URL_TIMEOUT_MS;
    err = wire_url_body(url, &u->x.body, &u->x.body_len);
    if (err) {
        upload_release(&u->call);
        return err == -ENOMEM ? err : -EINVAL;
    }
    return call_launch(c, &u->call, &upload_class, call);
}
