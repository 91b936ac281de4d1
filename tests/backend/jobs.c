#include "jobs.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "mux.h"
#include "session.h"

const char *const job_status_names[] = {"pending", "processing", "completed", "failed"};

/* Never freed before the end: crew threads hold on to it. */
struct job {
    struct job *next;
    struct jobs *jobs;
    char id[ID_MAX];
    char user_id[ID_MAX];
    char session_id[ID_MAX];
    char *draft; /* as it was received */
    size_t draft_len;
    bool draft_equal; /* to one that the session was sent */
    enum job_status status;
    int percent;
    char error[CHILD_WORDS_MAX];
    char *url; /* instead of its own; NULL */
    bool fail;
    int64_t extra_ms;
    struct ruleset *rules; /* held; NULL */
};

struct jobs {
    struct backend *b;
    pthread_mutex_t lock;
    pthread_cond_t room;
    struct job *first;
    int running;
    bool stopping;
};

static void job_free(struct job *job)
{
    if (!job)
        return;
    ruleset_release(job->rules);
    free(job->url);
    free(job->draft);
    free(job);
}

/* The functions up to load: with the lock held, or before anybody else knows the job. */

static struct job *find(struct jobs *j, const char *id)
{
    struct job *job = j->first;

    while (job && strcmp(job->id, id) != 0)
        job = job->next;
    return job;
}

static int save(const struct job *job)
{
    const struct store *store = &job->jobs->b->store;
    char path[STORE_PATH_MAX];
    struct bytes out;

    bytes_init(&out, STORE_RECORD_MAX);
    bytes_format(&out, "{\"id\":\"%s\",\"user_id\":\"%s\",\"session_id\":\"%s\",", job->id,
                 job->user_id, job->session_id);
    bytes_format(&out,
                 "\"status\":\"%s\",\"draft_equal\":%s,\"error\":", job_status_names[job->status],
                 job->draft_equal ? "true" : "false");
    bytes_json(&out, job->error);
    bytes_text(&out, ",\"draft\":");
    bytes_json(&out, job->draft);
    bytes_text(&out, "}");
    store_path(store, path, "renders/%s.json", job->id);
    int err = out.failed ? -ENOMEM : store_write(store, path, out.data, out.len);
    bytes_release(&out);
    return err;
}

static void copy(char *out, size_t size, const cJSON *o, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(o, key));

    snprintf(out, size, "%s", text ? text : "");
}

static bool parse(struct job *job, const cJSON *root)
{
    const char *draft = cJSON_GetStringValue(cJSON_GetObjectItem(root, "draft"));
    char status[32];

    copy(job->id, sizeof(job->id), root, "id");
    copy(job->user_id, sizeof(job->user_id), root, "user_id");
    copy(job->session_id, sizeof(job->session_id), root, "session_id");
    copy(job->error, sizeof(job->error), root, "error");
    copy(status, sizeof(status), root, "status");
    job->draft_equal = cJSON_IsTrue(cJSON_GetObjectItem(root, "draft_equal"));
    job->draft = draft ? strdup(draft) : NULL;
    job->draft_len = draft ? strlen(draft) : 0;
    if (strcmp(status, "completed") == 0)
        job->status = JOB_COMPLETED;
    else if (strcmp(status, "failed") == 0)
        job->status = JOB_FAILED;
    job->percent = job->status == JOB_COMPLETED ? 100 : 0;
    return job->draft && id_is_plain(job->id);
}

static void load_one(void *user, const char *stem)
{
    struct jobs *j = user;
    struct job *job = calloc(1, sizeof(*job));
    struct bytes text;
    char path[STORE_PATH_MAX];

    store_path(&j->b->store, path, "renders/%s.json", stem);
    bytes_init(&text, STORE_RECORD_MAX);
    int err = store_read(path, &text);
    cJSON *root = err || !text.data ? NULL : cJSON_ParseWithLength(text.data, text.len);
    bytes_release(&text);
    if (job && root && parse(job, root)) {
        job->jobs = j;
        job->next = j->first;
        j->first = job;
    } else {
        fprintf(stderr, "nemo-local: %s is unreadable\n", path);
        job_free(job);
    }
    cJSON_Delete(root);
}

