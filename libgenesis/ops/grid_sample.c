/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grid_sample.c - images at places that a tensor gives, and the places of a linear map. Composed of
 * other operations: per dim a few taps (1, 2 or 4 places with weights), and for each combination of
 * taps of all dims one gather.
 */
#include <stdlib.h>

#include <genesis/vision.h>

#include "ops.h"
#include "support.h"

enum { MAX_TAPS = 4 };

typedef struct sampler {
    gn_grid_options options;
    int n;                 /* spatial dims */
    int64_t batch, places; /* of the grid: N, and how many for each */
    int taps;              /* per dim */
} sampler;

/* Of one dim; each is (N, 1, places). */
typedef struct tap {
    gn_tensor *at;     /* int64, 0 if it is outside */
    gn_tensor *inside; /* bool */
    gn_tensor *weight; /* NULL: 1 */
} tap;

/* ---- Coordinates: element i has coordinate i */

static gn_tensor *coordinates(const sampler *s, gn_tensor *grid, int d, int64_t size) {
    static gn__op centres = {
        .name = "grid_sample", .text = "(u + 1) / 2 * (n - 1)", .variables = "u", .params = "n"};
    static gn__op edges = {
        .name = "grid_sample", .text = "((u + 1) * n - 1) / 2", .variables = "u", .params = "n"};
    gn_tensor *u = gn_select(grid, -1, s->n - 1 - d);
    u = u ? gn_reshape(u, s->batch, 1, s->places) : NULL;
    const double n = (double)size;
    return u ? gn__apply(s->options.align_corners ? &centres : &edges, 1, &u, &n) : NULL;
}

/* Into 0 .. size - 1, which also takes what is no number to 0. */
static gn_tensor *clipped(gn_tensor *x, int64_t size) {
    static gn__op clip = {.name = "grid_sample",
                          .text = "x > 0 ? (x < m ? x : m) : 0",
                          .variables = "x",
                          .params = "m",
                          .gradient = {"x > 0 && x < m ? g : 0"}};
    const double m = (double)(size - 1);
    return x ? gn__apply(&clip, 1, &x, &m) : NULL;
}

/* Back and forth over low .. low + span. */
static gn_tensor *reflected(gn_tensor *x, double low, double span) {
    static gn__op reflect = {
        .name = "grid_sample",
        .text = "low + span - abs(fmod(abs(x - low), 2 * span) - span)",
        .variables = "x",
        .params = "low, span",
        .gradient = {"(fmod(abs(x - low), 2 * span) < span) == (x >= low) ? g : -g"}};
    const double params[] = {low, span};
    return span > 0 ? gn__apply(&reflect, 1, &x, params) : x;
}

static gn_tensor *padded(const sampler *s, gn_tensor *x, int64_t size) {
    if (x == NULL || s->options.padding_mode == GN_GRID_ZEROS)
        return x;
    if (s->options.padding_mode == GN_GRID_REFLECTION)
        x = s->options.align_corners ? reflected(x, 0, (double)(size - 1))
                                     : reflected(x, -0.5, (double)size);
    return clipped(x, size);
}

/* ---- Taps */

/* For taps at 0 and 1, where the place is t in 0 .. 1. */
static gn__op rest = {.name = "grid_sample", .text = "1 - t", .variables = "t"};

/* The cubic convolution with a = -0.75, for taps at -1, 0, 1, 2. */
static gn__op cubic_weights[MAX_TAPS] = {
    {.name = "grid_sample", .text = "((-0.75 * t + 1.5) * t - 0.75) * t", .variables = "t"},
    {.name = "grid_sample", .text = "(1.25 * t - 2.25) * t * t + 1", .variables = "t"},
    {.name = "grid_sample", .text = "((-1.25 * t + 1.5) * t + 0.75) * t", .variables = "t"},
    {.name = "grid_sample", .text = "(0.75 * t - 0.75) * t * t", .variables = "t"}};

static gn_tensor *weight_of(const sampler *s, int k, gn_tensor *t) {
    switch (s->options.mode) {
    case GN_GRID_NEAREST: return NULL;
    case GN_GRID_BILINEAR: return k ? t : gn__apply(&rest, 1, &t, NULL);
    default: return gn__apply(&cubic_weights[k], 1, &t, NULL);
    }
}

