/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join.c - joining and splitting, repeating, flipping, padding, triangles, one-hot vectors.
 *
 * Whatever moves elements is a map copy between views of the memory: parts of the result, parts of
 * the input, or the input walked backwards.
 */
#include <math.h>
#include <stdlib.h>

#include "ops.h"

/* ---- cat: y[.., offset_k + i, ..] = x_k[.., i, ..]; the gradients are parts of y's */

static gn_status cat_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    int dim = *(const int *)node->data;
    int64_t start = 0;
    for (int k = 0; k < node->n_inputs; k++) {
        int64_t length = node->inputs[k].size[dim];
        if (gn__needs(node, k))
            out[k] =
                gn_cast(gn_narrow(grads[0], dim, start, length), (gn_dtype)node->inputs[k].dtype);
        start += length;
    }
    return gn_error_status();
}
static const gn__node_class cat_node = {.name = "cat", .backward = cat_backward};

/* Dim, dtype and shape of the result; false with an error. */
static bool joined_shape(const char *op, gn_tensor *const *t, int64_t n, int64_t dim, int *d,
                         int *dtype, gn_shape *shape) {
    if (n < 1)
        gn_fail(GN_E_ARGUMENT, op, "%lld tensors: there must be at least one", (long long)n);
    for (int64_t k = 0; k < n; k++)
        if (!gn__given(op, t[k]))
            return false;
    if (n > 0 && t[0]->n_dims == 0)
        gn_fail(GN_E_ARGUMENT, op, "a 0-dim tensor has no dim to join along: use gn_stack");
    if (gn__failed() || !gn__dim(op, dim, t[0]->n_dims, d))
        return false;
    *shape = gn__shape(t[0]->n_dims, t[0]->size);
    *dtype = t[0]->dtype;
    for (int64_t k = 1; k < n; k++) {
        bool fits = t[k]->n_dims == t[0]->n_dims;
        for (int i = 0; fits && i < t[0]->n_dims; i++)
            fits = i == *d || t[k]->size[i] == t[0]->size[i];
        if (!fits || !gn__add(shape->size[*d], t[k]->size[*d], &shape->size[*d])) {
            gn_fail(GN_E_ARGUMENT, op, "shapes %s and %s (number %lld) differ in more than dim %d",
                    gn__shape_of(t[0]), gn__shape_of(t[k]), (long long)k, *d);
            return false;
        }
        *dtype = gn__promote(*dtype, t[k]->dtype);
    }
    return true;
}

gn_tensor *gn_cat(gn_tensor *const *tensors, int64_t n, int64_t dim) {
    int d, dtype;
    gn_shape shape;
    if (gn__failed() || !joined_shape("cat", tensors, n, dim, &d, &dtype, &shape))
        return NULL;
    gn__device *device = gn__common_device("cat", (int)n, tensors);
    gn_tensor *y = device ? gn__tensor_new(device, dtype, (int)shape.n, shape.size) : NULL;
    if (!y)
        return NULL;
    gn_tensor part = *y; /* a window of y that moves along; no object of its own */
    for (int64_t k = 0; k < n; k++) {
        part.size[d] = tensors[k]->size[d];
        if (gn__copy_data(&part, tensors[k]))
            return NULL;
        part.offset += part.size[d] * part.stride[d];
    }
    if (gn_dtype_is_float(dtype) && gn__recording((int)n, tensors)) {
        gn__node *node = gn__record(&cat_node, y, (int)n, tensors, sizeof d);
        if (!node)
            return NULL;
        *(int *)node->data = d;
    }
    return y;
}

gn_tensor *gn_stack(gn_tensor *const *tensors, int64_t n, int64_t dim) {
    if (gn__failed())
        return NULL;
    if (n < 1)
        return gn__fail_null(GN_E_ARGUMENT, "stack", "%lld tensors: there must be at least one",
                             (long long)n);
    gn_tensor **views = gn__alloc_array((size_t)n, sizeof *views), *y = NULL;
    for (int64_t k = 0; views && k < n; k++) {
        if (!gn__given("stack", tensors[k]))
            break;
        if (!gn__same_shape(tensors[0], tensors[k])) {
            gn_fail(GN_E_ARGUMENT, "stack", "shapes %s and %s (number %lld) must be equal",
                    gn__shape_of(tensors[0]), gn__shape_of(tensors[k]), (long long)k);
            break;
        }
        views[k] = gn_unsqueeze(tensors[k], dim);
    }
    if (views && !gn__failed()) {
        int d = 0;
        gn__dim("stack", dim, views[0]->n_dims, &d);
        y = gn_cat(views, n, d);
    }
    free(views);
    return y;
}

