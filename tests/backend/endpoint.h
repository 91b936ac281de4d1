/*
 * The calls of the protocol, by the names that fault rules and the journal use.
 */
#ifndef BACKEND_ENDPOINT_H
#define BACKEND_ENDPOINT_H

enum endpoint {
    ENDPOINT_TOKEN,
    ENDPOINT_SESSION,
    ENDPOINT_CLAIM,
    ENDPOINT_UPLOAD,
    ENDPOINT_MESSAGE,
    ENDPOINT_STATE,
    ENDPOINT_CREDITS,
    ENDPOINT_RENDER,
    ENDPOINT_POLL,
    ENDPOINT_DOWNLOAD,
    ENDPOINT_MEDIA,
    ENDPOINT_CONTROL, /* not the backend's: neither written down nor hit by faults */
    ENDPOINT_OTHER,   /* what the protocol does not know */
    ENDPOINT_ACCEPT,  /* a new connection, for fault rules only */
    ENDPOINT_COUNT,
};

extern const char *const endpoint_names[ENDPOINT_COUNT];

#endif
