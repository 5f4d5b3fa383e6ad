/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matmul.c - products of matrices. A planned kernel of the backend, or else a reduced product.
 */
#include "ops.h"
#include "product.h"

/* ---- c (B.., m, n) = a (B.., m, k) b (B.., k, n) [+ bias (B.., m, n)], without history */

static gn_tensor_desc describe(const gn_tensor *t, int n_dims, const int64_t *size) {
    gn_tensor_desc d;
    d.dtype = t->dtype;
    d.n_dims = n_dims;
    uint64_t start = t->storage->offset + (uint64_t)t->offset * gn_dtype_bytes(t->dtype);
    d.alignment = start % 64 ? gn_dtype_bytes(t->dtype) : 64;
    d.reserved = 0;
    int lead = n_dims - t->n_dims;
    for (int i = 0; i < n_dims; i++) {
        d.size[i] = size[i];
        d.stride[i] =
            i < lead || (t->size[i - lead] == 1 && size[i] != 1) ? 0 : t->stride[i - lead];
    }
    return d;
}

static gn__pointer pointer_to(const gn_tensor *t) {
    return (gn__pointer){.storage = t->storage, .offset = t->offset * gn_dtype_bytes(t->dtype)};
}

/* Tries the backend's kernel; *done tells whether it ran. */
static gn_status run_plan(const gn__product *p, gn_tensor *c, bool *done) {
    int n = c->n_dims;
    int64_t size_a[GN_MAX_DIMS], size_b[GN_MAX_DIMS];
    memcpy(size_a, c->size, sizeof c->size);
    memcpy(size_b, c->size, sizeof c->size);
    size_a[n - 1] = size_b[n - 2] = p->a->size[p->a->n_dims - 1];
    gn_tensor_desc tensors[4] = {describe(c, n, c->size), describe(p->a, n, size_a),
                                 describe(p->b, n, size_b)};
    if (p->bias)
        tensors[3] = describe(p->bias, n, c->size);
    else
        tensors[3].n_dims = -1;
    gn_matmul_attr attributes = {.struct_size = sizeof attributes, .activation = p->activation};
    gn_plan_desc desc = {.struct_size = sizeof desc,
                         .kernel = GN_KERNEL_MATMUL,
                         .n_tensors = 4,
                         .tensor_size = sizeof tensors[0],
                         .tensors = tensors,
                         .attributes = &attributes};
    const gn__plan *plan = gn__plan_get(c->storage->device, p->op, &desc, sizeof attributes);
    *done = plan && plan->handle;
    if (!*done)
        return gn_error_status();
    gn__pointer pointers[4] = {pointer_to(c), pointer_to(p->a), pointer_to(p->b)};
    if (p->bias)
        pointers[3] = pointer_to(p->bias);
    return gn__plan_run(c->storage->device, p->op, plan, pointers, 4, NULL);
}

/* sum_k a * b, in the compute type: a reduce program. */
static const gn_program *product_program(int out, int a, int b) {
    static _Atomic(const gn_program *) cache[GN_N_DTYPES][GN_N_DTYPES];
    const gn_program *program = a == b && a == out ? atomic_load(&cache[a][b]) : NULL;
    if (program)
        return program;
    gn__builder *build = gn__builder_new("matmul", 0);
    if (!build)
        return NULL;
    int type = gn__compute_type(gn__promote(a, b));
    int x = gn__cast(build, type, gn__load(build, gn__build_operand(build, GN_READ, a)));
    int y = gn__cast(build, type, gn__load(build, gn__build_operand(build, GN_READ, b)));
    int result = gn__build_operand(build, GN_WRITE, out);
    int product = gn__emit(build, GN_OP_MUL, x, y, 0);
    gn__store(build, result, gn__reduce_value(build, GN_SUM, product, 0));
    program = gn__builder_finish(build);
    if (a == b && a == out)
        atomic_store(&cache[a][b], program);
    return program;
}