/* ---- Splitting into views, recorded as one operation with many outputs: the gradients of the
 * parts, zeros for those that have none, are joined again */

typedef struct split {
    int dim;
    bool drops_dim;       /* unbind */
    int64_t size;         /* of all parts but the last; .. */
    const int64_t *sizes; /* .. or of each, unless NULL; in a node they follow the struct */
} split;

/* The size of a part, when so many elements of the dim are left. */
static int64_t part_size(const split *s, int64_t part, int64_t left) {
    return s->sizes ? s->sizes[part] : left < s->size ? left : s->size;
}

static gn_tensor *zeros_for_part(const gn__node *node, const split *s, int part, gn_tensor *like) {
    gn_shape shape = gn__input_shape(node, 0);
    shape.size[s->dim] = part_size(s, part, shape.size[s->dim] - part * s->size);
    for (int d = s->dim; s->drops_dim && d + 1 < shape.n; d++)
        shape.size[d] = shape.size[d + 1];
    shape.n -= s->drops_dim;
    gn_tensor *zeros = gn__tensor_new(like->storage->device, like->dtype, (int)shape.n, shape.size);
    return zeros && gn__fill_data(zeros, 0) == GN_OK ? zeros : NULL;
}

/* The tensor that n parts lie in as if they had been split from it; NULL, without an error, if they
 * don't. */
static gn_tensor *whole_of(const split *s, gn_shape shape, int n, gn_tensor *const *parts) {
    const gn_tensor *first = parts[0];
    if (n < 2 || !first || !parts[1] || first->hidden_layout)
        return NULL;
    gn_shape stride = gn__shape(first->n_dims, first->stride);
    if (s->drops_dim) {
        memmove(stride.size + s->dim + 1, stride.size + s->dim,
                (size_t)(first->n_dims - s->dim) * sizeof stride.size[0]);
        stride.size[s->dim] = parts[1]->offset - first->offset;
    }
    int64_t offset = first->offset;
    for (int k = 0; k < n; k++) {
        if (!parts[k] || parts[k]->storage != first->storage || parts[k]->offset != offset ||
            memcmp(parts[k]->stride, first->stride, (size_t)first->n_dims * sizeof offset) != 0)
            return NULL;
        offset += (s->drops_dim ? 1 : parts[k]->size[s->dim]) * stride.size[s->dim];
    }
    if (stride.size[s->dim] <= 0 || gn__overlaps((int)shape.n, shape.size, stride.size))
        return NULL;
    return gn__tensor_alias(parts[0], (int)shape.n, shape.size, stride.size, first->offset);
}

static gn_status split_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const split *s = node->data;
    int n = node->n_outputs;
    if (!gn_is_grad_enabled() && (out[0] = whole_of(s, gn__input_shape(node, 0), n, grads)) != NULL)
        return GN_OK;
    gn_tensor **parts = gn__alloc_array((size_t)n, sizeof *parts), *some = NULL;
    for (int k = 0; k < n; k++)
        some = grads[k] ? grads[k] : some;
    for (int k = 0; parts && some && k < n; k++)
        parts[k] = grads[k] ? grads[k] : zeros_for_part(node, s, k, some);
    if (parts && some)
        out[0] = s->drops_dim ? gn_stack(parts, n, s->dim) : gn_cat(parts, n, s->dim);
    free(parts);
    return gn_error_status();
}
static const gn__node_class split_node = {.name = "split", .backward = split_backward};

