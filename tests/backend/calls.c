#include "calls.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "account.h"
#include "session.h"

#define CLAIM_LIFE_S 1800

static cJSON *parse_body(const struct request *r)
{
    cJSON *body =
        r->body.data && !r->body.failed ? cJSON_ParseWithLength(r->body.data, r->body.len) : NULL;

    if (cJSON_IsObject(body))
        return body;
    cJSON_Delete(body);
    return NULL;
}

static const char *text_of(const cJSON *o, const char *key, const char *otherwise)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));

    return text ? text : otherwise;
}

static void iso_time(int64_t epoch_ms, char out[32])
{
    time_t t = (time_t)(epoch_ms / 1000);
    struct tm tm;

    gmtime_r(&t, &tm);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void call_token(struct request *r, struct answer *a)
{
    const char *client_id = request_header(r, "X-Client-Id");
    struct grant grant;
    struct bytes data;
    char expires[32];

    if (!client_id || !id_is_plain(client_id)) {
        answer_code(a, 400, 400, "missing X-Client-Id");
        return;
    }
    int err = accounts_grant(r->b->accounts, client_id, &grant);
    if (err == -EBUSY) {
        answer_code(a, 429, 429, "one token per client every 7 days");
        return;
    }
    if (err) {
        answer_broken(a);
        return;
    }
    iso_time(grant.expires_ms, expires);
    bytes_init(&data, REQUEST_TEXT_MAX);
    bytes_format(&data,
                 "{\"token\":\"%s\",\"user_id\":\"%s\",\"expires_at\":\"%s\",\"credits\":%" PRId64
                 "}",
                 grant.token, grant.user_id, expires, grant.credits);
    answer_data(a, &data);
}

void call_session(struct request *r, struct answer *a)
{
    cJSON *body = parse_body(r);
    struct session_ids ids;
    struct bytes data;

    if (!body) {
        answer_bad_body(a);
        return;
    }
    int err = sessions_create(r->b->sessions, r->user_id, text_of(body, "task_name", ""),
                              text_of(body, "language", "en"), &ids);
    cJSON_Delete(body);
    if (err) {
        answer_broken(a);
        return;
    }
    bytes_init(&data, REQUEST_TEXT_MAX);
    bytes_format(&data, "{\"task_id\":\"%s\",\"session_id\":\"%s\",\"user_id\":\"%s\"}",
                 ids.task_id, ids.session_id, r->user_id);
    answer_data(a, &data);
}

void call_claim(struct request *r, struct answer *a)
{
    cJSON *body = parse_body(r);
    char claim[ID_MAX];
    struct bytes data;

    if (!r->b->options.claim) {
        answer_detail(a, 404, "Not Found");
    } else if (!body) {
        answer_bad_body(a);
    } else if (sessions_check(r->b->sessions, text_of(body, "session_id", ""), r->user_id) != 0) {
        answer_no_session(a);
    } else {
        id_hex(claim, "clm_", 32);
        bytes_init(&data, REQUEST_TEXT_MAX);
        bytes_format(&data, "{\"claim_token\":\"%s\",\"expires_in\":%d}", claim, CLAIM_LIFE_S);
        answer_data(a, &data);
    }
    cJSON_Delete(body);
}

void call_state(struct request *r, struct answer *a)
{
    struct bytes data;

    bytes_init(&data, STORE_RECORD_MAX);
    bytes_text(&data, "{\"state\":");
    if (sessions_check(r->b->sessions, r->arg, r->user_id) != 0 ||
        sessions_state(r->b->sessions, r->arg, &data) != 0) {
        bytes_release(&data);
        answer_no_session(a);
        return;
    }
    bytes_text(&data, "}");
    answer_data(a, &data);
}

void call_credits(struct request *r, struct answer *a)
{
    struct balance balance = accounts_balance(r->b->accounts, r->account);
    struct bytes data;

    bytes_init(&data, REQUEST_TEXT_MAX);
    bytes_format(&data, "{\"available\":%" PRId64 ",\"frozen\":%" PRId64 ",\"total\":%" PRId64 "}",
                 balance.available, balance.frozen, balance.available + balance.frozen);
    answer_data(a, &data);
}

void call_unknown(struct request *r, struct answer *a)
{
    (void)r;
    answer_detail(a, 404, "Not Found");
}
