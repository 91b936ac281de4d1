/* Against the local backend: a film from the session to the file, and answers without measure. */
#include "kit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "draft.h"
#include "local.h"

#define SKIP 77

static struct local local;
static struct told told;
static char session[64];
static char before[65536]; /* the state of a new session */

static int begin(void **state)
{
    struct kit *k = calloc(1, sizeof *k);

    kit_setup(k);
    local_start(&local, NULL, NULL);
    k->options.api_url = local.url;
    k->options.retry_wait_ms = 10;
    kit_client(k);
    *state = k;
    memset(&told, 0, sizeof told);
    assert_int_equal(client_session_create(k->client, "film", "en", told_session, &told, NULL), 0);
    told_wait(&told);
    assert_int_equal(told.fault.kind, FAULT_NONE);
    strcpy(session, told.text);
    memset(&told, 0, sizeof told);
    client_state(k->client, session, CLIENT_RETRY, told_state, &told, NULL);
    told_wait(&told);
    assert_int_equal(told.fault.kind, FAULT_NONE);
    strcpy(before, told.text);
    return 0;
}

static int finish(void **state)
{
    kit_end(state);
    local_stop(&local);
    return 0;
}

static void make_film(const char *path)
{
    char command[512];

    snprintf(command, sizeof command,
             "ffmpeg -v error -y -f lavfi -i testsrc=d=1:s=64x64:r=10 -f lavfi -i sine=d=1 "
             "-shortest '%s' </dev/null",
             path);
    assert_int_equal(system(command), 0);
}