static int64_t split_into(const char *op, gn_tensor *x, const split *s, int64_t n, gn_tensor **out,
                          int64_t room) {
    if (n > room)
        return gn_fail(GN_E_ARGUMENT, op, "%s gives %lld parts, but there is room for %lld",
                       gn__shape_of(x), (long long)n, (long long)room);
    bool recorded = gn__recording(1, &x), was = gn_set_grad_enabled(false);
    for (int64_t k = 0, start = 0, size; k < n && !gn__failed(); k++, start += size) {
        size = part_size(s, k, x->size[s->dim] - start);
        out[k] = s->drops_dim ? gn_select(x, s->dim, k) : gn_narrow(x, s->dim, start, size);
    }
    gn_set_grad_enabled(was);
    size_t list = s->sizes ? (size_t)n * sizeof *s->sizes : 0;
    if (recorded && n > 0 && !gn__failed()) {
        gn__node *node = gn__record_outputs(&split_node, op, (int)n, out, 1, &x, sizeof *s + list);
        if (node) {
            split *kept = node->data;
            *kept = *s;
            kept->sizes = list ? memcpy(kept + 1, s->sizes, list) : NULL;
        }
    }
    return gn__failed() ? gn_error_status() : n;
}

/* x with a dim to split along; false with an error. */
static bool splittable(const char *op, gn_tensor *x, int64_t dim, int *d) {
    if (gn__failed() || !gn__given(op, x) || !gn__dim(op, dim, x->n_dims, d))
        return false;
    if (x->n_dims == 0)
        gn_fail(GN_E_ARGUMENT, op, "a 0-dim tensor can't be split");
    return !gn__failed();
}

int64_t gn_split(gn_tensor *x, int64_t size, int64_t dim, gn_tensor **out, int64_t room) {
    int d;
    if (!splittable("split", x, dim, &d))
        return gn_error_status();
    if (size < 1)
        return gn_fail(GN_E_ARGUMENT, "split", "parts of size %lld: it must be positive",
                       (long long)size);
    int64_t n = x->size[d] / size + (x->size[d] % size != 0);
    return split_into("split", x, &(split){.dim = d, .size = size}, n > 0 ? n : 1, out, room);
}

int64_t gn_split_sizes(gn_tensor *x, const int64_t *sizes, int64_t n, int64_t dim,
                       gn_tensor **out) {
    int d;
    if (!splittable("split", x, dim, &d))
        return gn_error_status();
    int64_t sum = 0;
    bool fits = sizes && n > 0;
    for (int64_t k = 0; fits && k < n; k++)
        fits = sizes[k] >= 0 && gn__add(sum, sizes[k], &sum);
    if (!fits || sum != x->size[d])
        return gn_fail(GN_E_ARGUMENT, "split",
                       "%lld sizes must be 0 or more and add up to %lld, the size of dim %d of %s",
                       (long long)n, (long long)x->size[d], d, gn__shape_of(x));
    return split_into("split", x, &(split){.dim = d, .sizes = sizes}, n, out, n);
}

int64_t gn_chunk(gn_tensor *x, int64_t chunks, int64_t dim, gn_tensor **out, int64_t room) {
    int d;
    if (!splittable("chunk", x, dim, &d))
        return gn_error_status();
    if (chunks < 1)
        return gn_fail(GN_E_ARGUMENT, "chunk", "%lld chunks: there must be at least one",
                       (long long)chunks);
    int64_t size = x->size[d] / chunks + (x->size[d] % chunks != 0);
    int64_t n = size ? x->size[d] / size + (x->size[d] % size != 0) : chunks;
    return split_into("chunk", x, &(split){.dim = d, .size = size}, n, out, room);
}

int64_t gn_unbind(gn_tensor *x, int64_t dim, gn_tensor **out, int64_t room) {
    int d;
    if (!splittable("unbind", x, dim, &d))
        return gn_error_status();
    return split_into("unbind", x, &(split){.dim = d, .size = 1, .drops_dim = true}, x->size[d],
                      out, room);
}

/* ---- y[.., i repeats + j, ..] = x[.., i, ..]: an expansion that is then copied */

