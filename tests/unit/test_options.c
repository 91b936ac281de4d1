/* The command line and the environment. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "files.h"
#include "options.h"

static const char *const variables[] = {
    "NEMO_API_URL", "NEMO_WEB_URL",   "NEMO_TOKEN",     "NEMO_CLIENT_ID",
    "SKILL_SOURCE", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
    "LC_ALL",       "LC_MESSAGES",    "LANG",           "HOME",
};

static char text[16384]; /* what was printed last, on both streams */

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        unsetenv(variables[i]);
    return setenv("HOME", "/home/somebody", 1);
}

/* Parses with what is printed kept in `text`. The list ends with NULL. */
static enum options_result parse(struct options *o, const char *const *args)
{
    int memory = memfd_create("printed", MFD_CLOEXEC), out = dup(1), err = dup(2), argc = 0;
    enum options_result rc;
    char *argv[32] = {NULL};
    ssize_t n;

    while (args[argc]) {
        argv[argc] = (char *)(uintptr_t)args[argc];
        argc++;
    }
    fflush(stdout);
    dup2(memory, 1);
    dup2(memory, 2);
    rc = options_parse(o, argc, argv);
    fflush(stdout);
    dup2(out, 1);
    dup2(err, 2);
    n = pread(memory, text, sizeof(text) - 1, 0);
    assert_true(n >= 0);
    text[n] = '\0';
    close(out);
    close(err);
    close(memory);
    return rc;
}

#define PARSE(o, ...) parse(o, (const char *const[]){"lipsyncfs", __VA_ARGS__, NULL})

static bool has_arg(const struct options *o, const char *arg)
{
    for (int i = 0; i < o->args.argc; i++) {
        const char *at = strstr(o->args.argv[i], arg);

        if (at && (at == o->args.argv[i] || at[-1] == ',' || at[-1] == 'o') &&
            (at[strlen(arg)] == '\0' || at[strlen(arg)] == ','))
            return true;
    }
    return false;
}

static void defaults_are_those_of_the_manual(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(PARSE(&o, "/tmp"), OPTIONS_GO);
    assert_string_equal(text, "");
    assert_string_equal(o.mountpoint, "/tmp");
    assert_string_equal(o.api_url, "https://mega-api-prod.nemovideo.ai");
    assert_string_equal(o.web_url, "https://nemovideo.com");
    assert_string_equal(o.lang, "en");
    assert_string_equal(o.platform, "unknown");
    assert_string_equal(o.state_dir, "/home/somebody/.local/state/lipsyncfs");
    assert_string_equal(o.cache_dir, "/home/somebody/.cache/lipsyncfs");
    assert_string_equal(o.client_id_path, "/home/somebody/.config/nemovideo/client_id");
    assert_null(o.token);
    assert_null(o.client_id);
    assert_int_equal(o.cache_size, 10000000000);
    assert_int_equal(o.max_upload, 500000000);
    assert_false(o.render_manual);
    assert_int_equal(o.poll_ms, 30000);
    assert_int_equal(o.retry_wait_ms, 30000);
    assert_int_equal(o.quiet_ms, 120000);
    assert_int_equal(o.turn_timeout_ms, 900000);
    assert_int_equal(o.render_timeout_ms, 600000);
    assert_false(o.foreground || o.debug || o.single || o.read_only || o.allow_other);
    assert_true(has_arg(&o, "fsname=lipsyncfs"));
    assert_true(has_arg(&o, "subtype=lipsyncfs"));
    assert_false(has_arg(&o, "default_permissions"));
    options_release(&o);
}

static void own_options_are_read(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(PARSE(&o, "-f", "-o",
                           "api=http://127.0.0.1:8000/,web=https://w.example,lang=zh_CN,"
                           "state_dir=/s,cache_dir=/c,cache_size=1.5G,render=manual",
                           "/tmp", "-omax_upload=10k,poll=0.5,retry_wait=0,quiet=1", "-o",
                           "turn_timeout=2,render_timeout=3"),
                     OPTIONS_GO);
    assert_true(o.foreground);
    assert_string_equal(o.api_url, "http://127.0.0.1:8000");
    assert_string_equal(o.web_url, "https://w.example");
    assert_string_equal(o.lang, "zh");
    assert_string_equal(o.state_dir, "/s");
    assert_string_equal(o.cache_dir, "/c");
    assert_int_equal(o.cache_size, 1500000000);
    assert_true(o.render_manual);
    assert_int_equal(o.max_upload, 10000);
    assert_int_equal(o.poll_ms, 500);
    assert_int_equal(o.retry_wait_ms, 0);
    assert_int_equal(o.quiet_ms, 1000);
    assert_int_equal(o.turn_timeout_ms, 2000);
    assert_int_equal(o.render_timeout_ms, 3000);
    for (int i = 0; i < o.args.argc; i++) /* libfuse would not know them */
        assert_null(strstr(o.args.argv[i], "api="));
    options_release(&o);
}

