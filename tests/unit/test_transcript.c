#include "fixture.h"
#include "unit.h"

#include "buffer.h"
#include "event.h"
#include "sse.h"
#include "transcript.h"
#include "utf8.h"

#define NOTICE "I encountered a temporary issue"

/* What came out, and where each call of `out` ended, as "|". */
struct shown {
    struct buffer text;
    struct buffer marked;
};

static void on_text(void *user, const char *text, size_t len)
{
    struct shown *s = user;
    assert_true(len > 0);
    assert_true(utf8_is_valid(text, len));
    assert_int_equal(buffer_add(&s->text, text, len), 0);
    buffer_add(&s->marked, text, len);
    buffer_add(&s->marked, "|", 1);
}

static void shown_init(struct shown *s)
{
    buffer_init(&s->text, 4u << 20);
    buffer_init(&s->marked, 8u << 20);
    buffer_add(&s->text, "", 0);
    buffer_add(&s->marked, "", 0);
}

static void shown_release(struct shown *s)
{
    buffer_release(&s->text);
    buffer_release(&s->marked);
}

/* One item of a test's stream: a letter tells its kind (see item_of), then its text. */
static struct event_item item_of(const char *spelling)
{
    struct event_item item = {.text = "", .author = "agent", .invocation = ""};
    switch (spelling[0]) {
    case 'p': /* piece */
        item.shape = EVENT_PARTIAL;
        break;
    case 'q': /* a piece of another author */
        item.shape = EVENT_PARTIAL;
        item.author = "helper";
        break;
    case 'w': /* whole */
        item.shape = EVENT_WHOLE;
        break;
    case 'v': /* a whole of the other author */
        item.shape = EVENT_WHOLE;
        item.author = "helper";
        break;
    case 'l': /* loose, of nobody in particular */
        item.shape = EVENT_LOOSE;
        item.author = "";
        break;
    case 't':
        item.kind = EVENT_TOOL;
        return item;
    case 'h':
        item.kind = EVENT_HEARTBEAT;
        return item;
    default:
        fail_msg("no such item: %s", spelling);
    }
    item.kind = EVENT_TEXT;
    item.text = spelling + 1;
    item.len = strlen(item.text);
    return item;
}

#define ITEMS_MAX 8

static void play(struct transcript *t, const char *const items[ITEMS_MAX])
{
    for (size_t i = 0; i < ITEMS_MAX && items[i]; i++) {
        struct event_item item = item_of(items[i]);
        assert_int_equal(transcript_add(t, &item), 0);
    }
}

