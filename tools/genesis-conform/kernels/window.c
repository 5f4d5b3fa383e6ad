/* SPDX-License-Identifier: Apache-2.0 */
/* window.c - convolution, its gradients and max pooling as reductions over windows. */
#include "kernel.h"

#include <string.h>

/* x (n, groups c, h, w), weight (groups o, c, kh, kw), y (n, groups o, oh, ow) */
struct conv {
    int n, groups, c, o, h, w, kh, kw, stride, padding, dilation;
};

static const struct conv convs[] = {
    {2, 2, 3, 2, 9, 8, 3, 3, 1, 1, 1},
    {2, 2, 3, 2, 10, 9, 3, 2, 2, 1, 2},
    {1, 1, 2, 3, 8, 8, 1, 1, 3, 2, 1},
    {2, 1, 3, 5, 7, 19, 5, 3, 2, 2, 1},
};

static int out_size(const struct conv *v, int in, int kernel) {
    return (in + 2 * v->padding - v->dilation * (kernel - 1) - 1) / v->stride + 1;
}

static const gn_program *copier(void) {
    program_begin("copy");
    store(1, GN_F32, load(0, GN_F32));
    return program_end();
}

static const gn_program *dot_product(void) {
    program_begin("dot");
    store(2, GN_F32, reduced(GN_SUM, mul(load(0, GN_F32), load(1, GN_F32))));
    return program_end();
}

static struct buffer *zeros(int64_t n) {
    struct buffer *b = buffer_new(GN_F32, n);
    for (int64_t i = 0; i < n; i++)
        F32(b)[i] = 0;
    return b;
}

/* y += x * w, dx += dy * w, dw += dy * x over all products of the convolution. */
static void expect_conv(const struct conv *v, const float *x, const float *w, const float *dy,
                        float *y, float *dx, float *dw) {
    int oh = out_size(v, v->h, v->kh), ow = out_size(v, v->w, v->kw);
    const int64_t size[] = {v->n, v->groups, v->o, oh, ow, v->c, v->kh, v->kw};
    int64_t at[8] = {0};
    do {
        int64_t row = at[3] * v->stride - v->padding + at[6] * v->dilation;
        int64_t column = at[4] * v->stride - v->padding + at[7] * v->dilation;
        if (row < 0 || row >= v->h || column < 0 || column >= v->w)
            continue;
        int64_t channel = at[0] * v->groups * v->c + at[1] * v->c + at[5], o = at[1] * v->o + at[2];
        int64_t xi = (channel * v->h + row) * v->w + column;
        int64_t wi = ((o * v->c + at[5]) * v->kh + at[6]) * v->kw + at[7];
        int64_t yi = ((at[0] * v->groups * v->o + o) * oh + at[3]) * ow + at[4];
        y[yi] += x[xi] * w[wi];
        dx[xi] += dy[yi] * w[wi];
        dw[wi] += dy[yi] * x[xi];
    } while (next_coordinate(at, 8, size));
}

