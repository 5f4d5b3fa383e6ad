/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cross_entropy.c - the loss of class indices against logits, or log-probabilities. Input
 * (N, C, d..), one row of C numbers per target y:
 *
 *   loss = -w (x_y - m - l),  m = max_c x_c, l = log sum_c exp(x_c - m), w = weight_y; 0 where y is
 *          ignored.  mean: sum of losses / sum of w
 *   dx_c = w (exp(x_c - m - l) - [c == y]) g / (sum of w)
 *
 * Of log-probabilities: m = l = 0, and dx_c without the exponential. The public functions, and
 * targets that are probabilities, are in class_loss.c.
 */
#include "class_loss.h"

enum { X, TARGET, WEIGHT, MAX, LOG, FACTOR, N_SAVED }; /* saved tensors */

typedef gn__class_loss loss_data; /* a node's own */

/* ---- Programs */

/* A row program. Operands x, m, l. */
static void build_rows(gn__builder *b, const int8_t *v) {
    int type = gn__compute_type(v[0]), x = gn__build_operand(b, GN_READ, v[0]),
        max = gn__build_operand(b, GN_WRITE, type), log = gn__build_operand(b, GN_WRITE, type);
    int m = gn__reduce_value(b, GN_MAX, gn__load(b, x), 0);
    gn__elements(b);
    int e = gn__emit(b, GN_OP_EXP, gn__emit(b, GN_OP_SUB, gn__load(b, x), m, 0), 0, 0);
    int s = gn__reduce_value(b, GN_SUM, e, 0);
    gn__store(b, max, m);
    gn__store(b, log, gn__emit(b, GN_OP_LOG, s, 0, 0));
}

/* The target of a row, whether it counts, and its weight. Operands target, [weight] by LOADX; param
 * the index that is ignored. */
typedef struct label {
    int target, index, ignored, weight;
} label;

static label load_label(gn__builder *b, int target, int weight, int type) {
    label y = {.target = gn__load(b, target)};
    int zero = gn__const_i(b, GN_I64, 0);
    y.ignored = gn__emit(b, GN_OP_EQ, y.target, gn__param(b, GN_I64, gn__build_param(b)), 0);
    y.index = gn__emit(b, GN_OP_SELECT, y.ignored, zero, y.target);
    y.weight =
        weight < 0 ? gn__const_f(b, type, 1) : gn__cast(b, type, gn__loadx(b, weight, y.index));
    return y;
}

static int operand_if(gn__builder *b, int role, int dtype) {
    return dtype ? gn__build_operand(b, role, dtype) : -1;
}

/* The losses of rows, reduced or not. Operands x by LOADX, [m, l], target, [weight], loss, [1 /
 * sum of w]; v: dtypes of x and weight, the reduction, whether x are logits. */
static void build_loss(gn__builder *b, const int8_t *v) {
    const int type = gn__compute_type(v[0]);
    int x = gn__build_operand(b, GN_READ, v[0]), max = operand_if(b, GN_READ, v[3] ? type : 0),
        log = operand_if(b, GN_READ, v[3] ? type : 0),
        target = gn__build_operand(b, GN_READ, GN_I64), weight = operand_if(b, GN_READ, v[1]),
        result = gn__build_operand(b, GN_WRITE, v[0]),
        factor = operand_if(b, GN_WRITE, v[2] == GN_REDUCE_MEAN ? type : 0);
    label y = load_label(b, target, weight, type);
    int zero = gn__const_f(b, type, 0);
    int loss = gn__loadx(b, x, y.index);
    if (v[3]) {
        int shifted = gn__emit(b, GN_OP_SUB, loss, gn__load(b, max), 0);
        loss = gn__emit(b, GN_OP_SUB, gn__load(b, log), shifted, 0);
    } else {
        loss = gn__emit(b, GN_OP_NEG, loss, 0, 0);
    }
    loss = gn__emit(b, GN_OP_MUL, loss, y.weight, 0);
    loss = gn__emit(b, GN_OP_SELECT, y.ignored, zero, loss);
    int counted = gn__emit(b, GN_OP_SELECT, y.ignored, zero, y.weight);
    if (v[2] == GN_REDUCE_NONE) {
        gn__store(b, result, loss);
        return;
    }
    int sum = gn__reduce_value(b, GN_SUM, loss, 0);
    if (v[2] == GN_REDUCE_SUM) {
        gn__store(b, result, sum);
        return;
    }
    int total = gn__reduce_value(b, GN_SUM, counted, 0);
    gn__store(b, result, gn__emit(b, GN_OP_DIV, sum, total, 0));
    gn__store(b, factor, gn__emit(b, GN_OP_DIV, gn__const_f(b, type, 1), total, 0));
}

