/* The parts of the client that need no server: deadlines, boxes, forms, origins. */
#include <netinet/in.h>
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "mp4.h"
#include "multipart.h"
#include "origin.h"
#include "timers.h"
#include "vault.h"

/* ---- timers: against a plain search ---- */

#define TIMERS 200

static void test_timers(void **state)
{
    static struct timer all[TIMERS];
    struct timers queue = {0};
    uint32_t x = 12345;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        x = x * 1664525 + 1013904223;
        struct timer *t = &all[x >> 8 & 0xff ? (x >> 8) % TIMERS : 0];
        if (x >> 30 == 0)
            timers_stop(&queue, t);
        else if (x >> 30 == 1 && timers_first(&queue))
            timers_stop(&queue, timers_first(&queue));
        else
            timers_set(&queue, t, x >> 20 & 0x3ff);

        int64_t least = INT64_MAX;
        for (int j = 0; j < TIMERS; j++)
            if (all[j].armed && all[j].due_ms < least)
                least = all[j].due_ms;
        struct timer *first = timers_first(&queue);
        if (least == INT64_MAX) {
            assert_null(first);
        } else {
            assert_non_null(first);
            assert_true(first->armed);
            assert_int_equal(first->due_ms, least);
        }
    }
}

/* ---- MP4 ---- */

#define FTYP                                                                                       \
    "\0\0\0\x10"                                                                                   \
    "ftypisom\0\0\2\0"

/* In every split: the verdict is the same. */
static bool is_whole(const char *bytes, size_t len)
{
    struct mp4 whole, split;

    mp4_init(&whole);
    mp4_feed(&whole, bytes, len);
    for (size_t i = 0; i <= len; i++) {
        mp4_init(&split);
        mp4_feed(&split, bytes, i);
        mp4_feed(&split, bytes + i, len - i);
        assert_int_equal(mp4_is_whole(&split), mp4_is_whole(&whole));
    }
    mp4_init(&split);
    for (size_t i = 0; i < len; i++)
        mp4_feed(&split, bytes + i, 1);
    assert_int_equal(mp4_is_whole(&split), mp4_is_whole(&whole));
    return mp4_is_whole(&whole);
}

static void test_mp4(void **state)
{
#define WHOLE(text) assert_true(is_whole(text, sizeof text - 1))
#define NOT(text) assert_false(is_whole(text, sizeof text - 1))
    (void)state;
    WHOLE(FTYP);
    WHOLE(FTYP "\0\0\0\x0amdat12");
    WHOLE(FTYP "\0\0\0\x08"
               "free\0\0\0\x09moovx");
    WHOLE(FTYP "\0\0\0\0mdat and so on");
    WHOLE(FTYP "\0\0\0\1mdat\0\0\0\0\0\0\0\x12xx");
    WHOLE(FTYP "\xff\xff\xff\xffzzzz unknown boxes are not judged");
    NOT("");
    NOT("<html>");
    NOT("\0\0\0\x08"
        "free" FTYP);
    NOT(FTYP "\0\0\0\x0bmdat12");
    NOT(FTYP "\0\0\0\x09mdat12");
    NOT(FTYP "\0\0\0");
    NOT(FTYP "\0\0\0\7mdat");
    NOT(FTYP "\0\0\0\1mdat\0\0\0\0\0\0\0\x0f");
    NOT(FTYP "\0\0\0\1mdat\xff\xff\xff\xff\xff\xff\xff\xff");
}

/* ---- forms ---- */

static void test_multipart(void **state)
{
    struct multipart m;

    (void)state;
    assert_int_equal(multipart_init(&m, "B", "files", "a\"\r\nX: y\\ \xc3\xa9.mp4", "video/mp4"),
                     0);
    assert_string_equal(m.type, "multipart/form-data; boundary=B");
    assert_string_equal(m.head, "--B\r\nContent-Disposition: form-data; name=\"files\"; "
                                "filename=\"a%22%0D%0AX: y\\ \xc3\xa9.mp4\"\r\n"
                                "Content-Type: video/mp4\r\n\r\n");
    assert_string_equal(m.tail, "\r\n--B--\r\n");
    assert_int_equal(m.head_len, strlen(m.head));
    assert_int_equal(m.tail_len, strlen(m.tail));
    multipart_release(&m);
    assert_string_equal(multipart_type_of("a.b.MoV"), "video/quicktime");
    assert_string_equal(multipart_type_of("a"), "application/octet-stream");
}

/* ---- origins ---- */

