/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pending.c - answers for the kernels that are not there; each gives way to the function of that
 * name.
 */
#include "opencl.h"

#define PENDING __attribute__((weak))

static gn_status pending(uint64_t tag) { return ocl_fail(GN_E_UNSUPPORTED, tag, "no kernel"); }

PENDING gn_status ocl_scatter(gn_device *device, gn_stream *stream, const gn_scatter_call *call) {
    (void)device, (void)stream;
    return pending(call->tag);
}
