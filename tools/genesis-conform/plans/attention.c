/* SPDX-License-Identifier: Apache-2.0 */
/* attention.c - scaled dot-product attention and its gradients: layouts, masks, sizes, dtypes. */
#include "plan.h"

/* How a (batch.., rows, columns) tensor lies in memory. */
enum {
    DENSE,
    HEADS,      /* (B, H, T, D) in memory (B, T, H, D) */
    TRANSPOSED, /* each matrix by columns */
    PADDED,     /* three elements between rows, two per column */
    SHARED,     /* one for all heads of an image */
    SAME        /* one for all of the batch */
};

enum { NO_MASK, HIDES, HIDES_ROWS /* a third of the queries sees nothing */, ADDS };

struct attention_case {
    const char *name;
    int n_batch;
    int64_t batch[3], l, s, d, e;
    int q, k, v, y; /* y: of dy and the gradients, too */
    int mask, mask_layout;
    bool causal, nan; /* nan: q has one */
    double scale;     /* 0: 1 / sqrt d */
    int dtype;        /* 0: f32 */
};

#define BATCH(...) .n_batch = GN_LENGTH(((int64_t[]){__VA_ARGS__})), .batch = {__VA_ARGS__}

static const struct attention_case attentions[] = {
    {"one of all", .l = 1, .s = 1, .d = 1, .e = 1},
    {"tiny", BATCH(2), .l = 5, .s = 7, .d = 3, .e = 4},
    {"one query", BATCH(2, 3), .l = 1, .s = 300, .d = 64, .e = 64},
    {"one key", BATCH(2), .l = 70, .s = 1, .d = 16, .e = 16},
    {"multiples of tiles", BATCH(2, 2), .l = 64, .s = 128, .d = 64, .e = 64},
    {"long", BATCH(2), .l = 150, .s = 389, .d = 40, .e = 40},
    {"three batch dims", BATCH(2, 3, 2), .l = 9, .s = 8, .d = 8, .e = 8},
    {"narrow", BATCH(3), .l = 33, .s = 65, .d = 5, .e = 2},
    {"values wider", BATCH(2), .l = 40, .s = 50, .d = 16, .e = 100},
    {"values narrower", BATCH(2), .l = 40, .s = 50, .d = 96, .e = 8},
    {"128 wide", BATCH(2), .l = 37, .s = 70, .d = 128, .e = 128},
    {"256 wide", .l = 37, .s = 70, .d = 256, .e = 256},
    {"300 wide", .l = 10, .s = 20, .d = 300, .e = 300},
    {"heads", BATCH(2, 3), .l = 33, .s = 65, .d = 32, .e = 32, .q = HEADS, .k = HEADS, .v = HEADS,
     .y = HEADS},
    {"heads, causal", BATCH(2, 3), .l = 70, .s = 70, .d = 32, .e = 32, .q = HEADS, .k = HEADS,
     .v = HEADS, .y = HEADS, .causal = true},
    {"shared keys", BATCH(2, 4), .l = 20, .s = 30, .d = 16, .e = 16, .k = SHARED, .v = SHARED},
    {"same keys, other values", BATCH(2, 2), .l = 20, .s = 30, .d = 16, .e = 16, .k = SAME},
    {"same queries", BATCH(3), .l = 20, .s = 30, .d = 16, .e = 16, .q = SAME},
    {"transposed", BATCH(2), .l = 40, .s = 35, .d = 20, .e = 24, .q = TRANSPOSED, .k = TRANSPOSED,
     .v = TRANSPOSED, .y = TRANSPOSED},
    {"padded", BATCH(2), .l = 40, .s = 35, .d = 20, .e = 24, .q = PADDED, .k = PADDED, .v = PADDED,
     .y = PADDED},
    {"causal", BATCH(2), .l = 130, .s = 130, .d = 64, .e = 64, .causal = true},
    {"causal, more queries", BATCH(2), .l = 140, .s = 33, .d = 16, .e = 16, .causal = true},
    {"causal, more keys", BATCH(2), .l = 33, .s = 140, .d = 16, .e = 16, .causal = true},
    {"mask", BATCH(2, 2), .l = 40, .s = 70, .d = 16, .e = 16, .mask = HIDES},
    {"mask, causal", BATCH(2, 2), .l = 70, .s = 70, .d = 16, .e = 16, .mask = HIDES,
     .causal = true},
    {"mask of all heads", BATCH(2, 2), .l = 40, .s = 70, .d = 16, .e = 16, .mask = HIDES,
     .mask_layout = SHARED},
    {"mask hides rows", BATCH(2), .l = 40, .s = 70, .d = 16, .e = 16, .mask = HIDES_ROWS},
    {"mask added", BATCH(2, 2), .l = 40, .s = 70, .d = 16, .e = 16, .mask = ADDS},
    {"mask added, padded, same", BATCH(2, 2), .l = 40, .s = 70, .d = 16, .e = 16, .mask = ADDS,
     .mask_layout = SAME, .causal = true},
    {"large scores", BATCH(2), .l = 40, .s = 70, .d = 16, .e = 16, .scale = 30},
    {"negative scale", BATCH(2), .l = 40, .s = 70, .d = 16, .e = 16, .scale = -0.5},
    {"NaN", BATCH(2), .l = 40, .s = 70, .d = 16, .e = 16, .nan = true},
    {"f16", BATCH(2), .l = 40, .s = 70, .d = 32, .e = 32, .dtype = GN_F16},
    {"bf16", BATCH(2), .l = 40, .s = 70, .d = 32, .e = 32, .dtype = GN_BF16, .mask = ADDS},
    {"f64", BATCH(2), .l = 40, .s = 70, .d = 32, .e = 32, .dtype = GN_F64, .causal = true},
};

