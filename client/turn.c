/*
 * One message: sent at most once, streamed, and told by the state when the stream does not tell.
 *
 *   SENDING --refused--> end
 *      | 200                    clean end, or an error event
 *      v                          |
 *   STREAMING --------------> READING: the state, until it says something (three times at most) -->
 * end | broke, or too long       ^ v                          | (a resumed message begins here)
 *   RECOVERING: the state, until it has changed (five times at most) --> end
 */
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "draft.h"
#include "event.h"
#include "jsontext.h"
#include "sse.h"
#include "text.h"
#include "transcript.h"

#define MESSAGE_PATH "/run_sse"
#define READINGS_MAX 3         /* of the state after a clean end */
#define READINGS_APART_MS 3000 /* or the wait after a break, if that is shorter */
#define RECOVERIES_MAX 5       /* readings of the state after a break */

enum turn_phase { TURN_SENDING, TURN_STREAMING, TURN_READING, TURN_RECOVERING };

struct turn_call {
    struct call call;
    struct turn_events events;
    void *user;
    enum turn_phase phase;
    bool resume;
    bool taken;
    bool refused; /* the last attempt, by an answer that is complete */
    bool ended;   /* the stream; nothing of it counts any more */

    struct exchange message;
    struct sse sse;
    struct transcript *transcript;
    int stream_error;    /* negative errno of our own */
    struct timer quiet;  /* no text for the user for that long */
    struct timer barren; /* nothing but heartbeats */
    struct timer limit;  /* for all of it */

    bool before_known;
    uint64_t before; /* fingerprint of the draft */
    struct exchange look;
    struct timer next_look;
    unsigned looks;
    const char *read; /* the state in the answer that is being read */
    size_t read_len;
    char *text; /* the newest answer with a state */
    const char *state;
    size_t state_len;

    struct fault fault; /* what the call ends with, if the state does not say otherwise */
    bool changed, recovered;
};

static void end(struct turn_call *t)
{
    call_end(&t->call, &t->fault);
}

static void set_timer(struct turn_call *t, struct timer *timer, int64_t delay_ms)
{
    loop_timer_set(t->call.client->loop, timer, delay_ms);
}

/* ---- the state afterwards ---- */

static void look_again(struct turn_call *t)
{
    struct client *c = t->call.client;

    if (t->phase == TURN_RECOVERING) {
        t->events.notice(t->user, TURN_RECHECK);
        set_timer(t, &t->next_look, 2 * c->retry_wait_ms);
    } else {
        set_timer(t, &t->next_look,
                  c->retry_wait_ms < READINGS_APART_MS ? c->retry_wait_ms : READINGS_APART_MS);
    }
}

static void on_next_look(struct timer *timer)
{
    struct turn_call *t = container_of(timer, struct turn_call, next_look);

    exchange_start(&t->look);
}

/* Takes the answer over, for the next reading may fail. */
static int keep_state(struct turn_call *t)
{
    struct buffer *body = &t->look.transfer->body;
    size_t offset = (size_t)(t->read - body->data);
    char *text;
    int err = buffer_take(body, &text, NULL);

    if (err)
        return err;
    free(t->text);
    t->text = text;
    t->state = text + offset;
    t->state_len = t->read_len;
    return 0;
}

static void compare(struct turn_call *t)
{
    uint64_t now = draft_fingerprint(t->state, t->state_len);

    if (t->before_known) {
        t->changed = now != t->before;
    } else if (t->phase == TURN_RECOVERING) {
        /* Nothing to compare with but what comes: a change from here on is the edit being done. */
        t->before_known = true;
        t->before = now;
    } else {
        t->changed = now != 0; /* it may have: better one render too many */
    }
}

static void look_read(void *user, struct transfer *transfer, struct fault *f)
{
    struct turn_call *t = user;
    struct wire_answer answer = {transfer->http, transfer->body.data, transfer->body.len};

    if (wire_read_state(&answer, &t->read, &t->read_len, f) && t->read_len > STATE_MAX)
        *f = fault_make(FAULT_PROTOCOL, _("the state is too long"));
}

static void look_done(void *user, const struct fault *f)
{
    struct turn_call *t = user;
    bool known = f->kind == FAULT_NONE && keep_state(t) == 0;
    bool recovering = t->phase == TURN_RECOVERING;

    t->looks++;
    if (known)
        compare(t);
    if (known && t->changed && recovering) {
        t->recovered = true;
        t->fault = fault_make(FAULT_NONE, NULL);
    }
    /* A silent answer and an unchanged draft: states may lag. Else one reading tells all. */
    bool settled = known && (t->changed || (!recovering && (transcript_answered(t->transcript) ||
                                                            t->fault.kind != FAULT_NONE)));
    if (settled || t->looks == (recovering ? RECOVERIES_MAX : READINGS_MAX) ||
        f->kind == FAULT_SESSION)
        end(t);
    else
        look_again(t);
}

/* ---- the stream ---- */

static void take(struct turn_call *t)
{
    if (t->taken)
        return;
    t->taken = true;
    t->events.taken(t->user);
}

