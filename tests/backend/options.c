#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: nemo-local [options]\n"
    "A local backend: speaks the NemoVideo HTTP protocol on 127.0.0.1 and does the media work with "
    "ffmpeg.\n"
    "It prints its root URL on a line of its own once it answers, and runs until SIGTERM or "
    "SIGINT.\n"
    "\n"
    "  --port N             port to listen on; 0 picks a free one (default 0)\n"
    "  --state-dir DIR      tokens, sessions, uploads and renders, kept for the next start\n"
    "                       (default: a temporary directory, removed at the end)\n"
    "  --die-with-parent    end when the process that started it ends\n"
    "  --faults FILE        fault rules in force from the start (see README.md; also POST "
    "/_local/faults)\n"
    "\n"
    "  --events adk|typed   shape of the event streams (default adk)\n"
    "  --render-shape top|data|flat|none\n"
    "                       where a render's status and URL are (default data)\n"
    "  --download bytes|redirect\n"
    "                       what the download call answers (default bytes)\n"
    "  --media-host NAME    host in the URLs of media (default 127.0.0.1)\n"
    "  --claim on|off       whether there is a claim-token call (default on)\n"
    "  --gui on|off         answers speak of buttons and panels, as for users of a web editor "
    "(default off)\n"
    "\n"
    "  --think SEC          time an edit takes before its answer (default 0)\n"
    "  --heartbeat SEC      pause between heartbeats of a silent stream (default 5)\n"
    "  --silent PERCENT     share of edits answered without a text (default 0)\n"
    "  --credits N          credits of a new account (default 100)\n"
    "  --cost N             credits that an edit takes (default 5)\n"
    "  --token TOKEN        accept this token, as of a registered user; may be repeated\n"
    "  --token-days DAYS    how long an anonymous token is good (default 7)\n"
    "  --max-upload BYTES   larger uploads get 4002 (default 500000000)\n"
    "  --help, --version\n";

enum option_id {
    OPT_PORT = 256,
    OPT_STATE_DIR,
    OPT_PARENT,
    OPT_FAULTS,
    OPT_EVENTS,
    OPT_RENDER_SHAPE,
    OPT_DOWNLOAD,
    OPT_MEDIA_HOST,
    OPT_CLAIM,
    OPT_GUI,
    OPT_THINK,
    OPT_HEARTBEAT,
    OPT_SILENT,
    OPT_CREDITS,
    OPT_COST,
    OPT_TOKEN,
    OPT_TOKEN_DAYS,
    OPT_MAX_UPLOAD,
    OPT_HELP,
    OPT_VERSION,
};

static const struct option long_options[] = {
    {"port", required_argument, NULL, OPT_PORT},
    {"state-dir", required_argument, NULL, OPT_STATE_DIR},
    {"die-with-parent", no_argument, NULL, OPT_PARENT},
    {"faults", required_argument, NULL, OPT_FAULTS},
    {"events", required_argument, NULL, OPT_EVENTS},
    {"render-shape", required_argument, NULL, OPT_RENDER_SHAPE},
    {"download", required_argument, NULL, OPT_DOWNLOAD},
    {"media-host", required_argument, NULL, OPT_MEDIA_HOST},
    {"claim", required_argument, NULL, OPT_CLAIM},
    {"gui", required_argument, NULL, OPT_GUI},
    {"think", required_argument, NULL, OPT_THINK},
    {"heartbeat", required_argument, NULL, OPT_HEARTBEAT},
    {"silent", required_argument, NULL, OPT_SILENT},
    {"credits", required_argument, NULL, OPT_CREDITS},
    {"cost", required_argument, NULL, OPT_COST},
    {"token", required_argument, NULL, OPT_TOKEN},
    {"token-days", required_argument, NULL, OPT_TOKEN_DAYS},
    {"max-upload", required_argument, NULL, OPT_MAX_UPLOAD},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

static bool read_integer(const char *text, int64_t max, int64_t *out)
{
    char *end;

    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno || end == text || *end || n < 0 || n > max)
        return false;
    *out = n;
    return true;
}

