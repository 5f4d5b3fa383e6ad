/* SPDX-License-Identifier: Apache-2.0 */
/*
 * padding.c - ZeroPad, ConstantPad, ReflectionPad, ReplicationPad and CircularPad of 1, 2, 3 dims.
 */
#include <stdio.h>

#include "module.h"

typedef struct pad_module {
    gn_module base;
    int n;                /* spatial dims, the last ones */
    gn_padding_mode mode; /* GN_PAD_ZEROS: with `value` */
    double value;
    int64_t sides[2 * GN_MAX_SPATIAL]; /* before and after the last dim, then the one before it */
} pad_module;

static gn_tensor *forward(gn_module *module, gn_tensor *x) {
    const pad_module *self = (const pad_module *)module;
    if (x->n_dims < self->n)
        return gn__fail_null(GN_E_ARGUMENT, module->type->name,
                             "input %s must have at least %d dims", gn__shape_of(x), self->n);
    gn_shape before = {.n = x->n_dims}, after = {.n = x->n_dims};
    for (int i = 0; i < self->n; i++) {
        before.size[x->n_dims - 1 - i] = self->sides[2 * i];
        after.size[x->n_dims - 1 - i] = self->sides[2 * i + 1];
    }
    return self->mode == GN_PAD_ZEROS ? gn_pad(x, before, after, self->value)
                                      : gn_pad_mode(x, before, after, self->mode);
}

static void describe_sides(const pad_module *self, char *text, size_t bytes) {
    for (int i = 0; i < 2 * self->n; i++)
        gn__describe_add(text, bytes, i ? ", %lld" : "(%lld", (long long)self->sides[i]);
    gn__describe_add(text, bytes, ")");
}

static void describe(const gn_module *module, char *text, size_t bytes) {
    describe_sides((const pad_module *)module, text, bytes);
}

static void describe_constant(const gn_module *module, char *text, size_t bytes) {
    snprintf(text, bytes, "padding=");
    describe_sides((const pad_module *)module, text, bytes);
    gn__describe_add(text, bytes, ", value=%g", ((const pad_module *)module)->value);
}

#define CLASS(title, text)                                                                         \
    { .name = title, .size = sizeof(pad_module), .forward = forward, .describe = text }
#define CLASSES(title, text)                                                                       \
    { CLASS(title "1d", text), CLASS(title "2d", text), CLASS(title "3d", text) }
static const gn_module_class mode_classes[][GN_MAX_SPATIAL] = {
    [GN_PAD_ZEROS] = CLASSES("ZeroPad", describe),
    [GN_PAD_REFLECT] = CLASSES("ReflectionPad", describe),
    [GN_PAD_REPLICATE] = CLASSES("ReplicationPad", describe),
    [GN_PAD_CIRCULAR] = CLASSES("CircularPad", describe),
};
static const gn_module_class constant_classes[] = CLASSES("ConstantPad", describe_constant);

static gn_module *make(const gn_module_class *type, int n, gn_padding_mode mode, double value,
                       const gn_shape *sides) {
    if (!gn__failed() && sides->n != 1 && sides->n != 2 * n)
        return gn__fail_null(GN_E_ARGUMENT, type->name, "takes 1 or %d numbers, not %lld", 2 * n,
                             (long long)sides->n);
    for (int i = 0; i < sides->n; i++)
        if (!gn__failed() && (sides->size[i] < -GN__MAX_STEP || sides->size[i] > GN__MAX_STEP))
            return gn__fail_null(GN_E_ARGUMENT, type->name, "a padding of %lld is too much",
                                 (long long)sides->size[i]);
    pad_module *self = gn_module_new(type);
    if (self == NULL)
        return NULL;
    self->n = n;
    self->mode = mode;
    self->value = value;
    for (int i = 0; i < 2 * n; i++)
        self->sides[i] = sides->size[sides->n == 1 ? 0 : i];
    return &self->base;
}

static gn_module *of_mode(gn_padding_mode mode, int n, const gn_shape *sides) {
    return make(&mode_classes[mode][n - 1], n, mode, 0, sides);
}

#define MODULE(name, mode, n)                                                                      \
    gn_module *name(gn_shape padding) { return of_mode(mode, n, &padding); }
MODULE(gn_nn_zero_pad1d_with, GN_PAD_ZEROS, 1)
MODULE(gn_nn_zero_pad2d_with, GN_PAD_ZEROS, 2)
MODULE(gn_nn_zero_pad3d_with, GN_PAD_ZEROS, 3)
MODULE(gn_nn_reflection_pad1d_with, GN_PAD_REFLECT, 1)
MODULE(gn_nn_reflection_pad2d_with, GN_PAD_REFLECT, 2)
MODULE(gn_nn_reflection_pad3d_with, GN_PAD_REFLECT, 3)
MODULE(gn_nn_replication_pad1d_with, GN_PAD_REPLICATE, 1)
MODULE(gn_nn_replication_pad2d_with, GN_PAD_REPLICATE, 2)
MODULE(gn_nn_replication_pad3d_with, GN_PAD_REPLICATE, 3)
MODULE(gn_nn_circular_pad1d_with, GN_PAD_CIRCULAR, 1)
MODULE(gn_nn_circular_pad2d_with, GN_PAD_CIRCULAR, 2)
MODULE(gn_nn_circular_pad3d_with, GN_PAD_CIRCULAR, 3)
#undef MODULE

gn_module *gn_nn_constant_pad1d(gn_shape padding, double value) {
    return make(&constant_classes[0], 1, GN_PAD_ZEROS, value, &padding);
}

gn_module *gn_nn_constant_pad2d(gn_shape padding, double value) {
    return make(&constant_classes[1], 2, GN_PAD_ZEROS, value, &padding);
}

gn_module *gn_nn_constant_pad3d(gn_shape padding, double value) {
    return make(&constant_classes[2], 3, GN_PAD_ZEROS, value, &padding);
}