static gn_status compose(const gn__product *p, gn_tensor *c) {
    const gn_program *program = product_program(c->dtype, p->a->dtype, p->b->dtype);
    if (!program)
        return gn_error_status();
    int n = c->n_dims + 1; /* B.., m, n, k */
    int64_t size[GN_MAX_DIMS];
    memcpy(size, c->size, sizeof c->size);
    size[n - 1] = p->a->size[p->a->n_dims - 1];
    gn__operand operands[3] = {gn__operand_of(p->a, c->n_dims, c->size),
                               gn__operand_of(p->b, c->n_dims, c->size),
                               gn__operand_of(c, c->n_dims, c->size)};
    /* operand_of saw (m, k) as (m, n): put the strides right */
    int da = p->a->n_dims, db = p->b->n_dims;
    operands[0].stride[n - 3] = p->a->stride[da - 2];
    operands[0].stride[n - 2] = 0;
    operands[0].stride[n - 1] = p->a->stride[da - 1];
    operands[1].stride[n - 3] = 0;
    operands[1].stride[n - 2] = p->b->stride[db - 1];
    operands[1].stride[n - 1] = p->b->stride[db - 2];
    operands[2].stride[n - 1] = 0;
    gn__launch launch = {.op = p->op,
                         .program = program,
                         .n_dims = n,
                         .n_reduced = 1,
                         .size = size,
                         .operands = operands};
    if (gn__launch_run(c->storage->device, &launch))
        return gn_error_status();
    if (p->bias)
        gn__add_into(c, p->bias);
    if (p->activation == GN_ACTIVATION_RELU) {
        bool was = gn_set_grad_enabled(false);
        gn_relu_(c);
        gn_set_grad_enabled(was);
    }
    return gn_error_status();
}

gn_status gn__product_run(const gn__product *p, gn_tensor *c) {
    if (gn__failed() || c->count == 0)
        return gn_error_status();
    bool done = false;
    bool same = p->a->dtype == c->dtype && p->b->dtype == c->dtype;
    if (same && p->a->size[p->a->n_dims - 1] > 0 && run_plan(p, c, &done))
        return gn_error_status();
    return done ? GN_OK : compose(p, c);
}

/* ---- With history */

static gn_tensor *swap_last(gn_tensor *t) { return gn_transpose(t, -1, -2); }

/* c = a b:   da = g b^T, db = a^T g, summed over dims that were broadcast */
static gn_status matmul_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    for (int i = 0; i < 2; i++) {
        if (!gn__needs(node, i))
            continue;
        gn_tensor *other = gn__saved_tensor(node, 1 - i);
        gn_tensor *turned = other ? swap_last(other) : NULL;
        gn_tensor *g = i == 0 ? gn_matmul(grads[0], turned) : gn_matmul(turned, grads[0]);
        gn_shape shape = {.n = node->inputs[i].n_dims};
        memcpy(shape.size, node->inputs[i].size, sizeof shape.size);
        out[i] = gn_sum_to_shape(g, shape);
        if (out[i] && out[i]->dtype != node->inputs[i].dtype)
            out[i] = gn_cast(out[i], (gn_dtype)node->inputs[i].dtype);
    }
    return gn_error_status();
}
static const gn__node_class matmul_node = {.name = "matmul", .backward = matmul_backward};

static bool shapes_fit(const gn_tensor *a, const gn_tensor *b) {
    int64_t k = a->size[a->n_dims - 1];
    if (k == b->size[b->n_dims - 2])
        return true;
    gn_fail(GN_E_ARGUMENT, "matmul",
            "shapes %s and %s do not fit: the last dim of the first (%lld) must equal the last but "
            "one of the second (%lld)",
            gn__shape_of(a), gn__shape_of(b), (long long)k, (long long)b->size[b->n_dims - 2]);
    return false;
}

