/* Downloads: redirects, secrets, resuming, lengths, disks that are full. */
#include "kit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#define PROXY "GET /api/render/proxy/render_1/download"
#define BIG (3u << 20)

static struct told told;
static char *movies[16]; /* the peer's threads may read them to the end of a test */
static char answer_head[4][256];

/* An MP4 file as far as its boxes go. */
static char *movie(size_t size)
{
    static const char ftyp[] = "\0\0\0\x14"
                               "ftypisom\0\0\2\0mp41";
    char *bytes = malloc(size + 1);

    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)('A' + i % 53);
    memcpy(bytes, ftyp, 20);
    size_t mdat = size - 20;
    for (int i = 0; i < 4; i++)
        bytes[20 + i] = (char)(mdat >> (24 - 8 * i));
    memcpy(bytes + 24, "mdat", 4);
    bytes[size] = '\0';
    for (size_t i = 0; i < sizeof movies / sizeof *movies; i++)
        if (!movies[i])
            return movies[i] = bytes;
    abort();
}

static int end_and_free(void **state)
{
    kit_end(state);
    for (size_t i = 0; i < sizeof movies / sizeof *movies; i++) {
        free(movies[i]);
        movies[i] = NULL;
    }
    return 0;
}

static enum fault_kind fetch(struct kit *k, const struct client_download *wanted, char **got,
                             size_t *len)
{
    char path[160];
    struct client_download what = *wanted;

    snprintf(path, sizeof path, "%s/out", k->dir);
    what.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(what.fd, "old content", 11), 11);
    memset(&told, 0, sizeof told);
    assert_int_equal(
        client_download(k->client, &what, told_download_progress, told_download, &told, NULL), 0);
    close(what.fd);
    told_wait(&told);
    if (got)
        *got = kit_read(path, len);
    return told.fault.kind;
}

static enum fault_kind fetch_url(struct kit *k, const char *path)
{
    char url[256];
    struct client_download what = {.url = url, .expect_mp4 = true};

    snprintf(url, sizeof url, "%s%s", strstr(path, "://") ? "" : peer_url(k->peer), path);
    return fetch(k, &what, NULL, NULL);
}

static void expect(struct kit *k, const struct client_download *what, const char *bytes,
                   size_t size)
{
    char *got;
    size_t len;

    assert_int_equal(fetch(k, what, &got, &len), FAULT_NONE);
    assert_int_equal(len, size);
    assert_int_equal(told.number[0], size);
    assert_memory_equal(got, bytes, size);
    assert_int_equal(told.most, size);
    free(got);
}

static void test_whole(void **state)
{
    struct kit *k = *state;
    struct client_download what = {.render_id = "render_1", .expect_mp4 = true};
    static const size_t sizes[] = {40, (512u << 10) - 1, 512u << 10, (512u << 10) + 1, BIG};
    char *bytes[5];

    for (int i = 0; i < 5; i++) {
        bytes[i] = movie(sizes[i]);
        peer_on(k->peer, PROXY,
                (struct peer_answer){.status = 200, .body = bytes[i], .body_len = sizes[i]});
    }
    for (int i = 0; i < 5; i++)
        expect(k, &what, bytes[i], sizes[i]);
    assert_int_equal(told.total, BIG);
    struct peer_request r = peer_request(k->peer, PROXY, 0);
    assert_string_equal(peer_header(&r, "Authorization"), "Bearer nmv_usr_1");
    assert_string_equal(peer_header(&r, "Range"), "");
}

