/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pointwise.c - applying expressions to tensors, and their gradients.
 */
#include <math.h>

#include "ops.h"
#include "support.h"

/* ---- Expressions of ops */

static gn__expr *parse(gn__op *op) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    gn__expr *e = atomic_load(&op->expr);
    if (!e &&
        (e = gn__expr_parse(op->name, op->text, op->variables, op->params ? op->params : ""))) {
        int n = gn__expr_n_variables(e);
        for (int k = 0; k < n; k++)
            if (op->gradient[k] && gn__expr_set_gradient(e, k, op->gradient[k]))
                e = NULL;
        atomic_store(&op->expr, e);
    }
    pthread_mutex_unlock(&lock);
    return e;
}

gn__expr *gn__op_expr(gn__op *op) {
    gn__expr *e = atomic_load_explicit(&op->expr, memory_order_acquire);
    return e ? e : parse(op);
}

/* ---- One application: an expression, its inputs (NULL where it does not use one), parameters */

enum { MAX_PARAMS = GN_MAX_PARAMS };

typedef struct application {
    const char *name;
    gn__expr *e;
    int n;
    gn_tensor *const *inputs;
    const double *params;
    int dtype; /* of the result; -1: as the expression says */
} application;

static gn__signature signature_of(const application *a) {
    gn__signature s = {
        .n_variables = a->n, .floats = (int8_t)gn_default_dtype(), .result = (int8_t)a->dtype};
    for (int k = 0; k < a->n; k++) {
        s.dtype[k] = a->inputs[k] ? a->inputs[k]->dtype : 0;
        s.zero_dim[k] = a->inputs[k] && a->inputs[k]->n_dims == 0;
    }
    for (int k = 0; k < gn__expr_n_params(a->e); k++)
        s.float_params |= a->params[k] != floor(a->params[k]) || isinf(a->params[k]);
    return s;
}

void gn__set_params(const gn_program *program, const double *values, gn_scalar *out) {
    for (uint32_t i = 0; i < program->n_insns; i++) {
        const gn_insn *insn = &program->insns[i];
        if (insn->op != GN_OP_PARAM && insn->op != GN_OP_CONST)
            break; /* the builder puts both first */
        if (insn->op == GN_OP_CONST)
            continue;
        if (gn_dtype_is_float(insn->type))
            out[insn->a].f = values[insn->a];
        else
            out[insn->a].i = gn__to_int(values[insn->a]);
    }
}

/* Operands of the variables that the expression uses, in their order; returns their number. */
static int operands_of(const application *a, int n_dims, const int64_t *size, gn__operand *out) {
    int n = 0;
    for (int k = 0; k < a->n; k++)
        if (gn__expr_uses(a->e, k))
            out[n++] = gn__operand_of(a->inputs[k], n_dims, size);
    return n;
}

static gn_status launch(const application *a, const gn_program *program, gn_tensor *out) {
    gn__operand operands[GN__MAX_VARIABLES + 1];
    gn_scalar params[MAX_PARAMS];
    int n = operands_of(a, out->n_dims, out->size, operands);
    operands[n] = gn__operand_of(out, out->n_dims, out->size);
    if (program->n_params)
        gn__set_params(program, a->params, params);
    gn__launch call = {.op = a->name,
                       .program = program,
                       .n_dims = out->n_dims,
                       .size = out->size,
                       .operands = operands,
                       .params = params};
    return gn__launch_run(out->storage->device, &call);
}

/* A result of the given shape, in the memory order of the first input that has this shape. */
static gn_tensor *result_like(const application *a, gn__device *device, int dtype, int n_dims,
                              const int64_t *size) {
    for (int k = 0; k < a->n; k++) {
        const gn_tensor *t = a->inputs[k];
        if (t && t->n_dims == n_dims && !memcmp(t->size, size, (size_t)n_dims * sizeof *size) &&
            t->storage->device == device)
            return gn__tensor_like(t, dtype);
    }
    return gn__tensor_new(device, dtype, n_dims, size);
}

