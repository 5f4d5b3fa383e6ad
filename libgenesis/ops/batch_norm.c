/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_norm.c - batch norm: planned kernels where the backend has them, else the programs of
 * norm.c; the running statistics, and evaluation with them.
 */
#include "compose.h"
#include "norm.h"

static const char op[] = "batch_norm";

enum { NORM_VAR = NORM_RSTD + 1 }; /* saved by planned runs instead of rstd */

typedef struct batch_norm_data {
    gn__norm norm;
    bool training, planned;
} batch_norm_data;

static gn_tensor *channels_new(const gn_tensor *x, int dtype) {
    return gn__tensor_new(x->storage->device, dtype, 1, &x->size[1]);
}

/* ---- Planned kernels: weight and bias present, in the type of the statistics */

/* t in `dtype`, or that many times `value` if it is NULL. */
static gn_tensor *channel_values(const gn_tensor *x, gn_tensor *t, int dtype, double value) {
    if (t && t->dtype == dtype)
        return t;
    gn_tensor *result = channels_new(x, dtype);
    if (result == NULL)
        return NULL;
    gn_status status = t ? gn__copy_data(result, t) : gn__fill_data(result, value);
    return status == GN_OK ? result : NULL;
}

static int forward_planned(const gn__norm *norm, gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                           gn_tensor *y, gn__statistics *out) {
    const int type = gn__compute_type(x->dtype);
    gn_tensor *tensors[] = {y,
                            x,
                            channel_values(x, weight, type, 1),
                            channel_values(x, bias, type, 0),
                            channels_new(x, type),
                            channels_new(x, type)};
    const gn_norm_attr attr = {.struct_size = sizeof attr, .eps = norm->eps};
    if (gn__failed())
        return gn_error_status();
    *out = (gn__statistics){.mean = tensors[4], .var = tensors[5]};
    return gn__run_planned(x->storage->device, op, GN_KERNEL_BATCH_NORM_FORWARD, 6, tensors, &attr,
                           sizeof attr, NULL);
}

static int backward_planned(const gn__norm *norm, gn__node *node, gn_tensor *x, gn_tensor *g,
                            gn_tensor *weight, const gn__statistics *statistics, gn_tensor **out) {
    const int type = gn__compute_type(x->dtype);
    g = gn__is_row_major(x) ? gn__row_major_copy(g) : gn__channels_last_copy(g);
    gn_tensor *tensors[] = {
        gn__tensor_like(x, x->dtype),       channels_new(x, type), channels_new(x, type), g, x,
        channel_values(x, weight, type, 1), statistics->mean,      statistics->var};
    const gn_norm_attr attr = {.struct_size = sizeof attr, .eps = norm->eps};
    if (gn__failed())
        return gn_error_status();
    int done = gn__run_planned(x->storage->device, op, GN_KERNEL_BATCH_NORM_BACKWARD, 8, tensors,
                               &attr, sizeof attr, NULL);
    if (done != 1)
        return done;
    for (int i = 0; i < 3; i++)
        if (gn__needs(node, i)) /* dx, dweight, dbias: in the order of the inputs */
            out[i] = i == NORM_X ? tensors[i] : gn_cast(tensors[i], node->inputs[i].dtype);
    return 1;
}

/* ---- Small programs over the channels */

/* r = (1 - m) r + m s for mean and variance, in place. Operands mean, var, the running two read,
 * the running two written; params m, n / (n - 1). */
static void build_running(gn__builder *b, const int8_t *v) {
    int type = gn__compute_type(v[0]), in[4], out[2];
    for (int i = 0; i < 4; i++)
        in[i] = gn__build_operand(b, GN_READ, i < 2 ? v[0] : v[1]);
    for (int i = 0; i < 2; i++)
        out[i] = gn__build_operand(b, GN_WRITE, v[1]);
    int m = gn__param(b, type, gn__build_param(b)), unbias = gn__param(b, type, gn__build_param(b));
    int keep = gn__emit(b, GN_OP_SUB, gn__const_f(b, type, 1), m, 0);
    for (int i = 0; i < 2; i++) {
        int statistic = gn__load(b, in[i]);
        if (i == 1)
            statistic = gn__emit(b, GN_OP_MUL, statistic, unbias, 0);
        int running = gn__cast(b, type, gn__load(b, in[2 + i]));
        gn__store(b, out[i],
                  gn__emit(b, GN_OP_ADD, gn__emit(b, GN_OP_MUL, running, keep, 0),
                           gn__emit(b, GN_OP_MUL, statistic, m, 0), 0));
    }
}
static gn__kernel running_kernel = {.name = "batch_norm_running", .build = build_running};

