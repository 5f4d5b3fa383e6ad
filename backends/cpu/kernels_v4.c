/* SPDX-License-Identifier: Apache-2.0 */
/* kernels_v4.c - the kernels for x86-64-v4 processors. */
#include "kernels.h"

#if defined(__x86_64__)
#define CPU_KERNELS cpu_kernels_v4
#define CPU_VECTOR_BITS 512
#define CPU_KERNELS_NAME "x86-64-v4"
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4"))), apply_to = function)
#else
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")
#endif
#include "kernels.inc"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
