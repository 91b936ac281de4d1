/* The token: one call for all who need it, kept, renewed, never sent elsewhere. */
#include "kit.h"

#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BALANCE "GET /api/credits/balance/simple"
#define TOKEN "POST /api/auth/anonymous-token"
#define MANY 20

static const char *balance_ok = "{\"code\":0,\"data\":{\"available\":1}}";
static struct told told[MANY];

static struct fault balance(struct kit *k)
{
    memset(told, 0, sizeof told[0]);
    assert_int_equal(client_balance(k->client, CLIENT_ONE_TRY, told_balance, told, NULL), 0);
    told_wait(told);
    return told[0].fault;
}

static void balances(struct kit *k)
{
    memset(told, 0, sizeof told);
    for (int i = 0; i < MANY; i++)
        client_balance(k->client, CLIENT_ONE_TRY, told_balance, &told[i], NULL);
    for (int i = 0; i < MANY; i++)
        told_wait(&told[i]);
}

static const char *id_of(struct kit *k, unsigned n)
{
    static char id[128];
    struct peer_request r = peer_request(k->peer, TOKEN, n);

    snprintf(id, sizeof id, "%s", peer_header(&r, "X-Client-Id"));
    return id;
}

static const char *bearer_of(struct kit *k, unsigned n)
{
    static char bearer[128];
    struct peer_request r = peer_request(k->peer, BALANCE, n);

    snprintf(bearer, sizeof bearer, "%s", peer_header(&r, "Authorization"));
    return bearer;
}

static void assert_private(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void token_answer(struct kit *k, const char *token, int64_t lives_s)
{
    static char bodies[8][512];
    static unsigned next;
    char *body = bodies[next++ % 8];
    time_t end = time(NULL) + lives_s;
    char date[64];
    struct tm tm;

    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&end, &tm));
    snprintf(
        body, sizeof bodies[0],
        "{\"code\":0,\"data\":{\"token\":\"%s\",\"user_id\":\"anon_1\",\"expires_at\":\"%s\"}}",
        token, date);
    peer_json(k->peer, TOKEN, 200, body);
}

static void test_one_call_for_all(void **state)
{
    struct kit *k = *state;
    struct client_account account;

    peer_json(k->peer, BALANCE, 200, balance_ok);
    client_account(k->client, &account);
    assert_true(account.anonymous);
    assert_string_equal(account.user_id, "");
    balances(k);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(told[i].fault.kind, FAULT_NONE);
    assert_int_equal(peer_count(k->peer, TOKEN), 1);
    assert_int_equal(peer_count(k->peer, BALANCE), MANY);

    struct peer_request r = peer_request(k->peer, TOKEN, 0);
    assert_int_equal(strlen(peer_header(&r, "X-Client-Id")), 36);
    assert_string_equal(peer_header(&r, "Authorization"), "");
    assert_string_equal(peer_header(&r, "Content-Length"), "0");
    assert_string_equal(peer_header(&r, "X-Skill-Source"), "lipsyncvideo-ai");
    client_account(k->client, &account);
    assert_string_equal(account.user_id, "anon_7");
}

static void test_kept(void **state)
{
    struct kit *k = *state;
    char line[128];

    peer_json(k->peer, BALANCE, 200, balance_ok);
    assert_int_equal(balance(k).kind, FAULT_NONE);
    kit_client(k); /* ends the first one: what it keeps is on disk then */
    assert_int_equal(balance(k).kind, FAULT_NONE);
    assert_int_equal(peer_count(k->peer, TOKEN), 1);
    assert_string_equal(bearer_of(k, 1), "Bearer nmv_usr_1");
    assert_private(k->token_path);
    assert_private(k->id_path);
    char *id = kit_read(k->id_path, NULL);
    snprintf(line, sizeof line, "%s\n", id_of(k, 0));
    assert_string_equal(id, line);
    free(id);

    /* Another API gets neither this token nor any call with it. */
    struct peer *other = peer_new();
    peer_json(other, BALANCE, 200, balance_ok);
    k->options.api_url = peer_url(other);
    kit_client(k);
    assert_int_equal(balance(k).kind, FAULT_NONE);
    assert_int_equal(peer_count(other, TOKEN), 1);
    client_free(k->client);
    k->client = NULL;
    peer_free(other);
}

