/* Events, one to a line, and the text that is shown of them. */
#include "fuzz.h"

#include "event.h"
#include "transcript.h"
#include "utf8.h"

static size_t shown;

static void on_text(void *user, const char *text, size_t len)
{
    (void)user;
    fuzz_check(len > 0 && utf8_is_valid(text, len));
    shown += len;
}

static void check_item(const struct event_item *item)
{
    fuzz_check(strlen(item->text) == item->len);
    fuzz_check(utf8_is_valid(item->text, item->len));
    fuzz_check((item->kind == EVENT_TEXT) == (item->len > 0));
    fuzz_check((item->kind == EVENT_ERROR) == (item->fault.kind != FAULT_NONE));
    fuzz_check(memchr(item->fault.detail, 0, FAULT_DETAIL_MAX));
    fuzz_check(!strstr(item->fault.detail, "nmv_usr_x"));
    fuzz_check(utf8_is_valid(item->fault.detail, strlen(item->fault.detail)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data, *end = p + size;
    struct transcript *t = transcript_new(on_text, NULL);
    fuzz_check(t);
    shown = 0;
    while (p < end) {
        struct event_list list;
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        if (!stop)
            stop = end;
        char *line = malloc((size_t)(stop - p) + 1);
        fuzz_check(line);
        memcpy(line, p, (size_t)(stop - p));
        fuzz_check(!event_read(line, (size_t)(stop - p), &list));
        free(line);
        fuzz_check(list.count >= 1 && list.count <= EVENT_ITEMS_MAX);
        for (size_t i = 0; i < list.count; i++) {
            check_item(&list.items[i]);
            fuzz_check(!transcript_add(t, &list.items[i]));
        }
        event_list_release(&list);
        p = stop + 1;
    }
    fuzz_check(!transcript_finish(t));
    fuzz_check(shown < TRANSCRIPT_MAX + 1000);
    fuzz_check(shown || !transcript_answered(t));
    transcript_free(t);
    return 0;
}
