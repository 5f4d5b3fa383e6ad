/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matmul.c - matrix products by oneDNN's matmul primitive. Its first one costs some 10 ms and each
 * other one 0.3 ms; dnnl_sgemm's first call costs 40 to 90 ms. ReLU is a pass of our own, since
 * oneDNN's makes 0 of NaN.
 */
#include <stdlib.h>

#include "chain.h"
#include "loops.h"
#include "matmul.h"
#include "parallel.h"

/* ---- The simplest form of a product -------------------------------------------------------- */

static bool shapes_agree(const plan_request *request) {
    const gn_tensor_desc *c = &request->tensors[0], *a = &request->tensors[1],
                         *b = &request->tensors[2], *bias = &request->tensors[3];
    const int n = c->n_dims;
    if (n < 2 || a->n_dims != n || b->n_dims != n || (!tensor_is_absent(bias) && bias->n_dims != n))
        return false;
    for (int d = 0; d < n - 2; d++)
        if (a->size[d] != c->size[d] || b->size[d] != c->size[d])
            return false;
    if (!tensor_is_absent(bias))
        for (int d = 0; d < n; d++)
            if (bias->size[d] != c->size[d])
                return false;
    return a->size[n - 2] == c->size[n - 2] && b->size[n - 1] == c->size[n - 1] &&
           a->size[n - 1] == b->size[n - 2];
}

static void read_problem(const plan_request *request, matmul_problem *p) {
    static const int places[] = {[MATMUL_C] = 0, [MATMUL_A] = 1, [MATMUL_B] = 2, [MATMUL_BIAS] = 3};
    const gn_tensor_desc *c = &request->tensors[0], *a = &request->tensors[1];
    const int n = c->n_dims;
    *p = (matmul_problem){.m = c->size[n - 2],
                          .n = c->size[n - 1],
                          .k = a->size[n - 1],
                          .relu = request->attr.matmul.activation == GN_ACTIVATION_RELU};
    for (int d = 0; d < n - 2; d++) {
        if (c->size[d] == 1)
            continue;
        for (int o = 0; o < MATMUL_OPERANDS; o++)
            p->operand[o].batch[p->n_batch] = request->tensors[places[o]].stride[d];
        p->batch[p->n_batch++] = c->size[d];
    }
    for (int o = 0; o < MATMUL_OPERANDS; o++) {
        const gn_tensor_desc *t = &request->tensors[places[o]];
        p->operand[o].place = tensor_is_absent(t) ? -1 : places[o];
        p->operand[o].dtype = t->dtype;
        p->operand[o].row = t->stride[n - 2];
        p->operand[o].column = t->stride[n - 1];
    }
    if (p->operand[MATMUL_BIAS].place < 0)
        for (int d = 0; d < p->n_batch; d++)
            p->operand[MATMUL_BIAS].batch[d] = 0;
}

/* Whether batch dim d only carries on a dim of `size` elements that are `strides` apart. */
static bool batch_continues(const matmul_problem *p, int d, int64_t size,
                            const int64_t strides[MATMUL_OPERANDS]) {
    for (int o = 0; o < MATMUL_OPERANDS; o++)
        if (p->operand[o].batch[d] != size * strides[o])
            return false;
    return true;
}

/* Makes one dim of neighbouring batch dims wherever all operands allow it. */
static void merge_batch(matmul_problem *p) {
    int kept = 0;
    for (int d = 1; d < p->n_batch; d++) {
        int64_t strides[MATMUL_OPERANDS];
        for (int o = 0; o < MATMUL_OPERANDS; o++)
            strides[o] = p->operand[o].batch[d];
        if (batch_continues(p, kept, p->batch[d], strides))
            p->batch[kept] *= p->batch[d];
        else
            p->batch[++kept] = p->batch[d];
        for (int o = 0; o < MATMUL_OPERANDS; o++)
            p->operand[o].batch[kept] = strides[o];
    }
    p->n_batch = p->n_batch ? kept + 1 : 0;
}

/* Rows of further matrices with the same b are further rows of one matrix. */
static void join_rows(matmul_problem *p) {
    while (p->n_batch) {
        const int d = p->n_batch - 1;
        int64_t strides[MATMUL_OPERANDS];
        for (int o = 0; o < MATMUL_OPERANDS; o++)
            strides[o] = o == MATMUL_B ? 0 : p->operand[o].row;
        if (p->operand[MATMUL_BIAS].place < 0)
            strides[MATMUL_BIAS] = 0;
        if (p->m == 1) /* then rows have no stride yet */
            for (int o = 0; o < MATMUL_OPERANDS; o++)
                strides[o] = p->operand[o].batch[d];
        if (p->operand[MATMUL_B].batch[d] || !batch_continues(p, d, p->m, strides))
            return;
        p->m *= p->batch[d];
        for (int o = 0; o < MATMUL_OPERANDS; o++)
            if (o != MATMUL_B)
                p->operand[o].row = strides[o];
        p->n_batch--;
    }
}

