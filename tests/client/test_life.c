/* The client as a whole: threads, rest, ends. */
#include "kit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#define BALANCE "GET /api/credits/balance/simple"
#define RUN "POST /run_sse"
#define MANY 64

static struct told told[MANY];
static const char *balance_ok = "{\"code\":0,\"data\":{\"available\":1}}";

static void test_unused(void **state)
{
    (void)state; /* made and freed: nothing is contacted */
    assert_int_equal(peer_count(((struct kit *)*state)->peer, "GET"), 0);
    client_free(NULL);
}

static void test_freed_with_work_under_way(void **state)
{
    struct kit *k = *state;
    struct client_turn turn = {.session_id = "1", .message = "x"};
    static struct told stream, upload, download, render;
    int fd = kit_file(k, "x", 4u << 20, NULL);
    struct client_download what = {.url = "/file", .fd = fd};

    memset(&stream, 0, sizeof stream);
    memset(&upload, 0, sizeof upload);
    memset(&download, 0, sizeof download);
    memset(&render, 0, sizeof render);
    peer_on(k->peer, RUN,
            (struct peer_answer){.status = 200, .body = "", .chunked = true, .end = PEER_STALL});
    peer_on(k->peer, "POST /api/upload-video", (struct peer_answer){.hold = true, .read_only = 10});
    peer_on(
        k->peer, "GET /file",
        (struct peer_answer){.status = 200, .headers = "Content-Length: 9\r\n", .end = PEER_STALL});
    peer_json(k->peer, "GET /api/render", 200, "{\"status\":\"pending\"}");
    client_turn(k->client, &turn, &told_turn, &stream, NULL);
    client_upload_file(k->client, "1", fd, 4u << 20, "a.mp4", NULL, told_upload, &upload, NULL);
    client_render_wait(k->client, "render_1", NULL, told_render, &render, NULL);
    client_download(k->client, &what, NULL, told_download, &download, NULL);
    peer_wait(k->peer, RUN, 1);
    peer_wait(k->peer, "POST /api/upload-video", 1);
    peer_wait(k->peer, "GET /file", 1);
    client_free(k->client);
    k->client = NULL;
    close(fd);
    assert_int_equal(stream.fault.kind, FAULT_CANCELLED);
    assert_int_equal(upload.fault.kind, FAULT_CANCELLED);
    assert_int_equal(render.fault.kind, FAULT_CANCELLED);
    assert_int_equal(download.fault.kind, FAULT_CANCELLED);
    assert_int_equal(stream.ends + upload.ends + render.ends + download.ends, 4);
}

static void test_freed_at_once(void **state)
{
    struct kit *k = *state;

    peer_json(k->peer, BALANCE, 200, balance_ok);
    memset(told, 0, sizeof told);
    for (int i = 0; i < MANY; i++)
        client_balance(k->client, CLIENT_RETRY, told_balance, &told[i], NULL);
    client_free(k->client);
    k->client = NULL;
    for (int i = 0; i < MANY; i++)
        assert_int_equal(told[i].ends, 1);
}

/* Others may still call a stopped client: they are refused. */
static void test_stopped(void **state)
{
    struct kit *k = *state;
    struct client_turn turn = {.session_id = "1", .message = "hello"};
    static struct told late;

    peer_on(k->peer, BALANCE, (struct peer_answer){.hold = true});
    memset(told, 0, sizeof told[0]);
    memset(&late, 0, sizeof late);
    client_balance(k->client, CLIENT_RETRY, told_balance, &told[0], NULL);
    client_stop(k->client);
    assert_int_equal(told[0].ends, 1);
    assert_int_equal(told[0].fault.kind, FAULT_CANCELLED);
    assert_int_equal(client_turn(k->client, &turn, &told_turn, &late, NULL), -ESHUTDOWN);
    assert_int_equal(client_balance(k->client, CLIENT_RETRY, told_balance, &late, NULL),
                     -ESHUTDOWN);
    client_stop(k->client);
    client_free(k->client);
    k->client = NULL;
    assert_int_equal(late.ends, 0);
}

/* Calls from many threads, half of them cancelled as they run: each ends exactly once. */
static void *caller(void *user)
{
    struct kit *k = user;
    static unsigned next;

    for (int i = 0; i < MANY / 4; i++) {
        unsigned n = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % MANY;
        client_call call;
        assert_int_equal(client_balance(k->client, CLIENT_ONE_TRY, told_balance, &told[n], &call),
                         0);
        if (i % 2)
            client_cancel(k->client, call);
        client_cancel(k->client, call + 1000000);
        client_cancel(k->client, 0);
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    struct kit *k = *state;
    pthread_t threads[4];

    peer_json(k->peer, BALANCE, 200, balance_ok);
    memset(told, 0, sizeof told);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, caller, k), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < MANY; i++) {
        told_wait(&told[i]);
        assert_int_equal(told[i].ends, 1);
        assert_true(told[i].fault.kind == FAULT_NONE || told[i].fault.kind == FAULT_CANCELLED);
    }
}

/* A callback may start the next call, and cancel. */
struct chain {
    struct kit *k;
    struct told told;
    int left;
    client_call own;
};

static void link_of_chain(void *user, const struct fault *f, const struct client_balance *b)
{
    struct chain *c = user;

    client_cancel(c->k->client, c->own);
    if (c->left-- == 0) {
        told_balance(&c->told, f, b);
        return;
    }
    if (client_balance(c->k->client, CLIENT_ONE_TRY, link_of_chain, c, &c->own))
        abort();
}

