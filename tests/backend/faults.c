#include "faults.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "rule.h"

#define RULES_MAX 1000

struct ruleset {
    int refs; /* under the lock of the faults */
    struct faults *faults;
    int gone_fd;
    cJSON *json; /* the strings' home */
    size_t count;
    struct rule rules[];
};

struct faults {
    pthread_mutex_t lock;
    struct ruleset *current; /* NULL: none */
};

static void ruleset_free(struct ruleset *rs)
{
    for (size_t i = 0; i < rs->count; i++) {
        rule_release(&rs->rules[i]);
    }
    if (rs->gone_fd >= 0)
        close(rs->gone_fd);
    cJSON_Delete(rs->json);
    free(rs);
}

static struct ruleset *parse(const char *text, size_t len, char words[FAULTS_WORDS_MAX])
{
    cJSON *json = cJSON_ParseWithLength(text, len);
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, "rules"), *o;
    int count = cJSON_GetArraySize(list);

    if (!cJSON_IsArray(list) || count > RULES_MAX) {
        snprintf(words, FAULTS_WORDS_MAX, "not {\"rules\": [...]} with at most %d of them",
                 RULES_MAX);
        cJSON_Delete(json);
        return NULL;
    }
    struct ruleset *rs = calloc(1, sizeof(*rs) + (size_t)count * sizeof(struct rule));
    if (!rs) {
        cJSON_Delete(json);
        return NULL;
    }
    rs->json = json;
    rs->refs = 1;
    rs->gone_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool ok = rs->gone_fd >= 0;
    cJSON_ArrayForEach(o, list) ok = ok && rule_read(&rs->rules[rs->count++], o, words);
    if (ok)
        return rs;
    ruleset_free(rs);
    return NULL;
}

struct faults *faults_new(void)
{
    struct faults *f = calloc(1, sizeof(*f));

    if (f)
        pthread_mutex_init(&f->lock, NULL);
    return f;
}

void faults_free(struct faults *f)
{
    if (!f)
        return;
    faults_clear(f);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

static void replace(struct faults *f, struct ruleset *rs)
{
    pthread_mutex_lock(&f->lock);
    struct ruleset *old = f->current;
    f->current = rs;
    pthread_mutex_unlock(&f->lock);
    if (!old)
        return;
    eventfd_write(old->gone_fd, 1);
    ruleset_release(old);
}

int faults_set(struct faults *f, const char *json, size_t len, char words[FAULTS_WORDS_MAX])
{
    snprintf(words, FAULTS_WORDS_MAX, "out of memory or descriptors");
    struct ruleset *rs = parse(json, len, words);
    if (!rs)
        return -EINVAL;
    rs->faults = f;
    replace(f, rs);
    return 0;
}

void faults_clear(struct faults *f)
{
    replace(f, NULL);
}

void faults_take(struct faults *f, enum endpoint endpoint, const char *path, struct effects *out)
{
    *out = (struct effects){.edit = -1, .repeat = 1};
    pthread_mutex_lock(&f->lock);
    struct ruleset *rs = f->current;
    for (size_t i = 0; rs && i < rs->count; i++) {
        struct rule *r = &rs->rules[i];
        bool here = r->endpoint < 0 ? endpoint != ENDPOINT_ACCEPT : r->endpoint == (int)endpoint;
        if (!here || (r->path && !strstr(path, r->path)))
            continue;
        r->seen++;
        if (r->seen < r->from || r->seen > r->to)
            continue;
        rule_apply(r, out);
        if (!out->rules) {
            out->rules = rs;
            rs->refs++;
        }
    }
    pthread_mutex_unlock(&f->lock);
}

void effects_release(struct effects *fx)
{
    ruleset_release(fx->rules);
    fx->rules = NULL;
}

struct ruleset *ruleset_hold(struct ruleset *rules)
{
    if (rules) {
        pthread_mutex_lock(&rules->faults->lock);
        rules->refs++;
        pthread_mutex_unlock(&rules->faults->lock);
    }
    return rules;
}

void ruleset_release(struct ruleset *rules)
{
    if (!rules)
        return;
    struct faults *f = rules->faults;
    pthread_mutex_lock(&f->lock);
    bool last = --rules->refs == 0;
    pthread_mutex_unlock(&f->lock);
    if (last)
        ruleset_free(rules);
}

int ruleset_fd(const struct ruleset *rules)
{
    return rules ? rules->gone_fd : -1;
}

bool effects_replace(const struct effects *fx)
{
    return fx->code || fx->status || fx->body || fx->hostile;
}
