/* SPDX-License-Identifier: Apache-2.0 */
/*
 * activation.c - activations, and the modules that do as little: Flatten, Identity.
 */
#include <stdio.h>

#include "module.h"

/* ---- A function of x alone, in place or not */

typedef struct activation {
    gn_module base;
    bool inplace;
} activation;

static gn_tensor *relu(gn_module *self, gn_tensor *x) {
    return ((activation *)self)->inplace ? gn_relu_(x) : gn_relu(x);
}

/* The gradient of SiLU needs its input: in place, a copy of it is kept. */
static gn_tensor *silu(gn_module *self, gn_tensor *x) {
    if (!((activation *)self)->inplace)
        return gn_silu(x);
    gn_tensor *y = gn_silu(gn__recording(1, &x) ? gn_clone(x) : x);
    return y ? gn_copy_(x, y) : NULL;
}

static gn_tensor *gelu(gn_module *self, gn_tensor *x) { return (void)self, gn_gelu(x); }
static gn_tensor *gelu_tanh(gn_module *self, gn_tensor *x) { return (void)self, gn_gelu_tanh(x); }
static gn_tensor *sigmoid(gn_module *self, gn_tensor *x) { return (void)self, gn_sigmoid(x); }
static gn_tensor *tanh_(gn_module *self, gn_tensor *x) { return (void)self, gn_tanh(x); }
static gn_tensor *identity(gn_module *self, gn_tensor *x) { return (void)self, x; }
static gn_tensor *flatten(gn_module *self, gn_tensor *x) { return (void)self, gn_flatten(x, 1); }

static void describe_inplace(const gn_module *module, char *text, size_t bytes) {
    snprintf(text, bytes, "%s", ((const activation *)module)->inplace ? "inplace=True" : "");
}

static void describe_gelu(const gn_module *module, char *text, size_t bytes) {
    snprintf(text, bytes, "approximate='%s'", module->type->forward == gelu ? "none" : "tanh");
}

static void describe_flatten(const gn_module *module, char *text, size_t bytes) {
    (void)module;
    snprintf(text, bytes, "start_dim=1, end_dim=-1");
}

enum { RELU, SILU, GELU, GELU_TANH, SIGMOID, TANH, IDENTITY, FLATTEN };

#define CLASS(title, function, ...)                                                                \
    { .name = title, .size = sizeof(activation), .forward = function, __VA_ARGS__ }
static const gn_module_class classes[] = {
    [RELU] = CLASS("ReLU", relu, .describe = describe_inplace),
    [SILU] = CLASS("SiLU", silu, .describe = describe_inplace),
    [GELU] = CLASS("GELU", gelu, .describe = describe_gelu),
    [GELU_TANH] = CLASS("GELU", gelu_tanh, .describe = describe_gelu),
    [SIGMOID] = CLASS("Sigmoid", sigmoid, ),
    [TANH] = CLASS("Tanh", tanh_, ),
    [IDENTITY] = CLASS("Identity", identity, ),
    [FLATTEN] = CLASS("Flatten", flatten, .describe = describe_flatten),
};

bool gn__is_relu(const gn_module *module) {
    return module && module->type == &classes[RELU] && !((const activation *)module)->inplace;
}

static gn_module *make(int which, const gn_activation_options *options) {
    gn_activation_options o;
    gn__options(&o, sizeof o, options);
    activation *self = gn_module_new(&classes[which]);
    if (self == NULL)
        return NULL;
    self->inplace = o.inplace;
    return &self->base;
}

gn_module *gn_nn_relu_with(const gn_activation_options *options) { return make(RELU, options); }
gn_module *gn_nn_silu_with(const gn_activation_options *options) { return make(SILU, options); }
gn_module *gn_nn_sigmoid(void) { return make(SIGMOID, NULL); }
gn_module *gn_nn_tanh(void) { return make(TANH, NULL); }
gn_module *gn_nn_identity(void) { return make(IDENTITY, NULL); }
gn_module *gn_nn_flatten(void) { return make(FLATTEN, NULL); }

gn_module *gn_nn_gelu_with(const gn_gelu_options *options) {
    gn_gelu_options o;
    gn__options(&o, sizeof o, options);
    return make(o.approximate_tanh ? GELU_TANH : GELU, NULL);
}

/* ---- Softmax */

typedef struct softmax {
    gn_module base;
    int64_t dim;
} softmax;

static gn_tensor *softmax_forward(gn_module *self, gn_tensor *x) {
    return gn_softmax(x, ((softmax *)self)->dim);
}

static void describe_softmax(const gn_module *module, char *text, size_t bytes) {
    snprintf(text, bytes, "dim=%lld", (long long)((const softmax *)module)->dim);
}

static const gn_module_class softmax_class = {.name = "Softmax",
                                              .size = sizeof(softmax),
                                              .forward = softmax_forward,
                                              .describe = describe_softmax};

gn_module *gn_nn_softmax(int64_t dim) {
    softmax *self = gn_module_new(&softmax_class);
    if (self == NULL)
        return NULL;
    self->dim = dim;
    return &self->base;
}
