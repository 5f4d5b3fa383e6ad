/* SPDX-License-Identifier: Apache-2.0 */
/* loops_v3.c - the loops for x86-64-v3 processors. */
#include "loops.h"

#if defined(__x86_64__)
#define PLAN_LOOPS plan_loops_v3
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("arch=x86-64-v3"))), apply_to = function)
#else
#pragma GCC target("arch=x86-64-v3")
#endif
#include "loops.inc"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