/* The same with its inputs on their common device, which is returned; NULL: they have none. */
static gn__device *join(const application *a, gn_tensor **joined, application *out) {
    gn__device *device = gn__common_device(a->name, a->n, a->inputs);
    if (!device)
        return NULL;
    *out = *a;
    for (int k = 0; k < a->n; k++)
        joined[k] = gn__joined(a->inputs[k], device);
    out->inputs = joined;
    return device;
}

/* Runs it into a new tensor, without recording. */
static gn_tensor *compute(const application *a) {
    gn_tensor *joined[GN__MAX_VARIABLES];
    application b;
    gn__device *device = join(a, joined, &b);
    if (!device)
        return NULL;
    int n_dims;
    int64_t size[GN_TENSOR_MAX_DIMS];
    gn__signature signature = signature_of(&b);
    const gn_program *program = gn__expr_program(a->e, &signature);
    if (!program || gn__failed() || !gn__broadcast(a->name, a->n, joined, &n_dims, size))
        return NULL;
    int dtype = program->operands[program->n_operands - 1].dtype;
    gn_tensor *out = result_like(&b, device, dtype, n_dims, size);
    return out && launch(&b, program, out) == GN_OK ? out : NULL;
}

/* ---- Sums of an expression: one reduce */

/* Into `out`, which has the kept dims of the space, or all of its dims with size 1 for those that
 * are reduced. */
static gn_status launch_sum(const application *a, const gn_program *program, const gn__rows *space,
                            gn_tensor *out, bool keeps_dims) {
    gn__operand operands[GN__MAX_VARIABLES + 1];
    gn_scalar params[MAX_PARAMS];
    int n = 0;
    for (int k = 0; k < a->n; k++)
        if (gn__expr_uses(a->e, k))
            operands[n++] = gn__rows_full(space, a->inputs[k]);
    operands[n] = keeps_dims ? gn__rows_full(space, out) : gn__rows_kept(space, out);
    if (program->n_params)
        gn__set_params(program, a->params, params);
    gn__launch call = {.op = a->name,
                       .program = program,
                       .n_dims = space->n_dims,
                       .n_reduced = space->n_reduced,
                       .size = space->size,
                       .operands = operands,
                       .params = params};
    return gn__launch_run(out->storage->device, &call);
}

/* Over the given dims of the shape to which the inputs broadcast, without recording. */
static gn_tensor *compute_over(const application *a, unsigned reduced) {
    gn_tensor *joined[GN__MAX_VARIABLES];
    application b;
    gn__device *device = join(a, joined, &b);
    if (!device)
        return NULL;
    int n_dims;
    int64_t size[GN_TENSOR_MAX_DIMS];
    if (gn__failed() || !gn__broadcast(a->name, a->n, joined, &n_dims, size))
        return NULL;
    gn__signature signature = signature_of(&b);
    const gn_program *program = gn__expr_sum_program(a->e, &signature);
    if (!program)
        return NULL;
    gn__rows space = gn__rows_over(n_dims, size, reduced);
    gn_tensor *out =
        gn__rows_new_kept(&space, device, program->operands[program->n_operands - 1].dtype);
    return out && launch_sum(&b, program, &space, out, false) == GN_OK ? out : NULL;
}

/* Over the dims by which `like` was broadcast. */
static gn_tensor *compute_sum(const application *a, const gn_tensor *like, int n_dims,
                              const int64_t *size) {
    gn__signature signature = signature_of(a);
    const gn_program *program = gn__expr_sum_program(a->e, &signature);
    gn_tensor *out = gn__tensor_new(like->storage->device, like->dtype, like->n_dims, like->size);
    if (!program || !out)
        return NULL;
    unsigned reduced = 0;
    int lead = n_dims - like->n_dims;
    for (int d = 0; d < n_dims; d++)
        reduced |= (unsigned)(d < lead || (like->size[d - lead] == 1 && size[d] != 1)) << d;
    gn__rows space = gn__rows_over(n_dims, size, reduced);
    return launch_sum(a, program, &space, out, true) == GN_OK ? out : NULL;
}

/* ---- Gradients */

typedef struct recorded {
    gn__expr *e;
    unsigned summed; /* dims, if the result is a sum */
    double params[];
} recorded;

