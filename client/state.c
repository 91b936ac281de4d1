#include "state.h"

#include <errno.h>
#include <stdlib.h>

#include "draft.h"
#include "text.h"

#define STATE_STALL_MS 20000
#define STATE_ENVELOPE_MAX 65536 /* bytes around a state */

struct state_call {
    struct call call;
    struct exchange x;
    const char *state; /* points into the answer's body */
    size_t len;
    client_state_fn *done;
    void *user;
};

char *state_url(struct client *c, const char *session_id)
{
    char *sid = url_escape(session_id);
    char *url = sid ? api_url(c, "/api/state/nemo_agent/me/%s/latest", sid) : NULL;

    curl_free(sid);
    return url;
}

void state_exchange_init(struct exchange *x, struct client *c, const struct exchange_ops *ops,
                         void *user, char *url)
{
    exchange_init(x, c, ops, user);
    x->answer_max = STATE_MAX + STATE_ENVELOPE_MAX;
    x->timeout_ms = 3 * EXCHANGE_TIMEOUT_MS; /* a long one on a slow line */
    x->stall_ms = STATE_STALL_MS;
    x->url = url;
}

static void state_start(struct call *call)
{
    struct state_call *s = container_of(call, struct state_call, call);

    exchange_start(&s->x);
}

static void state_tell(struct call *call, const struct fault *f)
{
    struct state_call *s = container_of(call, struct state_call, call);
    bool ok = f->kind == FAULT_NONE;

    s->done(s->user, f, ok ? s->state : NULL, ok ? s->len : 0);
}

static void state_release(struct call *call)
{
    struct state_call *s = container_of(call, struct state_call, call);

    exchange_release(&s->x);
    free(s);
}

static void state_read(void *user, struct transfer *t, struct fault *f)
{
    struct state_call *s = user;
    struct wire_answer answer = {t->http, t->body.data, t->body.len};

    if (wire_read_state(&answer, &s->state, &s->len, f) && s->len > STATE_MAX)
        *f = fault_make(FAULT_PROTOCOL, _("the state is too long"));
}

static void state_done(void *user, const struct fault *f)
{
    struct state_call *s = user;

    call_end(&s->call, f);
}

int client_state(struct client *c, const char *session_id, enum client_patience patience,
                 client_state_fn *done, void *user, client_call *call)
{
    static const struct call_class class = {state_start, state_tell, state_release};
    static const struct exchange_ops ops = {.read = state_read, .done = state_done};
    struct state_call *s = calloc(1, sizeof *s);

    if (!s)
        return -ENOMEM;
    state_exchange_init(&s->x, c, &ops, s, state_url(c, session_id));
    s->done = done;
    s->user = user;
    s->x.again = patience == CLIENT_RETRY ? EXCHANGE_PASSING : EXCHANGE_NEVER;
    s->x.no_rate_wait = patience == CLIENT_ONE_TRY;
    if (!s->x.url) {
        state_release(&s->call);
        return -ENOMEM;
    }
    return call_launch(c, &s->call, &class, call);
}
