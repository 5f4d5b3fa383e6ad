/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clip.c - the common norm of many tensors, and clipping of gradients, on the device: nothing waits
 * for the norm.
 */
#include <math.h>

#include "module.h"

/* ---- Parts of the common norm: sum |t|^p, or max |t|; each tensor has a place in a vector */

enum { SQUARES, ABSOLUTES, POWERS, MAXIMUM };

static int term(gn__builder *b, int kind, int value, int p) {
    if (kind == SQUARES)
        return gn__emit(b, GN_OP_MUL, value, value, 0);
    int absolute = gn__emit(b, GN_OP_ABS, value, 0, 0);
    return kind == POWERS ? gn__emit(b, GN_OP_POW, absolute, p, 0) : absolute;
}

/* Operands t, part; v: dtypes of both, the kind; param p. */
static void build_part(gn__builder *b, const int8_t *v) {
    int t = gn__build_operand(b, GN_READ, v[0]), part = gn__build_operand(b, GN_WRITE, v[1]);
    int p = gn__param(b, v[1], gn__build_param(b));
    int value = term(b, v[2], gn__cast(b, v[1], gn__load(b, t)), p);
    gn__store(b, part, gn__reduce_value(b, v[2] == MAXIMUM ? GN_MAX : GN_SUM, value, 0));
}

/* norm = (sum of the parts)^(1/p). Operands parts, norm; v: dtype, kind; param p. */
static void build_norm(gn__builder *b, const int8_t *v) {
    int parts = gn__build_operand(b, GN_READ, v[0]), norm = gn__build_operand(b, GN_WRITE, v[0]);
    int p = gn__param(b, v[0], gn__build_param(b));
    int value = gn__reduce_value(b, v[1] == MAXIMUM ? GN_MAX : GN_SUM, gn__load(b, parts), 0);
    if (v[1] == SQUARES)
        value = gn__emit(b, GN_OP_SQRT, value, 0, 0);
    else if (v[1] == POWERS)
        value =
            gn__emit(b, GN_OP_POW, value, gn__emit(b, GN_OP_DIV, gn__const_f(b, v[0], 1), p, 0), 0);
    gn__store(b, norm, value);
}

static gn__kernel part_kernel = {.name = "total_norm_part", .build = build_part};
static gn__kernel norm_kernel = {.name = "total_norm", .build = build_norm};

/* The norm of at least one tensor; NULL with an error. */
static gn_tensor *norm_of(const char *op, const gn_dict *tensors, int type, double p) {
    const int8_t kind = isinf(p) ? MAXIMUM : p == 2 ? SQUARES : p == 1 ? ABSOLUTES : POWERS;
    const int64_t n = gn_dict_size(tensors);
    gn__device *device = gn_dict_tensor(tensors, 0)->storage->device;
    gn_tensor *parts = gn__tensor_new(device, type, 1, &n),
              *norm = gn__tensor_new(device, type, 0, NULL);
    if (gn__failed() || gn__fill_data(parts, 0) != GN_OK)
        return NULL;
    const gn_scalar params[] = {{.f = p}};
    for (int64_t i = 0; i < n; i++) {
        gn_tensor *t = gn_dict_tensor(tensors, i);
        if (t->storage->device != device)
            return gn__fail_null(GN_E_UNSUPPORTED, op, "the tensors are on %s and on %s",
                                 device->name, t->storage->device->name);
        gn__rows space = gn__rows_of(t, ~0u);
        gn__operand operands[] = {gn__rows_full(&space, t),
                                  {.storage = parts->storage, .offset = parts->offset + i}};
        if (t->count &&
            gn__kernel_run(op, device, &part_kernel, GN__VARIANT(t->dtype, (int8_t)type, kind),
                           &space, operands, params) != GN_OK)
            return NULL;
    }
    gn__rows space = gn__rows_of(parts, ~0u);
    gn__operand operands[] = {gn__rows_full(&space, parts), gn__rows_kept(&space, norm)};
    gn__kernel_run(op, device, &norm_kernel, GN__VARIANT((int8_t)type, kind), &space, operands,
                   params);
    return norm;
}

/* What norms are computed in: float32, or float64 if any of the tensors has it. 0 with an error. */
static int norm_dtype(const char *op, const gn_dict *tensors) {
    int type = GN_F32;
    for (int64_t i = 0; i < gn_dict_size(tensors); i++) {
        const gn_tensor *t = gn_dict_tensor(tensors, i);
        if (!gn__check_float(op, gn_dict_name(tensors, i), t))
            return 0;
        type = t->dtype == GN_F64 ? GN_F64 : type;
    }
    return type;
}

