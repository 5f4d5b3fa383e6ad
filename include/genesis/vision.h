/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vision.h - images and other inputs (N, C, spatial..): padding, resizing, sampling at given places,
 * rearranging between channels and space; as functions, and as modules. All differentiable.
 */
#ifndef GENESIS_VISION_H
#define GENESIS_VISION_H

#include <genesis/functional.h>
#include <genesis/module.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Padding. gn_pad of shape_ops.h is that with a constant. */

/* x with its mirror image, edge or other end around it (or zeros): before[i] and after[i] elements
 * for each dim, outermost first; negative numbers crop. A mirror image takes at most size - 1
 * elements, the other end at most size. */
GN_API gn_tensor *gn_pad_mode(gn_tensor *x, gn_shape before, gn_shape after, gn_padding_mode mode);

/* Padding of the last 1, 2 or 3 dims: one number for all sides, or two for each dim, PyTorch's order:
 * gn_nn_zero_pad2d(1), gn_nn_zero_pad2d(left, right, top, bottom), and then front, back. Negative
 * numbers crop. */
#define gn_nn_zero_pad1d(...) gn_nn_zero_pad1d_with(GN_SHAPE(__VA_ARGS__))
#define gn_nn_zero_pad2d(...) gn_nn_zero_pad2d_with(GN_SHAPE(__VA_ARGS__))
#define gn_nn_zero_pad3d(...) gn_nn_zero_pad3d_with(GN_SHAPE(__VA_ARGS__))
#define gn_nn_reflection_pad1d(...) gn_nn_reflection_pad1d_with(GN_SHAPE(__VA_ARGS__))
#define gn_nn_reflection_pad2d(...) gn_nn_reflection_pad2d_with(GN_SHAPE(__VA_ARGS__))
#define gn_nn_reflection_pad3d(...) gn_nn_reflection_pad3d_with(GN_SHAPE(__VA_ARGS__))
#define gn_nn_replication_pad1d(...) gn_nn_replication_pad1d_with(GN_SHAPE(__VA_ARGS__))
#define gn_nn_replication_pad2d(...) gn_nn_replication_pad2d_with(GN_SHAPE(__VA_ARGS__))
#define gn_nn_replication_pad3d(...) gn_nn_replication_pad3d_with(GN_SHAPE(__VA_ARGS__))
#define gn_nn_circular_pad1d(...) gn_nn_circular_pad1d_with(GN_SHAPE(__VA_ARGS__))
#define gn_nn_circular_pad2d(...) gn_nn_circular_pad2d_with(GN_SHAPE(__VA_ARGS__))
#define gn_nn_circular_pad3d(...) gn_nn_circular_pad3d_with(GN_SHAPE(__VA_ARGS__))
GN_API gn_module *gn_nn_zero_pad1d_with(gn_shape padding);
GN_API gn_module *gn_nn_zero_pad2d_with(gn_shape padding);
GN_API gn_module *gn_nn_zero_pad3d_with(gn_shape padding);
GN_API gn_module *gn_nn_reflection_pad1d_with(gn_shape padding);
GN_API gn_module *gn_nn_reflection_pad2d_with(gn_shape padding);
GN_API gn_module *gn_nn_reflection_pad3d_with(gn_shape padding);
GN_API gn_module *gn_nn_replication_pad1d_with(gn_shape padding);
GN_API gn_module *gn_nn_replication_pad2d_with(gn_shape padding);
GN_API gn_module *gn_nn_replication_pad3d_with(gn_shape padding);
GN_API gn_module *gn_nn_circular_pad1d_with(gn_shape padding);
GN_API gn_module *gn_nn_circular_pad2d_with(gn_shape padding);
GN_API gn_module *gn_nn_circular_pad3d_with(gn_shape padding);
/* gn_nn_constant_pad2d(GN_SHAPE(1), 3.5) */
GN_API gn_module *gn_nn_constant_pad1d(gn_shape padding, double value);
GN_API gn_module *gn_nn_constant_pad2d(gn_shape padding, double value);
GN_API gn_module *gn_nn_constant_pad3d(gn_shape padding, double value);

/* ---- Resizing */

