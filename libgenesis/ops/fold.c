/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fold.c - unfold and fold: the windows of an image as columns, and the sum of columns at their
 * places. Both are linear, and each other's gradient.
 *
 *     unfold   c[n, (ch, i, j), (oy, ox)] = x[n, ch, sy oy + dy i - py, sx ox + dx j - px]
 *     fold     the sum over all (i, j, oy, ox) that lead to an element
 */
#include "ops.h"
#include "support.h"

typedef struct windows {
    int64_t image[4];          /* N, C, H, W */
    int64_t kernel[2], out[2]; /* columns are (N, C kh kw, out[0] out[1]) */
    int64_t stride[2], padding[2], dilation[2];
} windows;

/* ---- The data, without history */

static void columns_size(const windows *w, int64_t size[6]) {
    const int64_t all[] = {w->image[0],  w->image[1], w->kernel[0],
                           w->kernel[1], w->out[0],   w->out[1]};
    memcpy(size, all, sizeof all);
}

static gn_tensor *run_unfold(const windows *w, gn_tensor *x) {
    static const int64_t step[] = {1, 1};
    int64_t size[6], frame_size[2], columns[3] = {w->image[0]};
    bool padded = false;
    for (int d = 0; d < 2; d++) {
        padded = padded || w->padding[d];
        frame_size[d] = w->image[2 + d] + 2 * w->padding[d];
    }
    gn_tensor *frame = padded ? gn__framed(x, 2, frame_size, w->padding, step, 0) : x;
    if (frame == NULL)
        return NULL;
    columns_size(w, size);
    if ((columns[1] = gn__count(3, size + 1)) < 0 || (columns[2] = gn__count(2, size + 4)) < 0)
        return gn__fail_null(GN_E_ARGUMENT, "unfold", "the columns of input %s are too many",
                             gn__shape_of(x));
    gn_tensor *y = gn__tensor_new(x->storage->device, x->dtype, 3, columns);
    if (y == NULL)
        return NULL;
    const int64_t *s = frame->stride;
    const int64_t from[] = {s[0],
                            s[1],
                            s[2] * w->dilation[0],
                            s[3] * w->dilation[1],
                            s[2] * w->stride[0],
                            s[3] * w->stride[1]};
    int64_t to[6];
    gn__row_major(6, size, to);
    gn_tensor *source = gn__tensor_alias(frame, 6, size, from, frame->offset),
              *target = gn__tensor_alias(y, 6, size, to, y->offset);
    return target && source && gn__copy_data(target, source) == GN_OK ? y : NULL;
}

/* The windows first .. end - 1 whose element i lies inside the image, along one dim. */
static void windows_inside(const windows *w, int d, int64_t i, int64_t *first, int64_t *end) {
    const int64_t start = i * w->dilation[d] - w->padding[d], stride = w->stride[d];
    *first = start < 0 ? (-start + stride - 1) / stride : 0;
    *end = w->image[2 + d] > start ? (w->image[2 + d] - start - 1) / stride + 1 : 0;
    if (*end > w->out[d])
        *end = w->out[d];
}

/* y += what column row (i, j) has, at its places: every one takes at most one of its elements. */
static gn_status add_row(const windows *w, gn_tensor *y, gn_tensor *columns, int64_t i, int64_t j) {
    const int64_t at[] = {i, j};
    int64_t size[6], stride[6], count[4] = {w->image[0], w->image[1]};
    columns_size(w, size);
    gn__row_major(6, size, stride);
    const int64_t from[] = {stride[0], stride[1], stride[4], stride[5]};
    const int64_t to[] = {y->stride[0], y->stride[1], y->stride[2] * w->stride[0],
                          y->stride[3] * w->stride[1]};
    int64_t source = columns->offset + i * stride[2] + j * stride[3], target = y->offset;
    for (int d = 0; d < 2; d++) {
        int64_t first, end;
        windows_inside(w, d, at[d], &first, &end);
        if (end <= first)
            return GN_OK;
        count[2 + d] = end - first;
        source += first * stride[4 + d];
        target +=
            (first * w->stride[d] + at[d] * w->dilation[d] - w->padding[d]) * y->stride[2 + d];
    }
    gn_tensor *places = gn__tensor_alias(y, 4, count, to, target),
              *values = gn__tensor_alias(columns, 4, count, from, source);
    return places && values ? gn__add_into(places, values) : gn_error_status();
}

static gn_tensor *run_fold(const windows *w, gn_tensor *columns) {
    columns = gn__row_major_copy(columns);
    gn_tensor *y =
        columns ? gn__tensor_new(columns->storage->device, columns->dtype, 4, w->image) : NULL;
    if (y == NULL || gn__fill_data(y, 0) != GN_OK)
        return NULL;
    for (int64_t i = 0; i < w->kernel[0]; i++)
        for (int64_t j = 0; j < w->kernel[1]; j++)
            if (add_row(w, y, columns, i, j) != GN_OK)
                return NULL;
    return y;
}

/* ---- Recorded */

static gn_status unfold_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out);
static gn_status fold_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out);
static const gn__node_class unfold_node = {.name = "unfold", .backward = unfold_backward};
static const gn__node_class fold_node = {.name = "fold", .backward = fold_backward};

