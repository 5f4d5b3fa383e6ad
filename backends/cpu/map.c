/* SPDX-License-Identifier: Apache-2.0 */
/* map.c - map and map_many: boxes of a space shared out among threads. */
#include "engine.h"
#include "parallel.h"
#include <stdlib.h>

static void run_boxes(cpu_job *job, int64_t first, int64_t last) {
    char memory[cpu_frame_bytes(job)];
    cpu_frame frame;
    cpu_frame_open(&frame, job, memory);
    for (int64_t box = first; box < last; box++) {
        cpu_frame_move(&frame, &job->kept, box);
        cpu_frame_run(&frame, &job->program->parts[0], cpu_frame_count(&frame, &job->kept));
    }
}

static void run_share(void *context, int thread, int n_threads) {
    cpu_job *job = context;
    run_boxes(job, cpu_share(job->kept.boxes, thread, n_threads),
              cpu_share(job->kept.boxes, thread + 1, n_threads));
}

static gn_status map_prepared(const cpu_program *program, const gn_call *call) {
    gn_scalar arrays[cpu_job_bytes(program) / sizeof(gn_scalar) + 1];
    cpu_fault fault = {0};
    cpu_job job;
    job.program = program;
    job.call = call;
    job.fault = &fault;
    if (cpu_layout_small(&job)) {
        cpu_job_bind(&job, arrays);
        run_boxes(&job, 0, 1);
        return cpu_fault_status(&fault, program->source->name);
    }
    cpu_layout_map(&job);
    cpu_job_bind(&job, arrays);
    cpu_parallel(cpu_threads_for(cpu_job_time(&job), job.kept.boxes), run_share, &job);
    return cpu_fault_status(&fault, program->source->name);
}

gn_status cpu_map(gn_device *device, gn_stream *stream, const gn_call *call) {
    (void)stream;
    if (cpu_is_forked())
        return cpu_fail_forked();
    const cpu_program *program;
    void *temporary;
    gn_status status = cpu_program_of(device, call, &program, &temporary);
    if (!status)
        status = map_prepared(program, call);
    cpu_program_release(device, temporary);
    return status;
}

/* ---- map_many ---- */

/* The calls' boxes lie one after another; every thread runs an equal share of them. */
typedef struct many {
    const cpu_program *program;
    const gn_call *calls;
    uint32_t n;
    int64_t *first; /* n + 1: the box that each call begins at */
    cpu_fault fault;
} many;

static const gn_call *call_at(const gn_call *calls, uint32_t i) {
    return (const gn_call *)(const void *)((const char *)calls + (size_t)i * calls->struct_size);
}

static void run_many(void *context, int thread, int n_threads) {
    many *m = context;
    const int64_t begin = cpu_share(m->first[m->n], thread, n_threads);
    const int64_t end = cpu_share(m->first[m->n], thread + 1, n_threads);
    gn_scalar arrays[cpu_job_bytes(m->program) / sizeof(gn_scalar) + 1];
    for (uint32_t i = 0; i < m->n; i++) {
        const int64_t first = m->first[i] > begin ? m->first[i] : begin;
        const int64_t last = m->first[i + 1] < end ? m->first[i + 1] : end;
        if (first >= last)
            continue;
        cpu_job job;
        job.program = m->program;
        job.call = call_at(m->calls, i);
        job.fault = &m->fault;
        cpu_layout_map(&job);
        cpu_job_bind(&job, arrays);
        run_boxes(&job, first - m->first[i], last - m->first[i]);
    }
}

/* Fills `first`; returns the calls' time together. */
static double lay_out_many(many *m) {
    double time = 0;
    m->first[0] = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        cpu_job job;
        job.program = m->program;
        job.call = call_at(m->calls, i);
        cpu_layout_map(&job);
        m->first[i + 1] = m->first[i] + job.kept.boxes;
        time += cpu_job_time(&job);
    }
    return time;
}

gn_status cpu_map_many(gn_device *device, gn_stream *stream, const gn_call *calls, uint32_t n) {
    enum { FEW = 512 };
    (void)stream;
    if (cpu_is_forked())
        return cpu_fail_forked();
    if (n == 0)
        return GN_OK;
    int64_t few[FEW + 1], *first = few;
    void *temporary = NULL;
    const cpu_program *program;
    gn_status status = cpu_program_of(device, calls, &program, &temporary);
    if (status)
        return status;
    if (n > FEW && !(first = malloc(((size_t)n + 1) * sizeof *first))) {
        status = cpu_fail(GN_E_MEMORY, calls->tag, "%s: no memory for a list of %u calls",
                          program->source->name, n);
        goto out;
    }
    many m = {.program = program, .calls = calls, .n = n, .first = first};
    const double time = lay_out_many(&m);
    cpu_parallel(cpu_threads_for(time, first[n]), run_many, &m);
    status = cpu_fault_status(&m.fault, program->source->name);
out:
    if (first != few)
        free(first);
    cpu_program_release(device, temporary);
    return status;
}
