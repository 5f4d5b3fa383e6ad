/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks.c - what files of any layer want to be done in gn_shutdown, which lies below them.
 */
#include <pthread.h>
#include <stdlib.h>

#include "internal.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void (**hooks)(void);
static size_t n_hooks, capacity;

gn_status gn__at_shutdown(void (*hook)(void)) {
    pthread_mutex_lock(&lock);
    gn_status status = gn__grow((void **)&hooks, &capacity, n_hooks, sizeof *hooks);
    if (status == GN_OK)
        hooks[n_hooks++] = hook;
    pthread_mutex_unlock(&lock);
    return status;
}

void gn__run_shutdown_hooks(void) {
    pthread_mutex_lock(&lock);
    while (n_hooks > 0) {
        void (*hook)(void) = hooks[--n_hooks];
        pthread_mutex_unlock(&lock); /* a hook may register another one */
        hook();
        pthread_mutex_lock(&lock);
    }
    free(hooks);
    hooks = NULL;
    capacity = 0;
    pthread_mutex_unlock(&lock);
}
