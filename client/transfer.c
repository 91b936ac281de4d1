#include "transfer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "clock.h"
#include "text.h"

#define CONNECT_TIMEOUT_MS 10000L
#define KEEPALIVE_IDLE_S 30L
#define KEEPALIVE_INTERVAL_S 15L
#define AGENT "lipsyncfs"
#define LOOKS 4 /* at the line within stall_ms, where bytes go out */

/* ---- the end ---- */

__attribute__((format(printf, 2, 3))) static void say(struct transfer *t, const char *format, ...)
{
    char line[512];
    va_list ap;

    if (!t->log)
        return;
    int len = snprintf(line, sizeof line, "%s %s ", t->method, t->path);
    if (len < 0 || (size_t)len >= sizeof line)
        return;
    va_start(ap, format);
    vsnprintf(line + len, sizeof line - (size_t)len, format, ap);
    va_end(ap);
    t->log(line);
}

/* Is it this machine that has run out of something? */
static bool has_run_out(long error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static struct fault fault_of_connect(struct transfer *t)
{
    long error = t->socket_error;

    if (!error)
        curl_easy_getinfo(t->e.easy, CURLINFO_OS_ERRNO, &error);
    if (has_run_out(error))
        return fault_local((int)error);
    if (error == ECONNREFUSED)
        return fault_make(FAULT_REFUSED, NULL);
    return fault_make(error == ETIMEDOUT ? FAULT_TIMEOUT : FAULT_UNREACHABLE, NULL);
}

static struct fault fault_of_curl(struct transfer *t, CURLcode code)
{
    long error = 0, sent = 0;

    switch (code) {
    case CURLE_OUT_OF_MEMORY:
        /* libcurl says the same of a header line that is longer than it takes. */
        curl_easy_getinfo(t->e.easy, CURLINFO_REQUEST_SIZE, &sent);
        return sent > 0 ? fault_make(FAULT_PROTOCOL, _("too many headers")) : fault_local(ENOMEM);
    case CURLE_COULDNT_RESOLVE_HOST:
        return fault_make(FAULT_UNREACHABLE, NULL);
    case CURLE_COULDNT_CONNECT:
        return fault_of_connect(t);
    case CURLE_OPERATION_TIMEDOUT:
        return fault_make(FAULT_TIMEOUT, NULL);
    case CURLE_SSL_CONNECT_ERROR: /* a handshake that was cut off, or one that was refused */
        curl_easy_getinfo(t->e.easy, CURLINFO_OS_ERRNO, &error);
        return fault_make(error ? FAULT_BROKEN : FAULT_TLS, NULL);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return fault_make(FAULT_TLS, NULL);
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_FAIL_REWIND:
        return fault_make(FAULT_BROKEN, NULL);
    default:
        return fault_make(FAULT_PROTOCOL, curl_easy_strerror(code));
    }
}

static void finish(struct transfer *t)
{
    loop_timer_stop(t->loop, &t->stall);
    t->fault.sent = t->sent;
    t->fault.http = t->http;
    if (t->fault.kind == FAULT_NONE)
        say(t, "%d %lld ms", t->http, (long long)(clock_ms() - t->started_ms));
    else
        say(t, "%d fault %d %lld ms", t->http, (int)t->fault.kind,
            (long long)(clock_ms() - t->started_ms));
    t->ops->done(t->user, t);
}

/* It is not libcurl's any more: what became of it? */
static void conclude(struct transfer *t, CURLcode code)
{
    t->attached = false;
    /* A fault that we found ourselves is nearer to the truth than what libcurl made of it. */
    if (code != CURLE_OK && t->fault.kind == FAULT_NONE) {
        if (t->kept_away && !t->tried)
            t->fault = fault_make(FAULT_PROTOCOL, _("an address that is not allowed"));
        else
            t->fault = fault_of_curl(t, code);
    }
    if (t->fault.kind == FAULT_NONE && !t->head_done)
        t->fault = fault_make(FAULT_PROTOCOL, NULL);
}

static void on_done(struct loop_easy *e, CURLcode code)
{
    struct transfer *t = container_of(e, struct transfer, e);

    conclude(t, code);
    finish(t);
}

static void on_refused(struct timer *timer)
{
    finish(container_of(timer, struct transfer, stall));
}

/* Bytes of the request that the other side has. What libcurl took from us, and what it gave to the
 * kernel, may be minutes of a slow line. */
static int64_t bytes_arrived(struct transfer *t)
{
    curl_off_t given = 0;
    int queued = 0;

    curl_easy_getinfo(t->e.easy, CURLINFO_SIZE_UPLOAD_T, &given);
    if (t->e.fd >= 0)
        ioctl(t->e.fd, SIOCOUTQ, &queued);
    return given - queued;
}

/* Until when is it no stall? */
static void look_later(struct transfer *t, int64_t ms)
{
    if (t->ops->send && ms > t->stall_ms / LOOKS)
        ms = t->stall_ms / LOOKS;
    loop_timer_set(t->loop, &t->stall, ms);
}

static void on_stall(struct timer *timer)
{
    struct transfer *t = container_of(timer, struct transfer, stall);
    int64_t arrived = t->ops->send ? bytes_arrived(t) : 0, now = clock_ms();

    if (t->paused || arrived != t->arrived)
        t->moved_ms = now;
    t->arrived = arrived;
    if (now - t->moved_ms < t->stall_ms) {
        look_later(t, t->moved_ms + t->stall_ms - now);
        return;
    }
    loop_detach(t->loop, &t->e);
    t->attached = false;
    t->fault = fault_make(FAULT_TIMEOUT, NULL);
    finish(t);
}

enum transfer_verdict transfer_fail(struct transfer *t, struct fault fault)
{
    t->fault = fault;
    return TRANSFER_STOP;
}

/* ---- libcurl's callbacks ---- */

static void moved(struct transfer *t)
{
    if (t->stall_ms)
        t->moved_ms = clock_ms();
}

static curl_socket_t on_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct transfer *t = user;
    int fd;

    (void)purpose;
    t->reach = reach_of(&a->addr);
    if (t->reach > t->nearest || (t->loopback_only && t->reach != REACH_LOOPBACK)) {
        t->kept_away = true;
        return CURL_SOCKET_BAD;
    }
    t->tried = true;
    fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
    if (fd < 0 && has_run_out(errno)) /* not where there is no IPv6 */
        t->socket_error = errno;
    return fd;
}

