/* SPDX-License-Identifier: Apache-2.0 */
/* rotary.c - RotaryEmbedding: the tables of its angles. ops/rotary.c turns vectors by them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <genesis/transformer.h>

#include "typed.h"

typedef struct rotary {
    gn_module base;
    int64_t dim, positions;
    gn_tensor *inv_freq, *cos, *sin; /* the buffers */
} rotary;

/* Rows position .. position + length of a table, or NULL with an error. */
static gn_tensor *rows_of(const rotary *self, gn_tensor *table, int64_t position, int64_t length) {
    if (position < 0 || length < 0 || position > self->positions ||
        length > self->positions - position)
        return gn__fail_null(GN_E_INDEX, self->base.type->name,
                             "%lld positions from %lld: the tables have %lld, set "
                             ".max_position_embeddings",
                             (long long)length, (long long)position, (long long)self->positions);
    return gn_narrow(table, 2, position, length);
}

static gn_tensor *turn(gn_module *module, gn_tensor *x, void *position) {
    const rotary *self = (rotary *)module;
    const int64_t first = *(const int64_t *)position;
    if (x->n_dims < 2 || x->size[x->n_dims - 1] != self->dim)
        return gn__fail_null(GN_E_ARGUMENT, module->type->name, "input %s must be (.., T, %lld)",
                             gn__shape_of(x), (long long)self->dim);
    const int64_t length = x->size[x->n_dims - 2];
    gn_tensor *c = rows_of(self, self->cos, first, length),
              *s = rows_of(self, self->sin, first, length);
    if (gn__failed())
        return NULL;
    /* without the leading dims, for an x of two dims */
    return gn_apply_rotary(x, gn_view(c, length, self->dim), gn_view(s, length, self->dim));
}

static gn_tensor *forward(gn_module *module, gn_tensor *x) {
    return turn(module, x, &(int64_t){0});
}

static void describe(const gn_module *module, char *text, size_t bytes) {
    const rotary *self = (const rotary *)module;
    snprintf(text, bytes, "%lld, max_position_embeddings=%lld", (long long)self->dim,
             (long long)self->positions);
}

static const gn_module_class rotary_class = {
    .name = "RotaryEmbedding", .size = sizeof(rotary), .forward = forward, .describe = describe};

gn_tensor *gn_rotary_embedding_forward(gn_module *module, gn_tensor *x, int64_t position) {
    static const char op[] = "rotary_embedding_forward";
    if (!gn__is_a(op, module, &rotary_class) || !gn__given(op, x))
        return NULL;
    return gn__module_run(module, x, turn, &position);
}

gn_status gn_rotary_embedding_tables(gn_module *module, int64_t position, int64_t length,
                                     gn_tensor **cos_rows, gn_tensor **sin_rows) {
    *cos_rows = *sin_rows = NULL;
    if (!gn__is_a("rotary_embedding_tables", module, &rotary_class))
        return gn_error_status();
    const rotary *self = (const rotary *)module;
    *cos_rows = rows_of(self, self->cos, position, length);
    *sin_rows = rows_of(self, self->sin, position, length);
    return gn_error_status();
}

/* ---- Tables, computed on the host: the same on every device. Angles are float32, as in the programs
 * that models are trained with. */

static float frequency(const rotary *self, double base, int64_t i) {
    const float exponent = (float)(2 * i) / (float)self->dim;
    return 1 / (float)pow(base, exponent);
}

static gn_tensor *frequencies_new(const rotary *self, double base) {
    const int64_t n = self->dim / 2;
    float *values = gn__alloc_array((size_t)n, sizeof *values);
    for (int64_t i = 0; i < n && values; i++)
        values[i] = frequency(self, base, i);
    gn_tensor *t = values ? gn_tensor_from(values, GN_F32, GN_SHAPE(n), NULL) : NULL;
    free(values);
    return t;
}

/* (1, 1, positions, dim) of cos or sin of the angles; both halves of a row are the same. */
static gn_tensor *table_new(const rotary *self, double base, double (*function)(double)) {
    int64_t count;
    const int64_t n = self->dim / 2;
    if (!gn__mul(self->positions, self->dim, &count))
        return gn__fail_null(GN_E_MEMORY, self->base.type->name, "%lld positions are too many",
                             (long long)self->positions);
    float *values = gn__alloc_array((size_t)count, sizeof *values);
    for (int64_t i = 0; i < n && values; i++) {
        const float f = frequency(self, base, i);
        for (int64_t at = 0; at < self->positions; at++) {
            float *row = values + at * self->dim;
            row[i] = row[n + i] = (float)function((float)at * f);
        }
    }
    const gn_shape shape = GN_SHAPE(1, 1, self->positions, self->dim);
    gn_tensor *t = values ? gn_tensor_from(values, GN_F32, shape, NULL) : NULL;
    free(values);
    return t;
}

gn_module *gn_nn_rotary_embedding_with(int64_t dim, const gn_rotary_options *options) {
    gn_rotary_options o;
    gn__options(&o, sizeof o, options);
    const double base = gn_or(o.base, 10000);
    if (gn__failed())
        return NULL;
    if (dim < 2 || dim % 2 || o.max_position_embeddings < 0 || !(base > 0))
        return gn__fail_null(GN_E_ARGUMENT, rotary_class.name,
                             "dim %lld must be even, %lld positions and the base %g positive",
                             (long long)dim, (long long)o.max_position_embeddings, base);
    rotary *self = gn_module_new(&rotary_class);
    if (self == NULL)
        return NULL;
    self->dim = dim;
    self->positions = o.max_position_embeddings ? o.max_position_embeddings : 2048;
    self->inv_freq = gn_buffer(self, "inv_freq", frequencies_new(self, base), true);
    self->cos = gn_buffer(self, "cos_cached", table_new(self, base, cos), true);
    self->sin = gn_buffer(self, "sin_cached", table_new(self, base, sin), true);
    return gn__failed() ? NULL : &self->base;
}
