#include "exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSION_PATH "/api/tasks/me/with-session/nemo_agent"
#define CLAIM_PATH "/api/auth/claim-token"

/* ---- a new session ---- */

struct session_call {
    struct call call;
    struct exchange x;
    struct wire_session session;
    client_session_fn *done;
    void *user;
};

static void session_start(struct call *call)
{
    struct session_call *s = container_of(call, struct session_call, call);

    exchange_start(&s->x);
}

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

static void session_tell(struct call *call, const struct fault *f)
{
    struct session_call *s = container_of(call, struct session_call, call);
    struct client_session session = {
        .session_id = s->session.session_id,
        .task_id = or_null(s->session.task_id),
        .user_id = or_null(s->session.user_id),
    };

    s->done(s->user, f, f->kind == FAULT_NONE ? &session : NULL);
}

static void session_release(struct call *call)
{
    struct session_call *s = container_of(call, struct session_call, call);

    exchange_release(&s->x);
    free(s);
}

static void session_read(void *user, struct transfer *t, struct fault *f)
{
    struct session_call *s = user;
    struct wire_answer answer = {t->http, t->body.data, t->body.len};

    wire_read_session(&answer, &s->session, f);
}

static void session_done(void *user, const struct fault *f)
{
    struct session_call *s = user;

    call_end(&s->call, f);
}

int client_session_create(struct client *c, const char *name, const char *lang,
                          client_session_fn *done, void *user, client_call *call)
{
    static const struct call_class class = {session_start, session_tell, session_release};
    static const struct exchange_ops ops = {.read = session_read, .done = session_done};
    struct session_call *s = calloc(1, sizeof *s);
    int err;

    if (!s)
        return -ENOMEM;
    exchange_init(&s->x, c, &ops, s);
    s->done = done;
    s->user = user;
    s->x.method = "POST";
    s->x.again = EXCHANGE_UNSENT; /* a second one would be one too many in the user's workspace */
    s->x.fresh = true;
    s->x.url = api_url(c, SESSION_PATH);
    err = wire_session_body(name, lang, &s->x.body, &s->x.body_len);
    if (!s->x.url || err) {
        session_release(&s->call);
        return err && err != -ENOMEM ? -EINVAL : -ENOMEM;
    }
    return call_launch(c, &s->call, &class, call);
}

/* ---- a link for the browser ---- */

struct link_call {
    struct call call;
    struct exchange x;
    struct wire_claim claim;
    client_link_fn *done;
    void *user;
};

static void link_start(struct call *call)
{
    struct link_call *l = container_of(call, struct link_call, call);

    exchange_start(&l->x);
}

static void link_tell(struct call *call, const struct fault *f)
{
    struct link_call *l = container_of(call, struct link_call, call);
    struct fault no_memory = fault_local(ENOMEM);
    char *url = NULL;

    if (f->kind == FAULT_NONE && asprintf(&url, "%s/workspace/claim?ct=%s", call->client->web_url,
                                          l->claim.claim_token) < 0) {
        url = NULL;
        f = &no_memory;
    }
    l->done(l->user, f, url, url ? l->claim.expires_in_s : 0);
    free(url);
}

static void link_release(struct call *call)
{
    struct link_call *l = container_of(call, struct link_call, call);

    exchange_release(&l->x);
    free(l);
}

static void link_read(void *user, struct transfer *t, struct fault *f)
{
    struct link_call *l = user;
    struct wire_answer answer = {t->http, t->body.data, t->body.len};

    wire_read_claim(&answer, &l->claim, f);
}

static void link_done(void *user, const struct fault *f)
{
    struct link_call *l = user;

    call_end(&l->call, f);
}

int client_link(struct client *c, const char *task_id, const char *session_id, client_link_fn *done,
                void *user, client_call *call)
{
    static const struct call_class class = {link_start, link_tell, link_release};
    static const struct exchange_ops ops = {.read = link_read, .done = link_done};
    struct link_call *l = calloc(1, sizeof *l);
    int err;

    if (!l)
        return -ENOMEM;
    exchange_init(&l->x, c, &ops, l);
    l->done = done;
    l->user = user;
    l->x.method = "POST";
    l->x.again = EXCHANGE_PASSING;
    l->x.url = api_url(c, CLAIM_PATH);
    err = wire_claim_body(task_id, session_id, &l->x.body, &l->x.body_len);
    if (!l->x.url || err) {
        link_release(&l->call);
        return err && err != -ENOMEM ? -EINVAL : -ENOMEM;
    }
    return call_launch(c, &l->call, &class, call);
}
