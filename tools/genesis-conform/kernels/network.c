/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network.c - what networks are made of: softmax, layer norm, cross-entropy, AdamW. All are
 * composed of map and reduce; some are row programs, too, where the plugin has row_map.
 *
 * Bounds: eps times the errors of the table's opcodes on the way, a sum counting 64 + log2 n.
 */
#include "kernel.h"

#define EPS ((double)FLT_EPSILON)

/* Runs a row program. False, which is noted, if the plugin lacks row_map or hands this one back. */
static bool rows(const gn_program *program, size_t n_dims, const int64_t *size, size_t n_operands,
                 const gn_operand *operands, const gn_scalar *params) {
    subject("row_map", GN_F32);
    gn_status status = backend->row_map ? try_call(backend->row_map, program, 1, n_dims, size,
                                                   n_operands, operands, params)
                                        : GN_E_UNSUPPORTED;
    if (status == GN_E_UNSUPPORTED)
        note_composed();
    else
        expect_status(status, GN_OK);
    return status == GN_OK;
}

/* ---- Softmax --------------------------------------------------------------------------------- */

/* y[i, j] = exp(x[i, j] - max) / sum; -inf gives 0, a row with a NaN is NaN. */
static void expect_softmax(struct buffer *x, struct buffer *y, int n_rows, int n) {
    for (int i = 0; i < n_rows; i++) {
        double top = -INFINITY, sum = 0;
        for (int j = 0; j < n; j++)
            top = isnan(top) || get_f(x, i * n + j) < top ? top : get_f(x, i * n + j);
        for (int j = 0; j < n; j++)
            sum += exp(get_f(x, i * n + j) - top);
        for (int j = 0; j < n; j++)
            put_f(y, i * n + j, exp(get_f(x, i * n + j) - top) / sum);
    }
}

static struct buffer *logits(int n_rows, int n) {
    struct buffer *x = buffer_random(GN_F32, n_rows * n);
    for (int i = 0; i < n_rows * n; i++)
        F32(x)[i] *= i / n % 3 == 2 ? 40 : 1;
    F32(x)[n] = -INFINITY;
    if (n_rows > 6)
        F32(x)[6 * n + n / 2] = NAN;
    return x;
}

static void compose_softmax(struct buffer *x, struct buffer *y, int n_rows, int n) {
    struct buffer *top = buffer_new(GN_F32, n_rows), *sum = buffer_new(GN_F32, n_rows);
    program_begin("max");
    store(1, GN_F32, reduced(GN_MAX, load(0, GN_F32)));
    reduce(program_end(), 1, SIZES(n_rows, n), OPERANDS(AT(x, 0, n, 1), AT(top, 0, 1, 0)), NULL);
    program_begin("sum of exponentials");
    int e = op1(GN_OP_EXP, sub(load(0, GN_F32), load(1, GN_F32)));
    store(2, GN_F32, e); /* at full size */
    store(3, GN_F32, reduced(GN_SUM, e));
    reduce(program_end(), 1, SIZES(n_rows, n),
           OPERANDS(AT(x, 0, n, 1), AT(top, 0, 1, 0), AT(y, 0, n, 1), AT(sum, 0, 1, 0)), NULL);
    program_begin("divide");
    store(2, GN_F32, over(load(0, GN_F32), load(1, GN_F32)));
    map(program_end(), SIZES(n_rows, n), OPERANDS(AT(y, 0, n, 1), AT(sum, 0, 1, 0), AT(y, 0, n, 1)),
        NULL);
}

/* exp: 4 ulp and eps/2 of its argument, up to 160; a sum; a division. The tiny may be 0. */
static const double softmax_bound = EPS * (4 + 80 + 64 + 12 + 4 + 80 + 1);

static void softmax(int index) {
    subject("reduce", GN_F32);
    static const int shapes[][2] = {{7, 1}, {33, 71}, {9, 16}, {8, 1000}, {2, 5}};
    int n_rows = shapes[index][0], n = shapes[index][1];
    struct buffer *x = logits(n_rows, n), *y = buffer_new(GN_F32, n_rows * n);
    compose_softmax(x, y, n_rows, n);
    expect_softmax(x, y, n_rows, n);
    check_near(y, softmax_bound, FLT_MIN);
}

