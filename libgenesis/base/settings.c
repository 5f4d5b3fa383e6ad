/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.c - settings of the whole library: its version, the number of threads, the default dtype.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0.1.0"
#endif

enum { MAX_THREADS = 4096 };

const char *gn_version(void) { return PACKAGE_VERSION; }

/* 0: not asked for yet. */
static atomic_int n_threads;

/* Processors that this process may run on: in a container often fewer than the machine has. */
static int count_processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

static int standard_threads(void) {
    const char *text = getenv("GENESIS_NUM_THREADS");
    if (text && *text) {
        char *end;
        long wanted = strtol(text, &end, 10);
        if (*end == '\0' && wanted >= 1 && wanted <= MAX_THREADS)
            return (int)wanted;
        gn__log(GN_LOG_WARNING, "GENESIS_NUM_THREADS=%s is not a number from 1 to %d", text,
                MAX_THREADS);
    }
    return count_processors();
}

int gn_num_threads(void) {
    int threads = atomic_load_explicit(&n_threads, memory_order_relaxed);
    if (threads > 0)
        return threads;
    threads = standard_threads();
    int none = 0; /* a number set meanwhile by another thread wins */
    if (!atomic_compare_exchange_strong(&n_threads, &none, threads))
        threads = none;
    return threads;
}

gn_status gn_set_num_threads(int threads) {
    if (gn__failed())
        return gn_error_status();
    if (threads < 1 || threads > MAX_THREADS)
        return gn_fail(GN_E_ARGUMENT, "set_num_threads", "%d threads: it takes from 1 to %d",
                       threads, MAX_THREADS);
    atomic_store(&n_threads, threads);
    return GN_OK;
}

/* ---- The default dtype */

static atomic_int default_dtype = GN_F32;

gn_dtype gn_default_dtype(void) {
    return (gn_dtype)atomic_load_explicit(&default_dtype, memory_order_relaxed);
}

gn_status gn_set_default_dtype(gn_dtype dtype) {
    if (gn__failed())
        return gn_error_status();
    if (!gn_dtype_is_float((int)dtype))
        return gn_fail(GN_E_ARGUMENT, "set_default_dtype",
                       "dtype %d: it must be a floating-point one", (int)dtype);
    atomic_store(&default_dtype, (int)dtype);
    return GN_OK;
}
