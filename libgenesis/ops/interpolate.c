/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interpolate.c - resizing. One dim after the other: each element of the result is a weighted sum of
 * a few elements along the dim, which a table lists,
 *
 *     y[.., i, ..] = sum_k weight[i, k] x[.., at[i, k], ..]
 *
 * Tables are made on the host. The gradient is the same with the transposed table.
 */
#include <math.h>
#include <stdlib.h>

#include <genesis/vision.h>

#include "support.h"

static const char op[] = "interpolate";

enum { MAX_SIZE = 1 << 24 }; /* of a dim: float32 has no exact places beyond */

/* ---- Tables on the host */

typedef struct axis {
    int64_t in, out;
    double step; /* elements of the input from one of the result to the next */
    bool align_corners, antialias;
} axis;

typedef struct table {
    int64_t in, out, width;
    int64_t *at;    /* (out, width) */
    double *weight; /* the same; 0 in what pads a row */
} table;

static void table_free(table *t) {
    free(t->at);
    free(t->weight);
}

static bool table_make(int64_t in, int64_t out, int64_t width, table *t) {
    const int64_t size[] = {out, width}, count = gn__count(2, size);
    *t = (table){.in = in, .out = out, .width = width};
    if (count < 0) {
        gn_fail(GN_E_ARGUMENT, op, "from %lld to %lld elements is too much", (long long)in,
                (long long)out);
        return false;
    }
    t->at = gn__alloc_array((size_t)count, sizeof *t->at);
    t->weight = t->at ? gn__alloc_array((size_t)count, sizeof *t->weight) : NULL;
    for (int64_t i = 0; t->weight && i < count; i++) {
        t->at[i] = 0;
        t->weight[i] = 0;
    }
    return t->weight != NULL;
}

static int64_t inside(int64_t i, int64_t size) { return i < 0 ? 0 : i < size ? i : size - 1; }

/* The place of element i in the input. */
static double place(const axis *a, int64_t i) {
    return a->align_corners ? a->step * (double)i : a->step * ((double)i + 0.5) - 0.5;
}

/* Places of whole elements are found in float32, as PyTorch does: it decides what lies on an edge. */
static void nearest(const axis *a, int64_t i, int64_t *at, double *weight) {
    at[0] = inside((int64_t)floorf((float)i * (float)a->step), a->in);
    weight[0] = 1;
}

static void nearest_exact(const axis *a, int64_t i, int64_t *at, double *weight) {
    at[0] = inside((int64_t)floorf(((float)i + 0.5f) * (float)a->step), a->in);
    weight[0] = 1;
}

static void linear(const axis *a, int64_t i, int64_t *at, double *weight) {
    const double x = fmax(place(a, i), 0);
    at[0] = inside((int64_t)x, a->in);
    at[1] = inside(at[0] + 1, a->in);
    weight[1] = fmin(x - (double)at[0], 1);
    weight[0] = 1 - weight[1];
}

