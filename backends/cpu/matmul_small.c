/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matmul_small.c - products with a vector, bound by memory, and of tiny matrices, bound by the
 * overhead of a call. f32 only.
 */
#include <stdlib.h>

#include "loops.h"
#include "matmul.h"
#include "parallel.h"

/* Up to so many multiplications our loop needs less time than oneDNN takes to begin; more where
 * rows fill vectors. */
enum { TINY = 1024, TINY_REGULAR = 4096 };

typedef struct small_plan {
    plan_kernel base;
    const plan_loops *loops;
    matmul_problem problem;
    small_matmul product;
    int64_t n_products, block, blocks; /* columns of c: a task has `block` of them */
    int n_threads;
} small_plan;

typedef struct small_job {
    const small_plan *plan;
    const float *operand[MATMUL_OPERANDS];
} small_job;

static void small_body(void *context, int thread, int n_threads) {
    const small_job *job = context;
    const small_plan *plan = job->plan;
    const matmul_problem *p = &plan->problem;
    const int64_t tasks = plan->n_products * plan->blocks;
    const int64_t end = cpu_share(tasks, thread + 1, n_threads);
    for (int64_t task = cpu_share(tasks, thread, n_threads); task < end; task++) {
        int64_t product = task / plan->blocks, at[MATMUL_OPERANDS] = {0};
        const int64_t first = task % plan->blocks * plan->block;
        const int64_t last = first + plan->block < p->n ? first + plan->block : p->n;
        for (int d = p->n_batch - 1; d >= 0; product /= p->batch[d], d--)
            for (int o = 0; o < MATMUL_OPERANDS; o++)
                at[o] += product % p->batch[d] * p->operand[o].batch[d];
        const float *bias = job->operand[MATMUL_BIAS];
        plan->loops->matmul(&plan->product, job->operand[MATMUL_A] + at[MATMUL_A],
                            job->operand[MATMUL_B] + at[MATMUL_B],
                            bias ? bias + at[MATMUL_BIAS] : NULL,
                            (float *)job->operand[MATMUL_C] + at[MATMUL_C], first, last);
    }
}

static gn_status small_run(plan_kernel *base, const gn_run *run) {
    const small_plan *plan = (small_plan *)base;
    small_job job = {.plan = plan};
    for (int o = 0; o < MATMUL_OPERANDS; o++)
        if (plan->problem.operand[o].place >= 0)
            job.operand[o] = plan_memory(&run->tensors[plan->problem.operand[o].place]);
    cpu_parallel(plan->n_threads, small_body, &job);
    return GN_OK;
}

static void small_release(plan_kernel *plan) { free(plan); }

gn_status plan_small_matmul(const matmul_problem *p, plan_kernel **out) {
    for (int o = 0; o < MATMUL_OPERANDS; o++)
        if (p->operand[o].place >= 0 && p->operand[o].dtype != GN_F32)
            return GN_E_UNSUPPORTED;
    double work = (double)p->m * (double)p->n * (double)p->k;
    const bool regular = p->operand[MATMUL_B].column == 1 && p->n % 16 == 0;
    if (work > (regular ? TINY_REGULAR : TINY) && p->m != 1)
        return GN_E_UNSUPPORTED;
    if (p->operand[MATMUL_B].column != 1 && p->operand[MATMUL_A].column != 1)
        return GN_E_UNSUPPORTED;
    small_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return cpu_fail(GN_E_MEMORY, 0, "no memory for the plan of a matmul");
    plan->base.run = small_run;
    plan->base.release = small_release;
    plan->loops = plan_loops_best();
    plan->problem = *p;
    plan->product = (small_matmul){.m = p->m,
                                   .n = p->n,
                                   .k = p->k,
                                   .a_row = p->operand[MATMUL_A].row,
                                   .a_column = p->operand[MATMUL_A].column,
                                   .b_row = p->operand[MATMUL_B].row,
                                   .b_column = p->operand[MATMUL_B].column,
                                   .c_row = p->operand[MATMUL_C].row,
                                   .bias_row = p->operand[MATMUL_BIAS].row,
                                   .bias_column = p->operand[MATMUL_BIAS].column,
                                   .relu = p->relu};
    plan->n_products = 1;
    for (int d = 0; d < p->n_batch; d++)
        plan->n_products *= p->batch[d];
    plan->block = 64;
    plan->blocks = (p->n + plan->block - 1) / plan->block;
    work *= (double)plan->n_products;
    plan->n_threads = cpu_threads_for(work * .05, plan->n_products * plan->blocks);
    *out = &plan->base;
    return GN_OK;
}