/* ---- Tensors ------------------------------------------------------------------------------- */

typedef struct tensor make_tensor(int, int, const int64_t *, const int64_t *);

static struct tensor matrices(const struct attention_case *c, int dtype, int layout, int64_t rows,
                              int64_t columns, make_tensor *make) {
    const int n = c->n_batch;
    int64_t size[5], stride[5], next = rows * columns;
    size[n] = rows;
    size[n + 1] = columns;
    stride[n] = layout == TRANSPOSED ? 1 : columns;
    stride[n + 1] = layout == TRANSPOSED ? rows : 1;
    if (layout == PADDED) {
        stride[n + 1] = 2;
        stride[n] = 2 * columns + 3;
        next = stride[n] * rows;
    }
    for (int d = n - 1; d >= 0; d--) {
        const bool spread = layout == SAME || (layout == SHARED && d == n - 1);
        size[d] = c->batch[d];
        stride[d] = spread ? 0 : next;
        next *= spread ? 1 : size[d];
    }
    if (layout == HEADS) {
        stride[n - 1] = columns;
        stride[n] = columns * size[n - 1];
    }
    return make(dtype, n + 2, size, stride);
}

static struct tensor make_mask(const struct attention_case *c, int dtype) {
    if (c->mask == NO_MASK)
        return absent();
    struct tensor mask =
        matrices(c, c->mask == ADDS ? dtype : GN_BOOL, c->mask_layout, c->l, c->s, input);
    int64_t at[5] = {0};
    const int n = mask.desc.n_dims;
    do {
        if (c->mask == ADDS && random_bits() % 8 == 0)
            tensor_set(&mask, at, -(double)INFINITY);
        else if (c->mask == HIDES && at[n - 1] == 0) /* so that all see something */
            tensor_set(&mask, at, 1);
        else if (c->mask == HIDES_ROWS && at[n - 2] % 3 == 1)
            tensor_set(&mask, at, 0);
    } while (next_coordinate(at, (size_t)n, mask.desc.size));
    return mask;
}

