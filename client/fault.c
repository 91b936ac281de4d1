#include "fault.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "scrub.h"
#include "text.h"
#include "utf8.h"

/* ---- the table ---- */

static const struct {
    const char *words;
    const char *hint;  /* NULL: none, or see hint_of */
    bool from_backend; /* the detail is the backend's, not this machine's */
} TABLE[] = {
    [FAULT_NONE] = {"", NULL, false},
    [FAULT_TOKEN] = {N_("The backend does not accept the access token."), NULL, true},
    [FAULT_SESSION] = {N_("The backend does not know this session any more."),
                       N_("Write to instruct again: a new session gets the inputs anew."), true},
    [FAULT_CREDITS] = {N_("No credits are left."), NULL, true},
    [FAULT_TYPE] = {N_("The backend cannot handle that type of file."),
                    N_("Supported: mp4 mov avi webm mkv, jpg jpeg png gif webp, mp3 wav m4a aac."),
                    true},
    [FAULT_TOO_LARGE] = {N_("The file is too large."),
                         N_("Trim or compress it, then copy it in again."), true},
    [FAULT_CLIENT_ID] = {N_("The backend misses the client id."),
                         N_("Check the file client_id in ~/.config/nemovideo, or NEMO_CLIENT_ID."),
                         true},
    [FAULT_PLAN] = {N_("The free plan does not allow this. Credits are not the reason."), NULL,
                    true},
    [FAULT_RATE] = {N_("The backend takes no more requests for the moment."), NULL, true},
    [FAULT_FORBIDDEN] = {N_("The backend refuses this request."), NULL, true},
    [FAULT_NOT_FOUND] = {N_("The backend does not have what was asked for."),
                         N_("Check the option api (NEMO_API_URL)."), true},
    [FAULT_SERVER] = {N_("The backend failed."), N_("Try again later."), true},
    [FAULT_UNREACHABLE] = {N_("The backend cannot be reached."),
                           N_("Check the network, and the option api (NEMO_API_URL)."), false},
    [FAULT_REFUSED] = {N_("The backend does not take connections."),
                       N_("Check that it runs, and the option api (NEMO_API_URL)."), false},
    [FAULT_TIMEOUT] = {N_("The backend did not answer in time."), N_("Try again later."), false},
    [FAULT_BROKEN] = {N_("The connection to the backend broke."), N_("Try again later."), false},
    [FAULT_TLS] = {N_("No trustworthy connection to the backend could be made."),
                   N_("Check this machine's clock and certificates, and the option api "
                      "(NEMO_API_URL)."),
                   false},
    [FAULT_PROTOCOL] = {N_("The backend's answer makes no sense."),
                        N_("Try again later, or check the option api (NEMO_API_URL)."), false},
    [FAULT_AGENT] = {N_("The backend could not do what the message asks."),
                     N_("Say it in other words, or try again later."), true},
    [FAULT_RENDER] = {N_("The render failed."), N_("Write export to instruct to try again."), true},
    [FAULT_LOCAL] = {N_("This machine failed."), NULL, false},
    [FAULT_CANCELLED] = {N_("Cancelled."), NULL, false},
};

#define KINDS (sizeof(TABLE) / sizeof(*TABLE))

enum fault_kind fault_of_http(int status)
{
    if (status >= 200 && status <= 299)
        return FAULT_NONE;
    if (status >= 500 && status <= 599)
        return FAULT_SERVER;
    switch (status) {
    case 400:
        return FAULT_CLIENT_ID;
    case 401:
        return FAULT_TOKEN;
    case 402:
        return FAULT_PLAN;
    case 403:
        return FAULT_FORBIDDEN;
    case 404:
        return FAULT_NOT_FOUND;
    case 408:
        return FAULT_TIMEOUT;
    case 413:
        return FAULT_TOO_LARGE;
    case 429:
        return FAULT_RATE;
    }
    return status >= 400 && status <= 499 ? FAULT_SERVER : FAULT_PROTOCOL;
}

enum fault_kind fault_of_code(int code)
{
    switch (code) {
    case 0:
        return FAULT_NONE;
    case 1001:
        return FAULT_TOKEN;
    case 1002:
        return FAULT_SESSION;
    case 2001:
        return FAULT_CREDITS;
    case 4001:
        return FAULT_TYPE;
    case 4002:
        return FAULT_TOO_LARGE;
    }
    return code >= 400 && code <= 599 ? fault_of_http(code) : FAULT_SERVER;
}

bool fault_is_passing(const struct fault *f)
{
    switch (f->kind) {
    case FAULT_UNREACHABLE:
    case FAULT_REFUSED:
    case FAULT_TIMEOUT:
    case FAULT_BROKEN:
        return true;
    case FAULT_SERVER:
        return f->http >= 500 || (f->code >= 500 && f->code <= 599);
    case FAULT_LOCAL: /* too many connections, ours or all */
        return f->error == EMFILE || f->error == ENFILE || f->error == ENOBUFS;
    default:
        return false;
    }
}

