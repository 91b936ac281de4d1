#include <errno.h>

#include "ask.h"

#define BALANCE_PATH "/api/credits/balance/simple"

struct balance_call {
    struct ask ask;
    struct client_balance balance;
    client_balance_fn *done;
    void *user;
};

static void balance_read(struct ask *a, const struct wire_answer *answer, struct fault *f)
{
    struct balance_call *b = container_of(a, struct balance_call, ask);

    wire_read_balance(answer, &b->balance, f);
}

static void balance_tell(struct ask *a, const struct fault *f)
{
    struct balance_call *b = container_of(a, struct balance_call, ask);

    b->done(b->user, f, f->kind == FAULT_NONE ? &b->balance : NULL);
}

int client_balance(struct client *c, enum client_patience patience, client_balance_fn *done,
                   void *user, client_call *call)
{
    static const struct ask_class class = {balance_read, balance_tell};
    struct balance_call *b = ask_new(sizeof *b, c, &class);

    if (!b)
        return -ENOMEM;
    b->done = done;
    b->user = user;
    b->ask.x.again = patience == CLIENT_RETRY ? EXCHANGE_PASSING : EXCHANGE_NEVER;
    b->ask.x.no_rate_wait = patience == CLIENT_ONE_TRY;
    b->ask.x.url = api_url(c, BALANCE_PATH);
    return ask_launch(&b->ask, 0, call);
}
