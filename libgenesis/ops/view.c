/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.c - views: the same data under other sizes and strides.
 *
 * What differs between views is how their geometry is found, and the gradient: a permutation's is
 * the inverse one, a reshape's a reshape, an expansion's a sum. That of a part of the elements is
 * added into zeros at their places.
 */
#include "ops.h"

typedef struct geometry {
    int n_dims;
    int64_t size[GN_TENSOR_MAX_DIMS], stride[GN_TENSOR_MAX_DIMS], offset;
} geometry;

static geometry geometry_of(const gn_tensor *t) {
    geometry g = {.n_dims = t->n_dims, .offset = t->offset};
    memcpy(g.size, t->size, sizeof g.size);
    memcpy(g.stride, t->stride, sizeof g.stride);
    return g;
}

/* Makes the view and records it; *node_out (if not NULL) gets the node, or NULL if there is
 * none. */
static gn_tensor *view_of(gn_tensor *t, const geometry *g, const gn__node_class *type, size_t bytes,
                          gn__node **node_out) {
    gn_tensor *view = gn__tensor_alias(t, g->n_dims, g->size, g->stride, g->offset);
    gn__node *node = NULL;
    if (view && gn__recording(1, &t) && !(node = gn__record(type, view, 1, &t, bytes)))
        return NULL;
    if (view)
        view->base_epoch = view->base->base_epoch;
    if (node_out)
        *node_out = node;
    return view;
}

/* t, checked and with strides that the user may see; false with an error. */
static bool ready(const char *op, gn_tensor *t) {
    return !gn__failed() && gn__given(op, t) && gn__settle(t) == GN_OK;
}

/* ---- Parts: a view's places, named by the input's row-major numbers
 *
 * A part of a tensor is made of two geometries at once: `actual`, over the memory, and `number`,
 * over the row-major numbers of the input's elements, which is where the gradient goes.
 */

typedef struct part {
    geometry actual, number;
} part;

typedef struct places {
    geometry number;
    gn_shape input;
} places;

static part whole(const gn_tensor *t) {
    part p = {geometry_of(t), geometry_of(t)};
    gn__row_major(t->n_dims, t->size, p.number.stride);
    p.number.offset = 0;
    return p;
}

/* Adds g at the places to `sum`, row-major, or, if that is NULL, to zeros of the input's shape. */
static gn_tensor *add_at_places(gn_tensor *sum, gn_tensor *g, const places *p) {
    gn_tensor *out = sum;
    if (!out)
        out = gn__tensor_new(g->storage->device, g->dtype, (int)p->input.n, p->input.size);
    if (!out || (!sum && gn__fill_data(out, 0)))
        return NULL;
    if (!gn__overlaps(p->number.n_dims, p->number.size, p->number.stride)) {
        gn_tensor window = *g; /* no object of its own */
        window.storage = out->storage;
        window.offset = out->offset + p->number.offset;
        memcpy(window.stride, p->number.stride, sizeof window.stride);
        return (sum ? gn__add_into(&window, g) : gn__copy_data(&window, g)) ? NULL : out;
    }
    gn__operand operands[3] = {gn__operand_of(g, g->n_dims, g->size),
                               gn__operand_index(p->number.offset),
                               {.storage = out->storage,
                                .offset = out->offset,
                                .axis_stride = 1,
                                .axis_extent = out->count}};
    memcpy(operands[1].stride, p->number.stride, sizeof p->number.stride);
    return gn__launch_scatter(out->storage->device, "view", g->n_dims, g->n_dims, g->size, g->dtype,
                              GN_SCATTER_ADD, true, operands)
               ? NULL
               : out;
}

/* The gradient of adding into places is reading there again. */
static gn_status places_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const geometry *g = &((const places *)node->data)->number;
    gn_tensor *row = gn_contiguous(grads[0]);
    if (row)
        out[0] = gn_as_strided(row, gn__shape(g->n_dims, g->size), gn__shape(g->n_dims, g->stride),
                               row->offset + g->offset);
    return gn_error_status();
}
static const gn__node_class places_node = {.name = "part_backward", .backward = places_backward};

