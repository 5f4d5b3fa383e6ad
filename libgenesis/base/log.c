/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.c - the log to stderr, silent unless the variable GENESIS_LOG asks for it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static const char *const words[] = {
    [GN_LOG_ERROR] = "error", [GN_LOG_WARNING] = "warning",    [GN_LOG_INFO] = "info",
    [GN_LOG_DEBUG] = "debug", [GN__LOG_FALLBACK] = "fallback",
};

/* Bit `level` for each level to be printed; negative: the variable has not been read. Threads that
 * read it at the same time find the same. */
static atomic_int enabled = -1;

static int read_variable(void) {
    const char *list = getenv("GENESIS_LOG");
    int mask = 0;
    while (list && *list) {
        size_t length = strcspn(list, ",");
        for (int level = 0; level < (int)GN_LENGTH(words); level++) {
            if (strlen(words[level]) != length || strncmp(list, words[level], length) != 0)
                continue;
            if (level == GN__LOG_FALLBACK)
                mask |= 1 << level;
            else
                mask |= (1 << (level + 1)) - 1; /* a level includes the graver ones */
        }
        list += length + (list[length] == ',');
    }
    return mask;
}

void gn__log_reset(void) { atomic_store_explicit(&enabled, -1, memory_order_relaxed); }

bool gn__log_enabled(int level) {
    int mask = atomic_load_explicit(&enabled, memory_order_relaxed);
    if (mask < 0) {
        mask = read_variable();
        atomic_store_explicit(&enabled, mask, memory_order_relaxed);
    }
    return level >= 0 && level < (int)GN_LENGTH(words) && (mask >> level & 1);
}

void gn__log(int level, const char *format, ...) {
    if (!gn__log_enabled(level))
        return;
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "genesis: %s: %s\n", words[level], text);
}
