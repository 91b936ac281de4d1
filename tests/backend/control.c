/*
 * /_local: what tests look at and turn. Neither written down nor hit by faults.
 */
#include <cjson/cJSON.h>
#include <string.h>

#include "account.h"
#include "calls.h"
#include "jobs.h"
#include "session.h"

#define LIST_MAX (512u << 20)

static void answer_done(struct answer *a)
{
    struct bytes out;

    bytes_init(&out, REQUEST_TEXT_MAX);
    bytes_text(&out, "{\"ok\":true}\n");
    answer_json(a, 200, &out);
}

void control_requests(struct request *r, struct answer *a)
{
    struct bytes out;

    bytes_init(&out, LIST_MAX);
    journal_write(r->b->journal, &out);
    answer_json(a, 200, &out);
}

void control_forget_requests(struct request *r, struct answer *a)
{
    journal_clear(r->b->journal);
    answer_done(a);
}

void control_files(struct request *r, struct answer *a)
{
    struct bytes out;

    bytes_init(&out, LIST_MAX);
    sessions_files(r->b->sessions, &out);
    answer_json(a, 200, &out);
}

void control_sessions(struct request *r, struct answer *a)
{
    struct bytes out;

    bytes_init(&out, LIST_MAX);
    sessions_list(r->b->sessions, &out);
    answer_json(a, 200, &out);
}

void control_renders(struct request *r, struct answer *a)
{
    struct bytes out;

    bytes_init(&out, LIST_MAX);
    jobs_list(r->b->jobs, &out);
    answer_json(a, 200, &out);
}

static cJSON *parse_body(const struct request *r)
{
    return r->body.data && !r->body.failed ? cJSON_ParseWithLength(r->body.data, r->body.len)
                                           : NULL;
}

void control_forget_session(struct request *r, struct answer *a)
{
    cJSON *body = parse_body(r);
    const char *id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(body, "session_id"));

    if (id && sessions_forget(r->b->sessions, id) == 0)
        answer_done(a);
    else
        answer_detail(a, 404, "no such session");
    cJSON_Delete(body);
}

void control_credits(struct request *r, struct answer *a)
{
    cJSON *body = parse_body(r);
    const cJSON *n = cJSON_GetObjectItemCaseSensitive(body, "available");

    if (cJSON_IsNumber(n) && n->valuedouble >= 0 && n->valuedouble <= 1e15) {
        accounts_set_credits(r->b->accounts, (int64_t)n->valuedouble);
        answer_done(a);
    } else {
        answer_bad_body(a);
    }
    cJSON_Delete(body);
}

void control_revoke(struct request *r, struct answer *a)
{
    accounts_revoke(r->b->accounts);
    answer_done(a);
}

void control_set_faults(struct request *r, struct answer *a)
{
    char words[FAULTS_WORDS_MAX];

    if (faults_set(r->b->faults, r->body.data ? r->body.data : "", r->body.len, words) == 0)
        answer_done(a);
    else
        answer_detail(a, 422, words);
}

void control_clear_faults(struct request *r, struct answer *a)
{
    faults_clear(r->b->faults);
    answer_done(a);
}