static gn_status update_running(gn_tensor *x, const gn__statistics *statistics, gn_tensor *mean,
                                gn_tensor *var, double momentum) {
    double n = (double)x->count / (double)x->size[1];
    gn__rows space = gn__rows_of(mean, 0);
    gn_tensor *const tensors[] = {statistics->mean, statistics->var, mean, var, mean, var};
    gn__operand operands[GN_LENGTH(tensors)];
    for (size_t i = 0; i < GN_LENGTH(tensors); i++)
        operands[i] = gn__rows_full(&space, tensors[i]);
    const gn_scalar params[] = {{.f = momentum}, {.f = n / (n - 1)}};
    atomic_fetch_add(&mean->storage->version, 1);
    atomic_fetch_add(&var->storage->version, 1);
    return gn__kernel_run(op, x->storage->device, &running_kernel,
                          GN__VARIANT(statistics->mean->dtype, mean->dtype), &space, operands,
                          params);
}

/* rstd = 1 / sqrt(var + eps)   Operands var, rstd; param eps. */
static void build_rstd(gn__builder *b, const int8_t *v) {
    int type = gn__compute_type(v[1]);
    int var = gn__build_operand(b, GN_READ, v[0]), rstd = gn__build_operand(b, GN_WRITE, v[1]);
    int eps = gn__param(b, type, gn__build_param(b));
    int sum = gn__emit(b, GN_OP_ADD, gn__cast(b, type, gn__load(b, var)), eps, 0);
    gn__store(b, rstd, gn__emit(b, GN_OP_RSQRT, sum, 0, 0));
}
static gn__kernel rstd_kernel = {.name = "batch_norm_rstd", .build = build_rstd};

static gn_tensor *rstd_of(gn_tensor *x, gn_tensor *var, double eps) {
    gn_tensor *rstd = channels_new(x, gn__compute_type(x->dtype));
    if (rstd == NULL)
        return NULL;
    gn__rows space = gn__rows_of(rstd, 0);
    gn__operand operands[] = {gn__rows_full(&space, var), gn__rows_full(&space, rstd)};
    const gn_scalar params[] = {{.f = eps}};
    return gn__kernel_run(op, x->storage->device, &rstd_kernel,
                          GN__VARIANT(var->dtype, rstd->dtype), &space, operands, params) == GN_OK
               ? rstd
               : NULL;
}

/* ---- Evaluation: y = (x - mean) rstd weight + bias, and dx = g rstd weight */

/* Operands x, [mean], rstd, [weight], [bias], y. Without mean it is the gradient. */
static void build_apply(gn__builder *b, const int8_t *v) {
    int type = gn__compute_type(v[0]), in[5];
    for (int i = 0; i < 5; i++)
        in[i] = v[i] ? gn__build_operand(b, GN_READ, v[i]) : -1;
    int y = gn__build_operand(b, GN_WRITE, v[0]), value = gn__load(b, in[0]);
    const int how[] = {0, GN_OP_SUB, GN_OP_MUL, GN_OP_MUL, GN_OP_ADD};
    for (int i = 1; i < 5; i++)
        if (in[i] >= 0)
            value = gn__emit(b, how[i], value, gn__cast(b, type, gn__load(b, in[i])), 0);
    gn__store(b, y, value);
}
static gn__kernel apply_kernel = {.name = "batch_norm_eval", .build = build_apply};

