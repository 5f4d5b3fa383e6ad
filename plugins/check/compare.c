/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare.c - the images of a job against each other: results within their bounds, and all else as
 * it was before the call.
 */
#include "check.h"

#include <math.h>
#include <string.h>

/* The reference's value or the device's is infinite and the other one nearly so. */
static bool is_overflow(int dtype, double device, double reference, double bound) {
    const double limit = value_largest(dtype) - bound, room = 2 * value_eps(dtype) * limit;
    return bound > 0 && !isnan(device) && !isnan(reference) && fabs(device) >= limit - room &&
           fabs(reference) >= limit - room && signbit(device) == signbit(reference);
}

/* How far two values are apart: 0 for equal ones and two NaN. */
static double distance(int dtype, const char *device, const char *reference, double bound) {
    if (!gn_dtype_is_float(dtype)) {
        const int64_t d = value_integer(dtype, device), r = value_integer(dtype, reference);
        return d == r ? 0 : d > r ? (double)d - (double)r : (double)r - (double)d;
    }
    const double d = value_float(dtype, device), r = value_float(dtype, reference);
    if (d == r || (isnan(d) && isnan(r)))
        return 0;
    if (!isfinite(d) || !isfinite(r))
        return is_overflow(dtype, d, r, bound) ? 0 : (double)INFINITY;
    return fabs(d - r);
}

/* Notes the worst of what passed, for the summary. */
static void note_ratio(struct job *job, double error, double bound) {
    struct counts *counts = &job->check->counts;
    if (!(error > counts->worst * bound))
        return;
    counts->worst = error / bound;
    counts->worst_op = check_host->tag_text(job->tag);
}

static bool is_uncertain(int dtype, double bound) {
    return !isfinite(bound) || (dtype == GN_BOOL && bound > 0);
}

static void note_difference(difference *out, const walk *w, double error, double bound,
                            const char *device, const char *reference, size_t bytes) {
    out->count++;
    /* error / bound > the worst one's, where bounds may be 0 */
    if (out->count > 1 && !(error * out->bound > out->error * bound))
        return;
    memcpy(out->coordinate, w->coordinate, sizeof out->coordinate);
    out->error = error;
    out->bound = bound;
    memcpy(out->device, device, bytes);
    memcpy(out->reference, reference, bytes);
}

/* Compares a result. From then on the device's elements are what is expected. */
static void compare_view(struct job *job, const view *v, difference *out) {
    const segment *s = &job->segments[v->segment];
    const uint32_t bytes = gn_dtype_bytes(v->dtype);
    walk w = walk_from_start(v);
    int64_t i = 0;
    do {
        const double bound = v->bounds ? v->bounds[i] : 0;
        const char *device = walk_element(&w, job, s->after);
        char *reference = walk_element(&w, job, s->expected);
        const double error = distance(v->dtype, device, reference, bound);
        job->check->counts.compared++;
        out->compared++;
        if (is_uncertain(v->dtype, bound))
            job->check->counts.skipped++;
        else if (!(error <= bound))
            note_difference(out, &w, error, bound, device, reference, bytes);
        else if (error > 0)
            note_ratio(job, error, bound);
        memcpy(reference, device, bytes);
        i++;
    } while (walk_next(&w));
}

/* Whether a segment changed where no result lies. */
static bool was_overwritten(const segment *s, uint64_t *byte) {
    if (memcmp(s->expected, s->after, (size_t)s->bytes) == 0)
        return false;
    for (*byte = 0; s->expected[*byte] == s->after[*byte];)
        ++*byte;
    return true;
}

void segment_accept(segment *s, const struct job *other, const view *v) {
    const segment *from = &other->segments[v->segment];
    const uint64_t bytes = gn_dtype_bytes(v->dtype), end = s->first + s->bytes;
    if (from->mem != s->mem || from->first >= end || s->first >= from->first + from->bytes)
        return;
    walk w = walk_from_start(v);
    do {
        const uint64_t at = v->first + (uint64_t)(w.at * (int64_t)bytes);
        if (at >= s->first && at + bytes <= end)
            memcpy(s->expected + (at - s->first), s->after + (at - s->first), bytes);
    } while (walk_next(&w));
}

bool job_differs(struct job *job, difference *out) {
    bool differs = false;
    for (uint32_t i = 0; i < job->n_views; i++) {
        const view *v = &job->views[i];
        difference d = {.view = v};
        if (!v->written || view_is_empty(v))
            continue;
        compare_view(job, v, &d);
        if (d.count > 0 && !differs) {
            *out = d;
            differs = true;
        }
    }
    for (uint32_t i = 0; i < job->n_segments && !differs; i++) {
        difference d = {.segment = i};
        differs = was_overwritten(&job->segments[i], &d.byte);
        if (differs)
            *out = d;
    }
    return differs;
}
