#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "draft.h"
#include "errnos.h"
#include "inputs.h"
#include "message.h"
#include "output.h"
#include "prompt.h"
#include "query.h"
#include "render.h"
#include "text.h"

/* ---- the tree's sessions ---- */

static bool insert(struct session *s)
{
    struct fs *fs = s->fs;

    HASH_ADD_KEYPTR(hh_name, fs->by_name, s->name, strlen(s->name), s);
    if (!s->hh_name.tbl)
        return false;
    HASH_ADD(hh_number, fs->by_number, number, sizeof(s->number), s);
    if (s->hh_number.tbl)
        return true;
    HASH_DELETE(hh_name, fs->by_name, s);
    return false;
}

static void free_session(struct session *s)
{
    free(s->name);
    free(s->id);
    free(s->task_id);
    free(s->user_id);
    free(s->link);
    free(s->message);
    free(s->error);
    free(s->hint);
    free(s->history);
    bytes_unref(s->state);
    free(s);
}

int session_new(struct fs *fs, const char *name, struct session **out)
{
    struct reply *reply;
    struct session *s;
    uuid_t id;

    if (HASH_CNT(hh_number, fs->by_number) >= SESSIONS_MAX)
        return -ENOSPC;
    s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->fs = fs;
    s->refs = 1;
    s->name = strdup(name);
    reply = reply_stored(0, clock_now());
    if (reply)
        session_set_reply(s, reply);
    if (!s->name || !reply)
        goto nomem;
    uuid_generate(id);
    uuid_unparse_lower(id, s->uuid);
    s->number = fs->next_session++;
    s->created = s->changed = s->inputs_changed = s->state_changed = s->history_changed =
        s->status_changed = s->message_time = clock_now();
    s->duration_ms = -1;
    TAILQ_INIT(&s->needs);
    TAILQ_INIT(&s->upload_waiters);
    TAILQ_INIT(&s->openers);
    TAILQ_INIT(&s->checks);
    TAILQ_INIT(&s->jobs);
    TAILQ_INIT(&s->savings);
    if (!insert(s))
        goto nomem;
    fs->root_changed = clock_now();
    *out = s;
    return 0;
nomem:
    if (s->reply)
        reply_unref(fs, s->reply);
    free_session(s);
    return -ENOMEM;
}

struct session *session_find(struct fs *fs, const char *name)
{
    struct session *s;

    HASH_FIND(hh_name, fs->by_name, name, strlen(name), s);
    return s;
}

struct session *session_by_number(struct fs *fs, uint64_t number)
{
    struct session *s;

    HASH_FIND(hh_number, fs->by_number, &number, sizeof(number), s);
    return s;
}

struct session *session_ref(struct session *s)
{
    s->refs++;
    return s;
}

void session_unref(struct session *s)
{
    if (!s || --s->refs > 0)
        return;
    reply_unref(s->fs, s->reply);
    output_unref(s->output);
    free_session(s);
}

int session_rename(struct session *s, const char *name)
{
    struct fs *fs = s->fs;
    char *new = strdup(name), *old = s->name;

    if (!new)
        return -ENOMEM;
    HASH_DELETE(hh_name, fs->by_name, s);
    s->name = new;
    HASH_ADD_KEYPTR(hh_name, fs->by_name, s->name, strlen(s->name), s);
    if (!s->hh_name.tbl) {
        s->name = old;
        free(new);
        HASH_ADD_KEYPTR(hh_name, fs->by_name, s->name, strlen(s->name), s);
        return -ENOMEM;
    }
    free(old);
    fs->root_changed = clock_now();
    store_save(s, NULL, NULL);
    return 0;
}

void session_remove(struct session *s)
{
    struct fs *fs = s->fs;
    struct input *in, *next;

    s->removed = true;
    HASH_DELETE(hh_name, fs->by_name, s);
    HASH_DELETE(hh_number, fs->by_number, s);
    fs->root_changed = clock_now();
    query_drop(s);
    message_stop(s);
    render_drop(s);
    if (s->connection == CONNECTION_RUNNING)
        client_cancel(fs->client, s->connecting);
    HASH_ITER(hh_name, s->inputs, in, next)
    input_remove(in);
    park_error_all(fs, &s->openers, ENOENT);
    reply_end(fs, s->reply);
    session_unref(s);
}

/* ---- the backend's session ---- */

static void tell_needs(struct session *s, const struct fault *f)
{
    struct need *n;

    while ((n = TAILQ_FIRST(&s->needs))) {
        TAILQ_REMOVE(&s->needs, n, link);
        n->waiting = false;
        n->go(s->fs, n, f);
    }
}

static void set_text(char **where, const char *text)
{
    free(*where);
    *where = text ? strdup(text) : NULL;
}