static bool finish_tap(gn_tensor *x, int64_t size, tap *out) {
    static gn__op is_inside = {
        .name = "grid_sample", .text = "x >= 0 && x <= m", .variables = "x", .params = "m"};
    static gn__op index = {.name = "grid_sample",
                           .text = "x >= 0 && x <= m ? int(x) : 0",
                           .variables = "x",
                           .params = "m"};
    const double m = (double)(size - 1);
    out->inside = x ? gn__apply(&is_inside, 1, &x, &m) : NULL;
    out->at = x ? gn__apply_as(&index, 1, &x, &m, GN_I64) : NULL;
    return !gn__failed();
}

static bool make_taps(const sampler *s, gn_tensor *grid, int d, int64_t size, tap *taps) {
    const bool bicubic = s->options.mode == GN_GRID_BICUBIC;
    gn_tensor *x = coordinates(s, grid, d, size);
    if (!bicubic)
        x = padded(s, x, size);
    if (x == NULL)
        return false;
    gn_tensor *start = s->options.mode == GN_GRID_NEAREST ? gn_round(x) : gn_floor(x),
              *t = start ? gn_sub(x, start) : NULL;
    for (int k = 0; t && k < s->taps; k++) {
        gn_tensor *at = gn_add_scalar(start, bicubic ? k - 1 : k);
        if (bicubic)
            at = padded(s, at, size);
        taps[k].weight = weight_of(s, k, t);
        if (!finish_tap(at, size, &taps[k]))
            return false;
    }
    return !gn__failed();
}

/* ---- The sum over all combinations */

static gn_tensor *product(gn_tensor *a, gn_tensor *b) { return a && b ? gn_mul(a, b) : a ? a : b; }

/* The combination of one tap of each dim: combination = (k0 taps + k1) taps + k2. */
static gn_tensor *term(const sampler *s, gn_tensor *flat, const int64_t *size, tap taps[][MAX_TAPS],
                       int combination) {
    static gn__op weighted = {
        .name = "grid_sample", .text = "inside ? v * w : 0", .variables = "v, w, inside"};
    static gn__op plain = {
        .name = "grid_sample", .text = "inside ? v : 0", .variables = "v, inside"};
    tap all = {0};
    int64_t stride = 1;
    for (int d = s->n - 1; d >= 0 && !gn__failed(); d--) {
        const tap *one = &taps[d][combination % s->taps];
        combination /= s->taps;
        gn_tensor *offset = gn_mul_scalar(one->at, (double)stride);
        all.at = all.at ? gn_add(all.at, offset) : offset;
        all.inside = all.inside ? gn_logical_and(all.inside, one->inside) : one->inside;
        all.weight = product(all.weight, one->weight);
        stride *= size[d];
    }
    gn_tensor *at = gn__failed() ? NULL : gn_expand(all.at, s->batch, flat->size[1], s->places);
    gn_tensor *v = at ? gn_gather(flat, 2, at) : NULL;
    if (v == NULL)
        return NULL;
    return all.weight ? gn__apply(&weighted, 3, (gn_tensor *[]){v, all.weight, all.inside}, NULL)
                      : gn__apply(&plain, 2, (gn_tensor *[]){v, all.inside}, NULL);
}

static bool check(const gn_tensor *x, const gn_tensor *grid, const gn_grid_options *o) {
    static const char op[] = "grid_sample";
    const int n = x->n_dims - 2;
    bool fits = (n == 2 || n == 3) && grid->n_dims == x->n_dims && grid->size[n + 1] == n &&
                grid->size[0] == x->size[0];
    for (int d = 0; fits && d < n; d++)
        fits = x->size[2 + d] >= 1;
    if (!fits)
        gn_fail(GN_E_ARGUMENT, op,
                "input %s and grid %s must be (N, C, H, W) and (N, Ho, Wo, 2), or (N, C, D, H, W) "
                "and (N, Do, Ho, Wo, 3), with at least 1 element to sample",
                gn__shape_of(x), gn__shape_of(grid));
    else if (o->mode < GN_GRID_BILINEAR || o->mode > GN_GRID_BICUBIC ||
             o->padding_mode < GN_GRID_ZEROS || o->padding_mode > GN_GRID_REFLECTION)
        gn_fail(GN_E_ARGUMENT, op, "there is no mode %d with padding %d", (int)o->mode,
                (int)o->padding_mode);
    else if (o->mode == GN_GRID_BICUBIC && n != 2)
        gn_fail(GN_E_ARGUMENT, op, "bicubic is for input (N, C, H, W), not %s", gn__shape_of(x));
    return !gn__failed() && gn__check_dtype(op, x, "grid", grid);
}