/* The cubic convolution kernel with parameter c at a distance. */
static double cubic_at(double x, double c) {
    x = fabs(x);
    if (x < 1)
        return ((c + 2) * x - (c + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * c : 0;
}

static void cubic(const axis *a, int64_t i, int64_t *at, double *weight) {
    const double x = place(a, i), first = floor(x) - 1;
    for (int k = 0; k < 4; k++) {
        at[k] = inside((int64_t)first + k, a->in);
        weight[k] = cubic_at(x - (first + k), -0.75);
    }
}

/* Antialiasing filters, as in Pillow: they grow with what the result leaves out. */
static double triangle(double x) { return fabs(x) < 1 ? 1 - fabs(x) : 0; }
static double smooth_cubic(double x) { return cubic_at(x, -0.5); }

typedef struct mode {
    const char *name;
    int n_spatial; /* 0: any number */
    bool aligns;
    int width; /* of the table */
    void (*row)(const axis *a, int64_t i, int64_t *at, double *weight);
    double (*filter)(double x); /* zero from width / 2 on */
} mode;

static const mode modes[] = {
    [GN_INTERPOLATE_NEAREST] = {.name = "nearest", .width = 1, .row = nearest},
    [GN_INTERPOLATE_LINEAR] = {"linear", 1, true, 2, linear, NULL},
    [GN_INTERPOLATE_BILINEAR] = {"bilinear", 2, true, 2, linear, triangle},
    [GN_INTERPOLATE_BICUBIC] = {"bicubic", 2, true, 4, cubic, smooth_cubic},
    [GN_INTERPOLATE_TRILINEAR] = {"trilinear", 3, true, 2, linear, NULL},
    [GN_INTERPOLATE_AREA] = {.name = "area"},
    [GN_INTERPOLATE_NEAREST_EXACT] = {.name = "nearest-exact", .width = 1, .row = nearest_exact},
};

static bool filtered_table(const mode *m, const axis *a, table *t) {
    const double grown = fmax(a->step, 1), reach = 0.5 * m->width * grown;
    if (!table_make(a->in, a->out, 2 * (int64_t)ceil(reach) + 1, t))
        return false;
    for (int64_t i = 0; i < a->out; i++) {
        int64_t *at = t->at + i * t->width;
        double *weight = t->weight + i * t->width, sum = 0;
        const double centre = a->step * ((double)i + 0.5);
        const int64_t first = inside((int64_t)fmax(centre - reach + 0.5, 0), a->in),
                      end = inside((int64_t)(centre + reach - 0.5), a->in) + 1;
        for (int64_t k = 0; k < end - first && k < t->width; k++) {
            at[k] = first + k;
            weight[k] = m->filter(((double)at[k] - centre + 0.5) / grown);
            sum += weight[k];
        }
        for (int64_t k = 0; sum != 0 && k < t->width; k++)
            weight[k] /= sum;
    }
    return true;
}

static bool table_of(const mode *m, const axis *a, table *t) {
    if (a->antialias)
        return filtered_table(m, a, t);
    if (!table_make(a->in, a->out, m->width, t))
        return false;
    for (int64_t i = 0; i < a->out; i++)
        m->row(a, i, t->at + i * t->width, t->weight + i * t->width);
    return true;
}

/* Row j of the transposed table has the i and weight of all (i, k) with at[i, k] = j. */
static bool transpose(const table *t, table *transposed) {
    int64_t *used = gn__alloc_array((size_t)t->in, sizeof *used), width = 1;
    if (used == NULL)
        return false;
    for (int64_t j = 0; j < t->in; j++)
        used[j] = 0;
    for (int64_t n = 0; n < t->out * t->width; n++)
        if (t->weight[n] != 0 && ++used[t->at[n]] > width)
            width = used[t->at[n]];
    const bool made = table_make(t->out, t->in, width, transposed);
    for (int64_t n = 0; made && n < t->out * t->width; n++)
        if (t->weight[n] != 0) {
            const int64_t j = t->at[n], to = j * width + --used[j];
            transposed->at[to] = n / t->width;
            transposed->weight[to] = t->weight[n];
        }
    free(used);
    return made;
}

/* ---- Tables on the device */

enum { AT, WEIGHT, AT_BACK, WEIGHT_BACK, N_PARTS }; /* of a table and of the transposed one */

static gn_tensor *uploaded(gn__device *device, int dtype, const table *t, const void *values,
                           gn_dtype from) {
    const int64_t size[] = {t->out, t->width};
    gn_tensor *tensor = gn__tensor_new(device, dtype, 2, size);
    return tensor && gn__copy_in_data(tensor, values, from, t->out * t->width) == GN_OK ? tensor
                                                                                        : NULL;
}

/* `back` asks for the transposed table, too. */
static bool upload(gn__device *device, int type, const table *t, bool back, gn_tensor **parts) {
    table other = {0};
    memset(parts, 0, N_PARTS * sizeof *parts);
    parts[AT] = uploaded(device, GN_I64, t, t->at, GN_I64);
    parts[WEIGHT] = uploaded(device, type, t, t->weight, GN_F64);
    if (back && transpose(t, &other)) {
        parts[AT_BACK] = uploaded(device, GN_I64, &other, other.at, GN_I64);
        parts[WEIGHT_BACK] = uploaded(device, type, &other, other.weight, GN_F64);
    }
    table_free(&other);
    return !gn__failed();
}

/* ---- The sum, recorded */

enum { UNROLLED = 4 }; /* tables up to this width are one map program, others a reduction */

/* weight x[at], but 0 where the weight is, even if x is infinite there. */
static int term(gn__builder *b, int type, int x, int at, int weight) {
    int w = gn__load(b, weight), zero = gn__const_f(b, type, 0);
    int product = gn__emit(b, GN_OP_MUL, gn__loadx(b, x, gn__load(b, at)), w, 0);
    return gn__emit(b, GN_OP_SELECT, gn__emit(b, GN_OP_EQ, w, zero, 0), zero, product);
}

/* Operands x by LOADX, y, and at and weight for each of v[1] columns of the table; v[1] = 0: one
 * pair for all columns, which are reduced. */
static void build(gn__builder *b, const int8_t *v) {
    const int type = gn__compute_type(v[0]);
    int x = gn__build_operand(b, GN_READ, v[0]), y = gn__build_operand(b, GN_WRITE, v[0]), sum = 0;
    for (int k = 0; k < (v[1] ? v[1] : 1); k++) {
        int at = gn__build_operand(b, GN_READ, GN_I64),
            weight = gn__build_operand(b, GN_READ, type);
        int one = term(b, type, x, at, weight);
        sum = k ? gn__emit(b, GN_OP_ADD, sum, one, 0) : one;
    }
    gn__store(b, y, v[1] ? sum : gn__reduce_value(b, GN_SUM, sum, 0));
}
static gn__kernel kernel = {.name = op, .build = build};

/* Column k of a table in the space of y; k < 0: all of them, along one dim more. */
static gn__operand column(const gn_tensor *t, int n_dims, int dim, int k) {
    gn__operand o = {.storage = t->storage, .offset = t->offset + (k < 0 ? 0 : k)};
    o.stride[dim] = t->stride[0];
    o.stride[n_dims] = k < 0 ? 1 : 0;
    return o;
}

static gn_status run(gn_tensor *x, int dim, gn_tensor *at, gn_tensor *weight, gn_tensor *y) {
    const int n = y->n_dims, width = (int)at->size[1], columns = width > UNROLLED ? 0 : width;
    gn__rows space = {.n_dims = n + !columns, .n_reduced = !columns};
    gn__operand operands[2 + 2 * UNROLLED] = {{.storage = x->storage,
                                               .offset = x->offset,
                                               .axis_stride = x->stride[dim],
                                               .axis_extent = x->size[dim]},
                                              {.storage = y->storage, .offset = y->offset}};
    for (int d = 0; d < n; d++) {
        space.size[d] = y->size[d];
        operands[0].stride[d] = d == dim ? 0 : x->stride[d];
        operands[1].stride[d] = y->stride[d];
    }
    space.size[n] = width;
    for (int k = 0; k < (columns ? columns : 1); k++) {
        operands[2 + 2 * k] = column(at, n, dim, columns ? k : -1);
        operands[3 + 2 * k] = column(weight, n, dim, columns ? k : -1);
    }
    return gn__kernel_run(op, y->storage->device, &kernel, GN__VARIANT(y->dtype, (int8_t)columns),
                          &space, operands, NULL);
}

typedef struct resize_data {
    int dim;
} resize_data;

static gn_status resize_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out);
static const gn__node_class resize_node = {.name = op, .backward = resize_backward};

/* Along dim, with the first table of the parts. */
static gn_tensor *resized(gn_tensor *x, int dim, gn_tensor *const *parts) {
    int64_t size[GN_TENSOR_MAX_DIMS];
    memcpy(size, x->size, sizeof size);
    size[dim] = parts[AT]->size[0];
    gn_tensor *y = gn__tensor_new(x->storage->device, x->dtype, x->n_dims, size);
    if (y == NULL || run(x, dim, parts[AT], parts[WEIGHT], y) != GN_OK)
        return NULL;
    if (!gn__recording(1, &x))
        return y;
    gn__node *node = gn__record(&resize_node, y, 1, &x, sizeof(resize_data));
    if (node == NULL)
        return NULL;
    ((resize_data *)node->data)->dim = dim;
    for (int i = 0; i < N_PARTS; i++)
        gn__save(node, i, parts[i]);
    return y;
}

static gn_status resize_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    gn_tensor *parts[N_PARTS];
    for (int i = 0; i < N_PARTS; i++)
        parts[(i + AT_BACK) % N_PARTS] = gn__saved_tensor(node, i);
    if (!gn__failed())
        out[0] = resized(grads[0], ((const resize_data *)node->data)->dim, parts);
    return gn_error_status();
}