static gn_status part_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const places *p = node->data;
    out[0] = add_at_places(out[0], grads[0], p);
    if (out[0] && gn__recording(1, grads)) {
        gn__node *again = gn__record(&places_node, out[0], 1, grads, sizeof *p);
        if (again)
            *(places *)again->data = *p;
    }
    return gn_error_status();
}
static const gn__node_class part_node = {.name = "part", .backward = part_backward, .adds = true};

static gn_tensor *part_view(gn_tensor *t, const part *p, const char *name) {
    gn__node *node;
    gn_tensor *view = view_of(t, &p->actual, &part_node, sizeof(places), &node);
    if (view && node) {
        node->name = name;
        *(places *)node->data = (places){p->number, gn__shape(t->n_dims, t->size)};
    }
    return view;
}

static void drop_dim(geometry *g, int d) {
    g->n_dims--;
    for (int i = d; i < g->n_dims; i++) {
        g->size[i] = g->size[i + 1];
        g->stride[i] = g->stride[i + 1];
    }
}

/* Whether sizes and strides from `offset` on stay within [low, high). */
static bool lies_within(gn_shape size, gn_shape stride, int64_t offset, int64_t low, int64_t high) {
    int64_t last = offset, step;
    if (size.n != stride.n || size.n < 0 || size.n > GN_TENSOR_MAX_DIMS || offset < low)
        return false;
    for (int d = 0; d < size.n; d++)
        if (size.size[d] < 0 || stride.size[d] < 0 ||
            !gn__mul(size.size[d] ? size.size[d] - 1 : 0, stride.size[d], &step) ||
            !gn__add(last, step, &last))
            return false;
    int64_t count = gn__count((int)size.n, size.size);
    return count == 0 || (count > 0 && last < high);
}

gn_tensor *gn_as_strided(gn_tensor *t, gn_shape size, gn_shape stride, int64_t offset) {
    if (!ready("as_strided", t))
        return NULL;
    bool recorded = gn__recording(1, &t);
    if (recorded && !gn__is_row_major(t))
        return gn__fail_null(GN_E_UNSUPPORTED, "as_strided",
                             "a tensor that is not contiguous has no gradient here: use "
                             "gn_contiguous first");
    int64_t low = recorded ? t->offset : 0;
    int64_t high =
        recorded ? t->offset + t->count : (int64_t)(t->storage->bytes / gn_dtype_bytes(t->dtype));
    if (!lies_within(size, stride, offset, low, high))
        return gn__fail_null(
            GN_E_ARGUMENT, "as_strided",
            "sizes %s with strides %s from %lld do not lie in elements %lld to %lld",
            gn__shape_text((int)size.n, size.size), gn__shape_text((int)stride.n, stride.size),
            (long long)offset, (long long)low, (long long)high - 1);
    part p = {.actual = {.n_dims = (int)size.n, .offset = offset}};
    memcpy(p.actual.size, size.size, sizeof p.actual.size);
    memcpy(p.actual.stride, stride.size, sizeof p.actual.stride);
    p.number = p.actual;
    p.number.offset -= t->offset;
    return part_view(t, &p, "as_strided");
}

/* ---- Permutations */

static gn_status permute_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const gn_shape *dims = node->data;
    gn_shape inverse = {.n = dims->n};
    for (int64_t d = 0; d < dims->n; d++)
        inverse.size[dims->size[d]] = d;
    out[0] = gn_permute_with(grads[0], inverse);
    return gn_error_status();
}
static const gn__node_class permute_node = {.name = "permute", .backward = permute_backward};

gn_tensor *gn_permute_with(gn_tensor *t, gn_shape dims) {
    if (!ready("permute", t))
        return NULL;
    if (dims.n != t->n_dims)
        return gn__fail_null(GN_E_ARGUMENT, "permute", "%lld dims given for shape %s",
                             (long long)dims.n, gn__shape_of(t));
    geometry g = {.n_dims = t->n_dims, .offset = t->offset};
    bool seen[GN_TENSOR_MAX_DIMS] = {false};
    for (int i = 0; i < t->n_dims; i++) {
        int d;
        if (!gn__dim("permute", dims.size[i], t->n_dims, &d))
            return NULL;
        if (seen[d])
            return gn__fail_null(GN_E_ARGUMENT, "permute", "dim %d is given twice", d);
        seen[d] = true;
        dims.size[i] = d;
        g.size[i] = t->size[d];
        g.stride[i] = t->stride[d];
    }
    gn__node *node;
    gn_tensor *view = view_of(t, &g, &permute_node, sizeof dims, &node);
    if (view && node)
        *(gn_shape *)node->data = dims;
    return view;
}

