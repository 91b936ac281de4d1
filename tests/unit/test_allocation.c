/* No memory, at every place in turn: the parts that only work on memory fail cleanly or give what
 * they give otherwise, and leak nothing. */
#include "fixture.h"
#include "unit.h"

#include <cjson/cJSON.h>
#include <unistd.h>

#include "draft.h"
#include "event.h"
#include "fs.h"
#include "multipart.h"
#include "places.h"
#include "record.h"
#include "session.h"
#include "sse.h"
#include "store.h"
#include "transcript.h"
#include "translate.h"
#include "utf8.h"
#include "wire.h"
#include "wrapped.h"

#define SHOWN_MAX (1u << 20)
#define UUID "01234567-89ab-4cde-8f01-23456789abcd"

static long countdown; /* the allocation at which it reaches 0 fails; 0 or less: none */

static bool fails(void)
{
    return countdown > 0 && --countdown == 0;
}

/* Does its work; *out is what came of it, malloc'd, untouched on failure. 0 or -ENOMEM. */
typedef int part_fn(char **out);

/* `same`: what comes out in spite of a failed allocation is what comes out otherwise. */
static void starve(part_fn *part, bool same)
{
    char *expected = NULL, *out;
    long failed = 0;
    int r;

    countdown = 0;
    assert_int_equal(part(&expected), 0);
    for (bool hit = true; hit;) {
        out = NULL;
        countdown = ++failed;
        r = part(&out);
        hit = countdown == 0;
        countdown = 0;
        if (r ? r != -ENOMEM || out || !hit : (same || !hit) && strcmp(out, expected) != 0)
            fail_msg("allocation %ld: %d, %s", failed, r, out ? out : "nothing");
        free(out);
    }
    assert_true(failed > 1);
    free(expected);
}

/* ---- drafts ---- */

#define TRACK(name, type) "{\"tt\":" type ",\"sg\":[{\"name\":\"" name "\",\"start\":0,\"d\":900}]}"
#define BEFORE "{\"draft\":{\"d\":900,\"t\":[" TRACK("a", "0") "," TRACK("b", "1") "]}}"
#define AFTER "{\"draft\":{\"d\":900,\"t\":[" TRACK("a", "0") "," TRACK("\\u00e9", "7") "]}}"

static int list(char **out)
{
    return draft_listing(BYTES(AFTER), out);
}

static int compare(char **out)
{
    bool changed;

    return draft_changes(BYTES(BEFORE), BYTES(AFTER), &changed, out);
}

static void drafts(void **state)
{
    (void)state;
    starve(list, true);
    starve(compare, true);
}

/* ---- the event stream ---- */

struct stream {
    struct transcript *transcript;
    struct buffer shown;
    int error;
};

static void on_text(void *user, const char *text, size_t len)
{
    struct stream *s = user;

    if (buffer_add(&s->shown, text, len))
        s->error = -ENOMEM;
}

static void on_event(void *user, const char *data, size_t len)
{
    struct stream *s = user;
    struct event_list items;
    int r = s->error ? s->error : event_read(data, len, &items);

    if (r) {
        s->error = r;
        return;
    }
    for (size_t i = 0; i < items.count && !s->error; i++)
        s->error = transcript_add(s->transcript, &items.items[i]);
    event_list_release(&items);
}

static char *recorded;
static size_t recorded_len;

static int follow(char **out)
{
    struct stream s = {.transcript = transcript_new(on_text, &s)};
    struct sse sse;
    size_t len;
    int r;

    if (!s.transcript)
        return -ENOMEM;
    buffer_init(&s.shown, SHOWN_MAX);
    sse_init(&sse, 1u << 20, on_event, &s);
    r = sse_feed(&sse, recorded, recorded_len);
    if (!r)
        r = s.error;
    if (!r)
        r = transcript_finish(s.transcript);
    if (!r)
        r = s.error ? s.error : buffer_take(&s.shown, out, &len);
    buffer_release(&s.shown);
    sse_release(&sse);
    transcript_free(s.transcript);
    return r;
}

static void streams(void **state)
{
    (void)state;
    recorded = read_fixture("mixed.sse", &recorded_len);
    starve(follow, true);
    free(recorded);
}

/* ---- advice about a GUI ---- */

static char *advice;
static size_t advice_len;

static void on_translated(void *user, const char *text, size_t len)
{
    long left = countdown;

    countdown = 0; /* the test's own memory does not run out */
    assert_true(utf8_is_valid(text, len));
    assert_int_equal(buffer_add(user, text, len), 0);
    countdown = left;
}

