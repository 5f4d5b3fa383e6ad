/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.c - options, output sizes and windows of pooling. The poolings are in max_pool.c,
 * avg_pool.c.
 */
#include "pool.h"

/* PyTorch's rule: with ceil_mode a last, cut window is added if it starts inside the input or the
 * padding before it. */
static bool output_size(const char *op, gn__pool *pool, int d, bool ceil_mode) {
    const gn_pool_attr *a = &pool->attr;
    const int64_t in = pool->in[2 + d], window = a->dilation[d] * (a->kernel[d] - 1) + 1;
    int64_t room = in + 2 * a->padding[d] - window + (ceil_mode ? a->stride[d] - 1 : 0);
    int64_t out = room < 0 || in < 1 ? 0 : room / a->stride[d] + 1;
    if (ceil_mode && (out - 1) * a->stride[d] >= in + a->padding[d])
        out--;
    if (out < 1) {
        gn_fail(GN_E_ARGUMENT, op,
                "a window of %lld does not fit input %s with padding %lld: use "
                "a smaller kernel or dilation",
                (long long)window, gn__shape_text(2 + (int)a->n_spatial, pool->in),
                (long long)a->padding[d]);
        return false;
    }
    pool->out[2 + d] = out;
    return true;
}

/* Whether each window has an element of the input. All do, but where they are dilated by more than
 * the input is wide. */
static bool reaches_input(const char *op, const gn__pool *pool, int d) {
    const gn_pool_attr *a = &pool->attr;
    const int64_t in = pool->in[2 + d], dilation = a->dilation[d];
    for (int64_t i = 0; dilation > in && i < pool->out[2 + d]; i++) {
        const int64_t start = i * a->stride[d] - a->padding[d],
                      skipped = start < 0 ? (dilation - 1 - start) / dilation : 0;
        if (skipped >= a->kernel[d] || start + skipped * dilation >= in) {
            gn_fail(GN_E_ARGUMENT, op,
                    "with padding %lld and dilation %lld a window has no element of input %s: use "
                    "a smaller dilation",
                    (long long)a->padding[d], (long long)dilation,
                    gn__shape_text(2 + (int)a->n_spatial, pool->in));
            return false;
        }
    }
    return true;
}

static bool check_window(const char *op, const gn_pool_attr *a, int d) {
    const int64_t numbers[] = {a->kernel[d], a->stride[d], a->dilation[d]};
    for (size_t i = 0; i < GN_LENGTH(numbers); i++)
        if (numbers[i] < 1 || numbers[i] > GN__MAX_STEP) {
            gn_fail(GN_E_ARGUMENT, op, "kernel, stride and dilation must be from 1 to %d",
                    GN__MAX_STEP);
            return false;
        }
    if (a->padding[d] < 0 || a->padding[d] > ((a->kernel[d] - 1) * a->dilation[d] + 1) / 2) {
        gn_fail(GN_E_ARGUMENT, op, "padding %lld must be at most half of the kernel, %lld",
                (long long)a->padding[d], (long long)a->kernel[d]);
        return false;
    }
    return true;
}

bool gn__pool_make(const char *op, int n, const gn_tensor *x, int64_t kernel,
                   const gn_pool_options *o, gn__pool *out) {
    *out = (gn__pool){.attr = {.struct_size = sizeof out->attr,
                               .n_spatial = n,
                               .count_include_pad = !o->exclude_pad,
                               .divisor = o->divisor_override}};
    gn_pool_attr *a = &out->attr;
    gn__per_dim(n, o->kernel_sizes, kernel, 0, a->kernel);
    gn__per_dim(n, o->strides, o->stride, 0, a->stride);
    gn__per_dim(n, o->paddings, o->padding, 0, a->padding);
    gn__per_dim(n, o->dilations, o->dilation, 1, a->dilation);
    memcpy(a->padding_after, a->padding, sizeof a->padding);
    memcpy(out->in, x->size, (size_t)(2 + n) * sizeof x->size[0]);
    memcpy(out->out, x->size, 2 * sizeof x->size[0]);
    for (int d = 0; d < n; d++) {
        if (a->stride[d] == 0)
            a->stride[d] = a->kernel[d];
        if (!check_window(op, a, d) || !output_size(op, out, d, o->ceil_mode) ||
            !reaches_input(op, out, d))
            return false;
    }
    return true;
}