static const struct {
    const char *items[ITEMS_MAX];
    const char *text; /* with "|" where a call ended, before the finish too */
} CASES[] = {
    {{0}, ""},
    {{"h", "t"}, ""},

    /* Each once: the whole adds what its pieces did not say. */
    {{"wDone."}, "Done.|"},
    {{"pSynced ", "pthe voiceover", "wSynced the voiceover"}, "Synced |the voiceover|"},
    {{"pSynced ", "pthe", "wSynced the voiceover."}, "Synced |the| voiceover.|"},
    {{"pA  b", "wA b c"}, "A  b| c|"},
    {{"pA b ", "wA b"}, "A b |"},
    {{"p\n\nA", "wA"}, "A|"},
    {{"pOne.", "wOne.", "pTwo.", "wTwo."}, "One.|\nTwo.|"},
    {{"wOne.", "wTwo.", "wThree."}, "One.|\nTwo.|\nThree.|"},
    {{"wOne.\n", "wTwo."}, "One.|\nTwo.|"},
    {{"wOne.", "w  \n", "wTwo."}, "One.|\nTwo.|"},
    {{"pWorking on it", "t", "wWorking on it", "t", "wDone"}, "Working on it|\nDone|"},

    /* A whole for less, or for more, than was said in pieces. */
    {{"pOne. ", "pTwo.", "wOne.", "wTwo."}, "One.| Two.|"},
    {{"pOne.", "t", "pTwo.", "wTwo."}, "One.|\nTwo.|"},
    {{"pOne.", "t", "pTwo.", "wOne.Two."}, "One.|\nTwo.|"},

    /* A whole that tells it another way: the sentence where they part is said again. */
    {{"pSynced the voice", "wSynced the audio."}, "Synced the voice|\nSynced the audio.|"},
    {{"pFirst. Then a", "wFirst. Then b."}, "First. Then a|\nThen b.|"},
    {{"pabc", "wxyz"}, "abc|\nxyz|"},

    /* Who says it. */
    {{"pHel", "qSide ", "plo", "vSide note", "wHello"}, "Hel|\nSide |\nlo|\nnote|"},
    {{"pOne.", "wOne.", "vOne."}, "One.|\nOne.|"},

    /* Typed texts: they may be pieces or stand alone. */
    {{"lSyn", "lced ", "lthe voice."}, "Syn|ced |the voice.|"},
    {{"lNemo", "lVideo 1.", "l5 is out."}, "Nemo|Video 1.|5 is out.|"},
    {{"lDone.", "lNext thing."}, "Done.|\nNext thing.|"},
    {{"lDone.", "l Next thing."}, "Done.| Next thing.|"},
    {{"lWorking on it", "t", "lDone"}, "Working on it|\nDone|"},
    {{"lWorking on ", "h", "t", "lit."}, "Working on |it.|"},
    {{"lOn it", "t", "l\xe5\xae\x8c\xe6\x88\x90"}, "On it|\n\xe5\xae\x8c\xe6\x88\x90|"},

    /* Both shapes in one stream. */
    {{"pSynced ", "t", "pthe voice.", "wSynced the voice.", "lMore."},
     "Synced |the voice.|\nMore.|"},
    {{"lSynced.", "wSynced."}, "Synced.|"},
    {{"lOne.", "lTwo.", "wTwo."}, "One.|\nTwo.|"},
    {{"wSynced.", "lSynced it all."}, "Synced.|\nSynced it all.|"},

    /* The closing notice. */
    {{"w" NOTICE}, NOTICE "|"},
    {{"w" NOTICE ". Please try again."}, NOTICE ". Please try again.|"},
    {{"wDone.", "w" NOTICE}, "Done.|"},
    {{"wDone.", "w" NOTICE "."}, "Done.|"},
    {{"wDone", "wi encountered a temporary issue!"}, "Done|"},
    {{"wDone.", "w" NOTICE " with the render queue. Please try again later."}, "Done.|"},
    {{"wDone. " NOTICE "."}, "Done.|"},
    {{"wDone.\n\n" NOTICE ", please try again.\n"}, "Done.|"},
    {{"pDone.", "wDone.", "pI enc", "pountered a temp", "porary issue", "w" NOTICE}, "Done.|"},
    {{"lDone.", "l" NOTICE}, "Done.|"},
    {{"wDone.", "wI encountered a temporary"}, "Done.|\nI encountered a temporary|"},
    {{"wDone.", "wI enjoyed it"}, "Done.|\nI enjoyed it|"},
    {{"pDone. I", "p made it."}, "Done.| I made it.|"},
    {{"wDone.", "w" NOTICE ", but it is synced now."},
     "Done.|\n" NOTICE ", but it is synced now.|"},
    {{"wDone.", "w" NOTICE ". The second take is in."},
     "Done.|\n" NOTICE ". The second take is in.|"},
    {{"wDone.", "w" NOTICE, "wTried again: it worked."},
     "Done.|\n" NOTICE "\nTried again: it worked.|"},
    {{"w" NOTICE, "w" NOTICE}, NOTICE "|"},

    /* No tokens, no JSON. */
    {{"wYour token is nmv_usr_a1B2."}, "Your token is ***|"},
    {{"pSee c", "plm_xyz-1 and", "p clams"}, "See |*** and| clams|"},
    {{"pthe c", "wthe c"}, "the |c|"},
    {{"wState: {\"draft\": {\"t\": [\"}\"]}} as asked"}, "State:  as asked|"},
    {{"w{\"draft\":{}}"}, ""},
    {{"wOne.", "w{\"draft\":{}}", "wTwo."}, "One.|\nTwo.|"},
};

