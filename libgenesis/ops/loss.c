/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loss.c - losses that compare input and target by elements. Each is a row of a table: the
 * expression of an element and its gradients. Reduced, the expression is the element part of one
 * reduction. Cross entropy is in cross_entropy.c.
 */
#include <math.h>

#include "support.h"
#include "ops.h"

typedef enum loss_id { MSE, L1, BCE, BCE_LOGITS, BCE_LOGITS_POS } loss_id;

enum { X, T, P, MAX_INPUTS }; /* input, target, pos_weight */

/* s scales all: 1 / n for a mean. */
#define ELEMENT(title, expression)                                                                 \
    { .name = title, .text = expression, .variables = "x, t", .params = "s" }
#define GRADIENT(title, expression)                                                                \
    { .name = title, .text = expression, .variables = "x, t, g", .params = "s" }
#define ELEMENT_POS(title, expression)                                                             \
    { .name = title, .text = expression, .variables = "x, t, p", .params = "s" }
#define GRADIENT_POS(title, expression)                                                            \
    { .name = title, .text = expression, .variables = "x, t, p, g", .params = "s" }

/* BCE clamps its logarithms, and the denominator of its gradient, as PyTorch does. */
static struct loss_kind {
    const char *name;
    gn__op element, gradient[2]; /* for input and target */
} kinds[] = {
    [MSE] = {"mse_loss",
             ELEMENT("mse_loss", "s * (x - t) * (x - t)"),
             {GRADIENT("mse_loss", "2 * s * g * (x - t)"),
              GRADIENT("mse_loss", "2 * s * g * (t - x)")}},
    [L1] = {"l1_loss",
            ELEMENT("l1_loss", "s * abs(x - t)"),
            {GRADIENT("l1_loss", "s * g * sign(x - t)"),
             GRADIENT("l1_loss", "s * g * sign(t - x)")}},
    [BCE] = {"bce_loss",
             ELEMENT("bce_loss", "-s * (t * max(log(x), -100) + (1 - t) * max(log1p(-x), -100))"),
             {GRADIENT("bce_loss", "s * g * (x - t) / max(x * (1 - x), 1e-12)"),
              GRADIENT("bce_loss", "s * g * (max(log1p(-x), -100) - max(log(x), -100))")}},
    [BCE_LOGITS] = {"bce_with_logits",
                    ELEMENT("bce_with_logits", "s * ((1 - t) * x + softplus(-x))"),
                    {GRADIENT("bce_with_logits", "s * g * (sigmoid(x) - t)"),
                     GRADIENT("bce_with_logits", "-s * g * x")}},
    [BCE_LOGITS_POS] = {"bce_with_logits",
                        ELEMENT_POS("bce_with_logits",
                                    "s * ((1 - t) * x + (1 + (p - 1) * t) * softplus(-x))"),
                        {GRADIENT_POS("bce_with_logits",
                                      "s * g * (1 - t - (1 + (p - 1) * t) * sigmoid(-x))"),
                         GRADIENT_POS("bce_with_logits", "s * g * ((p - 1) * softplus(-x) - x)")}},
};

typedef struct loss_data {
    loss_id id;
    double scale;
} loss_data;

static gn_status loss_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const loss_data *data = node->data;
    gn_tensor *inputs[MAX_INPUTS + 1];
    int n = 0;
    for (int i = 0; i < node->n_inputs; i++) {
        inputs[n++] = gn__saved_tensor(node, i);
        if (inputs[i] == NULL)
            return gn_error_status();
    }
    inputs[n++] = grads[0];
    for (int i = X; i <= T; i++)
        if (gn__needs(node, i))
            out[i] = gn__apply_as(&kinds[data->id].gradient[i], n, inputs, &data->scale,
                                  node->inputs[i].dtype);
    return gn_error_status();
}

/* Named by the loss, as the public function is. */
static const gn__node_class nodes[] = {
    [MSE] = {.name = "mse_loss", .backward = loss_backward},
    [L1] = {.name = "l1_loss", .backward = loss_backward},
    [BCE] = {.name = "bce_loss", .backward = loss_backward},
    [BCE_LOGITS] = {.name = "bce_with_logits", .backward = loss_backward},
    [BCE_LOGITS_POS] = {.name = "bce_with_logits", .backward = loss_backward},
};