static void test_shared_client_id(void **state)
{
    struct kit *k = *state;
    char dir[160];

    snprintf(dir, sizeof dir, "%s/config", k->dir);
    mkdir(dir, 0700);
    strcat(dir, "/nemovideo");
    mkdir(dir, 0700);
    FILE *f = fopen(k->id_path, "w");
    fputs("11111111-2222-3333-4444-555555555555\r\n", f);
    fclose(f);
    peer_json(k->peer, BALANCE, 200, balance_ok);
    balance(k);
    assert_string_equal(id_of(k, 0), "11111111-2222-3333-4444-555555555555");

    k->options.client_id = "given";
    kit_client(k);
    balance(k);
    assert_string_equal(id_of(k, 1), "given"); /* another client: another token */
}

/* The file is lost, the token is not: the id goes back where it was. */
static void test_lost_client_id(void **state)
{
    struct kit *k = *state;

    peer_json(k->peer, BALANCE, 200, balance_ok);
    peer_json(k->peer, BALANCE, 200, balance_ok);
    peer_json(k->peer, BALANCE, 401, "");
    peer_json(k->peer, BALANCE, 200, balance_ok);
    balance(k);
    unlink(k->id_path);
    kit_client(k);
    assert_int_equal(balance(k).kind, FAULT_NONE);
    assert_int_equal(peer_count(k->peer, TOKEN), 1);
    assert_int_equal(balance(k).kind, FAULT_NONE);
    char first[128];
    strcpy(first, id_of(k, 0));
    assert_string_equal(id_of(k, 1), first);
    assert_private(k->id_path);
}

static void test_hostile_files(void **state)
{
    struct kit *k = *state;
    static const char *tokens[] = {
        "", "{", "[]", "{\"token\":\"x\\r\\nEvil: 1\"}",
        "{\"token\":\"a b\",\"user_id\":\"\",\"client_id\":\"x\",\"api\":\"\",\"expires_at\":0,"
        "\"issued_at\":0}"};

    peer_json(k->peer, BALANCE, 200, balance_ok);
    for (unsigned i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        client_free(k->client);
        k->client = NULL;
        FILE *f = fopen(k->token_path, "w");
        fputs(tokens[i], f);
        fclose(f);
        if (i) {
            f = fopen(k->id_path, "w");
            fputs(i % 2 ? "evil\r\nHeader: x" : "\xff", f);
            fclose(f);
        }
        kit_client(k);
        assert_int_equal(balance(k).kind, FAULT_NONE);
        assert_int_equal(strlen(id_of(k, i)), 36);
        assert_int_equal(peer_count(k->peer, TOKEN), i + 1);
    }
}

static void test_unwritable(void **state)
{
    struct kit *k = *state;

    k->options.client_id_path = "/proc/nothing/client_id";
    k->options.token_path = "/proc/nothing/token";
    kit_client(k);
    peer_json(k->peer, BALANCE, 200, balance_ok);
    assert_int_equal(balance(k).kind, FAULT_NONE);
    assert_int_equal(balance(k).kind, FAULT_NONE);
    assert_int_equal(peer_count(k->peer, TOKEN), 1);
}