struct jobs *jobs_new(struct backend *b)
{
    struct jobs *j = calloc(1, sizeof(*j));

    if (!j)
        return NULL;
    j->b = b;
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->room, NULL);
    store_list(&b->store, "renders", ".json", load_one, j);
    return j;
}

void jobs_free(struct jobs *j)
{
    if (!j)
        return;
    while (j->first) {
        struct job *job = j->first;
        j->first = job->next;
        job_free(job);
    }
    pthread_cond_destroy(&j->room);
    pthread_mutex_destroy(&j->lock);
    free(j);
}

void jobs_stop(struct jobs *j)
{
    pthread_mutex_lock(&j->lock);
    j->stopping = true;
    pthread_cond_broadcast(&j->room);
    pthread_mutex_unlock(&j->lock);
}

static bool take_room(struct jobs *j)
{
    pthread_mutex_lock(&j->lock);
    while (j->running >= JOBS_AT_ONCE && !j->stopping)
        pthread_cond_wait(&j->room, &j->lock);
    bool taken = !j->stopping;
    j->running += taken;
    pthread_mutex_unlock(&j->lock);
    return taken;
}

static void give_room(struct jobs *j)
{
    pthread_mutex_lock(&j->lock);
    j->running--;
    pthread_cond_signal(&j->room);
    pthread_mutex_unlock(&j->lock);
}

static void set_status(struct job *job, enum job_status status, int percent, const char *error)
{
    pthread_mutex_lock(&job->jobs->lock);
    bool over = status == JOB_COMPLETED || status == JOB_FAILED;
    job->status = status;
    job->percent = percent;
    snprintf(job->error, sizeof(job->error), "%s", error);
    if (over && save(job) != 0)
        fprintf(stderr, "nemo-local: render %s could not be saved\n", job->id);
    pthread_mutex_unlock(&job->jobs->lock);
}

static void on_progress(void *user, int percent)
{
    set_status(user, JOB_PROCESSING, percent, "");
}

static int render(struct job *job, char words[CHILD_WORDS_MAX])
{
    struct backend *b = job->jobs->b;
    struct wait w = {.stop = b->stop_fd, .peer = -1, .rules = ruleset_fd(job->rules), .event = -1};
    char tmp[STORE_PATH_MAX], path[STORE_PATH_MAX];
    struct timeline t;

    if (job->extra_ms && wait_for(&w, clock_ms() + job->extra_ms) == WAKE_STOP)
        return -ECANCELED;
    if (job->fail) {
        snprintf(words, CHILD_WORDS_MAX, "render failed");
        return -EIO;
    }
    int err = timeline_read(job->draft, job->draft_len, &t);
    if (err)
        return err;
    store_path(&b->store, tmp, "tmp/%s.mp4", job->id);
    store_path(&b->store, path, "renders/%s.mp4", job->id);
    err = mux_run(b, &t, tmp, on_progress, job, words);
    if (!err && rename(tmp, path) != 0)
        err = -errno;
    if (err)
        unlink(tmp);
    return err;
}

static void job_run(void *user)
{
    struct job *job = user;
    char words[CHILD_WORDS_MAX] = "";

    if (!take_room(job->jobs))
        return;
    set_status(job, JOB_PROCESSING, 0, "");
    int err = render(job, words);
    give_room(job->jobs);
    /* A render that the server's end cut short is done again in its next life. */
    if (err != -ECANCELED)
        set_status(job, err ? JOB_FAILED : JOB_COMPLETED, err ? 0 : 100,
                   err && !words[0] ? strerror(-err) : words);
}

void jobs_resume(struct jobs *j)
{
    for (struct job *job = j->first; job; job = job->next) {
        if (job->status == JOB_PENDING && crew_run(&j->b->crew, job_run, job) != 0)
            set_status(job, JOB_FAILED, 0, "no thread");
    }
}

