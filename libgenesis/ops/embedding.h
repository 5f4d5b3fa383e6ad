/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedding.h - rows of tables (V, D) by indices (*), which are int64 and on the table's device.
 */
#ifndef GENESIS_OPS_EMBEDDING_H
#define GENESIS_OPS_EMBEDDING_H

#include "support.h"

/* The rows of a table at indices: (*, D). Differentiable. */
gn_tensor *gn__rows_at(gn_tensor *indices, gn_tensor *table);
/* The transpose: a table of `count` rows of zeros, with `rows` (*, D) added at indices.
 * Differentiable. */
gn_tensor *gn__rows_added(gn_tensor *indices, gn_tensor *rows, int64_t count);
/* Each row of the table combined (GN_SCATTER_*) with the rows at its index. Not recorded. */
gn_status gn__rows_combine(gn_tensor *indices, gn_tensor *rows, gn_tensor *table, int combine);

/* The row of padding among `count`, from the end if negative; -1 if none is given. False with an
 * error. */
bool gn__embedding_padding(const char *where, gn_optional padding, int64_t count, int64_t *row);

#endif
