/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dropout.c - dropout of elements or of whole channels. Each is kept with probability 1 - p:
 *
 *     dropout          y = keep ? x / (1 - p) : 0
 *     alpha dropout    y = a (keep ? x : alpha) + b     alpha: what SELU tends to at -inf; a and b
 *                                                       keep mean 0 and variance 1 as they are
 *
 * No mask is stored: the gradient is the same function of g, replayed with the same key and offset.
 */
#include <math.h>

#include "support.h"

/* y = keep ? x scale + shift : dropped, where u = word 2^-24 in [0, 1) from its 24 upper bits, and
 * what has u >= p is kept. The element's number is that in row-major order, so the mask does not
 * depend on how the tensor lies in memory. Operands x, numbers, y; params key, offset, p, scale,
 * [shift, dropped]. v: dtype, whether there is a shift. */
static void build(gn__builder *b, const int8_t *v) {
    const int type = gn__compute_type(v[0]);
    int x = gn__build_operand(b, GN_READ, v[0]), numbers = gn__build_operand(b, GN_INDEX, GN_I64),
        y = gn__build_operand(b, GN_WRITE, v[0]);
    int key = gn__param(b, GN_I64, gn__build_param(b)),
        offset = gn__param(b, GN_I64, gn__build_param(b)),
        p = gn__param(b, GN_F32, gn__build_param(b)),
        scale = gn__param(b, type, gn__build_param(b)), dropped = gn__const_f(b, type, 0);
    int word = gn__emit(b, GN_OP_RANDOM, gn__load(b, numbers), offset, key);
    int bits = gn__emit(b, GN_OP_SHR, word, gn__const_i(b, GN_U32, 8), 0);
    int u = gn__emit(b, GN_OP_MUL, gn__cast(b, GN_F32, bits), gn__const_f(b, GN_F32, 0x1p-24), 0);
    int drop = gn__emit(b, GN_OP_LT, u, p, 0);
    int kept = gn__emit(b, GN_OP_MUL, gn__load(b, x), scale, 0);
    if (v[1]) {
        kept = gn__emit(b, GN_OP_ADD, kept, gn__param(b, type, gn__build_param(b)), 0);
        dropped = gn__param(b, type, gn__build_param(b));
    }
    gn__store(b, y, gn__emit(b, GN_OP_SELECT, drop, dropped, kept));
}
static gn__kernel kernel = {.name = "dropout", .flags = GN_PROGRAM_NO_CONTRACT, .build = build};

/* The number of each element's mask: that of its coordinates in the first masked dims. */
static gn__operand mask_numbers(const gn__dropout *data, const gn_tensor *x) {
    const int n = data->channels ? data->channels : x->n_dims;
    return gn__operand_numbers(n, x->size, 0, 1);
}

static gn_status run(const gn__dropout *data, gn_tensor *x, gn_tensor *y) {
    gn__rows space = gn__rows_of(x, 0);
    gn__operand operands[] = {gn__rows_full(&space, x), mask_numbers(data, x),
                              gn__rows_full(&space, y)};
    const gn_scalar params[] = {{.i = data->key},   {.i = data->offset}, {.f = data->p},
                                {.f = data->scale}, {.f = data->shift},  {.f = data->dropped}};
    const bool shifted = data->shift != 0 || data->dropped != 0;
    return gn__kernel_run("dropout", x->storage->device, &kernel, GN__VARIANT(x->dtype, shifted),
                          &space, operands, params);
}

static gn_status dropout_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    gn__dropout scaling = *(const gn__dropout *)node->data;
    scaling.shift = scaling.dropped = 0;
    out[0] = gn__dropout_replay(&scaling, grads[0]);
    return gn_error_status();
}

static const gn__node_class dropout_node = {.name = "dropout", .backward = dropout_backward};

static gn_tensor *record(const gn__dropout *data, gn_tensor *x, gn_tensor *y) {
    gn__node *node = gn__record(&dropout_node, y, 1, &x, sizeof *data);
    if (node == NULL)
        return NULL;
    *(gn__dropout *)node->data = *data;
    return y;
}

gn_tensor *gn__dropout_replay(const gn__dropout *data, gn_tensor *x) {
    gn_tensor *y = gn__tensor_like(x, x->dtype);
    if (y == NULL || run(data, x, y) != GN_OK)
        return NULL;
    return gn__recording(1, &x) ? record(data, x, y) : y;
}