/* c^T = b^T a^T */
static void transpose(matmul_problem *p) {
    const int64_t m = p->m;
    p->m = p->n;
    p->n = m;
    for (int o = 0; o < MATMUL_OPERANDS; o++) {
        const int64_t row = p->operand[o].row;
        p->operand[o].row = p->operand[o].column;
        p->operand[o].column = row;
    }
    matmul_problem old = *p;
    p->operand[MATMUL_A] = old.operand[MATMUL_B];
    p->operand[MATMUL_B] = old.operand[MATMUL_A];
}

/* Gives rows and columns of which there is one only a useful stride. False if neither of the two
 * strides is 1, or elements overlap. */
static bool make_regular(int64_t rows, int64_t columns, int64_t *row, int64_t *column) {
    if (columns == 1)
        *column = 1;
    if (rows == 1)
        *row = *column == 1 ? columns : 1;
    return (*column == 1 && *row >= columns) || (*row == 1 && *column >= rows);
}

/* ---- By oneDNN ----------------------------------------------------------------------------- */

typedef struct matmul_plan {
    plan_kernel base;
    dnn_chain chain;
    const plan_loops *loops;
    int64_t relu; /* elements of c to rectify */
} matmul_plan;

typedef struct relu_job {
    const matmul_plan *plan;
    float *c;
} relu_job;

static void relu_body(void *context, int thread, int n_threads) {
    const relu_job *job = context;
    const int64_t first = cpu_share(job->plan->relu, thread, n_threads);
    const int64_t end = cpu_share(job->plan->relu, thread + 1, n_threads);
    job->plan->loops->relu(end - first, job->c + first);
}

static gn_status matmul_run(plan_kernel *base, const gn_run *run) {
    matmul_plan *plan = (matmul_plan *)base;
    const gn_status status = dnn_chain_run(&plan->chain, run);
    if (status || !plan->relu)
        return status;
    relu_job job = {.plan = plan, .c = plan_memory(&run->tensors[0])};
    cpu_parallel(cpu_threads_for((double)plan->relu * .05, plan->relu), relu_body, &job);
    return GN_OK;
}

static void matmul_release(plan_kernel *plan) {
    dnn_chain_destroy(&((matmul_plan *)plan)->chain);
    free(plan);
}

/* The descriptor of an operand; along dims where its stride is 0 its size is 1. */
static dnnl_status_t describe(const matmul_problem *p, int operand, int64_t rows, int64_t columns,
                              dnn_md *out) {
    int64_t size[GN_MAX_DIMS], stride[GN_MAX_DIMS], next = rows * columns;
    const int n = p->n_batch;
    size[n] = rows;
    stride[n] = p->operand[operand].row;
    size[n + 1] = columns;
    stride[n + 1] = p->operand[operand].column;
    for (int d = n - 1; d >= 0; d--) {
        size[d] = p->operand[operand].batch[d] ? p->batch[d] : 1;
        stride[d] = p->operand[operand].batch[d] ? p->operand[operand].batch[d] : next;
        next = stride[d] * size[d];
    }
    return dnn_md_create(out, n + 2, size, p->operand[operand].dtype, stride);
}

static bool bias_is_row(const matmul_problem *p) {
    for (int d = 0; d < p->n_batch; d++)
        if (p->operand[MATMUL_BIAS].batch[d])
            return false;
    return p->m == 1 || p->operand[MATMUL_BIAS].row == 0;
}

static dnnl_status_t describe_bias(const matmul_problem *p, dnn_matmul *op) {
    matmul_problem q = *p;
    int64_t *row = &q.operand[MATMUL_BIAS].row, *column = &q.operand[MATMUL_BIAS].column;
    const int64_t rows = *row ? p->m : 1, columns = *column ? p->n : 1;
    if (p->operand[MATMUL_BIAS].place < 0)
        return dnnl_success;
    if (!make_regular(rows, columns, row, column))
        return dnnl_unimplemented;
    if (bias_is_row(p) && columns == p->n)
        return describe(&q, MATMUL_BIAS, rows, columns, &op->bias);
    return describe(&q, MATMUL_BIAS, rows, columns, &op->addend);
}

