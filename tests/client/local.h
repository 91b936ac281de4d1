/*
 * The local backend as a process of its own, for tests. One user at a time.
 */
#ifndef LIPSYNC_TEST_LOCAL_H
#define LIPSYNC_TEST_LOCAL_H

#include <sys/types.h>

struct local {
    pid_t pid;
    char url[128];
};

/* Starts it; fails the test if it does not answer. `option` and `value` may be NULL. */
void local_start(struct local *l, const char *option, const char *value);

/* Ends it, and waits for its end. */
void local_stop(struct local *l);

/* A control call: POST with a JSON body, or DELETE if the body is NULL. Fails the test unless it
 * succeeds. */
void local_tell(struct local *l, const char *path, const char *json);

/* The answer of a GET; the caller frees it. */
char *local_ask(struct local *l, const char *path);

#endif