/* Five parts: element, row (empty), element, row, element. Every other time in place. */
static void softmax_rows(int index) {
    static const int shapes[][2] = {{7, 3}, {33, 71}, {9, 16}, {8, 1000}, {2, 20011}};
    int n_rows = shapes[index][0], n = shapes[index][1];
    struct buffer *x = logits(n_rows, n), *y = buffer_new(GN_F32, n_rows * n);
    program_begin("softmax");
    int top = reduced(GN_MAX, load(0, GN_F32));
    elements();
    int sum = reduced(GN_SUM, op1(GN_OP_EXP, sub(load(0, GN_F32), top)));
    int scale = over(const_f(GN_F32, 1), sum);
    elements();
    store(1, GN_F32, mul(op1(GN_OP_EXP, sub(load(0, GN_F32), top)), scale));
    bool in_place = index % 2;
    expect_softmax(x, y, n_rows, n);
    struct buffer *fresh = buffer_new(GN_F32, n_rows * n), *target = in_place ? x : fresh;
    if (!rows(program_end(), SIZES(n_rows, n), OPERANDS(AT(x, 0, n, 1), AT(target, 0, n, 1)), NULL))
        return;
    for (int i = 0; i < n_rows * n; i++)
        F32(target)[i] = F32(y)[i];
    check_near(target, softmax_bound, FLT_MIN);
}

/* ---- Layer norm ------------------------------------------------------------------------------ */

enum { ROWS = 37, WIDTH = 65 };

struct norm {
    struct buffer *x, *w, *b, *y, *mean, *rstd; /* (ROWS, WIDTH), (WIDTH), (ROWS) */
};

static struct norm norm_new(void) {
    return (struct norm){
        .x = buffer_random(GN_F32, ROWS * WIDTH),
        .w = buffer_random(GN_F32, WIDTH),
        .b = buffer_random(GN_F32, WIDTH),
        .y = buffer_new(GN_F32, ROWS * WIDTH),
        .mean = buffer_new(GN_F32, ROWS),
        .rstd = buffer_new(GN_F32, ROWS),
    };
}

static const gn_scalar norm_params[] = {{.f = 1. / WIDTH}, {.f = 1e-5}};

/* y = (x - mean) rstd w + b, rstd = 1 / sqrt(mean of (x - mean)^2 + eps) */
static void check_norm(struct norm *t) {
    for (int i = 0; i < ROWS; i++) {
        const float *x = F32(t->x) + i * WIDTH;
        double mean = 0, square = 0;
        for (int j = 0; j < WIDTH; j++)
            mean += x[j] / (double)WIDTH;
        for (int j = 0; j < WIDTH; j++)
            square += (x[j] - mean) * (x[j] - mean);
        double rstd = 1 / sqrt(square / WIDTH + 1e-5);
        F32(t->mean)[i] = (float)mean;
        F32(t->rstd)[i] = (float)rstd;
        for (int j = 0; j < WIDTH; j++)
            F32(t->y)[i * WIDTH + j] = (float)((x[j] - mean) * rstd * F32(t->w)[j] + F32(t->b)[j]);
    }
    double sum = EPS * (64 + log2(WIDTH)); /* |x| < 2, and so are w and b; rstd is about 1 */
    check_near(t->mean, 2 * EPS, 2 * sum);
    check_near(t->rstd, 3 * sum, 0);
    check_near(t->y, 6 * EPS, 2 * 2 * 4 * sum);
}

static void layer_norm(void) {
    subject("reduce", GN_F32);
    struct norm t = norm_new();
    program_begin("mean");
    store(1, GN_F32, mul(reduced(GN_SUM, load(0, GN_F32)), param(GN_F32, 0)));
    reduce(program_end(), 1, SIZES(ROWS, WIDTH),
           OPERANDS(AT(t.x, 0, WIDTH, 1), AT(t.mean, 0, 1, 0)), norm_params);
    program_begin("rstd");
    int d = sub(load(0, GN_F32), load(1, GN_F32));
    int variance = mul(reduced(GN_SUM, mul(d, d)), param(GN_F32, 0));
    store(2, GN_F32, op1(GN_OP_RSQRT, add(variance, param(GN_F32, 1))));
    reduce(program_end(), 1, SIZES(ROWS, WIDTH),
           OPERANDS(AT(t.x, 0, WIDTH, 1), AT(t.mean, 0, 1, 0), AT(t.rstd, 0, 1, 0)), norm_params);
    program_begin("normalise");
    int h = mul(sub(load(0, GN_F32), load(1, GN_F32)), load(2, GN_F32));
    store(5, GN_F32, add(mul(h, load(3, GN_F32)), load(4, GN_F32)));
    map(program_end(), SIZES(ROWS, WIDTH),
        OPERANDS(AT(t.x, 0, WIDTH, 1), AT(t.mean, 0, 1, 0), AT(t.rstd, 0, 1, 0), AT(t.w, 0, 0, 1),
                 AT(t.b, 0, 0, 1), AT(t.y, 0, WIDTH, 1)),
        NULL);
    check_norm(&t);
}

