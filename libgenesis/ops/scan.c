/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan.c - running sums, products and maxima along a dim: y[i] = x[0] * .. * x[i].
 *
 * Within blocks of a few elements, y_1 = x and y_2d[i] = y_d[i - d] * y_d[i], doubling d, combine
 * 1, 2, 4, .. elements that end at i. The last elements of the blocks are scanned in the same way, and
 * what comes before a block is then combined with all of it.
 */
#include "ops.h"

enum { BLOCK = 16 };

/* ---- Without history */

typedef struct scan {
    const char *name;
    const gn_program *program; /* out = before * here */
} scan;

static void build(gn__builder *b, const int8_t *v) {
    int dtype = v[0], op = v[1];
    int before = gn__load(b, gn__build_operand(b, GN_READ, dtype));
    int here = gn__load(b, gn__build_operand(b, GN_READ, dtype));
    gn__store(b, gn__build_operand(b, GN_WRITE, dtype), gn__emit(b, op, before, here, 0));
}
static gn__kernel kernel = {.name = "scan", .build = build};

/* A window on t of other sizes and strides, from an element on; no object of its own. */
static gn_tensor window(const gn_tensor *t, gn_shape size, gn_shape stride, int64_t start) {
    gn_tensor w = *t;
    w.n_dims = (int8_t)size.n;
    memcpy(w.size, size.size, sizeof w.size);
    memcpy(w.stride, stride.size, sizeof w.stride);
    w.offset += start;
    w.count = gn__count((int)size.n, size.size);
    return w;
}

/* out = before * here, of one shape */
static gn_status combine(const scan *s, const gn_tensor *out, const gn_tensor *before,
                         const gn_tensor *here) {
    gn__operand operands[3] = {gn__operand_of(before, out->n_dims, out->size),
                               gn__operand_of(here, out->n_dims, out->size),
                               gn__operand_of(out, out->n_dims, out->size)};
    gn__launch launch = {.op = s->name,
                         .program = s->program,
                         .n_dims = out->n_dims,
                         .size = out->size,
                         .operands = operands};
    return gn__failed() ? gn_error_status() : gn__launch_run(out->storage->device, &launch);
}

/* to[i] = from[i - d] * from[i] within blocks, from[i] where there is no such element: both (outer,
 * blocks, BLOCK, inner) */
static gn_status double_step(const scan *s, gn_tensor *to, gn_tensor *from, int64_t d) {
    gn_shape stride = gn__shape(4, to->stride), first = gn__shape(4, to->size), rest = first;
    int64_t start = d * to->stride[2];
    first.size[2] = d;
    rest.size[2] = BLOCK - d;
    gn_tensor to_first = window(to, first, stride, 0), from_first = window(from, first, stride, 0);
    gn_tensor to_rest = window(to, rest, stride, start), here = window(from, rest, stride, start),
              before = window(from, rest, stride, 0);
    return gn__copy_data(&to_first, &from_first) ? gn_error_status()
                                                 : combine(s, &to_rest, &before, &here);
}

/* y's blocks from number `first` on = the block's last total, in totals, * the block, each as long
 * as `length` */
static gn_status carry(const scan *s, const gn_tensor *y, const gn_tensor *totals,
                       const gn_tensor *blocks, int64_t first, int64_t n, int64_t length) {
    int64_t outer = y->size[0], inner = y->size[2];
    gn_shape size = GN_SHAPE(outer, n, length, inner);
    gn_shape in_y = GN_SHAPE(y->stride[0], BLOCK * inner, inner, 1);
    gn_shape in_totals = GN_SHAPE(totals->stride[0], inner, 0, 1);
    gn_tensor out = window(y, size, in_y, first * BLOCK * inner);
    gn_tensor before = window(totals, size, in_totals, (first - 1) * inner);
    gn_tensor here = window(blocks, size, gn__shape(4, blocks->stride), first * BLOCK * inner);
    return n && length ? combine(s, &out, &before, &here) : GN_OK;
}

/* y (outer, n, inner), row-major, becomes its running results along n. */
static gn_status scan_lines(const scan *s, gn_tensor *y) {
    int64_t outer = y->size[0], n = y->size[1], inner = y->size[2];
    int64_t blocks = n / BLOCK + (n % BLOCK != 0);
    gn_tensor *t[2];
    for (int i = 0; i < 2; i++)
        t[i] = gn__tensor_new(y->storage->device, y->dtype, 4,
                              (int64_t[]){outer, blocks, BLOCK, inner});
    if (gn__failed())
        return gn_error_status();
    gn_shape stride = GN_SHAPE(t[0]->stride[0], inner, 1);
    gn_tensor line = window(t[0], gn__shape(3, y->size), stride, 0);
    gn_tensor end = window(t[0], GN_SHAPE(outer, blocks * BLOCK - n, inner), stride, n * inner);
    gn__copy_data(&line, y);
    gn__fill_data(&end, 0); /* combined with what comes before it alone */
    for (int64_t d = 1; d < BLOCK && d < n && !gn__failed(); d *= 2) {
        double_step(s, t[1], t[0], d);
        gn_tensor *done = t[1];
        t[1] = t[0];
        t[0] = done;
    }
    gn_shape head = GN_SHAPE(outer, n < BLOCK ? n : BLOCK, inner);
    gn_tensor from = window(t[0], head, stride, 0);
    gn_tensor to = window(y, head, gn__shape(3, y->stride), 0);
    if (gn__copy_data(&to, &from) || blocks == 1)
        return gn_error_status();
    gn_tensor lasts = window(t[0], GN_SHAPE(outer, blocks, inner),
                             GN_SHAPE(t[0]->stride[0], BLOCK * inner, 1), (BLOCK - 1) * inner);
    gn_tensor *totals =
        gn__tensor_new(y->storage->device, y->dtype, 3, (int64_t[]){outer, blocks, inner});
    if (gn__copy_data(totals, &lasts) || scan_lines(s, totals) ||
        carry(s, y, totals, t[0], 1, n / BLOCK - 1, BLOCK))
        return gn_error_status();
    return carry(s, y, totals, t[0], n / BLOCK, 1, n % BLOCK);
}

gn_tensor *gn__scan(const char *name, int op, gn_tensor *x, int dim, int dtype) {
    gn_scope scope = gn_scope_begin();
    int type = gn__compute_type(dtype); /* halves are combined as floats */
    scan s = {name, gn__kernel_program(&kernel, GN__VARIANT((int8_t)type, (int8_t)op))};
    gn_tensor *y = gn__tensor_new(x->storage->device, type, x->n_dims, x->size);
    if (s.program && !gn__copy_data(y, x) && y->count > 1 && x->n_dims) {
        int64_t outer = gn__count(dim, x->size), n = x->size[dim], inner = y->stride[dim];
        gn_tensor lines = window(y, GN_SHAPE(outer, n, inner), GN_SHAPE(n * inner, inner, 1), 0);
        scan_lines(&s, &lines);
    }
    if (!gn__failed() && type != dtype) {
        gn_tensor *halves = gn__tensor_new(x->storage->device, dtype, x->n_dims, x->size);
        y = gn__copy_data(halves, y) ? NULL : halves;
    }
    return gn_scope_end_with(scope, gn__failed() ? NULL : y);
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