/* A count of `unit_ms`, fractions allowed. */
static bool read_time(const char *text, double unit_ms, int64_t *out)
{
    char *end;
    double n = strtod(text, &end);

    if (end == text || *end || !isfinite(n) || n < 0 || n * unit_ms > 1e15)
        return false;
    *out = llround(n * unit_ms);
    return true;
}

/* The place of `text` in a list like "off|on", or -1. */
static int choose(const char *text, const char *choices)
{
    size_t len = strlen(text);

    for (int i = 0;; i++) {
        size_t n = strcspn(choices, "|");
        if (n == len && memcmp(choices, text, n) == 0)
            return i;
        if (!choices[n])
            return -1;
        choices += n + 1;
    }
}

static bool read_one(struct options *o, int id, const char *arg)
{
    int64_t n = 0;
    int choice = 0;
    bool ok = true;

    switch (id) {
    case OPT_PORT:
        ok = read_integer(arg, UINT16_MAX, &n);
        o->port = (uint16_t)n;
        break;
    case OPT_STATE_DIR:
        o->state_dir = arg;
        break;
    case OPT_PARENT:
        o->die_with_parent = true;
        break;
    case OPT_FAULTS:
        o->faults = arg;
        break;
    case OPT_EVENTS:
        choice = choose(arg, "adk|typed");
        o->events = (enum event_shape)choice;
        break;
    case OPT_RENDER_SHAPE:
        choice = choose(arg, "top|data|flat|none");
        o->render_shape = (enum render_shape)choice;
        break;
    case OPT_DOWNLOAD:
        choice = choose(arg, "bytes|redirect");
        o->redirect = choice == 1;
        break;
    case OPT_MEDIA_HOST:
        o->media_host = arg;
        ok = *arg && strlen(arg) < 128;
        break;
    case OPT_CLAIM:
        choice = choose(arg, "off|on");
        o->claim = choice == 1;
        break;
    case OPT_GUI:
        choice = choose(arg, "off|on");
        o->gui = choice == 1;
        break;
    case OPT_THINK:
        ok = read_time(arg, 1000, &o->think_ms);
        break;
    case OPT_HEARTBEAT:
        ok = read_time(arg, 1000, &o->heartbeat_ms) && o->heartbeat_ms > 0;
        break;
    case OPT_SILENT:
        ok = read_integer(arg, 100, &n);
        o->silent_percent = (int)n;
        break;
    case OPT_CREDITS:
        ok = read_integer(arg, INT32_MAX, &o->credits);
        break;
    case OPT_COST:
        ok = read_integer(arg, INT32_MAX, &o->cost);
        break;
    case OPT_TOKEN:
        ok = *arg && o->token_count < OPTIONS_TOKENS_MAX;
        if (ok)
            o->tokens[o->token_count++] = arg;
        break;
    case OPT_TOKEN_DAYS:
        ok = read_time(arg, 86400e3, &o->token_ms);
        break;
    case OPT_MAX_UPLOAD:
        ok = read_integer(arg, INT64_MAX, &n);
        o->max_upload = (uint64_t)n;
        break;
    default:
        return false;
    }
    return ok && choice >= 0;
}

int options_read(struct options *o, int argc, char **argv)
{
    int id, place = 0;

    *o = (struct options){
        .media_host = "127.0.0.1",
        .render_shape = RENDER_SHAPE_DATA,
        .credits = 100,
        .cost = 5,
        .heartbeat_ms = 5000,
        .token_ms = 7 * 86400000LL,
        .max_upload = 500000000,
        .claim = true,
    };
    while ((id = getopt_long(argc, argv, "", long_options, &place)) != -1) {
        if (id == OPT_HELP) {
            fputs(help, stdout);
            return 1;
        }
        if (id == OPT_VERSION) {
            puts("nemo-local " BACKEND_VERSION);
            return 1;
        }
        if (id == '?')
            return -1;
        if (!read_one(o, id, optarg)) {
            fprintf(stderr, "nemo-local: bad value for --%s: %s\n", long_options[place].name,
                    optarg ? optarg : "");
            return -1;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "nemo-local: what is \"%s\"? (see --help)\n", argv[optind]);
        return -1;
    }
    return 0;
}