static gn_tensor *apply(const application *a);

/* Whether the expression is g itself: its program only copies, and g is what every gradient
 * uses. */
static bool is_identity(const application *a, const gn_tensor *g) {
    gn__signature signature = signature_of(a);
    const gn_program *program = gn__expr_program(a->e, &signature);
    return program && program->n_operands == 2 && program->n_insns == 2 && a->dtype == g->dtype;
}

/* d result / d input k times g, in the shape and dtype of input k. */
static gn_tensor *gradient(const application *a, const gn__node *node, int k, gn_tensor *g) {
    int dtype = node->inputs[k].dtype, n_dims = node->inputs[k].n_dims;
    gn_tensor like = {.storage = g->storage, .dtype = (int8_t)dtype, .n_dims = (int8_t)n_dims};
    memcpy(like.size, node->inputs[k].size, sizeof like.size);
    application b = *a;
    b.dtype = dtype;
    gn_tensor *joined[GN__MAX_VARIABLES];
    for (int i = 0; i < a->n; i++) /* 0-dim cpu tensors */
        joined[i] = a->inputs[i] ? gn_to_device(a->inputs[i], g->storage->device->name) : NULL;
    b.inputs = joined;
    bool same = gn__same_shape(&like, g);
    if (gn__failed() || (same && is_identity(&b, g)))
        return gn__failed() ? NULL : g;
    if (gn_is_grad_enabled()) {
        gn_tensor *full = apply(&b);
        return same ? full : gn_sum_to_shape(full, gn__input_shape(node, k));
    }
    return same ? compute(&b) : compute_sum(&b, &like, g->n_dims, g->size);
}

/* From the gradient g of the expression's value. */
static gn_status backward_from(gn__node *node, gn_tensor *g, gn_tensor **out) {
    const recorded *r = node->data;
    int n = node->n_inputs;
    for (int k = 0; k < n; k++) {
        gn__expr *e = gn__needs(node, k) ? gn__expr_gradient(r->e, k) : NULL;
        if (!e)
            continue; /* not wanted, or zero */
        gn_tensor *inputs[GN__MAX_VARIABLES] = {NULL};
        for (int i = 0; i < n + 1; i++)
            if (gn__expr_uses(e, i) && !(inputs[i] = gn__saved_tensor(node, i)))
                return gn_error_status();
        inputs[n + 1] = g;
        application a = {node->name, e, n + 2, inputs, r->params, -1};
        out[k] = gradient(&a, node, k, g);
        if (out[k] && node->inputs[k].device != out[k]->storage->device) /* it had joined */
            out[k] = gn_to_device(out[k], node->inputs[k].device->name);
    }
    return gn_error_status();
}

static gn_status pointwise_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    return backward_from(node, grads[0], out);
}

/* The shape to which a node's inputs broadcast. */
static gn_shape broadcast_shape(const gn__node *node) {
    gn_shape shape = {0};
    for (int k = 0; k < node->n_inputs; k++)
        if (node->inputs[k].n_dims > shape.n)
            shape.n = node->inputs[k].n_dims;
    for (int d = 0; d < shape.n; d++) {
        shape.size[d] = 1;
        for (int k = 0; k < node->n_inputs; k++) {
            int own = d - (int)shape.n + node->inputs[k].n_dims;
            if (own >= 0 && node->inputs[k].size[own] != 1)
                shape.size[d] = node->inputs[k].size[own];
        }
    }
    return shape;
}

/* The gradient of a sum is spread over the dims that were summed. */
static gn_status sum_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const recorded *r = node->data;
    gn_shape full = broadcast_shape(node), kept = full;
    for (int d = 0; d < full.n; d++)
        if (r->summed >> d & 1)
            kept.size[d] = 1;
    gn_tensor *g = gn_expand_with(gn_reshape_with(grads[0], kept), full);
    return g ? backward_from(node, g, out) : gn_error_status();
}

static const gn__node_class pointwise_node = {.name = "pointwise", .backward = pointwise_backward};
static const gn__node_class sum_node = {.name = "pointwise_sum", .backward = sum_backward};

