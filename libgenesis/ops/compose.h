/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compose.h - the composed forms of planned kernels: `map`, `reduce` and `scatter` on the data, into
 * tensors that exist. Each stands in the file of its operation; compose.c finds it for a descriptor.
 */
#ifndef GENESIS_OPS_COMPOSE_H
#define GENESIS_OPS_COMPOSE_H

#include "pool.h"
#include "support.h"

/* c = a b + bias, as gn__product. */
gn_status gn__composed_product(const char *op, gn_tensor *c, gn_tensor *a, gn_tensor *b,
                               gn_tensor *bias);

/* bias may be NULL. */
gn_status gn__composed_conv_forward(const gn_conv_attr *a, gn_tensor *x, gn_tensor *w,
                                    gn_tensor *bias, gn_tensor *y);
gn_status gn__composed_conv_data(const gn_conv_attr *a, gn_tensor *dy, gn_tensor *w, gn_tensor *dx);
gn_status gn__composed_conv_weight(const gn_conv_attr *a, gn_tensor *x, gn_tensor *dy,
                                   gn_tensor *dw);

/* Maxima y, and their places in the input's spatial dims as one (int64); each may be NULL. */
gn_status gn__composed_max_pool(const gn__pool *pool, gn_tensor *x, gn_tensor *y,
                                gn_tensor *indices);
/* dx: g added to those places of zeros. */
gn_tensor *gn__max_pool_spread(const gn__pool *pool, gn_tensor *g, gn_tensor *indices);

gn_status gn__composed_avg_pool(const gn__pool *pool, gn_tensor *x, gn_tensor *y);
gn_status gn__composed_avg_pool_backward(const gn__pool *pool, gn_tensor *g, gn_tensor *dx);

/* var is the biased variance. */
gn_status gn__composed_batch_norm(double eps, gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                                  gn_tensor *y, gn_tensor *mean, gn_tensor *var);
gn_status gn__composed_batch_norm_backward(double eps, gn_tensor *x, gn_tensor *g,
                                           gn_tensor *weight, gn_tensor *mean, gn_tensor *var,
                                           gn_tensor *dx, gn_tensor *dw, gn_tensor *db);

/* mask may be NULL. Backward: inputs and gradients d are those of q, k and v; g is that of y. */
gn_status gn__composed_attention(const gn_attention_attr *attr, gn_tensor *q, gn_tensor *k,
                                 gn_tensor *v, gn_tensor *mask, gn_tensor *y);
gn_status gn__composed_attention_backward(const gn_attention_attr *attr, gn_tensor *const *inputs,
                                          gn_tensor *mask, gn_tensor *g, gn_tensor *const *d);

#endif