/* To another origin goes neither the token nor the attribution. */
static void test_redirect_abroad(void **state)
{
    struct kit *k = *state;
    struct client_download what = {.render_id = "render_1", .expect_mp4 = true};
    struct peer *other = peer_new();
    char *bytes = movie(1000);

    snprintf(answer_head[0], sizeof answer_head[0], "Location: %s/file?sig=secret#part\r\n",
             peer_url(other));
    peer_on(k->peer, PROXY, (struct peer_answer){.status = 302, .headers = "Location: ../hop\r\n"});
    peer_on(k->peer, "GET /api/render/proxy/hop",
            (struct peer_answer){.status = 307, .headers = answer_head[0], .body = "moved"});
    peer_on(other, "GET /file?sig=secret",
            (struct peer_answer){.status = 200, .body = bytes, .body_len = 1000});
    expect(k, &what, bytes, 1000);
    struct peer_request r = peer_request(other, "GET /file?sig=secret", 0);
    assert_string_equal(r.path, "/file?sig=secret");
    assert_string_equal(peer_header(&r, "Authorization"), "");
    assert_string_equal(peer_header(&r, "X-Skill-Source"), "");
    kit_log_lacks("sig=secret");
    client_free(k->client);
    k->client = NULL;
    peer_free(other);
}

static void test_redirect_without_end(void **state)
{
    struct kit *k = *state;

    peer_on(k->peer, "GET /a", (struct peer_answer){.status = 302, .headers = "Location: /a\r\n"});
    peer_on(k->peer, "GET /b", (struct peer_answer){.status = 302});
    peer_on(k->peer, "GET /c",
            (struct peer_answer){.status = 302, .headers = "Location: file:///etc/passwd\r\n"});
    peer_on(k->peer, "GET /d",
            (struct peer_answer){.status = 302, .headers = "Location: http://192.0.2.1/x\r\n"});
    peer_on(k->peer, "GET /e",
            (struct peer_answer){.status = 302, .headers = "Location: https://u:p@127.0.0.1/\r\n"});
    assert_int_equal(fetch_url(k, "/a"), FAULT_PROTOCOL);
    assert_int_equal(peer_count(k->peer, "GET /a"), 6);
    for (const char *path = "/b\0/c\0/d\0/e\0"; *path; path += 3)
        assert_int_equal(fetch_url(k, path), FAULT_PROTOCOL);
    assert_int_equal(fetch_url(k, "gopher://127.0.0.1/"), FAULT_PROTOCOL);
}

/* A backend out there does not send us to machines in here. */
static void test_kept_away(void **state)
{
    struct kit *k = *state;

    peer_on(k->peer, "GET /", (struct peer_answer){.status = 200, .body = "secret"});
    char url[128];
    snprintf(url, sizeof url, "%s/x", peer_url(k->peer));
    k->options.api_url = "https://api.invalid";
    k->options.token = "nmv_usr_fixed";
    kit_client(k);
    assert_int_equal(fetch_url(k, url), FAULT_PROTOCOL);
    assert_int_equal(peer_count(k->peer, "GET /"), 0);
}

static void part(struct kit *k, const char *what, const char *bytes, size_t from, size_t size,
                 char *head)
{
    snprintf(head, sizeof answer_head[0], "Content-Range: bytes %zu-%zu/%zu\r\nETag: \"one\"\r\n",
             from, size - 1, size);
    peer_on(k->peer, what,
            (struct peer_answer){
                .status = 206, .headers = head, .body = bytes + from, .body_len = size - from});
}

/* Half of a file, then the connection breaks. */
static void half(struct kit *k, const char *what, const char *bytes, size_t sent, char *head,
                 const char *etag)
{
    snprintf(head, sizeof answer_head[0], "%sContent-Length: %u\r\n", etag, BIG);
    peer_on(
        k->peer, what,
        (struct peer_answer){
            .status = 200, .headers = head, .body = bytes, .body_len = sent, .end = PEER_CLOSE});
}

static void test_resumed(void **state)
{
    struct kit *k = *state;
    struct client_download what = {.url = "/file", .expect_mp4 = true};
    char *bytes = movie(BIG);

    half(k, "GET /file", bytes, 1000000, answer_head[0], "ETag: \"one\"\r\n");
    peer_json(k->peer, "GET /file", 503, "");
    part(k, "GET /file", bytes, 1000000, BIG, answer_head[1]);
    expect(k, &what, bytes, BIG);
    struct peer_request r = peer_request(k->peer, "GET /file", 2);
    assert_string_equal(peer_header(&r, "Range"), "bytes=1000000-");
    assert_string_equal(peer_header(&r, "If-Range"), "\"one\"");
}