/* Of logits. Operands x, m, l, target, [weight], classes, g, [1 / sum of w], dx; v as above. */
static void build_backward(gn__builder *b, const int8_t *v) {
    const int type = gn__compute_type(v[0]);
    int x = gn__build_operand(b, GN_READ, v[0]), max = gn__build_operand(b, GN_READ, type),
        log = gn__build_operand(b, GN_READ, type), target = gn__build_operand(b, GN_READ, GN_I64),
        weight = operand_if(b, GN_READ, v[1]), classes = gn__build_operand(b, GN_INDEX, GN_I64),
        g = gn__build_operand(b, GN_READ, v[0]),
        factor = operand_if(b, GN_READ, v[2] == GN_REDUCE_MEAN ? type : 0),
        dx = gn__build_operand(b, GN_WRITE, v[0]);
    label y = load_label(b, target, weight, type);
    int scale = gn__emit(b, GN_OP_MUL, gn__load(b, g), y.weight, 0);
    if (factor >= 0)
        scale = gn__emit(b, GN_OP_MUL, scale, gn__load(b, factor), 0);
    int shifted = gn__emit(b, GN_OP_SUB, gn__load(b, x), gn__load(b, max), 0);
    int p = gn__emit(b, GN_OP_EXP, gn__emit(b, GN_OP_SUB, shifted, gn__load(b, log), 0), 0, 0);
    int hit = gn__emit(b, GN_OP_EQ, gn__load(b, classes), y.target, 0);
    int less = gn__emit(b, GN_OP_SUB, p, gn__const_f(b, type, 1), 0);
    int d = gn__emit(b, GN_OP_MUL, gn__emit(b, GN_OP_SELECT, hit, less, p), scale, 0);
    gn__store(b, dx, gn__emit(b, GN_OP_SELECT, y.ignored, gn__const_f(b, type, 0), d));
}

/* w / (sum of w) at the target's class, 0 elsewhere. Operands target, [weight], classes, [1 /
 * sum of w], y; v as above. */
static void build_one_hot(gn__builder *b, const int8_t *v) {
    const int type = gn__compute_type(v[0]);
    int target = gn__build_operand(b, GN_READ, GN_I64), weight = operand_if(b, GN_READ, v[1]),
        classes = gn__build_operand(b, GN_INDEX, GN_I64),
        factor = operand_if(b, GN_READ, v[2] == GN_REDUCE_MEAN ? type : 0),
        result = gn__build_operand(b, GN_WRITE, v[0]);
    label y = load_label(b, target, weight, type);
    int hit = gn__emit(b, GN_OP_EQ, gn__load(b, classes), y.index, 0);
    hit = gn__emit(b, GN_OP_AND, hit, gn__emit(b, GN_OP_NOT, y.ignored, 0, 0), 0);
    int value = y.weight;
    if (factor >= 0)
        value = gn__emit(b, GN_OP_MUL, value, gn__load(b, factor), 0);
    gn__store(b, result, gn__emit(b, GN_OP_SELECT, hit, value, gn__const_f(b, type, 0)));
}

static gn__kernel rows_kernel = {.name = "cross_entropy_rows", .build = build_rows};
static gn__kernel loss_kernel = {.name = "cross_entropy", .build = build_loss};
static gn__kernel backward_kernel = {.name = "cross_entropy_backward", .build = build_backward};
static gn__kernel one_hot_kernel = {.name = "cross_entropy_one_hot", .build = build_one_hot};