static gn_tensor *apply(gn_tensor *x, gn_tensor *mean, gn_tensor *rstd, gn_tensor *weight,
                        gn_tensor *bias) {
    gn_tensor *y = gn__tensor_like(x, x->dtype);
    if (y == NULL)
        return NULL;
    gn__rows space = gn__rows_of(x, 0);
    gn_tensor *const channels[] = {mean, rstd, weight, bias};
    gn__variant variant = {.v = {x->dtype}};
    gn__operand operands[6];
    int n = 0;
    operands[n++] = gn__rows_full(&space, x);
    for (int i = 0; i < 4; i++) {
        if (channels[i] == NULL)
            continue;
        variant.v[i + 1] = channels[i]->dtype;
        operands[n++] = (gn__operand){.storage = channels[i]->storage,
                                      .offset = channels[i]->offset,
                                      .stride = {[1] = channels[i]->stride[0]}};
    }
    operands[n++] = gn__rows_full(&space, y);
    return gn__kernel_run(op, x->storage->device, &apply_kernel, variant, &space, operands, NULL) ==
                   GN_OK
               ? y
               : NULL;
}

/* ---- Backward */

static gn_status backward_composed(const batch_norm_data *data, gn__node *node, gn_tensor *x,
                                   gn_tensor *g, gn_tensor *weight,
                                   const gn__statistics *statistics, gn_tensor **out) {
    const gn__norm *norm = &data->norm;
    if (gn__needs(node, NORM_X))
        out[NORM_X] = data->training ? gn__norm_dx(norm, x, g, weight, statistics, NULL)
                                     : apply(g, NULL, statistics->rstd, weight, NULL);
    gn_tensor *dw = NULL, *db = NULL;
    if (gn__needs(node, NORM_WEIGHT))
        dw = channels_new(x, node->inputs[NORM_WEIGHT].dtype);
    if (gn__needs(node, NORM_BIAS))
        db = channels_new(x, node->inputs[NORM_BIAS].dtype);
    if (gn__failed() || gn__norm_dweight(norm, x, g, statistics, dw, db) != GN_OK)
        return gn_error_status();
    if (dw)
        out[NORM_WEIGHT] = dw;
    if (db)
        out[NORM_BIAS] = db;
    return GN_OK;
}

static gn_status batch_norm_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const batch_norm_data *data = node->data;
    gn_tensor *x = gn__saved_tensor(node, NORM_X), *weight = gn__saved_tensor(node, NORM_WEIGHT),
              *bias = gn__saved_tensor(node, NORM_BIAS);
    gn__statistics statistics = {gn__saved_tensor(node, NORM_MEAN),
                                 gn__saved_tensor(node, NORM_RSTD),
                                 gn__saved_tensor(node, NORM_VAR)};
    if (gn__failed())
        return gn_error_status();
    if (gn_is_grad_enabled())
        return gn__norm_backward_recorded(&data->norm, node, x, grads[0], weight, bias,
                                          data->training ? NULL : &statistics, out);
    if (data->planned) {
        int done = backward_planned(&data->norm, node, x, grads[0], weight, &statistics, out);
        if (done != 0)
            return done < 0 ? done : gn_error_status();
        statistics.rstd = rstd_of(x, statistics.var, data->norm.eps);
        if (statistics.rstd == NULL)
            return gn_error_status();
    } else if (data->training && x->count > 0) {
        gn__fallback(x->storage->device, op, "its forward run was composed");
    }
    const gn__composition composition = gn__composition_begin();
    gn_status status = backward_composed(data, node, x, grads[0], weight, &statistics, out);
    gn__composition_end(&composition);
    return status;
}

static const gn__node_class batch_norm_node = {.name = op, .backward = batch_norm_backward};

/* ---- What the planned kernels compute, composed */

static gn__norm norm_over_channels(const gn_tensor *x, int flags, double eps) {
    return (gn__norm){.op = op,
                      .reduced = ((1u << x->n_dims) - 1) & ~2u,
                      .weighted = 2u,
                      .flags = flags,
                      .eps = eps};
}

gn_status gn__composed_batch_norm(double eps, gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                                  gn_tensor *y, gn_tensor *mean, gn_tensor *var) {
    const gn__norm norm = norm_over_channels(x, NORM_STATISTICS | NORM_VARIANCE, eps);
    gn__statistics statistics = {0};
    if (gn__norm_forward(&norm, x, weight, bias, y, &statistics) != GN_OK ||
        gn__copy_data(mean, statistics.mean) != GN_OK)
        return gn_error_status();
    return gn__copy_data(var, statistics.var);
}

