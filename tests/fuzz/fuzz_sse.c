/* An event stream: whatever way the bytes are split, the same comes out of it, down to the text
 * that is shown. */
#include "fuzz.h"

#include <errno.h>

#include "buffer.h"
#include "event.h"
#include "sse.h"
#include "transcript.h"
#include "utf8.h"

struct run {
    struct transcript *transcript;
    struct buffer log;
};

static void on_text(void *user, const char *text, size_t len)
{
    struct run *run = user;
    fuzz_check(len > 0 && utf8_is_valid(text, len));
    buffer_add(&run->log, text, len);
}

static void on_event(void *user, const char *data, size_t len)
{
    struct run *run = user;
    struct event_list list;
    fuzz_check(utf8_is_valid(data, len));
    buffer_addf(&run->log, "<%zu>", len);
    fuzz_check(!event_read(data, len, &list));
    for (size_t i = 0; i < list.count; i++)
        fuzz_check(!transcript_add(run->transcript, &list.items[i]));
    event_list_release(&list);
}

static int feed(struct run *run, const uint8_t *data, size_t size, size_t step)
{
    struct sse s;
    const char *rest;
    size_t rest_len;
    int err = 0;
    buffer_init(&run->log, 64u << 20);
    run->transcript = transcript_new(on_text, run);
    fuzz_check(run->transcript);
    sse_init(&s, 1000, on_event, run);
    for (size_t at = 0; at < size; at += step)
        err = sse_feed(&s, data + at, size - at < step ? size - at : step);
    fuzz_check(err == 0 || err == -EMSGSIZE);
    if (sse_rest(&s, &rest, &rest_len))
        on_event(run, rest, rest_len);
    fuzz_check(!transcript_finish(run->transcript));
    fuzz_check(!buffer_error(&run->log));
    transcript_free(run->transcript);
    sse_release(&s);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run whole, pieces;
    size_t step = size ? 1 + data[size - 1] % 7 : 1;
    int err = feed(&whole, data, size, size + 1);
    fuzz_check(feed(&pieces, data, size, step) == err);
    fuzz_check(whole.log.len == pieces.log.len);
    fuzz_check(!whole.log.len || !memcmp(whole.log.data, pieces.log.data, whole.log.len));
    buffer_release(&whole.log);
    buffer_release(&pieces.log);
    return 0;
}