static void test_renewed_together(void **state)
{
    struct kit *k = *state;

    /* Whoever comes first, all MANY were sent with the old token before one was refused, or after.
     */
    for (int i = 0; i < MANY; i++)
        peer_on(k->peer, BALANCE, (struct peer_answer){.status = 401, .hold = true});
    peer_json(k->peer, BALANCE, 200, balance_ok);
    memset(told, 0, sizeof told);
    for (int i = 0; i < MANY; i++)
        client_balance(k->client, CLIENT_ONE_TRY, told_balance, &told[i], NULL);
    peer_wait(k->peer, BALANCE, MANY);
    for (int i = 0; i < MANY; i++)
        peer_go_on(k->peer);
    for (int i = 0; i < MANY; i++) {
        told_wait(&told[i]);
        assert_int_equal(told[i].fault.kind, FAULT_NONE);
    }
    assert_int_equal(peer_count(k->peer, TOKEN), 2);
    assert_int_equal(peer_count(k->peer, BALANCE), 2 * MANY);
    char first[128];
    strcpy(first, id_of(k, 0));
    assert_string_equal(id_of(k, 1), first);
    assert_string_equal(bearer_of(k, MANY), "Bearer nmv_usr_2");
}

static void test_refused_again(void **state)
{
    struct kit *k = *state;

    peer_json(k->peer, BALANCE, 200, "{\"code\":1001,\"message\":\"token nmv_usr_1 is bad\"}");
    assert_int_equal(balance(k).kind, FAULT_TOKEN);
    assert_int_equal(peer_count(k->peer, TOKEN), 2);
    assert_int_equal(peer_count(k->peer, BALANCE), 2);
    assert_null(strstr(told[0].fault.detail, "nmv_usr"));
    kit_log_lacks("nmv_usr_");
}

static void test_fixed(void **state)
{
    struct kit *k = *state;
    struct client_account account;

    k->options.token = "nmv_usr_mine";
    kit_client(k);
    peer_json(k->peer, BALANCE, 401, "");
    assert_int_equal(balance(k).kind, FAULT_TOKEN);
    assert_int_equal(peer_count(k->peer, TOKEN), 0);
    assert_int_equal(peer_count(k->peer, BALANCE), 1);
    assert_string_equal(bearer_of(k, 0), "Bearer nmv_usr_mine");
    client_account(k->client, &account);
    assert_false(account.anonymous);
    assert_null(kit_read(k->token_path, NULL));
    assert_null(kit_read(k->id_path, NULL));
}

static void test_rate(void **state)
{
    struct kit *k = *state;

    peer_json(k->peer, TOKEN, 429, "");
    peer_json(k->peer, BALANCE, 200, balance_ok);
    memset(told, 0, sizeof told);
    client_balance(k->client, CLIENT_RETRY, told_balance, told, NULL);
    told_wait(told);
    assert_int_equal(told[0].fault.kind, FAULT_RATE);
    assert_int_equal(peer_count(k->peer, TOKEN), 1);
    assert_int_equal(peer_count(k->peer, BALANCE), 0);
}

/* While it is known what the answer would be, nobody asks. */
static void test_rate_is_remembered(void **state)
{
    struct kit *k = *state;
    int64_t start = now_ms();

    peer_on(k->peer, TOKEN, (struct peer_answer){.status = 429, .headers = "Retry-After: 1\r\n"});
    token_answer(k, "nmv_usr_x", 1000000);
    peer_json(k->peer, BALANCE, 200, balance_ok);
    while (balance(k).kind == FAULT_RATE)
        assert_int_equal(peer_count(k->peer, TOKEN), 1);
    assert_int_equal(told[0].fault.kind, FAULT_NONE);
    assert_int_equal(peer_count(k->peer, TOKEN), 2);
    assert_true(now_ms() - start >= 1000);
}

/* The token it has is refused, and there is no other one yet: that is told, and the old one is
 * tried again by the next call, without asking anew. */
