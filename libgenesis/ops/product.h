/* SPDX-License-Identifier: Apache-2.0 */
/* product.h (internal) - the product of matrices on the data, shared by matmul and linear. */
#ifndef GENESIS_OPS_PRODUCT_H
#define GENESIS_OPS_PRODUCT_H

#include "ops.h"

/* a (B.., m, k), b (B.., k, n) and bias (broadcast to the result, or NULL), any strides; leading dims
 * broadcast. */
typedef struct gn__product {
    const char *op;
    gn_tensor *a, *b, *bias;
    uint32_t activation; /* GN_ACTIVATION_* */
} gn__product;

/* Computes into c, which has the result's shape. */
gn_status gn__product_run(const gn__product *product, gn_tensor *c);

#endif
