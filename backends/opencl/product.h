/* SPDX-License-Identifier: Apache-2.0 */
/*
 * product.h - products of matrices, and of images seen through windows, by the kernels of
 * product.cl, which says what they compute. matmul.c and conv.c describe their problems so.
 */
#ifndef GENESIS_OPENCL_PRODUCT_H
#define GENESIS_OPENCL_PRODUCT_H

#include "plan.h"

enum { PRODUCT_A, PRODUCT_B, PRODUCT_C, PRODUCT_BIAS, PRODUCT_OPERANDS };
enum {
    PRODUCT_BATCH_DIMS = 6,
    PRODUCT_DIGITS = GN_MAX_SPATIAL + 1,
    PRODUCT_NARROW = 16 /* products of up to so many columns have tiles of their own */
};

/* Which operand is an image seen through a window. */
enum { IMAGE_NONE, IMAGE_A, IMAGE_B };

/* The arguments of the kernels; both structs are as in product.cl. */
typedef struct ocl_product_args {
    int64_t first[PRODUCT_OPERANDS];
    int64_t row[PRODUCT_OPERANDS], column[PRODUCT_OPERANDS];
    int64_t batch_size[PRODUCT_BATCH_DIMS], batch[PRODUCT_OPERANDS][PRODUCT_BATCH_DIMS];
    int64_t m, n, k;
    int64_t part;
    int64_t parts_first;
    int32_t n_batch_dims, batches, parts;
    int32_t a_by_depth, b_by_depth;
    int32_t has_bias, relu;
    int32_t channels_last, lanes;
    int32_t unused;
} ocl_product_args;

typedef struct ocl_image_args {
    int64_t pixel_size[PRODUCT_DIGITS], pixel_x[PRODUCT_DIGITS], pixel_other[PRODUCT_DIGITS];
    int64_t window_size[PRODUCT_DIGITS], window_x[PRODUCT_DIGITS], window_other[PRODUCT_DIGITS];
    int32_t start[3], step[3], limit[3];
    int32_t window_step[PRODUCT_DIGITS][3], unused;
} ocl_image_args;

typedef struct ocl_product {
    /* described by the user; `first` holds what is to be added to the tensors' offsets */
    ocl_product_args args;
    ocl_image_args image;
    int place[PRODUCT_OPERANDS]; /* among the tensors of a run; -1: absent */
    int kind, n_spatial, dtype;  /* kind: IMAGE_* */
    bool is_small;               /* all offsets fit into 31 bits */
    bool is_direct;              /* by a kernel without tiles; of images only */
    /* made ready */
    bool is_blast;          /* by CLBlast */
    cl_kernel kernel, join; /* join: NULL if the kernel writes c itself */
    size_t groups, items;
    uint64_t workspace_bytes;
} ocl_product;

/* The product that a request for a matmul stands for. */
gn_status ocl_product_of_matmul(const ocl_request *request, ocl_product *product);

gn_status ocl_product_prepare(gn_device *device, ocl_product *product);

/* The product's workspace begins `workspace` bytes behind the run's. */
gn_status ocl_product_run(const ocl_product *product, gn_stream *stream, const gn_run *run,
                          uint64_t workspace);

/* ---- CLBlast (blast.c): large products of regular matrices, without bias and activation */

bool ocl_blast_fits(const gn_device *device, const ocl_product *product);
/* operands: A, B and C. */
gn_status ocl_blast_run(const ocl_product *product, gn_stream *stream, uint64_t tag,
                        const gn_pointer operands[PRODUCT_OPERANDS]);

#endif
