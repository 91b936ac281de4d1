#include "journal.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

struct entry {
    struct entry *next;
    int refs;
    uint64_t n;
    enum endpoint endpoint;
    char method[16];
    char *path;
    char *headers;
    char *text; /* of a message */
    int64_t time_ms, end_ms;
    int status;
    bool authorized;
    int token;
    uint64_t received;
    bool complete;
    bool over;
    bool aborted;
    char sha256[65];
};

struct journal {
    pthread_mutex_t lock;
    struct entry *first, **last;
    size_t count;
    uint64_t numbers;
};

struct journal *journal_new(void)
{
    struct journal *j = calloc(1, sizeof(*j));

    if (!j)
        return NULL;
    pthread_mutex_init(&j->lock, NULL);
    j->last = &j->first;
    return j;
}

static void release(struct entry *e)
{
    if (--e->refs)
        return;
    free(e->path);
    free(e->headers);
    free(e->text);
    free(e);
}

static void drop_first(struct journal *j)
{
    struct entry *e = j->first;

    j->first = e->next;
    if (!j->first)
        j->last = &j->first;
    j->count--;
    release(e);
}

void journal_clear(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    while (j->first)
        drop_first(j);
    pthread_mutex_unlock(&j->lock);
}

void journal_free(struct journal *j)
{
    if (!j)
        return;
    journal_clear(j);
    pthread_mutex_destroy(&j->lock);
    free(j);
}

struct entry *journal_begin(struct journal *j, enum endpoint endpoint, const char *method,
                            const char *path, char *headers)
{
    struct entry *e = calloc(1, sizeof(*e));

    if (!e) {
        free(headers);
        return NULL;
    }
    e->endpoint = endpoint;
    snprintf(e->method, sizeof(e->method), "%s", method);
    e->path = strdup(path);
    e->headers = headers;
    e->time_ms = clock_epoch_ms();
    e->token = -1;
    e->refs = 2;
    pthread_mutex_lock(&j->lock);
    e->n = ++j->numbers;
    *j->last = e;
    j->last = &e->next;
    if (++j->count > JOURNAL_MAX)
        drop_first(j);
    pthread_mutex_unlock(&j->lock);
    return e;
}

void journal_token(struct journal *j, struct entry *e, bool good, int index)
{
    if (!e)
        return;
    pthread_mutex_lock(&j->lock);
    e->authorized = good;
    e->token = index;
    pthread_mutex_unlock(&j->lock);
}

void journal_body(struct journal *j, struct entry *e, uint64_t received, bool complete,
                  const char *sha256)
{
    if (!e)
        return;
    pthread_mutex_lock(&j->lock);
    e->received = received;
    e->complete = complete;
    snprintf(e->sha256, sizeof(e->sha256), "%s", sha256);
    pthread_mutex_unlock(&j->lock);
}

void journal_text(struct journal *j, struct entry *e, const char *text)
{
    if (!e)
        return;
    pthread_mutex_lock(&j->lock);
    free(e->text);
    e->text = strdup(text);
    pthread_mutex_unlock(&j->lock);
}

void journal_status(struct journal *j, struct entry *e, int status)
{
    if (!e)
        return;
    pthread_mutex_lock(&j->lock);
    e->status = status;
    pthread_mutex_unlock(&j->lock);
}

void journal_end(struct journal *j, struct entry *e, bool aborted)
{
    if (!e)
        return;
    pthread_mutex_lock(&j->lock);
    e->end_ms = clock_epoch_ms();
    e->over = true;
    e->aborted = aborted;
    release(e);
    pthread_mutex_unlock(&j->lock);
}

static const char *spelled(bool yes)
{
    return yes ? "true" : "false";
}

static void write_entry(const struct entry *e, struct bytes *out)
{
    bytes_format(out, "{\"n\":%" PRIu64 ",\"endpoint\":\"%s\",\"method\":", e->n,
                 endpoint_names[e->endpoint]);
    bytes_json(out, e->method);
    bytes_text(out, ",\"path\":");
    bytes_json(out, e->path ? e->path : "");
    bytes_format(out, ",\"time_ms\":%" PRId64 ",\"end_ms\":", e->time_ms);
    if (e->over)
        bytes_format(out, "%" PRId64, e->end_ms);
    else
        bytes_text(out, "null");
    bytes_format(out, ",\"status\":%d,\"authorized\":%s,\"token\":%d", e->status,
                 spelled(e->authorized), e->token);
    bytes_format(out, ",\"body_bytes\":%" PRIu64 ",\"complete\":%s,\"body_sha256\":\"%s\"",
                 e->received, spelled(e->complete), e->sha256);
    bytes_format(out, ",\"over\":%s,\"aborted\":%s,\"headers\":%s", spelled(e->over),
                 spelled(e->aborted), e->headers ? e->headers : "{}");
    if (e->text) {
        bytes_text(out, ",\"text\":");
        bytes_json(out, e->text);
    }
    bytes_text(out, "}");
}

void journal_write(struct journal *j, struct bytes *out)
{
    bytes_text(out, "[");
    pthread_mutex_lock(&j->lock);
    for (struct entry *e = j->first; e; e = e->next) {
        write_entry(e, out);
        bytes_text(out, e->next ? ",\n" : "");
    }
    pthread_mutex_unlock(&j->lock);
    bytes_text(out, "]\n");
}