static void test_refused_and_rate(void **state)
{
    struct kit *k = *state;

    token_answer(k, "nmv_usr_x", 1000000);
    peer_json(k->peer, TOKEN, 429, "");
    for (int i = 0; i < 3; i++)
        peer_on(k->peer, BALANCE, (struct peer_answer){.status = 401});
    peer_json(k->peer, BALANCE, 200, balance_ok);
    assert_int_equal(balance(k).kind, FAULT_TOKEN);
    assert_int_equal(peer_count(k->peer, TOKEN), 2);
    assert_int_equal(balance(k).kind, FAULT_TOKEN);
    assert_int_equal(balance(k).kind, FAULT_TOKEN);
    assert_int_equal(balance(k).kind, FAULT_NONE);
    assert_int_equal(peer_count(k->peer, TOKEN), 2);
    assert_string_equal(bearer_of(k, 3), "Bearer nmv_usr_x");
}

/* A token that is over by a clock that runs ahead, and by no other: it is the only one to be had.
 */
static void test_over_by_our_clock(void **state)
{
    struct kit *k = *state;
    size_t len;

    token_answer(k, "nmv_usr_x", 500);
    peer_json(k->peer, TOKEN, 429, "");
    peer_json(k->peer, BALANCE, 200, balance_ok);
    balance(k);
    client_free(k->client);
    k->client = NULL;
    char *text = kit_read(k->token_path, &len), *end = strstr(text, "\"expires_at\":");
    assert_non_null(end);
    end[strlen("\"expires_at\":1")] = '0'; /* 17… became 10…: decades ago */
    FILE *f = fopen(k->token_path, "w");
    fwrite(text, 1, len, f);
    fclose(f);
    free(text);

    kit_client(k);
    assert_int_equal(balance(k).kind, FAULT_NONE);
    assert_int_equal(balance(k).kind, FAULT_NONE);
    assert_string_equal(bearer_of(k, 2), "Bearer nmv_usr_x");
    assert_int_equal(peer_count(k->peer, TOKEN), 2);
}

static void test_token_call_passes(void **state)
{
    struct kit *k = *state;

    peer_json(k->peer, TOKEN, 503, "");
    token_answer(k, "nmv_usr_x", 1000000);
    peer_json(k->peer, BALANCE, 200, balance_ok);
    assert_int_equal(balance(k).kind, FAULT_SERVER);
    memset(told, 0, sizeof told);
    client_balance(k->client, CLIENT_RETRY, told_balance, told, NULL);
    told_wait(told);
    assert_int_equal(told[0].fault.kind, FAULT_NONE);
}

static void test_missing_client_id(void **state)
{
    struct kit *k = *state;
    char first[128], line[130];

    peer_json(k->peer, TOKEN, 400, "{\"code\":400,\"message\":\"missing X-Client-Id\"}");
    token_answer(k, "nmv_usr_x", 1000000);
    peer_json(k->peer, BALANCE, 200, balance_ok);
    assert_int_equal(balance(k).kind, FAULT_NONE);
    assert_int_equal(peer_count(k->peer, TOKEN), 2);
    strcpy(first, id_of(k, 0));
    assert_string_not_equal(id_of(k, 1), first);
    char *id = kit_read(k->id_path, NULL);
    snprintf(line, sizeof line, "%s\n", id_of(k, 1));
    assert_string_equal(id, line);
    free(id);
}

static void test_missing_client_id_for_ever(void **state)
{
    struct kit *k = *state;

    peer_json(k->peer, TOKEN, 400, "");
    assert_int_equal(balance(k).kind, FAULT_CLIENT_ID);
    assert_int_equal(peer_count(k->peer, TOKEN), 2);
    k->options.client_id = "mine";
    kit_client(k);
    assert_int_equal(balance(k).kind, FAULT_CLIENT_ID);
    assert_int_equal(peer_count(k->peer, TOKEN), 3);
}