typedef enum gn_interpolate_mode {
    GN_INTERPOLATE_NEAREST, /* element floor(i in / out) */
    GN_INTERPOLATE_LINEAR,  /* of (N, C, L) */
    GN_INTERPOLATE_BILINEAR,
    GN_INTERPOLATE_BICUBIC, /* of (N, C, H, W); the cubic with a = -0.75 */
    GN_INTERPOLATE_TRILINEAR,
    GN_INTERPOLATE_AREA,         /* gn_adaptive_avg_pool */
    GN_INTERPOLATE_NEAREST_EXACT /* element floor((i + 0.5) in / out) */
} gn_interpolate_mode;

typedef struct gn_interpolate_options {
    size_t struct_size;
    gn_shape size;       /* of the result's spatial dims, one number for all; or: */
    double scale_factor; /* size = floor(in scale_factor), */
    double scale_factors[GN_MAX_SPATIAL]; /* or each its own: 0 stands for the former */
    gn_interpolate_mode mode;
    bool align_corners;          /* (bi-, tri-)linear, cubic: the ends stay where they are */
    bool antialias;              /* bilinear, bicubic: averages where it shrinks */
    bool recompute_scale_factor; /* places follow from the sizes, not from scale_factor */
} gn_interpolate_options;

/* x (N, C, in..) -> (N, C, out..), 1 to 3 spatial dims. Element i is taken at (i + 0.5) in / out -
 * 0.5, or, with align_corners, at i (in - 1) / (out - 1); linear modes stop at 0. */
#define gn_interpolate(...) GN_CALL1(gn_interpolate_with, gn_interpolate_options, __VA_ARGS__, )
#define gn_nn_upsample(...) gn_nn_upsample_with(GN_OPTIONS(gn_interpolate_options, __VA_ARGS__))
GN_API gn_tensor *gn_interpolate_with(gn_tensor *x, const gn_interpolate_options *options);
GN_API gn_module *gn_nn_upsample_with(const gn_interpolate_options *options);

/* ---- Sampling */

typedef enum gn_grid_mode { GN_GRID_BILINEAR, GN_GRID_NEAREST, GN_GRID_BICUBIC } gn_grid_mode;
/* What is outside: zeros, the edge, the mirror image. */
typedef enum gn_grid_padding { GN_GRID_ZEROS, GN_GRID_BORDER, GN_GRID_REFLECTION } gn_grid_padding;

typedef struct gn_grid_options {
    size_t struct_size;
    gn_grid_mode mode; /* bicubic: images only */
    gn_grid_padding padding_mode;
    bool align_corners; /* -1 and 1 are the centres of the outermost elements, not their edges */
} gn_grid_options;

/* x (N, C, H, W) at the places grid (N, Ho, Wo, 2), pairs (x, y) from -1 to 1 -> (N, C, Ho, Wo); or
 * (N, C, D, H, W) at (N, Do, Ho, Wo, 3). Differentiable in both; nearest: in x only. */
#define gn_grid_sample(...) GN_CALL2(gn_grid_sample_with, gn_grid_options, __VA_ARGS__, )
GN_API gn_tensor *gn_grid_sample_with(gn_tensor *x, gn_tensor *grid,
                                      const gn_grid_options *options);
/* The grid of a linear map: theta (N, 2, 3), size (N, C, H, W) -> (N, H, W, 2); or theta (N, 3, 4),
 * size (N, C, D, H, W) -> (N, D, H, W, 3). */
GN_API gn_tensor *gn_affine_grid(gn_tensor *theta, gn_shape size, bool align_corners);

/* ---- Rearranging */

GN_API gn_tensor *gn_pixel_shuffle(gn_tensor *x,
                                   int64_t r); /* (*, C r^2, H, W) -> (*, C, H r, W r) */
GN_API gn_tensor *gn_pixel_unshuffle(gn_tensor *x, int64_t r); /* and back */
/* (N, C, *): channel (g, i) of groups (g, C / g) goes to (i, g). */
GN_API gn_tensor *gn_channel_shuffle(gn_tensor *x, int64_t groups);
GN_API gn_module *gn_nn_pixel_shuffle(int64_t upscale_factor);
GN_API gn_module *gn_nn_pixel_unshuffle(int64_t downscale_factor);
GN_API gn_module *gn_nn_channel_shuffle(int64_t groups);

#ifdef __cplusplus
}
#endif
#endif
