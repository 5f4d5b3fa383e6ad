/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fold.c - Fold and Unfold.
 */
#include "module.h"

typedef struct fold {
    gn_module base;
    gn_shape size; /* Fold: of the output */
    int64_t kernel;
    gn_fold_options options;
} fold;

static gn_tensor *fold_forward(gn_module *module, gn_tensor *x) {
    const fold *self = (const fold *)module;
    return gn_fold_with(x, self->size, self->kernel, &self->options);
}

static gn_tensor *unfold_forward(gn_module *module, gn_tensor *x) {
    const fold *self = (const fold *)module;
    return gn_unfold_with(x, self->kernel, &self->options);
}

/* ---- As text, like PyTorch */

static void describe_dims(char *text, size_t bytes, const char *name, const int64_t *each,
                          int64_t all, int64_t standard) {
    int64_t values[2];
    gn__per_dim(2, each, all, standard, values);
    if (values[0] == values[1])
        gn__describe_add(text, bytes, "%s%s=%lld", *text ? ", " : "", name, (long long)values[0]);
    else
        gn__describe_tuple(text, bytes, name, 2, values);
}

static void describe(const gn_module *module, char *text, size_t bytes) {
    const fold *self = (const fold *)module;
    const gn_fold_options *o = &self->options;
    if (self->size.n)
        gn__describe_tuple(text, bytes, "output_size", (int)self->size.n, self->size.size);
    describe_dims(text, bytes, "kernel_size", o->kernel_sizes, self->kernel, 0);
    describe_dims(text, bytes, "dilation", o->dilations, o->dilation, 1);
    describe_dims(text, bytes, "padding", o->paddings, o->padding, 0);
    describe_dims(text, bytes, "stride", o->strides, o->stride, 1);
}

/* ---- Making */

static const gn_module_class fold_class = {
    .name = "Fold", .size = sizeof(fold), .forward = fold_forward, .describe = describe};
static const gn_module_class unfold_class = {
    .name = "Unfold", .size = sizeof(fold), .forward = unfold_forward, .describe = describe};

static gn_module *make(const gn_module_class *type, gn_shape size, int64_t kernel,
                       const gn_fold_options *options) {
    fold *self = gn_module_new(type);
    if (self == NULL)
        return NULL;
    self->size = size;
    self->kernel = kernel;
    gn__options(&self->options, sizeof self->options, options);
    self->options.struct_size = sizeof self->options;
    return &self->base;
}

gn_module *gn_nn_fold_with(gn_shape size, int64_t kernel, const gn_fold_options *options) {
    if (!gn__failed() && size.n != 2)
        return gn__fail_null(GN_E_ARGUMENT, "Fold", "the output's size must be (H, W)");
    return make(&fold_class, size, kernel, options);
}

gn_module *gn_nn_unfold_with(int64_t kernel, const gn_fold_options *options) {
    return make(&unfold_class, (gn_shape){0}, kernel, options);
}
