/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse.c - a batch norm in evaluation mode folded into the layer before it.
 *
 *     s = weight_bn / sqrt(running_var + eps)
 *     weight' = weight s          s along the dim of the output channels
 *     bias' = (bias - running_mean) s + bias_bn
 */
#include "module.h"

/* A parameter or buffer by its name; NULL, without an error, if there is none. */
static gn_tensor *find(const gn__entries *entries, const char *name) {
    const gn__entry *e = gn__entry_find(entries, name);
    return e ? e->object : NULL;
}

/* s as a factor of a weight with its output channels in dim `channels`. */
static gn_tensor *as_factor(gn_tensor *s, const gn_tensor *weight, int channels) {
    gn_shape shape = {.n = weight->n_dims};
    for (int d = 0; d < weight->n_dims; d++)
        shape.size[d] = d == channels ? s->count : 1;
    return gn_reshape_with(s, shape);
}

/* Sets weight and bias of the copied layer. */
static void fold(gn_module *layer, const gn_module *bn, double eps) {
    const gn__entries *own = &layer->state->parameters, *theirs = &bn->state->parameters;
    gn_tensor *weight = find(own, "weight"), *bias = find(own, "bias"),
              *mean = gn_get_buffer((gn_module *)bn, "running_mean"),
              *var = gn_get_buffer((gn_module *)bn, "running_var"), *scale = find(theirs, "weight"),
              *shift = find(theirs, "bias");
    gn_tensor *s = var ? gn_rsqrt(gn_add_scalar(var, eps)) : NULL;
    s = scale && s ? gn_mul(s, scale) : s;
    gn_tensor *b = s ? gn_mul(bias ? gn_sub(bias, mean) : gn_neg(mean), s) : NULL;
    b = shift && b ? gn_add(b, shift) : b;
    const int channels = strncmp(layer->type->name, "ConvTranspose", 13) == 0;
    if (b == NULL || gn_mul_(weight, as_factor(s, weight, channels)) == NULL)
        return;
    if (bias)
        gn_copy_(bias, b);
    else
        gn_set_parameter(layer, "bias", gn_cast(b, gn_dtype_of(weight)));
}

gn_module *gn_fuse_bn_eval(const gn_module *layer, const gn_module *batch_norm) {
    static const char op[] = "fuse_bn_eval";
    if (!gn__is_module(op, layer) || !gn__is_module(op, batch_norm))
        return NULL;
    const double eps = gn__batch_norm_eps(batch_norm);
    const bool is_layer =
        strcmp(layer->type->name, "Linear") == 0 || strncmp(layer->type->name, "Conv", 4) == 0;
    if (!is_layer || eps < 0 || find(&layer->state->parameters, "weight") == NULL)
        return gn__fail_null(GN_E_ARGUMENT, op,
                             "%s and %s are no Linear or convolution with its own weight, and a "
                             "batch norm",
                             layer->type->name, batch_norm->type->name);
    if (layer->training || batch_norm->training)
        return gn__fail_null(GN_E_STATE, op, "both must be in evaluation mode: gn_eval");
    gn_scope scope = gn_scope_begin();
    bool was = gn_set_grad_enabled(false);
    gn_module *fused = gn_module_clone(layer);
    if (fused)
        fold(fused, batch_norm, eps);
    gn_set_grad_enabled(was);
    return gn_scope_end_with(scope, gn__failed() ? NULL : fused);
}