/* ---- gn_interpolate */

typedef struct call {
    const mode *mode;
    gn_interpolate_options options;
    int n; /* spatial dims, the last ones */
    axis axes[GN_MAX_SPATIAL];
} call;

static bool check_options(const gn_tensor *x, const gn_interpolate_options *o, call *c) {
    c->n = x->n_dims - 2;
    if (o->mode < GN_INTERPOLATE_NEAREST || o->mode > GN_INTERPOLATE_NEAREST_EXACT) {
        gn_fail(GN_E_ARGUMENT, op, "there is no mode %d", (int)o->mode);
        return false;
    }
    const mode *m = c->mode = &modes[o->mode];
    bool scales = o->scale_factor != 0;
    for (int d = 0; d < c->n && d < GN_MAX_SPATIAL; d++)
        scales = scales || o->scale_factors[d] != 0;
    if (c->n < 1 || c->n > 3 || (m->n_spatial && c->n != m->n_spatial))
        gn_fail(GN_E_ARGUMENT, op, "input %s must be (N, C, %s) for mode %s", gn__shape_of(x),
                m->n_spatial == 1   ? "L"
                : m->n_spatial == 2 ? "H, W"
                : m->n_spatial == 3 ? "D, H, W"
                                    : "1 to 3 dims",
                m->name);
    else if ((o->size.n != 0) == scales)
        gn_fail(GN_E_ARGUMENT, op, "give either a size or a scale_factor");
    else if (o->size.n != 0 && o->size.n != 1 && o->size.n != c->n)
        gn_fail(GN_E_ARGUMENT, op, "the size has %lld numbers: 1 or %d are for input %s",
                (long long)o->size.n, c->n, gn__shape_of(x));
    else if (o->align_corners && !m->aligns)
        gn_fail(GN_E_ARGUMENT, op, "mode %s has no align_corners", m->name);
    else if (o->antialias && !m->filter)
        gn_fail(GN_E_ARGUMENT, op, "antialias is for modes bilinear and bicubic, not %s", m->name);
    return !gn__failed();
}

