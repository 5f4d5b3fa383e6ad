/* SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create */
#endif
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Views may name one element any number of times. */
enum { MAX_COUNT = 1 << 20 };

static gn_status take(void *sum, const void *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        *(unsigned *)sum += ((const unsigned char *)bytes)[i];
    return GN_OK;
}

static void read_all(const gn_dict *dict, int depth) {
    for (int64_t i = 0; i < gn_dict_size(dict); i++) {
        const gn__value *value = gn__dict_value(dict, i);
        unsigned sum = 0;
        if (value->kind >= GN_VALUE_DICT && depth < GN__DICT_MAX_DEPTH)
            read_all(value->object, depth + 1);
        else if (value->kind == GN_VALUE_TENSOR && gn_numel(value->object) <= MAX_COUNT)
            gn__write_tensor(value->object, take, &sum);
    }
}

void fuzz_finish(gn_scope scope, const gn_dict *dict) {
    if ((dict == NULL) != (gn_error_status() != GN_OK)) /* an error or a result, never both */
        abort();
    if (dict)
        read_all(dict, 0);
    gn_error_clear();
    gn_scope_end(scope);
}

int fuzz_file(const uint8_t *bytes, size_t n, char path[64]) {
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
        abort();
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

void fuzz_format(const gn__format *format, const uint8_t *bytes, size_t n) {
    char path[64];
    int fd = fuzz_file(bytes, n, path);
    gn_scope scope = gn_scope_begin();
    gn__device *device = gn__device_get(NULL);
    if (device == NULL)
        abort();
    fuzz_finish(scope, format->load(path, device));
    close(fd);
}
