/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.c - MaxPool, AvgPool, AdaptiveAvgPool and AdaptiveMaxPool in 1, 2 and 3 dims.
 */
#include "module.h"

typedef struct pool {
    gn_module base;
    int n;           /* spatial dims */
    int64_t size[3]; /* adaptive: of the output */
    int64_t kernel;
    gn_pool_options options;
} pool;

/* ---- Running: by kind and by the number of spatial dims */

typedef gn_tensor *pool_function(gn_tensor *x, int64_t kernel, const gn_pool_options *options);

static gn_tensor *max_pool(const pool *self, gn_tensor *x, gn_tensor **indices) {
    static pool_function *const functions[] = {gn_max_pool1d_with, gn_max_pool2d_with,
                                               gn_max_pool3d_with};
    gn_pool_options o = self->options;
    o.indices = indices;
    return functions[self->n - 1](x, self->kernel, &o);
}

static gn_tensor *adaptive_max(const pool *self, gn_tensor *x, gn_tensor **indices) {
    const int64_t *size = self->size;
    return self->n == 1   ? gn_adaptive_max_pool1d(x, size[0], indices)
           : self->n == 2 ? gn_adaptive_max_pool2d(x, size[0], size[1], indices)
                          : gn_adaptive_max_pool3d(x, size[0], size[1], size[2], indices);
}

static gn_tensor *max_forward(gn_module *module, gn_tensor *x) {
    return max_pool((const pool *)module, x, NULL);
}

static gn_tensor *adaptive_max_forward(gn_module *module, gn_tensor *x) {
    return adaptive_max((const pool *)module, x, NULL);
}

static gn_tensor *avg_forward(gn_module *module, gn_tensor *x) {
    static pool_function *const functions[] = {gn_avg_pool1d_with, gn_avg_pool2d_with,
                                               gn_avg_pool3d_with};
    const pool *self = (const pool *)module;
    return functions[self->n - 1](x, self->kernel, &self->options);
}

static gn_tensor *adaptive_avg_forward(gn_module *module, gn_tensor *x) {
    const pool *self = (const pool *)module;
    const int64_t *size = self->size;
    return self->n == 1   ? gn_adaptive_avg_pool1d(x, size[0])
           : self->n == 2 ? gn_adaptive_avg_pool2d(x, size[0], size[1])
                          : gn_adaptive_avg_pool3d(x, size[0], size[1], size[2]);
}

/* ---- As text, like PyTorch */

/* One number where all are the same, as they are usually given; as_tuple: all of them. */
static void describe_dims(const pool *self, char *text, size_t bytes, const char *name,
                          const int64_t *values, bool as_tuple) {
    for (int d = 1; d < self->n; d++)
        as_tuple = as_tuple || values[d] != values[0];
    if (as_tuple)
        gn__describe_tuple(text, bytes, name, self->n, values);
    else
        gn__describe_add(text, bytes, "%s%s=%lld", *text ? ", " : "", name, (long long)values[0]);
}

static void describe_window(const pool *self, char *text, size_t bytes, bool as_tuple) {
    const gn_pool_options *o = &self->options;
    int64_t kernel[GN_MAX_SPATIAL], stride[GN_MAX_SPATIAL], padding[GN_MAX_SPATIAL];
    gn__per_dim(self->n, o->kernel_sizes, self->kernel, 0, kernel);
    gn__per_dim(self->n, o->strides, o->stride, 0, stride);
    gn__per_dim(self->n, o->paddings, o->padding, 0, padding);
    for (int d = 0; d < self->n; d++)
        stride[d] = stride[d] ? stride[d] : kernel[d];
    describe_dims(self, text, bytes, "kernel_size", kernel, as_tuple);
    describe_dims(self, text, bytes, "stride", stride, as_tuple);
    describe_dims(self, text, bytes, "padding", padding, as_tuple);
}

static void describe_max(const gn_module *module, char *text, size_t bytes) {
    const pool *self = (const pool *)module;
    int64_t dilation[GN_MAX_SPATIAL];
    gn__per_dim(self->n, self->options.dilations, self->options.dilation, 1, dilation);
    describe_window(self, text, bytes, false);
    describe_dims(self, text, bytes, "dilation", dilation, false);
    gn__describe_add(text, bytes, ", ceil_mode=%s", self->options.ceil_mode ? "True" : "False");
}

static void describe_avg(const gn_module *module, char *text, size_t bytes) {
    const pool *self = (const pool *)module;
    describe_window(self, text, bytes, self->n == 1);
}

static void describe_adaptive(const gn_module *module, char *text, size_t bytes) {
    const pool *self = (const pool *)module;
    gn__describe_add(text, bytes, self->n == 1 ? "output_size=" : "output_size=(");
    for (int d = 0; d < self->n; d++)
        if (self->size[d] == -1)
            gn__describe_add(text, bytes, d ? ", None" : "None");
        else
            gn__describe_add(text, bytes, d ? ", %lld" : "%lld", (long long)self->size[d]);
    if (self->n > 1)
        gn__describe_add(text, bytes, ")");
}

/* ---- Making */

#define CLASS(class_name, run, text)                                                               \
    { .name = class_name, .size = sizeof(pool), .forward = run, .describe = text }
