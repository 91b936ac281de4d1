/*
 * The render calls: submit, poll, download.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "calls.h"
#include "jobs.h"
#include "session.h"
#include "span.h"

static bool has_attribution(const struct request *r)
{
    return request_header(r, "X-Skill-Source") && request_header(r, "X-Skill-Version") &&
           request_header(r, "X-Skill-Platform");
}

static void write_output(enum render_shape shape, const struct job_view *job, struct bytes *out)
{
    if (job->status != JOB_COMPLETED || shape == RENDER_SHAPE_NONE)
        return;
    bytes_text(out, shape == RENDER_SHAPE_FLAT ? ",\"outputUrl\":" : ",\"output\":{\"url\":");
    bytes_json(out, job->url);
    bytes_text(out, shape == RENDER_SHAPE_FLAT ? "" : "}");
}

static void answer_job(struct request *r, struct answer *a, const char *id,
                       const struct job_view *job)
{
    enum render_shape shape = r->b->options.render_shape;
    struct bytes out;

    bytes_init(&out, REQUEST_TEXT_MAX);
    bytes_text(&out,
               shape == RENDER_SHAPE_TOP ? "{\"success\":true," : "{\"success\":true,\"data\":{");
    bytes_format(&out, "\"id\":\"%s\",\"status\":\"%s\",\"progress\":%d", id,
                 job_status_names[job->status], job->percent);
    if (job->status == JOB_FAILED) {
        bytes_text(&out, ",\"error\":");
        bytes_json(&out, job->error);
    }
    write_output(shape, job, &out);
    bytes_text(&out, shape == RENDER_SHAPE_TOP ? "}" : "}}");
    answer_json(a, 200, &out);
}

static void submit(struct request *r, struct answer *a, const char *id, const char *session_id)
{
    struct job_view job = {.status = JOB_PENDING};
    const char *draft;
    size_t len;

    if (!span_member(r->body.data, r->body.len, "draft", &draft, &len)) {
        answer_render_failure(a, 422, 422, "no draft");
        return;
    }
    int err = jobs_submit(r->b->jobs, id, r->user_id, session_id, draft, len, &r->fx);
    if (err == -EPROTO)
        answer_render_failure(a, 422, 422, "the draft has nothing to render");
    else if (err && err != -EEXIST)
        answer_render_failure(a, 500, 500, "internal error");
    else if (jobs_view(r->b->jobs, id, r->user_id, &job) != 0)
        answer_render_failure(a, 409, 409, "this id is taken");
    else
        answer_job(r, a, id, &job);
}

void call_render(struct request *r, struct answer *a)
{
    cJSON *body =
        r->body.data && !r->body.failed ? cJSON_ParseWithLength(r->body.data, r->body.len) : NULL;
    const char *id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(body, "id"));
    const char *session_id =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(body, "sessionId"));

    if (!has_attribution(r))
        answer_render_failure(a, 402, 402, "export needs registration or an upgrade");
    else if (!id || !id_is_plain(id) || !session_id)
        answer_render_failure(a, 422, 422, "the body makes no sense");
    else if (sessions_check(r->b->sessions, session_id, r->user_id) != 0)
        answer_render_failure(a, 200, 1002, "session not found");
    else
        submit(r, a, id, session_id);
    cJSON_Delete(body);
}

void call_poll(struct request *r, struct answer *a)
{
    struct job_view job;

    if (jobs_view(r->b->jobs, r->arg, r->user_id, &job) != 0) {
        answer_render_failure(a, 404, 404, "no such render");
        return;
    }
    if (r->fx.output_url)
        snprintf(job.url, sizeof(job.url), "%s", r->fx.output_url);
    answer_job(r, a, r->arg, &job);
}

void call_download(struct request *r, struct answer *a)
{
    struct job_view job;

    if (jobs_view(r->b->jobs, r->arg, r->user_id, &job) != 0 || job.status != JOB_COMPLETED) {
        answer_render_failure(a, 404, 404, "no such file");
        return;
    }
    if (r->b->options.redirect) {
        a->status = 302;
        answer_header(a, "Location", "%s", job.url);
        return;
    }
    int fd = jobs_open(r->b->jobs, r->arg);
    if (fd < 0)
        answer_render_failure(a, 404, 404, "no such file");
    else
        media_answer(r, a, fd, "video/mp4", r->arg);
}
