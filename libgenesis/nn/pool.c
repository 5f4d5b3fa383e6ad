/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.c - MaxPool2d, AvgPool2d, AdaptiveAvgPool2d.
 */
#include <stdio.h>

#include "module.h"

typedef struct pool {
    gn_module base;
    int64_t kernel;
    gn_pool2d_options options;
} pool;

static gn_tensor *max_forward(gn_module *module, gn_tensor *x) {
    pool *self = (pool *)module;
    return gn_max_pool2d_with(x, self->kernel, &self->options);
}

static gn_tensor *avg_forward(gn_module *module, gn_tensor *x) {
    pool *self = (pool *)module;
    return gn_avg_pool2d_with(x, self->kernel, &self->options);
}

/* "3", or "(3, 5)" for pairs. */
static const char *pair_text(char text[48], gn_pair each, int64_t both) {
    int64_t h = each.h ? each.h : both, w = each.w ? each.w : both;
    snprintf(text, 48, h == w ? "%lld" : "(%lld, %lld)", (long long)h, (long long)w);
    return text;
}

static int describe_window(const pool *self, char *text, size_t bytes) {
    const gn_pool2d_options *o = &self->options;
    const gn_pair kernel = {o->kernel_hw.h ? o->kernel_hw.h : self->kernel,
                            o->kernel_hw.w ? o->kernel_hw.w : self->kernel};
    const gn_pair stride = {o->stride_hw.h || o->stride ? o->stride_hw.h : kernel.h,
                            o->stride_hw.w || o->stride ? o->stride_hw.w : kernel.w};
    char kernel_text[48], stride_text[48], padding_text[48];
    return snprintf(text, bytes, "kernel_size=%s, stride=%s, padding=%s",
                    pair_text(kernel_text, kernel, 0), pair_text(stride_text, stride, o->stride),
                    pair_text(padding_text, o->padding_hw, o->padding));
}

static void describe_max(const gn_module *module, char *text, size_t bytes) {
    const pool *self = (const pool *)module;
    int n = describe_window(self, text, bytes);
    if (n > 0 && (size_t)n < bytes)
        snprintf(text + n, bytes - (size_t)n, ", dilation=%lld, ceil_mode=%s",
                 (long long)(self->options.dilation ? self->options.dilation : 1),
                 self->options.ceil_mode ? "True" : "False");
}

static void describe_avg(const gn_module *module, char *text, size_t bytes) {
    describe_window((const pool *)module, text, bytes);
}

static const gn_module_class max_class = {
    .name = "MaxPool2d", .size = sizeof(pool), .forward = max_forward, .describe = describe_max};
static const gn_module_class avg_class = {
    .name = "AvgPool2d", .size = sizeof(pool), .forward = avg_forward, .describe = describe_avg};

bool gn__is_max_pool(const gn_module *module) {
    return module && module->type == &max_class && ((const pool *)module)->options.dilation <= 1;
}

static gn_module *make(const gn_module_class *type, int64_t kernel,
                       const gn_pool2d_options *options) {
    pool *self = gn_module_new(type);
    if (self == NULL)
        return NULL;
    self->kernel = kernel;
    gn__options(&self->options, sizeof self->options, options);
    self->options.struct_size = sizeof self->options;
    return &self->base;
}

gn_module *gn_nn_max_pool2d_with(int64_t kernel, const gn_pool2d_options *options) {
    return make(&max_class, kernel, options);
}

gn_module *gn_nn_avg_pool2d_with(int64_t kernel, const gn_pool2d_options *options) {
    return make(&avg_class, kernel, options);
}

/* ---- Adaptive */

typedef struct adaptive {
    gn_module base;
    int64_t height, width;
} adaptive;

static gn_tensor *adaptive_forward(gn_module *module, gn_tensor *x) {
    adaptive *self = (adaptive *)module;
    return gn_adaptive_avg_pool2d(x, self->height, self->width);
}

static void describe_adaptive(const gn_module *module, char *text, size_t bytes) {
    const adaptive *self = (const adaptive *)module;
    snprintf(text, bytes, "output_size=(%lld, %lld)", (long long)self->height,
             (long long)self->width);
}

static const gn_module_class adaptive_class = {.name = "AdaptiveAvgPool2d",
                                               .size = sizeof(adaptive),
                                               .forward = adaptive_forward,
                                               .describe = describe_adaptive};

gn_module *gn_nn_adaptive_avg_pool2d(int64_t height, int64_t width) {
    adaptive *self = gn_module_new(&adaptive_class);
    if (self == NULL)
        return NULL;
    self->height = height;
    self->width = width;
    return &self->base;
}
