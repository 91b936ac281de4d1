#include "account.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "internal.h"
#include "wire.h"

#define TOKEN_PATH "/api/auth/anonymous-token"
#define TOKEN_TIMEOUT_MS 20000
#define TOKEN_ANSWER_MAX (64u << 10)
#define RENEW_BEFORE_S 600 /* before its end; a tenth of its life if that is less */
#define RENEW_AGAIN_S 60   /* after a renewal that failed */
#define LAST_WAIT_MS 3000  /* for a token under way when all ends */

static void agree(struct account *a);
static void fail_later(struct account *a, struct fault f);

/* ---- what is known ---- */

static void show(struct account *a)
{
    pthread_mutex_lock(&a->lock);
    snprintf(a->shown.user_id, sizeof a->shown.user_id, "%s", a->vault.token.user_id);
    pthread_mutex_unlock(&a->lock);
}

void account_show(struct account *a, struct client_account *out)
{
    pthread_mutex_lock(&a->lock);
    *out = a->shown;
    pthread_mutex_unlock(&a->lock);
}

static bool is_expired(const struct account *a)
{
    int64_t end = a->vault.token.expires_at_s;

    return end && end <= time(NULL);
}

static bool is_near_its_end(const struct account *a)
{
    int64_t end = a->vault.token.expires_at_s, now = time(NULL);
    int64_t early = (end - a->vault.issued_at_s) / 10;

    if (!end || now < a->next_renewal_s)
        return false;
    if (early > RENEW_BEFORE_S || early < 0)
        early = RENEW_BEFORE_S;
    return end - now <= early;
}

const char *account_token(struct account *a, uint64_t *generation)
{
    if (!a->fixed) {
        if (!a->usable || is_expired(a))
            return NULL;
        if (is_near_its_end(a) && !a->busy)
            agree(a);
    }
    *generation = a->generation;
    return a->vault.token.token;
}

bool account_refused(struct account *a, uint64_t generation)
{
    if (a->fixed)
        return false;
    /* The calls that failed together come here one after the other; only the first one is news. */
    if (generation == a->generation)
        a->usable = false;
    return true;
}

/* ---- waiting ---- */

void account_leave(struct account_waiter *w)
{
    if (!w->link)
        return;
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    w->link = NULL;
}

static void enqueue(struct account_waiter **list, struct account_waiter *w)
{
    w->next = *list;
    w->link = list;
    if (w->next)
        w->next->link = &w->next;
    *list = w;
}

void account_wait(struct account *a, struct account_waiter *w)
{
    enqueue(&a->waiters, w);
    if (a->busy)
        return;
    if (clock_ms() < a->rate_until_ms) {
        a->busy = true;
        fail_later(a, a->rate);
    } else {
        agree(a);
    }
}

/* One waiter may end others while it is told, so each is taken off the list by itself; those that
 * come meanwhile wait for the next call. */
static void tell_waiters(struct account *a, const struct fault *f)
{
    struct account_waiter *now = a->waiters;

    a->waiters = NULL;
    if (now)
        now->link = &now;
    while (now) {
        struct account_waiter *w = now;
        account_leave(w);
        w->done(w, f);
    }
}

/* ---- the token call ---- */

static void end_token_call(struct account *a, const struct fault *f)
{
    struct fault none = fault_make(FAULT_NONE, NULL);

    a->busy = false;
    a->id_replaced = false;
    a->next_renewal_s = time(NULL) + RENEW_AGAIN_S;
    /* There is one already, says the backend: what refused it may accept it the next time; and if
     * it is over by our clock only, the backend will tell. */
    if (f->kind == FAULT_RATE && a->vault.token.token[0]) {
        a->usable = true;
        if (is_expired(a)) {
            a->vault.token.expires_at_s = 0;
            f = &none;
        }
    }
    tell_waiters(a, f);
}

/* A token that was used and then lost could not be had again for a week: so it is kept first. */
struct save_job {
    struct disk_job job;
    struct account *account;
    struct vault_token vault;
    int error;
};

static void use_token(struct account *a, const struct vault_token *vault)
{
    struct fault none = fault_make(FAULT_NONE, NULL);

    a->vault = *vault;
    a->usable = true;
    a->generation++;
    show(a);
    end_token_call(a, &none);
}

