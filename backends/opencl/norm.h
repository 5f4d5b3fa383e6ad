/* SPDX-License-Identifier: Apache-2.0 */
/*
 * norm.h - sums over the pixels of each channel: batch norm, and the gradient of a convolution's
 * bias. The kernels, and what they compute, are in norm.cl.
 */
#ifndef GENESIS_OPENCL_NORM_H
#define GENESIS_OPENCL_NORM_H

#include "plan.h"

enum { NORM_X, NORM_DY, NORM_TARGET, NORM_IMAGES };
enum { NORM_W, NORM_B, NORM_MEAN, NORM_VAR, NORM_DW, NORM_DB, NORM_VECTORS };
enum { NORM_DIGITS = GN_MAX_SPATIAL + 1 };

/* SUMS of norm.cl. */
enum { SUMS_BIAS, SUMS_FORWARD, SUMS_BACKWARD };

/* As in norm.cl. */
typedef struct ocl_norm_args {
    int64_t image_first[NORM_IMAGES], channel_stride[NORM_IMAGES];
    int64_t run_size[NORM_DIGITS], run_stride[NORM_IMAGES][NORM_DIGITS], pixel_stride[NORM_IMAGES];
    int64_t vector_first[NORM_VECTORS], vector_stride[NORM_VECTORS];
    int64_t channels, pixels;
    int64_t length, piece, pieces;
    int64_t scratch_first;
    int32_t n_digits, cuts;
    int32_t chunk, chunks;
    int32_t lanes, inner;
} ocl_norm_args;

typedef struct ocl_norm {
    ocl_norm_args args;
    int image[NORM_IMAGES], vector[NORM_VECTORS]; /* tensors of the run; -1: absent */
    int dtype;
    int channels, side_by_side; /* CHANNELS and PIXELS of a work-item */
    double eps;
    cl_kernel sums, join, apply; /* apply: NULL if there is no target */
    size_t items;
    uint64_t workspace_bytes;
} ocl_norm;

/* kind: SUMS_*. image and vector tell which tensors of the request are what. */
gn_status ocl_norm_prepare(gn_device *device, const ocl_request *request, int kind,
                           const int image[NORM_IMAGES], const int vector[NORM_VECTORS],
                           ocl_norm *out);

/* Its workspace begins `workspace` bytes behind the run's. */
gn_status ocl_norm_run(const ocl_norm *norm, gn_stream *stream, const gn_run *run,
                       uint64_t workspace);

#endif
