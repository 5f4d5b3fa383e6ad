/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shutdown.c - the end of the library's use, and of a later use again.
 */
#include "internal.h"

void gn_shutdown(void) {
    gn__scope_unwind(gn__self(), 0, 0);
    gn__run_shutdown_hooks();
    gn__runtime_shutdown(); /* backends may look at programs until here */
    gn__log_reset();
    gn__thread_free();
}
