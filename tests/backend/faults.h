/*
 * Fault rules: what the backend does wrong, where, and at which call.
 *
 * Rules come from --faults, or POST /_local/faults, which replaces all of them; DELETE lifts them.
 * README.md lists their keys. Each rule counts the calls that it matches, from when it was set. A
 * request takes the effects of all its matching rules once, at its start, and keeps the rules alive
 * until it is over; when rules are replaced or deleted, whatever they hold back goes on. Safe from
 * every thread.
 */
#ifndef BACKEND_FAULTS_H
#define BACKEND_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "endpoint.h"
#include "hostile.h"

#define FAULTS_HEADERS_MAX 16
#define FAULTS_NEVER UINT64_MAX
#define FAULTS_WORDS_MAX 200

struct faults;
struct ruleset;

enum cut {
    CUT_NONE,
    CUT_REQUEST, /* while the request's body comes, after cut_after bytes of it */
    CUT_HEADERS, /* when the answer is due, before its first byte */
    CUT_BODY,    /* after cut_after bytes of the answer's body */
};

enum stall {
    STALL_NONE,
    STALL_REQUEST, /* stops reading the request's body after stall_after bytes */
    STALL_BODY,    /* stops after stall_after bytes of the answer's body */
};

struct fault_header {
    const char *name;
    const char *value;
};

/* What is to go wrong with one request. Strings belong to the rules. */
struct effects {
    struct ruleset *rules; /* NULL: nothing */
    /* Another answer, instead of the true one. */
    int code; /* 0: none */
    const char *message;
    int status;       /* 0: none */
    const char *body; /* NULL: none */
    size_t body_len;
    uint64_t repeat;
    enum hostile hostile;
    uint64_t size; /* of a hostile body; 0: endless */
    struct fault_header headers[FAULTS_HEADERS_MAX];
    int header_count;
    /* How it travels. */
    int64_t delay_ms;
    enum cut cut;
    uint64_t cut_after;
    bool reset; /* a cut is a RST */
    enum stall stall;
    uint64_t stall_after;
    uint64_t rate;         /* bytes a second of the answer; 0: at once */
    uint64_t request_rate; /* of the request's body */
    /* What the agent does. */
    const char *events; /* NULL: its own */
    size_t events_len;
    int64_t gap_ms;
    bool endless;
    bool silent;
    int edit; /* -1: as it comes; 0: not done; 1: done although the answer is another */
    int lag_reads;
    /* What a render does. */
    bool render_fails;
    int64_t render_ms;
    const char *output_url; /* NULL: the true one */
};

struct faults *faults_new(void);
void faults_free(struct faults *f);

/* Replaces the rules by those of a JSON text; `words` says why not. 0, -EINVAL, -ENOMEM. */
int faults_set(struct faults *f, const char *json, size_t len, char words[FAULTS_WORDS_MAX]);
void faults_clear(struct faults *f);

/* Counts the call and gives what is to go wrong with it. Then effects_release. */
void faults_take(struct faults *f, enum endpoint endpoint, const char *path, struct effects *out);
void effects_release(struct effects *fx);

/* One more holder of the rules behind the effects, for what outlives the request; NULL is fine. */
struct ruleset *ruleset_hold(struct ruleset *rules);
void ruleset_release(struct ruleset *rules);

/* Readable when the rules are no longer in force; -1 without rules. */
int ruleset_fd(const struct ruleset *rules);

/* Is the true answer replaced? Then the request is not carried out, unless `edit` says so. */
bool effects_replace(const struct effects *fx);

#endif
