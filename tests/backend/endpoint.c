#include "endpoint.h"

const char *const endpoint_names[ENDPOINT_COUNT] = {
    [ENDPOINT_TOKEN] = "token",     [ENDPOINT_SESSION] = "session",
    [ENDPOINT_CLAIM] = "claim",     [ENDPOINT_UPLOAD] = "upload",
    [ENDPOINT_MESSAGE] = "message", [ENDPOINT_STATE] = "state",
    [ENDPOINT_CREDITS] = "credits", [ENDPOINT_RENDER] = "render",
    [ENDPOINT_POLL] = "poll",       [ENDPOINT_DOWNLOAD] = "download",
    [ENDPOINT_MEDIA] = "media",     [ENDPOINT_CONTROL] = "control",
    [ENDPOINT_OTHER] = "other",     [ENDPOINT_ACCEPT] = "accept",
};
