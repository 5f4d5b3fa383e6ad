/* SPDX-License-Identifier: Apache-2.0 */
/*
 * activation.c - activations as modules. One table says which function each is, and how its
 * arguments are called.
 */
#include <stdio.h>

#include "module.h"

typedef struct activation {
    gn_module base;
    double argument[2];
    bool inplace;
} activation;

typedef struct kind {
    gn_module_class base;
    /* One of these, by what it takes besides x: */
    gn_tensor *(*plain)(gn_tensor *x);
    gn_tensor *(*of_one)(gn_tensor *x, double a);
    gn_tensor *(*of_two)(gn_tensor *x, double a, double b);
    gn_tensor *(*along)(gn_tensor *x, int64_t dim);
    gn_tensor *(*random)(gn_tensor *x, double a, double b, bool training);
    gn_tensor *(*in_place)(gn_tensor *x); /* NULL: as the others, and a copy */
    const char *argument[2];              /* names; "" for a value that is printed alone */
    const char *note;                     /* is printed, too */
} kind;

static gn_tensor *compute(const activation *self, gn_tensor *x) {
    const kind *k = (const kind *)self->base.type;
    const double a = self->argument[0], b = self->argument[1];
    return k->plain    ? k->plain(x)
           : k->of_one ? k->of_one(x, a)
           : k->of_two ? k->of_two(x, a, b)
           : k->along  ? k->along(x, (int64_t)a)
                       : k->random(x, a, b, self->base.training);
}

/* In place, a copy of the input is kept, as the gradient may need it. */
static gn_tensor *forward(gn_module *module, gn_tensor *x) {
    const activation *self = (activation *)module;
    const kind *k = (const kind *)module->type;
    if (!self->inplace)
        return compute(self, x);
    if (k->in_place)
        return k->in_place(x);
    gn_tensor *y = compute(self, gn__recording(1, &x) ? gn_clone(x) : x);
    return y ? gn_copy_(x, y) : NULL;
}

static void describe(const gn_module *module, char *text, size_t bytes) {
    const activation *self = (const activation *)module;
    const kind *k = (const kind *)module->type;
    int used = snprintf(text, bytes, "%s", k->note ? k->note : "");
    for (int i = 0; i < 2 && k->argument[i]; i++)
        used += snprintf(text + used, bytes - (size_t)used, "%s%s%s%g", used ? ", " : "",
                         k->argument[i], *k->argument[i] ? "=" : "", self->argument[i]);
    if (self->inplace)
        snprintf(text + used, bytes - (size_t)used, "%sinplace=True", used ? ", " : "");
}

/* ---- What each is */

static gn_tensor *softplus(gn_tensor *x, double beta, double threshold) {
    return gn_softplus(x, .beta = gn_some(beta), .threshold = gn_some(threshold));
}

/* Over the channels of (N, C, H, W) or (C, H, W). */
static gn_tensor *softmax2d(gn_tensor *x) {
    if (gn_dim(x) != 3 && gn_dim(x) != 4)
        return gn__fail_null(GN_E_ARGUMENT, "Softmax2d",
                             "input %s must be (N, C, H, W) or (C, H, W)", gn__shape_of(x));
    return gn_softmax(x, -3);
}

enum {
    RELU,
    RELU6,
    SIGMOID,
    LOG_SIGMOID,
    TANH,
    TANHSHRINK,
    SILU,
    MISH,
    GELU,
    GELU_TANH,
    SELU,
    ELU,
    CELU,
    LEAKY_RELU,
    RRELU,
    HARDTANH,
    HARDSIGMOID,
    HARDSWISH,
    HARDSHRINK,
    SOFTSHRINK,
    SOFTPLUS,
    SOFTSIGN,
    THRESHOLD,
    GLU,
    SOFTMAX,
    LOG_SOFTMAX,
    SOFTMIN,
    SOFTMAX2D
};

#define KIND(title, ...)                                                                           \
    {                                                                                              \
        .base = {.name = title,                                                                    \
                 .size = sizeof(activation),                                                       \
                 .forward = forward,                                                               \
                 .describe = describe},                                                            \
        __VA_ARGS__                                                                                \
    }
