#include "exchange.h"

#include <errno.h>
#include <stdlib.h>

#define BALANCE_PATH "/api/credits/balance/simple"

struct balance_call {
    struct call call;
    struct exchange x;
    struct client_balance balance;
    client_balance_fn *done;
    void *user;
};

static void balance_start(struct call *call)
{
    struct balance_call *b = container_of(call, struct balance_call, call);

    exchange_start(&b->x);
}

static void balance_tell(struct call *call, const struct fault *f)
{
    struct balance_call *b = container_of(call, struct balance_call, call);

    b->done(b->user, f, f->kind == FAULT_NONE ? &b->balance : NULL);
}

static void balance_release(struct call *call)
{
    struct balance_call *b = container_of(call, struct balance_call, call);

    exchange_release(&b->x);
    free(b);
}

static void balance_read(void *user, struct transfer *t, struct fault *f)
{
    struct balance_call *b = user;
    struct wire_answer answer = {t->http, t->body.data, t->body.len};

    wire_read_balance(&answer, &b->balance, f);
}

static void balance_done(void *user, const struct fault *f)
{
    struct balance_call *b = user;

    call_end(&b->call, f);
}

int client_balance(struct client *c, enum client_patience patience, client_balance_fn *done,
                   void *user, client_call *call)
{
    static const struct call_class class = {balance_start, balance_tell, balance_release};
    static const struct exchange_ops ops = {.read = balance_read, .done = balance_done};
    struct balance_call *b = calloc(1, sizeof *b);

    if (!b)
        return -ENOMEM;
    exchange_init(&b->x, c, &ops, b);
    b->done = done;
    b->user = user;
    b->x.again = patience == CLIENT_RETRY ? EXCHANGE_PASSING : EXCHANGE_NEVER;
    b->x.no_rate_wait = patience == CLIENT_ONE_TRY;
    b->x.url = api_url(c, BALANCE_PATH);
    if (!b->x.url) {
        balance_release(&b->call);
        return -ENOMEM;
    }
    return call_launch(c, &b->call, &class, call);
}
