/* SPDX-License-Identifier: Apache-2.0 */
/* parallel.h - one parallel region; what to run alone is decided here, too. */
#ifndef GENESIS_CPU_PARALLEL_H
#define GENESIS_CPU_PARALLEL_H

#include "cpu.h"
#if defined(_OPENMP)
#include <omp.h>
#endif

/* Work of fewer nanoseconds than this gains nothing from a second thread: waking it costs 1 us. */
enum { CPU_WORK_ALONE = 6000 };

/* Threads for `tasks` tasks that take so many nanoseconds together. */
static inline int cpu_threads_for(double nanoseconds, int64_t tasks) {
    if (nanoseconds < CPU_WORK_ALONE || tasks < 2)
        return 1;
    const int64_t threads = cpu_threads(), useful = (int64_t)(nanoseconds / (CPU_WORK_ALONE / 2));
    const int64_t n = threads < tasks ? threads : tasks;
    return (int)(n < useful ? n : useful);
}

/* The body runs once per thread: thread `t` of `n`. */
typedef void cpu_body(void *context, int thread, int n_threads);

static inline void cpu_parallel(int n_threads, cpu_body *body, void *context) {
#if defined(_OPENMP)
    if (n_threads > 1) {
#pragma omp parallel num_threads(n_threads)
        body(context, omp_get_thread_num(), omp_get_num_threads());
        return;
    }
#endif
    (void)n_threads;
    body(context, 0, 1);
}

/* The first of the tasks of a thread; it ends where the next one's begin. */
static inline int64_t cpu_share(int64_t tasks, int thread, int n_threads) {
    if (thread == 0)
        return 0;
    if (thread == n_threads)
        return tasks;
    const int64_t each = tasks / n_threads, more = tasks % n_threads;
    return thread * each + (thread < more ? thread : more);
}

#endif