static void stop_stream(struct turn_call *t)
{
    struct loop *loop = t->call.client->loop;

    t->ended = true;
    exchange_stop(&t->message);
    loop_timer_stop(loop, &t->quiet);
    loop_timer_stop(loop, &t->barren);
    loop_timer_stop(loop, &t->limit);
    transcript_finish(t->transcript);
}

static void stream_broke(struct turn_call *t, const struct fault *f)
{
    take(t);
    t->fault = *f;
    stop_stream(t);
    if (transcript_fault(t->transcript)->kind != FAULT_NONE) {
        /* It had failed before it broke, and said why. */
        t->fault = *transcript_fault(t->transcript);
        t->phase = TURN_READING;
        exchange_start(&t->look);
        return;
    }
    t->phase = TURN_RECOVERING;
    t->fault.in_doubt = true;
    t->events.notice(t->user, TURN_BROKEN);
    set_timer(t, &t->next_look, t->call.client->retry_wait_ms);
}

static void stream_ended(struct turn_call *t)
{
    stop_stream(t);
    t->fault = *transcript_fault(t->transcript);
    t->phase = TURN_READING;
    exchange_start(&t->look);
}

static void on_text(void *user, const char *text, size_t len)
{
    struct turn_call *t = user;

    if (!t->ended)
        set_timer(t, &t->quiet, t->call.client->quiet_ms);
    t->events.text(t->user, text, len);
}

static int add_event(struct turn_call *t, const char *data, size_t len)
{
    struct event_list list;
    int err = event_read(data, len, &list);

    if (err)
        return err;
    for (size_t i = 0; i < list.count && !err; i++) {
        enum event_kind kind = list.items[i].kind;
        if (kind == EVENT_TEXT || kind == EVENT_THOUGHT || kind == EVENT_TOOL)
            set_timer(t, &t->barren, t->call.client->turn_timeout_ms / 3 * 2);
        err = transcript_add(t->transcript, &list.items[i]);
    }
    event_list_release(&list);
    return err;
}

static void on_event(void *user, const char *data, size_t len)
{
    struct turn_call *t = user;

    if (!t->stream_error)
        t->stream_error = add_event(t, data, len);
}

/* The standard drops an event that no blank line ends, for it may be half of one. Of JSON that can
 * be told: what is whole counts, for the last event is the one that says how the work ended. Half
 * an object means that the stream was cut off. */
static struct fault read_rest(struct turn_call *t)
{
    struct jsontext root;
    const char *data;
    size_t len;
    int err;

    if (!sse_rest(&t->sse, &data, &len))
        return fault_make(FAULT_NONE, NULL);
    err = add_event(t, data, len);
    if (err)
        return fault_of_errno(err);
    return fault_make(*data == '{' && jsontext_parse(data, len, &root) ? FAULT_BROKEN : FAULT_NONE,
                      NULL);
}

static bool is_json(const char *content_type)
{
    return content_type && (!strncasecmp(content_type, "application/json", 16) ||
                            !strncasecmp(content_type, "text/html", 9));
}

static void stream_begins(struct turn_call *t)
{
    t->phase = TURN_STREAMING;
    t->message.final = true;
    take(t);
    set_timer(t, &t->quiet, t->call.client->quiet_ms);
    set_timer(t, &t->barren, t->call.client->turn_timeout_ms / 3 * 2);
}

static enum transfer_verdict message_head(void *user, struct transfer *transfer)
{
    struct turn_call *t = user;

    /* Anything else is an answer that is read whole: a refusal, or a bare JSON one. */
    if (transfer->http >= 200 && transfer->http < 300 &&
        !is_json(transfer_header(transfer, "Content-Type"))) {
        transfer->streamed = true;
        stream_begins(t);
    }
    return TRANSFER_GO_ON;
}

static enum transfer_verdict message_data(void *user, struct transfer *transfer, const char *bytes,
                                          size_t len)
{
    struct turn_call *t = user;
    int err = sse_feed(&t->sse, bytes, len);

    if (!err)
        err = t->stream_error;
    if (!err)
        return TRANSFER_GO_ON;
    return transfer_fail(transfer, err == -EMSGSIZE
                                       ? fault_make(FAULT_PROTOCOL, _("an event is too long"))
                                       : fault_of_errno(err));
}

static void message_read(void *user, struct transfer *transfer, struct fault *f)
{
    struct turn_call *t = user;
    struct wire_answer answer = {transfer->http, transfer->body.data, transfer->body.len};
    int err;

    if (transfer->streamed)
        return;
    if (!wire_read_done(&answer, f)) {
        t->refused = f->kind != FAULT_PROTOCOL || transfer->http >= 300;
        return;
    }
    stream_begins(t);
    err = add_event(t, answer.body, answer.len);
    if (err)
        *f = fault_of_errno(err);
}

static int message_begin(void *user)
{
    struct turn_call *t = user;

    t->refused = false;
    return 0;
}