/* The window view of a padded copy, and for dx a walk backwards through dy spread by the stride. */
static void convolution(int index) {
    subject("reduce", GN_F32);
    const struct conv v = convs[index];
    int64_t oh = out_size(&v, v.h, v.kh), ow = out_size(&v, v.w, v.kw), s = v.stride,
            e = v.dilation;
    int64_t hp = v.h + 2 * v.padding, wp = v.w + 2 * v.padding, C = v.groups * v.c,
            O = v.groups * v.o;
    int64_t plane = hp * wp, K = v.kh * v.kw, Q = oh * ow, HW = v.h * v.w;
    struct buffer *x = buffer_whole(GN_F32, v.n * C * HW), *w = buffer_whole(GN_F32, O * v.c * K);
    struct buffer *dy = buffer_whole(GN_F32, v.n * O * Q), *y = buffer_new(GN_F32, v.n * O * Q);
    struct buffer *dx = buffer_new(GN_F32, v.n * C * HW), *dw = buffer_new(GN_F32, O * v.c * K);
    const gn_program *copy = copier(), *dot = dot_product();

    struct buffer *padded = zeros(v.n * C * plane);
    map(copy, SIZES(v.n * C, v.h, v.w),
        OPERANDS(AT(x, 0, HW, v.w, 1), AT(padded, v.padding * wp + v.padding, plane, wp, 1)), NULL);
    reduce(dot, 3, SIZES(v.n, v.groups, v.o, oh, ow, v.c, v.kh, v.kw),
           OPERANDS(AT(padded, 0, C * plane, v.c * plane, 0, s * wp, s, plane, e * wp, e),
                    AT(w, 0, 0, v.o * v.c * K, v.c * K, 0, 0, K, v.kw, 1),
                    AT(y, 0, O * Q, v.o * Q, Q, ow, 1)),
           NULL);
    reduce(dot, 3, SIZES(v.groups, v.o, v.c, v.kh, v.kw, v.n, oh, ow),
           OPERANDS(AT(padded, 0, v.c * plane, 0, plane, e * wp, e, C * plane, s * wp, s),
                    AT(dy, 0, v.o * Q, Q, 0, 0, 0, O * Q, ow, 1),
                    AT(dw, 0, v.o * v.c * K, v.c * K, K, v.kw, 1)),
           NULL);

    int64_t eh = e * (v.kh - 1), ew = e * (v.kw - 1), hd = v.h + v.padding + eh,
            wd = v.w + v.padding + ew;
    hd = hd > eh + (oh - 1) * s + 1 ? hd : eh + (oh - 1) * s + 1;
    wd = wd > ew + (ow - 1) * s + 1 ? wd : ew + (ow - 1) * s + 1;
    struct buffer *spread = zeros(v.n * O * hd * wd);
    map(copy, SIZES(v.n * O, oh, ow),
        OPERANDS(AT(dy, 0, Q, ow, 1), AT(spread, eh * wd + ew, hd * wd, s * wd, s)), NULL);
    reduce(dot, 3, SIZES(v.n, v.groups, v.c, v.h, v.w, v.o, v.kh, v.kw),
           OPERANDS(AT(spread, (v.padding + eh) * wd + v.padding + ew, O * hd * wd, v.o * hd * wd,
                       0, wd, 1, hd * wd, -e * wd, -e),
                    AT(w, 0, 0, v.o * v.c * K, K, 0, 0, v.c * K, v.kw, 1),
                    AT(dx, 0, C * HW, v.c * HW, HW, v.w, 1)),
           NULL);

    memset(y->data, 0, (size_t)y->n * sizeof(float));
    memset(dx->data, 0, (size_t)dx->n * sizeof(float));
    memset(dw->data, 0, (size_t)dw->n * sizeof(float));
    expect_conv(&v, F32(x), F32(w), F32(dy), F32(y), F32(dx), F32(dw));
    context("convolution %d", index);
    check_exact(y);
    check_exact(dw);
    check_exact(dx);
}

/* ---- Max pooling ----------------------------------------------------------------------------- */

enum { PLANES = 6, H = 11, W = 9, KERNEL = 3, STRIDE = 2, PADDING = 1, OH = 6, OW = 5 };

/* Operand 0 is x by LOADX, 1 and 2 are row and column as index operands: no padded copy. */
static const gn_program *pool_program(void) {
    program_begin("max pool");
    int row = load_index(1), column = load_index(2), zero = const_i(GN_I64, 0);
    int rows = op2(GN_OP_AND, op2(GN_OP_LE, zero, row), op2(GN_OP_LT, row, const_i(GN_I64, H)));
    int columns =
        op2(GN_OP_AND, op2(GN_OP_LE, zero, column), op2(GN_OP_LT, column, const_i(GN_I64, W)));
    int inside = op2(GN_OP_AND, rows, columns), at = add(mul(row, const_i(GN_I64, W)), column);
    int x = choose(inside, loadx(0, GN_F32, choose(inside, at, zero)), const_f(GN_F32, -INFINITY));
    int place = choose(inside, at, const_i(GN_I64, INT64_MAX));
    int largest = reduced(GN_MAX, x), where = reduced_arg(GN_ARGMAX, x, place);
    store(3, GN_F32, largest);
    store(4, GN_I64, where);
    return program_end();
}