gn_tensor *gn__pool_batched(const char *op, int n, gn_tensor *x) {
    static const char *const spatial[] = {"L", "H, W", "D, H, W"};
    if (!gn__given(op, x) || !gn__check_float(op, "input", x))
        return NULL;
    bool good = x->n_dims == n + 1 || x->n_dims == n + 2;
    for (int d = x->n_dims - n; good && d < x->n_dims; d++)
        good = x->size[d] <= GN__MAX_STEP;
    if (!good)
        return gn__fail_null(GN_E_ARGUMENT, op,
                             "input %s must be (N, C, %s) or (C, %s), no size above %d",
                             gn__shape_of(x), spatial[n - 1], spatial[n - 1], GN__MAX_STEP);
    return x->n_dims == n + 2 ? x : gn_unsqueeze(x, 0);
}

/* ---- Spaces and operands */

gn__rows gn__pool_space(const gn__pool *pool) {
    const int n = (int)pool->attr.n_spatial;
    gn__rows space = {.n_dims = 2 + 2 * n, .n_reduced = n};
    memcpy(space.size, pool->out, (size_t)(2 + n) * sizeof space.size[0]);
    memcpy(space.size + 2 + n, pool->attr.kernel, (size_t)n * sizeof space.size[0]);
    return space;
}

gn__operand gn__pool_windows(const gn__pool *pool, const gn_tensor *t, const int64_t *offset,
                             const int64_t *step, const int64_t *dilation) {
    const int n = (int)pool->attr.n_spatial;
    gn__operand operand = {.storage = t->storage, .offset = t->offset};
    operand.stride[0] = t->stride[0];
    operand.stride[1] = t->stride[1];
    for (int d = 0; d < n; d++) {
        operand.offset += offset[d] * t->stride[2 + d];
        operand.stride[2 + d] = step[d] * t->stride[2 + d];
        operand.stride[2 + n + d] = dilation[d] * t->stride[2 + d];
    }
    return operand;
}

gn__operand gn__pool_results(const gn__pool *pool, const gn_tensor *t) {
    gn__operand operand = {.storage = t->storage, .offset = t->offset};
    memcpy(operand.stride, t->stride, (size_t)(2 + pool->attr.n_spatial) * sizeof t->stride[0]);
    return operand;
}

gn__operand gn__pool_place(const gn__pool *pool, int d) {
    gn__operand operand = gn__operand_index(-pool->attr.padding[d]);
    operand.stride[2 + d] = pool->attr.stride[d];
    operand.stride[2 + pool->attr.n_spatial + d] = pool->attr.dilation[d];
    return operand;
}

gn_tensor *gn__pool_framed(const gn__pool *pool, gn_tensor *x, double value) {
    static const int64_t step[GN_MAX_SPATIAL] = {1, 1, 1};
    const gn_pool_attr *a = &pool->attr;
    int64_t size[GN_MAX_SPATIAL];
    bool inside = true;
    for (int d = 0; d < a->n_spatial; d++) {
        int64_t needed =
            (pool->out[2 + d] - 1) * a->stride[d] + a->dilation[d] * (a->kernel[d] - 1) + 1;
        size[d] = a->padding[d] + pool->in[2 + d];
        inside = inside && a->padding[d] == 0 && needed <= size[d];
        if (size[d] < needed)
            size[d] = needed;
    }
    return inside ? x : gn__framed(x, (int)a->n_spatial, size, a->padding, step, value);
}
