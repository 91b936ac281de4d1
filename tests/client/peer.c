#include "peer.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define RULES_MAX 64
#define ANSWERS_MAX 32
#define CONNECTIONS_MAX 512
#define REQUESTS_MAX 1024
#define PATIENCE_S 20

struct rule {
    const char *what;
    struct peer_answer answers[ANSWERS_MAX];
    unsigned count, played;
};

struct peer {
    int listener;
    char url[64];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct rule rules[RULES_MAX];
    unsigned rule_count;
    struct peer_request *requests;
    unsigned request_count;
    struct connection {
        struct peer *peer;
        unsigned number;
        int fd;
        pthread_t thread;
    } connections[CONNECTIONS_MAX];
    unsigned slots; /* of `connections` that were ever used */
    unsigned connection_count;
    unsigned open;
    unsigned permits; /* of peer_go_on */
    unsigned tokens;
    uint64_t read; /* bytes of bodies */
    bool ending;
};

uint64_t peer_sum(const void *bytes, size_t len)
{
    const unsigned char *b = bytes;
    uint64_t sum = 0xcbf29ce484222325;

    for (size_t i = 0; i < len; i++)
        sum = (sum ^ b[i]) * 0x100000001b3;
    return sum;
}

static void sum_more(uint64_t *sum, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        *sum = (*sum ^ (unsigned char)bytes[i]) * 0x100000001b3;
}

/* ---- one request ---- */

static bool fits(const struct peer_request *r, const char *what)
{
    char line[sizeof r->method + sizeof r->path + 2];

    snprintf(line, sizeof line, "%s %s", r->method, r->path);
    return strncmp(line, what, strlen(what)) == 0;
}

const char *peer_header(const struct peer_request *r, const char *name)
{
    static _Thread_local char value[2048];
    size_t len = strlen(name);

    value[0] = '\0';
    for (const char *line = r->head; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncasecmp(line, name, len) || line[len] != ':')
            continue;
        const char *start = line + len + 1;
        start += strspn(start, " ");
        snprintf(value, sizeof value, "%.*s", (int)strcspn(start, "\r\n"), start);
        break;
    }
    return value;
}

/* Reads a request; false when the client is gone or the peer ends. */
static bool read_head(int fd, struct peer_request *r)
{
    size_t len = 0;

    memset(r, 0, sizeof *r);
    while (!strstr(r->head, "\r\n\r\n")) {
        if (len + 1 >= sizeof r->head || recv(fd, r->head + len, 1, 0) != 1)
            return false;
        r->head[++len] = '\0';
    }
    return sscanf(r->head, "%7s %511s", r->method, r->path) == 2;
}

static bool wait_permit(struct peer *p)
{
    pthread_mutex_lock(&p->lock);
    while (!p->permits && !p->ending)
        pthread_cond_wait(&p->changed, &p->lock);
    bool ok = !p->ending;
    if (ok)
        p->permits--;
    pthread_mutex_unlock(&p->lock);
    return ok;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void count_read(struct peer *p, size_t bytes)
{
    pthread_mutex_lock(&p->lock);
    p->read += bytes;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

static bool read_body(struct connection *c, struct peer_request *r, const struct peer_answer *a)
{
    char buf[65536];
    uint64_t left = strtoull(peer_header(r, "Content-Length"), NULL, 10);
    size_t may = 0;

    if (a->read_only && left > a->read_only)
        left = a->read_only;
    r->body_sum = peer_sum("", 0);
    while (left) {
        if (a->step && !may) {
            if (!wait_permit(c->peer))
                return false;
            may = a->step;
        }
        ssize_t n = recv(c->fd, buf, least(a->step ? may : sizeof buf, least(left, sizeof buf)), 0);
        if (n <= 0)
            return false;
        may -= a->step ? (size_t)n : 0;
        count_read(c->peer, (size_t)n);
        for (ssize_t i = 0; i < n && r->body_len + (uint64_t)i < sizeof r->body - 1; i++)
            r->body[r->body_len + (uint64_t)i] = buf[i];
        sum_more(&r->body_sum, buf, (size_t)n);
        r->body_len += (uint64_t)n;
        left -= (uint64_t)n;
    }
    return true;
}

/* ---- one answer ---- */

static void send_bytes(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        bytes += n;
        len -= (size_t)n;
    }
}

static void send_text(int fd, const char *text)
{
    send_bytes(fd, text, strlen(text));
}

static void send_chunk(int fd, const char *bytes, size_t len)
{
    char head[32];

    if (!len)
        return;
    snprintf(head, sizeof head, "%zx\r\n", len);
    send_text(fd, head);
    send_bytes(fd, bytes, len);
    send_text(fd, "\r\n");
}

static void send_first(int fd, const struct peer_answer *a)
{
    const char *body = a->body ? a->body : "";
    size_t len = a->body_len ? a->body_len : strlen(body);
    char head[4096];

    if (!a->status) {
        send_bytes(fd, body, len);
        return;
    }
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d Scripted\r\n%s", a->status,
                     a->headers ? a->headers : "");
    if (a->chunked)
        snprintf(head + n, sizeof head - (size_t)n, "%sTransfer-Encoding: chunked\r\n\r\n",
                 a->headers ? "" : "Content-Type: text/event-stream\r\n");
    else if (!strcasestr(head, "content-length"))
        snprintf(head + n, sizeof head - (size_t)n, "Content-Length: %zu\r\n\r\n", len);
    else
        snprintf(head + n, sizeof head - (size_t)n, "\r\n");
    send_text(fd, head);
    if (a->chunked)
        send_chunk(fd, body, len);
    else
        send_bytes(fd, body, len);
}

