#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "account.h"
#include "deliver.h"
#include "refuse.h"
#include "route.h"
#include "upload.h"

#define CONNECTIONS_MAX 4096
#define CONNECTION_MEMORY                                                                          \
    (160u << 10) /* bytes: headers, and the block of a body that is read at once */
#define STACK_SIZE (1u << 20)

const char *request_header(const struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

struct wait request_wait(const struct request *r)
{
    return (struct wait){
        .stop = r->b->stop_fd, .peer = r->fd, .rules = ruleset_fd(r->fx.rules), .event = -1};
}

void hex_of(char *out, const uint8_t *raw, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sprintf(out + 2 * i, "%02x", raw[i]);
}

static enum MHD_Result collect_header(void *user, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    struct bytes *out = user;

    (void)kind;
    if (strcasecmp(name, "Authorization") == 0)
        return MHD_YES;
    bytes_text(out, out->len > 1 ? "," : "");
    bytes_json(out, name);
    bytes_text(out, ":");
    bytes_json(out, value ? value : "");
    return MHD_YES;
}

static char *headers_json(struct MHD_Connection *connection)
{
    struct bytes out;

    bytes_init(&out, REQUEST_TEXT_MAX);
    bytes_text(&out, "{");
    MHD_get_connection_values(connection, MHD_HEADER_KIND, collect_header, &out);
    bytes_text(&out, "}");
    return bytes_take(&out, NULL);
}

static void authorize(struct request *r)
{
    const char *value = request_header(r, "Authorization");
    int token = -1;

    r->account = -EACCES;
    if (value && strncmp(value, "Bearer ", 7) == 0)
        r->account = accounts_find(r->b->accounts, value + 7, &token, r->user_id);
    journal_token(r->b->journal, r->entry, r->account >= 0, token);
}

static struct request *request_new(struct backend *b, struct MHD_Connection *connection,
                                   const char *method, const char *path)
{
    struct request *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->b = b;
    r->connection = connection;
    r->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    snprintf(r->path, sizeof(r->path), "%s", path);
    r->route = route_find(method, path, r->arg);
    r->began_ms = clock_ms();
    r->fx.edit = -1;
    bytes_init(&r->body, r->route->body_max);
    sha256_init(&r->sha);
    if (r->route->endpoint != ENDPOINT_CONTROL) {
        r->entry = journal_begin(b->journal, r->route->endpoint, method, r->path,
                                 headers_json(connection));
        faults_take(b->faults, r->route->endpoint, r->path, &r->fx);
        authorize(r);
    }
    return r;
}

static void note_body(struct request *r, bool complete)
{
    uint8_t raw[SHA256_DIGEST_SIZE];
    char text[2 * SHA256_DIGEST_SIZE + 1] = "";

    if (r->body_over)
        return;
    r->body_over = true;
    if (r->received) {
        sha256_digest(&r->sha, sizeof(raw), raw);
        hex_of(text, raw, sizeof(raw));
    }
    journal_body(r->b->journal, r->entry, r->received, complete, text);
}

/* The headers are here: refuse what is bound to fail before the peer sends its body, if it asked.
 */
static enum MHD_Result request_begin(struct request *r)
{
    const char *expect = request_header(r, "Expect");
    struct answer a;

    answer_init(&a);
    if (expect && strcasecmp(expect, "100-continue") == 0 && refuse_early(r, &a)) {
        note_body(r, false);
        return deliver(r, &a);
    }
    if (r->route->endpoint == ENDPOINT_UPLOAD)
        r->upload = upload_new(r);
    return MHD_YES;
}

static enum MHD_Result request_body(struct request *r, const char *data, size_t size)
{
    if (!deliver_body_faults(r, size))
        return MHD_NO;
    r->received += size;
    sha256_update(&r->sha, size, (const uint8_t *)data);
    if (r->upload)
        upload_feed(r->upload, data, size);
    else
        bytes_add(&r->body, data, size);
    return MHD_YES;
}

/* All is here. */
static enum MHD_Result request_end(struct request *r)
{
    struct answer a;

    note_body(r, true);
    answer_init(&a);
    if (!refuse_early(r, &a))
        refuse_or_handle(r, &a);
    return deliver(r, &a);
}

static void request_free(struct request *r, bool aborted)
{
    note_body(r, false);
    upload_free(r->upload);
    bytes_release(&r->body);
    effects_release(&r->fx);
    journal_end(r->b->journal, r->entry, aborted && !r->cut);
    free(r);
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **state)
{
    struct request *r = *state;

    (void)version;
    if (!r) {
        r = request_new(user, connection, method, path);
        *state = r;
        return r ? request_begin(r) : MHD_NO;
    }
    if (*size) {
        enum MHD_Result result = request_body(r, data, *size);
        *size = 0;
        return result;
    }
    return r->answered ? MHD_YES : request_end(r);
}

static void on_completed(void *user, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why)
{
    (void)user;
    (void)connection;
    if (*state)
        request_free(*state, why != MHD_REQUEST_TERMINATED_COMPLETED_OK);
    *state = NULL;
}

static enum MHD_Result on_accept(void *user, const struct sockaddr *peer, socklen_t len)
{
    struct backend *b = user;
    struct effects fx;

    (void)peer;
    (void)len;
    faults_take(b->faults, ENDPOINT_ACCEPT, "", &fx);
    enum MHD_Result result = fx.cut ? MHD_NO : MHD_YES;
    effects_release(&fx);
    return result;
}

/* A socket that listens, and its port; -1 with errno set. */
static int listen_here(uint16_t *port)
{
    struct sockaddr_in here = {
        .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(here);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        bind(fd, (struct sockaddr *)&here, len) == 0 && listen(fd, SOMAXCONN) == 0 &&
        getsockname(fd, (struct sockaddr *)&here, &len) == 0) {
        *port = ntohs(here.sin_port);
        return fd;
    }
    int err = errno;
    if (fd >= 0)
        close(fd);
    errno = err;
    return -1;
}

struct MHD_Daemon *http_start(struct backend *b)
{
    uint16_t port = b->options.port;
    int fd = listen_here(&port);
    struct MHD_Daemon *daemon = NULL;

    snprintf(b->url, sizeof(b->url), "http://127.0.0.1:%u", port);
    snprintf(b->media_url, sizeof(b->media_url), "http://%s:%u", b->options.media_host, port);
    if (fd >= 0)
        daemon = MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                                      MHD_USE_POLL | MHD_USE_ITC,
                                  port, on_accept, b, on_request, b, MHD_OPTION_LISTEN_SOCKET, fd,
                                  MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
                                  MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                                  MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
                                  MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_SIZE, MHD_OPTION_END);
    if (!daemon) {
        fprintf(stderr, "nemo-local: cannot listen on 127.0.0.1:%u: %s\n", port, strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    return daemon;
}

void http_stop(struct MHD_Daemon *daemon)
{
    MHD_stop_daemon(daemon);
}