static gn_tensor *total_norm(const char *op, const gn_dict *tensors,
                             const gn_total_norm_options *options) {
    gn_total_norm_options o;
    gn__options(&o, sizeof o, options);
    const double p = gn_or(o.norm_type, 2);
    if (gn__failed())
        return NULL;
    if (tensors == NULL || !(p > 0))
        return gn__fail_null(GN_E_ARGUMENT, op, "it takes tensors, and a norm_type above 0");
    if (gn_dict_size(tensors) == 0)
        return gn_scalar_tensor(0, GN_AS(.dtype = GN_F32));
    gn_scope scope = gn_scope_begin();
    const int type = norm_dtype(op, tensors);
    gn_tensor *norm = type ? norm_of(op, tensors, type, p) : NULL;
    if (norm && o.error_if_nonfinite && !isfinite(gn_item(norm)))
        gn_fail(GN_E_STATE, op, "the total norm of order %g is not finite", p);
    return gn_scope_end_with(scope, gn__failed() ? NULL : norm);
}

gn_tensor *gn_get_total_norm_with(gn_dict *tensors, const gn_total_norm_options *options) {
    return total_norm("get_total_norm", tensors, options);
}

/* ---- Gradients */

gn_dict *gn_grads(gn_dict *parameters) {
    gn_dict *grads = gn_dict_new();
    for (int64_t i = 0; i < gn_dict_size(parameters) && grads; i++) {
        gn_tensor *g = gn_grad(gn_dict_tensor(parameters, i));
        if (g)
            gn_dict_set(grads, gn_dict_name(parameters, i), g);
    }
    return gn__failed() ? NULL : grads;
}

/* Multiplies by min(1, max_norm / (norm + 1e-6)); NaN stays. */
static void scale(gn_dict *grads, double max_norm, gn_tensor *norm) {
    bool was = gn_set_grad_enabled(false);
    gn_tensor *factor =
        gn_map("min(limit / (x + 1e-6), 1.0)", norm, .params = {{"limit", max_norm}});
    for (int64_t i = 0; i < gn_dict_size(grads) && !gn__failed(); i++)
        gn_mul_(gn_dict_tensor(grads, i), factor);
    gn_set_grad_enabled(was);
}

static bool check_clip(const char *op, const gn_dict *parameters, double limit) {
    if (!gn__failed() && (parameters == NULL || !(limit >= 0)))
        gn_fail(GN_E_ARGUMENT, op, "it takes parameters, and a limit of at least 0, not %g", limit);
    return !gn__failed();
}

gn_status gn_clip_grads_with_norm_(gn_dict *parameters, double max_norm, gn_tensor *total_norm) {
    static const char op[] = "clip_grads_with_norm_";
    if (!check_clip(op, parameters, max_norm) || !gn__given(op, total_norm))
        return gn_error_status();
    gn_scope scope = gn_scope_begin();
    scale(gn_grads(parameters), max_norm, total_norm);
    return gn_scope_end(scope);
}

gn_tensor *gn_clip_grad_norm_with(gn_dict *parameters, double max_norm,
                                  const gn_total_norm_options *options) {
    static const char op[] = "clip_grad_norm_";
    if (!check_clip(op, parameters, max_norm))
        return NULL;
    gn_scope scope = gn_scope_begin();
    gn_dict *grads = gn_grads(parameters);
    gn_tensor *norm = total_norm(op, grads, options);
    if (norm)
        scale(grads, max_norm, norm);
    return gn_scope_end_with(scope, gn__failed() ? NULL : norm);
}

gn_status gn_clip_grad_value_(gn_dict *parameters, double clip_value) {
    if (!check_clip("clip_grad_value_", parameters, clip_value))
        return gn_error_status();
    gn_scope scope = gn_scope_begin();
    bool was = gn_set_grad_enabled(false);
    gn_dict *grads = gn_grads(parameters);
    for (int64_t i = 0; i < gn_dict_size(grads) && !gn__failed(); i++)
        gn_clamp_(gn_dict_tensor(grads, i), gn_some(-clip_value), gn_some(clip_value));
    gn_set_grad_enabled(was);
    return gn_scope_end(scope);
}