gn_status gn__composed_batch_norm_backward(double eps, gn_tensor *x, gn_tensor *g,
                                           gn_tensor *weight, gn_tensor *mean, gn_tensor *var,
                                           gn_tensor *dx, gn_tensor *dw, gn_tensor *db) {
    const gn__norm norm = norm_over_channels(x, 0, eps);
    const gn__statistics statistics = {.mean = mean, .rstd = rstd_of(x, var, eps)};
    gn_tensor *d = statistics.rstd ? gn__norm_dx(&norm, x, g, weight, &statistics, NULL) : NULL;
    if (d == NULL || gn__copy_data(dx, d) != GN_OK)
        return gn_error_status();
    return gn__norm_dweight(&norm, x, g, &statistics, dw, db);
}

/* ---- gn_batch_norm */

static bool check(gn_tensor *x, gn_tensor *mean, gn_tensor *var, gn_tensor *weight, gn_tensor *bias,
                  bool training) {
    if (!gn__given(op, x) || !gn__check_float(op, "input", x))
        return false;
    if (x->n_dims < 2) {
        gn_fail(GN_E_ARGUMENT, op, "input %s must be (N, C, ..)", gn__shape_of(x));
        return false;
    }
    if (!gn__check_per_channel(op, "running_mean", mean, x) ||
        !gn__check_per_channel(op, "running_var", var, x) ||
        !gn__check_per_channel(op, "weight", weight, x) ||
        !gn__check_per_channel(op, "bias", bias, x))
        return false;
    if ((mean == NULL) != (var == NULL) || (!training && mean == NULL)) {
        gn_fail(GN_E_ARGUMENT, op,
                "running_mean and running_var are given both, or, in training, none");
        return false;
    }
    if (training && x->count == x->size[1]) {
        gn_fail(GN_E_ARGUMENT, op, "training needs more than 1 value per channel, input is %s",
                gn__shape_of(x));
        return false;
    }
    return true;
}

/* y in training, and the statistics; data->planned says by whom. NULL with an error. */
static gn_tensor *train(batch_norm_data *data, gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                        gn__statistics *statistics) {
    gn_tensor *y = gn__tensor_like(x, x->dtype);
    if (y == NULL)
        return NULL;
    int done = x->count ? forward_planned(&data->norm, x, weight, bias, y, statistics) : 0;
    data->planned = done == 1;
    if (done == 0) {
        const gn__composition composition = gn__composition_begin();
        *statistics = (gn__statistics){0};
        done = gn__norm_forward(&data->norm, x, weight, bias, y, statistics);
        gn__composition_end(&composition);
    }
    return done < 0 ? NULL : y;
}

gn_tensor *gn_batch_norm_with(gn_tensor *x, gn_tensor *running_mean, gn_tensor *running_var,
                              gn_tensor *weight, gn_tensor *bias, const gn_norm_options *options) {
    gn_norm_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed() || !check(x, running_mean, running_var, weight, bias, o.training))
        return NULL;
    gn_tensor *all[] = {x, weight, bias, running_mean, running_var}, **inputs = all;
    if (gn__common_device(op, 5, all) == NULL)
        return NULL;
    batch_norm_data data = {
        .norm = norm_over_channels(x, NORM_STATISTICS | NORM_VARIANCE, gn_or(o.eps, 1e-5)),
        .training = o.training};
    gn__statistics statistics = {0};
    gn_tensor *y;
    if (o.training) {
        y = train(&data, x, weight, bias, &statistics);
        if (y && running_mean &&
            update_running(x, &statistics, running_mean, running_var, gn_or(o.momentum, 0.1)) !=
                GN_OK)
            return NULL;
    } else {
        statistics.mean = channel_values(x, running_mean, gn__compute_type(x->dtype), 0);
        statistics.rstd = rstd_of(x, running_var, data.norm.eps);
        if (gn__failed())
            return NULL;
        y = apply(x, statistics.mean, statistics.rstd, weight, bias);
    }
    if (y == NULL || !gn__recording(3, inputs))
        return y;
    gn__node *node = gn__record(&batch_norm_node, y, 3, inputs, sizeof data);
    if (node == NULL)
        return NULL;
    *(batch_norm_data *)node->data = data;
    gn_tensor *const saved[] = {x, weight, bias, statistics.mean, statistics.rstd, statistics.var};
    for (int i = 0; i < (int)GN_LENGTH(saved); i++)
        if (saved[i] && (i != NORM_VAR || data.planned))
            gn__save(node, i, saved[i]);
    return y;
}
