/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of backends/opencl/stream.c, launch.c and errors.c: a driver that fails, a device that is
 * lost, and two openings of one device. */
#include <genesis/genesis.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "child.h"
#include "runtime/internal.h"
#include "tests/suite.h"

static double first(gn_tensor *t) {
    double value = 0;
    gn_copy_out(gn_narrow(t, 0, 0, 1), &value, GN_F64, 1);
    return value;
}

/* ---- Faults of the driver */

/* The second of three launches fails: its operation is named, and the others are as ever. */
static int fails_once(void) {
    EXPECT(gn_set_default_device("opencl") == GN_OK);
    gn_scope scope = gn_scope_begin();
    gn_tensor *x = gn_zeros(4);
    EXPECT(x != NULL);
    EXPECT(gn_exp(x) == NULL && gn_error_status() == GN_E_DEVICE);
    EXPECT(strstr(gn_error(), "exp: ") != NULL);
    EXPECT(strstr(gn_error(), "CL_OUT_OF_RESOURCES") != NULL);
    gn_error_clear();
    EXPECT(first(gn_exp(x)) == 1);
    EXPECT(gn_scope_end(scope) == GN_OK);
    return 0;
}

START_TEST(test_launch) { child_run_with_fault("launch:2", fails_once); }
END_TEST

/* A kernel that crashes shows at the next wait: the last operation is named. */
static int fails_late(void) {
    EXPECT(gn_set_default_device("opencl") == GN_OK);
    gn_scope scope = gn_scope_begin();
    gn_tensor *y = gn_exp(gn_zeros(4));
    EXPECT(y != NULL);
    EXPECT(gn_synchronize(NULL) == GN_E_DEVICE);
    EXPECT(strstr(gn_error(), "exp: ") != NULL);
    gn_error_clear();
    EXPECT(gn_synchronize(NULL) == GN_OK);
    EXPECT(first(y) == 1);
    EXPECT(gn_scope_end(scope) == GN_OK);
    return 0;
}

START_TEST(test_late) { child_run_with_fault("finish:1", fails_late); }
END_TEST

/* Every call says that the device is lost, and nothing waits for it. */
static int is_lost(void) {
    double values[4];
    EXPECT(gn_set_default_device("opencl") == GN_OK);
    gn_scope scope = gn_scope_begin();
    gn_tensor *x = gn_zeros(4);
    EXPECT(x != NULL);
    EXPECT(gn_exp(x) == NULL && gn_error_status() == GN_E_LOST);
    EXPECT(strstr(gn_error(), "exp: ") != NULL);
    gn_error_clear();
    EXPECT(gn_exp(x) == NULL && gn_error_status() == GN_E_LOST);
    EXPECT(strstr(gn_error(), "start it again") != NULL);
    gn_error_clear();
    EXPECT(gn_copy_out(x, values, GN_F64, 4) == GN_E_LOST);
    gn_error_clear();
    EXPECT(gn_synchronize(NULL) == GN_E_LOST);
    gn_error_clear();
    EXPECT(gn_zeros(1 << 22) == NULL && gn_error_status() == GN_E_LOST);
    gn_error_clear();
    gn_scope_end(scope);
    return 0;
}

START_TEST(test_lost) { child_run_with_fault("lost:2", is_lost); }
END_TEST

/* ---- An index out of range, which a kernel finds */

static int names_the_index(void) {
    EXPECT(gn_set_default_device("opencl") == GN_OK);
    gn_scope scope = gn_scope_begin();
    gn_tensor *table = gn_zeros(5, 2);
    const int64_t indices[] = {1, 7};
    gn_tensor *bad = gn_tensor_of(indices, 2);
    gn_tensor *rows = gn_embedding(bad, table);
    gn_tensor *later = gn_exp(table);
    EXPECT(rows != NULL && later != NULL);
    EXPECT(gn_synchronize(NULL) == GN_E_INDEX);
    EXPECT(strstr(gn_error(), "embedding: ") != NULL);
    EXPECT(strstr(gn_error(), "index 7 is out of range for an extent of 5") != NULL);
    gn_error_clear();
    EXPECT(gn_synchronize(NULL) == GN_OK);
    EXPECT(gn_scope_end(scope) == GN_OK);
    return 0;
}