/* p = 1 keeps nothing, whatever the factor. */
gn__dropout gn__dropout_next(double p) {
    gn__dropout data = {.p = p, .scale = p < 1 ? 1 / (1 - p) : 0};
    gn__random_step(NULL, &data.key, &data.offset);
    return data;
}

static void make_alpha(gn__dropout *data) {
    static const double alpha = -1.7580993408473766; /* - SELU's scale times its alpha */
    const double p = data->p, a = p < 1 ? 1 / sqrt((1 - p) * (1 + p * alpha * alpha)) : 0;
    data->scale = a;
    data->shift = -a * alpha * p;
    data->dropped = a * alpha + data->shift;
}

/* ---- The functions of functional.h */

static const struct {
    const char *op;
    int least, most; /* dims; most 0: any number */
    int batched;     /* inputs with so many dims or more have N before C; 0: no whole channels */
    bool alpha;
    const char *form;
} kinds[] = {
    [GN__DROPOUT] = {.op = "dropout"},
    [GN__DROPOUT_1D] = {"dropout1d", 2, 3, 3, false, "(N, C, L) or (C, L)"},
    [GN__DROPOUT_2D] = {"dropout2d", 3, 4, 3, false, "(N, C, H, W) or (N, C, L)"},
    [GN__DROPOUT_3D] = {"dropout3d", 4, 5, 5, false, "(N, C, D, H, W) or (C, D, H, W)"},
    [GN__ALPHA_DROPOUT] = {.op = "alpha_dropout", .alpha = true},
    [GN__FEATURE_ALPHA_DROPOUT] = {"feature_alpha_dropout", 2, 0, 2, true, "(N, C, ..)"},
};

static bool check(gn__dropout_kind kind, const gn_tensor *x, double p) {
    const char *op = kinds[kind].op;
    if (gn__failed() || !gn__given(op, x) || !gn__check_float(op, "input", x))
        return false;
    if (!(p >= 0 && p <= 1))
        gn_fail(GN_E_ARGUMENT, op, "the probability %g is not between 0 and 1", p);
    else if (x->n_dims < kinds[kind].least || (kinds[kind].most && x->n_dims > kinds[kind].most))
        gn_fail(GN_E_ARGUMENT, op, "input %s must be %s", gn__shape_of(x), kinds[kind].form);
    return !gn__failed();
}

static gn__dropout next(gn__dropout_kind kind, const gn_tensor *x, double p) {
    gn__dropout data = gn__dropout_next(p);
    if (kinds[kind].batched)
        data.channels = x->n_dims >= kinds[kind].batched ? 2 : 1;
    if (kinds[kind].alpha)
        make_alpha(&data);
    return data;
}

gn_tensor *gn__dropout_of(gn__dropout_kind kind, gn_tensor *x, double p, bool training) {
    if (!check(kind, x, p))
        return NULL;
    if (!training || p == 0)
        return x;
    gn__dropout data = next(kind, x, p);
    return gn__dropout_replay(&data, x);
}

gn_tensor *gn__dropout_(gn__dropout_kind kind, gn_tensor *x, double p) {
    if (!check(kind, x, p))
        return NULL;
    if (p == 0)
        return x;
    gn__dropout data = next(kind, x, p);
    if (gn__inplace_begin("dropout_", x) != GN_OK)
        return NULL;
    gn_tensor *result = NULL;
    if (run(&data, x, x) == GN_OK && gn__recording(1, &x)) {
        result = gn__tensor_twin(x);
        if (result)
            record(&data, x, result);
    }
    return gn__inplace_end(x, result);
}

gn_tensor *gn_dropout(gn_tensor *x, double p, bool training) {
    return gn__dropout_of(GN__DROPOUT, x, p, training);
}

gn_tensor *gn_dropout1d(gn_tensor *x, double p, bool training) {
    return gn__dropout_of(GN__DROPOUT_1D, x, p, training);
}

gn_tensor *gn_dropout2d(gn_tensor *x, double p, bool training) {
    return gn__dropout_of(GN__DROPOUT_2D, x, p, training);
}

gn_tensor *gn_dropout3d(gn_tensor *x, double p, bool training) {
    return gn__dropout_of(GN__DROPOUT_3D, x, p, training);
}

gn_tensor *gn_alpha_dropout(gn_tensor *x, double p, bool training) {
    return gn__dropout_of(GN__ALPHA_DROPOUT, x, p, training);
}

gn_tensor *gn_feature_alpha_dropout(gn_tensor *x, double p, bool training) {
    return gn__dropout_of(GN__FEATURE_ALPHA_DROPOUT, x, p, training);
}
