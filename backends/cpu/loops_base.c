/* SPDX-License-Identifier: Apache-2.0 */
/* loops_base.c - the loops for any processor, and the choice among the sets. */
#include "kernels.h"
#include "loops.h"

#define PLAN_LOOPS plan_loops_base
#include "loops.inc"

const plan_loops *plan_loops_best(void) {
#if defined(__x86_64__)
    const cpu_kernels *best = cpu_kernels_best();
    if (best == &cpu_kernels_v4)
        return &plan_loops_v4;
    if (best == &cpu_kernels_v3)
        return &plan_loops_v3;
#endif
    return &plan_loops_base;
}