static void texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct shown shown;
        shown_init(&shown);
        struct transcript *t = transcript_new(on_text, &shown);
        assert_non_null(t);
        play(t, CASES[i].items);
        assert_int_equal(transcript_finish(t), 0);
        if (strcmp(shown.marked.data, CASES[i].text) != 0)
            fail_msg("case %zu (%s…):\n%s\nnot\n%s", i, CASES[i].items[0], shown.marked.data,
                     CASES[i].text);
        assert_true(transcript_answered(t) == (*CASES[i].text != '\0'));
        assert_int_equal(transcript_fault(t)->kind, FAULT_NONE);
        transcript_free(t);
        shown_release(&shown);
    }
}

/* What could be the notice waits; what cannot be any more does not. */
static void held_no_longer_than_needed(void **state)
{
    (void)state;
    struct shown shown;
    shown_init(&shown);
    struct transcript *t = transcript_new(on_text, &shown);
    play(t, (const char *const[ITEMS_MAX]){"wDone.", "pI encountered a t"});
    assert_string_equal(shown.text.data, "Done.");
    play(t, (const char *const[ITEMS_MAX]){"prap"});
    assert_string_equal(shown.text.data, "Done.\nI encountered a trap");
    play(t, (const char *const[ITEMS_MAX]){"p in t"});
    assert_string_equal(shown.text.data, "Done.\nI encountered a trap in t");
    assert_true(transcript_answered(t));
    transcript_free(t);
    shown_release(&shown);
}

static void a_long_notice_is_an_answer(void **state)
{
    (void)state;
    struct shown shown;
    shown_init(&shown);
    struct transcript *t = transcript_new(on_text, &shown);
    struct buffer text;
    buffer_init(&text, 10000);
    buffer_add_string(&text, NOTICE);
    while (text.len < 1000)
        buffer_add_string(&text, " \xe7\x89\x87");
    play(t, (const char *const[ITEMS_MAX]){"wDone."});
    struct event_item item = item_of("w");
    item.text = text.data;
    item.len = text.len;
    assert_int_equal(transcript_add(t, &item), 0);
    assert_int_equal(transcript_finish(t), 0);
    assert_int_equal(shown.text.len, strlen("Done.\n") + text.len);
    transcript_free(t);
    buffer_release(&text);
    shown_release(&shown);
}

static void errors_are_kept(void **state)
{
    (void)state;
    struct shown shown;
    shown_init(&shown);
    struct transcript *t = transcript_new(on_text, &shown);
    struct event_item item = item_of("h");
    item.kind = EVENT_ERROR;
    item.fault = fault_make(FAULT_CREDITS, "first");
    assert_int_equal(transcript_add(t, &item), 0);
    item.fault = fault_make(FAULT_AGENT, "second");
    assert_int_equal(transcript_add(t, &item), 0);
    assert_int_equal(transcript_finish(t), 0);
    assert_int_equal(transcript_fault(t)->kind, FAULT_CREDITS);
    assert_string_equal(transcript_fault(t)->detail, "first");
    assert_false(transcript_answered(t));
    transcript_free(t);
    shown_release(&shown);
}

static void another_invocation_begins_anew(void **state)
{
    (void)state;
    struct shown shown;
    shown_init(&shown);
    struct transcript *t = transcript_new(on_text, &shown);
    struct event_item item = item_of("pOne");
    item.invocation = "e-1";
    assert_int_equal(transcript_add(t, &item), 0);
    item = item_of("wOne");
    item.invocation = "e-2";
    assert_int_equal(transcript_add(t, &item), 0);
    assert_int_equal(transcript_finish(t), 0);
    assert_string_equal(shown.text.data, "One\nOne");
    transcript_free(t);
    shown_release(&shown);
}