/* Keeps y for gradients that use it; those of a sum can't. */
static void save_result(gn__node *node, gn_tensor *y, int slot) {
    if (node->type == &sum_node)
        gn_fail(GN_E_INTERNAL, node->name, "the gradient of a sum uses the value of an element");
    else if (!node->saved[slot].tensor)
        gn__save_output(node, slot, y, 0);
}

static void record(const gn__node_class *type, const application *a, gn_tensor *y,
                   unsigned summed) {
    int n_params = gn__expr_n_params(a->e);
    size_t bytes = sizeof(recorded) + (size_t)n_params * sizeof(double);
    gn__node *node = gn__record_outputs(type, a->name, 1, &y, a->n, a->inputs, bytes);
    if (!node)
        return;
    recorded *r = node->data;
    r->e = a->e;
    r->summed = summed;
    if (n_params)
        memcpy(r->params, a->params, (size_t)n_params * sizeof(double));
    for (int k = 0; k < a->n; k++) {
        gn__expr *gradient_of_k = gn__needs(node, k) ? gn__expr_gradient(a->e, k) : NULL;
        if (!gradient_of_k)
            continue;
        for (int i = 0; i < a->n; i++)
            if (gn__expr_uses(gradient_of_k, i) && !node->saved[i].tensor)
                gn__save(node, i, a->inputs[i]);
        if (gn__expr_uses(gradient_of_k, a->n))
            save_result(node, y, a->n);
    }
}

static gn_tensor *apply(const application *a) {
    if (gn__failed())
        return NULL;
    gn_tensor *y = compute(a);
    if (y && gn_dtype_is_float(y->dtype) && gn__recording(a->n, a->inputs))
        record(&pointwise_node, a, y, 0);
    return gn__failed() ? NULL : y;
}

/* ---- Applying ops */

static bool prepare(application *a, gn__op *op, int n, gn_tensor *const *inputs,
                    const double *params, int dtype) {
    if (gn__failed())
        return false;
    for (int k = 0; k < n; k++)
        if (!gn__given(op->name, inputs[k]))
            return false;
    *a = (application){op->name, gn__op_expr(op), n, inputs, params, dtype};
    return a->e != NULL;
}

gn_tensor *gn__apply(gn__op *op, int n, gn_tensor *const *inputs, const double *params) {
    application a;
    return prepare(&a, op, n, inputs, params, -1) ? apply(&a) : NULL;
}

gn_tensor *gn__apply_as(gn__op *op, int n, gn_tensor *const *inputs, const double *params,
                        int dtype) {
    application a;
    return prepare(&a, op, n, inputs, params, dtype) ? apply(&a) : NULL;
}

gn_tensor *gn__apply_sum(gn__op *op, int n, gn_tensor *const *inputs, const double *params,
                         unsigned reduced) {
    application a;
    gn_tensor *y = prepare(&a, op, n, inputs, params, -1) ? compute_over(&a, reduced) : NULL;
    if (y && gn_dtype_is_float(y->dtype) && gn__recording(n, inputs))
        record(&sum_node, &a, y, reduced);
    return gn__failed() ? NULL : y;
}

/* ---- In place */

/* Bools may become integers and integers floats in place, but nothing the other way. */
static int category(int dtype) { return dtype == GN_BOOL ? 0 : gn_dtype_is_float(dtype) ? 2 : 1; }

static bool fits_in_place(const application *a, const gn_tensor *target) {
    gn__signature signature = signature_of(a);
    int dtype = gn__expr_result_dtype(a->e, &signature), n_dims;
    int64_t size[GN_TENSOR_MAX_DIMS];
    if (dtype < 0 || !gn__broadcast(a->name, a->n, a->inputs, &n_dims, size))
        return false;
    if (category(dtype) > category(target->dtype)) {
        gn_fail(GN_E_ARGUMENT, a->name, "a %s result does not fit into a %s tensor in place",
                gn_dtype_name((gn_dtype)dtype), gn_dtype_name((gn_dtype)target->dtype));
        return false;
    }
    if (n_dims != target->n_dims || memcmp(size, target->size, (size_t)n_dims * sizeof *size)) {
        gn_fail(GN_E_ARGUMENT, a->name, "a result of shape %s does not fit into shape %s in place",
                gn__shape_text(n_dims, size), gn__shape_of(target));
        return false;
    }
    return true;
}