/* False: the connection is at its end. */
static bool play(struct connection *c, const struct peer_answer *a)
{
    struct linger hard = {1, 0};
    int queued;
    char byte;

    if (a->hold && !wait_permit(c->peer))
        return false;
    send_first(c->fd, a);
    for (unsigned i = 0; a->rest && (i == 0 || i < a->rests); i++) {
        if (!wait_permit(c->peer))
            return false;
        if (a->chunked)
            send_chunk(c->fd, a->rest, strlen(a->rest));
        else
            send_text(c->fd, a->rest);
    }
    switch (a->end) {
    case PEER_KEEP:
    case PEER_CLOSE:
        if (a->chunked)
            send_text(c->fd, "0\r\n\r\n");
        return a->end == PEER_KEEP;
    case PEER_RESET:
        /* What was sent must arrive before the break does. */
        while (ioctl(c->fd, SIOCOUTQ, &queued) == 0 && queued)
            sched_yield();
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        return false;
    case PEER_STALL:
        while (recv(c->fd, &byte, 1, 0) > 0)
            ;
        return false;
    }
    return false;
}

static struct rule *find_rule(struct peer *p, const struct peer_request *r)
{
    struct rule *best = NULL;

    for (unsigned i = 0; i < p->rule_count; i++)
        if (fits(r, p->rules[i].what) && (!best || strlen(p->rules[i].what) > strlen(best->what)))
            best = &p->rules[i];
    return best;
}

static bool answer(struct connection *c, struct peer_request *r)
{
    struct peer *p = c->peer;
    struct peer_answer a = {.status = 404, .body = "{\"detail\":\"Not Found\"}"};
    char token[256];
    struct rule *rule;

    pthread_mutex_lock(&p->lock);
    rule = find_rule(p, r);
    if (rule) {
        a = rule->answers[rule->played];
        if (rule->played + 1 < rule->count)
            rule->played++;
    } else if (fits(r, "POST /api/auth/anonymous-token")) {
        snprintf(token, sizeof token,
                 "{\"code\":0,\"data\":{\"token\":\"nmv_usr_%u\",\"user_id\":\"anon_7\","
                 "\"expires_at\":\"2099-01-01T00:00:00Z\",\"credits\":100}}",
                 ++p->tokens);
        a.status = 200;
        a.body = token;
    }
    pthread_mutex_unlock(&p->lock);

    bool whole = read_body(c, r, &a);
    pthread_mutex_lock(&p->lock);
    if (p->request_count < REQUESTS_MAX)
        p->requests[p->request_count++] = *r;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return whole && play(c, &a);
}

/* ---- threads ---- */