/* ---- What is expected, in double precision, and how far the device may be off, to first order */

/*
 * An absolute error of a score is a relative one of its weight p, and the errors' mean, weighted by
 * p, one of the sum that weights are divided by. All else are sums of n products, which are off by
 * up to n units of the sum of their magnitudes. Of 16-bit tensors a device may keep p and ds in 16
 * bits. One element of the batch; matrices are row-major.
 */
struct attention {
    int64_t l, s, d, e;
    double scale, unit, stored; /* stored: of one rounding to a 16-bit dtype, else 0 */
    bool causal;
    double *q, *k, *v, *dy, *mask; /* mask: what is added, -inf where it hides */
    double *p, *off;               /* of a query: weights, and their relative errors */
    double *y, *dq, *dk, *dv;      /* value and tolerance of each element */
};

static double score(const struct attention *a, int64_t i, int64_t j, double *off) {
    const double mask = a->mask[i * a->s + j];
    double sum = 0, size = 0;
    *off = 0;
    if (mask == -(double)INFINITY || (a->causal && j > i))
        return -(double)INFINITY;
    for (int64_t d = 0; d < a->d; d++) {
        const double product = a->q[i * a->d + d] * a->k[j * a->d + d];
        sum += product;
        size += fabs(product);
    }
    *off = a->unit * ((double)(a->d + 2) * fabs(a->scale) * size + fabs(mask));
    return a->scale * sum + mask;
}

static void find_weights(struct attention *a, int64_t i) {
    double max = -(double)INFINITY, sum = 0, mean = 0;
    for (int64_t j = 0; j < a->s; j++) {
        a->p[j] = score(a, i, j, &a->off[j]);
        max = a->p[j] > max ? a->p[j] : max;
    }
    for (int64_t j = 0; j < a->s; j++) {
        const double x = a->p[j];
        a->p[j] = x == -(double)INFINITY ? 0 : exp(x - max);
        a->off[j] += a->p[j] == 0 ? 0 : a->unit * (fabs(x) + fabs(max) + 8);
        sum += a->p[j];
    }
    for (int64_t j = 0; j < a->s; j++) {
        a->p[j] = a->p[j] == 0 ? 0 : a->p[j] / sum;
        mean += a->p[j] * a->off[j];
    }
    for (int64_t j = 0; j < a->s; j++)
        a->off[j] += mean + a->unit * ((double)a->s + log((double)a->s) + 4) + a->stored;
}

/* Adds a term of a sum of n to an element. A tiny factor may be flushed to 0. */
static void add_term(const struct attention *a, double *to, double factor, double factor_off,
                     double x, int64_t n) {
    to[0] += factor * x;
    to[1] += (factor_off + fabs(factor) * a->unit * (double)(n + 2) + FLT_MIN) * fabs(x);
}

/* y_e = sum_j p_j v_je */
static void add_forward(const struct attention *a, int64_t i) {
    for (int64_t j = 0; j < a->s; j++)
        for (int64_t e = 0; e < a->e && a->p[j] != 0; e++)
            add_term(a, &a->y[2 * (i * a->e + e)], a->p[j], a->p[j] * a->off[j], a->v[j * a->e + e],
                     a->s);
}

/* dp_j = sum_e dy_e v_je, and in *size that of magnitudes. */
static double product(const struct attention *a, int64_t i, int64_t j, double *size) {
    double sum = 0;
    *size = 0;
    for (int64_t e = 0; e < a->e; e++) {
        const double term = a->dy[i * a->e + e] * a->v[j * a->e + e];
        sum += term;
        *size += fabs(term);
    }
    return sum;
}

/* dv_je = sum_i p_ij dy_ie; ds_ij = scale p (dp - delta), delta = sum_j p dp = sum_e dy_e y_e;
 * dq_id = sum_j ds k_jd; dk_jd = sum_i ds q_id */
