/* A command line and its environment, parted by NULs: what is accepted keeps the promises of
 * options.h. */
#include "fuzz.h"

#include "options.h"
#include "values.h"

#define ARGS_MAX 64

static const char *const variables[] = {"NEMO_API_URL",   "NEMO_WEB_URL", "NEMO_TOKEN",
                                        "NEMO_CLIENT_ID", "SKILL_SOURCE", "XDG_STATE_HOME",
                                        "XDG_CACHE_HOME", "LC_ALL",       "HOME"};
#define VARIABLES (sizeof(variables) / sizeof(*variables))

/* "NAME=VALUE" of a variable that the program reads: true, and it is set. */
static bool take_variable(char *text)
{
    char *value = strchr(text, '=');

    for (size_t i = 0; value && i < VARIABLES; i++) {
        size_t n = strlen(variables[i]);

        if ((size_t)(value - text) == n && strncmp(text, variables[i], n) == 0)
            return setenv(variables[i], value + 1, 1) == 0;
    }
    return false;
}

static void check_url(const char *url, enum values_url rule)
{
    char *again = NULL;

    fuzz_check(!values_url(url, rule, &again) && strcmp(again, url) == 0);
    free(again);
}

static void check(const struct options *o)
{
    check_url(o->api_url, VALUES_URL_SECRET);
    check_url(o->web_url, VALUES_URL_LINK);
    fuzz_check(*o->lang && strlen(o->lang) < VALUES_LANG_SIZE);
    fuzz_check(*o->state_dir == '/' && *o->cache_dir == '/' && *o->client_id_path == '/');
    fuzz_check(*o->mountpoint == '/');
    fuzz_check(o->cache_size > 0 && o->max_upload > 0);
    fuzz_check(o->poll_ms > 0 && o->quiet_ms > 0 && o->retry_wait_ms >= 0);
    fuzz_check(o->turn_timeout_ms > 0 && o->render_timeout_ms > 0);
    fuzz_check(!o->token || !values_token(o->token, 4096));
    fuzz_check(!o->client_id || !values_token(o->client_id, 128));
    fuzz_check(!values_token(o->platform, 128));
    fuzz_check(o->args.argc > 0 && !o->args.argv[o->args.argc]);
}

FUZZ_ENTRY int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[] = "lipsyncfs";
    static FILE *nowhere;
    char *argv[ARGS_MAX + 1] = {name}, *text = malloc(size + 1);
    FILE *out = stdout, *err = stderr;
    struct options o;
    enum options_result result;
    int argc = 1;

    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    fuzz_check(nowhere && text);
    memcpy(text, data, size);
    text[size] = '\0';
    for (size_t i = 0; i < VARIABLES; i++)
        unsetenv(variables[i]);
    setenv("HOME", "/nonexistent", 1);
    for (char *at = text; at < text + size && argc < ARGS_MAX; at += strlen(at) + 1)
        if (!take_variable(at))
            argv[argc++] = at;
    stdout = stderr = nowhere;
    result = options_parse(&o, argc, argv);
    stdout = out;
    stderr = err;
    fuzz_check(!getenv("NEMO_TOKEN"));
    if (result == OPTIONS_GO)
        check(&o);
    options_release(&o);
    free(text);
    return 0;
}
