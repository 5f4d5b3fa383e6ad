/* SPDX-License-Identifier: Apache-2.0 */
/*
 * data.h (internal) - arrays read from files, and what a data set is made of.
 */
#ifndef GENESIS_DATA_INTERNAL_H
#define GENESIS_DATA_INTERNAL_H

#include <genesis/data.h>
#include <genesis/shape_ops.h>

#include "../tensor/tensor.h"

/* An array in host memory, row-major, in the host's byte order. */
typedef struct gn__idx {
    void *data; /* free() it */
    int dtype;
    gn_shape shape;
    int64_t count;
} gn__idx;

/* Reads a file in the IDX format, plain or gzip'd. `hint` is appended to the error if there is no
 * such file; NULL: nothing. */
gn_status gn__idx_read(const char *path, const char *hint, gn__idx *out);

struct gn_dataset {
    gn__object object;
    gn_tensor *x, *y; /* y may be NULL */
    int64_t size;     /* samples: the first size of both */
};

#endif
