/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dropout.c - y = x keep / (1 - p), keep with probability 1 - p. No mask is stored: the gradient is
 * the same function of g, replayed with the same key and offset.
 */
#include "support.h"

static const char op[] = "dropout";

/* u = word 2^-24 in [0, 1) from its 24 upper bits; kept where u >= p. The element's number is
 * that in row-major order, so the mask does not depend on how the tensor lies in memory.
 * Operands x, numbers, y; params key, offset, p, 1 / (1 - p). */
static void build(gn__builder *b, const int8_t *v) {
    const int type = gn__compute_type(v[0]);
    int x = gn__build_operand(b, GN_READ, v[0]), numbers = gn__build_operand(b, GN_INDEX, GN_I64),
        y = gn__build_operand(b, GN_WRITE, v[0]);
    int key = gn__param(b, GN_I64, gn__build_param(b)),
        offset = gn__param(b, GN_I64, gn__build_param(b)),
        p = gn__param(b, GN_F32, gn__build_param(b)),
        scale = gn__param(b, type, gn__build_param(b));
    int word = gn__emit(b, GN_OP_RANDOM, gn__load(b, numbers), offset, key);
    int bits = gn__emit(b, GN_OP_SHR, word, gn__const_i(b, GN_U32, 8), 0);
    int u = gn__emit(b, GN_OP_MUL, gn__cast(b, GN_F32, bits), gn__const_f(b, GN_F32, 0x1p-24), 0);
    int drop = gn__emit(b, GN_OP_LT, u, p, 0);
    int scaled = gn__emit(b, GN_OP_MUL, gn__load(b, x), scale, 0);
    gn__store(b, y, gn__emit(b, GN_OP_SELECT, drop, gn__const_f(b, type, 0), scaled));
}
static gn__kernel kernel = {.name = "dropout", .flags = GN_PROGRAM_NO_CONTRACT, .build = build};

static gn_status run(const gn__dropout *data, gn_tensor *x, gn_tensor *y) {
    gn__rows space = gn__rows_of(x, 0);
    gn__operand operands[] = {gn__rows_full(&space, x),
                              gn__operand_numbers(x->n_dims, x->size, 0, 1),
                              gn__rows_full(&space, y)};
    /* p = 1 keeps nothing, whatever the factor. */
    const gn_scalar params[] = {{.i = data->key},
                                {.i = data->offset},
                                {.f = data->p},
                                {.f = data->p < 1 ? 1 / (1 - data->p) : 0}};
    return gn__kernel_run(op, x->storage->device, &kernel, GN__VARIANT(x->dtype), &space, operands,
                          params);
}

static gn_status dropout_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    out[0] = gn__dropout_replay(node->data, grads[0]);
    return gn_error_status();
}

static const gn__node_class dropout_node = {.name = op, .backward = dropout_backward};

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

static bool check(const gn_tensor *x, double p) {
    if (!gn__given(op, x) || !gn__check_float(op, "input", x))
        return false;
    if (p >= 0 && p <= 1)
        return true;
    gn_fail(GN_E_ARGUMENT, op, "the probability %g is not between 0 and 1", p);
    return false;
}

gn__dropout gn__dropout_next(double p) {
    gn__dropout data = {.p = p};
    gn__random_step(NULL, &data.key, &data.offset);
    return data;
}

gn_tensor *gn_dropout(gn_tensor *x, double p, bool training) {
    if (gn__failed() || !check(x, p))
        return NULL;
    if (!training || p == 0)
        return x;
    gn__dropout data = gn__dropout_next(p);
    return gn__dropout_replay(&data, x);
}

gn_tensor *gn__dropout_(gn_tensor *x, double p) {
    if (gn__failed() || !check(x, p))
        return NULL;
    if (p == 0)
        return x;
    gn__dropout data = gn__dropout_next(p);
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