static void layer_norm_rows(void) {
    struct norm t = norm_new();
    program_begin("layer norm");
    int scale = param(GN_F32, 0);
    int mean = mul(reduced(GN_SUM, load(0, GN_F32)), scale);
    store(4, GN_F32, mean);
    elements();
    int d = sub(load(0, GN_F32), mean);
    int rstd = op1(GN_OP_RSQRT, add(mul(reduced(GN_SUM, mul(d, d)), scale), param(GN_F32, 1)));
    store(5, GN_F32, rstd);
    elements();
    int h = mul(sub(load(0, GN_F32), mean), rstd);
    store(3, GN_F32, add(mul(h, load(1, GN_F32)), load(2, GN_F32)));
    if (rows(program_end(), SIZES(ROWS, WIDTH),
             OPERANDS(AT(t.x, 0, WIDTH, 1), AT(t.w, 0, 0, 1), AT(t.b, 0, 0, 1),
                      AT(t.y, 0, WIDTH, 1), AT(t.mean, 0, 1, 0), AT(t.rstd, 0, 1, 0)),
             norm_params))
        check_norm(&t);
}

/* ---- Cross-entropy --------------------------------------------------------------------------- */

/* loss = mean over rows not ignored of log sum exp x - x[label]; dx = (softmax - one-hot) / count.
 * The label is found by comparing it with an index operand. */
static void cross_entropy(void) {
    subject("reduce", GN_F32);
    enum { N = 19, C = 31, IGNORED = -100 };
    struct buffer *x = buffer_random(GN_F32, N * C), *label = buffer_new(GN_I64, N);
    struct buffer *lse = buffer_new(GN_F32, N), *loss = buffer_new(GN_F32, 1),
                  *dx = buffer_new(GN_F32, N * C);
    for (int i = 0; i < N; i++)
        I64(label)[i] = i == 4 ? IGNORED : i * 7 % C;
    F32(x)[1] = -INFINITY; /* of row 0, whose label is 0 */

    program_begin("log sum exp");
    store(1, GN_F32, op1(GN_OP_LOG, reduced(GN_SUM, op1(GN_OP_EXP, load(0, GN_F32)))));
    reduce(program_end(), 1, SIZES(N, C), OPERANDS(AT(x, 0, C, 1), AT(lse, 0, 1, 0)), NULL);
    program_begin("loss");
    int is_label = op2(GN_OP_EQ, load(2, GN_I64), load_index(3));
    int term = choose(is_label, sub(load(1, GN_F32), load(0, GN_F32)), const_f(GN_F32, 0));
    int hit = cast_to(GN_I64, is_label), total = reduced(GN_SUM, term),
        count = reduced(GN_SUM, hit);
    store(4, GN_F32, over(total, cast_to(GN_F32, count)));
    reduce(program_end(), 2, SIZES(N, C),
           OPERANDS(AT(x, 0, C, 1), AT(lse, 0, 1, 0), AT(label, 0, 1, 0), INDEX(0, 0, 1),
                    AT(loss, 0, 0)),
           NULL);
    program_begin("gradient");
    int t = load(2, GN_I64), ignored = op2(GN_OP_EQ, t, const_i(GN_I64, IGNORED));
    int p = op1(GN_OP_EXP, sub(load(0, GN_F32), load(1, GN_F32)));
    int g = sub(p, cast_to(GN_F32, op2(GN_OP_EQ, t, load_index(3))));
    store(4, GN_F32, choose(ignored, const_f(GN_F32, 0), mul(g, param(GN_F32, 0))));
    map(program_end(), SIZES(N, C),
        OPERANDS(AT(x, 0, C, 1), AT(lse, 0, 1, 0), AT(label, 0, 1, 0), INDEX(0, 0, 1),
                 AT(dx, 0, C, 1)),
        PARAMS({.f = 1. / (N - 1)}));

    double sum = 0;
    for (int i = 0; i < N; i++) {
        double exponentials = 0;
        for (int j = 0; j < C; j++)
            exponentials += exp(F32(x)[i * C + j]);
        F32(lse)[i] = (float)log(exponentials);
        sum += i == 4 ? 0 : log(exponentials) - F32(x)[i * C + I64(label)[i]];
        for (int j = 0; j < C; j++)
            F32(dx)
        [i * C + j] =
            i == 4
                ? 0
                : (float)((exp(F32(x)[i * C + j]) / exponentials - (j == I64(label)[i])) / (N - 1));
    }
    F32(loss)[0] = (float)(sum / (N - 1));
    double in_log =
        EPS * (4 + 64 + log2(C)); /* a relative error in a logarithm is an absolute one */
    check_near(lse, 4 * EPS, in_log);
    check_near(loss, EPS * (64 + log2(N * C) + 2), in_log + 16 * EPS);
    check_near(dx, 8 * EPS, (in_log + 16 * EPS) / (N - 1));
}

/* ---- AdamW ----------------------------------------------------------------------------------- */

