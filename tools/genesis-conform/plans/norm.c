/* SPDX-License-Identifier: Apache-2.0 */
/* norm.c - batch norm in training and its gradient. */
#include "plan.h"

struct norm_case {
    const char *name;
    int n_dims;
    int64_t size[5];
    double mean; /* added to x: a mean far from 0 */
};

static const struct norm_case norms[] = {
    {"images", .n_dims = 4, .size = {3, 16, 7, 6}, .mean = 0},
    {"odd channels", .n_dims = 4, .size = {2, 13, 9, 5}, .mean = 0},
    {"one channel", .n_dims = 4, .size = {4, 1, 6, 6}, .mean = 0},
    {"300 channels", .n_dims = 4, .size = {2, 300, 3, 3}, .mean = 0},
    {"far from 0", .n_dims = 4, .size = {4, 8, 12, 12}, .mean = 1000},
    {"many pixels", .n_dims = 4, .size = {2, 64, 40, 40}, .mean = 3},
    {"one pixel", .n_dims = 4, .size = {40, 24, 1, 1}, .mean = 0},
    {"(N, C)", .n_dims = 2, .size = {50, 37}, .mean = 1},
    {"(N, C), one channel", .n_dims = 2, .size = {50, 1}, .mean = 0},
    {"sequences", .n_dims = 3, .size = {5, 12, 31}, .mean = 0},
    {"volumes", .n_dims = 5, .size = {2, 10, 3, 4, 5}, .mean = -2},
};

static const double eps = 1e-5;

/* What of one channel the kernels compute, in double precision. */
struct moments {
    double n, mean, var, spread; /* spread: mean |x - mean| + |mean| UNIT.. */
};

static bool next_of_channel(const struct norm_case *c, int64_t *at) {
    const int64_t channel = at[1];
    int64_t size[5];
    for (int d = 0; d < c->n_dims; d++)
        size[d] = d == 1 ? 1 : c->size[d];
    at[1] = 0;
    const bool more = next_coordinate(at, (size_t)c->n_dims, size);
    at[1] = channel;
    return more;
}

static struct moments moments_of(const struct norm_case *c, const struct tensor *x,
                                 int64_t channel) {
    struct moments m = {0};
    int64_t at[5] = {0, channel};
    do {
        m.mean += tensor_get(x, at);
        m.n++;
    } while (next_of_channel(c, at));
    m.mean /= m.n;
    do
        m.var += pow(tensor_get(x, at) - m.mean, 2);
    while (next_of_channel(c, at));
    m.var /= m.n;
    m.spread = sqrt(m.var);
    return m;
}

static struct tensor make_x(const struct norm_case *c, int layout) {
    struct tensor x = input_of(GN_F32, c->n_dims, c->size, layout);
    int64_t at[5] = {0};
    do
        tensor_set(&x, at, tensor_get(&x, at) + c->mean);
    while (next_coordinate(at, (size_t)c->n_dims, c->size));
    return x;
}

static struct tensor channels(const struct norm_case *c, bool is_output) {
    return is_output ? output_of(GN_F32, 1, &c->size[1], NCHW)
                     : input_of(GN_F32, 1, &c->size[1], NCHW);
}

/* ---- Forward ------------------------------------------------------------------------------- */

enum { Y, X, W, B, MEAN, VAR, FORWARD_TENSORS };

/*
 * Sums of n terms may be off by n units of the sum of magnitudes; here blocks of at most 4096 are
 * summed in f32. The mean's error d enters y as d / spread, and var's as half its relative error.
 */
static void expect_forward(const struct norm_case *c, struct tensor *t) {
    for (int64_t channel = 0; channel < c->size[1]; channel++) {
        const struct moments m = moments_of(c, &t[X], channel);
        const double terms = m.n < 4096 ? m.n : 4096;
        const double r = 1 / sqrt(m.var + eps), largest = fabs(m.mean) + 2.1;
        const double mean_off = terms * UNIT * largest;
        const double var_off = (terms + 3) * UNIT * m.var + 2 * mean_off * mean_off + UNIT * m.var;
        const double w = tensor_get(&t[W], &channel), b = tensor_get(&t[B], &channel);
        int64_t at[5] = {0, channel};
        tensor_expect(&t[MEAN], &channel, m.mean, mean_off);
        tensor_expect(&t[VAR], &channel, m.var, var_off);
        do {
            const double h = (tensor_get(&t[X], at) - m.mean) * r;
            tensor_expect(&t[Y], at, h * w + b,
                          fabs(w) * r * mean_off + fabs(h * w) * var_off * r * r +
                              4 * UNIT * (fabs(h * w) + fabs(b)));
        } while (next_of_channel(c, at));
    }
}

