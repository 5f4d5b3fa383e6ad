/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reshape.c - modules that give their input another shape, or none: Flatten, Unflatten, Identity.
 */
#include <stdio.h>

#include "module.h"

/* ---- Identity */

static gn_tensor *identity(gn_module *self, gn_tensor *x) { return (void)self, x; }

static const gn_module_class identity_class = {
    .name = "Identity", .size = sizeof(gn_module), .forward = identity};

gn_module *gn_nn_identity(void) { return gn_module_new(&identity_class); }

/* ---- Flatten */

typedef struct flatten {
    gn_module base;
    int64_t start, end;
} flatten;

static gn_tensor *flatten_forward(gn_module *module, gn_tensor *x) {
    const flatten *self = (flatten *)module;
    return gn_flatten_range(x, self->start, self->end);
}

static void describe_flatten(const gn_module *module, char *text, size_t bytes) {
    const flatten *self = (const flatten *)module;
    snprintf(text, bytes, "start_dim=%lld, end_dim=%lld", (long long)self->start,
             (long long)self->end);
}

static const gn_module_class flatten_class = {.name = "Flatten",
                                              .size = sizeof(flatten),
                                              .forward = flatten_forward,
                                              .describe = describe_flatten};

gn_module *gn_nn_flatten_with(const gn_flatten_options *options) {
    gn_flatten_options o;
    gn__options(&o, sizeof o, options);
    flatten *self = gn_module_new(&flatten_class);
    if (self == NULL)
        return NULL;
    self->start = (int64_t)gn_or(o.start_dim, 1);
    self->end = (int64_t)gn_or(o.end_dim, -1);
    return &self->base;
}

/* ---- Unflatten */

typedef struct unflatten {
    gn_module base;
    int64_t dim;
    gn_shape sizes;
} unflatten;

static gn_tensor *unflatten_forward(gn_module *module, gn_tensor *x) {
    const unflatten *self = (unflatten *)module;
    return gn_unflatten(x, self->dim, self->sizes);
}

static void describe_unflatten(const gn_module *module, char *text, size_t bytes) {
    const unflatten *self = (const unflatten *)module;
    snprintf(text, bytes, "dim=%lld, unflattened_size=%s", (long long)self->dim,
             gn__shape_text((int)self->sizes.n, self->sizes.size));
}

static const gn_module_class unflatten_class = {.name = "Unflatten",
                                                .size = sizeof(unflatten),
                                                .forward = unflatten_forward,
                                                .describe = describe_unflatten};

gn_module *gn_nn_unflatten(int64_t dim, gn_shape sizes) {
    if (!gn__failed() && (sizes.n < 1 || sizes.n > GN_TENSOR_MAX_DIMS))
        return gn__fail_null(GN_E_ARGUMENT, unflatten_class.name, "%lld sizes are given",
                             (long long)sizes.n);
    unflatten *self = gn_module_new(&unflatten_class);
    if (self == NULL)
        return NULL;
    self->dim = dim;
    self->sizes = sizes;
    return &self->base;
}
