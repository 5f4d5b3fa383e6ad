/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job.c - one checked call: images before, the reference's answer and results, the device's answer
 * and results, the verdict. What is run in between is the business of calls.c and plans.c.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

job *job_new(gn_device *check, uint64_t tag, const char *kernel, const char *program) {
    job *job = calloc(1, sizeof *job);
    if (job) {
        job->check = check;
        job->tag = tag;
        job->kernel = kernel;
        job->program = program;
    }
    return job;
}

void job_free(job *job) {
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

void job_give_up(job *job, const char *why) {
    if (job->unchecked)
        return;
    job->unchecked = why;
    check_log(GN_LOG_WARNING, "check:%s: %s (%s %s) is not checked: %s", job->check->name,
              check_host->tag_text(job->tag), job->kernel, job->program ? job->program : "", why);
}

/* ---- Copies ---------------------------------------------------------------------------------- */

static bool make_images(job *job) {
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

static gn_status download(const job *job, gn_stream *stream, const segment *s, char *image) {
    const gn_device *check = job->check;
    if (s->bytes == 0)
        return GN_OK;
    return check->below->download(check->below_device, stream, image, s->mem, s->first, s->bytes);
}

gn_status job_begin(job *job, gn_stream *stream) {
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

void job_expect(job *job, gn_status answer) {
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
static gn_status pronounce(job *job, const char *text) {
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

/* Whether the answers are the kernel's verdict on its inputs, which both sides must share. */
static bool answers_differ(const job *job, gn_status answer) {
    return answer != job->expected && (answer == GN_OK || answer == GN_E_INDEX);
}

static gn_status compare(job *job, gn_stream *stream, gn_status answer) {
    char text[REPORT_BYTES];
    difference d;
    for (uint32_t i = 0; i < job->n_segments; i++) {
        const gn_status status = download(job, stream, &job->segments[i], job->segments[i].after);
        /* Of an asynchronous device the kernel's own answer comes now. */
        answer = answer == GN_OK ? status : answer;
    }
    if (answers_differ(job, answer)) {
        report_answers(job, answer, text, sizeof text);
        const gn_status status = pronounce(job, text);
        return status == GN_OK ? answer : status;
    }
    if (answer != GN_OK)
        return answer;
    if (!job_differs(job, &d))
        return GN_OK;
    report_difference(job, &d, text, sizeof text);
    return pronounce(job, text);
}

gn_status job_end(job *job, gn_stream *stream, gn_status answer) {
    counts *counts = &job->check->counts;
    if (job->unchecked) {
        counts->unchecked++;
        return answer;
    }
    if (answer != GN_OK && answer != GN_E_INDEX)
        return answer; /* the device could not run it, or hands it back */
    counts->checked++;
    return compare(job, stream, answer);
}