/* Connected, and about to send. */
static int on_ready(void *user, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    struct transfer *t = user;

    (void)remote_ip;
    (void)local_ip;
    (void)remote_port;
    (void)local_port;
    t->sent = true;
    moved(t);
    return CURL_PREREQFUNC_OK;
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
    struct transfer *t = user;
    size_t len = size * count;
    long status = 0;

    moved(t);
    t->header_bytes += len;
    if (t->header_bytes > TRANSFER_HEADERS_MAX) {
        transfer_fail(t, fault_make(FAULT_PROTOCOL, _("too many headers")));
        return 0;
    }
    if (t->head_done || line[0] == '\0' || !strchr("\r\n", line[0]))
        return len;
    curl_easy_getinfo(t->e.easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200) /* the answer proper comes after it */
        return len;
    t->head_done = true;
    t->http = (int)status;
    if (t->ops->head && t->ops->head(t->user, t) == TRANSFER_STOP)
        return 0;
    return len;
}

static size_t on_data(char *bytes, size_t size, size_t count, void *user)
{
    struct transfer *t = user;
    size_t len = size * count;
    int err;

    moved(t);
    if (t->streamed) {
        switch (t->ops->data(t->user, t, bytes, len)) {
        case TRANSFER_GO_ON:
            return len;
        case TRANSFER_PAUSE:
            t->paused = true;
            return CURL_WRITEFUNC_PAUSE;
        case TRANSFER_STOP:
            return CURL_WRITEFUNC_ERROR;
        }
    }
    err = buffer_add(&t->body, bytes, len);
    if (!err)
        return len;
    transfer_fail(t, err == -EMSGSIZE ? fault_make(FAULT_PROTOCOL, _("the answer is too long"))
                                      : fault_local(-err));
    return CURL_WRITEFUNC_ERROR;
}

static size_t on_send(char *out, size_t size, size_t count, void *user)
{
    struct transfer *t = user;
    ssize_t n = t->ops->send(t->user, t, out, size * count);

    if (n == -EAGAIN) {
        t->paused = true;
        return CURL_READFUNC_PAUSE;
    }
    if (n < 0) {
        transfer_fail(t, fault_local((int)-n));
        return CURL_READFUNC_ABORT;
    }
    return (size_t)n;
}

/* libcurl goes back only to the start, to send the same request on another connection. */
static int on_seek(void *user, curl_off_t offset, int origin)
{
    struct transfer *t = user;

    if (origin != SEEK_SET || offset != 0)
        return CURL_SEEKFUNC_FAIL;
    t->ops->rewind(t->user);
    return CURL_SEEKFUNC_OK;
}

void transfer_resume(struct transfer *t)
{
    CURLcode code;

    if (!t->paused || !t->attached)
        return;
    t->paused = false;
    moved(t);
    code = curl_easy_pause(t->e.easy, CURLPAUSE_CONT);
    if (code == CURLE_OK)
        return;
    /* The bytes that were kept were refused. libcurl tells so here only, and would wait for more.
     */
    loop_detach(t->loop, &t->e);
    conclude(t, code);
    t->stall.fire = on_refused;
    loop_timer_set(t->loop, &t->stall, 0);
}

const char *transfer_header(struct transfer *t, const char *name)
{
    struct curl_header *h;

    if (curl_easy_header(t->e.easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
        return NULL;
    return h->value;
}

/* ---- the start ---- */

static CURLcode set_limits(CURL *easy, const struct transfer_spec *spec)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);

    if (!code && spec->timeout_ms)
        code = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)spec->timeout_ms);
    if (!code && spec->send_buffer)
        code = curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, spec->send_buffer);
    if (!code && spec->receive_buffer)
        code = curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, spec->receive_buffer);
    return code;
}