/* The shape of the product of two tensors of 2 or more dims; false with an error. */
static bool product_shape(const gn_tensor *a, const gn_tensor *b, int *n_dims, int64_t *size) {
    gn_tensor batch_a = *a, batch_b = *b; /* only sizes are looked at */
    batch_a.n_dims -= 2;
    batch_b.n_dims -= 2;
    gn_tensor *batches[] = {&batch_a, &batch_b};
    if (!shapes_fit(a, b) || !gn__broadcast("matmul", 2, batches, n_dims, size))
        return false;
    size[(*n_dims)++] = a->size[a->n_dims - 2];
    size[(*n_dims)++] = b->size[b->n_dims - 1];
    return true;
}

static gn_tensor *matmul_nd(gn_tensor *a, gn_tensor *b) {
    gn_tensor *inputs[] = {a, b};
    gn__device *device = gn__common_device("matmul", 2, inputs);
    int n_dims, dtype = gn__promote(a->dtype, b->dtype);
    int64_t size[GN_MAX_DIMS];
    if (!device || !product_shape(a, b, &n_dims, size))
        return NULL;
    gn_tensor *c = gn__tensor_new(device, dtype, n_dims, size);
    gn__product product = {.op = "matmul", .a = a, .b = b};
    if (!c || gn__product_run(&product, c))
        return NULL;
    if (gn__recording(2, inputs) && gn_dtype_is_float(dtype)) {
        gn__node *node = gn__record(&matmul_node, c, 2, inputs, 0);
        if (!node)
            return NULL;
        for (int i = 0; i < 2; i++)
            if (gn__needs(node, i))
                gn__save(node, 1 - i, inputs[1 - i]);
    }
    return c;
}

gn_tensor *gn_matmul(gn_tensor *a, gn_tensor *b) {
    if (gn__failed() || !gn__given("matmul", a) || !gn__given("matmul", b))
        return NULL;
    if (a->n_dims == 0 || b->n_dims == 0)
        return gn__fail_null(GN_E_ARGUMENT, "matmul", "shapes %s and %s: both need at least 1 dim",
                             gn__shape_of(a), gn__shape_of(b));
    bool row = a->n_dims == 1, column = b->n_dims == 1;
    gn_tensor *c = matmul_nd(row ? gn_unsqueeze(a, 0) : a, column ? gn_unsqueeze(b, 1) : b);
    if (row && c)
        c = gn_squeeze_dim(c, -2);
    return column && c ? gn_squeeze_dim(c, -1) : c;
}

/* ---- The same for given numbers of dims */

static bool dims_are(const char *op, gn_tensor *a, gn_tensor *b, int n) {
    if (gn__failed() || !gn__given(op, a) || !gn__given(op, b))
        return false;
    if (a->n_dims == n && b->n_dims == n)
        return true;
    gn_fail(GN_E_ARGUMENT, op, "shapes %s and %s: both need %d dim(s)", gn__shape_of(a),
            gn__shape_of(b), n);
    return false;
}

gn_tensor *gn_mm(gn_tensor *a, gn_tensor *b) {
    return dims_are("mm", a, b, 2) ? gn_matmul(a, b) : NULL;
}
gn_tensor *gn_dot(gn_tensor *a, gn_tensor *b) {
    return dims_are("dot", a, b, 1) ? gn_matmul(a, b) : NULL;
}

gn_tensor *gn_bmm(gn_tensor *a, gn_tensor *b) {
    if (!dims_are("bmm", a, b, 3))
        return NULL;
    if (a->size[0] != b->size[0])
        return gn__fail_null(GN_E_ARGUMENT, "bmm", "shapes %s and %s: the first dims must be equal",
                             gn__shape_of(a), gn__shape_of(b));
    return gn_matmul(a, b);
}

gn_tensor *gn_outer(gn_tensor *a, gn_tensor *b) {
    return dims_are("outer", a, b, 1) ? gn_mul(gn_unsqueeze(a, 1), b) : NULL;
}