static void add_backward(const struct attention *a, int64_t i) {
    double delta = 0, delta_off = 0, size;
    for (int64_t j = 0; j < a->s; j++) {
        if (a->p[j] == 0)
            continue;
        delta += a->p[j] * product(a, i, j, &size);
        delta_off += a->p[j] * size * (a->off[j] + a->unit * (double)(a->s + a->e + 4) + a->stored);
    }
    for (int64_t j = 0; j < a->s; j++) {
        const double p = a->p[j];
        if (p == 0)
            continue;
        const double dp = product(a, i, j, &size), ds = a->scale * p * (dp - delta);
        const double magnitude = fabs(dp) + fabs(delta);
        const double ds_off =
            (a->off[j] + a->stored) * fabs(ds) +
            fabs(a->scale) *
                (p * (delta_off + a->unit * ((double)(a->e + 2) * size + 2 * magnitude)) +
                 FLT_MIN * magnitude);
        for (int64_t d = 0; d < a->d; d++) {
            const int64_t q = i * a->d + d, k = j * a->d + d;
            add_term(a, &a->dq[2 * q], ds, ds_off, a->k[k], a->s);
            add_term(a, &a->dk[2 * k], ds, ds_off, a->q[q], a->l);
        }
        for (int64_t e = 0; e < a->e; e++)
            add_term(a, &a->dv[2 * (j * a->e + e)], p, p * a->off[j], a->dy[i * a->e + e], a->l);
    }
}

/* ---- Between tensors and matrices ---------------------------------------------------------- */

/* The tensor's matrix at `at`, which has coordinates of the batch. NULL: absent, zeros. */
static double *read_matrix(const struct tensor *t, int64_t *at, int n_batch, int64_t rows,
                           int64_t columns) {
    double *matrix = case_alloc((size_t)(rows * columns), sizeof *matrix);
    for (int64_t i = 0; t && t->buffer && i < rows * columns; i++) {
        at[n_batch] = i / columns;
        at[n_batch + 1] = i % columns;
        const double value = tensor_get(t, at);
        matrix[i] = t->desc.dtype != GN_BOOL ? value : value != 0 ? 0 : -(double)INFINITY;
    }
    return matrix;
}

static void expect_matrix(struct tensor *t, int64_t *at, int n_batch, int64_t rows, int64_t columns,
                          const double *matrix, double stored) {
    for (int64_t i = 0; i < rows * columns; i++) {
        at[n_batch] = i / columns;
        at[n_batch + 1] = i % columns;
        tensor_expect(t, at, matrix[2 * i],
                      matrix[2 * i + 1] + stored * fabs(matrix[2 * i]) + FLT_MIN);
    }
}

enum { Y, Q, K, V, MASK, FORWARD_TENSORS };
enum { DQ, DK, DV, DY, Y_, Q_, K_, V_, MASK_, BACKWARD_TENSORS };

