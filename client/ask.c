#include "ask.h"

#include <errno.h>
#include <stdlib.h>

static void start(struct call *call)
{
    exchange_start(&container_of(call, struct ask, call)->x);
}

static void tell(struct call *call, const struct fault *f)
{
    struct ask *a = container_of(call, struct ask, call);

    a->class->tell(a, f);
}

static void release(struct call *call)
{
    struct ask *a = container_of(call, struct ask, call);

    exchange_release(&a->x);
    free(a);
}

static void answered(void *user, struct transfer *t, struct fault *f)
{
    struct wire_answer answer = {t->http, t->body.data, t->body.len};
    struct ask *a = user;

    a->class->read(a, &answer, f);
}

static void done(void *user, const struct fault *f)
{
    struct ask *a = user;

    call_end(&a->call, f);
}

void *ask_new(size_t size, struct client *c, const struct ask_class *class)
{
    static const struct exchange_ops ops = {.read = answered, .done = done};
    struct ask *a = calloc(1, size);

    if (!a)
        return NULL;
    exchange_init(&a->x, c, &ops, a);
    a->class = class;
    return a;
}

int ask_launch(struct ask *a, int err, client_call *id)
{
    static const struct call_class class = {start, tell, release};

    if (err || !a->x.url) {
        release(&a->call);
        return err && err != -ENOMEM ? -EINVAL : -ENOMEM;
    }
    return call_launch(a->x.client, &a->call, &class, id);
}
