/* The registry's records: any text is read or refused, and what was read can be written. */
#include "fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#include "fs.h"
#include "record.h"
#include "session.h"
#include "store.h"

#define UUID "01234567-89ab-4cde-8f01-23456789abcd"

static struct fs fs;
static struct options options;
static char directory[] = "/tmp/fuzz-record-XXXXXX";

static void clean(void)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -rf %s", directory);
    if (system(command))
        perror(directory);
}

/* A store without its thread: nothing is ever written. */
static void start(void)
{
    static char state[64], cache[64];
    char why[256];

    fuzz_check(mkdtemp(directory));
    atexit(clean);
    snprintf(state, sizeof(state), "%s/state", directory);
    snprintf(cache, sizeof(cache), "%s/cache", directory);
    options.state_dir = state;
    options.cache_dir = cache;
    options.cache_size = 1 << 30;
    fuzz_check(fs_init(&fs, &options) == 0);
    fuzz_check(store_open(&fs, why, sizeof(why)) == 0);
}

/* The sessions that were removed wait for the thread, which finds nothing to write. */
static void let_go(void)
{
    static unsigned inputs;

    if (++inputs % 256)
        return;
    fuzz_check(store_start(&fs) == 0);
    store_stop(&fs);
}

FUZZ_ENTRY int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct session *s = NULL;
    char *text = malloc(size + 1), *again;

    if (!fs.store)
        start();
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    fs_lock(&fs);
    if (record_read(&fs, UUID, text, &s) == 0) {
        again = record_write(s);
        fuzz_check(again);
        free(again);
        s->stored_away = true;
        session_remove(s);
    }
    fuzz_check(!fs.by_name && !fs.by_number);
    fs_unlock(&fs);
    let_go();
    free(text);
    return 0;
}
