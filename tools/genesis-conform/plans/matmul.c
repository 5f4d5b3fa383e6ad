/* SPDX-License-Identifier: Apache-2.0 */
/* matmul.c - matrix products: strides, batches, bias, relu, dtypes. */
#include "plan.h"

#include <pthread.h>

/* How a (batch.., rows, columns) operand lies in memory. */
enum {
    DENSE,
    TRANSPOSED, /* each matrix by columns */
    PADDED,     /* three elements between rows */
    SAME,       /* one matrix for all of the batch */
    HEADS,      /* (B, H, T, D) in memory (B, T, H, D) */
    ONE_ROW,    /* bias of c's columns */
    ONE_COLUMN, /* bias of c's rows */
    ONE_NUMBER,
    EVERY_OTHER, /* no two elements beside each other */
    NONE         /* bias: absent */
};

struct matmul_case {
    const char *name;
    int n_batch;
    int64_t batch[3], m, n, k;
    int a, b, c, bias;
    bool relu, nan; /* nan: a has one */
    int dtype;      /* 0: f32 */
};

static const struct matmul_case matmuls[] = {
    {"tiny 4", .m = 4, .n = 4, .k = 4, .bias = NONE},
    {"tiny odd", .m = 3, .n = 5, .k = 7, .bias = ONE_ROW, .relu = true, .nan = true},
    {"tiny, b transposed", .m = 5, .n = 9, .k = 35, .b = TRANSPOSED, .bias = NONE},
    {"tiny, a transposed", .m = 6, .n = 17, .k = 5, .a = TRANSPOSED, .bias = ONE_COLUMN},
    {"tiny, both transposed", .m = 6, .n = 7, .k = 5, .a = TRANSPOSED, .b = TRANSPOSED,
     .bias = NONE},
    {"tiny, all transposed", .m = 6, .n = 7, .k = 5, .a = TRANSPOSED, .b = TRANSPOSED,
     .c = TRANSPOSED, .bias = ONE_ROW},
    {"one element", .m = 1, .n = 1, .k = 1, .bias = ONE_NUMBER},
    {"dot", .m = 1, .n = 1, .k = 1000, .bias = NONE},
    {"outer", .m = 33, .n = 70, .k = 1, .bias = NONE},
    {"row times matrix", .m = 1, .n = 131, .k = 200, .bias = DENSE, .relu = true},
    {"row times columns", .m = 1, .n = 131, .k = 203, .b = TRANSPOSED, .bias = NONE},
    {"matrix times column", .m = 150, .n = 1, .k = 77, .bias = NONE},
    {"columns times column", .m = 150, .n = 1, .k = 77, .a = TRANSPOSED, .bias = ONE_NUMBER},
    {"matrix times strided column", .m = 150, .n = 1, .k = 77, .b = PADDED, .bias = NONE},
    {"big row", .m = 1, .n = 1000, .k = 512, .bias = ONE_ROW},
    {"linear", .m = 64, .n = 256, .k = 84, .b = TRANSPOSED, .bias = ONE_ROW},
    {"linear, relu", .m = 64, .n = 100, .k = 784, .b = TRANSPOSED, .bias = ONE_ROW, .relu = true,
     .nan = true},
    {"linear, relu alone", .m = 40, .n = 50, .k = 60, .b = TRANSPOSED, .bias = NONE, .relu = true},
    {"linear, ten classes", .m = 64, .n = 10, .k = 256, .b = TRANSPOSED, .bias = ONE_ROW},
    {"linear, gradient of weight", .m = 10, .n = 256, .k = 64, .a = TRANSPOSED, .bias = NONE},
    {"linear, gradient of input", .m = 64, .n = 256, .k = 10, .bias = NONE},
    {"c transposed", .m = 65, .n = 33, .k = 40, .c = TRANSPOSED, .bias = NONE},
    {"c transposed, column bias", .m = 65, .n = 33, .k = 40, .c = TRANSPOSED, .bias = ONE_COLUMN,
     .relu = true},
    {"padded rows", .m = 65, .n = 33, .k = 40, .a = PADDED, .b = PADDED, .c = PADDED, .bias = NONE},
    {"residual", .m = 65, .n = 48, .k = 40, .bias = DENSE, .relu = true},
    {"column bias", .m = 65, .n = 48, .k = 40, .bias = ONE_COLUMN},
    {"number bias", .m = 65, .n = 48, .k = 40, .bias = ONE_NUMBER},
    {"batch", .n_batch = 1, .batch = {7}, .m = 33, .n = 20, .k = 18, .bias = NONE},
    {"batch, b transposed", .n_batch = 1, .batch = {7}, .m = 33, .n = 20, .k = 18, .b = TRANSPOSED,
     .bias = NONE},
    {"batch, a transposed", .n_batch = 1, .batch = {7}, .m = 33, .n = 20, .k = 18, .a = TRANSPOSED,
     .bias = NONE},
    {"batch, same b", .n_batch = 1, .batch = {7}, .m = 33, .n = 20, .k = 18, .b = SAME,
     .bias = ONE_ROW, .relu = true, .nan = true},
    {"batch, same a", .n_batch = 1, .batch = {7}, .m = 33, .n = 20, .k = 18, .a = SAME,
     .bias = NONE},
    {"batch of two dims, same b", .n_batch = 2, .batch = {3, 4}, .m = 5, .n = 20, .k = 18,
     .b = SAME, .bias = ONE_ROW},
    {"batch of three dims", .n_batch = 3, .batch = {2, 3, 4}, .m = 17, .n = 20, .k = 18,
     .bias = NONE},
    {"batch of tiny ones", .n_batch = 2, .batch = {30, 1}, .m = 3, .n = 4, .k = 5, .bias = NONE},
    {"batch of rows", .n_batch = 1, .batch = {9}, .m = 1, .n = 64, .k = 80, .bias = NONE},
    {"batch of one", .n_batch = 2, .batch = {1, 1}, .m = 33, .n = 20, .k = 18, .bias = NONE},
    {"heads, scores", .n_batch = 2, .batch = {2, 3}, .m = 16, .n = 16, .k = 32, .a = HEADS,
     .b = HEADS, .bias = NONE},
    {"heads, output", .n_batch = 2, .batch = {2, 3}, .m = 30, .n = 32, .k = 30, .b = HEADS,
     .c = HEADS, .bias = NONE},
    {"strided both ways", .m = 20, .n = 33, .k = 30, .a = EVERY_OTHER, .bias = NONE},
    {"bf16", .m = 64, .n = 48, .k = 80, .bias = NONE, .dtype = GN_BF16},
    {"bf16, b transposed", .m = 64, .n = 48, .k = 80, .b = TRANSPOSED, .bias = ONE_ROW,
     .dtype = GN_BF16},
    {"f16", .m = 64, .n = 48, .k = 80, .bias = NONE, .dtype = GN_F16},
    {"f64", .m = 64, .n = 48, .k = 80, .bias = NONE, .dtype = GN_F64},
};