/* The file was replaced meanwhile: from the start, and nothing of the old one is left. */
static void test_changed_meanwhile(void **state)
{
    struct kit *k = *state;
    struct client_download what = {.url = "/file", .expect_mp4 = true};
    char *bytes = movie(BIG), *other = movie(2000);

    half(k, "GET /file", bytes, 1000000, answer_head[0], "ETag: \"one\"\r\n");
    peer_on(k->peer, "GET /file",
            (struct peer_answer){.status = 200, .body = other, .body_len = 2000});
    char *got;
    size_t len;
    assert_int_equal(fetch(k, &what, &got, &len), FAULT_NONE);
    assert_int_equal(len, 2000);
    assert_memory_equal(got, other, 2000);
    free(got);
}

/* What a broken answer promised before its first byte does not bind the next one. */
static void test_length_of_another_answer(void **state)
{
    struct kit *k = *state;
    struct client_download what = {.url = "/file", .expect_mp4 = true};
    char *bytes = movie(2000);

    snprintf(answer_head[0], sizeof answer_head[0], "Content-Length: %u\r\n", BIG);
    peer_on(k->peer, "GET /file",
            (struct peer_answer){.status = 200, .headers = answer_head[0], .end = PEER_CLOSE});
    peer_on(k->peer, "GET /file",
            (struct peer_answer){.status = 200, .body = bytes, .body_len = 2000, .chunked = true});
    expect(k, &what, bytes, 2000);
    assert_int_equal(told.total, 0);
}

static void test_wrong_part(void **state)
{
    struct kit *k = *state;
    char *bytes = movie(BIG);

    half(k, "GET /file", bytes, 1000000, answer_head[0], "");
    part(k, "GET /file", bytes, 999999, BIG, answer_head[1]);
    half(k, "GET /other", bytes, 1000000, answer_head[2], "");
    part(k, "GET /other", bytes, 1000000, BIG - 5, answer_head[3]);
    assert_int_equal(fetch_url(k, "/file"), FAULT_PROTOCOL);
    assert_int_equal(fetch_url(k, "/other"), FAULT_PROTOCOL);
}

static void test_gives_up(void **state)
{
    struct kit *k = *state;

    peer_json(k->peer, "GET /file", 503, "");
    assert_int_equal(fetch_url(k, "/file"), FAULT_SERVER);
    assert_int_equal(peer_count(k->peer, "GET /file"), 5);
}

static void test_fallback(void **state)
{
    struct kit *k = *state;
    struct client_download what = {.url = "/gone", .render_id = "render_1", .expect_mp4 = true};
    char *bytes = movie(5000);

    peer_json(k->peer, "GET /gone", 403, "<Error>expired</Error>");
    peer_on(k->peer, "GET /html", (struct peer_answer){.status = 200, .body = "<html>not a film"});
    peer_on(k->peer, PROXY, (struct peer_answer){.status = 200, .body = bytes, .body_len = 5000});
    expect(k, &what, bytes, 5000);
    what.url = "/html";
    expect(k, &what, bytes, 5000);
    what.url = "http://[broken";
    expect(k, &what, bytes, 5000);
}

static void test_json_instead(void **state)
{
    struct kit *k = *state;

    peer_json(k->peer, "GET /a", 200, "{\"code\":1002,\"message\":\"gone\"}");
    peer_json(k->peer, "GET /b", 200, "{\"code\":0}");
    peer_json(k->peer, "GET /c", 401, "");
    assert_int_equal(fetch_url(k, "/a"), FAULT_SESSION);
    assert_int_equal(fetch_url(k, "/b"), FAULT_PROTOCOL);
    assert_int_equal(fetch_url(k, "/c"), FAULT_TOKEN);
    assert_int_equal(peer_count(k->peer, "GET /c"), 2);
}

