/* SPDX-License-Identifier: Apache-2.0 */
/* packed.h (internal) - packed sequences as recurrent modules want them: padded, longest first. */
#ifndef GENESIS_NN_PACKED_H
#define GENESIS_NN_PACKED_H

#include <genesis/recurrent.h>

#include "module.h"

typedef struct gn__unpacked {
    gn_tensor *x;       /* (T, N, *), zeros behind the ends */
    gn_tensor *lengths; /* (N) int64, descending */
    gn_tensor *places;  /* (rows) int64: where the rows of data are in (T N, *) */
} gn__unpacked;

/* False with an error. `data` comes instead of packed->data. */
bool gn__unpack(const char *op, const gn_packed_sequence *packed, gn_tensor *data,
                gn__unpacked *out);

/* (T, N, *) as data of the same sequences. */
gn_tensor *gn__pack_again(const gn__unpacked *unpacked, gn_tensor *y);

#endif