/* ---- making ---- */

struct text_end {
    char *out;
    size_t len, size;
};

static void append(void *user, const char *text, size_t len)
{
    struct text_end *end = user;
    size_t n = utf8_cut(text, len, end->size - 1 - end->len);
    memcpy(end->out + end->len, text, n);
    end->len += n;
    if (n < len)
        end->size = end->len + 1; /* what comes later would not follow on */
}

/* The string that `name` has in a text with JSON, badly spelled JSON and Python's too; false if
 * there is none that can be read as it stands. */
static bool find_string(const char *text, const char *name, char *out, size_t size)
{
    const char *p = strstr(text, name);
    size_t len = 0;
    if (!p)
        return false;
    p += strlen(name);
    p += strspn(p, " ");
    if (*p++ != ':')
        return false;
    p += strspn(p, " ");
    char quote = *p;
    if (quote != '"' && quote != '\'')
        return false;
    for (p++; *p && *p != quote && len < size - 1; p++) {
        char c = *p;
        if (c == '\\') {
            c = *++p;
            if (!c || !strchr("nrt/\\\"'", c))
                return false;
            c = strchr("nrt", c) ? ' ' : c;
        }
        out[len++] = c;
    }
    out[len] = '\0';
    return true;
}

static void add_scrubbed(struct text_end *end, const char *text)
{
    struct scrub scrub;
    scrub_init(&scrub, append, end);
    scrub_feed(&scrub, text, strlen(text));
    scrub_finish(&scrub);
    while (end->len && strchr(" :", end->out[end->len - 1]))
        end->len--;
    end->out[end->len] = '\0';
}

/* JSON goes; but for its message, which is what people can read of it. */
static void set_detail(struct fault *f, const char *detail)
{
    char clean[4 * FAULT_DETAIL_MAX], message[sizeof(clean)];
    fault_clean_text(detail, strlen(detail), clean, sizeof(clean));

    struct text_end end = {f->detail, 0, sizeof(f->detail)};
    add_scrubbed(&end, clean);
    if (!find_string(clean, "\"message\"", message, sizeof(message)) &&
        !find_string(clean, "'message'", message, sizeof(message)))
        return;
    if (strstr(f->detail, message))
        return;
    if (end.len) {
        const char *between = f->detail[end.len - 1] == '.' ? " " : ": ";
        append(&end, between, strlen(between));
    }
    add_scrubbed(&end, message);
}

struct fault fault_make(enum fault_kind kind, const char *detail)
{
    struct fault f = {.kind = kind, .retry_after_s = -1};
    if (detail)
        set_detail(&f, detail);
    return f;
}

struct fault fault_local(int error)
{
    /* A client that is being freed takes no more calls: what it would have cancelled. */
    return (struct fault){.kind = error == ESHUTDOWN ? FAULT_CANCELLED : FAULT_LOCAL,
                          .error = error,
                          .retry_after_s = -1};
}

/* ---- words ---- */

/* A text that may have been cut at its end, inside a character. */
static void mend_end(char *out)
{
    size_t len = strlen(out);
    size_t at = len > 4 ? len - 4 : 0;
    while (at < len && ((unsigned char)out[at] & 0xc0) == 0x80)
        at++;
    while (at < len) {
        uint32_t c;
        size_t n = utf8_decode(out + at, len - at, &c);
        if (c == UTF8_BAD) {
            out[at] = '\0';
            return;
        }
        at += n;
    }
}

void fault_words(const struct fault *f, char *out, size_t size)
{
    size_t kind = (size_t)f->kind < KINDS ? (size_t)f->kind : FAULT_PROTOCOL;
    char number[128] = "", error[128];
    const char *words = *TABLE[kind].words ? _(TABLE[kind].words) : "";
    const char *detail = f->detail;

    if (kind == FAULT_SERVER && f->code)
        snprintf(number, sizeof(number), _("The backend failed (error %d)."), f->code);
    else if (kind == FAULT_SERVER && f->http && fault_of_http(f->http) != FAULT_NONE)
        snprintf(number, sizeof(number), _("The backend failed (HTTP %d)."), f->http);
    if (*number)
        words = number;
    if (kind == FAULT_LOCAL && f->error && !*detail)
        detail = strerror_r(f->error, error, sizeof(error));

    if (!*detail)
        snprintf(out, size, "%s", words);
    else if (TABLE[kind].from_backend)
        snprintf(out, size, _("%s The backend says: %s"), words, detail);
    else
        snprintf(out, size, "%s (%s)", words, detail);
    mend_end(out);
}

/* The page where an anonymous user becomes a registered one. An id with anything but the usual
 * characters of ids is escaped, so that nothing can be added to the link. */