/* ---- Launches */

static gn__variant variant_of(const loss_data *data, gn_tensor *const *t) {
    return GN__VARIANT(t[X]->dtype, t[WEIGHT] ? t[WEIGHT]->dtype : 0, (int8_t)data->reduction,
                       data->logits);
}

static gn__operand weight_operand(const gn_tensor *weight) {
    return (gn__operand){.storage = weight->storage,
                         .offset = weight->offset,
                         .axis_stride = weight->stride[0],
                         .axis_extent = weight->size[0]};
}

/* Fills t[MAX] and t[LOG]. */
static gn_status statistics(const loss_data *data, const gn__rows *space, gn_tensor **t) {
    gn__device *device = t[X]->storage->device;
    const int type = gn__compute_type(t[X]->dtype);
    t[MAX] = gn__rows_new_kept(space, device, type);
    t[LOG] = gn__rows_new_kept(space, device, type);
    if (gn__failed())
        return gn_error_status();
    const gn__operand operands[] = {gn__rows_full(space, t[X]), gn__rows_kept(space, t[MAX]),
                                    gn__rows_kept(space, t[LOG])};
    return gn__kernel_run(data->op, device, &rows_kernel, GN__VARIANT(t[X]->dtype), space, operands,
                          NULL);
}

/* Fills t[MAX], t[LOG] and t[FACTOR]. */
static gn_tensor *forward(const loss_data *data, gn_tensor **t) {
    gn_tensor *x = t[X];
    gn__device *device = x->storage->device;
    gn__rows space = gn__rows_of(x, 1u << data->class_dim);
    if (data->reduction == GN_REDUCE_MEAN)
        t[FACTOR] = gn__tensor_new(device, gn__compute_type(x->dtype), 0, NULL);
    gn_tensor *y = data->reduction == GN_REDUCE_NONE ? gn__rows_new_kept(&space, device, x->dtype)
                                                     : gn__tensor_new(device, x->dtype, 0, NULL);
    if (gn__failed() || (data->logits && statistics(data, &space, t) != GN_OK))
        return NULL;
    gn__operand operands[7] = {gn__rows_full(&space, x)};
    operands[0].axis_stride = x->stride[data->class_dim];
    operands[0].axis_extent = x->size[data->class_dim];
    space.n_dims--; /* the rows alone */
    space.n_reduced = data->reduction == GN_REDUCE_NONE ? 0 : space.n_dims;
    int n = 1;
    for (int i = MAX; i <= LOG && data->logits; i++)
        operands[n++] = gn__operand_of(t[i], space.n_dims, space.size);
    operands[n++] = gn__operand_of(t[TARGET], space.n_dims, space.size);
    if (t[WEIGHT])
        operands[n++] = weight_operand(t[WEIGHT]);
    operands[n++] = gn__rows_kept(&space, y);
    if (t[FACTOR])
        operands[n++] = gn__rows_kept(&space, t[FACTOR]);
    const gn_scalar params[] = {{.i = data->ignore}};
    return gn__kernel_run(data->op, device, &loss_kernel, variant_of(data, t), &space, operands,
                          params) == GN_OK
               ? y
               : NULL;
}

/* The operands that both programs over all of x share, from target on; g may be NULL. */
static int class_operands(const loss_data *data, const gn__rows *space, gn_tensor *const *t,
                          gn_tensor *g, gn__operand *operands) {
    int n = 0;
    operands[n++] = gn__rows_kept(space, t[TARGET]);
    if (t[WEIGHT])
        operands[n++] = weight_operand(t[WEIGHT]);
    operands[n] = gn__operand_index(0);
    operands[n++].stride[space->n_dims - 1] = 1;
    if (g) {
        gn__operand all = {.storage = g->storage, .offset = g->offset};
        operands[n++] = data->reduction == GN_REDUCE_NONE ? gn__rows_kept(space, g) : all;
    }
    if (t[FACTOR])
        operands[n++] = (gn__operand){.storage = t[FACTOR]->storage, .offset = t[FACTOR]->offset};
    return n;
}

