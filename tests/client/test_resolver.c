/* A name server that does not answer: nothing waits for it but the call that asked. */
#include "kit.h"

#include <netdb.h>
#include <pthread.h>

#define BALANCE "GET /api/credits/balance/simple"
#define SLOW "slow.invalid"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool released;
static unsigned asked, answered;

/* In place of the C library's: only one name is ever asked for here. */
__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **result);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    (void)node;
    (void)service;
    (void)hints;
    (void)result;
    pthread_mutex_lock(&lock);
    asked++;
    pthread_cond_broadcast(&changed);
    while (!released)
        pthread_cond_wait(&changed, &lock);
    answered++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return EAI_AGAIN;
}

static void wait_asked(unsigned count)
{
    pthread_mutex_lock(&lock);
    while (asked < count)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void test_slow_names(void **state)
{
    struct kit *k = *state;
    static struct told slow[2], query;
    client_call call;
    struct client_download what = {.url = "https://" SLOW "/x"};

    memset(slow, 0, sizeof slow);
    memset(&query, 0, sizeof query);
    peer_json(k->peer, BALANCE, 200, "{\"code\":0,\"data\":{}}");
    what.fd = kit_file(k, "out", 0, NULL);
    client_download(k->client, &what, NULL, told_download, &slow[0], &call);
    client_download(k->client, &what, NULL, told_download, &slow[1], NULL);
    wait_asked(1);
    int64_t start = now_ms();
    client_balance(k->client, CLIENT_ONE_TRY, told_balance, &query, NULL);
    told_wait(&query);
    assert_int_equal(query.fault.kind, FAULT_NONE);
    client_cancel(k->client, call);
    told_wait(&slow[0]);
    assert_int_equal(slow[0].fault.kind, FAULT_CANCELLED);
    client_free(k->client);
    k->client = NULL;
    assert_int_equal(slow[1].fault.kind, FAULT_CANCELLED);
    assert_true(now_ms() - start < 20000);

    pthread_mutex_lock(&lock);
    released = true;
    pthread_cond_broadcast(&changed);
    while (answered < asked)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_slow_names, kit_begin, kit_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
