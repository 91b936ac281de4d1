#include "route.h"

#include <string.h>

#include "calls.h"

#define TEXT REQUEST_TEXT_MAX

static const struct route routes[] = {
    {"POST", "/api/auth/anonymous-token", ENDPOINT_TOKEN, true, TEXT, call_token},
    {"POST", "/api/tasks/me/with-session/nemo_agent", ENDPOINT_SESSION, false, TEXT, call_session},
    {"POST", "/api/auth/claim-token", ENDPOINT_CLAIM, false, TEXT, call_claim},
    {"POST", "/api/upload-video/nemo_agent/me/*", ENDPOINT_UPLOAD, false, TEXT, call_upload},
    {"POST", "/run_sse", ENDPOINT_MESSAGE, false, TEXT, call_message},
    {"GET", "/api/state/nemo_agent/me/*/latest", ENDPOINT_STATE, false, TEXT, call_state},
    {"GET", "/api/credits/balance/simple", ENDPOINT_CREDITS, false, TEXT, call_credits},
    {"POST", "/api/render/proxy/lambda", ENDPOINT_RENDER, false, REQUEST_DRAFT_MAX, call_render},
    {"GET", "/api/render/proxy/lambda/*", ENDPOINT_POLL, false, TEXT, call_poll},
    {"GET", "/api/render/proxy/*/download", ENDPOINT_DOWNLOAD, false, TEXT, call_download},
    {"GET", "/media/input/*/", ENDPOINT_MEDIA, true, TEXT, call_input},
    {"GET", "/media/output/*/", ENDPOINT_MEDIA, true, TEXT, call_output},
    {"GET", "/_local/requests", ENDPOINT_CONTROL, true, TEXT, control_requests},
    {"DELETE", "/_local/requests", ENDPOINT_CONTROL, true, TEXT, control_forget_requests},
    {"GET", "/_local/files", ENDPOINT_CONTROL, true, TEXT, control_files},
    {"GET", "/_local/sessions", ENDPOINT_CONTROL, true, TEXT, control_sessions},
    {"POST", "/_local/sessions/forget", ENDPOINT_CONTROL, true, TEXT, control_forget_session},
    {"GET", "/_local/renders", ENDPOINT_CONTROL, true, TEXT, control_renders},
    {"POST", "/_local/credits", ENDPOINT_CONTROL, true, TEXT, control_credits},
    {"POST", "/_local/tokens/revoke", ENDPOINT_CONTROL, true, TEXT, control_revoke},
    {"POST", "/_local/faults", ENDPOINT_CONTROL, true, REQUEST_DRAFT_MAX, control_set_faults},
    {"DELETE", "/_local/faults", ENDPOINT_CONTROL, true, TEXT, control_clear_faults},
};

static const struct route unknown = {"", "", ENDPOINT_OTHER, true, TEXT, call_unknown};

/* A pattern that ends in '/' leaves the rest of the path (a file's name) to the caller's taste. */
static bool match(const char *pattern, const char *path, char arg[ID_MAX])
{
    const char *star = strchr(pattern, '*');

    arg[0] = '\0';
    if (!star)
        return strcmp(pattern, path) == 0;
    size_t before = (size_t)(star - pattern);
    if (strncmp(pattern, path, before) != 0)
        return false;
    path += before;
    size_t len = strcspn(path, "/");
    size_t after = strlen(star + 1);
    if (strncmp(path + len, star + 1, after) != 0 || len == 0)
        return false;
    if ((after == 0 || star[after] != '/') && path[len + after])
        return false;
    if (len < ID_MAX) {
        memcpy(arg, path, len);
        arg[len] = '\0';
    }
    return true;
}

const struct route *route_find(const char *method, const char *path, char arg[ID_MAX])
{
    const char *as = strcmp(method, "HEAD") == 0 ? "GET" : method;

    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (strcmp(routes[i].method, as) == 0 && match(routes[i].pattern, path, arg))
            return &routes[i];
    }
    arg[0] = '\0';
    return &unknown;
}