static int translate(char **out)
{
    struct buffer shown;
    struct translate *t;
    long left;
    size_t len;

    buffer_init(&shown, SHOWN_MAX);
    t = translate_new(false, on_translated, &shown);
    if (!t)
        return -ENOMEM;
    translate_feed(t, advice, advice_len);
    translate_finish(t);
    translate_free(t);
    left = countdown;
    countdown = 0;
    assert_int_equal(buffer_take(&shown, out, &len), 0);
    countdown = left;
    return 0;
}

/* What cannot be looked at is shown as it came, or left out. */
static void translations(void **state)
{
    (void)state;
    advice = read_fixture("translate_en.txt", &advice_len);
    starve(translate, false);
    free(advice);
}

/* ---- bodies ---- */

static int session_body(char **out)
{
    size_t len;

    return wire_session_body("a \"name\"", "en", out, &len);
}

static int url_body(char **out)
{
    size_t len;

    return wire_url_body("http://127.0.0.1/a.mp4", out, &len);
}

static int message_body(char **out)
{
    size_t len;

    return wire_message_body("1", "say \"yes\"\n", out, &len);
}

static int render_body(char **out)
{
    size_t len;

    return wire_render_body("r", "1", BYTES("{\"t\":[]}"), out, &len);
}

static int file_head(char **out)
{
    struct multipart m;
    int r = multipart_init(&m, "boundary", "file", "a \"b\".mp4", "video/mp4");

    if (r)
        return r;
    *out = m.head;
    m.head = NULL;
    multipart_release(&m);
    return 0;
}

static void bodies(void **state)
{
    (void)state;
    starve(session_body, true);
    starve(url_body, true);
    starve(message_body, true);
    starve(render_body, true);
    starve(file_head, true);
}

/* ---- the mount point ---- */

/* It is asked so that the mount does not hide what it needs. */
static void what_is_inside(void **state)
{
    (void)state;
    assert_false(places_is_inside("/tmp/not/there", "/tmp/not/here"));
    countdown = 1;
    assert_true(places_is_inside("/tmp/not/there", "/tmp/not/here"));
    assert_int_equal(countdown, 0);
    assert_true(places_is_inside("/tmp/not/there", "/tmp/not")); /* which cannot be resolved */
    assert_true(places_is_inside("/tmp/not/there", "/"));
    assert_false(places_is_inside("/not", "/tmp"));
}

/* ---- the registry ---- */

static struct fs fs;
static char *record;

static int read_record(char **out)
{
    struct session *s;
    long left;
    int r;

    fs_lock(&fs);
    r = record_read(&fs, UUID, record, &s);
    left = countdown;
    countdown = 0;
    if (!r) {
        *out = record_write(s);
        s->stored_away = true;
        session_remove(s);
    }
    if (fs.by_name || fs.by_number || fs.inputs)
        fail_msg("something is left of a record");
    fs_unlock(&fs);
    store_start(&fs); /* what was removed waits for its thread, which finds nothing to write */
    store_stop(&fs);
    countdown = left;
    return r;
}

static struct session *written;

static int write_record(char **out)
{
    *out = record_write(written);
    return *out ? 0 : -ENOMEM;
}

static void records(void **state)
{
    static struct options options;
    char directory[] = "/tmp/test-allocation-XXXXXX", state_dir[64], cache_dir[64], command[64];
    char why[256];
    size_t len;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(state_dir, sizeof(state_dir), "%s/state", directory);
    snprintf(cache_dir, sizeof(cache_dir), "%s/cache", directory);
    options.state_dir = state_dir;
    options.cache_dir = cache_dir;
    assert_int_equal(fs_init(&fs, &options), 0);
    assert_int_equal(store_open(&fs, why, sizeof(why)), 0);
    record = read_fixture("../fuzz/corpus/record/under-way", &len);
    record = realloc(record, len + 1);
    record[len] = '\0';
    starve(read_record, true);

    fs_lock(&fs);
    assert_int_equal(record_read(&fs, UUID, record, &written), 0);
    starve(write_record, true);
    written->stored_away = true;
    session_remove(written);
    fs_unlock(&fs);
    store_start(&fs);
    store_stop(&fs);
    free(record);
    free(fs.readme);
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    cJSON_Hooks hooks = {.malloc_fn = __wrap_malloc, .free_fn = free};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drafts), cmocka_unit_test(streams),        cmocka_unit_test(translations),
        cmocka_unit_test(bodies), cmocka_unit_test(what_is_inside), cmocka_unit_test(records),
    };

    cJSON_InitHooks(&hooks);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