static void test_origins(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } pairs[] = {
        {"https://a.example/x", "https://A.example:443/y?z", true},
        {"https://a.example", "http://a.example", false},
        {"https://a.example", "https://a.example:444", false},
        {"https://a.example", "https://a.example.evil", false},
        {"http://[::1]:80/", "http://[::1]/", true},
    };
    static const struct {
        const char *url;
        int err;
        bool loopback, allowed;
    } urls[] = {
        {"https://a.example", 0, false, true},
        {"http://a.example", 0, false, false},
        {"http://localhost:1", 0, true, true},
        {"http://127.9.9.9", 0, true, true},
        {"http://[::1]:8/", 0, true, true},
        {"http://127.0.0.1.nip.io", 0, false, false},
        {"http://localhost.evil", 0, false, false},
        {"http://2130706433/", 0, true, true},
        {"https://u@a.example", -EINVAL, 0, 0},
        {"https://:p@a.example", -EINVAL, 0, 0},
        {"ftp://a.example", -EINVAL, 0, 0},
        {"a.example", -EINVAL, 0, 0},
        {"", -EINVAL, 0, 0},
        {"file:///etc/passwd", -EINVAL, 0, 0},
    };
    struct origin a, b;

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        assert_int_equal(origin_of(pairs[i].a, &a), 0);
        assert_int_equal(origin_of(pairs[i].b, &b), 0);
        assert_int_equal(origin_same(&a, &b), pairs[i].same);
    }
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        assert_int_equal(origin_of(urls[i].url, &a), urls[i].err);
        if (urls[i].err)
            continue;
        assert_int_equal(origin_is_loopback(&a), urls[i].loopback);
        assert_int_equal(origin_is_allowed(&a), urls[i].allowed);
    }
}

static void assert_resolves(const char *base, const char *reference, const char *wanted)
{
    char *got = NULL;
    int err = origin_resolve(base, reference, &got);

    if (wanted) {
        assert_int_equal(err, 0);
        assert_string_equal(got, wanted);
    } else {
        assert_int_equal(err, -EINVAL);
    }
    free(got);
}

static void test_resolve(void **state)
{
    char path[16];

    (void)state;
    assert_resolves("https://a.example/x/y?q", "z", "https://a.example/x/z");
    assert_resolves("https://a.example/x/y", "/z?r#f", "https://a.example/z?r");
    assert_resolves("https://a.example/x", "//b.example/z", "https://b.example/z");
    assert_resolves("https://a.example", "http://127.0.0.1/", "http://127.0.0.1/");
    assert_resolves("https://a.example", "/a b\xc3\xa9", "https://a.example/a%20b%c3%a9");
    assert_resolves("https://a.example", "javascript:alert(1)", NULL);
    assert_resolves("https://a.example", "https://u:p@b.example/", NULL);
    origin_path("https://a.example/x/y?token=1", path, sizeof path);
    assert_string_equal(path, "/x/y");
    origin_path("https://a.example?token=1", path, sizeof path);
    assert_string_equal(path, "/");
    origin_path("https://a.example/0123456789abcdefgh", path, sizeof path);
    assert_string_equal(path, "/0123456789abcd");
}

static enum reach reach(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return reach_of((struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return reach_of((struct sockaddr *)&v6);
}

static void test_reach(void **state)
{
    static const char *loopback[] = {
        "127.0.0.1", "127.255.0.1",      "0.0.0.0",         "::1",
        "::",        "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"};
    static const char *private[] = {
        "10.1.2.3",   "172.16.0.1",      "172.31.255.255",  "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "224.0.0.1",       "255.255.255.255", "fe80::1",     "fd00::1",
        "ff02::1",    "::ffff:10.0.0.1", "198.19.0.1",      "192.0.0.8"};
    static const char *public[] = {"8.8.8.8",  "172.15.0.1",   "172.32.0.1",     "100.63.0.1",
                                   "11.0.0.1", "2001:4860::1", "::ffff:8.8.8.8", "128.0.0.1"};

    (void)state;
    for (size_t i = 0; i < sizeof loopback / sizeof *loopback; i++)
        assert_int_equal(reach(loopback[i]), REACH_LOOPBACK);
    for (size_t i = 0; i < sizeof private / sizeof *private; i++)
        assert_int_equal(reach(private[i]), REACH_PRIVATE);
    for (size_t i = 0; i < sizeof public / sizeof *public; i++)
        assert_int_equal(reach(public[i]), REACH_PUBLIC);
}

/* ---- the token's file ---- */

int __wrap_fsync(int fd);

static char kept[64];  /* where the token goes */
static char synced[8]; /* what was, in order: n a new file, d the folder, D with the file in it */
static size_t syncs;

int __wrap_fsync(int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    assert_true(syncs < sizeof synced - 1);
    synced[syncs++] = !S_ISDIR(st.st_mode) ? 'n' : access(kept, F_OK) == 0 ? 'D' : 'd';
    return 0;
}

/* A name that is not on disk is lost with the power, and the token cannot be had again. */
static void test_token_is_on_disk(void **state)
{
    char dir[] = "/tmp/lipsyncfs-parts-XXXXXX";
    struct vault_token in = {.token.token = "nmv_usr_1", .client_id = "id"}, out;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(kept, sizeof kept, "%s/token", dir);
    assert_int_equal(vault_write_token(kept, &in), 0);
    assert_string_equal(synced, "nD");
    assert_int_equal(vault_read_token(kept, &out), 0);
    assert_string_equal(out.token.token, "nmv_usr_1");
    unlink(kept);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers),           cmocka_unit_test(test_mp4),
        cmocka_unit_test(test_multipart),        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_resolve),          cmocka_unit_test(test_reach),
        cmocka_unit_test(test_token_is_on_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