static void link_known(void *user, const struct fault *f, const char *url, int expires_in_s)
{
    struct session *s = user;
    struct fs *fs = s->fs;

    fs_lock(fs);
    if (url && !s->removed) {
        set_text(&s->link, url);
        s->link_until_ms = clock_ms() + (int64_t)expires_in_s * 1000;
        status_changed(s);
    }
    /* Not every deployment has links: without one there is simply none. A passing fault may be over
     * next time. */
    if (fault_is_passing(f))
        s->link_asked = false;
    session_unref(s);
    fs_unlock(fs);
}

static void ask_link(struct session *s)
{
    if (s->link && s->link_until_ms < clock_ms())
        s->link_asked = false;
    if (s->link_asked || !s->id || !s->task_id)
        return;
    s->link_asked = true;
    if (client_link(s->fs->client, s->task_id, s->id, link_known, session_ref(s), NULL)) {
        s->link_asked = false;
        session_unref(s);
    }
}

static void connected(void *user, const struct fault *f, const struct client_session *made)
{
    struct session *s = user;
    struct fs *fs = s->fs;
    struct fault nomem = fault_local(ENOMEM);

    fs_lock(fs);
    if (f->kind == FAULT_NONE) {
        set_text(&s->id, made->session_id);
        set_text(&s->task_id, made->task_id);
        set_text(&s->user_id, made->user_id);
        if (!s->id)
            f = &nomem;
    }
    s->connection = f->kind == FAULT_NONE ? CONNECTION_MADE : CONNECTION_FAILED;
    if (!s->removed) {
        session_tell(s, ERROR_OF_CONNECTION, f);
        if (f->kind == FAULT_NONE) {
            ask_link(s);
            session_refresh(s);
        }
        store_save(s, NULL, NULL);
        status_changed(s);
    }
    tell_needs(s, f);
    session_unref(s);
    fs_unlock(fs);
}

void session_need(struct session *s, struct need *n,
                  void (*go)(struct fs *fs, struct need *n, const struct fault *f))
{
    struct fault none = {.kind = FAULT_NONE}, f;
    int r;

    if (s->connection == CONNECTION_MADE) {
        if (n) {
            n->waiting = false;
            go(s->fs, n, &none);
        }
        return;
    }
    if (n) {
        n->go = go;
        n->waiting = true;
        TAILQ_INSERT_TAIL(&s->needs, n, link);
    }
    if (s->connection == CONNECTION_RUNNING)
        return;
    s->connection = CONNECTION_RUNNING;
    r = s->removed ? -ENOENT
                   : client_session_create(s->fs->client, s->name, s->fs->options->lang, connected,
                                           session_ref(s), &s->connecting);
    status_changed(s);
    if (!r)
        return;
    session_unref(s);
    s->connection = CONNECTION_FAILED;
    f = r == -ENOENT ? fault_make(FAULT_CANCELLED, NULL) : fault_local(-r);
    tell_needs(s, &f);
}

void session_need_cancel(struct session *s, struct need *n)
{
    if (!n->waiting)
        return;
    TAILQ_REMOVE(&s->needs, n, link);
    n->waiting = false;
}

void session_lost(struct session *s, const char *id)
{
    size_t count;
    char words[ERROR_WORDS_MAX];

    if (s->removed || !s->id || strcmp(s->id, id) != 0)
        return; /* another call has found out before */
    free(s->id);
    s->id = NULL;
    s->connection = CONNECTION_NONE;
    free(s->link);
    s->link = NULL;
    s->link_asked = false;
    query_state_changed(s);
    count = inputs_submit_again(s);
    snprintf(words, sizeof(words),
             P_("The backend no longer knew this session. A new one was made, and %zu input is "
                "being uploaded again.",
                "The backend no longer knew this session. A new one was made, and %zu inputs are "
                "being uploaded again.",
                count),
             count);
    history_add(s, "note", words);
    if (!s->reply->ended)
        reply_line(s->fs, s->reply, "%s", words);
    store_save(s, NULL, NULL);
    session_need(s, NULL, NULL);
}

/* ---- the state ---- */

void state_news_init(struct state_news *n, const char *state, size_t len)
{
    memset(n, 0, sizeof(*n));
    n->text = bytes_new_line(state, len);
    if (!n->text)
        return;
    n->fingerprint = draft_fingerprint(state, len);
    n->duration_ms = draft_duration_ms(state, len);
    n->ready = draft_is_ready(state, len);
    n->timeline = timeline_text(n->text);
    if (draft_find(n->text->data, n->text->len, &n->draft, &n->draft_len))
        n->draft = NULL;
}

struct state_news state_news_share(const struct state_news *n)
{
    bytes_ref(n->text);
    bytes_ref(n->timeline);
    return *n;
}

void state_news_release(struct state_news *n)
{
    bytes_unref(n->text);
    bytes_unref(n->timeline);
}

