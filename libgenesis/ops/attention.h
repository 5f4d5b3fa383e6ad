/* SPDX-License-Identifier: Apache-2.0 */
/* attention.h - attention as attention.c computes it, beneath the options of the public function. */
#ifndef GENESIS_OPS_ATTENTION_H
#define GENESIS_OPS_ATTENTION_H

#include "support.h"

typedef struct gn__attention {
    gn_tensor *q, *k, *v; /* (.., L, D), (.., S, D), (.., S, E) */
    gn_tensor *mask;      /* (.., L, S) of bool or of q's dtype, or NULL */
    double scale, dropout;
    bool causal;
} gn__attention;

/* y (.., L, E) = dropout(softmax(q k^T scale + mask)) v. None of q, k, v is NULL. */
gn_tensor *gn__attend(const gn__attention *a);

#endif