static void test_calls_from_callbacks(void **state)
{
    struct chain c = {.k = *state, .left = 20};

    peer_json(c.k->peer, BALANCE, 200, balance_ok);
    assert_int_equal(client_balance(c.k->client, CLIENT_ONE_TRY, link_of_chain, &c, &c.own), 0);
    told_wait(&c.told);
    assert_int_equal(peer_count(c.k->peer, BALANCE), 21);
}

static void refused_call(void *user, const struct fault *f, const struct client_balance *b)
{
    struct chain *c = user;

    /* The client is going away: no new calls. */
    c->left = client_balance(c->k->client, CLIENT_ONE_TRY, link_of_chain, c, NULL);
    told_balance(&c->told, f, b);
}

static void test_no_calls_at_the_end(void **state)
{
    struct chain c = {.k = *state};

    peer_on(c.k->peer, BALANCE, (struct peer_answer){.end = PEER_STALL});
    client_balance(c.k->client, CLIENT_ONE_TRY, refused_call, &c, NULL);
    peer_wait(c.k->peer, BALANCE, 1);
    client_free(c.k->client);
    c.k->client = NULL;
    assert_int_equal(c.left, -ESHUTDOWN);
    assert_int_equal(c.told.fault.kind, FAULT_CANCELLED);
}

/* The voluntary context switches of the client's threads: how often they woke up. */
static long wake_ups(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    long sum = 0;

    assert_non_null(tasks);
    while ((entry = readdir(tasks))) {
        char path[320], line[256];
        bool ours = false;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *f = fopen(path, "re");
        while (f && fgets(line, sizeof line, f)) {
            long n;
            if (!strncmp(line, "Name:\tlipsync-", 14))
                ours = true;
            if (ours && sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1)
                sum += n;
        }
        if (f)
            fclose(f);
    }
    closedir(tasks);
    return sum;
}

/* With kept connections and a silent stream under way. */
static void test_no_wake_ups_at_rest(void **state)
{
    struct kit *k = *state;
    struct client_turn turn = {.session_id = "1", .message = "x"};
    static struct told stream;
    struct timespec rest = {3, 0};

    memset(&stream, 0, sizeof stream);
    memset(told, 0, sizeof told[0]);
    peer_json(k->peer, BALANCE, 200, balance_ok);
    peer_on(k->peer, RUN,
            (struct peer_answer){.status = 200, .body = ":\n", .chunked = true, .end = PEER_STALL});
    client_balance(k->client, CLIENT_ONE_TRY, told_balance, told, NULL);
    told_wait(told);
    client_turn(k->client, &turn, &told_turn, &stream, NULL);
    told_wait_order(&stream, "T");
    nanosleep(&rest, NULL); /* libcurl's own timers of the beginning run out */
    long before = wake_ups();
    nanosleep(&rest, NULL); /* the rest that is looked at */
    assert_true(wake_ups() - before <= 1);
}

/* A file system that hangs: a FIFO cannot be read at an offset, but a pipe nobody writes to would
 * hang. What can be shown is that the loop answers while the helper is kept busy. */
static void test_busy_disk(void **state)
{
    struct kit *k = *state;
    static struct told uploads[16], query;
    int fd = kit_file(k, "x", 16u << 20, NULL);

    peer_json(k->peer, "POST /api/upload-video", 200,
              "{\"code\":0,\"data\":{\"files\":[{\"filename\":\"a\"}]}}");
    peer_json(k->peer, BALANCE, 200, balance_ok);
    memset(uploads, 0, sizeof uploads);
    memset(&query, 0, sizeof query);
    for (int i = 0; i < 16; i++)
        client_upload_file(k->client, "1", fd, 16u << 20, "a.mp4", NULL, told_upload, &uploads[i],
                           NULL);
    client_balance(k->client, CLIENT_ONE_TRY, told_balance, &query, NULL);
    told_wait(&query);
    assert_int_equal(query.fault.kind, FAULT_NONE);
    for (int i = 0; i < 16; i++) {
        told_wait(&uploads[i]);
        assert_int_equal(uploads[i].fault.kind, FAULT_NONE);
        assert_true(uploads[i].ended_ms >= query.ended_ms);
    }
    close(fd);
}

/* Every descriptor is given back. */
static unsigned open_files(void)
{
    DIR *fds = opendir("/proc/self/fd");
    unsigned count = 0;

    while (readdir(fds))
        count++;
    closedir(fds);
    return count;
}

static void test_descriptors(void **state)
{
    struct kit *k = *state;
    int fd = kit_file(k, "x", 1000, NULL);

    client_free(k->client);
    k->client = NULL;
    peer_json(k->peer, "POST /api/upload-video", 200, "{\"code\":4001}");
    peer_json(k->peer, "GET /file", 404, "");
    unsigned before = open_files();
    kit_client(k);
    for (int i = 0; i < 5; i++) {
        struct client_download what = {.url = "/file", .fd = fd};
        memset(told, 0, 2 * sizeof told[0]);
        client_upload_file(k->client, "1", fd, 1000, "a.mp4", NULL, told_upload, &told[0], NULL);
        client_download(k->client, &what, NULL, told_download, &told[1], NULL);
        told_wait(&told[0]);
        told_wait(&told[1]);
    }
    client_free(k->client);
    k->client = NULL;
    peer_wait_closed(k->peer);
    assert_int_equal(open_files(), before);
    close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_begin, kit_end)
    const struct CMUnitTest tests[] = {
        T(test_unused),
        T(test_freed_with_work_under_way),
        T(test_freed_at_once),
        T(test_stopped),
        T(test_many_threads),
        T(test_calls_from_callbacks),
        T(test_no_calls_at_the_end),
        T(test_no_wake_ups_at_rest),
        T(test_busy_disk),
        T(test_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