static CURLcode set_connection(CURL *easy, struct transfer *t, const struct transfer_spec *spec)
{
    const char *scheme = t->loopback_only ? "http" : "https";
    CURLcode code;

    if ((code = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L)) ||
        (code = curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L)) || /* no waiting for a resolver */
        (code = curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L)) ||
        (code = curl_easy_setopt(easy, CURLOPT_SHARE, loop_share(t->loop))) ||
        (code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, scheme)) ||
        (code = curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L)) ||
        (code = curl_easy_setopt(easy, CURLOPT_PROXY, "")) ||
        (code = curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED)) ||
        (code = curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2)) ||
        (code = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L)) ||
        (code = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L)) ||
        /* A connection each: no upload or stalled stream shares a window with anything else. */
        (code = curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1)) ||
        (code = curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, spec->fresh ? 1L : 0L)) ||
        (code = curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L)) ||
        (code = curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L)) ||
        (code = curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S)) ||
        (code = curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)))
        return code;
    return CURLE_OK;
}

static CURLcode set_callbacks(CURL *easy, struct transfer *t)
{
    CURLcode code;

    if ((code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket)) ||
        (code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, t)) ||
        (code = curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_ready)) ||
        (code = curl_easy_setopt(easy, CURLOPT_PREREQDATA, t)) ||
        (code = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header)) ||
        (code = curl_easy_setopt(easy, CURLOPT_HEADERDATA, t)) ||
        (code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data)) ||
        (code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, t)))
        return code;
    return CURLE_OK;
}

static CURLcode set_request(CURL *easy, struct transfer *t, const struct transfer_spec *spec)
{
    CURLcode code;

    if ((code = curl_easy_setopt(easy, CURLOPT_URL, spec->url)) ||
        (code = curl_easy_setopt(easy, CURLOPT_USERAGENT, AGENT)) ||
        (code = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers)))
        return code;
    if (strcmp(spec->method, "POST"))
        return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    if ((code = curl_easy_setopt(easy, CURLOPT_POST, 1L)) ||
        (code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)spec->body_len)))
        return code;
    if (!spec->ops->send)
        return curl_easy_setopt(easy, CURLOPT_POSTFIELDS, spec->body ? spec->body : "");
    if ((code = curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send)) ||
        (code = curl_easy_setopt(easy, CURLOPT_READDATA, t)) ||
        (code = curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek)) ||
        (code = curl_easy_setopt(easy, CURLOPT_SEEKDATA, t)))
        return code;
    return CURLE_OK;
}

static int prepare(struct transfer *t, const struct transfer_spec *spec)
{
    CURL *easy = t->e.easy = curl_easy_init();
    struct curl_slist *headers;
    CURLcode code;

    if (!easy || !(headers = curl_slist_append(t->headers, "Expect:"))) /* no waiting for a 100 */
        return -ENOMEM;
    t->headers = headers;
    if ((code = set_connection(easy, t, spec)) || (code = set_limits(easy, spec)) ||
        (code = set_callbacks(easy, t)) || (code = set_request(easy, t, spec)))
        return code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
    return 0;
}

struct transfer *transfer_start(struct loop *loop, const struct transfer_spec *spec, int *error)
{
    struct transfer *t = calloc(1, sizeof *t);
    int err;

    if (!t) {
        curl_slist_free_all(spec->headers);
        *error = -ENOMEM;
        return NULL;
    }
    t->loop = loop;
    t->fault = fault_make(FAULT_NONE, NULL);
    t->ops = spec->ops;
    t->user = spec->user;
    t->log = spec->log;
    t->headers = spec->headers;
    t->nearest = spec->nearest;
    t->loopback_only = strncasecmp(spec->url, "http:", 5) == 0;
    t->e.done = on_done;
    t->started_ms = t->moved_ms = clock_ms();
    t->stall_ms = spec->stall_ms;
    t->stall.fire = on_stall;
    snprintf(t->method, sizeof t->method, "%s", spec->method);
    origin_path(spec->url, t->path, sizeof t->path);
    buffer_init(&t->body, spec->answer_max);
    err = prepare(t, spec);
    if (!err)
        err = loop_attach(loop, &t->e);
    if (err) {
        transfer_free(t);
        *error = err;
        return NULL;
    }
    t->attached = true;
    if (t->stall_ms)
        look_later(t, t->stall_ms);
    return t;
}

void transfer_free(struct transfer *t)
{
    if (!t)
        return;
    loop_timer_stop(t->loop, &t->stall);
    if (t->attached)
        loop_detach(t->loop, &t->e);
    curl_easy_cleanup(t->e.easy);
    curl_slist_free_all(t->headers);
    buffer_release(&t->body);
    free(t);
}