static void save(struct disk_job *job)
{
    struct save_job *s = container_of(job, struct save_job, job);

    s->error = vault_write_token(s->account->token_path, &s->vault);
}

static void saved(struct disk_job *job)
{
    struct save_job *s = container_of(job, struct save_job, job);
    struct account *a = s->account;

    if (s->error)
        client_say(a->client, "the token is not kept: %s", strerror(-s->error));
    use_token(a, &s->vault);
    explicit_bzero(&s->vault, sizeof s->vault);
    free(s);
}

static void take_token(struct account *a, const struct wire_token *token)
{
    struct vault_token vault = {.token = *token, .issued_at_s = time(NULL)};
    struct save_job *s = calloc(1, sizeof *s);

    /* One that is over when it comes was dated by another clock than ours: the backend will tell.
     */
    if (vault.token.expires_at_s <= vault.issued_at_s)
        vault.token.expires_at_s = 0;
    snprintf(vault.client_id, sizeof vault.client_id, "%s", a->client_id);
    snprintf(vault.api, sizeof vault.api, "%s", a->client->api_url);
    if (s) {
        s->account = a;
        s->vault = vault;
        s->job.work = save;
        s->job.done = saved;
        disk_submit(a->client->disk, &s->job);
    } else {
        client_say(a->client, "the token is not kept: no memory");
        use_token(a, &vault);
    }
    explicit_bzero(&vault, sizeof vault);
}

static void on_failure(struct timer *timer)
{
    struct account *a = container_of(timer, struct account, fail);
    struct fault f = a->failure;

    end_token_call(a, &f);
}

/* Who waits is never told before it went to sleep. */
static void fail_later(struct account *a, struct fault f)
{
    a->failure = f;
    a->fail.fire = on_failure;
    loop_timer_set(a->client->loop, &a->fail, 0);
}

/* Until then the answer is known, and asking makes it worse. */
static void note_rate(struct account *a, struct fault *f, struct transfer *t)
{
    f->retry_after_s = wire_retry_after_s(transfer_header(t, "Retry-After"), time(NULL));
    a->rate = *f;
    a->rate_until_ms = clock_ms() + (f->retry_after_s >= 0 ? (int64_t)f->retry_after_s * 1000
                                                           : a->client->retry_wait_ms);
}

static void go(struct account *a)
{
    loop_timer_stop(a->client->loop, &a->fail);
    transfer_free(a->transfer);
    a->transfer = NULL;
    a->gone(a);
}

static void on_last_wait(struct timer *timer)
{
    go(container_of(timer, struct account, fail));
}

static void on_answer(void *user, struct transfer *t)
{
    struct account *a = user;
    struct wire_answer answer = {t->http, t->body.data, t->body.len};
    struct wire_token token;
    struct fault f = t->fault;
    bool taken = f.kind == FAULT_NONE && wire_read_token(&answer, &token, &f);

    f.sent = false; /* of the calls that wait nothing was */
    if (f.kind == FAULT_RATE)
        note_rate(a, &f, t);
    a->transfer = NULL;
    transfer_free(t);
    if (taken) {
        take_token(a, &token);
        explicit_bzero(&token, sizeof token);
    }
    if (a->stopped)
        go(a);
    if (taken || a->stopped)
        return;
    if (f.kind == FAULT_CLIENT_ID && !a->id_given && !a->id_replaced) {
        a->id_replaced = true;
        a->id_agreed = false;
        snprintf(a->refused, sizeof a->refused, "%s", a->client_id);
        agree(a);
        return;
    }
    end_token_call(a, &f);
}

static void ask(struct account *a)
{
    static const struct transfer_ops ops = {.done = on_answer};
    struct client *c = a->client;
    struct transfer_spec spec = {
        .method = "POST",
        .answer_max = TOKEN_ANSWER_MAX,
        .timeout_ms = TOKEN_TIMEOUT_MS,
        .nearest = REACH_LOOPBACK,
        .fresh = true, /* one token per client and week: not twice by accident */
        .ops = &ops,
        .user = a,
        .log = c->log,
    };
    char url[VAULT_API_MAX + sizeof TOKEN_PATH];
    int err = -ENOMEM;

    snprintf(url, sizeof url, "%s%s", c->api_url, TOKEN_PATH);
    spec.url = url;
    spec.headers = client_headers(c, header_first("Accept", "application/json"), NULL);
    spec.headers = header_add(spec.headers, "X-Client-Id", a->client_id);
    spec.headers = header_add(spec.headers, "Content-Type", "");
    if (spec.headers)
        a->transfer = transfer_start(c->loop, &spec, &err);
    if (!a->transfer)
        fail_later(a, fault_of_errno(err));
}