static void the_last_of_two_counts(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(PARSE(&o, "-opoll=1,poll=2", "/tmp", "-opoll=3"), OPTIONS_GO);
    assert_int_equal(o.poll_ms, 3000);
    options_release(&o);
}

static void values_may_hold_escaped_commas(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(PARSE(&o, "-o", "state_dir=/a\\,b,poll=1", "/tmp"), OPTIONS_GO);
    assert_string_equal(o.state_dir, "/a,b");
    assert_int_equal(o.poll_ms, 1000);
    options_release(&o);
}

static void relative_directories_begin_here(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(chdir("/usr"), 0);
    assert_int_equal(PARSE(&o, "-ostate_dir=s/t", "lib/../bin"), OPTIONS_GO);
    assert_string_equal(o.state_dir, "/usr/s/t");
    assert_string_equal(o.mountpoint, "/usr/bin");
    options_release(&o);
}

static void bad_values_are_named(void **state)
{
    static const char *const bad[] = {
        "api=http://example.com", "api=",          "web=x",       "lang=1",        "state_dir=",
        "cache_size=0",           "cache_size=x",  "render=both", "poll=0",        "quiet=-1",
        "turn_timeout=1m",        "max_upload=1X", "retry_wait=", "max_threads=x",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct options o;

        if (PARSE(&o, "-o", bad[i], "/tmp") != OPTIONS_BAD)
            fail_msg("%s", bad[i]);
        assert_non_null(strstr(text, bad[i]));
        options_release(&o);
    }
}

static void bad_usage_is_told(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(parse(&o, (const char *const[]){"lipsyncfs", NULL}), OPTIONS_BAD);
    assert_non_null(strstr(text, "--help"));
    options_release(&o);
    assert_int_equal(PARSE(&o, "a", "/tmp", "c"), OPTIONS_BAD);
    options_release(&o);
    assert_int_equal(PARSE(&o, "--what", "/tmp"), OPTIONS_BAD);
    assert_non_null(strstr(text, "--what"));
    options_release(&o);
    assert_int_equal(PARSE(&o, "-o", "kernel_cache", "/tmp"), OPTIONS_BAD);
    assert_non_null(strstr(text, "kernel_cache"));
    options_release(&o);
    assert_int_equal(PARSE(&o, "-o", "max_read=4k", "/tmp"), OPTIONS_BAD);
    assert_non_null(strstr(text, "max_read=4k"));
    options_release(&o);
    assert_int_equal(PARSE(&o, "/tmp/there/is/none"), OPTIONS_FAILED);
    assert_non_null(strstr(text, "/tmp/there/is/none"));
    options_release(&o);
}

/* ---- FUSE's and mount's ---- */

static void fuse_options_pass(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(PARSE(&o, "-d", "-s", "-oallow_other,ro,max_read=4096,clone_fd",
                           "-omax_threads=7,max_idle_threads=3,nosuid", "--", "/tmp"),
                     OPTIONS_GO);
    assert_true(o.debug && o.foreground && o.single && o.allow_other && o.read_only && o.clone_fd);
    assert_int_equal(o.max_threads, 7);
    assert_int_equal(o.max_idle_threads, 3);
    assert_true(has_arg(&o, "-d"));
    assert_true(has_arg(&o, "ro"));
    assert_true(has_arg(&o, "allow_other"));
    assert_true(has_arg(&o, "default_permissions"));
    assert_true(has_arg(&o, "max_read=4096"));
    assert_int_equal(o.max_read, 4096);
    assert_true(has_arg(&o, "nosuid"));
    options_release(&o);
}

/* As mount.fuse3 calls it for "mount -t fuse.lipsyncfs SOURCE DIR -o …" and for an fstab line. */
static void mount_calls_it_with_a_source(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(PARSE(&o, "my videos", "/tmp", "-o",
                           "rw,dev,suid,noauto,user,users,_netdev,nofail,x-systemd.automount,"
                           "comment=hello,defaults,noatime,relatime,poll=4"),
                     OPTIONS_GO);
    assert_string_equal(o.mountpoint, "/tmp");
    assert_int_equal(o.poll_ms, 4000);
    assert_true(has_arg(&o, "rw"));
    assert_true(has_arg(&o, "dev"));
    assert_true(has_arg(&o, "noatime"));
    assert_true(has_arg(&o, "fsname=my videos"));
    for (int i = 0; i < o.args.argc; i++) {
        assert_null(strstr(o.args.argv[i], "auto"));
        assert_null(strstr(o.args.argv[i], "user"));
        assert_null(strstr(o.args.argv[i], "relatime"));
    }
    options_release(&o);
}