/* ---- Backward ------------------------------------------------------------------------------ */

enum { DX, DW, DB, DY, X_, W_, MEAN_, VAR_, BACKWARD_TENSORS };

static void expect_backward(const struct norm_case *c, struct tensor *t) {
    for (int64_t channel = 0; channel < c->size[1]; channel++) {
        /* mean and var are what the forward pass rounded to f32 */
        const double mean = tensor_get(&t[MEAN_], &channel);
        const double r = 1 / sqrt(tensor_get(&t[VAR_], &channel) + eps);
        double n = 0, db = 0, dw = 0, db_size = 0, dw_size = 0;
        int64_t at[5] = {0, channel};
        do {
            const double dy = tensor_get(&t[DY], at), h = (tensor_get(&t[X_], at) - mean) * r;
            db += dy;
            dw += dy * h;
            db_size += fabs(dy);
            dw_size += fabs(dy * h);
            n++;
        } while (next_of_channel(c, at));
        const double terms = n < 4096 ? n : 4096, db_off = (terms + 1) * UNIT * db_size,
                     dw_off = (terms + 4) * UNIT * dw_size;
        const double wr = tensor_get(&t[W_], &channel) * r;
        tensor_expect(&t[DB], &channel, db, db_off);
        tensor_expect(&t[DW], &channel, dw, dw_off);
        do {
            const double dy = tensor_get(&t[DY], at), h = (tensor_get(&t[X_], at) - mean) * r;
            tensor_expect(&t[DX], at, wr * (dy - db / n - h * dw / n),
                          fabs(wr) * (6 * UNIT * (fabs(dy) + fabs(db / n) + fabs(h * dw / n)) +
                                      db_off / n + fabs(h) * dw_off / n));
        } while (next_of_channel(c, at));
    }
}

static void set_moments(const struct norm_case *c, struct tensor *t) {
    for (int64_t channel = 0; channel < c->size[1]; channel++) {
        const struct moments m = moments_of(c, &t[X_], channel);
        tensor_set(&t[MEAN_], &channel, m.mean);
        tensor_set(&t[VAR_], &channel, m.var);
    }
}

/* ---- The cases ----------------------------------------------------------------------------- */

static void run_norm(const struct norm_case *c, int layout) {
    const gn_norm_attr attr = {.struct_size = sizeof attr, .eps = eps};
    context("batch norm, %s, %s", c->name, layout_names[layout]);
    struct tensor f[FORWARD_TENSORS] = {output_of(GN_F32, c->n_dims, c->size, layout),
                                        make_x(c, layout),
                                        channels(c, false),
                                        channels(c, false),
                                        channels(c, true),
                                        channels(c, true)};
    if (run_plan(GN_KERNEL_BATCH_NORM_FORWARD, FORWARD_TENSORS, f, &attr, NULL)) {
        expect_forward(c, f);
        check_tensor(&f[MEAN]);
        check_tensor(&f[VAR]);
        check_tensor(&f[Y]);
    }
    context("batch norm dx, %s, %s", c->name, layout_names[layout]);
    struct tensor b[BACKWARD_TENSORS] = {output_of(GN_F32, c->n_dims, c->size, layout),
                                         channels(c, true),
                                         channels(c, true),
                                         input_of(GN_F32, c->n_dims, c->size, layout),
                                         make_x(c, layout),
                                         channels(c, false),
                                         channels(c, false),
                                         channels(c, false)};
    set_moments(c, b);
    if (run_plan(GN_KERNEL_BATCH_NORM_BACKWARD, BACKWARD_TENSORS, b, &attr, NULL)) {
        expect_backward(c, b);
        check_tensor(&b[DB]);
        check_tensor(&b[DW]);
        check_tensor(&b[DX]);
    }
}

static void test_norm(int index) {
    for (int layout = 0; layout < N_LAYOUTS; layout++)
        if (layout != NHWC || norms[index].n_dims > 2)
            run_norm(&norms[index], layout);
}

static const test_case cases[] = {
    {.name = "norm", .each = test_norm, .n = GN_LENGTH(norms)},
};

const test_group norm_group = {.name = "norm", CASES(cases), .after = kernel_after};
