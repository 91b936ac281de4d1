/* Uploads: bytes, progress, retries, cancelling, many at once. */
#include "kit.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define UPLOAD "POST /api/upload-video/nemo_agent/me/1"
#define BALANCE "GET /api/credits/balance/simple"
#define MANY 40

static const char *files_ok =
    "{\"code\":0,\"data\":{\"files\":[{\"filename\":\"a.mp4\",\"url\":\"https://c.example/a\"}]}}";
static struct told told[MANY];

static void upload(struct kit *k, int fd, size_t size, const char *name, struct told *t,
                   client_call *call)
{
    memset(t, 0, sizeof *t);
    assert_int_equal(client_upload_file(k->client, "1", fd, size, name, told_upload_progress,
                                        told_upload, t, call),
                     0);
}

/* The file inside the multipart body of a request that is small enough to be kept whole. */
static void assert_form(const struct peer_request *r, const char *name, const char *type,
                        const char *bytes, size_t len)
{
    char wanted[512];

    assert_non_null(strstr(peer_header(r, "Content-Type"), "multipart/form-data; boundary="));
    snprintf(wanted, sizeof wanted,
             "Content-Disposition: form-data; name=\"files\"; filename=\"%s\"\r\n"
             "Content-Type: %s\r\n\r\n",
             name, type);
    const char *start = strstr(r->body, wanted);
    assert_non_null(start);
    assert_memory_equal(start + strlen(wanted), bytes, len);
}

static void test_small(void **state)
{
    struct kit *k = *state;
    int fd = kit_file(k, "x", 0, NULL);

    assert_int_equal(write(fd, "hello", 5), 5);
    peer_json(k->peer, UPLOAD, 200, files_ok);
    upload(k, fd, 5, "clip \"1\" \xe7\x89\x87.MP4", told, NULL);
    close(fd); /* it was duplicated */
    told_wait(told);
    assert_int_equal(told[0].fault.kind, FAULT_NONE);
    assert_string_equal(told[0].text, "https://c.example/a");
    struct peer_request r = peer_request(k->peer, UPLOAD, 0);
    assert_form(&r, "clip %221%22 \xe7\x89\x87.MP4", "video/mp4", "hello", 5);
    assert_string_equal(peer_header(&r, "Expect"), "");
    assert_string_equal(peer_header(&r, "Transfer-Encoding"), "");
    assert_string_equal(peer_header(&r, "X-Skill-Source"), "lipsyncvideo-ai");
}

static void test_empty(void **state)
{
    struct kit *k = *state;
    int fd = kit_file(k, "x", 0, NULL);

    peer_json(k->peer, UPLOAD, 200, files_ok);
    upload(k, fd, 0, "a.wav", told, NULL);
    close(fd);
    told_wait(told);
    assert_int_equal(told[0].fault.kind, FAULT_NONE);
}

/* Large ones, several buffers long, with both ends of a buffer hit: the sum is over form and file,
 * so the same file under the same name gives the same length, and its bytes are compared through a
 * second way. */
static void test_large(void **state)
{
    struct kit *k = *state;
    static const size_t sizes[] = {(512u << 10) - 1, 512u << 10, (512u << 10) + 1, 1u << 20,
                                   (5u << 20) + 17};

    peer_json(k->peer, UPLOAD, 200, files_ok);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int fd = kit_file(k, "x", sizes[i], NULL);
        int64_t began = now_ms();
        upload(k, fd, sizes[i], "a.mp4", told, NULL);
        told_wait(told);
        assert_int_equal(told[0].fault.kind, FAULT_NONE);
        assert_true(told[0].most <= sizes[i]);
        assert_true(told[0].progress <= 2 + (unsigned)(told[0].ended_ms - began) / 100);
        assert_int_equal(told[0].total, sizes[i]);

        struct peer_request r = peer_request(k->peer, UPLOAD, i);
        const char *start = strstr(r.body, "\r\n\r\n");
        char boundary[128], tail[160];
        snprintf(boundary, sizeof boundary, "%s",
                 strstr(peer_header(&r, "Content-Type"), "boundary=") + 9);
        int tail_len = snprintf(tail, sizeof tail, "\r\n--%s--\r\n", boundary);
        size_t head_len = (size_t)(start + 4 - r.body);
        assert_int_equal(r.body_len, head_len + sizes[i] + (size_t)tail_len);
        char *whole = malloc(r.body_len);
        memcpy(whole, r.body, head_len);
        assert_int_equal(pread(fd, whole + head_len, sizes[i], 0), sizes[i]);
        memcpy(whole + head_len + sizes[i], tail, (size_t)tail_len);
        assert_int_equal(peer_sum(whole, r.body_len), r.body_sum);
        free(whole);
        close(fd);
    }
}

static void test_retried(void **state)
{
    struct kit *k = *state;
    size_t size = 3u << 20;
    int fd = kit_file(k, "x", size, NULL);

    peer_json(k->peer, UPLOAD, 503, "");
    peer_on(k->peer, UPLOAD, (struct peer_answer){.read_only = 1u << 20, .end = PEER_RESET});
    peer_json(k->peer, UPLOAD, 200, files_ok);
    upload(k, fd, size, "a.mp4", told, NULL);
    close(fd);
    told_wait(told);
    assert_int_equal(told[0].fault.kind, FAULT_NONE);
    /* Of the same length; boundaries differ, so the sums do. */
    assert_int_equal(peer_request(k->peer, UPLOAD, 0).body_len,
                     peer_request(k->peer, UPLOAD, 2).body_len);
}