static gn_tensor *recorded(const gn__node_class *type, const windows *w, gn_tensor *result,
                           gn_tensor *input) {
    if (result == NULL || !gn__recording(1, &input))
        return result;
    gn__node *node = gn__record(type, result, 1, &input, sizeof *w);
    if (node == NULL)
        return NULL;
    *(windows *)node->data = *w;
    return result;
}

static gn_tensor *unfold(const windows *w, gn_tensor *x) {
    return recorded(&unfold_node, w, run_unfold(w, x), x);
}

static gn_tensor *fold(const windows *w, gn_tensor *columns) {
    return recorded(&fold_node, w, run_fold(w, columns), columns);
}

static gn_status unfold_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    out[0] = fold(node->data, grads[0]);
    return gn_error_status();
}

static gn_status fold_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    out[0] = unfold(node->data, grads[0]);
    return gn_error_status();
}

/* ---- Checks */

/* All but N and C of the image; `height` and `width` are those of the image. */
static bool windows_make(const char *op, int64_t height, int64_t width, int64_t kernel,
                         const gn_fold_options *options, windows *w) {
    gn_fold_options o;
    gn__options(&o, sizeof o, options);
    *w = (windows){.image = {0, 0, height, width}};
    gn__per_dim(2, o.kernel_sizes, kernel, 0, w->kernel);
    gn__per_dim(2, o.strides, o.stride, 1, w->stride);
    gn__per_dim(2, o.paddings, o.padding, 0, w->padding);
    gn__per_dim(2, o.dilations, o.dilation, 1, w->dilation);
    for (int d = 0; d < 2; d++) {
        const int64_t numbers[] = {w->kernel[d], w->stride[d], w->dilation[d], w->image[2 + d],
                                   w->padding[d]};
        for (size_t i = 0; i < GN_LENGTH(numbers); i++)
            if (numbers[i] < (i < 4) || numbers[i] > GN__MAX_STEP) { /* a padding may be 0 */
                gn_fail(GN_E_ARGUMENT, op,
                        "kernel, stride, dilation and the image's size must be from 1, and padding "
                        "from 0, to %d",
                        GN__MAX_STEP);
                return false;
            }
        w->out[d] = gn__window_count(w->image[2 + d], 2 * w->padding[d], w->kernel[d],
                                     w->dilation[d], w->stride[d]);
        if (w->out[d] < 1) {
            gn_fail(GN_E_ARGUMENT, op,
                    "a window of %lld with dilation %lld does not fit an image of %lld x %lld with "
                    "padding %lld",
                    (long long)w->kernel[d], (long long)w->dilation[d], (long long)height,
                    (long long)width, (long long)w->padding[d]);
            return false;
        }
    }
    return true;
}

gn_tensor *gn_unfold_with(gn_tensor *x, int64_t kernel, const gn_fold_options *options) {
    static const char op[] = "unfold";
    if (gn__failed() || !gn__given(op, x) || !gn__check_float(op, "input", x))
        return NULL;
    const int n = x->n_dims;
    if (n != 3 && n != 4)
        return gn__fail_null(GN_E_ARGUMENT, op, "input %s must be (N, C, H, W) or (C, H, W)",
                             gn__shape_of(x));
    windows w;
    gn_tensor *batch = n == 4 ? x : gn_unsqueeze(x, 0), *y;
    if (batch == NULL || !windows_make(op, x->size[n - 2], x->size[n - 1], kernel, options, &w))
        return NULL;
    memcpy(w.image, batch->size, 2 * sizeof w.image[0]);
    y = unfold(&w, batch);
    return y == NULL || n == 4 ? y : gn_squeeze_dim(y, 0);
}

gn_tensor *gn_fold_with(gn_tensor *x, gn_shape size, int64_t kernel,
                        const gn_fold_options *options) {
    static const char op[] = "fold";
    if (gn__failed() || !gn__given(op, x) || !gn__check_float(op, "input", x))
        return NULL;
    const int n = x->n_dims;
    if (size.n != 2)
        return gn__fail_null(GN_E_ARGUMENT, op, "the image's size must be (H, W)");
    windows w;
    if (!windows_make(op, size.size[0], size.size[1], kernel, options, &w))
        return NULL;
    const int64_t area = w.kernel[0] * w.kernel[1], n_windows = gn__count(2, w.out);
    if ((n != 2 && n != 3) || x->size[n - 2] % area || x->size[n - 1] != n_windows)
        return gn__fail_null(
            GN_E_ARGUMENT, op,
            "input %s must be (N, C %lld, %lld) or without N: kernel elements by windows of %s",
            gn__shape_of(x), (long long)area, (long long)n_windows, gn__shape_text(2, size.size));
    gn_tensor *batch = n == 3 ? x : gn_unsqueeze(x, 0), *y;
    if (batch == NULL)
        return NULL;
    w.image[0] = batch->size[0];
    w.image[1] = batch->size[1] / area;
    y = fold(&w, batch);
    return y == NULL || n == 3 ? y : gn_squeeze_dim(y, 0);
}