static dnnl_status_t make_primitive(const matmul_problem *p, dnn_matmul *op,
                                    dnnl_primitive_t *out) {
    dnnl_status_t status = describe(p, MATMUL_A, p->m, p->k, &op->a);
    if (!status)
        status = describe(p, MATMUL_B, p->k, p->n, &op->b);
    if (!status)
        status = describe(p, MATMUL_C, p->m, p->n, &op->c);
    if (!status)
        status = describe_bias(p, op);
    if (!status)
        status = dnn_matmul_create(out, op);
    if (!status && dnn_is_reference(*out)) {
        dnnl_primitive_destroy(*out);
        status = dnnl_unimplemented;
    }
    return status;
}

/* Whether c is one run of elements in memory. */
static bool is_dense(const matmul_problem *p) {
    int64_t next = p->n;
    if (p->m > 1 && p->operand[MATMUL_C].row != next)
        return false;
    next *= p->m;
    for (int d = p->n_batch - 1; d >= 0; next *= p->batch[d], d--)
        if (p->operand[MATMUL_C].batch[d] != next)
            return false;
    return true;
}

static int64_t elements_of(const matmul_problem *p) {
    int64_t n = p->m * p->n;
    for (int d = 0; d < p->n_batch; d++)
        n *= p->batch[d];
    return n;
}

static gn_status plan_onednn(const matmul_problem *p, gn_plan_info *info, plan_kernel **out) {
    if (p->relu && (!is_dense(p) || p->operand[MATMUL_C].dtype != GN_F32))
        return cpu_fail(GN_E_UNSUPPORTED, 0, "relu of a matmul is for dense float32 results only");
    matmul_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return cpu_fail(GN_E_MEMORY, 0, "no memory for the plan of a matmul");
    plan->base.run = matmul_run;
    plan->base.release = matmul_release;
    plan->loops = plan_loops_best();
    plan->relu = p->relu ? elements_of(p) : 0;
    dnn_matmul op = {0};
    dnnl_primitive_t primitive;
    const dnnl_status_t status = make_primitive(p, &op, &primitive);
    if (!status) {
        dnn_step *step = dnn_chain_add(&plan->chain, primitive);
        dnn_step_bind(step, DNNL_ARG_SRC, p->operand[MATMUL_A].place);
        dnn_step_bind(step, DNNL_ARG_WEIGHTS, p->operand[MATMUL_B].place);
        dnn_step_bind(step, DNNL_ARG_DST, p->operand[MATMUL_C].place);
        if (op.bias)
            dnn_step_bind(step, DNNL_ARG_BIAS, p->operand[MATMUL_BIAS].place);
        if (op.addend)
            dnn_step_bind(step, DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1,
                          p->operand[MATMUL_BIAS].place);
    }
    dnn_md_destroy(op.a);
    dnn_md_destroy(op.b);
    dnn_md_destroy(op.bias);
    dnn_md_destroy(op.addend);
    dnn_md_destroy(op.c);
    if (status) {
        matmul_release(&plan->base);
        return dnn_fail(status, "matmul");
    }
    info->workspace_bytes = plan->chain.workspace_bytes;
    *out = &plan->base;
    return GN_OK;
}

gn_status plan_matmul(const plan_request *request, gn_plan_info *info, plan_kernel **out) {
    matmul_problem p;
    if (!shapes_agree(request))
        return cpu_fail(GN_E_ARGUMENT, 0, "the sizes of this matmul do not agree");
    read_problem(request, &p);
    merge_batch(&p);
    join_rows(&p);
    int64_t *row = &p.operand[MATMUL_C].row, *column = &p.operand[MATMUL_C].column;
    if (!make_regular(p.m, p.n, row, column))
        return cpu_fail(GN_E_UNSUPPORTED, 0, "a matmul into a matrix without dense rows");
    if (*column != 1 || (p.n == 1 && *row == 1 && p.m > 1)) {
        transpose(&p);
        make_regular(p.m, p.n, row, column);
    }
    if (!make_regular(p.m, p.k, &p.operand[MATMUL_A].row, &p.operand[MATMUL_A].column) ||
        !make_regular(p.k, p.n, &p.operand[MATMUL_B].row, &p.operand[MATMUL_B].column))
        return cpu_fail(GN_E_UNSUPPORTED, 0,
                        "a matmul of a matrix with neither rows nor columns dense");
    const gn_status status = plan_small_matmul(&p, out);
    return status == GN_E_UNSUPPORTED ? plan_onednn(&p, info, out) : status;
}
