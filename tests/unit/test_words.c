/* Texts for people: numbers, the README, and the choice of language without installed locales. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "files.h"
#include "text.h"
#include "words.h"

static void durations_are_clocks(void **state)
{
    static const struct {
        int64_t ms;
        const char *words;
    } table[] = {
        {0, "0:00"},
        {-5000, "0:00"},
        {45000, "0:45"},
        {499, "0:00"},
        {500, "0:01"},
        {59499, "0:59"},
        {59500, "1:00"},
        {600000, "10:00"},
        {3599499, "59:59"},
        {3599500, "1:00:00"},
        {3723000, "1:02:03"},
        {360000000, "100:00:00"},
        {INT64_MAX, "2562047788015:12:56"},
        {INT64_MIN, "0:00"},
    };
    char out[WORDS_DURATION_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        words_duration(table[i].ms, out, sizeof(out));
        assert_string_equal(out, table[i].words);
    }
    words_duration(45000, out, 3);
    assert_string_equal(out, "0:");
}

static void sizes_have_decimal_units(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *words;
    } table[] = {
        {0, "0 B"},
        {999, "999 B"},
        {1000, "1.0 kB"},
        {1049, "1.0 kB"},
        {1050, "1.1 kB"},
        {999949, "999.9 kB"},
        {999950, "1.0 MB"},
        {42123456, "42.1 MB"},
        {500000000, "500.0 MB"},
        {10000000000, "10.0 GB"},
        {UINT64_MAX, "18.4 EB"},
    };
    char out[WORDS_SIZE_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        words_size(table[i].bytes, out, sizeof(out));
        assert_string_equal(out, table[i].words);
    }
}

static void the_readme_names_what_there_is(void **state)
{
    static const char *const named[] = {"inputs/",     "instruct",     "reply.txt",  "status.txt",
                                        "history.txt", "timeline.txt", "state.json", "credits",
                                        "output.mp4",  "mkdir",        "rmdir",      "42.0 MB",
                                        "webm"};
    char *automatic = words_readme(false, 42000000), *manual = words_readme(true, 42000000);
    size_t len;

    (void)state;
    assert_non_null(automatic);
    assert_non_null(manual);
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
        assert_non_null(strstr(automatic, named[i]));
    assert_string_not_equal(automatic, manual);
    assert_non_null(strstr(manual, "'export' to instruct"));
    len = strlen(automatic);
    assert_int_equal(automatic[len - 1], '\n');
    for (const char *line = automatic; *line; line = strchr(line, '\n') + 1)
        assert_true(strcspn(line, "\n") <= 80);
    free(automatic);
    free(manual);
}

/* ---- the language ---- */

#define HEADER "Content-Type: text/plain; charset=UTF-8\n"
#define ENGLISH "Good morning"
#define CHINESE "早上好"

/* A catalogue with one text, in gettext's binary form. */
static void write_catalogue(const char *path)
{
    static const char *const texts[] = {"", ENGLISH, HEADER, CHINESE};
    uint32_t head[7] = {0x950412de, 0, 2, sizeof(head), sizeof(head) + 16, 0, 0}, table[8];
    uint32_t offset = sizeof(head) + sizeof(table);
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    for (int i = 0; i < 4; i++) {
        table[i * 2] = (uint32_t)strlen(texts[i]);
        table[i * 2 + 1] = offset;
        offset += table[i * 2] + 1;
    }
    assert_int_equal(fwrite(head, sizeof(head), 1, f), 1);
    assert_int_equal(fwrite(table, sizeof(table), 1, f), 1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(fwrite(texts[i], strlen(texts[i]) + 1, 1, f), 1);
    assert_int_equal(fclose(f), 0);
}

/* Runs as a copy in bin/, with the catalogue in share/locale beside it. The exit status says which
 * choice went wrong. */
static int check_choices(void)
{
    static const struct {
        const char *lang, *locale;
        const char *expected;
    } table[] = {
        {"zh", "en_US.UTF-8", CHINESE},
        {"en", "zh_CN.UTF-8", ENGLISH},
        {"zh_TW", "C", CHINESE},
        {"de", "zh_CN", ENGLISH},
        {NULL, "zh_CN.GB18030", CHINESE},
        {NULL, "C", ENGLISH},
        {NULL, "", ENGLISH},
        {"ZH", "", CHINESE},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        setenv("LC_ALL", table[i].locale, 1);
        unsetenv("LC_MESSAGES");
        unsetenv("LANG");
        words_start(table[i].lang);
        if (strcmp(dgettext(TEXT_DOMAIN, ENGLISH), table[i].expected) != 0)
            return (int)i + 1;
    }
    return 0;
}

static void languages_need_no_installed_locale(void **state)
{
    char root[64] = "/tmp/test_words.XXXXXX", path[256], program[128];
    int from, to, tmp, status;
    struct stat st;
    pid_t pid;

    (void)state;
    assert_non_null(mkdtemp(root));
    snprintf(path, sizeof(path), "%s/share/locale/zh_CN/LC_MESSAGES", root);
    assert_int_equal(files_mkdirs(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/share/locale/zh_CN/LC_MESSAGES/" TEXT_DOMAIN ".mo", root);
    write_catalogue(path);
    snprintf(path, sizeof(path), "%s/bin", root);
    assert_int_equal(files_mkdirs(path, 0700), 0);
    snprintf(program, sizeof(program), "%s/bin/program", root);
    from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    to = open(program, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    assert_int_equal(fstat(from, &st), 0);
    assert_int_equal(files_copy(from, to, st.st_size), 0);
    close(from);
    close(to);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl(program, program, "check_choices", NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(files_open_dir("/tmp", &tmp), 0);
    assert_int_equal(files_remove_tree(tmp, root + strlen("/tmp/")), 0);
    close(tmp);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_clocks),
        cmocka_unit_test(sizes_have_decimal_units),
        cmocka_unit_test(the_readme_names_what_there_is),
        cmocka_unit_test(languages_need_no_installed_locale),
    };

    if (argc == 2 && strcmp(argv[1], "check_choices") == 0)
        return check_choices();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