static void given_names_are_kept(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(PARSE(&o, "/tmp", "-ofsname=mine,subtype=other"), OPTIONS_GO);
    assert_true(has_arg(&o, "fsname=mine"));
    assert_true(has_arg(&o, "subtype=other"));
    assert_false(has_arg(&o, "fsname=lipsyncfs"));
    assert_false(has_arg(&o, "subtype=lipsyncfs"));
    options_release(&o);
    assert_int_equal(PARSE(&o, "a,b\\c", "/tmp"), OPTIONS_GO);
    assert_string_equal(o.args.argv[2], "fsname=a\\,b\\\\c");
    options_release(&o);
}

static void a_descriptor_may_be_the_mount_point(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(PARSE(&o, "/dev/fd/777"), OPTIONS_GO);
    assert_string_equal(o.mountpoint, "/dev/fd/777");
    options_release(&o);
}

static void help_shows_every_option(void **state)
{
    static const char *const shown[] = {
        "api=URL",
        "web=URL",
        "lang=CODE",
        "state_dir=DIR",
        "cache_dir=DIR",
        "cache_size=",
        "render=",
        "max_upload=",
        "poll=",
        "retry_wait=",
        "quiet=",
        "turn_timeout=",
        "render_timeout=",
        "NEMO_API_URL",
        "XDG_STATE_HOME",
        "10G",
        "500M",
        "900",
        "allow_other",
        "-f",
        "MOUNTPOINT",
        "NEMO_TOKEN",
    };
    struct options o;

    (void)state;
    assert_int_equal(PARSE(&o, "--help"), OPTIONS_SHOWN);
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
        if (!strstr(text, shown[i]))
            fail_msg("%s", shown[i]);
    options_release(&o);
    assert_int_equal(PARSE(&o, "-h"), OPTIONS_SHOWN);
    options_release(&o);
    assert_int_equal(PARSE(&o, "-V"), OPTIONS_SHOWN);
    assert_non_null(strstr(text, "lipsyncfs "));
    assert_non_null(strstr(text, "FUSE"));
    options_release(&o);
}

/* ---- the environment ---- */

static void the_environment_stands_behind_the_command_line(void **state)
{
    struct options o;

    (void)state;
    setenv("NEMO_API_URL", "http://localhost:1/", 1);
    setenv("NEMO_WEB_URL", "https://web.example", 1);
    setenv("XDG_STATE_HOME", "/xdg/state", 1);
    setenv("XDG_CACHE_HOME", "relative", 1); /* does not count */
    setenv("XDG_CONFIG_HOME", "/xdg/config", 1);
    assert_int_equal(PARSE(&o, "/tmp", "-oweb=https://given.example"), OPTIONS_GO);
    assert_string_equal(o.api_url, "http://localhost:1");
    assert_string_equal(o.web_url, "https://given.example");
    assert_string_equal(o.state_dir, "/xdg/state/lipsyncfs");
    assert_string_equal(o.cache_dir, "/home/somebody/.cache/lipsyncfs");
    assert_string_equal(o.client_id_path, "/xdg/config/nemovideo/client_id");
    options_release(&o);

    setenv("NEMO_API_URL", "http://example.com", 1);
    assert_int_equal(PARSE(&o, "/tmp"), OPTIONS_BAD);
    assert_non_null(strstr(text, "NEMO_API_URL"));
    options_release(&o);
    setenv("NEMO_API_URL", "", 1);
    assert_int_equal(PARSE(&o, "/tmp"), OPTIONS_GO);
    options_release(&o);
}