/* ---- The value: by elements, or reduced to 0 dims */

static gn_tensor *elements(struct loss_kind *kind, int n, gn_tensor *const *inputs, double scale) {
    bool was = gn_set_grad_enabled(false);
    gn_tensor *y = gn__apply(&kind->element, n, inputs, &scale);
    gn_set_grad_enabled(was);
    return y;
}

static gn_tensor *reduced(struct loss_kind *kind, int n, gn_tensor *const *inputs, double scale) {
    const gn_tensor *x = inputs[X];
    gn__expr *e = gn__op_expr(&kind->element);
    gn__signature signature = {.n_variables = n, .float_params = true, .result = -1};
    gn__operand operands[MAX_INPUTS + 1];
    for (int i = 0; i < n; i++) {
        signature.dtype[i] = inputs[i]->dtype;
        signature.zero_dim[i] = inputs[i]->n_dims == 0;
        operands[i] = gn__operand_of(inputs[i], x->n_dims, x->size);
    }
    const gn_program *program = e ? gn__expr_sum_program(e, &signature) : NULL;
    if (program == NULL)
        return NULL;
    gn__device *device = x->storage->device;
    gn_tensor *y =
        gn__tensor_new(device, program->operands[program->n_operands - 1].dtype, 0, NULL);
    if (y == NULL)
        return NULL;
    if (x->count == 0 && isinf(scale))
        return gn__fill_data(y, NAN) == GN_OK ? y : NULL;
    operands[n] = (gn__operand){.storage = y->storage, .offset = y->offset};
    gn_scalar params[GN_MAX_PARAMS];
    gn__set_params(program, &scale, params);
    gn__launch launch = {.op = kind->name,
                         .program = program,
                         .n_dims = x->n_dims,
                         .n_reduced = x->n_dims,
                         .size = x->size,
                         .operands = operands,
                         .params = params};
    return gn__launch_run(device, &launch) == GN_OK ? y : NULL;
}

static gn_tensor *unweighted(loss_id id, int n, gn_tensor **inputs, gn_reduction reduction) {
    struct loss_kind *kind = &kinds[id];
    gn__device *device = gn__common_device(kind->name, n, inputs);
    if (device == NULL)
        return NULL;
    gn_tensor *joined[MAX_INPUTS];
    for (int i = 0; i < n; i++)
        joined[i] = gn__joined(inputs[i], device);
    if (gn__failed())
        return NULL;
    double scale = reduction == GN_REDUCE_MEAN ? 1 / (double)inputs[X]->count : 1;
    gn_tensor *y = reduction == GN_REDUCE_NONE ? elements(kind, n, joined, scale)
                                               : reduced(kind, n, joined, scale);
    if (y == NULL || !gn__recording(2, inputs))
        return y;
    gn__node *node = gn__record(&nodes[id], y, n, inputs, sizeof(loss_data));
    if (node == NULL)
        return NULL;
    *(loss_data *)node->data = (loss_data){.id = id, .scale = scale};
    for (int i = 0; i < n; i++)
        gn__save(node, i, joined[i]);
    return y;
}

/* ---- Checks and weights */

static bool check_pair(const char *op, const gn_tensor *x, const gn_tensor *t) {
    if (!gn__given(op, x) || !gn__given(op, t) || !gn__check_float(op, "input", x))
        return false;
    if (gn__same_shape(x, t))
        return true;
    gn_fail(GN_E_ARGUMENT, op, "input %s and target %s must have the same shape", gn__shape_of(x),
            gn__shape_of(t));
    return false;
}

static bool check_weight(const char *op, const char *what, gn_tensor *weight, gn_tensor *x) {
    int n;
    int64_t size[GN_TENSOR_MAX_DIMS];
    if (weight == NULL)
        return true;
    if (!gn__broadcast(op, 2, (gn_tensor *[]){x, weight}, &n, size))
        return false;
    if (n == x->n_dims && memcmp(size, x->size, (size_t)n * sizeof *size) == 0)
        return gn__check_float(op, what, weight);
    gn_fail(GN_E_ARGUMENT, op, "%s %s does not broadcast to input %s", what, gn__shape_of(weight),
            gn__shape_of(x));
    return false;
}

