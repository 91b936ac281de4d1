/*
 * What one server-sent event of the backend says: a list of items.
 *
 * Pure. Both shapes of the protocol are read (Google ADK's and the typed one), in one stream too.
 * Hostile input gives an EVENT_UNKNOWN at worst. Source: the "Message" part of the protocol.
 */
#ifndef LIPSYNC_EVENT_H
#define LIPSYNC_EVENT_H

#include <stdbool.h>
#include <stddef.h>

#include "fault.h"

enum event_kind {
    EVENT_TEXT,      /* words for the user */
    EVENT_THOUGHT,   /* the model's thinking: never shown */
    EVENT_TOOL,      /* tool traffic: never shown */
    EVENT_HEARTBEAT, /* still processing: a heartbeat, or empty data */
    EVENT_ERROR,
    EVENT_UNKNOWN,
};

enum event_shape {
    EVENT_WHOLE,   /* all of a text; repeats the EVENT_PARTIAL ones of the same author before it */
    EVENT_PARTIAL, /* a piece; the whole follows */
    EVENT_LOOSE,   /* typed: nothing tells whether it goes on, and it is not repeated */
};

struct event_item {
    enum event_kind kind;
    enum event_shape shape; /* EVENT_TEXT */
    const char *text;       /* EVENT_TEXT: UTF-8, terminated, without NULs inside; else "" */
    size_t len;
    const char *author;     /* "" if not told */
    const char *invocation; /* "" if not told */
    struct fault fault; /* EVENT_ERROR: by its code if the protocol knows it, else FAULT_AGENT */
};

#define EVENT_ITEMS_MAX 6 /* one of each kind */

struct event_list {
    size_t count;
    struct event_item items[EVENT_ITEMS_MAX];
    char *strings; /* what the items point into */
};

/* Reads the data of one event, or the whole body of an answer that is no event stream. 0 or
 * -ENOMEM. The caller releases the list. At most one item of each kind comes out of an event, in
 * the order of first mention: its text is joined. */
int event_read(const char *data, size_t len, struct event_list *list);
void event_list_release(struct event_list *list);

#endif
