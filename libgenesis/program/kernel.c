/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel.c - programs by variant: built at first use, then found without a lock.
 */
#include <pthread.h>

#include "program.h"

/* Guards the appending to all caches. An entry is complete before n says that it is there. */
static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;

static const gn_program *find(gn__kernel *kernel, uint64_t key) {
    int n = atomic_load_explicit(&kernel->n, memory_order_acquire);
    for (int i = 0; i < n; i++)
        if (kernel->cache[i].key == key)
            return kernel->cache[i].program;
    return NULL;
}

const gn_program *gn__kernel_program(gn__kernel *kernel, gn__variant variant) {
    const gn_program *program = find(kernel, variant.key);
    if (program)
        return program;
    gn__builder *b = gn__builder_new(kernel->name, kernel->flags);
    if (b == NULL)
        return NULL;
    kernel->build(b, variant.v);
    program = gn__builder_finish(b); /* interned: two threads get the same one */
    if (program == NULL)
        return NULL;
    pthread_mutex_lock(&cache_lock);
    int n = atomic_load_explicit(&kernel->n, memory_order_relaxed);
    if (n < GN__KERNEL_VARIANTS && find(kernel, variant.key) == NULL) {
        kernel->cache[n].key = variant.key;
        kernel->cache[n].program = program;
        atomic_store_explicit(&kernel->n, n + 1, memory_order_release);
    }
    pthread_mutex_unlock(&cache_lock);
    return program;
}