static const gn_module_class max_classes[] = {
    CLASS("MaxPool1d", max_forward, describe_max),
    CLASS("MaxPool2d", max_forward, describe_max),
    CLASS("MaxPool3d", max_forward, describe_max),
};
static const gn_module_class avg_classes[] = {
    CLASS("AvgPool1d", avg_forward, describe_avg),
    CLASS("AvgPool2d", avg_forward, describe_avg),
    CLASS("AvgPool3d", avg_forward, describe_avg),
};
static const gn_module_class adaptive_avg_classes[] = {
    CLASS("AdaptiveAvgPool1d", adaptive_avg_forward, describe_adaptive),
    CLASS("AdaptiveAvgPool2d", adaptive_avg_forward, describe_adaptive),
    CLASS("AdaptiveAvgPool3d", adaptive_avg_forward, describe_adaptive),
};
static const gn_module_class adaptive_max_classes[] = {
    CLASS("AdaptiveMaxPool1d", adaptive_max_forward, describe_adaptive),
    CLASS("AdaptiveMaxPool2d", adaptive_max_forward, describe_adaptive),
    CLASS("AdaptiveMaxPool3d", adaptive_max_forward, describe_adaptive),
};
#undef CLASS

bool gn__is_max_pool(const gn_module *module) {
    return module && module->type->forward == max_forward;
}

static gn_module *make(const gn_module_class *classes, int n, int64_t kernel,
                       const gn_pool_options *options) {
    const gn_module_class *type = &classes[n - 1];
    gn_pool_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed())
        return NULL;
    if (o.indices)
        return gn__fail_null(GN_E_ARGUMENT, type->name,
                             "a module has no place for indices: call gn_max_pool_forward");
    pool *self = gn_module_new(type);
    if (self == NULL)
        return NULL;
    o.struct_size = sizeof o;
    self->n = n;
    self->kernel = kernel;
    self->options = o;
    return &self->base;
}

static gn_module *make_adaptive(const gn_module_class *classes, int n, const int64_t *size) {
    pool *self = gn_module_new(&classes[n - 1]);
    if (self == NULL)
        return NULL;
    self->n = n;
    memcpy(self->size, size, (size_t)n * sizeof *size);
    return &self->base;
}

gn_module *gn_nn_max_pool1d_with(int64_t kernel, const gn_pool_options *options) {
    return make(max_classes, 1, kernel, options);
}

gn_module *gn_nn_max_pool2d_with(int64_t kernel, const gn_pool_options *options) {
    return make(max_classes, 2, kernel, options);
}

gn_module *gn_nn_max_pool3d_with(int64_t kernel, const gn_pool_options *options) {
    return make(max_classes, 3, kernel, options);
}

gn_module *gn_nn_avg_pool1d_with(int64_t kernel, const gn_pool_options *options) {
    return make(avg_classes, 1, kernel, options);
}

gn_module *gn_nn_avg_pool2d_with(int64_t kernel, const gn_pool_options *options) {
    return make(avg_classes, 2, kernel, options);
}

gn_module *gn_nn_avg_pool3d_with(int64_t kernel, const gn_pool_options *options) {
    return make(avg_classes, 3, kernel, options);
}

gn_module *gn_nn_adaptive_avg_pool1d(int64_t length) {
    return make_adaptive(adaptive_avg_classes, 1, (const int64_t[]){length});
}

gn_module *gn_nn_adaptive_avg_pool2d(int64_t height, int64_t width) {
    return make_adaptive(adaptive_avg_classes, 2, (const int64_t[]){height, width});
}

gn_module *gn_nn_adaptive_avg_pool3d(int64_t depth, int64_t height, int64_t width) {
    return make_adaptive(adaptive_avg_classes, 3, (const int64_t[]){depth, height, width});
}

gn_module *gn_nn_adaptive_max_pool1d(int64_t length) {
    return make_adaptive(adaptive_max_classes, 1, (const int64_t[]){length});
}

gn_module *gn_nn_adaptive_max_pool2d(int64_t height, int64_t width) {
    return make_adaptive(adaptive_max_classes, 2, (const int64_t[]){height, width});
}

gn_module *gn_nn_adaptive_max_pool3d(int64_t depth, int64_t height, int64_t width) {
    return make_adaptive(adaptive_max_classes, 3, (const int64_t[]){depth, height, width});
}

/* The indices outlive the module's scope. */
static gn_tensor *run_with_indices(gn_module *module, gn_tensor *x, void *context) {
    gn_tensor **indices = context;
    const pool *self = (const pool *)module;
    gn_tensor *y = module->type->forward == max_forward ? max_pool(self, x, indices)
                                                        : adaptive_max(self, x, indices);
    gn_retain(*indices);
    return y;
}

gn_tensor *gn_max_pool_forward(gn_module *module, gn_tensor *x, gn_tensor **indices) {
    static const char op[] = "max_pool_forward";
    gn_tensor *at = NULL;
    if (indices)
        *indices = NULL;
    if (!gn__is_module(op, module) || !gn__given(module->type->name, x))
        return NULL;
    if (module->type->forward != max_forward && module->type->forward != adaptive_max_forward)
        return gn__fail_null(GN_E_ARGUMENT, op, "%s is no MaxPool or AdaptiveMaxPool",
                             module->type->name);
    if (indices == NULL)
        return gn_forward(module, x);
    gn_tensor *y = gn__module_run(module, x, run_with_indices, &at);
    gn__own(at);
    *indices = y ? at : NULL;
    return y;
}
