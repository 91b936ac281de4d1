#include "local.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>

extern char **environ;

void local_start(struct local *l, const char *option, const char *value)
{
    const char *args[] = {NEMO_LOCAL, "--port", "0", "--die-with-parent", option, value, NULL};
    posix_spawn_file_actions_t actions;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    assert_int_equal(
        posix_spawn(&l->pid, NEMO_LOCAL, &actions, NULL, (char **)(uintptr_t)args, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);

    FILE *out = fdopen(ends[0], "r");
    assert_non_null(out);
    assert_non_null(fgets(l->url, sizeof l->url, out));
    l->url[strcspn(l->url, "\n")] = '\0';
    fclose(out);
}

void local_stop(struct local *l)
{
    int status;

    kill(l->pid, SIGTERM);
    assert_int_equal(waitpid(l->pid, &status, 0), l->pid);
}

struct text {
    char *bytes;
    size_t len;
};

static size_t keep(char *bytes, size_t size, size_t count, void *user)
{
    struct text *t = user;
    size_t len = size * count;

    t->bytes = realloc(t->bytes, t->len + len + 1);
    assert_non_null(t->bytes);
    memcpy(t->bytes + t->len, bytes, len);
    t->len += len;
    t->bytes[t->len] = '\0';
    return len;
}

static char *call(struct local *l, const char *method, const char *path, const char *json)
{
    struct text text = {calloc(1, 1), 0};
    CURL *easy = curl_easy_init();
    char url[512];
    long status = 0;

    snprintf(url, sizeof url, "%s%s", l->url, path);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    if (json)
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, json);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &text);
    assert_int_equal(curl_easy_perform(easy), CURLE_OK);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(easy);
    if (status != 200)
        print_error("%s %s: %ld %s\n", method, path, status, text.bytes);
    assert_int_equal(status, 200);
    return text.bytes;
}

void local_tell(struct local *l, const char *path, const char *json)
{
    free(call(l, json ? "POST" : "DELETE", path, json));
}

char *local_ask(struct local *l, const char *path)
{
    return call(l, "GET", path, NULL);
}