static void *serve(void *user)
{
    struct connection *c = user;
    struct peer *p = c->peer;
    struct peer_request *r = calloc(1, sizeof *r);

    while (r && read_head(c->fd, r)) {
        r->connection = c->number;
        if (!answer(c, r))
            break;
    }
    free(r);
    pthread_mutex_lock(&p->lock);
    close(c->fd);
    c->fd = -1; /* the slot is free from here on, but for joining */
    p->open--;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* NULL: all are in use. */
static struct connection *free_slot(struct peer *p)
{
    for (unsigned i = 0; i < p->slots; i++)
        if (p->connections[i].fd < 0) {
            pthread_join(p->connections[i].thread,
                         NULL); /* at its end, and wants no lock any more */
            return &p->connections[i];
        }
    return p->slots < CONNECTIONS_MAX ? &p->connections[p->slots++] : NULL;
}

static void *listen_on(void *user)
{
    struct peer *p = user;

    for (;;) {
        int one = 1, fd = accept(p->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        pthread_mutex_lock(&p->lock);
        struct connection *c = p->ending ? NULL : free_slot(p);
        if (!c) {
            close(fd);
        } else {
            c->peer = p;
            c->number = p->connection_count++;
            c->fd = fd;
            p->open++;
            pthread_create(&c->thread, NULL, serve, c);
        }
        pthread_mutex_unlock(&p->lock);
    }
}

struct peer *peer_new(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct peer *p = calloc(1, sizeof *p);

    p->requests = calloc(REQUESTS_MAX, sizeof *p->requests);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(p->listener, 256), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(p->url, sizeof p->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&p->thread, NULL, listen_on, p), 0);
    return p;
}

void peer_narrow(struct peer *p)
{
    int bytes = 4096;

    assert_int_equal(setsockopt(p->listener, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes), 0);
}

void peer_deafen(struct peer *p)
{
    if (p->listener < 0)
        return;
    shutdown(p->listener, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->listener);
    p->listener = -1;
}

void peer_free(struct peer *p)
{
    pthread_mutex_lock(&p->lock);
    p->ending = true;
    pthread_cond_broadcast(&p->changed);
    for (unsigned i = 0; i < p->slots; i++)
        if (p->connections[i].fd >= 0)
            shutdown(p->connections[i].fd, SHUT_RDWR);
    pthread_mutex_unlock(&p->lock);
    peer_deafen(p);
    for (unsigned i = 0; i < p->slots; i++)
        pthread_join(p->connections[i].thread, NULL);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p->requests);
    free(p);
}

/* ---- for the tests ---- */

const char *peer_url(struct peer *p)
{
    return p->url;
}

void peer_on(struct peer *p, const char *what, struct peer_answer a)
{
    struct rule *rule = NULL;

    pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->rule_count; i++)
        if (!strcmp(p->rules[i].what, what))
            rule = &p->rules[i];
    if (!rule) {
        assert_true(p->rule_count < RULES_MAX);
        rule = &p->rules[p->rule_count++];
        rule->what = what;
    }
    assert_true(rule->count < ANSWERS_MAX);
    rule->answers[rule->count++] = a;
    pthread_mutex_unlock(&p->lock);
}

void peer_json(struct peer *p, const char *what, int status, const char *body)
{
    struct peer_answer a = {
        .status = status, .headers = "Content-Type: application/json\r\n", .body = body};

    peer_on(p, what, a);
}

static unsigned count_locked(struct peer *p, const char *what)
{
    unsigned n = 0;

    for (unsigned i = 0; i < p->request_count; i++)
        n += fits(&p->requests[i], what);
    return n;
}

unsigned peer_count(struct peer *p, const char *what)
{
    pthread_mutex_lock(&p->lock);
    unsigned n = count_locked(p, what);
    pthread_mutex_unlock(&p->lock);
    return n;
}

static struct timespec deadline(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    return until;
}

void peer_wait(struct peer *p, const char *what, unsigned count)
{
    struct timespec until = deadline();
    int err = 0;

    pthread_mutex_lock(&p->lock);
    while (count_locked(p, what) < count && !err)
        err = pthread_cond_timedwait(&p->changed, &p->lock, &until);
    pthread_mutex_unlock(&p->lock);
    assert_int_equal(err, 0);
}

void peer_wait_closed(struct peer *p)
{
    struct timespec until = deadline();
    int err = 0;

    pthread_mutex_lock(&p->lock);
    while (p->open && !err)
        err = pthread_cond_timedwait(&p->changed, &p->lock, &until);
    pthread_mutex_unlock(&p->lock);
    assert_int_equal(err, 0);
}

void peer_wait_read(struct peer *p, uint64_t bytes)
{
    struct timespec until = deadline();
    int err = 0;

    pthread_mutex_lock(&p->lock);
    while (p->read < bytes && !err)
        err = pthread_cond_timedwait(&p->changed, &p->lock, &until);
    pthread_mutex_unlock(&p->lock);
    assert_int_equal(err, 0);
}

struct peer_request peer_request(struct peer *p, const char *what, unsigned n)
{
    struct peer_request found;
    bool ok = false;

    pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->request_count && !ok; i++)
        if (fits(&p->requests[i], what) && n-- == 0) {
            found = p->requests[i];
            ok = true;
        }
    pthread_mutex_unlock(&p->lock);
    assert_true(ok);
    return found;
}

void peer_go_on(struct peer *p)
{
    pthread_mutex_lock(&p->lock);
    p->permits++;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}
