/* SPDX-License-Identifier: Apache-2.0 */
/* sort.h (internal) - what sort.c leaves to the host. */
#ifndef GENESIS_OPS_SORT_H
#define GENESIS_OPS_SORT_H

#include "ops.h"

/* Sorts a row-major tensor along the dim in place, stably, and writes where its elements were.
 * Waits for the device, whose memory the host must see. */
gn_status gn__sort_on_host(gn_tensor *value, gn_tensor *place, int dim, bool descending);

#endif