static void test_not_whole(void **state)
{
    struct kit *k = *state;
    char *bytes = movie(5000);

    /* All bytes that the server promised, but the last box goes on. */
    peer_on(k->peer, "GET /cut",
            (struct peer_answer){.status = 200, .body = bytes, .body_len = 4000});
    peer_on(k->peer, "GET /empty", (struct peer_answer){.status = 200});
    assert_int_equal(fetch_url(k, "/cut"), FAULT_PROTOCOL);
    assert_int_equal(fetch_url(k, "/empty"), FAULT_PROTOCOL);

    /* Who does not expect a film gets what there is. */
    struct client_download what = {.url = "/cut"};
    expect(k, &what, bytes, 4000);
}

static void test_too_large(void **state)
{
    struct kit *k = *state;
    char *bytes = movie(BIG);
    char url[128];
    struct client_download what = {.url = url, .render_id = "render_1", .max_size = 100000};

    peer_on(k->peer, "GET /file",
            (struct peer_answer){.status = 200, .body = bytes, .body_len = BIG});
    peer_on(k->peer, "GET /chunked",
            (struct peer_answer){.status = 200, .body = bytes, .body_len = BIG, .chunked = true});
    snprintf(url, sizeof url, "%s/file", peer_url(k->peer));
    assert_int_equal(fetch(k, &what, NULL, NULL), FAULT_TOO_LARGE);
    assert_int_equal(told.most, 0);
    snprintf(url, sizeof url, "%s/chunked", peer_url(k->peer));
    assert_int_equal(fetch(k, &what, NULL, NULL), FAULT_TOO_LARGE);
    assert_int_equal(peer_count(k->peer, PROXY), 0);
    client_free(k->client);
    k->client = NULL;
    peer_wait_closed(k->peer);
}

/* A limit on file sizes fails writes as a full disk does (the signal is blocked in the client's
 * threads). */
static void test_full_disk(void **state)
{
    struct kit *k = *state;
    char *bytes = movie(BIG);
    struct client_download what = {.url = "/file", .render_id = "render_1"};
    struct rlimit old, small = {1u << 20, RLIM_INFINITY};

    peer_on(k->peer, "GET /file",
            (struct peer_answer){.status = 200, .body = bytes, .body_len = BIG});
    peer_on(k->peer, "GET /short",
            (struct peer_answer){.status = 200, .body = bytes, .body_len = (1u << 20) + 1});
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fetch(k, &what, NULL, NULL), FAULT_LOCAL);
        assert_int_equal(told.fault.error, EFBIG);
        what.url = "/short"; /* met only when the rest is written out */
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(peer_count(k->peer, PROXY), 0);
}

static void test_cancel(void **state)
{
    struct kit *k = *state;
    char *bytes = movie(BIG);
    struct client_download what = {.url = "/file"};
    client_call call;

    half(k, "GET /file", bytes, 1000000, answer_head[0], "");
    snprintf(answer_head[1], sizeof answer_head[1], "Content-Length: %u\r\n", BIG);
    peer_on(k->peer, "GET /stall",
            (struct peer_answer){.status = 200,
                                 .headers = answer_head[1],
                                 .body = bytes,
                                 .body_len = 1000000,
                                 .end = PEER_STALL});
    what.url = "/stall";
    what.fd = kit_file(k, "out", 0, NULL);
    memset(&told, 0, sizeof told);
    client_download(k->client, &what, told_download_progress, told_download, &told, &call);
    close(what.fd);
    peer_wait(k->peer, "GET /stall", 1);
    client_cancel(k->client, call);
    told_wait(&told);
    assert_int_equal(told.fault.kind, FAULT_CANCELLED);
    client_free(k->client);
    k->client = NULL;
    peer_wait_closed(k->peer);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_begin, end_and_free)
    const struct CMUnitTest tests[] = {
        T(test_whole),        T(test_redirect_abroad), T(test_redirect_without_end),
        T(test_kept_away),    T(test_resumed),         T(test_changed_meanwhile),
        T(test_wrong_part),   T(test_gives_up),        T(test_fallback),
        T(test_json_instead), T(test_not_whole),       T(test_too_large),
        T(test_full_disk),    T(test_cancel),          T(test_length_of_another_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
