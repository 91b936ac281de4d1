#include "settings.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "places.h"
#include "text.h"
#include "values.h"

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

/* What they are, where they come from, where they go. */
static const struct setting {
    const char *name;
    const char *meta;        /* how --help shows the value */
    const char *environment; /* NULL: none of its own */
    const char *fallback;    /* NULL: worked out */
    const char *shown;       /* the default as --help shows it */
    const char *help;
    enum kind kind;
    size_t offset;
} settings[] = {
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

_Static_assert(sizeof(settings) / sizeof(settings[0]) == SETTINGS_COUNT, "SETTINGS_COUNT");

const char *settings_name(size_t index)
{
    return settings[index].name;
}

static const char *set(struct options *o, const struct setting *s, const char *text)
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

int settings_apply(struct options *o, char *const texts[SETTINGS_COUNT])
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *s = &settings[i];
        /* The variables for directories name what is above ours. */
        const char *environment =
            s->environment && s->kind != KIND_DIR ? getenv(s->environment) : NULL;
        const char *text = texts[i], *wrong;

        if (!text && environment && *environment)
            text = environment;
        else if (!text)
            text = s->fallback;
        if (!text)
            continue;
        errno = 0;
        wrong = set(o, s, text);
        if (!wrong)
            continue;
        if (text == environment)
            fprintf(stderr, "lipsyncfs: %s=%s: %s\n", s->environment, text, wrong);
        else
            fprintf(stderr, "lipsyncfs: -o %s=%s: %s\n", s->name, text, wrong);
        return -1;
    }
    return 0;
}

void settings_help(void)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *s = &settings[i];
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
}