/* Reads of the target's memory must be of the very elements that are written there. */
static gn_tensor *apart(gn_tensor *t, const gn_tensor *target) {
    if (t->storage != target->storage)
        return t;
    bool exact =
        t->offset == target->offset && t->dtype == target->dtype && gn__same_shape(t, target);
    for (int d = 0; exact && d < t->n_dims; d++)
        exact = t->stride[d] == target->stride[d];
    if (exact)
        return t;
    gn_tensor *copy = gn__tensor_new(t->storage->device, t->dtype, t->n_dims, t->size);
    return gn__copy_data(copy, t) ? NULL : copy;
}

static gn_status run_in_place(application *a, gn_tensor *target) {
    gn_tensor *inputs[GN__MAX_VARIABLES];
    if (gn__common_device(a->name, a->n, a->inputs) != target->storage->device)
        return gn_fail(GN_E_ARGUMENT, a->name, "tensors are on different devices");
    for (int k = 0; k < a->n; k++)
        if (!(inputs[k] = gn__joined(a->inputs[k], target->storage->device)) ||
            !(inputs[k] = apart(inputs[k], target)))
            return gn_error_status();
    application b = *a;
    b.inputs = inputs;
    b.dtype = target->dtype;
    gn__signature signature = signature_of(&b);
    const gn_program *program = gn__expr_program(b.e, &signature);
    return program ? launch(&b, program, target) : gn_error_status();
}

/* Whether a gradient that will be asked for needs variable i; number n is the result. */
static bool gradients_use(const application *a, int i) {
    for (int k = 0; k < a->n; k++) {
        gn__expr *e = gn__records(a->inputs[k]) ? gn__expr_gradient(a->e, k) : NULL;
        if (e && gn__expr_uses(e, i))
            return true;
    }
    return false;
}

/* Changes the target, and returns a tensor with the history of the change. What gradients need of
 * the target's values, before or after, is kept apart from it. */
static gn_tensor *run_recorded(application *a, gn_tensor *target) {
    gn_tensor *kept[GN__MAX_VARIABLES], *result;
    bool separate = gradients_use(a, a->n);
    for (int k = 0; k < a->n; k++) {
        bool old = a->inputs[k]->storage == target->storage && gradients_use(a, k);
        kept[k] = old ? gn_clone(a->inputs[k]) : a->inputs[k];
        separate = separate || old;
    }
    if (!separate) {
        result = run_in_place(a, target) ? NULL : gn__tensor_twin(target);
        if (result)
            record(&pointwise_node, a, result, 0);
        return result;
    }
    a->inputs = kept;
    a->dtype = target->dtype;
    result = apply(a);
    gn__copy_data(target, result);
    return result;
}

gn_tensor *gn__apply_in_place(gn__op *op, int n, gn_tensor *const *inputs, const double *params) {
    application a;
    gn_tensor *target = inputs[0], *result = NULL;
    if (!prepare(&a, op, n, inputs, params, -1) || gn__inplace_begin(op->name, target) ||
        !fits_in_place(&a, target))
        return NULL;
    gn_scope scope = gn_scope_begin();
    if (gn_dtype_is_float(target->dtype) && gn__recording(n, inputs))
        result = run_recorded(&a, target);
    else
        run_in_place(&a, target);
    target = gn__inplace_end(target, result);
    gn_scope_end(scope);
    return target;
}

gn_status gn__add_into(gn_tensor *a, gn_tensor *b) {
    static gn__op add = {.name = "add", .text = "a + b", .variables = "a, b"};
    gn_tensor *inputs[] = {a, b};
    application call;
    if (!prepare(&call, &add, 2, inputs, NULL, -1) || run_in_place(&call, a))
        return gn_error_status();
    atomic_fetch_add(&a->storage->version, 1);
    return GN_OK;
}
