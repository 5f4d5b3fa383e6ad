/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job.c - one checked call: images before, the reference's answer and results, the device's answer
 * and results, the verdict. What is run in between is the business of calls.c and plans.c.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

struct job *job_new(gn_device *check, uint64_t tag, const char *kernel, const char *program,
                    bool *reported) {
    struct job *job = calloc(1, sizeof *job);
    if (job) {
        job->check = check;
        job->tag = tag;
        job->kernel = kernel;
        job->program = program;
        job->reported = reported;
    }
    return job;
}

void job_free(struct job *job) {
    if (job == NULL)
        return;
    for (uint32_t i = 0; i < job->n_views; i++)
        free(job->views[i].bounds);
    for (uint32_t i = 0; i < job->n_segments; i++) {
        free(job->segments[i].before);
        free(job->segments[i].after);
        free(job->segments[i].expected);
    }
    free(job);
}

void job_give_up(struct job *job, const char *why) {
    if (job->unchecked)
        return;
    job->unchecked = why;
    if (*job->reported)
        return;
    *job->reported = true;
    check_log(GN_LOG_WARNING, "check:%s: %s (%s%s%s) is not checked: %s", job->check->name,
              check_host->tag_text(job->tag), job->kernel, job->program ? " of program " : "",
              job->program ? job->program : "", why);
}

/* ---- Copies ---------------------------------------------------------------------------------- */

static bool make_images(struct job *job) {
    for (uint32_t i = 0; i < job->n_segments; i++) {
        segment *s = &job->segments[i];
        const size_t bytes = (size_t)s->bytes + 1; /* none may be empty */
        s->before = malloc(bytes);
        s->after = malloc(bytes);
        s->expected = malloc(bytes);
        if (!s->before || !s->after || !s->expected)
            return false;
    }
    return true;
}

static gn_status download(const struct job *job, gn_stream *stream, const segment *s, char *image) {
    if (s->bytes == 0)
        return GN_OK;
    return gn_layer_download(job->check, stream, image, s->mem, s->first, s->bytes);
}

gn_status job_begin(struct job *job, gn_stream *stream) {
    char *images[GN_MAX_OPERANDS];
    segments_find(job);
    if (!make_images(job)) {
        job_give_up(job, "no memory on the host for copies");
        return GN_OK;
    }
    for (uint32_t i = 0; i < job->n_segments; i++) {
        images[i] = job->segments[i].before;
        const gn_status status = download(job, stream, &job->segments[i], images[i]);
        if (status != GN_OK)
            return status;
    }
    if (reference_upload(job, images) != GN_OK)
        job_give_up(job, "the reference has no memory for copies");
    return GN_OK;
}

void job_expect(struct job *job, gn_status answer) {
    const gn_device *check = job->check;
    job->expected = answer;
    if (answer != GN_OK && answer != GN_E_INDEX)
        job_give_up(job, "the reference can't run it");
    for (uint32_t i = 0; i < job->n_segments && !job->unchecked; i++) {
        const segment *s = &job->segments[i];
        if (s->bytes && check->reference->download(check->reference_device, NULL, s->expected,
                                                   check->blocks[i].mem, 0, s->bytes) != GN_OK)
            job_give_up(job, "a download from the reference failed");
    }
}

/* ---- The verdict ----------------------------------------------------------------------------- */

/* An error with the report, or a warning and GN_OK. */
static gn_status pronounce(struct job *job, const char *text) {
    gn_device *check = job->check;
    const bool first = !*job->reported;
    check->counts.different++;
    *job->reported = true;
    if (!check->warn)
        return check_fail(GN_E_INTERNAL, job->tag, "%s", text);
    if (first)
        check_log(GN_LOG_WARNING, "%s", text);
    return GN_OK;
}

/* Of an asynchronous device the call's own answer comes with its results. After an error there are
 * none, and nothing else is asked of the device, so that its words stay the last ones. */
static gn_status fetch_results(struct job *job, gn_stream *stream, gn_status answer) {
    for (uint32_t i = 0; i < job->n_segments && answer == GN_OK; i++)
        answer = download(job, stream, &job->segments[i], job->segments[i].after);
    return answer;
}

/* What another job of the same call wrote is no harm in this one's memory. */
static void forgive(struct job *job, const struct job *other) {
    for (uint32_t i = 0; i < other->n_views; i++) {
        const view *v = &other->views[i];
        for (uint32_t k = 0; k < job->n_segments && v->written && !view_is_empty(v); k++)
            segment_accept(&job->segments[k], other, v);
    }
}

static gn_status compare(struct job **jobs, uint32_t n) {
    char text[REPORT_BYTES];
    difference d;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < n; k++)
            if (i != k)
                forgive(jobs[i], jobs[k]);
    for (uint32_t i = 0; i < n; i++) {
        if (!job_differs(jobs[i], &d))
            continue;
        report_difference(jobs[i], &d, text, sizeof text);
        const gn_status status = pronounce(jobs[i], text);
        if (status != GN_OK)
            return status;
    }
    return GN_OK;
}

static gn_status judge(struct job **jobs, uint32_t n, gn_stream *stream, gn_status answer) {
    char text[REPORT_BYTES];
    gn_status expected = GN_OK;
    for (uint32_t i = 0; i < n; i++) {
        answer = fetch_results(jobs[i], stream, answer);
        expected = expected == GN_OK ? jobs[i]->expected : expected;
    }
    if (answer == expected)
        return answer == GN_OK ? compare(jobs, n) : answer;
    if (answer != GN_OK && answer != GN_E_INDEX)
        return answer; /* the device's trouble, not the kernel's verdict on its inputs */
    report_answers(jobs[0], answer, expected, text, sizeof text);
    const gn_status status = pronounce(jobs[0], text);
    return status == GN_OK ? answer : status;
}

gn_status jobs_end(gn_device *check, struct job **jobs, uint32_t n, gn_stream *stream,
                   gn_status answer) {
    bool all = true;
    for (uint32_t i = 0; i < n; i++)
        all = all && jobs[i] && !jobs[i]->unchecked;
    if (!all) {
        check->counts.unchecked++;
    } else if (answer == GN_OK || answer == GN_E_INDEX) {
        check->counts.checked++;
        answer = judge(jobs, n, stream, answer);
    }
    for (uint32_t i = 0; i < n; i++)
        job_free(jobs[i]);
    return answer;
}