static bool make_axis(const gn_tensor *x, int d, call *c) {
    const gn_interpolate_options *o = &c->options;
    const int64_t in = x->size[2 + d];
    const double scale = o->scale_factors[d] != 0 ? o->scale_factors[d] : o->scale_factor;
    const double wanted =
        o->size.n ? (double)o->size.size[o->size.n == 1 ? 0 : d] : floor((double)in * scale);
    if (in < 1 || in > MAX_SIZE || !(wanted >= 1 && wanted <= MAX_SIZE)) {
        gn_fail(GN_E_ARGUMENT, op,
                "dim %d of input %s would get %g elements: both must be from 1 to %d", 2 + d,
                gn__shape_of(x), wanted, MAX_SIZE);
        return false;
    }
    axis *a = &c->axes[d];
    *a = (axis){.in = in,
                .out = (int64_t)wanted,
                .step = (double)in / wanted,
                .align_corners = o->align_corners,
                .antialias = o->antialias};
    if (o->align_corners)
        a->step = a->out > 1 ? (double)(in - 1) / (double)(a->out - 1) : 0;
    else if (o->size.n == 0 && !o->recompute_scale_factor)
        a->step = 1 / scale;
    return true;
}

static gn_tensor *averaged(const call *c, gn_tensor *x) {
    const axis *a = c->axes;
    return c->n == 1   ? gn_adaptive_avg_pool1d(x, a[0].out)
           : c->n == 2 ? gn_adaptive_avg_pool2d(x, a[0].out, a[1].out)
                       : gn_adaptive_avg_pool3d(x, a[0].out, a[1].out, a[2].out);
}

static gn_tensor *resized_along(const call *c, int d, gn_tensor *x) {
    gn_tensor *parts[N_PARTS], *y = NULL;
    table t = {0};
    if (table_of(c->mode, &c->axes[d], &t) &&
        upload(x->storage->device, gn__compute_type(x->dtype), &t, gn__recording(1, &x), parts))
        y = resized(x, 2 + d, parts);
    table_free(&t);
    return y;
}

gn_tensor *gn_interpolate_with(gn_tensor *x, const gn_interpolate_options *options) {
    if (gn__failed() || !gn__given(op, x) || !gn__check_float(op, "input", x))
        return NULL;
    call c = {0};
    gn__options(&c.options, sizeof c.options, options);
    if (!check_options(x, &c.options, &c))
        return NULL;
    for (int d = 0; d < c.n; d++)
        if (!make_axis(x, d, &c))
            return NULL;
    if (c.mode == &modes[GN_INTERPOLATE_AREA])
        return averaged(&c, x);
    gn_tensor *y = x;
    for (int d = c.n - 1; y && d >= 0; d--)
        if (c.axes[d].in != c.axes[d].out || c.axes[d].step != 1)
            y = resized_along(&c, d, y);
    return y == x ? gn_clone(x) : y;
}
