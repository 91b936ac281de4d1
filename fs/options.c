#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "places.h"
#include "text.h"
#include "values.h"

#define TOKEN_MAX 4096
#define HEADER_MAX 128

enum kind {
    KIND_API_URL,
    KIND_WEB_URL,
    KIND_LANG,
    KIND_DIR,
    KIND_SIZE,
    KIND_RENDER,
    KIND_SECONDS,
    KIND_SECONDS_OR_NONE, /* 0 is fine */
};

/* Our own options: what they are, where they come from, where they go. */
static const struct own {
    const char *name;
    const char *meta;        /* how --help shows the value */
    const char *environment; /* NULL: none of its own */
    const char *fallback;    /* NULL: worked out */
    const char *shown;       /* the default as --help shows it */
    const char *help;
    enum kind kind;
    size_t offset;
} own[] = {
#define AT(field) offsetof(struct options, field)
    {"api", "URL", "NEMO_API_URL", "https://mega-api-prod.nemovideo.ai", NULL,
     N_("backend root URL; http:// only for loopback addresses"), KIND_API_URL, AT(api_url)},
    {"web", "URL", "NEMO_WEB_URL", "https://nemovideo.com", NULL,
     N_("root of links for the browser"), KIND_WEB_URL, AT(web_url)},
    {"lang", "CODE", NULL, NULL, N_("the locale's, or en"),
     N_("session language; texts are in English or Chinese (zh)"), KIND_LANG, AT(lang)},
    {"state_dir", "DIR", "XDG_STATE_HOME", NULL, "~/.local/state/lipsyncfs",
     N_("sessions, token, journal"), KIND_DIR, AT(state_dir)},
    {"cache_dir", "DIR", "XDG_CACHE_HOME", NULL, "~/.cache/lipsyncfs",
     N_("copies of inputs and renders"), KIND_DIR, AT(cache_dir)},
    {"cache_size", "SIZE", NULL, "10G", NULL, N_("bound on the cache"), KIND_SIZE, AT(cache_size)},
    {"render", "auto|manual", NULL, "auto", NULL,
     N_("export after every edit that changed the draft, or only on 'export'"), KIND_RENDER,
     AT(render_manual)},
    {"max_upload", "SIZE", NULL, "500M", NULL, N_("larger inputs are refused"), KIND_SIZE,
     AT(max_upload)},
    {"poll", "SEC", NULL, "30", NULL, N_("longest pause between render polls"), KIND_SECONDS,
     AT(poll_ms)},
    {"retry_wait", "SEC", NULL, "30", NULL,
     N_("wait before the retry after 429 and before the first look after a broken stream"),
     KIND_SECONDS_OR_NONE, AT(retry_wait_ms)},
    {"quiet", "SEC", NULL, "120", NULL,
     N_("silence after which \"Hang on, still processing...\" is said"), KIND_SECONDS,
     AT(quiet_ms)},
    {"turn_timeout", "SEC", NULL, "900", NULL, N_("cap on one message"), KIND_SECONDS,
     AT(turn_timeout_ms)},
    {"render_timeout", "SEC", NULL, "600", NULL, N_("after this a render is reported as late"),
     KIND_SECONDS, AT(render_timeout_ms)},
#undef AT
};

#define OWN_COUNT (sizeof(own) / sizeof(own[0]))

enum key {
    KEY_OWN, /* KEY_OWN + index into own[] */
    KEY_HELP = OWN_COUNT,
    KEY_VERSION,
    KEY_DEBUG,
    KEY_READ_ONLY,
    KEY_READ_WRITE,
    KEY_ALLOW_OTHER,
    KEY_FSNAME,
    KEY_SUBTYPE,
    KEY_PASS,
};

/* What the command line says, before anything is made of it. */
struct given {
    struct options *options;
    const char *values[OWN_COUNT]; /* malloc'd; NULL: not given */
    char *places[2];               /* [source] mountpoint */
    int place_count;
    bool help, version, fsname, subtype;
};

