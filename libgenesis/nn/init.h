/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init.h (internal) - what all functions of nn.init share.
 */
#ifndef GENESIS_NN_INIT_H
#define GENESIS_NN_INIT_H

#include "module.h"

/* Fills t, which has elements. Runs without recording, in a scope of its own. */
typedef void gn__fill(const char *op, gn_tensor *t, const gn_init_options *options);

/* Checks t, which has min_dims .. max_dims dims, and fills it. Returns t, or NULL. */
gn_tensor *gn__init(const char *op, gn_tensor *t, int min_dims, int max_dims,
                    const gn_init_options *options, gn__fill *fill);

#endif
