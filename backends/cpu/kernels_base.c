/* SPDX-License-Identifier: Apache-2.0 */
/* kernels_base.c - the kernels for any processor, and the choice among the sets. */
#define CPU_KERNELS cpu_kernels_base
#define CPU_KERNELS_NAME "base"
#include "kernels.inc"

const cpu_kernels *cpu_kernels_best(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    /* x86-64-v3 and v4, by those of their features that our loops can use. */
    bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
              __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
              __builtin_cpu_supports("avx512vl");
    if (v4)
        return &cpu_kernels_v4;
    if (v3)
        return &cpu_kernels_v3;
#endif
    return &cpu_kernels_base;
}
