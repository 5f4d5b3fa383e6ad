/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "support.h"

gn__device *recorder_open(const char *name, recorder **state) {
    gn__device *device = gn__device_get(name);
    ck_assert_msg(device != NULL, "%s", gn_error());
    *state = device->table->host_pointer(device->handle, NULL);
    recorder *r = *state;
    const int opened = r->opened, closed = r->closed, shut_down = r->shut_down;
    const uint64_t used = r->used;
    memset(r, 0, sizeof *r);
    r->opened = opened;
    r->closed = closed;
    r->shut_down = shut_down;
    r->used = used;
    return device;
}

const char *test_plugins(void) {
    const char *folder = getenv("GENESIS_TEST_PLUGINS");
    if (folder == NULL) {
        fputs("GENESIS_TEST_PLUGINS is not set: use tests/run-one\n", stderr);
        exit(99);
    }
    return folder;
}

void add_test_plugins(void) {
    char path[8192];
    const char *given = getenv("GENESIS_PLUGIN_PATH");
    snprintf(path, sizeof path, "%s%s%s", given ? given : "", given ? ":" : "", test_plugins());
    setenv("GENESIS_PLUGIN_PATH", path, 1);
}

const char *take_error(void) {
    static char text[1024];
    snprintf(text, sizeof text, "%s", gn_error());
    gn_error_clear();
    return text;
}

bool contains(const char *text, const char *part) {
    if (strstr(text, part))
        return true;
    fprintf(stderr, "\"%s\" does not contain \"%s\"\n", text, part);
    return false;
}

gn__operand strided(gn__storage *storage, int64_t offset, int n_dims, const int64_t *stride) {
    gn__operand operand = {.storage = storage, .offset = offset};
    for (int d = 0; d < n_dims; d++)
        operand.stride[d] = stride[d];
    return operand;
}

gn__operand dense(gn__storage *storage, int n_dims, const int64_t *size) {
    gn__operand operand = {.storage = storage};
    int64_t stride = 1;
    for (int d = n_dims - 1; d >= 0; d--) {
        operand.stride[d] = stride;
        stride *= size[d];
    }
    return operand;
}

gn__storage *floats_new(gn__device *device, int64_t n, const float *values) {
    gn__storage *storage = gn__storage_new(device, (uint64_t)n * sizeof *values);
    ck_assert_msg(storage != NULL, "%s", gn_error());
    if (values)
        ck_assert_int_eq(gn__upload(storage, 0, values, (uint64_t)n * sizeof *values), GN_OK);
    return storage;
}

void floats_get(gn__storage *storage, int64_t n, float *values) {
    ck_assert_int_eq(gn__download(values, storage, 0, (uint64_t)n * sizeof *values), GN_OK);
}