static void many_authors(void **state)
{
    (void)state;
    struct shown shown;
    shown_init(&shown);
    struct transcript *t = transcript_new(on_text, &shown);
    for (int i = 0; i < 100; i++) {
        char author[16];
        struct event_item item = item_of("pHi");
        snprintf(author, sizeof(author), "a%d", i);
        item.author = author;
        assert_int_equal(transcript_add(t, &item), 0);
    }
    struct event_item item = item_of("wHi");
    item.author = "a99";
    assert_int_equal(transcript_add(t, &item), 0);
    assert_int_equal(transcript_finish(t), 0);
    assert_int_equal(shown.text.len, 100 * 3 - 1);
    transcript_free(t);
    shown_release(&shown);
}

static void bounded(void **state)
{
    (void)state;
    struct shown shown;
    shown_init(&shown);
    struct transcript *t = transcript_new(on_text, &shown);
    for (int i = 0; i < 300000; i++)
        play(t, (const char *const[ITEMS_MAX]){"p12345 \xe7\x89\x87\xe6\xae\xb5"});
    play(t, (const char *const[ITEMS_MAX]){"wAnd the end"});
    assert_int_equal(transcript_finish(t), 0);
    assert_true(shown.text.len > TRANSCRIPT_MAX);
    assert_true(shown.text.len < TRANSCRIPT_MAX + 200);
    assert_true(utf8_is_valid(shown.text.data, shown.text.len));
    assert_non_null(strstr(shown.text.data, "cut here"));
    assert_null(strstr(shown.text.data, "And the end"));
    transcript_free(t);
    shown_release(&shown);
}

static void one_huge_text(void **state)
{
    (void)state;
    size_t len = 3u << 20;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, 'x', len);
    struct shown shown;
    shown_init(&shown);
    struct transcript *t = transcript_new(on_text, &shown);
    struct event_item item = item_of("p");
    item.text = text;
    item.len = len;
    assert_int_equal(transcript_add(t, &item), 0);
    item.shape = EVENT_WHOLE;
    assert_int_equal(transcript_add(t, &item), 0);
    assert_int_equal(transcript_finish(t), 0);
    assert_true(shown.text.len < TRANSCRIPT_MAX + 200);
    transcript_free(t);
    shown_release(&shown);
    free(text);
}

/* ---- streams ---- */

static void on_event(void *user, const char *data, size_t len)
{
    struct event_list list;
    assert_int_equal(event_read(data, len, &list), 0);
    for (size_t i = 0; i < list.count; i++)
        assert_int_equal(transcript_add(user, &list.items[i]), 0);
    event_list_release(&list);
}

static void recorded_streams(void **state)
{
    static const struct {
        const char *file, *text;
        enum fault_kind fault;
    } cases[] = {
        {"adk-plain.sse", "Synced the voiceover. Click the Export button.", FAULT_NONE},
        {"adk-silent.sse", "", FAULT_NONE},
        {"adk-boom.sse", "Working on \"it\"...", FAULT_AGENT},
        {"adk-errorcode.sse", "", FAULT_AGENT},
        {"mixed.sse", "Looking at the clip.\nAdded music.", FAULT_NONE},
        {"typed-lines.sse", "Trimmed \xe7\x89\x87\xe6\xae\xb5.", FAULT_NONE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t len;
        char *bytes = read_fixture(cases[i].file, &len);
        struct shown shown;
        struct sse sse;
        shown_init(&shown);
        struct transcript *t = transcript_new(on_text, &shown);
        sse_init(&sse, SSE_EVENT_MAX, on_event, t);
        assert_int_equal(sse_feed(&sse, bytes, len), 0);
        assert_int_equal(transcript_finish(t), 0);
        assert_string_equal(shown.text.data, cases[i].text);
        assert_int_equal(transcript_fault(t)->kind, cases[i].fault);
        assert_true(transcript_answered(t) == (*cases[i].text != '\0'));
        transcript_free(t);
        sse_release(&sse);
        shown_release(&shown);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(held_no_longer_than_needed),
        cmocka_unit_test(a_long_notice_is_an_answer),
        cmocka_unit_test(errors_are_kept),
        cmocka_unit_test(another_invocation_begins_anew),
        cmocka_unit_test(many_authors),
        cmocka_unit_test(bounded),
        cmocka_unit_test(one_huge_text),
        cmocka_unit_test(recorded_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
