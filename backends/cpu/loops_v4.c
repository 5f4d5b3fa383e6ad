/* SPDX-License-Identifier: Apache-2.0 */
/* loops_v4.c - the loops for x86-64-v4 processors. */
#include "loops.h"

#if defined(__x86_64__)
#define PLAN_LOOPS plan_loops_v4
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4"))), apply_to = function)
#else
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")
#endif
#include "loops.inc"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