START_TEST(test_index) { child_run((const char *const[]){NULL}, names_the_index); }
END_TEST

/* ---- Nothing is left: every object of OpenCL is released, after errors as well */

/* Of a stream and an event that outlives it. */
static int uses_stream(const gn_backend *table, gn_device *device) {
    gn_stream *stream = NULL;
    gn_event *event = NULL;
    EXPECT(table->stream_create(device, &stream) == GN_OK);
    EXPECT(table->event_create(device, &event) == GN_OK);
    for (int i = 0; i < 2; i++)
        EXPECT(table->event_record(device, stream, event) == GN_OK);
    table->stream_destroy(device, stream);
    EXPECT(table->event_synchronise(device, event) == GN_OK);
    table->event_destroy(device, event);
    return 0;
}

static int leaves_nothing(void) {
    enum { LARGE = 3 << 20 }; /* floats: more than the staging memory has */
    char path[4096];
    float *data = calloc(LARGE, sizeof *data);
    snprintf(path, sizeof path, "%s/genesis_opencl_faults.so", getenv("GENESIS_TEST_PLUGINS"));
    EXPECT(data != NULL && gn_set_default_device("opencl") == GN_OK);
    const gn__device *device = gn__device_get(NULL);
    for (int i = 0; i < 3; i++) {
        gn_scope scope = gn_scope_begin();
        EXPECT(first(gn_exp(gn_tensor_from(data, GN_F32, GN_SHAPE(LARGE), NULL))) == 1);
        EXPECT(gn_empty((int64_t)1 << 50) == NULL && gn_error_status() == GN_E_MEMORY);
        gn_error_clear();
        EXPECT(uses_stream(device->table, device->handle) == 0);
        EXPECT(gn_scope_end(scope) == GN_OK);
    }
    free(data);
    gn_shutdown();
    void *layer = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    const long *alive = layer ? dlsym(layer, "opencl_alive") : NULL;
    EXPECT(alive != NULL && *alive == 0);
    return 0;
}

START_TEST(test_nothing_left) {
    child_run_with_fault("none", leaves_nothing);
    setenv("GENESIS_CACHE_DIR", "", 1); /* from source, then */
    child_run_with_fault("none", leaves_nothing);
}
END_TEST

/* ---- Two openings, which share nothing */

static int opens_twice(void) {
    enum { N = 1000 };
    int32_t in[2][N], back[N];
    gn_device *devices[2];
    gn_mem *blocks[2];
    gn__device *device = gn__device_get("opencl");
    EXPECT(device != NULL);
    const gn_backend *table = device->table;
    for (int i = 0; i < 2; i++) {
        EXPECT(table->open(device->ordinal, &devices[i]) == GN_OK);
        EXPECT(table->alloc(devices[i], sizeof in[i], &blocks[i]) == GN_OK);
        for (int k = 0; k < N; k++)
            in[i][k] = i * N + k;
        EXPECT(table->upload(devices[i], NULL, blocks[i], 0, in[i], sizeof in[i]) == GN_OK);
    }
    for (int i = 0; i < 2; i++) {
        EXPECT(table->download(devices[i], NULL, back, blocks[i], 0, sizeof back) == GN_OK);
        EXPECT(memcmp(back, in[i], sizeof back) == 0);
        table->free(devices[i], blocks[i]);
        table->close(devices[i]);
    }
    return 0;
}

START_TEST(test_two_openings) { child_run((const char *const[]){NULL}, opens_twice); }
END_TEST

int main(void) {
    const TTest *tests[] = {test_launch,       test_late,         test_lost, test_index,
                            test_nothing_left, test_two_openings, NULL};
    return suite_run("opencl: faults", tests);
}
