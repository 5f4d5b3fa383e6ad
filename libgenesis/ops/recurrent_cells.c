/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recurrent_cells.c - the pointwise part of a step of each cell, forward and backward: one map
 * program each, over (N, H). recurrent.h has the mathematics. With lengths, a sequence that has
 * ended keeps its state, and gradients pass by.
 */
#include "recurrent.h"

enum { MAX_GATES = 4, MAX_STEP_OPERANDS = 24 };

/* ---- Building programs */

static int add(gn__builder *b, int x, int y) { return gn__emit(b, GN_OP_ADD, x, y, 0); }
static int sub(gn__builder *b, int x, int y) { return gn__emit(b, GN_OP_SUB, x, y, 0); }
static int mul(gn__builder *b, int x, int y) { return gn__emit(b, GN_OP_MUL, x, y, 0); }
static int tanh_of(gn__builder *b, int x) { return gn__emit(b, GN_OP_TANH, x, 0, 0); }
static int one(gn__builder *b, int x) { return gn__const_f(b, gn__type_of(b, x), 1); }
static int one_minus(gn__builder *b, int x) { return sub(b, one(b, x), x); }

static int sigmoid_of(gn__builder *b, int x) {
    const int e = gn__emit(b, GN_OP_EXP, gn__emit(b, GN_OP_NEG, x, 0, 0), 0, 0);
    return gn__emit(b, GN_OP_DIV, one(b, x), add(b, one(b, x), e), 0);
}

/* The slope of a sigmoid and of a tanh whose value is y. */
static int sigmoid_slope(gn__builder *b, int y) { return mul(b, y, one_minus(b, y)); }
static int tanh_slope(gn__builder *b, int y) { return one_minus(b, mul(b, y, y)); }

/* An operand that is read, as its value. */
static int read(gn__builder *b, int dtype) {
    return gn__load(b, gn__build_operand(b, GN_READ, dtype));
}

static void read_blocks(gn__builder *b, int dtype, int n, int *values) {
    for (int g = 0; g < n; g++)
        values[g] = read(b, dtype);
}

static void write(gn__builder *b, int dtype, int value) {
    gn__store(b, gn__build_operand(b, GN_WRITE, dtype), value);
}

static void write_blocks(gn__builder *b, int dtype, int n, const int *values) {
    for (int g = 0; g < n; g++)
        write(b, dtype, values[g]);
}

/* Variants: the dtype, whether there are lengths, whether there is a dy, relu. */
enum { DTYPE, ENDS, HAS_DY, RELU };

/* Whether the sequence goes on at this step. Operand lengths, param t. */
static int lives(gn__builder *b) {
    const int length = read(b, GN_I64);
    return gn__emit(b, GN_OP_LT, gn__param(b, GN_I64, gn__build_param(b)), length, 0);
}

static int choose(gn__builder *b, int condition, int x, int y) {
    return gn__emit(b, GN_OP_SELECT, condition, x, y);
}

/* ---- Running them: operands in the order in which the program was built */

typedef struct operands {
    int n;
    gn__operand at[MAX_STEP_OPERANDS];
} operands;

static void give(operands *o, gn__operand operand) { o->at[o->n++] = operand; }

static void give_blocks(operands *o, const gn__step *s, gn__operand first, int n) {
    for (int g = 0; g < n; g++) {
        give(o, first);
        first.offset += s->hidden;
    }
}

static gn_status run(const gn__step *s, const char *op, gn__kernel *kernel, bool relu,
                     const operands *o, bool backward) {
    const gn__rows space = {.n_dims = 2, .size = {s->n, s->hidden}};
    const gn__variant variant = GN__VARIANT(s->dtype, s->ends, backward && s->has_dy, relu);
    return gn__kernel_run(op, s->device, kernel, variant, &space, o->at,
                          (const gn_scalar[]){{.i = s->t}});
}

/* The gradient of h_new: what comes from y, from the next step, and by the direct way. */
static int build_dh(gn__builder *b, const int8_t *v, bool direct) {
    int dh = read(b, v[DTYPE]);
    if (v[HAS_DY])
        dh = add(b, dh, read(b, v[DTYPE]));
    return direct ? add(b, dh, read(b, v[DTYPE])) : dh;
}

static void give_dh(operands *o, const gn__step *s, bool direct) {
    give(o, s->carry);
    if (s->has_dy)
        give(o, s->dy);
    if (direct)
        give(o, s->direct);
}

/* ---- RNN */

static void build_rnn(gn__builder *b, const int8_t *v) {
    const int x = add(b, read(b, v[DTYPE]), read(b, v[DTYPE]));
    int h = v[RELU] ? gn__emit(b, GN_OP_MAX, x, gn__const_f(b, gn__type_of(b, x), 0), 0)
                    : tanh_of(b, x);
    if (v[ENDS]) {
        const int old = read(b, v[DTYPE]);
        h = choose(b, lives(b), h, old);
    }
    write(b, v[DTYPE], h);
}

