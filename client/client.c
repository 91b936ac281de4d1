#include "internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SKILL_SOURCE "lipsyncvideo-ai"
#define SKILL_VERSION "1.0.1"

/* ---- calls ---- */

static struct call **bucket(struct client *c, client_call id)
{
    return &c->buckets[id % CALL_BUCKETS];
}

static void call_start(struct loop_task *task)
{
    struct call *call = container_of(task, struct call, start);

    call->class->start(call);
}

static void call_cancel(struct loop_task *task)
{
    struct call *call = container_of(task, struct call, cancel);

    if (call->freeable) {
        call->class->release(call);
        return;
    }
    pthread_mutex_lock(&call->client->lock);
    call->cancelling = false;
    pthread_mutex_unlock(&call->client->lock);
    struct fault f = fault_make(FAULT_CANCELLED, NULL);
    call_end(call, &f);
}

int call_launch(struct client *c, struct call *call, const struct call_class *class,
                client_call *id)
{
    call->client = c;
    call->class = class;
    call->start.run = call_start;
    call->cancel.run = call_cancel;

    pthread_mutex_lock(&c->lock);
    if (c->closing) {
        pthread_mutex_unlock(&c->lock);
        class->release(call);
        return -ESHUTDOWN;
    }
    call->id = ++c->last_id;
    if (id)
        *id = call->id;
    call->link = bucket(c, call->id);
    call->next = *call->link;
    if (call->next)
        call->next->link = &call->next;
    *call->link = call;
    loop_post(c->loop,
              &call->start); /* under the lock: before any cancel, and before the shutdown */
    pthread_mutex_unlock(&c->lock);
    return 0;
}

/* True if no cancel is on its way to this call any more. */
static bool call_unlink(struct call *call)
{
    struct client *c = call->client;

    pthread_mutex_lock(&c->lock);
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    call->link = NULL;
    bool free_now = !call->cancelling;
    pthread_mutex_unlock(&c->lock);
    return free_now;
}

void call_end(struct call *call, const struct fault *f)
{
    struct fault copy = *f; /* it may be part of what is freed */
    bool free_now = call_unlink(call);

    call->class->tell(call, &copy);
    if (free_now)
        call->class->release(call);
    else
        call->freeable = true;
}

void client_cancel(struct client *c, client_call id)
{
    struct call *call;

    pthread_mutex_lock(&c->lock);
    for (call = *bucket(c, id); call; call = call->next)
        if (call->id == id)
            break;
    if (call && !call->cancelling) {
        call->cancelling = true;
        loop_post(c->loop, &call->cancel);
    }
    pthread_mutex_unlock(&c->lock);
}

/* ---- headers, log ---- */

struct curl_slist *header_add(struct curl_slist *list, const char *name, const char *value)
{
    struct curl_slist *longer = NULL;
    char *line = NULL;

    if (!list)
        return NULL;
    if (asprintf(&line, *value ? "%s: %s" : "%s:%s", name, value) >= 0) {
        longer = curl_slist_append(list, line);
        explicit_bzero(line, strlen(line));
        free(line);
    }
    if (!longer)
        curl_slist_free_all(list);
    return longer;
}

struct curl_slist *header_first(const char *name, const char *value)
{
    struct curl_slist *list = NULL;
    char *line = NULL;

    if (asprintf(&line, "%s: %s", name, value) >= 0) {
        list = curl_slist_append(NULL, line);
        free(line);
    }
    return list;
}

struct curl_slist *client_headers(struct client *c, struct curl_slist *list, const char *token)
{
    char bearer[WIRE_SECRET_MAX + 16];

    list = header_add(list, "X-Skill-Source", SKILL_SOURCE);
    list = header_add(list, "X-Skill-Version", SKILL_VERSION);
    list = header_add(list, "X-Skill-Platform", c->platform);
    if (token) {
        snprintf(bearer, sizeof bearer, "Bearer %s", token);
        list = header_add(list, "Authorization", bearer);
        explicit_bzero(bearer, sizeof bearer);
    }
    return list;
}

void client_say(struct client *c, const char *format, ...)
{
    char line[512];
    va_list ap;

    if (!c->log)
        return;
    va_start(ap, format);
    vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    c->log(line);
}

struct fault fault_of_errno(int err)
{
    return fault_local(err < 0 ? -err : err);
}

/* ---- life ---- */

static bool is_header_value(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

static int read_options(struct client *c, const struct client_options *o)
{
    int err = origin_of(o->api_url, &c->api);

    if (err)
        return err;
    if (!origin_is_allowed(&c->api) || strlen(o->api_url) >= VAULT_API_MAX ||
        strpbrk(o->api_url, "?#") || !is_header_value(o->platform))
        return -EINVAL;
    c->api_url = strdup(o->api_url);
    c->web_url = strdup(o->web_url);
    c->platform = strdup(o->platform);
    if (!c->api_url || !c->web_url || !c->platform)
        return -ENOMEM;
    c->api_reach = origin_is_loopback(&c->api) ? REACH_LOOPBACK : REACH_PUBLIC;
    c->poll_ms = o->poll_ms;
    c->retry_wait_ms = o->retry_wait_ms;
    c->quiet_ms = o->quiet_ms;
    c->turn_timeout_ms = o->turn_timeout_ms;
    c->render_timeout_ms = o->render_timeout_ms;
    c->log = o->log;
    return 0;
}

static void client_release(struct client *c)
{
    account_release(&c->account);
    sem_destroy(&c->shut);
    pthread_mutex_destroy(&c->lock);
    free(c->api_url);
    free(c->web_url);
    free(c->platform);
    free(c);
}

struct client *client_new(const struct client_options *options, int *error)
{
    struct client *c = calloc(1, sizeof *c);
    int err;

    if (!c) {
        *error = -ENOMEM;
        return NULL;
    }
    pthread_mutex_init(&c->lock, NULL);
    sem_init(&c->shut, 0, 0);
    account_init(&c->account, c);
    err = read_options(c, options);
    if (!err)
        err = account_load(&c->account, options);
    if (!err)
        c->loop = loop_new(&err);
    if (!err)
        c->disk = disk_new(c->loop, &err);
    if (err) {
        loop_free(c->loop);
        client_release(c);
        *error = err;
        return NULL;
    }
    return c;
}

static void account_gone(struct account *a)
{
    sem_post(&a->client->shut);
}

static void shut_down(struct loop_task *task)
{
    struct client *c = container_of(task, struct client, shutdown);
    struct fault f = fault_make(FAULT_CANCELLED, NULL);

    /* No new call comes, for `closing` is set; only this thread takes any out of the table. */
    for (size_t i = 0; i < CALL_BUCKETS; i++)
        while (c->buckets[i])
            call_end(c->buckets[i], &f);
    account_stop(&c->account, account_gone);
}

void client_stop(struct client *c)
{
    bool first;

    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    first = !c->closing;
    if (first) {
        c->closing = true;
        c->shutdown.run = shut_down;
        loop_post(c->loop, &c->shutdown);
    }
    pthread_mutex_unlock(&c->lock);
    while (first && sem_wait(&c->shut) < 0)
        ;
}

void client_free(struct client *c)
{
    if (!c)
        return;
    client_stop(c);
    disk_free(c->disk);
    loop_free(c->loop);
    client_release(c);
}

void client_account(struct client *c, struct client_account *out)
{
    account_show(&c->account, out);
}
