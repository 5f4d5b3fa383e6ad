/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv.h - the three functions of convolution, recorded, for the files of ops/ that call them.
 */
#ifndef GENESIS_OPS_CONV_H
#define GENESIS_OPS_CONV_H

#include "support.h"

typedef enum gn__conv_kind { GN__CONV_FORWARD, GN__CONV_DATA, GN__CONV_WEIGHT } gn__conv_kind;

/* "conv2d", for errors and reports of any of the three. */
const char *gn__conv_name(const gn_conv_attr *attr);

/* forward(x, w) plus bias (or NULL), data(dy, w) or weight(x, dy); `size` is that of the result.
 * Shapes fit and devices are the same. */
gn_tensor *gn__convolve(gn__conv_kind kind, const gn_conv_attr *attr, gn_tensor *a, gn_tensor *b,
                        gn_tensor *bias, const int64_t *size);

#endif