static void test_near_its_end(void **state)
{
    struct kit *k = *state;

    /* The first one is far from its end when it comes, and near when it is loaded again. */
    token_answer(k, "nmv_usr_old", 500);
    token_answer(k, "nmv_usr_new", 1000000);
    peer_json(k->peer, BALANCE, 200, balance_ok);
    balance(k);
    balance(k);
    assert_int_equal(peer_count(k->peer, TOKEN), 1);
    client_free(k->client);
    k->client = NULL;
    /* As if it had been given out a week ago. */
    char *text = kit_read(k->token_path, NULL);
    char *issued = strstr(text, "\"issued_at\":");
    assert_non_null(issued);
    FILE *f = fopen(k->token_path, "w");
    fprintf(f, "%.*s\"issued_at\":%lld}", (int)(issued - text), text,
            (long long)time(NULL) - 604300);
    fclose(f);
    free(text);

    kit_client(k);
    assert_int_equal(balance(k).kind, FAULT_NONE);
    assert_string_equal(bearer_of(k, 2), "Bearer nmv_usr_old"); /* nobody waits for the new one */
    peer_wait(k->peer, TOKEN, 2);
    while (balance(k).kind == FAULT_NONE &&
           strcmp(bearer_of(k, peer_count(k->peer, BALANCE) - 1), "Bearer nmv_usr_new"))
        assert_true(peer_count(k->peer, BALANCE) < 900);
    assert_int_equal(peer_count(k->peer, TOKEN), 2);
}

static void test_cancel_while_waiting(void **state)
{
    struct kit *k = *state;
    client_call call[2];

    peer_on(k->peer, TOKEN, (struct peer_answer){.end = PEER_STALL});
    memset(told, 0, sizeof told);
    client_balance(k->client, CLIENT_RETRY, told_balance, &told[0], &call[0]);
    client_balance(k->client, CLIENT_RETRY, told_balance, &told[1], &call[1]);
    peer_wait(k->peer, TOKEN, 1);
    client_cancel(k->client, call[0]);
    told_wait(&told[0]);
    assert_int_equal(told[0].fault.kind, FAULT_CANCELLED);
    assert_false(told_ended(&told[1]));
    client_free(k->client);
    k->client = NULL;
    assert_int_equal(told[1].fault.kind, FAULT_CANCELLED);
    assert_int_equal(told[1].ends, 1);
}

static void *free_client(void *client)
{
    client_free(client);
    return NULL;
}

/* Nobody gets a second token for a week: one that is on its way is waited for, and kept. */
static void test_granted_while_stopping(void **state)
{
    struct kit *k = *state;
    struct peer_answer held = {
        .status = 200, .body = "{\"data\":{\"token\":\"nmv_usr_late\"}}", .hold = true};
    pthread_t thread;

    peer_on(k->peer, TOKEN, held);
    peer_json(k->peer, BALANCE, 200, balance_ok);
    memset(told, 0, sizeof told);
    client_balance(k->client, CLIENT_RETRY, told_balance, &told[0], NULL);
    peer_wait(k->peer, TOKEN, 1);
    assert_int_equal(pthread_create(&thread, NULL, free_client, k->client), 0);
    k->client = NULL;
    told_wait(&told[0]);
    assert_int_equal(told[0].fault.kind, FAULT_CANCELLED);
    peer_go_on(k->peer);
    pthread_join(thread, NULL);
    kit_client(k);
    assert_int_equal(balance(k).kind, FAULT_NONE);
    assert_int_equal(peer_count(k->peer, TOKEN), 1);
    assert_string_equal(bearer_of(k, 0), "Bearer nmv_usr_late");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_begin, kit_end)
    const struct CMUnitTest tests[] = {
        T(test_one_call_for_all),
        T(test_kept),
        T(test_shared_client_id),
        T(test_lost_client_id),
        T(test_hostile_files),
        T(test_unwritable),
        T(test_renewed_together),
        T(test_refused_again),
        T(test_fixed),
        T(test_rate),
        T(test_rate_is_remembered),
        T(test_refused_and_rate),
        T(test_over_by_our_clock),
        T(test_token_call_passes),
        T(test_missing_client_id),
        T(test_missing_client_id_for_ever),
        T(test_near_its_end),
        T(test_cancel_while_waiting),
        T(test_granted_while_stopping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