static void build_rnn_backward(gn__builder *b, const int8_t *v) {
    const int h = read(b, v[DTYPE]), dh = build_dh(b, v, v[ENDS]);
    const int zero = gn__const_f(b, gn__type_of(b, h), 0);
    int dx = v[RELU] ? choose(b, gn__emit(b, GN_OP_LT, zero, h, 0), dh, zero)
                     : mul(b, dh, tanh_slope(b, h));
    if (v[ENDS]) {
        const int live = lives(b);
        dx = choose(b, live, dx, zero);
        write(b, v[DTYPE], choose(b, live, zero, dh));
    }
    write(b, v[DTYPE], dx);
}

static gn_status rnn_forward(const gn__step *s, bool relu) {
    static gn__kernel kernel = {.name = "rnn", .build = build_rnn};
    operands o = {0};
    give(&o, s->x);
    give(&o, s->hw);
    if (s->ends) {
        give(&o, s->h_old);
        give(&o, s->lengths);
    }
    give(&o, s->h_new);
    return run(s, "rnn", &kernel, relu, &o, false);
}

static gn_status rnn_backward(const gn__step *s, bool relu) {
    static gn__kernel kernel = {.name = "rnn_gradient", .build = build_rnn_backward};
    operands o = {0};
    give(&o, s->h_new);
    give_dh(&o, s, s->ends);
    if (s->ends) {
        give(&o, s->lengths);
        give(&o, s->direct);
    }
    give(&o, s->dx);
    return run(s, "rnn", &kernel, relu, &o, true);
}

static gn_status tanh_forward(const gn__step *s) { return rnn_forward(s, false); }
static gn_status tanh_backward(const gn__step *s) { return rnn_backward(s, false); }
static gn_status relu_forward(const gn__step *s) { return rnn_forward(s, true); }
static gn_status relu_backward(const gn__step *s) { return rnn_backward(s, true); }

/* ---- LSTM; kept: i, f, g, o */

enum { I, F, G, O };

static void build_lstm(gn__builder *b, const int8_t *v) {
    int x[MAX_GATES], hw[MAX_GATES], gate[MAX_GATES];
    read_blocks(b, v[DTYPE], 4, x);
    read_blocks(b, v[DTYPE], 4, hw);
    const int c_old = read(b, v[DTYPE]);
    for (int g = 0; g < 4; g++) {
        const int sum = add(b, x[g], hw[g]);
        gate[g] = g == G ? tanh_of(b, sum) : sigmoid_of(b, sum);
    }
    int c = add(b, mul(b, gate[F], c_old), mul(b, gate[I], gate[G]));
    int h = mul(b, gate[O], tanh_of(b, c));
    if (v[ENDS]) {
        const int h_old = read(b, v[DTYPE]), live = lives(b);
        c = choose(b, live, c, c_old);
        h = choose(b, live, h, h_old);
    }
    write_blocks(b, v[DTYPE], 4, gate);
    write(b, v[DTYPE], c);
    write(b, v[DTYPE], h);
}

static void build_lstm_backward(gn__builder *b, const int8_t *v) {
    int gate[MAX_GATES], d[MAX_GATES];
    read_blocks(b, v[DTYPE], 4, gate);
    const int c_old = read(b, v[DTYPE]), tanh_c = tanh_of(b, read(b, v[DTYPE]));
    const int dc_new = read(b, v[DTYPE]), dh = build_dh(b, v, v[ENDS]);
    const int through = mul(b, mul(b, dh, gate[O]), tanh_slope(b, tanh_c));
    const int dc = add(b, dc_new, through);
    d[I] = mul(b, mul(b, dc, gate[G]), sigmoid_slope(b, gate[I]));
    d[F] = mul(b, mul(b, dc, c_old), sigmoid_slope(b, gate[F]));
    d[G] = mul(b, mul(b, dc, gate[I]), tanh_slope(b, gate[G]));
    d[O] = mul(b, mul(b, dh, tanh_c), sigmoid_slope(b, gate[O]));
    int dc_old = mul(b, dc, gate[F]);
    if (v[ENDS]) {
        const int live = lives(b), zero = gn__const_f(b, gn__type_of(b, dh), 0);
        for (int g = 0; g < 4; g++)
            d[g] = choose(b, live, d[g], zero);
        dc_old = choose(b, live, dc_old, dc_new);
        write(b, v[DTYPE], choose(b, live, zero, dh));
    }
    write(b, v[DTYPE], dc_old);
    write_blocks(b, v[DTYPE], 4, d);
}

static gn_status lstm_forward(const gn__step *s) {
    static gn__kernel kernel = {.name = "lstm", .build = build_lstm};
    operands o = {0};
    give_blocks(&o, s, s->x, 4);
    give_blocks(&o, s, s->hw, 4);
    give(&o, s->c_old);
    if (s->ends) {
        give(&o, s->h_old);
        give(&o, s->lengths);
    }
    give_blocks(&o, s, s->kept, 4);
    give(&o, s->c_new);
    give(&o, s->h_new);
    return run(s, "lstm", &kernel, false, &o, false);
}

