/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.h - models that are more than layers in a row.
 */
#ifndef GENESIS_BENCH_H
#define GENESIS_BENCH_H

#include <genesis/genesis.h>

/* A block of a transformer's encoder, pre-norm, without dropout: (N, L, width) -> (N, L, width). */
gn_module *bench_transformer_block(int64_t width, int64_t heads);

#endif