gn_tensor *gn_repeat_interleave(gn_tensor *x, int64_t repeats, int64_t dim) {
    int d;
    if (gn__failed() || !gn__given("repeat_interleave", x) ||
        !gn__dim("repeat_interleave", dim, x->n_dims, &d))
        return NULL;
    if (repeats < 0)
        return gn__fail_null(GN_E_ARGUMENT, "repeat_interleave", "%lld repeats: at least 0",
                             (long long)repeats);
    gn_shape shape = x->n_dims ? gn__shape(x->n_dims, x->size) : (gn_shape){.n = 1, .size = {1}};
    int64_t outer = gn__count(d, shape.size),
            inner = gn__count((int)shape.n - d - 1, shape.size + d + 1);
    int64_t size = shape.size[d];
    if (!gn__mul(size, repeats, &shape.size[d]))
        return gn__fail_null(GN_E_MEMORY, "repeat_interleave", "%lld repeats of shape %s",
                             (long long)repeats, gn__shape_of(x));
    gn_tensor *apart = gn_reshape(x, outer, size, 1, inner);
    return gn_reshape_with(gn_expand(apart, outer, size, repeats, inner), shape);
}

/* ---- flip: x walked backwards; its own inverse */

static gn_status flip_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    out[0] = gn_flip(grads[0], *(const gn_dims *)node->data);
    return gn_error_status();
}
static const gn__node_class flip_node = {.name = "flip", .backward = flip_backward};

gn_tensor *gn_flip(gn_tensor *x, gn_dims dims) {
    if (gn__failed() || !gn__given("flip", x))
        return NULL;
    gn_tensor backwards = *x; /* operands may have negative strides; no object of its own */
    bool flipped[GN_TENSOR_MAX_DIMS] = {false};
    for (int i = 0; i < (dims.n ? dims.n : x->n_dims); i++) {
        int d = i;
        if (dims.n && !gn__dim("flip", dims.dim[i], x->n_dims, &d))
            return NULL;
        if (flipped[d])
            return gn__fail_null(GN_E_ARGUMENT, "flip", "dim %d is given twice", d);
        flipped[d] = true;
        if (x->n_dims && x->size[d] > 0) {
            backwards.offset += (x->size[d] - 1) * x->stride[d];
            backwards.stride[d] = -x->stride[d];
        }
    }
    gn_tensor *y = gn__tensor_like(x, x->dtype);
    if (!y || gn__copy_data(y, &backwards))
        return NULL;
    gn__node *node = gn__recording(1, &x) ? gn__record(&flip_node, y, 1, &x, sizeof dims) : NULL;
    if (node)
        *(gn_dims *)node->data = dims;
    return gn__failed() ? NULL : y;
}

/* ---- pad: x in a larger (or cropped) frame of `value`; the gradient crops (or pads with 0) */

typedef struct padding {
    gn_shape before, after;
} padding;

static gn_status pad_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    padding p = *(const padding *)node->data;
    for (int d = 0; d < p.before.n; d++) {
        p.before.size[d] = -p.before.size[d];
        p.after.size[d] = -p.after.size[d];
    }
    out[0] = gn_pad(grads[0], p.before, p.after, 0);
    return gn_error_status();
}
static const gn__node_class pad_node = {.name = "pad", .backward = pad_backward};

static bool padded_shape(const gn_tensor *x, gn_shape before, gn_shape after, gn_shape *shape) {
    bool fits = before.n == x->n_dims && after.n == x->n_dims;
    *shape = gn__shape(x->n_dims, x->size);
    for (int d = 0; fits && d < x->n_dims; d++)
        fits = !__builtin_add_overflow(shape->size[d], before.size[d], &shape->size[d]) &&
               !__builtin_add_overflow(shape->size[d], after.size[d], &shape->size[d]) &&
               shape->size[d] >= 0;
    if (!fits)
        gn_fail(GN_E_ARGUMENT, "pad",
                "%s before and %s after do not fit shape %s: one number per dim, "
                "and no size below 0",
                gn__shape_text((int)before.n, before.size),
                gn__shape_text((int)after.n, after.size), gn__shape_of(x));
    return fits;
}