gn_tensor *gn_transpose(gn_tensor *t, int64_t dim0, int64_t dim1) {
    int a, b;
    if (!ready("transpose", t) || !gn__dim("transpose", dim0, t->n_dims, &a) ||
        !gn__dim("transpose", dim1, t->n_dims, &b))
        return NULL;
    gn_shape dims = {.n = t->n_dims};
    for (int d = 0; d < t->n_dims; d++)
        dims.size[d] = d == a ? b : d == b ? a : d;
    return gn_permute_with(t, dims);
}

gn_tensor *gn_t(gn_tensor *t) {
    if (!ready("t", t))
        return NULL;
    if (t->n_dims > 2)
        return gn__fail_null(GN_E_ARGUMENT, "t", "shape %s has more than 2 dims: use gn_transpose",
                             gn__shape_of(t));
    return t->n_dims == 2 ? gn_transpose(t, 0, 1) : t;
}

/* ---- Other shapes of the same elements */

static gn_status reshape_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    out[0] = gn_reshape_with(grads[0], gn__input_shape(node, 0));
    return gn_error_status();
}
static const gn__node_class view_node = {.name = "view", .backward = reshape_backward};

/* Finds the size given as -1; false with an error if the number of elements does not fit. */
static bool complete_shape(const char *op, const gn_tensor *t, gn_shape *shape) {
    int64_t known = 1;
    int missing = -1;
    bool fits = shape->n >= 0 && shape->n <= GN_TENSOR_MAX_DIMS;
    for (int d = 0; fits && d < shape->n; d++) {
        if (shape->size[d] == -1 && missing < 0)
            missing = d;
        else
            fits = shape->size[d] >= 0 && gn__mul(known, shape->size[d], &known);
    }
    if (fits && missing >= 0 && known > 0 && t->count % known == 0)
        shape->size[missing] = t->count / known;
    else
        fits = fits && missing < 0 && known == t->count;
    if (!fits)
        gn_fail(GN_E_ARGUMENT, op, "shape %s with %lld elements can't become %s", gn__shape_of(t),
                (long long)t->count, gn__shape_text((int)shape->n, shape->size));
    return fits;
}

/* Strides for the shape over t's memory: each run of t's dims that lies in one piece is cut anew.
 * False if some size of the shape would span a gap. */
static bool strides_for(const gn_tensor *t, gn_shape shape, int64_t *stride) {
    gn__row_major((int)shape.n, shape.size, stride);
    if (t->count == 0 || gn__is_row_major(t))
        return true;
    int64_t left = shape.n - 1, piece = 1, filled = 1;
    for (int d = t->n_dims - 1, first; d >= 0; d = first - 1) {
        /* dims first..d lie in one piece, whose elements are t->stride[d] apart */
        piece = t->size[d];
        for (first = d; first > 0; first--) {
            if (t->size[first - 1] != 1 && t->stride[first - 1] != piece * t->stride[d])
                break;
            piece *= t->size[first - 1];
        }
        for (filled = 1; left >= 0 && (filled < piece || shape.size[left] == 1); left--) {
            stride[left] = filled * t->stride[d];
            filled *= shape.size[left];
        }
        if (filled != piece)
            return false;
    }
    return true;
}

static gn_tensor *try_view(const char *op, gn_tensor *t, gn_shape shape, bool *impossible) {
    if (!ready(op, t) || !complete_shape(op, t, &shape))
        return NULL;
    geometry g = {.n_dims = (int)shape.n, .offset = t->offset};
    memcpy(g.size, shape.size, sizeof g.size);
    if (strides_for(t, shape, g.stride))
        return view_of(t, &g, &view_node, 0, NULL);
    *impossible = true;
    return NULL;
}