/* ---- the client id ---- */

static void agree_work(struct disk_job *job)
{
    struct account *a = container_of(job, struct account, job);

    a->job_error = vault_agree_id(a->id_path, a->vault.client_id, a->refused[0] ? a->refused : NULL,
                                  a->client_id);
}

static void agree_done(struct disk_job *job)
{
    struct account *a = container_of(job, struct account, job);

    if (a->job_error) {
        client_say(a->client, "the client id is not kept: %s", strerror(-a->job_error));
        snprintf(a->client_id, sizeof a->client_id, "%s", a->vault.client_id);
    }
    a->id_agreed = true;
    a->refused[0] = '\0';
    if (!a->stopped)
        ask(a);
}

/* The way to a token: agree with other programs on the client id, if that was not done, then ask.
 */
static void agree(struct account *a)
{
    a->busy = true;
    if (a->id_agreed) {
        ask(a);
        return;
    }
    /* What to put into the file if there is none: the id that the last token was given to, so that
     * its credits are not lost with the file. */
    if (!a->vault.client_id[0] || !strcmp(a->vault.client_id, a->refused))
        vault_new_id(a->vault.client_id);
    a->job.work = agree_work;
    a->job.done = agree_done;
    disk_submit(a->client->disk, &a->job);
}

/* ---- life ---- */

/* The kept token is ours if it came from this API for the id that we are. */
static void load_token(struct account *a)
{
    struct vault_token v;
    char id[WIRE_ID_MAX];
    int err = vault_read_token(a->token_path, &v);

    if (err) {
        if (err != -ENOENT)
            client_say(a->client, "the kept token is unreadable: %s", strerror(-err));
        return;
    }
    if (a->id_given)
        strcpy(id, a->client_id);
    else if (vault_read_id(a->id_path, id))
        strcpy(id, v.client_id); /* the file is gone: it will be made again with this id */
    if (!strcmp(v.api, a->client->api_url) && !strcmp(v.client_id, id)) {
        a->vault = v;
        a->usable = true;
    }
    explicit_bzero(&v, sizeof v);
}

static char *copy_or_empty(const char *text)
{
    return strdup(text ? text : "");
}

void account_init(struct account *a, struct client *client)
{
    a->client = client;
    a->generation = 1;
    a->vault.token.credits = -1;
    pthread_mutex_init(&a->lock, NULL);
}

int account_load(struct account *a, const struct client_options *options)
{
    a->id_path = copy_or_empty(options->client_id_path);
    a->token_path = copy_or_empty(options->token_path);
    if (!a->id_path || !a->token_path)
        return -ENOMEM;
    if (options->token) {
        if (!vault_is_header_text(options->token) ||
            strlen(options->token) >= sizeof a->vault.token.token)
            return -EINVAL;
        a->fixed = a->usable = true;
        strcpy(a->vault.token.token, options->token);
        return 0;
    }
    a->shown.anonymous = true;
    if (options->client_id) {
        if (!vault_is_header_text(options->client_id) ||
            strlen(options->client_id) >= sizeof a->client_id)
            return -EINVAL;
        strcpy(a->client_id, options->client_id);
        a->id_given = a->id_agreed = true;
    }
    load_token(a);
    show(a);
    return 0;
}

void account_stop(struct account *a, void (*gone)(struct account *a))
{
    a->stopped = true;
    a->gone = gone;
    loop_timer_stop(a->client->loop, &a->fail);
    if (!a->transfer || !a->transfer->sent) {
        go(a);
        return;
    }
    a->fail.fire = on_last_wait;
    loop_timer_set(a->client->loop, &a->fail, LAST_WAIT_MS);
}

void account_release(struct account *a)
{
    free(a->id_path);
    free(a->token_path);
    explicit_bzero(&a->vault, sizeof a->vault);
    pthread_mutex_destroy(&a->lock);
}
