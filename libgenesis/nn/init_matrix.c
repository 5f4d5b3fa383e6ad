/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init_matrix.c - initial values with a structure: identity, Dirac, orthogonal, sparse.
 */
#include <math.h>
#include <stdlib.h>

#include "init.h"

static void fill_eye(const char *op, gn_tensor *t, const gn_init_options *o) {
    (void)op;
    (void)o;
    gn_copy_(t, gn_eye(t->size[0], t->size[1],
                       GN_AS(.device = gn_device_of(t), .dtype = gn_dtype_of(t))));
}

gn_tensor *gn_init_eye_(gn_tensor *t) { return gn__init("init_eye_", t, 2, 2, NULL, fill_eye); }

/* t (out, in, kernel..): t[g out/groups + c, c, middle..] = 1 */
static void fill_dirac(const char *op, gn_tensor *t, const gn_init_options *o) {
    const int64_t groups = o->groups ? o->groups : 1;
    if (groups < 1 || t->size[0] % groups != 0) {
        gn_fail(GN_E_ARGUMENT, op, "%lld groups must divide the %lld output channels",
                (long long)groups, (long long)t->size[0]);
        return;
    }
    const int64_t per_group = t->size[0] / groups, row = t->count / t->size[0],
                  window = row / t->size[1];
    int64_t middle = 0;
    for (int d = 2; d < t->n_dims; d++)
        middle = middle * t->size[d] + t->size[d] / 2;
    float *values = gn__alloc_array((size_t)t->count, sizeof *values);
    for (int64_t out = 0; out < t->size[0] && values; out++)
        if (out % per_group < t->size[1])
            values[out * row + out % per_group * window + middle] = 1;
    if (values)
        gn_copy_in(t, values, GN_F32, t->count);
    free(values);
}

gn_tensor *gn_init_dirac_with(gn_tensor *t, const gn_init_options *options) {
    return gn__init("init_dirac_", t, 3, 5, options, fill_dirac);
}

/* ---- Orthogonal: the Q of a QR decomposition of normal numbers, by Householder reflections.
 *
 * a[k] is column k of m numbers, n <= m columns. Reflection k, I - 2 v v^T, brings column k to
 * (.., r, 0, .., 0); v is kept in the column. Q is made from the reflections; with its columns times
 * the signs of the r it is the one whose R has a positive diagonal, which makes it uniformly
 * distributed (Mezzadri 2007). */

static double dot(const double *a, const double *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* x -= 2 v (v x) */
static void reflect(const double *v, double *x, int64_t n) {
    const double factor = 2 * dot(v, x, n);
    for (int64_t i = 0; i < n; i++)
        x[i] -= factor * v[i];
}

/* Makes v the unit vector whose reflection brings x to (r, 0, ..); returns the sign of r. */
static double reflection_of(double *x, int64_t n) {
    const double norm = sqrt(dot(x, x, n)), sign = x[0] > 0 ? -1 : 1;
    x[0] -= sign * norm;
    const double length = sqrt(dot(x, x, n));
    for (int64_t i = 0; i < n && length > 0; i++)
        x[i] /= length;
    return sign;
}

/* Replaces a by Q; q is room for as much. */
static void orthogonalise(double *a, double *q, int64_t m, int64_t n) {
    for (int64_t k = 0; k < n; k++) {
        double *v = a + k * m + k;
        q[k * m + k] = reflection_of(v, m - k); /* column k begins as sign e_k */
        for (int64_t j = k + 1; j < n; j++)
            reflect(v, a + j * m + k, m - k);
    }
    for (int64_t k = n - 1; k >= 0; k--)
        for (int64_t j = k; j < n; j++)
            reflect(a + k * m + k, q + j * m + k, m - k);
}

static void fill_orthogonal(const char *op, gn_tensor *t, const gn_init_options *o) {
    (void)op;
    const int64_t rows = t->size[0], cols = t->count / rows;
    const int64_t m = rows > cols ? rows : cols, n = rows > cols ? cols : rows;
    const double gain = gn_or(o->gain, 1);
    double *a = gn__alloc_array((size_t)t->count, sizeof *a),
           *q = gn__alloc_array((size_t)t->count, sizeof *q);
    gn_tensor *random = gn_randn_with(GN_SHAPE(t->count),
                                      GN_AS(.device = gn_device_of(t), .generator = o->generator));
    if (a && q && random && gn_copy_out(random, a, GN_F64, t->count) == GN_OK) {
        orthogonalise(a, q, m, n);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < cols; j++)
                a[i * cols + j] = gain * (rows > cols ? q[j * m + i] : q[i * m + j]);
        gn_copy_in(t, a, GN_F64, t->count);
    }
    free(a);
    free(q);
}

gn_tensor *gn_init_orthogonal_with(gn_tensor *t, const gn_init_options *options) {
    return gn__init("init_orthogonal_", t, 2, GN_TENSOR_MAX_DIMS, options, fill_orthogonal);
}

/* ---- Sparse: of each column, those in the first places of a random order are 0 */

static void fill_sparse(const char *op, gn_tensor *t, const gn_init_options *o) {
    if (!(o->sparsity >= 0 && o->sparsity <= 1))
        gn_fail(GN_E_ARGUMENT, op, "the sparsity %g is not between 0 and 1", o->sparsity);
    gn_tensor *order =
        gn_rand_with(gn_shape_of(t), GN_AS(.device = gn_device_of(t), .generator = o->generator));
    gn_tensor *place = gn_argsort(gn_argsort(order, 0, false), 0, false);
    gn_tensor *zero = gn_lt_scalar(place, ceil(o->sparsity * (double)t->size[0]));
    gn_normal_(t, 0, gn_or(o->std, 0.01), o->generator);
    gn_copy_(t, gn_where_scalar_a(zero, 0, t));
}

gn_tensor *gn_init_sparse_with(gn_tensor *t, const gn_init_options *options) {
    return gn__init("init_sparse_", t, 2, 2, options, fill_sparse);
}