gn_tensor *gn_view_with(gn_tensor *t, gn_shape shape) {
    bool impossible = false;
    gn_tensor *view = try_view("view", t, shape, &impossible);
    if (impossible)
        gn_fail(GN_E_ARGUMENT, "view",
                "shape %s with strides %s can't be seen as %s: use gn_reshape, which copies",
                gn__shape_of(t), gn__shape_text(t->n_dims, t->stride),
                gn__shape_text((int)shape.n, shape.size));
    return view;
}

gn_tensor *gn_reshape_with(gn_tensor *t, gn_shape shape) {
    bool impossible = false;
    gn_tensor *view = try_view("reshape", t, shape, &impossible);
    return impossible ? gn_view_with(gn_contiguous(t), shape) : view;
}

gn_tensor *gn_flatten_range(gn_tensor *t, int64_t start, int64_t end) {
    int from, to;
    if (gn__failed() || !gn__given("flatten", t) || !gn__dim("flatten", start, t->n_dims, &from) ||
        !gn__dim("flatten", end, t->n_dims, &to))
        return NULL;
    if (from > to)
        return gn__fail_null(GN_E_ARGUMENT, "flatten", "dim %d comes after dim %d", from, to);
    gn_shape shape = {.n = t->n_dims ? t->n_dims - (to - from) : 1, .size = {1}};
    for (int d = 0; d < t->n_dims; d++) {
        int at = d <= from ? d : d <= to ? from : d - (to - from);
        shape.size[at] = d > from && d <= to ? shape.size[at] * t->size[d] : t->size[d];
    }
    return gn_reshape_with(t, shape);
}

gn_tensor *gn_flatten(gn_tensor *t, int64_t start) { return gn_flatten_range(t, start, -1); }

gn_tensor *gn_unflatten(gn_tensor *t, int64_t dim, gn_shape sizes) {
    static const char op[] = "unflatten";
    int at;
    if (gn__failed() || !gn__given(op, t) || !gn__dim(op, dim, t->n_dims, &at))
        return NULL;
    const int64_t size = t->n_dims ? t->size[at] : 1;
    const gn_tensor whole = {.n_dims = 1, .size = {size}, .count = size};
    if (!complete_shape(op, &whole, &sizes))
        return NULL;
    gn_shape shape = {.n = t->n_dims - 1 + sizes.n};
    if (t->n_dims == 0 || sizes.n == 0 || shape.n > GN_TENSOR_MAX_DIMS)
        return gn__fail_null(GN_E_ARGUMENT, op, "%lld sizes for a dim of shape %s",
                             (long long)sizes.n, gn__shape_of(t));
    for (int64_t d = 0; d < shape.n; d++)
        shape.size[d] = d < at             ? t->size[d]
                        : d < at + sizes.n ? sizes.size[d - at]
                                           : t->size[d - sizes.n + 1];
    return gn_reshape_with(t, shape);
}

gn_tensor *gn_squeeze_dims(gn_tensor *t, gn_dims dims) {
    bool given[GN_TENSOR_MAX_DIMS] = {false};
    if (!ready("squeeze", t))
        return NULL;
    for (int i = 0; i < dims.n; i++) {
        int d;
        if (!gn__dim("squeeze", dims.dim[i], t->n_dims, &d))
            return NULL;
        if (given[d])
            return gn__fail_null(GN_E_ARGUMENT, "squeeze", "dim %d is given twice", d);
        given[d] = true;
    }
    geometry g = {.offset = t->offset};
    for (int d = 0; d < t->n_dims; d++)
        if (t->size[d] != 1 || (dims.n && !given[d])) {
            g.size[g.n_dims] = t->size[d];
            g.stride[g.n_dims++] = t->stride[d];
        }
    return view_of(t, &g, &view_node, 0, NULL);
}

gn_tensor *gn_squeeze(gn_tensor *t) { return gn_squeeze_dims(t, (gn_dims){.n = 0}); }