/* Loshchilov and Hutter, Decoupled weight decay regularization (2019): three operands in place.
 * Parameters: lr, beta1, beta2, eps, weight decay, 1 - beta1^t, sqrt(1 - beta2^t). */
static const gn_program *adamw_program(void) {
    program_begin("adamw");
    int p[7], one = const_f(GN_F32, 1);
    for (int k = 0; k < 7; k++)
        p[k] = param(GN_F32, k);
    int g = load(1, GN_F32);
    int m = add(mul(p[1], load(2, GN_F32)), mul(sub(one, p[1]), g));
    int v = add(mul(p[2], load(3, GN_F32)), mul(sub(one, p[2]), mul(g, g)));
    int decayed = mul(load(0, GN_F32), sub(one, mul(p[0], p[4])));
    int step = over(m, add(over(op1(GN_OP_SQRT, v), p[6]), p[3]));
    store(4, GN_F32, sub(decayed, mul(over(p[0], p[5]), step)));
    store(5, GN_F32, m);
    store(6, GN_F32, v);
    return program_end();
}

static void adamw(int index) {
    subject("map", GN_F32);
    static const int sizes[] = {1, 17, 1000, 100003};
    int n = sizes[index];
    double lr = 1e-3f, b1 = 0.9f, b2 = 0.999f, eps = 1e-8f, decay = 0.01f;
    double c1 = (float)(1 - pow(.9, 7)), c2 = (float)sqrt(1 - pow(.999, 7));
    struct buffer *w = buffer_random(GN_F32, n), *g = buffer_random(GN_F32, n);
    struct buffer *m = buffer_random(GN_F32, n), *v = buffer_random(GN_F32, n);
    for (int i = 0; i < n; i++)
        F32(v)[i] = fabsf(F32(v)[i]) + 0.01f; /* so that no gradient is divided by almost nothing */
    map(adamw_program(), SIZES(n),
        OPERANDS(AT(w, 0, 1), AT(g, 0, 1), AT(m, 0, 1), AT(v, 0, 1), AT(w, 0, 1), AT(m, 0, 1),
                 AT(v, 0, 1)),
        PARAMS({.f = lr}, {.f = b1}, {.f = b2}, {.f = eps}, {.f = decay}, {.f = c1}, {.f = c2}));
    for (int i = 0; i < n; i++) {
        double gradient = F32(g)[i], first = b1 * F32(m)[i] + (1 - b1) * gradient;
        double second = b2 * F32(v)[i] + (1 - b2) * gradient * gradient;
        F32(w)
        [i] = (float)(F32(w)[i] * (1 - lr * decay) - lr / c1 * first / (sqrt(second) / c2 + eps));
        F32(m)[i] = (float)first;
        F32(v)[i] = (float)second;
    }
    double step = lr / c1 * 2 / (0.09 / c2); /* no step is larger */
    check_near(w, 3 * EPS, 12 * EPS * step);
    check_near(m, 3 * EPS, 3 * EPS * 2);
    check_near(v, 6 * EPS, 0);
}

/* The same program on groups of different sizes in one call. */
static void map_many(void) {
    enum { GROUPS = 5 };
    static const int64_t size[GROUPS] = {1, 1000, 7, 64, 12345};
    gn_operand operands[3 * GROUPS];
    struct buffer *a[GROUPS], *b[GROUPS];
    subject("map_many", GN_F32);
    if (!backend->map_many) {
        note_composed();
        return;
    }
    program_begin("sgd");
    store(2, GN_F32, sub(load(0, GN_F32), load(1, GN_F32)));
    const gn_program *program = program_end();
    for (int i = 0; i < GROUPS; i++) {
        a[i] = buffer_random(GN_F32, size[i]);
        b[i] = buffer_random(GN_F32, size[i]);
        operands[3 * i] = operands[3 * i + 2] = AT(a[i], 0, 1);
        operands[3 * i + 1] = AT(b[i], 0, 1);
    }
    expect_status(try_map_many(program, GROUPS, size, 3, operands), GN_OK);
    for (int i = 0; i < GROUPS; i++) {
        for (int k = 0; k < size[i]; k++)
            F32(a[i])[k] -= F32(b[i])[k];
        context("group %d", i);
        check_exact(a[i]);
    }
}

static const test_case cases[] = {
    {.name = "softmax", .each = softmax, .n = 5},
    {.name = "softmax_rows", .each = softmax_rows, .n = 5},
    {.name = "layer_norm", .run = layer_norm},
    {.name = "layer_norm_rows", .run = layer_norm_rows},
    {.name = "cross_entropy", .run = cross_entropy},
    {.name = "adamw", .each = adamw, .n = 4},
    {.name = "map_many", .run = map_many},
};

const test_group networks_group = {.name = "networks", CASES(cases), .after = kernel_after};