static gn_status lstm_backward(const gn__step *s) {
    static gn__kernel kernel = {.name = "lstm_gradient", .build = build_lstm_backward};
    operands o = {0};
    give_blocks(&o, s, s->kept, 4);
    give(&o, s->c_old);
    give(&o, s->c_new);
    give(&o, s->dc);
    give_dh(&o, s, s->ends);
    if (s->ends) {
        give(&o, s->lengths);
        give(&o, s->direct);
    }
    give(&o, s->dc);
    give_blocks(&o, s, s->dx, 4);
    return run(s, "lstm", &kernel, false, &o, true);
}

/* ---- GRU; kept: r, z, n, b_n */

enum { R, Z, NEW, HIDDEN };

static void build_gru(gn__builder *b, const int8_t *v) {
    int x[MAX_GATES], hw[MAX_GATES], kept[MAX_GATES];
    read_blocks(b, v[DTYPE], 3, x);
    read_blocks(b, v[DTYPE], 3, hw);
    const int h_old = read(b, v[DTYPE]);
    kept[R] = sigmoid_of(b, add(b, x[R], hw[R]));
    kept[Z] = sigmoid_of(b, add(b, x[Z], hw[Z]));
    kept[NEW] = tanh_of(b, add(b, x[NEW], mul(b, kept[R], hw[NEW])));
    kept[HIDDEN] = hw[NEW];
    int h = add(b, mul(b, one_minus(b, kept[Z]), kept[NEW]), mul(b, kept[Z], h_old));
    if (v[ENDS])
        h = choose(b, lives(b), h, h_old);
    write_blocks(b, v[DTYPE], 4, kept);
    write(b, v[DTYPE], h);
}

static void build_gru_backward(gn__builder *b, const int8_t *v) {
    int kept[MAX_GATES], dx[3], dhw[3];
    read_blocks(b, v[DTYPE], 4, kept);
    const int h_old = read(b, v[DTYPE]), dh = build_dh(b, v, true);
    const int dn = mul(b, dh, one_minus(b, kept[Z])), dz = mul(b, dh, sub(b, h_old, kept[NEW]));
    dx[NEW] = mul(b, dn, tanh_slope(b, kept[NEW]));
    dx[R] = mul(b, mul(b, dx[NEW], kept[HIDDEN]), sigmoid_slope(b, kept[R]));
    dx[Z] = mul(b, dz, sigmoid_slope(b, kept[Z]));
    int direct = mul(b, dh, kept[Z]);
    if (v[ENDS]) {
        const int live = lives(b), zero = gn__const_f(b, gn__type_of(b, dh), 0);
        for (int g = 0; g < 3; g++)
            dx[g] = choose(b, live, dx[g], zero);
        direct = choose(b, live, direct, dh);
    }
    dhw[R] = dx[R];
    dhw[Z] = dx[Z];
    dhw[NEW] = mul(b, dx[NEW], kept[R]);
    write(b, v[DTYPE], direct);
    write_blocks(b, v[DTYPE], 3, dx);
    write_blocks(b, v[DTYPE], 3, dhw);
}

static gn_status gru_forward(const gn__step *s) {
    static gn__kernel kernel = {.name = "gru", .build = build_gru};
    operands o = {0};
    give_blocks(&o, s, s->x, 3);
    give_blocks(&o, s, s->hw, 3);
    give(&o, s->h_old);
    if (s->ends)
        give(&o, s->lengths);
    give_blocks(&o, s, s->kept, 4);
    give(&o, s->h_new);
    return run(s, "gru", &kernel, false, &o, false);
}

static gn_status gru_backward(const gn__step *s) {
    static gn__kernel kernel = {.name = "gru_gradient", .build = build_gru_backward};
    operands o = {0};
    give_blocks(&o, s, s->kept, 4);
    give(&o, s->h_old);
    give_dh(&o, s, true);
    if (s->ends)
        give(&o, s->lengths);
    give(&o, s->direct);
    give_blocks(&o, s, s->dx, 3);
    give_blocks(&o, s, s->dhw, 3);
    return run(s, "gru", &kernel, false, &o, true);
}

/* ---- The table */

const gn__cell gn__cells[GN__CELL_KINDS] = {
    [GN__RNN_TANH] = {.name = "rnn",
                      .gates = 1,
                      .forward = tanh_forward,
                      .backward = tanh_backward},
    [GN__RNN_RELU] = {.name = "rnn",
                      .gates = 1,
                      .forward = relu_forward,
                      .backward = relu_backward},
    [GN__LSTM] = {.name = "lstm",
                  .gates = 4,
                  .kept = 4,
                  .has_c = true,
                  .forward = lstm_forward,
                  .backward = lstm_backward},
    [GN__GRU] = {.name = "gru",
                 .gates = 3,
                 .kept = 4,
                 .separate = true,
                 .forward = gru_forward,
                 .backward = gru_backward},
};

int gn__cell_gates(gn__cell_kind kind) { return gn__cells[kind].gates; }