/* Meant for mount(8), and passed on by it or by an fstab line. */
static const char *const ignored[] = {
    "auto",        "noauto",      "user",       "nouser",   "users",      "owner",
    "group",       "defaults",    "_netdev",    "nofail",   "relatime",   "norelatime",
    "strictatime", "lazytime",    "nolazytime", "diratime", "nodiratime", "nostrictatime",
    "symfollow",   "nosymfollow", "silent",     "loud",     "iversion",   "noiversion",
};
static const char *const ignored_prefixes[] = {"x-", "X-", "comment=", "user="};

static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("lipsyncfs: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

static bool is_ignored(const char *option)
{
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        if (strcmp(option, ignored[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof(ignored_prefixes) / sizeof(ignored_prefixes[0]); i++)
        if (strncmp(option, ignored_prefixes[i], strlen(ignored_prefixes[i])) == 0)
            return true;
    return false;
}

/* Whose fault is it that an option could not be taken? */
static enum options_result bad_or_failed(void)
{
    return errno == ENOMEM ? OPTIONS_FAILED : OPTIONS_BAD;
}

/* ---- the command line ---- */

enum { DISCARD = 0, KEEP = 1, ERROR = -1 };

static int take_place(struct given *g, const char *arg)
{
    if (g->place_count == 2) {
        complain(_("too many arguments: %s"), arg);
        return ERROR;
    }
    g->places[g->place_count] = strdup(arg);
    if (!g->places[g->place_count])
        return ERROR;
    g->place_count++;
    return DISCARD;
}

static int take_own(struct given *g, int index, const char *arg)
{
    char *value = strdup(strchr(arg, '=') + 1);

    if (!value)
        return ERROR;
    free((char *)g->values[index]);
    g->values[index] = value;
    return DISCARD;
}

static int take(void *data, const char *arg, int key, struct fuse_args *out)
{
    struct given *g = data;
    struct options *o = g->options;

    (void)out;
    if (key >= KEY_OWN && key < KEY_OWN + (int)OWN_COUNT)
        return take_own(g, key - KEY_OWN, arg);
    switch (key) {
    case KEY_HELP:
        g->help = true;
        return DISCARD;
    case KEY_VERSION:
        g->version = true;
        return DISCARD;
    case KEY_DEBUG:
        o->debug = o->foreground = true;
        return KEEP;
    case KEY_READ_ONLY:
        o->read_only = true;
        return KEEP;
    case KEY_READ_WRITE:
        o->read_only = false;
        return KEEP;
    case KEY_ALLOW_OTHER:
        o->allow_other = true;
        return KEEP;
    case KEY_FSNAME:
        g->fsname = true;
        return KEEP;
    case KEY_SUBTYPE:
        g->subtype = true;
        return KEEP;
    case KEY_PASS:
        return KEEP;
    case FUSE_OPT_KEY_NONOPT:
        return take_place(g, arg);
    default:
        if (is_ignored(arg))
            return DISCARD;
        complain(_("unknown option: %s"), arg);
        return ERROR;
    }
}

#define FLAG(template, field)                                                                      \
    {                                                                                              \
        template, offsetof(struct options, field), 1                                               \
    }
#define KEY(template, key) FUSE_OPT_KEY(template, key)

/* libfuse's own, those that make sense here. */
static const struct fuse_opt standard[] = {
    KEY("-h", KEY_HELP),
    KEY("--help", KEY_HELP),
    KEY("-V", KEY_VERSION),
    KEY("--version", KEY_VERSION),
    KEY("-d", KEY_DEBUG),
    KEY("debug", KEY_DEBUG),
    KEY("-r", KEY_READ_ONLY),
    KEY("ro", KEY_READ_ONLY),
    KEY("rw", KEY_READ_WRITE),
    KEY("allow_other", KEY_ALLOW_OTHER),
    KEY("fsname=", KEY_FSNAME),
    KEY("subtype=", KEY_SUBTYPE),
    KEY("allow_root", KEY_PASS),
    KEY("auto_unmount", KEY_PASS),
    KEY("default_permissions", KEY_PASS),
    KEY("max_read=", KEY_PASS),
    KEY("context=", KEY_PASS),
    KEY("fscontext=", KEY_PASS),
    KEY("defcontext=", KEY_PASS),
    KEY("rootcontext=", KEY_PASS),
    KEY("suid", KEY_PASS),
    KEY("nosuid", KEY_PASS),
    KEY("dev", KEY_PASS),
    KEY("nodev", KEY_PASS),
    KEY("exec", KEY_PASS),
    KEY("noexec", KEY_PASS),
    KEY("async", KEY_PASS),
    KEY("sync", KEY_PASS),
    KEY("dirsync", KEY_PASS),
    KEY("atime", KEY_PASS),
    KEY("noatime", KEY_PASS),
};

static const struct fuse_opt stored[] = {
    FLAG("-f", foreground),
    FLAG("-s", single),
    FLAG("clone_fd", clone_fd),
    {"max_idle_threads=%u", offsetof(struct options, max_idle_threads), 0},
    {"max_threads=%u", offsetof(struct options, max_threads), 0},
    FUSE_OPT_END,
};

#define STANDARD_COUNT (sizeof(standard) / sizeof(standard[0]))
#define STORED_COUNT (sizeof(stored) / sizeof(stored[0]))

/* First what libfuse stores by itself (it wants the struct), then the rest (which wants more). */
static enum options_result read_command_line(struct given *g, int argc, char **argv)
{
    struct fuse_opt specs[OWN_COUNT + STANDARD_COUNT + 1] = {{0}};
    char templates[OWN_COUNT][32];
    struct options *o = g->options;

    for (size_t i = 0; i < OWN_COUNT; i++) {
        snprintf(templates[i], sizeof(templates[i]), "%s=", own[i].name);
        specs[i] = (struct fuse_opt)KEY(templates[i], KEY_OWN + (int)i);
    }
    memcpy(specs + OWN_COUNT, standard, sizeof(standard));

    for (int i = 0; i < argc; i++)
        if (fuse_opt_add_arg(&o->args, argv[i]) < 0)
            return OPTIONS_FAILED;
    errno = 0;
    if (fuse_opt_parse(&o->args, o, stored, NULL) < 0 ||
        fuse_opt_parse(&o->args, g, specs, take) < 0)
        return bad_or_failed();
    return OPTIONS_GO;
}

/* ---- help ---- */

static void show_help(void)
{
    printf(_("usage: lipsyncfs [options] MOUNTPOINT\n\n"
             "Mounts a file system whose directories are editing sessions on the NemoVideo\n"
             "lip-sync backend. README.txt in the mount tells how to use it.\n\n"));
    printf(_("Options of lipsyncfs:\n"));
    for (size_t i = 0; i < OWN_COUNT; i++) {
        const struct own *s = &own[i];
        const char *value = s->fallback ? s->fallback : s->shown;
        char left[64];

        snprintf(left, sizeof(left), "-o %s=%s", s->name, s->meta);
        printf("    %-22s %s\n", left, _(s->help));
        printf("    %-22s ", "");
        printf(_("(default: %s"), s->fallback ? value : _(value));
        if (s->environment)
            printf(_("; environment: %s"), s->environment);
        printf(")\n");
    }
    printf(_("SIZE is in bytes or has a unit (k, M, G, T; decimal). SEC may be a fraction.\n"));
    printf(_("NEMO_TOKEN, NEMO_CLIENT_ID and SKILL_SOURCE are read from the environment.\n\n"));
    printf(_("FUSE options:\n"));
    fuse_cmdline_help();
    fuse_lowlevel_help();
    printf("    -o ro                  %s\n", _("mount read-only"));
}

static void show_version(void)
{
    printf("lipsyncfs %s\n", LIPSYNC_VERSION);
    printf("FUSE library version %s\n", fuse_pkgversion());
    fuse_lowlevel_version();
}

/* ---- from texts to values ---- */

static const char *set_own(struct options *o, const struct own *s, const char *text)
{
    void *field = (char *)o + s->offset;
    char lang[VALUES_LANG_SIZE];
    const char *wrong = NULL;
    int64_t ms;

    switch (s->kind) {
    case KIND_API_URL:
        return values_url(text, VALUES_URL_SECRET, field);
    case KIND_WEB_URL:
        return values_url(text, VALUES_URL_LINK, field);
    case KIND_SIZE:
        return values_size(text, field);
    case KIND_LANG:
        wrong = values_lang(text, lang);
        if (!wrong && !(*(char **)field = strdup(lang)))
            wrong = strerror(ENOMEM);
        return wrong;
    case KIND_DIR:
        if (!*text)
            return _("empty");
        *(char **)field = places_absolute(text);
        return *(char **)field ? NULL : strerror(errno);
    case KIND_RENDER:
        if (strcmp(text, "auto") != 0 && strcmp(text, "manual") != 0)
            return _("must be auto or manual");
        *(bool *)field = strcmp(text, "manual") == 0;
        return NULL;
    case KIND_SECONDS:
    case KIND_SECONDS_OR_NONE:
        wrong = values_seconds(text, &ms);
        if (!wrong && ms == 0 && s->kind == KIND_SECONDS)
            wrong = _("must be more than 0");
        if (!wrong)
            *(int64_t *)field = ms;
        return wrong;
    }
    return NULL;
}

static bool has_text(const char *text)
{
    return text && *text;
}

/* Our own options: the command line first, then the environment, then the default. */
static enum options_result set_all(struct given *g)
{
    for (size_t i = 0; i < OWN_COUNT; i++) {
        const struct own *s = &own[i];
        /* The variables for directories name what is above ours. */
        const char *environment =
            s->environment && s->kind != KIND_DIR ? getenv(s->environment) : NULL;
        const char *text = g->values[i], *wrong;

        if (!text && has_text(environment))
            text = environment;
        else if (!text)
            text = s->fallback;
        if (!text)
            continue;
        errno = 0;
        wrong = set_own(g->options, s, text);
        if (!wrong)
            continue;
        if (text == environment)
            complain("%s=%s: %s", s->environment, text, wrong);
        else
            complain("-o %s=%s: %s", s->name, text, wrong);
        return bad_or_failed();
    }
    return OPTIONS_GO;
}

/* The locale that texts are in. What makes no sense is not the user's doing, and is English. */
static char *find_lang(void)
{
    static const char *const variables[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    char lang[VALUES_LANG_SIZE];

    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        const char *value = getenv(variables[i]);

        if (has_text(value))
            return strdup(values_lang(value, lang) ? "en" : lang);
    }
    return strdup("en");
}

/* What has no simple default. */
static enum options_result fill_in(struct options *o)
{
    if (!o->lang)
        o->lang = find_lang();
    if (!o->state_dir)
        o->state_dir = places_dir("XDG_STATE_HOME", ".local/state", "lipsyncfs");
    if (!o->cache_dir)
        o->cache_dir = places_dir("XDG_CACHE_HOME", ".cache", "lipsyncfs");
    o->client_id_path = places_dir("XDG_CONFIG_HOME", ".config", "nemovideo/client_id");
    if (o->lang && o->state_dir && o->cache_dir && o->client_id_path)
        return OPTIONS_GO;
    complain(_("there is no home directory: set HOME"));
    return OPTIONS_FAILED;
}

/* A variable whose value becomes a header. Its text is not shown: it may be a secret. */
static enum options_result take_variable(const char *name, size_t max, char **out)
{
    const char *value = getenv(name), *wrong;

    if (!has_text(value))
        return OPTIONS_GO;
    wrong = values_token(value, max);
    if (wrong) {
        complain("%s: %s", name, wrong);
        return OPTIONS_BAD;
    }
    *out = strdup(value);
    return *out ? OPTIONS_GO : OPTIONS_FAILED;
}

static enum options_result take_environment(struct options *o)
{
    enum options_result rc = take_variable("NEMO_TOKEN", TOKEN_MAX, &o->token);

    if (rc == OPTIONS_GO)
        rc = take_variable("NEMO_CLIENT_ID", HEADER_MAX, &o->client_id);
    if (rc == OPTIONS_GO)
        rc = take_variable("SKILL_SOURCE", HEADER_MAX, &o->platform);
    if (rc == OPTIONS_GO && !o->platform && !(o->platform = places_platform()))
        rc = OPTIONS_FAILED;
    return rc;
}

/* The environment's bytes are what /proc/<pid>/environ shows, so unsetting alone would not do. */
static void wipe_token(void)
{
    char *token = getenv("NEMO_TOKEN");

    if (token)
        explicit_bzero(token, strlen(token));
    unsetenv("NEMO_TOKEN");
}

static enum options_result set_places(struct given *g)
{
    struct options *o = g->options;
    const char *place;

    if (g->place_count == 0) {
        complain(_("no mount point; try --help"));
        return OPTIONS_BAD;
    }
    place = g->places[g->place_count - 1];
    o->mountpoint = places_mountpoint(place);
    if (o->mountpoint)
        return OPTIONS_GO;
    complain(_("bad mount point %s: %s"), place, strerror(errno));
    return OPTIONS_FAILED;
}

/* Adds "-o NAME=VALUE", commas in the value escaped. */
static int add_option(struct fuse_args *args, const char *name, const char *value)
{
    char *pair = NULL, *list = NULL;
    int rc = -1;

    if (asprintf(&pair, "%s=%s", name, value) < 0)
        return -1;
    if (fuse_opt_add_opt_escaped(&list, pair) == 0 && fuse_opt_add_arg(args, "-o") == 0)
        rc = fuse_opt_add_arg(args, list);
    free(list);
    free(pair);
    return rc;
}

/* How the mount shows up in lists of mounts, and who checks permissions. A source is what an fstab
 * line calls it. */
static enum options_result add_defaults(struct given *g)
{
    struct options *o = g->options;
    const char *source = g->place_count == 2 ? g->places[0] : "lipsyncfs";

    if ((!g->fsname && add_option(&o->args, "fsname", source) < 0) ||
        (!g->subtype && add_option(&o->args, "subtype", "lipsyncfs") < 0) ||
        (o->allow_other && fuse_opt_add_arg(&o->args, "-odefault_permissions") < 0))
        return OPTIONS_FAILED;
    return OPTIONS_GO;
}

enum options_result options_parse(struct options *o, int argc, char **argv)
{
    struct given g = {.options = o};
    enum options_result rc;

    memset(o, 0, sizeof(*o));
    rc = read_command_line(&g, argc, argv);
    if (rc == OPTIONS_GO && (g.help || g.version)) {
        if (g.help)
            show_help();
        else
            show_version();
        rc = OPTIONS_SHOWN;
    }
    if (rc == OPTIONS_GO)
        rc = set_all(&g);
    if (rc == OPTIONS_GO)
        rc = fill_in(o);
    if (rc == OPTIONS_GO)
        rc = take_environment(o);
    if (rc == OPTIONS_GO)
        rc = set_places(&g);
    if (rc == OPTIONS_GO)
        rc = add_defaults(&g);
    wipe_token();
    for (size_t i = 0; i < OWN_COUNT; i++)
        free((char *)g.values[i]);
    for (int i = 0; i < g.place_count; i++)
        free(g.places[i]);
    return rc;
}

void options_release(struct options *o)
{
    if (o->token)
        explicit_bzero(o->token, strlen(o->token));
    free(o->token);
    free(o->client_id);
    free(o->client_id_path);
    free(o->platform);
    free(o->lang);
    free(o->api_url);
    free(o->web_url);
    free(o->state_dir);
    free(o->cache_dir);
    free(o->mountpoint);
    fuse_opt_free_args(&o->args);
    memset(o, 0, sizeof(*o));
}