static void the_locale_is_the_language(void **state)
{
    static const struct {
        const char *all, *messages, *lang, *expected;
    } table[] = {
        {NULL, NULL, "de_DE.UTF-8", "de"},
        {NULL, "fr_FR", "de_DE", "fr"},
        {"zh_CN.UTF-8", "fr_FR", "de_DE", "zh"},
        {"", "", "it_IT", "it"},
        {"C", NULL, "de_DE", "en"},
        {NULL, NULL, "?!", "en"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct options o;

        setup(NULL);
        if (table[i].all)
            setenv("LC_ALL", table[i].all, 1);
        if (table[i].messages)
            setenv("LC_MESSAGES", table[i].messages, 1);
        if (table[i].lang)
            setenv("LANG", table[i].lang, 1);
        assert_int_equal(PARSE(&o, "/tmp"), OPTIONS_GO);
        assert_string_equal(o.lang, table[i].expected);
        options_release(&o);
    }
}

static void headers_come_from_the_environment(void **state)
{
    struct options o;

    (void)state;
    setenv("NEMO_CLIENT_ID", "1234-5678", 1);
    setenv("SKILL_SOURCE", "elsewhere", 1);
    assert_int_equal(PARSE(&o, "/tmp"), OPTIONS_GO);
    assert_string_equal(o.client_id, "1234-5678");
    assert_string_equal(o.platform, "elsewhere");
    options_release(&o);
    setenv("SKILL_SOURCE", "a\r\nX-Evil: 1", 1);
    assert_int_equal(PARSE(&o, "/tmp"), OPTIONS_BAD);
    assert_non_null(strstr(text, "SKILL_SOURCE"));
    assert_null(strstr(text, "X-Evil"));
    options_release(&o);
}

/* In a process that was started with the token, for that is the memory that /proc shows. */
static int check_token(void)
{
    char *argv[] = {(char[]){"lipsyncfs"}, (char[]){"/tmp"}, NULL};
    char shown[65536];
    struct options o;
    ssize_t n;
    int fd;

    if (options_parse(&o, 2, argv) != OPTIONS_GO || !o.token ||
        strcmp(o.token, "secret-token") != 0)
        return 1;
    if (getenv("NEMO_TOKEN"))
        return 2;
    fd = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
    n = read(fd, shown, sizeof(shown));
    close(fd);
    if (n <= 0 || !memmem(shown, (size_t)n, "HOME=", 5))
        return 3;
    if (memmem(shown, (size_t)n, "secret-token", 12))
        return 4;
    options_release(&o);
    return 0;
}

static void the_token_leaves_the_environment(void **state)
{
    int status;
    pid_t pid;

    (void)state;
    setenv("NEMO_TOKEN", "secret-token", 1);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl("/proc/self/exe", "test_options", "check_token", NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_bad_token_is_not_shown(void **state)
{
    struct options o;

    (void)state;
    setenv("NEMO_TOKEN", "secret token", 1);
    assert_int_equal(PARSE(&o, "/tmp"), OPTIONS_BAD);
    assert_non_null(strstr(text, "NEMO_TOKEN"));
    assert_null(strstr(text, "secret"));
    assert_null(getenv("NEMO_TOKEN"));
    options_release(&o);
}

/* ---- where the program is ---- */

/* The program's own copy below `place` in a home of its own says which platform that is. */
static void check_platform(const char *place, const char *expected)
{
    char home[64] = "/tmp/test_options.XXXXXX", dir[256], program[512];
    int from, to, tmp, status;
    struct stat st;
    pid_t pid;

    assert_non_null(mkdtemp(home));
    snprintf(dir, sizeof(dir), "%s/%s", home, place);
    snprintf(program, sizeof(program), "%s/program", dir);
    assert_int_equal(files_mkdirs(dir, 0700), 0);
    from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    to = open(program, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    assert_int_equal(fstat(from, &st), 0);
    assert_int_equal(files_copy(from, to, st.st_size), 0);
    close(from);
    close(to);
    setenv("HOME", home, 1);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl(program, program, "check_platform", expected, NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(files_open_dir("/tmp", &tmp), 0);
    assert_int_equal(files_remove_tree(tmp, home + strlen("/tmp/")), 0);
    close(tmp);
}

static void the_platform_is_where_the_program_is(void **state)
{
    (void)state;
    check_platform(".clawhub/skills/x", "clawhub");
    check_platform(".cursor/skills/x/bin", "cursor");
    check_platform(".cursor/other", "unknown");
    check_platform(".clawhubs", "unknown");
    check_platform("x/.clawhub", "unknown");
}

static int say_platform(const char *expected)
{
    char *argv[] = {(char[]){"lipsyncfs"}, (char[]){"/usr"}, NULL};
    struct options o;
    int rc = 1;

    if (options_parse(&o, 2, argv) == OPTIONS_GO && strcmp(o.platform, expected) == 0)
        rc = 0;
    options_release(&o);
    return rc;
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_those_of_the_manual),
        TEST(own_options_are_read),
        TEST(the_last_of_two_counts),
        TEST(values_may_hold_escaped_commas),
        TEST(relative_directories_begin_here),
        TEST(bad_values_are_named),
        TEST(bad_usage_is_told),
        TEST(fuse_options_pass),
        TEST(mount_calls_it_with_a_source),
        TEST(given_names_are_kept),
        TEST(a_descriptor_may_be_the_mount_point),
        TEST(help_shows_every_option),
        TEST(the_environment_stands_behind_the_command_line),
        TEST(the_locale_is_the_language),
        TEST(headers_come_from_the_environment),
        TEST(the_token_leaves_the_environment),
        TEST(a_bad_token_is_not_shown),
        TEST(the_platform_is_where_the_program_is),
    };

    if (argc == 2 && strcmp(argv[1], "check_token") == 0)
        return check_token();
    if (argc == 3 && strcmp(argv[1], "check_platform") == 0)
        return say_platform(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