void session_take_state(struct session *s, const struct state_news *n)
{
    struct fault none = {.kind = FAULT_NONE};

    if (!n->text || s->removed)
        return;
    bytes_unref(s->state);
    s->state = bytes_ref(n->text);
    s->state_unsaved = true;
    s->state_size = n->text->len;
    s->state_changed = clock_now();
    s->fingerprint = n->fingerprint;
    s->duration_ms = n->duration_ms;
    s->ready = n->ready;
    if (n->timeline)
        s->timeline_size = n->timeline->len;
    session_tell(s, ERROR_OF_QUERY, &none);
    render_draft_known(s);
    store_save(s, NULL, NULL);
}

void session_rest_state(struct session *s)
{
    if (s->state_unsaved)
        return;
    bytes_unref(s->state);
    s->state = NULL;
}

struct bytes *timeline_text(const struct bytes *state)
{
    struct bytes *b = NULL;
    char *text = NULL;

    if (!state || draft_listing(state->data, state->len, &text) == -EPROTO) {
        if (draft_listing("{}", 2, &text))
            return NULL;
    }
    if (text)
        b = bytes_new(text, strlen(text));
    free(text);
    return b;
}

void session_refresh(struct session *s)
{
    query_state(s, NULL);
    query_balance(s->fs, NULL);
}

void session_set_reply(struct session *s, struct reply *r)
{
    struct reply *old = s->reply;

    s->reply = r;
    r->current = true;
    if (!old)
        return;
    old->current = false;
    reply_end(s->fs, old);
    reply_unref(s->fs, old);
}

/* ---- what users are told ---- */

void session_fault_text(struct session *s, const struct fault *f, char *words, char *hint)
{
    struct client_account account;
    struct fault_context who;

    client_account(s->fs->client, &account);
    who.web_url = s->fs->options->web_url;
    who.user_id = account.user_id[0] ? account.user_id : s->user_id;
    who.anonymous = account.anonymous;
    fault_words(f, words, ERROR_WORDS_MAX);
    fault_hint(f, &who, hint, ERROR_WORDS_MAX);
}

void session_failed(struct session *s, const struct fault *f)
{
    char words[ERROR_WORDS_MAX], hint[ERROR_WORDS_MAX];

    if (f->kind == FAULT_CANCELLED)
        return; /* somebody wanted it so */
    session_fault_text(s, f, words, hint);
    session_failed_words(s, words, hint);
}

void session_failed_words(struct session *s, const char *words, const char *hint)
{
    set_text(&s->error, words);
    set_text(&s->hint, hint && *hint ? hint : NULL);
    s->error_of = ERROR_OF_WORK;
    history_add(s, "error", words);
    status_changed(s);
}

void session_succeeded(struct session *s)
{
    s->error_of = ERROR_OF_WORK;
    if (!s->error && !s->hint)
        return;
    set_text(&s->error, NULL);
    set_text(&s->hint, NULL);
    status_changed(s);
}

void session_tell(struct session *s, enum error_of of, const struct fault *f)
{
    if (f->kind == FAULT_NONE) {
        if (s->error_of == of)
            session_succeeded(s);
    } else if (f->kind != FAULT_CANCELLED) {
        session_failed(s, f);
        s->error_of = of;
    }
}

/* ---- history ---- */

#define HISTORY_PENDING_MAX (2u << 20) /* bytes not yet on disk; more are left out */

static bool history_room(struct session *s, size_t more)
{
    size_t room = s->history_room ? s->history_room : 256;
    char *text;

    if (s->history_len + more > HISTORY_PENDING_MAX)
        return false;
    while (room < s->history_len + more)
        room *= 2;
    if (room == s->history_room)
        return true;
    text = realloc(s->history, room);
    if (!text)
        return false;
    s->history = text;
    s->history_room = room;
    return true;
}

void history_add(struct session *s, const char *who, const char *text)
{
    struct timespec now = clock_now();
    char stamp[64];
    struct tm tm;
    size_t len = strlen(text), newlines = 0, n;

    while (len && text[len - 1] == '\n')
        len--;
    for (size_t i = 0; i < len; i++)
        newlines += text[i] == '\n';
    localtime_r(&now.tv_sec, &tm);
    n = strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S ", &tm);
    if (!history_room(s, n + strlen(who) + 3 + len + newlines * 4))
        return;
    memcpy(s->history + s->history_len, stamp, n);
    s->history_len += n;
    s->history_len += (size_t)sprintf(s->history + s->history_len, "%s: ", who);
    for (size_t i = 0; i < len; i++) {
        s->history[s->history_len++] = text[i];
        if (text[i] == '\n') {
            memcpy(s->history + s->history_len, "    ", 4);
            s->history_len += 4;
        }
    }
    s->history[s->history_len++] = '\n';
    s->history_changed = now;
    store_save(s, NULL, NULL);
}

/* ---- after a mount ---- */

void session_resume(struct session *s)
{
    inputs_resume(s);
    message_resume(s);
    render_resume(s);
}
