/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan.c - running sums, products and maxima along a dim: y[i] = x[0] * .. * x[i].
 *
 * With y_1 = x, y_2d[i] = y_d[i - d] * y_d[i], doubling d, combines 1, 2, 4, .. elements that end at
 * i: as many maps over the tensor as its size has binary digits.
 */
#include "ops.h"

/* ---- Without history */

/* here = before * here, for the opcode */
static void build(gn__builder *b, const int8_t *v) {
    int dtype = v[0], op = v[1];
    int before = gn__load(b, gn__build_operand(b, GN_READ, dtype));
    int here = gn__load(b, gn__build_operand(b, GN_READ, dtype));
    gn__store(b, gn__build_operand(b, GN_WRITE, dtype), gn__emit(b, op, before, here, 0));
}
static gn__kernel kernel = {.name = "scan", .build = build};

/* to[i] = from[i - d] * from[i], from[i] where there is no such element */
static gn_status scan_step(const char *name, int op, gn_tensor *to, gn_tensor *from, int dim,
                           int64_t d) {
    gn_tensor head_from = *from, head_to = *to; /* no objects of their own */
    head_from.size[dim] = head_to.size[dim] = d;
    const gn_program *program = gn__kernel_program(&kernel, GN__VARIANT(to->dtype, (int8_t)op));
    if (!program || gn__copy_data(&head_to, &head_from))
        return gn_error_status();
    int64_t size[GN_TENSOR_MAX_DIMS], shift = d * to->stride[dim];
    memcpy(size, to->size, sizeof size);
    size[dim] -= d;
    gn__operand operands[3] = {gn__operand_of(from, to->n_dims, to->size),
                               gn__operand_of(from, to->n_dims, to->size),
                               gn__operand_of(to, to->n_dims, to->size)};
    operands[1].offset += shift;
    operands[2].offset += shift;
    gn__launch launch = {
        .op = name, .program = program, .n_dims = to->n_dims, .size = size, .operands = operands};
    return gn__launch_run(to->storage->device, &launch);
}

gn_tensor *gn__scan(const char *name, int op, gn_tensor *x, int dim, int dtype) {
    gn_tensor *y[2];
    gn_scope scope = gn_scope_begin();
    for (int i = 0; i < 2; i++) /* halves are combined as floats */
        y[i] = gn__tensor_new(x->storage->device, gn__compute_type(dtype), x->n_dims, x->size);
    gn__copy_data(y[0], x);
    for (int64_t step = 1; !gn__failed() && x->n_dims && step < x->size[dim]; step *= 2) {
        scan_step(name, op, y[1], y[0], dim, step);
        gn_tensor *done = y[1];
        y[1] = y[0];
        y[0] = done;
    }
    gn_tensor *result = y[0];
    if (!gn__failed() && result->dtype != dtype) {
        result = gn__tensor_new(x->storage->device, dtype, x->n_dims, x->size);
        gn__copy_data(result, y[0]);
    }
    return gn_scope_end_with(scope, gn__failed() ? NULL : result);
}

/* ---- Public */

typedef struct along {
    int dim;
} along;

static gn_tensor *running(const gn__node_class *type, int op, gn_tensor *x, int64_t dim) {
    int d;
    if (gn__failed() || !gn__given(type->name, x) || !gn__dim(type->name, dim, x->n_dims, &d))
        return NULL;
    int dtype = gn_dtype_is_float(x->dtype) ? x->dtype : GN_I64;
    gn_tensor *y = gn__scan(type->name, op, x, d, dtype);
    if (!y || !gn_dtype_is_float(dtype) || !gn__recording(1, &x))
        return y;
    gn__node *node = gn__record(type, y, 1, &x, sizeof(along));
    if (!node)
        return NULL;
    *(along *)node->data = (along){d};
    if (op == GN_OP_MUL)
        gn__save(node, 0, x);
    return y;
}

/* dx[i] = g[i] + g[i + 1] + ..: the cumsum from the other end */
static gn_status cumsum_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    gn_dims dim = GN_DIMS(((const along *)node->data)->dim);
    out[0] = gn_flip(gn_cumsum(gn_flip(grads[0], dim), dim.dim[0]), dim);
    return gn_error_status();
}
static const gn__node_class cumsum_node = {.name = "cumsum", .backward = cumsum_backward};

gn_tensor *gn_cumsum(gn_tensor *x, int64_t dim) { return running(&cumsum_node, GN_OP_ADD, x, dim); }

/* t moved n places along the dim, to the end (n > 0) or to the start; `fill` comes in. */
static gn_tensor *moved(gn_tensor *t, int dim, int64_t n, double fill) {
    gn_shape before = {.n = t ? t->n_dims : 0}, after = before;
    if (!t)
        return NULL;
    before.size[dim] = n;
    after.size[dim] = -n;
    return gn_pad(t, before, after, fill);
}

/* Without a division, so that zeros in x are right:
 *     dx[i] = (x[0] .. x[i-1]) s[i],   s[i] = g[i] + x[i+1] s[i+1]
 * s by doubling, too: s_d[i] covers d terms, a_d[i] = x[i+1] .. x[i+d], and then
 *     s_2d[i] = s_d[i] + a_d[i] s_d[i+d],   a_2d[i] = a_d[i] a_d[i+d] */
static gn_status cumprod_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    int dim = ((const along *)node->data)->dim;
    gn_tensor *x = gn__saved_tensor(node, 0), *s = grads[0];
    if (!x)
        return gn_error_status();
    if (x->n_dims == 0) {
        out[0] = s;
        return GN_OK;
    }
    gn_tensor *a = moved(x, dim, -1, 0);
    for (int64_t d = 1; d < x->size[dim] && !gn__failed(); d *= 2) {
        s = gn_addcmul(s, a, moved(s, dim, -d, 0), 1);
        a = gn_mul(a, moved(a, dim, -d, 0));
    }
    out[0] = gn_mul(gn_cumprod(moved(x, dim, 1, 1), dim), s);
    return gn_error_status();
}
static const gn__node_class cumprod_node = {.name = "cumprod", .backward = cumprod_backward};

gn_tensor *gn_cumprod(gn_tensor *x, int64_t dim) {
    return running(&cumprod_node, GN_OP_MUL, x, dim);
}