static void test_film(void **state)
{
    struct kit *k = *state;
    char path[160], id[40];
    struct stat st;
    static struct told t;

    snprintf(path, sizeof path, "%s/film.mp4", k->dir);
    make_film(path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(fstat(fd, &st), 0);
    memset(&t, 0, sizeof t);
    client_upload_file(k->client, session, fd, (uint64_t)st.st_size, "film.mp4", NULL, told_upload,
                       &t, NULL);
    close(fd);
    told_wait(&t);
    assert_int_equal(t.fault.kind, FAULT_NONE);
    assert_true(t.text_len > 0);

    struct client_turn turn = {.session_id = session,
                               .message = "title \"Hello\"",
                               .before = before,
                               .before_len = strlen(before)};
    memset(&told, 0, sizeof told);
    client_turn(k->client, &turn, &told_turn, &told, NULL);
    told_wait(&told);
    assert_int_equal(told.fault.kind, FAULT_NONE);
    assert_string_equal(told.before_end, "TxD");
    assert_true(told.result.changed);
    assert_true(draft_is_ready(told.text2, strlen(told.text2)));

    const char *draft;
    size_t len;
    assert_int_equal(draft_find(told.text2, strlen(told.text2), &draft, &len), 0);
    client_render_id(id);
    memset(&t, 0, sizeof t);
    client_render_submit(k->client, session, id, draft, len, told_done, &t, NULL);
    told_wait(&t);
    assert_int_equal(t.fault.kind, FAULT_NONE);
    memset(&t, 0, sizeof t);
    client_render_submit(k->client, session, id, draft, len, told_done, &t, NULL);
    told_wait(&t);
    assert_int_equal(t.fault.kind, FAULT_NONE); /* it exists: fine */
    char *renders = local_ask(&local, "/_local/renders");
    assert_non_null(strstr(renders, "\"draft_equal\":true"));
    free(renders);

    memset(&t, 0, sizeof t);
    client_render_wait(k->client, id, told_render_progress, told_render, &t, NULL);
    told_wait(&t);
    assert_int_equal(t.fault.kind, FAULT_NONE);

    struct client_download what = {
        .url = t.text[0] ? t.text : NULL, .render_id = id, .expect_mp4 = true};
    static struct told d;
    what.fd = kit_file(k, "out.mp4", 0, NULL);
    local_tell(
        &local, "/_local/faults",
        "{\"rules\":[{\"endpoint\":\"media\",\"call\":1,\"cut_after\":3000,\"reset\":true}]}");
    memset(&d, 0, sizeof d);
    client_download(k->client, &what, told_download_progress, told_download, &d, NULL);
    told_wait(&d);
    assert_int_equal(d.fault.kind, FAULT_NONE);
    assert_int_equal(fstat(what.fd, &st), 0);
    assert_int_equal(st.st_size, d.number[0]);
    assert_true(st.st_size > 3000);
    close(what.fd);
}

/* ---- answers without measure ---- */

static const char *const kinds[] = {"deep_json", "wide_json", "long_string", "long_line",  "events",
                                    "space",     "noise",     "headers",     "long_header"};

static void make_call(struct kit *k, const char *endpoint, struct told *t, int fd)
{
    static const char url[] = "https://a.example/x.mp4";
    struct client_turn turn = {
        .session_id = session, .message = "undo", .before = before, .before_len = strlen(before)};
    struct client_download what = {.render_id = "render_1", .fd = fd, .max_size = 1u << 20};

    memset(t, 0, sizeof *t);
    if (!strcmp(endpoint, "session"))
        client_session_create(k->client, "a", "en", told_session, t, NULL);
    else if (!strcmp(endpoint, "claim"))
        client_link(k->client, "1", session, told_link, t, NULL);
    else if (!strcmp(endpoint, "upload"))
        client_upload_url(k->client, session, url, told_upload, t, NULL);
    else if (!strcmp(endpoint, "message"))
        client_turn(k->client, &turn, &told_turn, t, NULL);
    else if (!strcmp(endpoint, "state"))
        client_state(k->client, session, CLIENT_ONE_TRY, told_state, t, NULL);
    else if (!strcmp(endpoint, "credits"))
        client_balance(k->client, CLIENT_ONE_TRY, told_balance, t, NULL);
    else if (!strcmp(endpoint, "render"))
        client_render_submit(k->client, session, "render_1", "{}", 2, told_done, t, NULL);
    else if (!strcmp(endpoint, "poll"))
        client_render_wait(k->client, "render_1", NULL, told_render, t, NULL);
    else if (!strcmp(endpoint, "download"))
        client_download(k->client, &what, NULL, told_download, t, NULL);
    else
        fail();
    told_wait(t);
    assert_int_equal(t->ends, 1);
}

static void test_without_measure(void **state)
{
    static const char *const endpoints[] = {"session", "claim",  "upload", "state",
                                            "credits", "render", "poll",   "download"};
    struct kit *k = *state;
    char rule[256];
    int fd = kit_file(k, "out", 0, NULL);
    struct stat st;

    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++)
        for (size_t j = 0; j < sizeof kinds / sizeof *kinds; j++) {
            snprintf(rule, sizeof rule, "{\"rules\":[{\"endpoint\":\"%s\",\"generate\":\"%s\"}]}",
                     endpoints[i], kinds[j]);
            local_tell(&local, "/_local/faults", rule);
            make_call(k, endpoints[i], &told, fd);
            assert_int_not_equal(told.fault.kind, FAULT_NONE);
            assert_int_equal(fstat(fd, &st), 0);
            assert_true(st.st_size <= 1 << 20);
        }
    close(fd);
    local_tell(&local, "/_local/faults", NULL);
    make_call(k, "credits", &told, -1);
    assert_int_equal(told.fault.kind, FAULT_NONE);
}

/* In a stream: the words are bounded, and so is the time. */
static void test_stream_without_measure(void **state)
{
    struct kit *k = *state;
    char rule[256];

    k->options.turn_timeout_ms = 1500;
    kit_client(k);
    for (size_t j = 0; j < sizeof kinds / sizeof *kinds; j++) {
        snprintf(rule, sizeof rule,
                 "{\"rules\":[{\"endpoint\":\"message\",\"generate\":\"%s\","
                 "\"headers\":{\"Content-Type\":\"text/event-stream\"}}]}",
                 kinds[j]);
        local_tell(&local, "/_local/faults", rule);
        make_call(k, "message", &told, -1);
        assert_int_equal(told.before_end[0], 'T');
        assert_true(told.text_len <= sizeof told.text);
    }
    local_tell(&local, "/_local/faults",
               "{\"rules\":[{\"endpoint\":\"message\",\"endless\":true}]}");
    make_call(k, "message", &told, -1);
    assert_string_equal(told.before_end, "TbrrrrD");
    assert_int_equal(told.fault.kind, FAULT_TIMEOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_film, begin, finish),
        cmocka_unit_test_setup_teardown(test_without_measure, begin, finish),
        cmocka_unit_test_setup_teardown(test_stream_without_measure, begin, finish),
    };

    if (system("ffmpeg -version >/dev/null 2>&1") != 0) {
        print_message("skipped: there is no ffmpeg\n");
        return SKIP;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
