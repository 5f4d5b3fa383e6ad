/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weight_norm.c - weight norm and spectral norm, as parametrizations.
 */
#include "parametrize.h"

/* The dims of a tensor but one, which all reductions here are over. */
static gn_dims dims_but(int n_dims, int dim) {
    gn_dims dims = {.n = 0};
    for (int d = 0; d < n_dims; d++)
        if (d != dim)
            dims.dim[dims.n++] = d;
    return dims;
}

static const char *name_of(const gn_weight_norm_options *o) { return o->name ? o->name : "weight"; }

/* ---- Weight norm: w = g v / |v|, a norm for each index of dim, or one for all */

typedef struct weight_norm {
    gn_module base;
    int dim; /* -1: one norm */
} weight_norm;

/* |v|, of v's dims; all but dim of size 1. 0-dim if there is one norm. */
static gn_tensor *norm_except(gn_tensor *v, int dim) {
    const gn_dims dims = dims_but(v->n_dims, dim);
    if (dims.n == 0 && dim >= 0) /* no dims would mean all */
        return gn_abs(v);
    return gn_norm(v, 2, dims, dim >= 0);
}

static gn_tensor *combine(gn_module *module, gn_tensor *g, gn_tensor *v) {
    return gn_mul(v, gn_div(g, norm_except(v, ((weight_norm *)module)->dim)));
}

static const gn_module_class weight_norm_class = {.name = "_WeightNorm",
                                                  .size = sizeof(weight_norm)};

gn_module *gn_weight_norm_with(gn_module *module, const gn_weight_norm_options *options) {
    static const char op[] = "weight_norm";
    gn_weight_norm_options o;
    gn__options(&o, sizeof o, options);
    gn_tensor *w = gn__own_parameter(op, module, name_of(&o));
    const double dim = gn_or(o.dim, 0);
    if (w == NULL)
        return NULL;
    if (!(dim >= -1 && dim < w->n_dims))
        return gn__fail_null(GN_E_ARGUMENT, op, "dim %g is none of %s", dim, gn__shape_of(w));
    gn_scope scope = gn_scope_begin();
    weight_norm *self = gn_module_new(&weight_norm_class);
    gn_tensor *v = gn_detach(w), *g = v ? norm_except(v, (int)dim) : NULL;
    if (self && g) {
        self->dim = (int)dim;
        gn__parametrize(op, module, name_of(&o), &self->base, g, combine);
    }
    return gn_scope_end(scope) == GN_OK ? module : NULL;
}

/* ---- Spectral norm: w / (u^T w v), where u and v approach the singular vectors of the largest
 * singular value. The buffers change in every run in training, so what is recorded are copies. */

typedef struct spectral_norm {
    gn_module base;
    int dim;
    int64_t iterations;
    double eps;
    gn_tensor *u, *v; /* NULL for a vector, whose only singular value is its norm */
} spectral_norm;

static gn_tensor *normalised(gn_tensor *x, double eps) {
    gn_tensor *norm = gn_norm(x, 2, (gn_dims){0}, false);
    return gn_div(x, gn_clamp(norm, gn_some(eps), (gn_optional){0}));
}

/* (size of dim, product of the others) */
static gn_tensor *as_matrix(gn_tensor *w, int dim) {
    const gn_dims others = dims_but(w->n_dims, dim);
    gn_shape order = {.n = w->n_dims, .size = {dim}};
    for (int64_t i = 0; i < others.n; i++)
        order.size[i + 1] = others.dim[i];
    return gn_flatten(gn_permute_with(w, order), 1);
}

static void iterate(spectral_norm *self, gn_tensor *matrix, int64_t times) {
    bool was = gn_set_grad_enabled(false);
    for (int64_t i = 0; i < times && !gn__failed(); i++) {
        gn_scope scope = gn_scope_begin();
        gn_copy_(self->u, normalised(gn_matmul(matrix, self->v), self->eps));
        gn_copy_(self->v, normalised(gn_matmul(gn_t(matrix), self->u), self->eps));
        gn_scope_end(scope);
    }
    gn_set_grad_enabled(was);
}

static gn_tensor *spectral_forward(gn_module *module, gn_tensor *w) {
    spectral_norm *self = (spectral_norm *)module;
    if (self->u == NULL)
        return normalised(w, self->eps);
    gn_tensor *matrix = as_matrix(w, self->dim);
    if (module->training)
        iterate(self, matrix, self->iterations);
    return gn_div(w, gn_dot(gn_clone(self->u), gn_matmul(matrix, gn_clone(self->v))));
}

static const gn_module_class spectral_norm_class = {
    .name = "_SpectralNorm", .size = sizeof(spectral_norm), .forward = spectral_forward};

/* A random unit vector for a matrix. */
static gn_tensor *random_unit(const gn_tensor *matrix, int dim, double eps) {
    return normalised(gn_randn_with(GN_SHAPE(matrix->size[dim]),
                                    GN_AS(.device = gn_device_of(matrix), .dtype = matrix->dtype)),
                      eps);
}

static gn_module *spectral_norm_new(gn_tensor *w, int dim, const gn_weight_norm_options *o) {
    spectral_norm *self = gn_module_new(&spectral_norm_class);
    if (self == NULL)
        return NULL;
    self->dim = dim;
    self->iterations = o->n_power_iterations ? o->n_power_iterations : 1;
    self->eps = gn_or(o->eps, 1e-12);
    gn_tensor *detached = gn_detach(w);
    gn_tensor *matrix = detached && w->n_dims > 1 ? as_matrix(detached, dim) : NULL;
    if (matrix) {
        enum { FIRST_ITERATIONS = 15 };
        self->u = gn_buffer(self, "_u", random_unit(matrix, 0, self->eps), true);
        self->v = gn_buffer(self, "_v", random_unit(matrix, 1, self->eps), true);
        iterate(self, matrix, FIRST_ITERATIONS);
    }
    return gn__failed() ? NULL : &self->base;
}

gn_module *gn_spectral_norm_with(gn_module *module, const gn_weight_norm_options *options) {
    static const char op[] = "spectral_norm";
    gn_weight_norm_options o;
    gn__options(&o, sizeof o, options);
    const char *name = name_of(&o);
    if (!gn__is_module(op, module))
        return NULL;
    gn_tensor *w = gn_is_parametrized(module, name) ? gn_computed_parameter(module, name)
                                                    : gn__own_parameter(op, module, name);
    if (w == NULL)
        return NULL;
    const bool transposed = strncmp(module->type->name, "ConvTranspose", 13) == 0;
    const double dim = gn_or(o.dim, transposed ? 1 : 0);
    if (!(dim >= 0 && dim < w->n_dims))
        return gn__fail_null(GN_E_ARGUMENT, op, "dim %g is none of %s", dim, gn__shape_of(w));
    if (o.n_power_iterations < 0)
        return gn__fail_null(GN_E_ARGUMENT, op, "there can't be %lld power iterations",
                             (long long)o.n_power_iterations);
    gn_scope scope = gn_scope_begin();
    gn_module *norm = spectral_norm_new(w, (int)dim, &o);
    if (norm)
        gn_register_parametrization(module, name, norm);
    return gn_scope_end(scope) == GN_OK ? module : NULL;
}