gn_tensor *gn_squeeze_dim(gn_tensor *t, int64_t dim) {
    int d;
    if (!ready("squeeze", t) || !gn__dim("squeeze", dim, t->n_dims, &d))
        return NULL;
    if (t->n_dims == 0 || t->size[d] != 1)
        return t;
    geometry g = geometry_of(t);
    drop_dim(&g, d);
    return view_of(t, &g, &view_node, 0, NULL);
}

gn_tensor *gn_unsqueeze(gn_tensor *t, int64_t dim) {
    int d;
    if (!ready("unsqueeze", t) || !gn__dim("unsqueeze", dim, t->n_dims + 1, &d))
        return NULL;
    if (t->n_dims == GN_TENSOR_MAX_DIMS)
        return gn__fail_null(GN_E_ARGUMENT, "unsqueeze", "shape %s has all %d dims already",
                             gn__shape_of(t), GN_TENSOR_MAX_DIMS);
    geometry g = geometry_of(t);
    for (int i = g.n_dims++; i > d; i--) {
        g.size[i] = g.size[i - 1];
        g.stride[i] = g.stride[i - 1];
    }
    g.stride[d] = d + 1 < g.n_dims ? g.size[d + 1] * g.stride[d + 1] : 1;
    g.size[d] = 1;
    return view_of(t, &g, &view_node, 0, NULL);
}

/* ---- Expansion */

static gn_status expand_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    out[0] = gn_sum_to_shape(grads[0], gn__input_shape(node, 0));
    return gn_error_status();
}
static const gn__node_class expand_node = {.name = "expand", .backward = expand_backward};

gn_tensor *gn_expand_with(gn_tensor *t, gn_shape shape) {
    if (!ready("expand", t))
        return NULL;
    geometry g = {.n_dims = (int)shape.n, .offset = t->offset};
    int lead = (int)shape.n - t->n_dims;
    bool fits = lead >= 0 && shape.n <= GN_TENSOR_MAX_DIMS;
    for (int d = 0; fits && d < shape.n; d++) {
        int64_t from = d < lead ? 1 : t->size[d - lead];
        int64_t to = shape.size[d] == -1 && d >= lead ? from : shape.size[d];
        fits = to >= 0 && (from == to || from == 1);
        g.size[d] = to;
        g.stride[d] = d < lead || (from == 1 && to != 1) ? 0 : t->stride[d - lead];
    }
    if (!fits)
        return gn__fail_null(GN_E_ARGUMENT, "expand", "shape %s can't expand to %s",
                             gn__shape_of(t), gn__shape_text((int)shape.n, shape.size));
    return view_of(t, &g, &expand_node, 0, NULL);
}

gn_tensor *gn_broadcast_to(gn_tensor *t, gn_shape shape) { return gn_expand_with(t, shape); }

/* ---- Parts along a dim */

gn_tensor *gn_select(gn_tensor *t, int64_t dim, int64_t index) {
    int d;
    if (!ready("select", t) || !gn__dim("select", dim, t->n_dims, &d))
        return NULL;
    if (t->n_dims == 0 || index < -t->size[d] || index >= t->size[d])
        return gn__fail_null(GN_E_INDEX, "select",
                             "index %lld is out of range for dim %d of shape %s", (long long)index,
                             d, gn__shape_of(t));
    part p = whole(t);
    index += index < 0 ? t->size[d] : 0;
    p.actual.offset += index * p.actual.stride[d];
    p.number.offset += index * p.number.stride[d];
    drop_dim(&p.actual, d);
    drop_dim(&p.number, d);
    return part_view(t, &p, "select");
}

