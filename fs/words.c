#include "words.h"

#include <libintl.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "names.h"
#include "text.h"

#define CHINESE "zh_CN"

/* gettext translates in any locale but "C", whatever the locale's own language. The first is built
 * into the C library; others may do where it is not. */
static const char *const carriers[] = {"C.UTF-8", "zh_CN.UTF-8", "en_US.UTF-8"};

/* The catalogues beside an installed or just built program: bin/../share/locale. False if there are
 * none. */
static bool find_beside(char *out, size_t size)
{
    char program[PATH_MAX], catalogue[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
    char *slash;

    if (n <= 0)
        return false;
    program[n] = '\0';
    slash = strrchr(program, '/');
    if (!slash)
        return false;
    *slash = '\0';
    if ((size_t)snprintf(out, size, "%s/../share/locale", program) >= size ||
        (size_t)snprintf(catalogue, sizeof(catalogue), "%s/" CHINESE "/LC_MESSAGES/%s.mo", out,
                         TEXT_DOMAIN) >= sizeof(catalogue))
        return false;
    return access(catalogue, R_OK) == 0;
}

static const char *language_of_environment(void)
{
    static const char *const variables[] = {"LC_ALL", "LC_MESSAGES", "LANG"};

    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        const char *value = getenv(variables[i]);

        if (value && *value)
            return value;
    }
    return "en";
}

void words_start(const char *lang)
{
    char beside[PATH_MAX];
    bool chinese;

    if (!lang)
        lang = language_of_environment();
    chinese = strncasecmp(lang, "zh", 2) == 0;
    setenv("LANGUAGE", chinese ? CHINESE : "en", 1);
    bindtextdomain(TEXT_DOMAIN, find_beside(beside, sizeof(beside)) ? beside : WORDS_LOCALE_DIR);
    bind_textdomain_codeset(TEXT_DOMAIN, "UTF-8");

    for (size_t i = 0; i < sizeof(carriers) / sizeof(carriers[0]); i++) {
        /* Only a change makes gettext forget what it found before. */
        setlocale(LC_MESSAGES, "C");
        if (!setlocale(LC_MESSAGES, carriers[i]) || !setlocale(LC_CTYPE, carriers[i]))
            continue;
        /* The empty text stands for the catalogue's header, if there is a catalogue. */
        if (!chinese || *dgettext(TEXT_DOMAIN, ""))
            return;
    }
}

static void write_readme(FILE *f, bool render_manual, uint64_t max_upload)
{
    char limit[WORDS_SIZE_MAX];

    words_size(max_upload, limit, sizeof(limit));
    fputs(_("Every directory here is a video editing session. Make one, copy files into it,\n"
            "write what you want, and fetch the video:\n"
            "\n"
            "    mkdir demo\n"
            "    cp clip.mp4 voice.mp3 demo/inputs/\n"
            "    echo 'Sync the lips to the voice' > demo/instruct\n"
            "    cat demo/reply.txt\n"
            "    cp demo/output.mp4 ~/\n"
            "\n"
            "inputs/        Copy video, pictures and sound in here: a copy that succeeded is\n"
            "               uploaded. 'ln -s URL inputs/NAME' uploads from the web.\n"
            "instruct       Write a message here, in your own words. 'export', 'credits' and\n"
            "               'status' cost nothing.\n"
            "reply.txt      The answer as it comes; reading it lasts until the work is done.\n"
            "status.txt     What the session is doing, what went wrong and what to do.\n"
            "history.txt    Everything said and done.\n"
            "timeline.txt   The tracks of the video; state.json has all that is known of it.\n"
            "credits        What is left to spend.\n"),
          f);
    fputs(render_manual
              ? _("output.mp4     The video, once it is ready: write 'export' to instruct.\n")
              : _("output.mp4     The video, when it is ready; made again after every change.\n"),
          f);
    fputc('\n', f);
    fprintf(f, _("Formats: %s.\nA file may have %s at most.\n"), names_supported(), limit);
    fputs(_("An uploaded file cannot be removed here: say so in instruct. 'mv' renames a\n"
            "session, 'rmdir' forgets it. 'fusermount3 -u' unmounts; sessions stay.\n"),
          f);
}

char *words_readme(bool render_manual, uint64_t max_upload)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    if (!f)
        return NULL;
    write_readme(f, render_manual, max_upload);
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}

void words_duration(int64_t ms, char *out, size_t size)
{
    int64_t s = ms < 0 ? 0 : ms / 1000 + (ms % 1000 >= 500);

    if (s >= 3600)
        snprintf(out, size, "%lld:%02d:%02d", (long long)(s / 3600), (int)(s / 60 % 60),
                 (int)(s % 60));
    else
        snprintf(out, size, "%d:%02d", (int)(s / 60), (int)(s % 60));
}

void words_size(uint64_t bytes, char *out, size_t size)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    uint64_t unit = 1000;
    size_t i = 0;

    if (bytes < 1000) {
        snprintf(out, size, "%d B", (int)bytes);
        return;
    }
    /* 999,950 bytes and more would round to "1000.0 kB". */
    while (i + 1 < sizeof(units) / sizeof(units[0]) && bytes >= unit * 1000 - unit / 20) {
        unit *= 1000;
        i++;
    }
    bytes = bytes / (unit / 10) + (bytes % (unit / 10) >= unit / 20);
    snprintf(out, size, "%llu.%d %s", (unsigned long long)(bytes / 10), (int)(bytes % 10),
             units[i]);
}
