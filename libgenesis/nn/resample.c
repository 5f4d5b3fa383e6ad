/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resample.c - Upsample, PixelShuffle, PixelUnshuffle, ChannelShuffle.
 */
#include <math.h>
#include <stdio.h>

#include "module.h"

/* ---- Upsample */

typedef struct upsample {
    gn_module base;
    gn_interpolate_options options;
} upsample;

static gn_tensor *forward_upsample(gn_module *module, gn_tensor *x) {
    return gn_interpolate_with(x, &((const upsample *)module)->options);
}

/* "2.0", like Python. */
static void describe_number(char *text, size_t bytes, double value) {
    gn__describe_add(text, bytes, value == floor(value) ? "%.1f" : "%g", value);
}

static void describe_scales(const gn_interpolate_options *o, char *text, size_t bytes) {
    int n = 0;
    while (n < GN_MAX_SPATIAL && o->scale_factors[n] != 0)
        n++;
    if (n == 0) {
        describe_number(text, bytes, o->scale_factor);
        return;
    }
    for (int i = 0; i < n; i++) {
        gn__describe_add(text, bytes, i ? ", " : "(");
        describe_number(text, bytes, o->scale_factors[i]);
    }
    gn__describe_add(text, bytes, ")");
}

static void describe_upsample(const gn_module *module, char *text, size_t bytes) {
    static const char *const modes[] = {[GN_INTERPOLATE_NEAREST] = "nearest",
                                        [GN_INTERPOLATE_LINEAR] = "linear",
                                        [GN_INTERPOLATE_BILINEAR] = "bilinear",
                                        [GN_INTERPOLATE_BICUBIC] = "bicubic",
                                        [GN_INTERPOLATE_TRILINEAR] = "trilinear",
                                        [GN_INTERPOLATE_AREA] = "area",
                                        [GN_INTERPOLATE_NEAREST_EXACT] = "nearest-exact"};
    const gn_interpolate_options *o = &((const upsample *)module)->options;
    if (o->size.n == 1) {
        snprintf(text, bytes, "size=%lld", (long long)o->size.size[0]);
    } else if (o->size.n) {
        gn__describe_tuple(text, bytes, "size", (int)o->size.n, o->size.size);
    } else {
        snprintf(text, bytes, "scale_factor=");
        describe_scales(o, text, bytes);
    }
    gn__describe_add(text, bytes, ", mode='%s'", modes[o->mode]);
}

static const gn_module_class upsample_class = {.name = "Upsample",
                                               .size = sizeof(upsample),
                                               .forward = forward_upsample,
                                               .describe = describe_upsample};

gn_module *gn_nn_upsample_with(const gn_interpolate_options *options) {
    gn_interpolate_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed())
        return NULL;
    if (o.mode < GN_INTERPOLATE_NEAREST || o.mode > GN_INTERPOLATE_NEAREST_EXACT || o.size.n < 0 ||
        o.size.n > GN_MAX_SPATIAL)
        return gn__fail_null(GN_E_ARGUMENT, "Upsample",
                             "there is no mode %d, or no size of %lld "
                             "numbers",
                             (int)o.mode, (long long)o.size.n);
    upsample *self = gn_module_new(&upsample_class);
    if (self == NULL)
        return NULL;
    self->options = o;
    self->options.struct_size = sizeof o;
    return &self->base;
}

/* ---- Shuffles */

typedef struct shuffle {
    gn_module base;
    int64_t n; /* the factor, or groups */
} shuffle;

static gn_tensor *forward_pixel(gn_module *module, gn_tensor *x) {
    return gn_pixel_shuffle(x, ((const shuffle *)module)->n);
}

static gn_tensor *forward_unshuffle(gn_module *module, gn_tensor *x) {
    return gn_pixel_unshuffle(x, ((const shuffle *)module)->n);
}

static gn_tensor *forward_channel(gn_module *module, gn_tensor *x) {
    return gn_channel_shuffle(x, ((const shuffle *)module)->n);
}

#define DESCRIBE(name, member)                                                                     \
    static void name(const gn_module *module, char *text, size_t bytes) {                          \
        snprintf(text, bytes, member "=%lld", (long long)((const shuffle *)module)->n);            \
    }
DESCRIBE(describe_pixel, "upscale_factor")
DESCRIBE(describe_unshuffle, "downscale_factor")
DESCRIBE(describe_channel, "groups")
#undef DESCRIBE

static const gn_module_class pixel_class = {.name = "PixelShuffle",
                                            .size = sizeof(shuffle),
                                            .forward = forward_pixel,
                                            .describe = describe_pixel};
static const gn_module_class unshuffle_class = {.name = "PixelUnshuffle",
                                                .size = sizeof(shuffle),
                                                .forward = forward_unshuffle,
                                                .describe = describe_unshuffle};
static const gn_module_class channel_class = {.name = "ChannelShuffle",
                                              .size = sizeof(shuffle),
                                              .forward = forward_channel,
                                              .describe = describe_channel};

static gn_module *shuffle_new(const gn_module_class *type, int64_t n) {
    if (!gn__failed() && n < 1)
        return gn__fail_null(GN_E_ARGUMENT, type->name, "%lld is not positive", (long long)n);
    shuffle *self = gn_module_new(type);
    if (self == NULL)
        return NULL;
    self->n = n;
    return &self->base;
}

gn_module *gn_nn_pixel_shuffle(int64_t upscale_factor) {
    return shuffle_new(&pixel_class, upscale_factor);
}

gn_module *gn_nn_pixel_unshuffle(int64_t downscale_factor) {
    return shuffle_new(&unshuffle_class, downscale_factor);
}

gn_module *gn_nn_channel_shuffle(int64_t groups) { return shuffle_new(&channel_class, groups); }