static const kind kinds[] = {
    [RELU] = KIND("ReLU", .plain = gn_relu, .in_place = gn_relu_),
    [RELU6] = KIND("ReLU6", .plain = gn_relu6),
    [SIGMOID] = KIND("Sigmoid", .plain = gn_sigmoid),
    [LOG_SIGMOID] = KIND("LogSigmoid", .plain = gn_logsigmoid),
    [TANH] = KIND("Tanh", .plain = gn_tanh),
    [TANHSHRINK] = KIND("Tanhshrink", .plain = gn_tanhshrink),
    [SILU] = KIND("SiLU", .plain = gn_silu),
    [MISH] = KIND("Mish", .plain = gn_mish),
    [GELU] = KIND("GELU", .plain = gn_gelu, .note = "approximate='none'"),
    [GELU_TANH] = KIND("GELU", .plain = gn_gelu_tanh, .note = "approximate='tanh'"),
    [SELU] = KIND("SELU", .plain = gn_selu),
    [ELU] = KIND("ELU", .of_one = gn_elu, .argument = {"alpha"}),
    [CELU] = KIND("CELU", .of_one = gn_celu, .argument = {"alpha"}),
    [LEAKY_RELU] = KIND("LeakyReLU", .of_one = gn_leaky_relu, .argument = {"negative_slope"}),
    [RRELU] = KIND("RReLU", .random = gn_rrelu, .argument = {"lower", "upper"}),
    [HARDTANH] = KIND("Hardtanh", .of_two = gn_hardtanh, .argument = {"min_val", "max_val"}),
    [HARDSIGMOID] = KIND("Hardsigmoid", .plain = gn_hardsigmoid),
    [HARDSWISH] = KIND("Hardswish", .plain = gn_hardswish),
    [HARDSHRINK] = KIND("Hardshrink", .of_one = gn_hardshrink, .argument = {""}),
    [SOFTSHRINK] = KIND("Softshrink", .of_one = gn_softshrink, .argument = {""}),
    [SOFTPLUS] = KIND("Softplus", .of_two = softplus, .argument = {"beta", "threshold"}),
    [SOFTSIGN] = KIND("Softsign", .plain = gn_softsign),
    [THRESHOLD] = KIND("Threshold", .of_two = gn_threshold, .argument = {"threshold", "value"}),
    [GLU] = KIND("GLU", .along = gn_glu, .argument = {"dim"}),
    [SOFTMAX] = KIND("Softmax", .along = gn_softmax, .argument = {"dim"}),
    [LOG_SOFTMAX] = KIND("LogSoftmax", .along = gn_log_softmax, .argument = {"dim"}),
    [SOFTMIN] = KIND("Softmin", .along = gn_softmin, .argument = {"dim"}),
    [SOFTMAX2D] = KIND("Softmax2d", .plain = softmax2d),
};

bool gn__is_relu(const gn_module *module) {
    return module && module->type == &kinds[RELU].base && !((const activation *)module)->inplace;
}

/* ---- Making them */

static gn_module *make(int which, double a, double b, bool inplace) {
    activation *self = gn_module_new(&kinds[which].base);
    if (self == NULL)
        return NULL;
    self->argument[0] = a;
    self->argument[1] = b;
    self->inplace = inplace;
    return &self->base;
}

static gn_module *make_plain(int which, const gn_activation_options *options) {
    gn_activation_options o;
    gn__options(&o, sizeof o, options);
    return make(which, 0, 0, o.inplace);
}

gn_module *gn_nn_relu_with(const gn_activation_options *o) { return make_plain(RELU, o); }
gn_module *gn_nn_relu6_with(const gn_activation_options *o) { return make_plain(RELU6, o); }
gn_module *gn_nn_silu_with(const gn_activation_options *o) { return make_plain(SILU, o); }
gn_module *gn_nn_mish_with(const gn_activation_options *o) { return make_plain(MISH, o); }
gn_module *gn_nn_selu_with(const gn_activation_options *o) { return make_plain(SELU, o); }
gn_module *gn_nn_hardsigmoid_with(const gn_activation_options *o) {
    return make_plain(HARDSIGMOID, o);
}
gn_module *gn_nn_hardswish_with(const gn_activation_options *o) { return make_plain(HARDSWISH, o); }

gn_module *gn_nn_sigmoid(void) { return make(SIGMOID, 0, 0, false); }
gn_module *gn_nn_log_sigmoid(void) { return make(LOG_SIGMOID, 0, 0, false); }
gn_module *gn_nn_tanh(void) { return make(TANH, 0, 0, false); }
gn_module *gn_nn_tanhshrink(void) { return make(TANHSHRINK, 0, 0, false); }
gn_module *gn_nn_softsign(void) { return make(SOFTSIGN, 0, 0, false); }
gn_module *gn_nn_softmax2d(void) { return make(SOFTMAX2D, 0, 0, false); }
gn_module *gn_nn_softmax(int64_t dim) { return make(SOFTMAX, (double)dim, 0, false); }
gn_module *gn_nn_log_softmax(int64_t dim) { return make(LOG_SOFTMAX, (double)dim, 0, false); }
gn_module *gn_nn_softmin(int64_t dim) { return make(SOFTMIN, (double)dim, 0, false); }