/* The first maximum in row-major order, NaN before all; where all is -inf, the first element. */
static int64_t expect_maximum(const float *plane, int oh, int ow) {
    int64_t best = -1;
    for (int k = 0; k < KERNEL * KERNEL; k++) {
        int row = oh * STRIDE - PADDING + k / KERNEL, column = ow * STRIDE - PADDING + k % KERNEL;
        if (row < 0 || row >= H || column < 0 || column >= W)
            continue;
        float value = plane[row * W + column];
        if (best < 0 || value > plane[best] || (isnan(value) && !isnan(plane[best])))
            best = row * W + column;
    }
    return best;
}

static void max_pool(void) {
    subject("reduce", GN_F32);
    enum { Q = OH * OW };
    struct buffer *x = buffer_whole(GN_F32, PLANES * H * W), *dy = buffer_whole(GN_F32, PLANES * Q);
    struct buffer *y = buffer_new(GN_F32, PLANES * Q), *place = buffer_new(GN_I64, PLANES * Q);
    struct buffer *dx = zeros(PLANES * H * W);
    for (int i = 0; i < 3 * W; i++)
        F32(x)[i] = -INFINITY;
    F32(x)[H * W + 40] = NAN;
    reduce(pool_program(), 2, SIZES(PLANES, OH, OW, KERNEL, KERNEL),
           OPERANDS(with_axis(AT(x, 0, H * W, 0, 0, 0, 0), 1, H * W),
                    INDEX(-PADDING, 0, STRIDE, 0, 1, 0), INDEX(-PADDING, 0, 0, STRIDE, 0, 1),
                    AT(y, 0, Q, OW, 1, 0, 0), AT(place, 0, Q, OW, 1, 0, 0)),
           NULL);
    scatter(GN_F32, GN_SCATTER_ADD, 1, SIZES(PLANES, Q), AT(dy, 0, Q, 1), AT(place, 0, Q, 1),
            with_axis(AT(dx, 0, H * W, 0), 1, H * W));
    for (int i = 0; i < PLANES * Q; i++) {
        int64_t plane = i / Q * H * W, best = expect_maximum(F32(x) + plane, i % Q / OW, i % OW);
        F32(y)[i] = F32(x)[plane + best];
        I64(place)[i] = best;
        F32(dx)[plane + best] += F32(dy)[i];
    }
    check_exact(y);
    check_exact(place);
    check_exact(dx);
}

/* A matrix product as a reduction; the second operand transposed in memory. */
static void matrix_product(void) {
    subject("reduce", GN_F32);
    enum { M = 33, N = 17, K = 70 };
    struct buffer *a = buffer_whole(GN_F32, M * K), *b = buffer_whole(GN_F32, K * N);
    struct buffer *c = buffer_new(GN_F32, M * N);
    reduce(dot_product(), 1, SIZES(M, N, K),
           OPERANDS(AT(a, 0, K, 0, 1), AT(b, 0, 0, K, 1), AT(c, 0, N, 1, 0)), NULL);
    for (int i = 0; i < M * N; i++) {
        F32(c)[i] = 0;
        for (int k = 0; k < K; k++)
            F32(c)[i] += F32(a)[i / N * K + k] * F32(b)[i % N * K + k];
    }
    check_exact(c);
}

static const test_case cases[] = {
    {.name = "convolution", .each = convolution, .n = GN_LENGTH(convs)},
    {.name = "max_pool", .run = max_pool},
    {.name = "matrix_product", .run = matrix_product},
};

const test_group windows_group = {.name = "windows", CASES(cases), .after = kernel_after};