/* Of all the batch: y of `f`, or the gradients of `b`; the other is NULL. */
static void expect(const struct attention_case *c, const gn_attention_attr *attr, struct tensor *f,
                   struct tensor *b) {
    const int dtype = c->dtype ? c->dtype : GN_F32, n = c->n_batch;
    struct attention a = {.l = c->l,
                          .s = c->s,
                          .d = c->d,
                          .e = c->e,
                          .scale = attr->scale,
                          .unit = dtype == GN_F64 ? UNIT * UNIT : UNIT,
                          .stored = dtype == GN_BF16  ? ldexp(1, -8)
                                    : dtype == GN_F16 ? ldexp(1, -11)
                                                      : 0,
                          .causal = c->causal};
    int64_t at[5] = {0};
    a.p = case_alloc((size_t)c->s, sizeof *a.p);
    a.off = case_alloc((size_t)c->s, sizeof *a.off);
    do {
        a.q = read_matrix(f ? &f[Q] : &b[Q_], at, n, c->l, c->d);
        a.k = read_matrix(f ? &f[K] : &b[K_], at, n, c->s, c->d);
        a.v = read_matrix(f ? &f[V] : &b[V_], at, n, c->s, c->e);
        a.mask = read_matrix(f ? &f[MASK] : &b[MASK_], at, n, c->l, c->s);
        a.dy = read_matrix(b ? &b[DY] : NULL, at, n, c->l, c->e);
        a.y = case_alloc((size_t)(2 * c->l * c->e), sizeof *a.y);
        a.dq = case_alloc((size_t)(2 * c->l * c->d), sizeof *a.dq);
        a.dk = case_alloc((size_t)(2 * c->s * c->d), sizeof *a.dk);
        a.dv = case_alloc((size_t)(2 * c->s * c->e), sizeof *a.dv);
        for (int64_t i = 0; i < c->l; i++) {
            find_weights(&a, i);
            if (f)
                add_forward(&a, i);
            else
                add_backward(&a, i);
        }
        const double stored = 2 * a.stored; /* of the device, and of what is expected */
        if (f) {
            expect_matrix(&f[Y], at, n, c->l, c->e, a.y, stored);
        } else {
            expect_matrix(&b[DQ], at, n, c->l, c->d, a.dq, stored);
            expect_matrix(&b[DK], at, n, c->s, c->d, a.dk, stored);
            expect_matrix(&b[DV], at, n, c->s, c->e, a.dv, stored);
        }
        at[n] = at[n + 1] = 0;
    } while (n > 0 && next_coordinate(at, (size_t)n, c->batch));
}

/* ---- The cases ----------------------------------------------------------------------------- */

static void test_attention(int index) {
    const struct attention_case *c = &attentions[index];
    const int dtype = c->dtype ? c->dtype : GN_F32;
    const gn_attention_attr attr = {.struct_size = sizeof attr,
                                    .scale = c->scale != 0 ? c->scale : 1 / sqrt((double)c->d),
                                    .causal = c->causal};
    struct buffer *saved = NULL;
    context("attention, %s", c->name);
    struct tensor f[FORWARD_TENSORS] = {
        [Y] = matrices(c, dtype, c->y, c->l, c->e, output),
        [Q] = matrices(c, dtype, c->q, c->l, c->d, input),
        [K] = matrices(c, dtype, c->k, c->s, c->d, input),
        [V] = matrices(c, dtype, c->v, c->s, c->e, input),
        [MASK] = make_mask(c, dtype),
    };
    if (c->nan)
        put_f(f[Q].buffer, f[Q].first, (double)NAN);
    if (!run_plan(GN_KERNEL_ATTENTION_FORWARD, FORWARD_TENSORS, f, &attr, &saved))
        return;
    expect(c, &attr, f, NULL);
    check_tensor(&f[Y]);

    context("attention's gradients, %s", c->name);
    struct tensor b[BACKWARD_TENSORS] = {
        [DQ] = matrices(c, dtype, c->y, c->l, c->d, output),
        [DK] = matrices(c, dtype, c->y, c->s, c->d, output),
        [DV] = matrices(c, dtype, c->y, c->s, c->e, output),
        [DY] = matrices(c, dtype, c->y, c->l, c->e, input),
        [Y_] = f[Y],
        [Q_] = f[Q],
        [K_] = f[K],
        [V_] = f[V],
        [MASK_] = f[MASK],
    };
    if (!run_plan(GN_KERNEL_ATTENTION_BACKWARD, BACKWARD_TENSORS, b, &attr, &saved))
        return;
    expect(c, &attr, NULL, b);
    check_tensor(&b[DQ]);
    check_tensor(&b[DK]);
    check_tensor(&b[DV]);
}

static const test_case cases[] = {
    {.name = "attention", .each = test_attention, .n = GN_LENGTH(attentions)},
};

const test_group attention_group = {.name = "attention", CASES(cases), .after = kernel_after};
