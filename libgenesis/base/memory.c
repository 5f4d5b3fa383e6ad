/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.c - memory of the library itself. What does not fit is an error, never an abort.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Above this, calloc takes zero pages from the system; below, malloc's thread cache, which calloc
 * does not use, and a memset are several times faster. */
enum { CALLOC_FROM = 32 * 1024 };

void *gn__alloc(size_t bytes) {
    if (bytes == 0)
        bytes = 1;
    void *memory;
    if (bytes < CALLOC_FROM) {
        memory = malloc(bytes);
        if (memory)
            memset(memory, 0, bytes);
    } else {
        memory = calloc(1, bytes);
    }
    if (memory == NULL)
        gn_fail(GN_E_MEMORY, "host memory", "no memory for %zu bytes", bytes);
    return memory;
}

void *gn__alloc_array(size_t count, size_t bytes) {
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total))
        return gn__fail_null(GN_E_MEMORY, "host memory", "%zu elements of %zu bytes are too many",
                             count, bytes);
    return gn__alloc(total);
}

char *gn__strdup(const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = gn__alloc(bytes);
    if (copy)
        memcpy(copy, text, bytes);
    return copy;
}

gn_status gn__grow(void **array, size_t *capacity, size_t count, size_t element_bytes) {
    if (count < *capacity)
        return GN_OK;
    size_t wanted = *capacity ? *capacity : 8, bytes;
    while (wanted <= count)
        if (__builtin_mul_overflow(wanted, (size_t)2, &wanted))
            return gn_fail(GN_E_MEMORY, "host memory", "%zu elements are too many", count);
    void *grown = NULL;
    if (!__builtin_mul_overflow(wanted, element_bytes, &bytes))
        grown = realloc(*array, bytes);
    if (grown == NULL)
        return gn_fail(GN_E_MEMORY, "host memory", "no memory for %zu elements of %zu bytes",
                       wanted, element_bytes);
    *array = grown;
    *capacity = wanted;
    return GN_OK;
}