static struct tensor operand(const struct matmul_case *c, int kind, int64_t rows, int64_t columns,
                             struct tensor (*make)(int, int, const int64_t *, const int64_t *)) {
    const int n = c->n_batch;
    int64_t size[5], stride[5], next = rows * columns;
    if (kind == NONE)
        return absent();
    size[n] = rows;
    size[n + 1] = columns;
    stride[n] = kind == TRANSPOSED ? 1 : columns;
    stride[n + 1] = kind == TRANSPOSED ? rows : 1;
    if (kind == PADDED || kind == EVERY_OTHER) {
        stride[n + 1] = kind == PADDED ? 1 : 2;
        stride[n] = stride[n + 1] * columns + 3;
        next = stride[n] * rows;
    }
    if (kind == ONE_ROW || kind == ONE_NUMBER)
        stride[n] = 0;
    if (kind == ONE_COLUMN || kind == ONE_NUMBER)
        stride[n + 1] = 0;
    if (kind == ONE_COLUMN)
        stride[n] = 1;
    for (int d = n - 1; d >= 0; d--) {
        size[d] = c->batch[d];
        stride[d] = kind == SAME || kind >= ONE_ROW ? 0 : next;
        next *= size[d];
    }
    if (kind == HEADS) {
        stride[n - 1] = columns;
        stride[n] = columns * size[n - 1];
    }
    return make(c->dtype ? c->dtype : GN_F32, n + 2, size, stride);
}

/* Sums of k products of f32 are off by up to k units of the sum of their magnitudes; the device's
 * and the expected one are both rounded to f16 and bf16. */
static void expect(const struct matmul_case *c, struct tensor *t) {
    const int n = c->n_batch, dtype = t[0].desc.dtype;
    const double unit = dtype == GN_F64 ? UNIT * UNIT : UNIT;
    const double stored = dtype == GN_BF16  ? 2 * ldexp(1, -8)
                          : dtype == GN_F16 ? 2 * ldexp(1, -11)
                                            : 0;
    int64_t at[5] = {0};
    do {
        int64_t a_at[5], b_at[5];
        double sum = 0, magnitude = 0;
        for (int d = 0; d < n + 2; d++)
            a_at[d] = b_at[d] = at[d];
        for (int64_t k = 0; k < c->k; k++) {
            a_at[n + 1] = b_at[n] = k;
            const double product = tensor_get(&t[1], a_at) * tensor_get(&t[2], b_at);
            sum += product;
            magnitude += fabs(product);
        }
        if (t[3].buffer) {
            const double bias = tensor_get(&t[3], at);
            sum += bias;
            magnitude += fabs(bias);
        }
        if (c->relu && sum < 0)
            sum = 0;
        tensor_expect(&t[0], at, sum, (double)(c->k + 1) * unit * magnitude + stored * fabs(sum));
    } while (next_coordinate(at, (size_t)n + 2, t[0].desc.size));
}