gn_tensor *gn_slice(gn_tensor *t, int64_t dim, int64_t start, int64_t end, int64_t step) {
    int d;
    if (!ready("slice", t) || !gn__dim("slice", dim, t->n_dims, &d))
        return NULL;
    if (t->n_dims == 0 || step <= 0)
        return gn__fail_null(GN_E_ARGUMENT, "slice",
                             t->n_dims ? "step %lld: it must be positive"
                                       : "a 0-dim tensor has nothing to slice (step %lld)",
                             (long long)step);
    int64_t size = t->size[d], bounds[2] = {start, end};
    for (int i = 0; i < 2; i++) {
        bounds[i] += bounds[i] < 0 ? size : 0;
        bounds[i] = bounds[i] < 0 ? 0 : bounds[i] > size ? size : bounds[i];
    }
    part p = whole(t);
    int64_t length = bounds[1] > bounds[0] ? (bounds[1] - bounds[0] - 1) / step + 1 : 0;
    for (int i = 0; i < 2; i++) {
        geometry *g = i ? &p.number : &p.actual;
        g->size[d] = length;
        g->offset += length ? bounds[0] * g->stride[d] : 0;
        g->stride[d] *= length > 1 ? step : 1;
    }
    return part_view(t, &p, "slice");
}

gn_tensor *gn_narrow(gn_tensor *t, int64_t dim, int64_t start, int64_t length) {
    int d;
    if (!ready("narrow", t) || !gn__dim("narrow", dim, t->n_dims, &d))
        return NULL;
    int64_t size = t->n_dims ? t->size[d] : 1;
    if (start < 0)
        start += size;
    if (start < 0 || length < 0 || start > size || length > size - start)
        return gn__fail_null(GN_E_INDEX, "narrow",
                             "%lld elements from %lld on do not lie in dim %d of shape %s",
                             (long long)length, (long long)start, d, gn__shape_of(t));
    return gn_slice(t, d, start, start + length, 1);
}

/* Windows along the dim d, which then counts them; their elements are the last dim. */
static void take_windows(geometry *g, int d, int64_t size, int64_t step, int64_t count) {
    g->size[g->n_dims] = size;
    g->stride[g->n_dims++] = g->stride[d];
    g->size[d] = count;
    g->stride[d] *= count > 1 ? step : 1;
}

gn_tensor *gn_unfold_dim(gn_tensor *t, int64_t dim, int64_t size, int64_t step) {
    int d;
    if (!ready("unfold_dim", t) || !gn__dim("unfold_dim", dim, t->n_dims, &d))
        return NULL;
    if (t->n_dims == 0 || t->n_dims == GN_TENSOR_MAX_DIMS || size < 0 || size > t->size[d] ||
        step < 1)
        return gn__fail_null(GN_E_ARGUMENT, "unfold_dim",
                             "windows of %lld with step %lld do not fit dim %d of shape %s, or "
                             "there is no room for another dim",
                             (long long)size, (long long)step, d, gn__shape_of(t));
    part p = whole(t);
    int64_t count = (t->size[d] - size) / step + 1;
    take_windows(&p.actual, d, size, step, count);
    take_windows(&p.number, d, size, step, count);
    return part_view(t, &p, "unfold_dim");
}

/* The diagonal of dims a and b as the last dim. */
static void take_diagonal(geometry *g, int a, int b, int64_t offset, int64_t length) {
    if (length)
        g->offset += offset > 0 ? offset * g->stride[b] : -offset * g->stride[a];
    int64_t step = g->stride[a] + g->stride[b];
    drop_dim(g, a > b ? a : b);
    drop_dim(g, a > b ? b : a);
    g->size[g->n_dims] = length;
    g->stride[g->n_dims++] = step;
}

gn_tensor *gn_diagonal(gn_tensor *t, int64_t offset, int64_t dim0, int64_t dim1) {
    int a, b;
    if (!ready("diagonal", t) || !gn__dim("diagonal", dim0, t->n_dims, &a) ||
        !gn__dim("diagonal", dim1, t->n_dims, &b))
        return NULL;
    if (a == b)
        return gn__fail_null(GN_E_ARGUMENT, "diagonal", "needs two different dims");
    int64_t rows = t->size[a] + (offset < 0 ? offset : 0);
    int64_t columns = t->size[b] - (offset > 0 ? offset : 0);
    int64_t length = rows < columns ? rows : columns;
    part p = whole(t);
    take_diagonal(&p.actual, a, b, offset, length > 0 ? length : 0);
    take_diagonal(&p.number, a, b, offset, length > 0 ? length : 0);
    return part_view(t, &p, "diagonal");
}
