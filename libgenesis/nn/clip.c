/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clip.c - clipping of gradients, on the device: nothing waits for the norm.
 */
#include <math.h>
#include <stdlib.h>

#include "module.h"

/* ---- Parts of the common norm: sum |g|^p, or max |g|; each gradient has a place in a vector */

enum { SQUARES, ABSOLUTES, POWERS, MAXIMUM };

static int term(gn__builder *b, int kind, int value, int p) {
    if (kind == SQUARES)
        return gn__emit(b, GN_OP_MUL, value, value, 0);
    int absolute = gn__emit(b, GN_OP_ABS, value, 0, 0);
    return kind == POWERS ? gn__emit(b, GN_OP_POW, absolute, p, 0) : absolute;
}

/* Operands g, part; v: dtypes of both, the kind; param p. */
static void build_part(gn__builder *b, const int8_t *v) {
    int g = gn__build_operand(b, GN_READ, v[0]), part = gn__build_operand(b, GN_WRITE, v[1]);
    int p = gn__param(b, v[1], gn__build_param(b));
    int value = term(b, v[2], gn__cast(b, v[1], gn__load(b, g)), p);
    gn__store(b, part, gn__reduce_value(b, v[2] == MAXIMUM ? GN_MAX : GN_SUM, value, 0));
}

/* norm = (sum of the parts)^(1/p), factor = min(1, max_norm / (norm + 1e-6)); NaN stays.
 * Operands parts, norm, factor; v: dtype, kind; params p, max_norm. */
static void build_norm(gn__builder *b, const int8_t *v) {
    int parts = gn__build_operand(b, GN_READ, v[0]), norm = gn__build_operand(b, GN_WRITE, v[0]),
        factor = gn__build_operand(b, GN_WRITE, v[0]);
    int p = gn__param(b, v[0], gn__build_param(b)), max = gn__param(b, v[0], gn__build_param(b));
    int value = gn__reduce_value(b, v[1] == MAXIMUM ? GN_MAX : GN_SUM, gn__load(b, parts), 0);
    int one = gn__const_f(b, v[0], 1);
    if (v[1] == SQUARES)
        value = gn__emit(b, GN_OP_SQRT, value, 0, 0);
    else if (v[1] == POWERS)
        value = gn__emit(b, GN_OP_POW, value, gn__emit(b, GN_OP_DIV, one, p, 0), 0);
    int whole = gn__emit(b, GN_OP_ADD, value, gn__const_f(b, v[0], 1e-6), 0);
    int ratio = gn__emit(b, GN_OP_DIV, max, whole, 0);
    gn__store(b, norm, value);
    gn__store(b, factor, gn__emit(b, GN_OP_MIN, ratio, one, 0));
}

static gn__kernel part_kernel = {.name = "clip_grad_part", .build = build_part};
static gn__kernel norm_kernel = {.name = "clip_grad_norm", .build = build_norm};

static const char op[] = "clip_grad_norm_";

/* The gradients that there are, with their number in *n; *type is what norms are computed in. */
static gn_tensor **gradients_of(gn_dict *parameters, int64_t *n, int *type) {
    const int64_t size = gn_dict_size(parameters);
    gn_tensor **gradients = gn__alloc_array((size_t)size + 1, sizeof *gradients);
    *n = 0;
    *type = GN_F32;
    for (int64_t i = 0; i < size && gradients; i++) {
        gn_tensor *g = gn_grad(gn_dict_tensor(parameters, i));
        if (g == NULL)
            continue;
        *type = g->dtype == GN_F64 ? GN_F64 : *type;
        gradients[(*n)++] = g;
    }
    return gradients;
}

/* The norm, and in *factor what all gradients are to be multiplied by. */
static gn_tensor *norm_of(gn_tensor *const *gradients, int64_t n, int type, double p,
                          double max_norm, gn_tensor **factor) {
    const int8_t kind = isinf(p) ? MAXIMUM : p == 2 ? SQUARES : p == 1 ? ABSOLUTES : POWERS;
    gn__device *device = n ? gradients[0]->storage->device : gn__device_get(NULL);
    gn_tensor *parts = device ? gn__tensor_new(device, type, 1, &n) : NULL,
              *norm = device ? gn__tensor_new(device, type, 0, NULL) : NULL;
    *factor = device ? gn__tensor_new(device, type, 0, NULL) : NULL;
    if (gn__failed() || gn__fill_data(parts, 0) != GN_OK)
        return NULL;
    const gn_scalar params[] = {{.f = p}, {.f = max_norm}};
    for (int64_t i = 0; i < n; i++) {
        gn_tensor *g = gradients[i];
        if (g->storage->device != device)
            return gn__fail_null(GN_E_UNSUPPORTED, op, "the gradients are on %s and on %s",
                                 device->name, g->storage->device->name);
        gn__rows space = gn__rows_of(g, ~0u);
        gn__operand operands[] = {gn__rows_full(&space, g),
                                  {.storage = parts->storage, .offset = parts->offset + i}};
        if (g->count &&
            gn__kernel_run(op, device, &part_kernel, GN__VARIANT(g->dtype, (int8_t)type, kind),
                           &space, operands, params) != GN_OK)
            return NULL;
    }
    if (n == 0)
        return gn__fill_data(norm, 0) == GN_OK ? norm : NULL;
    gn__rows space = gn__rows_of(parts, ~0u);
    gn__operand operands[] = {gn__rows_full(&space, parts), gn__rows_kept(&space, norm),
                              gn__rows_kept(&space, *factor)};
    return gn__kernel_run(op, device, &norm_kernel, GN__VARIANT((int8_t)type, kind), &space,
                          operands, params) == GN_OK
               ? norm
               : NULL;
}

gn_tensor *gn_clip_grad_norm_(gn_dict *parameters, double max_norm, double norm_type) {
    if (gn__failed())
        return NULL;
    if (parameters == NULL || !(norm_type > 0) || !(max_norm >= 0))
        return gn__fail_null(
            GN_E_ARGUMENT, op,
            "it takes parameters, a max_norm of at least 0, and a norm_type above 0");
    gn_scope scope = gn_scope_begin();
    bool was = gn_set_grad_enabled(false);
    int64_t n;
    int type;
    gn_tensor **gradients = gradients_of(parameters, &n, &type), *factor, *norm = NULL;
    if (gradients)
        norm = norm_of(gradients, n, type, norm_type, max_norm, &factor);
    for (int64_t i = 0; i < n && norm; i++)
        if (gn_mul_(gradients[i], factor) == NULL)
            norm = NULL;
    free(gradients);
    gn_set_grad_enabled(was);
    return gn_scope_end_with(scope, norm);
}

gn_status gn_clip_grad_value_(gn_dict *parameters, double clip_value) {
    static const char name[] = "clip_grad_value_";
    if (gn__failed())
        return gn_error_status();
    if (parameters == NULL || !(clip_value >= 0))
        return gn_fail(GN_E_ARGUMENT, name, "it takes parameters, and a value of at least 0");
    bool was = gn_set_grad_enabled(false);
    for (int64_t i = 0; i < gn_dict_size(parameters) && !gn__failed(); i++) {
        gn_tensor *g = gn_grad(gn_dict_tensor(parameters, i));
        if (g)
            gn_clamp_(g, gn_some(-clip_value), gn_some(clip_value));
    }
    gn_set_grad_enabled(was);
    return gn_error_status();
}