gn_module *gn_nn_gelu_with(const gn_gelu_options *options) {
    gn_gelu_options o;
    gn__options(&o, sizeof o, options);
    return make(o.approximate_tanh ? GELU_TANH : GELU, 0, 0, false);
}

gn_module *gn_nn_glu_with(const gn_glu_options *options) {
    gn_glu_options o;
    gn__options(&o, sizeof o, options);
    return make(GLU, gn_or(o.dim, -1), 0, false);
}

static gn_module *make_elu(int which, const gn_elu_options *options) {
    gn_elu_options o;
    gn__options(&o, sizeof o, options);
    return make(which, gn_or(o.alpha, 1), 0, o.inplace);
}

gn_module *gn_nn_elu_with(const gn_elu_options *options) { return make_elu(ELU, options); }
gn_module *gn_nn_celu_with(const gn_elu_options *options) { return make_elu(CELU, options); }

gn_module *gn_nn_leaky_relu_with(const gn_leaky_relu_options *options) {
    gn_leaky_relu_options o;
    gn__options(&o, sizeof o, options);
    return make(LEAKY_RELU, gn_or(o.negative_slope, 0.01), 0, o.inplace);
}

gn_module *gn_nn_rrelu_with(const gn_rrelu_options *options) {
    gn_rrelu_options o;
    gn__options(&o, sizeof o, options);
    return make(RRELU, gn_or(o.lower, 1. / 8), gn_or(o.upper, 1. / 3), o.inplace);
}

gn_module *gn_nn_hardtanh_with(const gn_hardtanh_options *options) {
    gn_hardtanh_options o;
    gn__options(&o, sizeof o, options);
    const double low = gn_or(o.min_val, -1), high = gn_or(o.max_val, 1);
    if (!gn__failed() && !(low < high))
        return gn__fail_null(GN_E_ARGUMENT, "Hardtanh", "min_val %g is not below max_val %g", low,
                             high);
    return make(HARDTANH, low, high, o.inplace);
}

static gn_module *make_shrink(int which, const gn_shrink_options *options) {
    gn_shrink_options o;
    gn__options(&o, sizeof o, options);
    return make(which, gn_or(o.lambd, 0.5), 0, false);
}

gn_module *gn_nn_hardshrink_with(const gn_shrink_options *o) { return make_shrink(HARDSHRINK, o); }
gn_module *gn_nn_softshrink_with(const gn_shrink_options *o) { return make_shrink(SOFTSHRINK, o); }

gn_module *gn_nn_softplus_with(const gn_softplus_options *options) {
    gn_softplus_options o;
    gn__options(&o, sizeof o, options);
    return make(SOFTPLUS, gn_or(o.beta, 1), gn_or(o.threshold, 20), false);
}

gn_module *gn_nn_threshold_with(double threshold, double value,
                                const gn_activation_options *options) {
    gn_activation_options o;
    gn__options(&o, sizeof o, options);
    return make(THRESHOLD, threshold, value, o.inplace);
}

/* ---- PReLU, which learns its slopes */

typedef struct prelu {
    gn_module base;
    gn_tensor *weight;
} prelu;

static gn_tensor *prelu_forward(gn_module *module, gn_tensor *x) {
    return gn_prelu(x, ((prelu *)module)->weight);
}

static void describe_prelu(const gn_module *module, char *text, size_t bytes) {
    snprintf(text, bytes, "num_parameters=%lld",
             (long long)gn_numel(((const prelu *)module)->weight));
}

static const gn_module_class prelu_class = {
    .name = "PReLU", .size = sizeof(prelu), .forward = prelu_forward, .describe = describe_prelu};

gn_module *gn_nn_prelu_with(const gn_prelu_options *options) {
    gn_prelu_options o;
    gn__options(&o, sizeof o, options);
    if (!gn__failed() && o.num_parameters < 0)
        return gn__fail_null(GN_E_ARGUMENT, prelu_class.name, "%lld parameters",
                             (long long)o.num_parameters);
    prelu *self = gn_module_new(&prelu_class);
    if (self == NULL)
        return NULL;
    self->weight = gn__parameter_full(
        self, "weight", GN_SHAPE(o.num_parameters ? o.num_parameters : 1), gn_or(o.init, 0.25));
    return self->weight ? &self->base : NULL;
}