static struct job *job_new(struct jobs *j, const char *id, const char *user_id,
                           const char *session_id, const char *draft, size_t len,
                           const struct effects *fx)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    job->jobs = j;
    snprintf(job->id, sizeof(job->id), "%s", id);
    snprintf(job->user_id, sizeof(job->user_id), "%s", user_id);
    snprintf(job->session_id, sizeof(job->session_id), "%s", session_id);
    job->draft = strndup(draft, len);
    job->draft_len = len;
    job->draft_equal = sessions_knows_draft(j->b->sessions, session_id, draft, len);
    job->fail = fx->render_fails;
    job->extra_ms = fx->render_ms;
    job->url = fx->output_url ? strdup(fx->output_url) : NULL;
    if (!job->draft || (fx->output_url && !job->url)) {
        job_free(job);
        return NULL;
    }
    job->rules = ruleset_hold(fx->rules);
    return job;
}

int jobs_submit(struct jobs *j, const char *id, const char *user_id, const char *session_id,
                const char *draft, size_t len, const struct effects *fx)
{
    struct timeline t;

    if (timeline_read(draft, len, &t) != 0 || !t.clip.used)
        return -EPROTO;
    struct job *job = job_new(j, id, user_id, session_id, draft, len, fx);
    if (!job)
        return -ENOMEM;
    pthread_mutex_lock(&j->lock);
    int err = find(j, id) ? -EEXIST : save(job);
    if (!err) {
        job->next = j->first;
        j->first = job;
    }
    pthread_mutex_unlock(&j->lock);
    if (err) {
        job_free(job);
        return err;
    }
    err = crew_run(&j->b->crew, job_run, job);
    if (err)
        set_status(job, JOB_FAILED, 0, "no thread");
    return 0;
}

int jobs_view(struct jobs *j, const char *id, const char *user_id, struct job_view *out)
{
    char name[ID_MAX + 8];

    memset(out, 0, sizeof(*out));
    pthread_mutex_lock(&j->lock);
    struct job *job = find(j, id);
    if (job && strcmp(job->user_id, user_id) != 0)
        job = NULL;
    if (job) {
        out->status = job->status;
        out->percent = job->percent;
        memcpy(out->error, job->error, sizeof(out->error));
        snprintf(name, sizeof(name), "%s.mp4", job->id);
        if (job->status == JOB_COMPLETED && job->url)
            snprintf(out->url, sizeof(out->url), "%s", job->url);
        else if (job->status == JOB_COMPLETED)
            sessions_media_url(j->b, "output", job->id, name, out->url, sizeof(out->url));
    }
    pthread_mutex_unlock(&j->lock);
    return job ? 0 : -ENOENT;
}

int jobs_open(struct jobs *j, const char *id)
{
    char path[STORE_PATH_MAX];

    if (!id_is_plain(id))
        return -ENOENT;
    pthread_mutex_lock(&j->lock);
    struct job *job = find(j, id);
    bool done = job && job->status == JOB_COMPLETED;
    pthread_mutex_unlock(&j->lock);
    if (!done)
        return -ENOENT;
    store_path(&j->b->store, path, "renders/%s.mp4", id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

void jobs_list(struct jobs *j, struct bytes *out)
{
    const char *comma = "";

    bytes_text(out, "[");
    pthread_mutex_lock(&j->lock);
    for (struct job *job = j->first; job; job = job->next) {
        bytes_format(out, "%s{\"id\":\"%s\",\"session\":\"%s\",\"status\":\"%s\",\"progress\":%d,",
                     comma, job->id, job->session_id, job_status_names[job->status], job->percent);
        bytes_format(out, "\"draft_equal\":%s,\"draft_bytes\":%zu,\"error\":",
                     job->draft_equal ? "true" : "false", job->draft_len);
        bytes_json(out, job->error);
        bytes_text(out, "}");
        comma = ",\n";
    }
    pthread_mutex_unlock(&j->lock);
    bytes_text(out, "]\n");
}
