#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ask.h"

#define SESSION_PATH "/api/tasks/me/with-session/nemo_agent"
#define CLAIM_PATH "/api/auth/claim-token"

/* ---- a new session ---- */

struct session_call {
    struct ask ask;
    struct wire_session session;
    client_session_fn *done;
    void *user;
};

static void session_read(struct ask *a, const struct wire_answer *answer, struct fault *f)
{
    struct session_call *s = container_of(a, struct session_call, ask);

    wire_read_session(answer, &s->session, f);
}

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

static void session_tell(struct ask *a, const struct fault *f)
{
    struct session_call *s = container_of(a, struct session_call, ask);
    struct client_session session = {
        .session_id = s->session.session_id,
        .task_id = or_null(s->session.task_id),
        .user_id = or_null(s->session.user_id),
    };

    s->done(s->user, f, f->kind == FAULT_NONE ? &session : NULL);
}

int client_session_create(struct client *c, const char *name, const char *lang,
                          client_session_fn *done, void *user, client_call *call)
{
    static const struct ask_class class = {session_read, session_tell};
    struct session_call *s = ask_new(sizeof *s, c, &class);
    struct exchange *x;

    if (!s)
        return -ENOMEM;
    s->done = done;
    s->user = user;
    x = &s->ask.x;
    x->method = "POST";
    x->again = EXCHANGE_UNSENT; /* a second one would be one too many in the user's workspace */
    x->fresh = true;
    x->url = api_url(c, SESSION_PATH);
    return ask_launch(&s->ask, wire_session_body(name, lang, &x->body, &x->body_len), call);
}

/* ---- a link for the browser ---- */

struct link_call {
    struct ask ask;
    struct wire_claim claim;
    client_link_fn *done;
    void *user;
};

static void link_read(struct ask *a, const struct wire_answer *answer, struct fault *f)
{
    struct link_call *l = container_of(a, struct link_call, ask);

    wire_read_claim(answer, &l->claim, f);
}

static void link_tell(struct ask *a, const struct fault *f)
{
    struct link_call *l = container_of(a, struct link_call, ask);
    struct fault no_memory = fault_local(ENOMEM);
    char *url = NULL;

    if (f->kind == FAULT_NONE && asprintf(&url, "%s/workspace/claim?ct=%s", a->call.client->web_url,
                                          l->claim.claim_token) < 0) {
        url = NULL;
        f = &no_memory;
    }
    l->done(l->user, f, url, url ? l->claim.expires_in_s : 0);
    free(url);
}

int client_link(struct client *c, const char *task_id, const char *session_id, client_link_fn *done,
                void *user, client_call *call)
{
    static const struct ask_class class = {link_read, link_tell};
    struct link_call *l = ask_new(sizeof *l, c, &class);
    struct exchange *x;

    if (!l)
        return -ENOMEM;
    l->done = done;
    l->user = user;
    x = &l->ask.x;
    x->method = "POST";
    x->again = EXCHANGE_PASSING;
    x->url = api_url(c, CLAIM_PATH);
    return ask_launch(&l->ask, wire_claim_body(task_id, session_id, &x->body, &x->body_len), call);
}