gn_tensor *gn_pad(gn_tensor *x, gn_shape before, gn_shape after, double value) {
    gn_shape shape;
    if (gn__failed() || !gn__given("pad", x) || !padded_shape(x, before, after, &shape))
        return NULL;
    gn_tensor *y = gn__tensor_new(x->storage->device, x->dtype, (int)shape.n, shape.size);
    if (!y || gn__fill_data(y, value))
        return NULL;
    gn_tensor from = *x, to = *y; /* what of x is in y, seen in both */
    for (int d = 0; d < x->n_dims; d++) {
        int64_t start = before.size[d] < 0 ? -before.size[d] : 0;
        int64_t end = x->size[d] + (after.size[d] < 0 ? after.size[d] : 0);
        from.size[d] = to.size[d] = end > start ? end - start : 0;
        from.offset += start * x->stride[d];
        to.offset += (before.size[d] > 0 ? before.size[d] : 0) * y->stride[d];
    }
    if (gn__copy_data(&to, &from))
        return NULL;
    gn__node *node = gn__recording(1, &x) ? gn__record(&pad_node, y, 1, &x, sizeof(padding)) : NULL;
    if (node)
        *(padding *)node->data = (padding){before, after};
    return gn__failed() ? NULL : y;
}

/* ---- triu, tril: y[i, j] = j - i >= k ? x[i, j] : 0, and <=; the gradient is the same of g */

typedef struct triangle {
    bool upper;
    int64_t k;
} triangle;

static const gn_program *triangle_program(bool upper, int dtype) {
    static _Atomic(const gn_program *) cache[2][GN_N_DTYPES];
    const gn_program *program = atomic_load_explicit(&cache[upper][dtype], memory_order_acquire);
    gn__builder *b = program ? NULL : gn__builder_new(upper ? "triu" : "tril", 0);
    if (!b)
        return program;
    int x = gn__load(b, gn__build_operand(b, GN_READ, dtype));
    int above = gn__load(b, gn__build_operand(b, GN_INDEX, GN_I64)); /* j - i */
    int y = gn__build_operand(b, GN_WRITE, dtype), k = gn__param(b, GN_I64, gn__build_param(b));
    int keep = upper ? gn__emit(b, GN_OP_LE, k, above, 0) : gn__emit(b, GN_OP_LE, above, k, 0);
    gn__store(b, y, gn__emit(b, GN_OP_SELECT, keep, x, gn__const(b, gn__compute_type(dtype), 0)));
    program = gn__builder_finish(b);
    atomic_store_explicit(&cache[upper][dtype], program, memory_order_release);
    return program;
}

static gn_tensor *take_triangle(gn_tensor *x, triangle t);

static gn_status triangle_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    out[0] = take_triangle(grads[0], *(const triangle *)node->data);
    return gn_error_status();
}
static const gn__node_class triu_node = {.name = "triu", .backward = triangle_backward};
static const gn__node_class tril_node = {.name = "tril", .backward = triangle_backward};

static gn_tensor *take_triangle(gn_tensor *x, triangle t) {
    const gn__node_class *type = t.upper ? &triu_node : &tril_node;
    if (gn__failed() || !gn__given(type->name, x))
        return NULL;
    int n = x->n_dims;
    if (n < 2)
        return gn__fail_null(GN_E_ARGUMENT, type->name, "shape %s: needs at least 2 dims",
                             gn__shape_of(x));
    gn_tensor *y = gn__tensor_like(x, x->dtype);
    const gn_program *program = y ? triangle_program(t.upper, x->dtype) : NULL;
    if (!program)
        return NULL;
    gn__operand operands[3] = {gn__operand_of(x, n, x->size), gn__operand_index(0),
                               gn__operand_of(y, n, y->size)};
    operands[1].stride[n - 2] = -1;
    operands[1].stride[n - 1] = 1;
    gn__launch launch = {.op = type->name,
                         .program = program,
                         .n_dims = n,
                         .size = y->size,
                         .operands = operands,
                         .params = &(gn_scalar){.i = t.k}};
    if (gn__launch_run(y->storage->device, &launch))
        return NULL;
    gn__node *node = gn__recording(1, &x) ? gn__record(type, y, 1, &x, sizeof t) : NULL;
    if (node)
        *(triangle *)node->data = t;
    return gn__failed() ? NULL : y;
}

gn_tensor *gn_triu(gn_tensor *x, int64_t k) { return take_triangle(x, (triangle){true, k}); }
gn_tensor *gn_tril(gn_tensor *x, int64_t k) { return take_triangle(x, (triangle){false, k}); }
