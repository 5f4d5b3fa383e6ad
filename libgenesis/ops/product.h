/* SPDX-License-Identifier: Apache-2.0 */
/* product.h (internal) - the product of matrices on the data, shared by matmul, linear and attention. */
#ifndef GENESIS_OPS_PRODUCT_H
#define GENESIS_OPS_PRODUCT_H

#include "support.h"

/* c (B.., m, n) = a (B.., m, k) b (B.., k, n) + bias (n): any strides, one dtype, leading dims of a
 * and b broadcast to those of c; bias may be NULL. */
gn_status gn__product(const char *op, gn_tensor *c, gn_tensor *a, gn_tensor *b, gn_tensor *bias);

/* Matrices t (B.., m, n) as planned kernels take them: leading dims broadcast to those of c, the last
 * two as they are. NULL: absent. */
gn_tensor_desc gn__describe_matrices(const gn_tensor *t, const gn_tensor *c);

/* Other looks at a tensor, for gn__product only: no objects, they live on the caller's stack.
 * With the last two dims exchanged: */
gn_tensor gn__turned(const gn_tensor *t);
/* With the leading dims as one, (rows, columns): t is row-major, or has at most 2 dims. */
gn_tensor gn__matrix(const gn_tensor *t);

#endif