gn_tensor *gn_grid_sample_with(gn_tensor *x, gn_tensor *grid, const gn_grid_options *options) {
    static const char op[] = "grid_sample";
    static const int taps_of[] = {
        [GN_GRID_BILINEAR] = 2, [GN_GRID_NEAREST] = 1, [GN_GRID_BICUBIC] = 4};
    sampler s = {0};
    gn__options(&s.options, sizeof s.options, options);
    gn_tensor *both[] = {x, grid};
    if (gn__failed() || !gn__given(op, x) || !gn__given(op, grid) ||
        !gn__check_float(op, "input", x) || !check(x, grid, &s.options) ||
        gn__common_device(op, 2, both) == NULL)
        return NULL;
    s.n = x->n_dims - 2;
    s.batch = x->size[0];
    s.places = gn__count(s.n, grid->size + 1);
    s.taps = taps_of[s.options.mode];
    tap taps[GN_MAX_SPATIAL][MAX_TAPS];
    int combinations = 1;
    for (int d = 0; d < s.n; d++) {
        if (!make_taps(&s, grid, d, x->size[2 + d], taps[d]))
            return NULL;
        combinations *= s.taps;
    }
    gn_tensor *flat = gn_flatten(x, 2), *y = NULL;
    for (int i = 0; i < combinations && !gn__failed(); i++) {
        gn_tensor *t = term(&s, flat, x->size + 2, taps, i);
        y = y ? gn_add(y, t) : t;
    }
    gn_shape shape = {.n = x->n_dims, .size = {s.batch, x->size[1]}};
    for (int d = 0; d < s.n; d++)
        shape.size[2 + d] = grid->size[1 + d];
    return gn__failed() ? NULL : gn_reshape_with(y, shape);
}

/* ---- affine_grid: (x, y, 1) of each place times theta^T */

/* From -1 to 1, the centres of the first and the last element or their edges. */
static double normalised(int64_t i, int64_t size, bool align_corners) {
    if (align_corners)
        return size > 1 ? 2 * (double)i / (double)(size - 1) - 1 : 0;
    return (2 * (double)i + 1) / (double)size - 1;
}

/* (places, n + 1) */
static gn_tensor *all_places(const gn_tensor *like, int n, const int64_t *size,
                             bool align_corners) {
    const int64_t places = gn__count(n, size), shape[] = {places, n + 1},
                  count = gn__count(2, shape);
    double *values = count < 0 ? NULL : gn__alloc_array((size_t)count, sizeof *values);
    if (values == NULL)
        return NULL;
    for (int64_t place = 0; place < places; place++) {
        double *row = values + place * (n + 1);
        int64_t remaining = place;
        for (int d = n - 1; d >= 0; d--) {
            row[n - 1 - d] = normalised(remaining % size[d], size[d], align_corners);
            remaining /= size[d];
        }
        row[n] = 1;
    }
    gn_tensor *t = gn__tensor_new(like->storage->device, like->dtype, 2, shape);
    if (t && gn__copy_in_data(t, values, GN_F64, count) != GN_OK)
        t = NULL;
    free(values);
    return t;
}

gn_tensor *gn_affine_grid(gn_tensor *theta, gn_shape size, bool align_corners) {
    static const char op[] = "affine_grid";
    if (gn__failed() || !gn__given(op, theta) || !gn__check_float(op, "theta", theta))
        return NULL;
    const int n = (int)size.n - 2;
    bool fits = (size.n == 4 || size.n == 5) && theta->n_dims == 3 &&
                theta->size[0] == size.size[0] && theta->size[1] == n && theta->size[2] == n + 1;
    for (int d = 0; fits && d < n; d++)
        fits = size.size[2 + d] >= 1 && size.size[2 + d] <= GN__MAX_STEP;
    if (!fits)
        return gn__fail_null(GN_E_ARGUMENT, op,
                             "theta %s must be (N, 2, 3) for a size (N, C, H, W), or (N, 3, 4) for "
                             "(N, C, D, H, W), with H and so on from 1 to %d",
                             gn__shape_of(theta), GN__MAX_STEP);
    if (gn__count(n, size.size + 2) < 0)
        return gn__fail_null(GN_E_ARGUMENT, op, "the size %s is too large",
                             gn__shape_text((int)size.n, size.size));
    gn_tensor *places = all_places(theta, n, size.size + 2, align_corners);
    gn_tensor *grid = places ? gn_matmul(places, gn_transpose(theta, 1, 2)) : NULL;
    gn_shape shape = {.n = n + 2, .size = {size.size[0]}};
    memcpy(shape.size + 1, size.size + 2, (size_t)n * sizeof *shape.size);
    shape.size[n + 1] = n;
    return grid ? gn_reshape_with(grid, shape) : NULL;
}
