#include "state.h"

#include <errno.h>

#include "ask.h"
#include "draft.h"
#include "text.h"

#define STATE_STALL_MS 20000
#define STATE_ENVELOPE_MAX 65536 /* bytes around a state */

struct state_call {
    struct ask ask;
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

void state_exchange_set(struct exchange *x, char *url)
{
    x->answer_max = STATE_MAX + STATE_ENVELOPE_MAX;
    x->timeout_ms = 3 * EXCHANGE_TIMEOUT_MS; /* a long one on a slow line */
    x->stall_ms = STATE_STALL_MS;
    x->url = url;
}

static void state_read(struct ask *a, const struct wire_answer *answer, struct fault *f)
{
    struct state_call *s = container_of(a, struct state_call, ask);

    if (wire_read_state(answer, &s->state, &s->len, f) && s->len > STATE_MAX)
        *f = fault_make(FAULT_PROTOCOL, _("the state is too long"));
}

static void state_tell(struct ask *a, const struct fault *f)
{
    struct state_call *s = container_of(a, struct state_call, ask);
    bool ok = f->kind == FAULT_NONE;

    s->done(s->user, f, ok ? s->state : NULL, ok ? s->len : 0);
}

int client_state(struct client *c, const char *session_id, enum client_patience patience,
                 client_state_fn *done, void *user, client_call *call)
{
    static const struct ask_class class = {state_read, state_tell};
    struct state_call *s = ask_new(sizeof *s, c, &class);

    if (!s)
        return -ENOMEM;
    s->done = done;
    s->user = user;
    s->ask.x.again = patience == CLIENT_RETRY ? EXCHANGE_PASSING : EXCHANGE_NEVER;
    s->ask.x.no_rate_wait = patience == CLIENT_ONE_TRY;
    state_exchange_set(&s->ask.x, state_url(c, session_id));
    return ask_launch(&s->ask, 0, call);
}