static gn_tensor *loss(loss_id id, gn_tensor *x, gn_tensor *t, const gn_loss_options *o) {
    const char *op = kinds[id].name;
    gn_tensor *inputs[] = {[X] = x, [T] = t, [P] = id == BCE_LOGITS_POS ? o->pos_weight : NULL};
    const int n = inputs[P] ? 3 : 2;
    if (!gn__check_reduction(op, o->reduction))
        return NULL;
    if (o->weight == NULL)
        return unweighted(id, n, inputs, o->reduction);
    gn_tensor *y = gn_mul(unweighted(id, n, inputs, GN_REDUCE_NONE), o->weight);
    return o->reduction == GN_REDUCE_MEAN  ? gn_mean(y)
           : o->reduction == GN_REDUCE_SUM ? gn_sum(y)
                                           : y;
}

/* ---- The functions */

gn_tensor *gn_mse_loss_with(gn_tensor *input, gn_tensor *target, const gn_loss_options *options) {
    gn_loss_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed() || !check_pair("mse_loss", input, target) ||
        !check_weight("mse_loss", "weight", o.weight, input))
        return NULL;
    return loss(MSE, input, target, &o);
}

gn_tensor *gn_l1_loss_with(gn_tensor *input, gn_tensor *target, const gn_loss_options *options) {
    gn_loss_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed() || !check_pair("l1_loss", input, target) ||
        !check_weight("l1_loss", "weight", o.weight, input))
        return NULL;
    return loss(L1, input, target, &o);
}

/* Whether an element is outside [0, 1], or NaN. */
static void build_outside(gn__builder *b, const int8_t *v) {
    int x = gn__build_operand(b, GN_READ, v[0]), y = gn__build_operand(b, GN_WRITE, GN_BOOL);
    int type = gn__compute_type(v[0]), value = gn__load(b, x);
    int low = gn__emit(b, GN_OP_LE, gn__const_f(b, type, 0), value, 0);
    int high = gn__emit(b, GN_OP_LE, value, gn__const_f(b, type, 1), 0);
    int outside = gn__emit(b, GN_OP_NOT, gn__emit(b, GN_OP_AND, low, high, 0), 0, 0);
    gn__store(b, y, gn__reduce_value(b, GN_MAX, outside, 0));
}
static gn__kernel outside_kernel = {.name = "outside", .build = build_outside};

static bool is_probability(const char *op, gn_tensor *x) {
    gn__device *device = x->storage->device;
    gn_tensor *outside = gn__tensor_new(device, GN_BOOL, 0, NULL);
    if (outside == NULL)
        return false;
    gn__rows space = gn__rows_of(x, ~0u);
    gn__operand operands[] = {gn__rows_full(&space, x), gn__rows_kept(&space, outside)};
    if (x->count == 0)
        return true;
    if (gn__kernel_run(op, device, &outside_kernel, GN__VARIANT(x->dtype), &space, operands,
                       NULL) != GN_OK)
        return false;
    if (gn_item_bool(outside))
        gn_fail(GN_E_ARGUMENT, op,
                "input must be between 0 and 1: apply gn_sigmoid to it, or use "
                "gn_bce_with_logits");
    return !gn__failed();
}

gn_tensor *gn_bce_loss_with(gn_tensor *input, gn_tensor *target, const gn_loss_options *options) {
    static const char op[] = "bce_loss";
    gn_loss_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed() || !check_pair(op, input, target) ||
        !check_weight(op, "weight", o.weight, input))
        return NULL;
    gn_scope scope = gn_scope_begin();
    bool good = is_probability(op, input);
    gn_scope_end(scope);
    return good ? loss(BCE, input, target, &o) : NULL;
}

gn_tensor *gn_bce_with_logits_with(gn_tensor *input, gn_tensor *target,
                                   const gn_loss_options *options) {
    static const char op[] = "bce_with_logits";
    gn_loss_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed() || !check_pair(op, input, target) ||
        !check_weight(op, "weight", o.weight, input) ||
        !check_weight(op, "pos_weight", o.pos_weight, input))
        return NULL;
    return loss(o.pos_weight ? BCE_LOGITS_POS : BCE_LOGITS, input, target, &o);
}