static void message_done(void *user, const struct fault *f)
{
    struct turn_call *t = user;
    struct fault rest = f->kind == FAULT_NONE ? read_rest(t) : *f;

    if (rest.kind == FAULT_NONE) {
        stream_ended(t);
    } else if (f->kind == FAULT_NONE) {
        stream_broke(t, &rest);
    } else if (t->taken || (f->sent && !t->refused && f->http < 300)) {
        /* It left, and no answer tells what became of it. */
        stream_broke(t, f);
    } else {
        t->fault = *f;
        if (!t->refused && f->http >= 300) { /* cut off, but its status says enough */
            t->fault = fault_make(fault_of_http(f->http), NULL);
            t->fault.http = f->http;
        }
        end(t);
    }
}

/* ---- time ---- */

static void on_quiet(struct timer *timer)
{
    struct turn_call *t = container_of(timer, struct turn_call, quiet);

    set_timer(t, &t->quiet, t->call.client->quiet_ms);
    t->events.notice(t->user, TURN_QUIET);
}

static void time_is_up(struct turn_call *t)
{
    struct fault f = fault_make(FAULT_TIMEOUT, NULL);

    f.sent = t->message.transfer && t->message.transfer->sent && !t->refused;
    if (f.sent || t->taken) {
        stream_broke(t, &f);
    } else {
        t->fault = f;
        end(t);
    }
}

static void on_barren(struct timer *timer)
{
    time_is_up(container_of(timer, struct turn_call, barren));
}

static void on_limit(struct timer *timer)
{
    time_is_up(container_of(timer, struct turn_call, limit));
}

/* ---- the call ---- */

static void turn_start(struct call *call)
{
    struct turn_call *t = container_of(call, struct turn_call, call);

    if (t->resume) {
        t->taken = t->ended = true;
        t->phase = TURN_RECOVERING;
        t->fault = fault_make(FAULT_BROKEN, NULL);
        t->fault.in_doubt = true;
        t->events.taken(t->user);
        t->events.notice(t->user, TURN_BROKEN);
        exchange_start(&t->look);
        return;
    }
    set_timer(t, &t->limit, call->client->turn_timeout_ms);
    set_timer(t, &t->barren, call->client->turn_timeout_ms / 3 * 2);
    exchange_start(&t->message);
}

static void turn_tell(struct call *call, const struct fault *f)
{
    struct turn_call *t = container_of(call, struct turn_call, call);
    struct turn_result r = {
        .answered = transcript_answered(t->transcript),
        .changed = t->changed,
        .recovered = t->recovered,
        .state = t->state,
        .state_len = t->state_len,
    };

    t->events.done(t->user, f, &r);
}

static void turn_release(struct call *call)
{
    struct turn_call *t = container_of(call, struct turn_call, call);
    struct loop *loop = t->message.client->loop;

    loop_timer_stop(loop, &t->quiet);
    loop_timer_stop(loop, &t->barren);
    loop_timer_stop(loop, &t->limit);
    loop_timer_stop(loop, &t->next_look);
    exchange_release(&t->message);
    exchange_release(&t->look);
    sse_release(&t->sse);
    transcript_free(t->transcript);
    free(t->text);
    free(t);
}

static struct turn_call *turn_new(struct client *c, const char *session_id)
{
    static const struct exchange_ops message_ops = {
        .begin = message_begin,
        .head = message_head,
        .data = message_data,
        .read = message_read,
        .done = message_done,
    };
    static const struct exchange_ops look_ops = {.read = look_read, .done = look_done};
    struct turn_call *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    exchange_init(&t->message, c, &message_ops, t);
    t->message.method = "POST";
    t->message.accept = "text/event-stream";
    t->message.timeout_ms = 0; /* the timers here know better */
    t->message.again = EXCHANGE_NEVER;
    t->message.fresh = true;
    t->message.url = api_url(c, MESSAGE_PATH);
    exchange_init(&t->look, c, &look_ops, t);
    state_exchange_set(&t->look, state_url(c, session_id));
    t->look.no_rate_wait = true;
    sse_init(&t->sse, SSE_EVENT_MAX, on_event, t);
    t->transcript = transcript_new(on_text, t);
    t->fault = fault_make(FAULT_NONE, NULL);
    t->quiet.fire = on_quiet;
    t->barren.fire = on_barren;
    t->limit.fire = on_limit;
    t->next_look.fire = on_next_look;
    if (t->message.url && t->look.url && t->transcript)
        return t;
    turn_release(&t->call);
    return NULL;
}

int client_turn(struct client *c, const struct client_turn *turn, const struct turn_events *events,
                void *user, client_call *call)
{
    static const struct call_class class = {turn_start, turn_tell, turn_release};
    struct turn_call *t = turn_new(c, turn->session_id);
    int err;

    if (!t)
        return -ENOMEM;
    t->events = *events;
    t->user = user;
    t->resume = turn->resume;
    t->before_known = turn->before != NULL;
    if (turn->before)
        t->before = draft_fingerprint(turn->before, turn->before_len);
    if (!turn->resume) {
        err = wire_message_body(turn->session_id, turn->message, &t->message.body,
                                &t->message.body_len);
        if (err) {
            turn_release(&t->call);
            return err == -ENOMEM ? err : -EINVAL;
        }
    }
    return call_launch(c, &t->call, &class, call);
}