static void register_link(const struct fault_context *who, char *out, size_t size)
{
    int len = snprintf(out, size, "%s/register", who->web_url ? who->web_url : "");
    if (!who->user_id || !*who->user_id || len < 0 || (size_t)len >= size)
        return;
    struct text_end end = {out, (size_t)len, size};
    append(&end, "?bind=", 6);
    for (const char *p = who->user_id; *p; p++) {
        char escaped[4];
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || strchr("-_.~", *p);
        snprintf(escaped, sizeof(escaped), plain ? "%c" : "%%%02X", (unsigned char)*p);
        append(&end, escaped, strlen(escaped));
    }
    out[end.len] = '\0';
}

void fault_hint(const struct fault *f, const struct fault_context *who, char *out, size_t size)
{
    size_t kind = (size_t)f->kind < KINDS ? (size_t)f->kind : FAULT_PROTOCOL;
    char link[1024];
    register_link(who, link, sizeof(link));

    out[0] = '\0';
    if (f->in_doubt) {
        snprintf(out, size, "%s",
                 _("Look at timeline.txt before you try again: the work may have been done."));
        mend_end(out);
        return;
    }
    switch (kind) {
    case FAULT_TOKEN:
        if (who->anonymous)
            snprintf(out, size, _("A new anonymous token did not help. Register at %s"), link);
        else
            snprintf(out, size, "%s", _("Put a valid token into NEMO_TOKEN and mount again."));
        break;
    case FAULT_CREDITS:
        if (who->anonymous)
            snprintf(out, size, _("Register to go on: %s"), link);
        else
            snprintf(out, size, "%s", _("Top up at nemovideo.com"));
        break;
    case FAULT_PLAN:
        if (who->anonymous)
            snprintf(out, size, _("Register or upgrade to go on: %s"), link);
        else
            snprintf(out, size, _("Upgrade to go on: %s"), who->web_url ? who->web_url : "");
        break;
    case FAULT_RATE:
        if (f->retry_after_s > 0)
            snprintf(out, size,
                     P_("Try again in %d second.", "Try again in %d seconds.",
                        (unsigned long)f->retry_after_s),
                     f->retry_after_s);
        else
            snprintf(out, size, "%s", _("Wait a moment, then try again."));
        break;
    case FAULT_FORBIDDEN:
        if (!who->anonymous)
            snprintf(out, size, "%s", _("Check what the token in NEMO_TOKEN may do."));
        else
            snprintf(out, size, _("Register to do more: %s"), link);
        break;
    case FAULT_LOCAL:
        if (f->error == ENOSPC)
            snprintf(out, size, "%s", _("Make room in the cache directory."));
        break;
    default:
        if (TABLE[kind].hint)
            snprintf(out, size, "%s", _(TABLE[kind].hint));
    }
    mend_end(out);
}

/* ---- cleaning ---- */

#define ESC 0x1b
#define CSI 0x9b
#define CONTROL_STRING_MAX 4096

/* The end of an escape sequence whose introducer is behind us. One that does not end is no
 * sequence: then only its introducer goes. */
static size_t skip_csi(const char *text, size_t len)
{
    size_t i = 0;
    while (i < len && text[i] >= 0x20 && text[i] <= 0x3f)
        i++;
    return i < len && text[i] >= 0x40 && text[i] <= 0x7e ? i + 1 : 0;
}

static size_t skip_control_string(const char *text, size_t len)
{
    for (size_t i = 0; i < len && i < CONTROL_STRING_MAX; i++) {
        if (text[i] == '\a')
            return i + 1;
        if (text[i] == ESC && i + 1 < len && text[i + 1] == '\\')
            return i + 2;
    }
    return 0;
}

static size_t skip_escape(const char *text, size_t len)
{
    if (!len)
        return 0;
    if (text[0] == '[')
        return 1 + skip_csi(text + 1, len - 1);
    if (strchr("]PX^_", text[0]) && text[0])
        return 1 + skip_control_string(text + 1, len - 1);
    size_t i = 0;
    while (i < len && text[i] >= 0x20 && text[i] <= 0x2f)
        i++;
    return i < len && text[i] >= 0x30 && text[i] <= 0x7e ? i + 1 : i;
}

/* Controls of C0 and C1, and those that turn the direction of the text around them. */
static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

static bool breaks_line(uint32_t c)
{
    return c == '\n' || c == '\r' || c == '\t' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

void fault_clean_text(const char *text, size_t len, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < len;) {
        uint32_t c;
        const char *piece = text + i;
        size_t n = utf8_decode(piece, len - i, &c);
        i += n;
        if (c == UTF8_BAD) {
            piece = UTF8_REPLACEMENT;
            n = strlen(UTF8_REPLACEMENT);
        } else if (breaks_line(c)) {
            piece = " ";
            n = 1;
        } else if (is_control(c)) {
            if (c == ESC)
                i += skip_escape(text + i, len - i);
            else if (c == CSI)
                i += skip_csi(text + i, len - i);
            continue;
        }
        if (n >= size - used)
            break;
        memcpy(out + used, piece, n);
        used += n;
    }
    out[used] = '\0';
}
