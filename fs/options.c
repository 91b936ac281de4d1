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
#include "settings.h"
#include "text.h"
#include "values.h"

#define TOKEN_MAX 4096
#define HEADER_MAX 128

enum key {
    KEY_SETTING, /* KEY_SETTING + index of a setting */
    KEY_HELP = SETTINGS_COUNT,
    KEY_VERSION,
    KEY_DEBUG,
    KEY_READ_ONLY,
    KEY_READ_WRITE,
    KEY_ALLOW_OTHER,
    KEY_FSNAME,
    KEY_SUBTYPE,
    KEY_MAX_READ,
    KEY_PASS,
};

/* What the command line says, before anything is made of it. */
struct given {
    struct options *options;
    char *settings[SETTINGS_COUNT]; /* NULL: not given */
    char *places[2];                /* [source] mountpoint */
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

static int take_setting(struct given *g, int index, const char *arg)
{
    char *value = strdup(strchr(arg, '=') + 1);

    if (!value)
        return ERROR;
    free(g->settings[index]);
    g->settings[index] = value;
    return DISCARD;
}

/* libfuse wants it twice: here, and at the start of the session. */
static int take_max_read(struct options *o, const char *arg)
{
    char after;

    if (sscanf(arg, "max_read=%u%c", &o->max_read, &after) == 1)
        return KEEP;
    complain(_("not a number of bytes: %s"), arg);
    return ERROR;
}

static int take(void *data, const char *arg, int key, struct fuse_args *out)
{
    struct given *g = data;
    struct options *o = g->options;

    (void)out;
    if (key >= KEY_SETTING && key < KEY_SETTING + (int)SETTINGS_COUNT)
        return take_setting(g, key - KEY_SETTING, arg);
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
    case KEY_MAX_READ:
        return take_max_read(o, arg);
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
    KEY("max_read=", KEY_MAX_READ),
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
    struct fuse_opt specs[SETTINGS_COUNT + STANDARD_COUNT + 1] = {{0}};
    char templates[SETTINGS_COUNT][32];
    struct options *o = g->options;

    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        snprintf(templates[i], sizeof(templates[i]), "%s=", settings_name(i));
        specs[i] = (struct fuse_opt)KEY(templates[i], KEY_SETTING + (int)i);
    }
    memcpy(specs + SETTINGS_COUNT, standard, sizeof(standard));

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
    settings_help();
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
    fflush(stdout); /* fusermount3 is asked for its version, too */
    fuse_lowlevel_version();
}

static bool has_text(const char *text)
{
    return text && *text;
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

/* What the mount covers cannot be had without asking the mount, which would wait for itself. */
static enum options_result check_own_places(const struct options *o)
{
    const char *own[] = {o->state_dir, o->cache_dir, o->client_id_path};

    if (places_is_descriptor(o->mountpoint))
        return OPTIONS_GO;
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (!places_is_inside(own[i], o->mountpoint))
            continue;
        complain(_("bad mount point %s: it would hide %s, which is needed"), o->mountpoint, own[i]);
        return OPTIONS_FAILED;
    }
    return OPTIONS_GO;
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
    if (!o->mountpoint) {
        complain(_("bad mount point %s: %s"), place, strerror(errno));
        return OPTIONS_FAILED;
    }
    return check_own_places(o);
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
        rc = settings_apply(o, g.settings) < 0 ? bad_or_failed() : OPTIONS_GO;
    if (rc == OPTIONS_GO)
        rc = fill_in(o);
    if (rc == OPTIONS_GO)
        rc = take_environment(o);
    if (rc == OPTIONS_GO)
        rc = set_places(&g);
    if (rc == OPTIONS_GO)
        rc = add_defaults(&g);
    wipe_token();
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        free(g.settings[i]);
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