static gn_tensor *backward(const loss_data *data, gn_tensor *const *t, gn_tensor *g) {
    gn_tensor *x = t[X], *dx = gn__tensor_like(x, x->dtype);
    if (dx == NULL)
        return NULL;
    gn__rows space = gn__rows_of(x, 1u << data->class_dim);
    gn__operand operands[9] = {gn__rows_full(&space, x), gn__rows_kept(&space, t[MAX]),
                               gn__rows_kept(&space, t[LOG])};
    int n = 3 + class_operands(data, &space, t, g, operands + 3);
    operands[n] = gn__rows_full(&space, dx);
    space.n_reduced = 0; /* a map: the class dim is the last one */
    const gn_scalar params[] = {{.i = data->ignore}};
    return gn__kernel_run(data->op, x->storage->device, &backward_kernel, variant_of(data, t),
                          &space, operands, params) == GN_OK
               ? dx
               : NULL;
}

/* The scaled one-hot targets, like x. */
static gn_tensor *one_hot(const loss_data *data, gn_tensor *const *t) {
    gn_tensor *x = t[X], *k = gn__tensor_like(x, x->dtype);
    if (k == NULL)
        return NULL;
    gn__rows space = gn__rows_of(x, 1u << data->class_dim);
    gn__operand operands[6];
    int n = class_operands(data, &space, t, NULL, operands);
    operands[n] = gn__rows_full(&space, k);
    space.n_reduced = 0;
    const gn_scalar params[] = {{.i = data->ignore}};
    return gn__kernel_run(data->op, x->storage->device, &one_hot_kernel, variant_of(data, t),
                          &space, operands, params) == GN_OK
               ? k
               : NULL;
}

/* dx = g (softmax(x) sum_c k - k), or -g k: in public operations. */
static gn_tensor *backward_recorded(const loss_data *data, gn_tensor *const *t, gn_tensor *g) {
    gn_tensor *k = one_hot(data, t);
    if (data->reduction == GN_REDUCE_NONE)
        g = gn_unsqueeze(g, data->class_dim);
    if (!data->logits)
        return gn_mul(gn_neg(k), g);
    gn_tensor *scale = gn_sum(k, .dims = GN_DIMS(data->class_dim), .keepdim = true);
    return gn_mul(gn_sub(gn_mul(gn_softmax(t[X], data->class_dim), scale), k), g);
}

static gn_status cross_entropy_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const loss_data *data = node->data;
    gn_tensor *t[N_SAVED];
    for (int i = 0; i < N_SAVED; i++)
        t[i] = gn__saved_tensor(node, i);
    if (gn__failed())
        return gn_error_status();
    out[0] = gn_is_grad_enabled() || !data->logits ? backward_recorded(data, t, grads[0])
                                                   : backward(data, t, grads[0]);
    return gn_error_status();
}

static const gn__node_class nodes[] = {
    {.name = "nll_loss", .backward = cross_entropy_backward},
    {.name = "cross_entropy", .backward = cross_entropy_backward}};

gn_tensor *gn__class_loss_of(const gn__class_loss *data, gn_tensor *input, gn_tensor *target,
                             gn_tensor *weight) {
    gn_tensor *t[N_SAVED] = {[X] = input, [TARGET] = target, [WEIGHT] = weight};
    gn__device *device = gn__common_device(data->op, 3, t);
    t[TARGET] = device ? gn__index_tensor(data->op, gn__joined(target, device)) : NULL;
    gn_tensor *y = t[TARGET] ? forward(data, t) : NULL;
    if (y == NULL || !gn__recording(1, &input))
        return y;
    gn__node *node = gn__record(&nodes[data->logits], y, 1, &input, sizeof *data);
    if (node == NULL)
        return NULL;
    *(loss_data *)node->data = *data;
    for (int i = 0; i < N_SAVED; i++)
        if (t[i])
            gn__save(node, i, t[i]);
    return y;
}