static void test_refusals(void **state)
{
    struct kit *k = *state;
    int fd = kit_file(k, "x", 3u << 20, NULL);

    peer_json(k->peer, UPLOAD, 200, "{\"code\":4001,\"message\":\"no\"}");
    peer_on(k->peer, UPLOAD,
            (struct peer_answer){.status = 413, .read_only = 1000, .end = PEER_CLOSE});
    peer_json(k->peer, UPLOAD, 200, "{\"code\":0,\"data\":{\"files\":[]}}");
    upload(k, fd, 3u << 20, "a.mp4", told, NULL);
    told_wait(told);
    assert_int_equal(told[0].fault.kind, FAULT_TYPE);
    assert_int_equal(peer_count(k->peer, UPLOAD), 1);
    upload(k, fd, 3u << 20, "a.mp4", told, NULL);
    told_wait(told);
    assert_int_not_equal(told[0].fault.kind, FAULT_NONE);
    close(fd);
}

static void test_file_that_shrinks(void **state)
{
    struct kit *k = *state;
    int fd = kit_file(k, "x", 100, NULL);

    peer_json(k->peer, UPLOAD, 200, files_ok);
    upload(k, fd, 4u << 20, "a.mp4", told, NULL);
    close(fd);
    told_wait(told);
    assert_int_equal(told[0].fault.kind, FAULT_LOCAL);
    assert_int_equal(told[0].fault.error, EIO);
}

static void test_unreadable(void **state)
{
    struct kit *k = *state;
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    peer_json(k->peer, UPLOAD, 200, files_ok);
    upload(k, fd, 10, "a.mp4", told, NULL);
    close(fd);
    told_wait(told);
    assert_int_equal(told[0].fault.kind, FAULT_LOCAL);
    assert_int_equal(told[0].fault.error, EBADF);
}

static void test_cancel(void **state)
{
    struct kit *k = *state;
    size_t size = 32u << 20;
    int fd = kit_file(k, "x", size, NULL);
    client_call call;

    peer_on(k->peer, UPLOAD,
            (struct peer_answer){.read_only = 1000, .end = PEER_STALL, .hold = true});
    upload(k, fd, size, "a.mp4", told, &call);
    close(fd);
    peer_wait(k->peer, UPLOAD, 1);
    int64_t start = now_ms();
    client_cancel(k->client, call);
    told_wait(told);
    assert_int_equal(told[0].fault.kind, FAULT_CANCELLED);
    assert_true(now_ms() - start < 20000);
    assert_true(told[0].most < size);
    peer_go_on(k->peer);
    client_free(k->client);
    k->client = NULL;
    peer_wait_closed(k->peer);
}

/* Stuck uploads, however many, hold up no query. */
static void test_many_stuck(void **state)
{
    struct kit *k = *state;
    size_t size = 8u << 20;
    int fd = kit_file(k, "x", size, NULL);
    static struct told query;

    peer_on(k->peer, UPLOAD, (struct peer_answer){.read_only = 1000, .hold = true});
    peer_json(k->peer, BALANCE, 200, "{\"code\":0,\"data\":{}}");
    for (int i = 0; i < MANY; i++)
        upload(k, fd, size, "a.mp4", &told[i], NULL);
    close(fd);
    peer_wait(k->peer, UPLOAD, MANY);
    memset(&query, 0, sizeof query);
    int64_t start = now_ms();
    client_balance(k->client, CLIENT_ONE_TRY, told_balance, &query, NULL);
    told_wait(&query);
    assert_int_equal(query.fault.kind, FAULT_NONE);
    assert_true(now_ms() - start < 20000);
    client_free(k->client);
    k->client = NULL;
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(told[i].ends, 1);
        assert_int_equal(told[i].fault.kind, FAULT_CANCELLED);
    }
}

static void test_url(void **state)
{
    struct kit *k = *state;

    peer_json(k->peer, UPLOAD, 200, files_ok);
    memset(told, 0, sizeof told[0]);
    assert_int_equal(
        client_upload_url(k->client, "1", "https://x.example/a?b=1&c=\"", told_upload, told, NULL),
        0);
    told_wait(told);
    assert_int_equal(told[0].fault.kind, FAULT_NONE);
    struct peer_request r = peer_request(k->peer, UPLOAD, 0);
    assert_string_equal(r.body,
                        "{\"urls\":[\"https://x.example/a?b=1&c=\\\"\"],\"source_type\":\"url\"}");
}

static void test_bad_arguments(void **state)
{
    struct kit *k = *state;

    assert_int_equal(
        client_upload_file(k->client, "1", -1, 1, "a.mp4", NULL, told_upload, told, NULL), -EBADF);
    assert_int_equal(client_upload_file(k->client, "1", 0, 1, "", NULL, told_upload, told, NULL),
                     -EINVAL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_begin, kit_end)
    const struct CMUnitTest tests[] = {
        T(test_small),      T(test_empty),         T(test_large),
        T(test_retried),    T(test_refusals),      T(test_file_that_shrinks),
        T(test_unreadable), T(test_cancel),        T(test_many_stuck),
        T(test_url),        T(test_bad_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