static void test_matmul(int index) {
    const struct matmul_case *c = &matmuls[index];
    context("matmul, %s", c->name);
    struct tensor t[4] = {operand(c, c->c, c->m, c->n, output), operand(c, c->a, c->m, c->k, input),
                          operand(c, c->b, c->k, c->n, input),
                          operand(c, c->bias, c->m, c->n, input)};
    const gn_matmul_attr attr = {.struct_size = sizeof attr,
                                 .activation = c->relu ? GN_ACTIVATION_RELU : GN_ACTIVATION_NONE};
    if (c->nan)
        put_f(t[1].buffer, t[1].first, (double)NAN);
    if (!run_plan(GN_KERNEL_MATMUL, 4, t, &attr, NULL))
        return;
    expect(c, t);
    check_tensor(&t[0]);
}

/* ---- Several threads run one plan ---------------------------------------------------------- */

enum { THREADS = 4, RUNS = 200, SIDE = 48 };

struct job {
    gn_plan *plan;
    gn_stream *stream;
    struct buffer *a, *b, *c, *workspace;
    gn_status status;
};

static gn_pointer start_of(struct buffer *b) {
    const gn_operand operand = AT(b, 0, 0);
    return (gn_pointer){operand.mem, (uint64_t)operand.offset * gn_dtype_bytes(b->dtype)};
}

static void *run_often(void *argument) {
    struct job *job = argument;
    const gn_pointer tensors[4] = {start_of(job->c), start_of(job->a), start_of(job->b)};
    gn_run run = {.struct_size = sizeof run, .plan = job->plan, .n_tensors = 4, .tensors = tensors};
    if (job->workspace)
        run.workspace = start_of(job->workspace);
    for (int i = 0; i < RUNS && job->status == GN_OK; i++)
        job->status = backend->run(device, job->stream, &run);
    if (job->status == GN_OK && backend->synchronise)
        job->status = backend->synchronise(device, job->stream);
    return NULL;
}

static gn_plan *plan_square(uint64_t *workspace_bytes) {
    gn_tensor_desc descs[4];
    for (int i = 0; i < 4; i++)
        descs[i] = (gn_tensor_desc){.dtype = GN_F32,
                                    .n_dims = i < 3 ? 2 : -1,
                                    .size = {SIDE, SIDE},
                                    .stride = {SIDE, 1},
                                    .alignment = 4};
    const gn_matmul_attr attr = {.struct_size = sizeof attr};
    const gn_plan_desc desc = {.struct_size = sizeof desc,
                               .kernel = GN_KERNEL_MATMUL,
                               .n_tensors = 4,
                               .tensor_size = sizeof descs[0],
                               .tensors = descs,
                               .attributes = &attr};
    gn_plan_info info = {.struct_size = sizeof info};
    gn_plan *plan = NULL;
    if (!backend->plan || backend->plan(device, &desc, &info, &plan) != GN_OK)
        return NULL;
    *workspace_bytes = info.workspace_bytes;
    return plan;
}

static void test_threads(void) {
    uint64_t workspace_bytes = 0;
    struct job jobs[THREADS] = {{0}};
    pthread_t threads[THREADS];
    subject("matmul", GN_F32);
    gn_plan *plan = plan_square(&workspace_bytes);
    if (!plan) {
        note_composed();
        return;
    }
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){.plan = plan,
                               .a = buffer_whole(GN_F32, SIDE * SIDE),
                               .b = buffer_whole(GN_F32, SIDE * SIDE),
                               .c = buffer_new(GN_F32, SIDE * SIDE)};
        if (workspace_bytes)
            jobs[i].workspace = buffer_new(GN_U8, (int64_t)workspace_bytes);
        if (backend->stream_create)
            expect_status(CALL(stream_create, device, &jobs[i].stream), GN_OK);
        buffer_upload(jobs[i].a);
        buffer_upload(jobs[i].b);
        buffer_upload(jobs[i].c);
        if (jobs[i].workspace)
            buffer_upload(jobs[i].workspace);
    }
    settle();
    for (int i = 0; i < THREADS; i++)
        EXPECT(pthread_create(&threads[i], NULL, run_often, &jobs[i]) == 0, "no thread");
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        EXPECT(jobs[i].status == GN_OK, "%s in thread %d", gn_status_name(jobs[i].status), i);
        for (int64_t m = 0; m < SIDE; m++)
            for (int64_t n = 0; n < SIDE; n++) {
                double sum = 0;
                for (int64_t k = 0; k < SIDE; k++)
                    sum += get_f(jobs[i].a, m * SIDE + k) * get_f(jobs[i].b, k * SIDE + n);
                put_f(jobs[i].c, m * SIDE + n, sum);
            }
        check_exact(jobs[i].c);
        if (jobs[i].stream)
            backend->stream_destroy(device, jobs[i].stream);
    }
    backend->plan_release(device, plan);
    raw_end(GN_OK); /* what the threads had of scratch memory */
}

static const test_case cases[] = {
    {.name = "matmul", .each = test_matmul, .n = GN_LENGTH(matmuls)},
    {.name = "threads", .run = test_threads},
};

const test_group matmul_group = {.name = "matmul", CASES(cases), .after = kernel_after};
