/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of backends/opencl/discover.c, limits.c and device.c: which devices are found, what is told
 * of them, what is refused, several of them, a forked process. */
#include <genesis/genesis.h>

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "tests/suite.h"

#define VARIABLES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char *wanted; /* a part of the message that a test expects */

/* Opening fails, and the message says why. */
static int refuses(void) {
    EXPECT(gn_device_count("opencl") == 0);
    EXPECT(gn_set_default_device("opencl") != GN_OK);
    EXPECT(strstr(gn_error(), wanted) != NULL);
    return 0;
}

static void expect_refusal(const char *variable, const char *message) {
    wanted = message;
    child_run(VARIABLES(variable), refuses);
}

/* ---- What is found */

START_TEST(test_no_driver) {
    expect_refusal("OCL_ICD_VENDORS=/nowhere", "the ICD loader finds no driver");
}
END_TEST

START_TEST(test_broken_driver) {
    wanted = "has no device (CL_OUT_OF_HOST_MEMORY)";
    child_run_with_fault("devices", refuses);
}
END_TEST

static int finds_one(void) {
    EXPECT(gn_device_count("opencl") == 1);
    return 0;
}

START_TEST(test_selection) {
    child_run(VARIABLES("GENESIS_OPENCL_DEVICES=0:0"), finds_one);
    child_run(VARIABLES("GENESIS_OPENCL_DEVICES=no such name, 0:0,0:0"), finds_one);
    expect_refusal("GENESIS_OPENCL_DEVICES=no such name", "no such name selects none of them");
    expect_refusal("GENESIS_OPENCL_DEVICES=31:0", "31:0 selects none of them");
}
END_TEST

/* ---- Two devices, which PoCL makes of one CPU */

static gn_device_info first, second;

static bool find_two(void) {
    first.struct_size = second.struct_size = sizeof first;
    return gn_device_count("opencl") == 2 && gn_device_describe("opencl", &first) == GN_OK &&
           gn_device_describe("opencl:1", &second) == GN_OK;
}

static int two_in_order(void) {
    if (!find_two()) {
        puts("SKIP: the order of devices: there is no PoCL to make two of one");
        return 0;
    }
    EXPECT(strncmp(first.name, "basic", 5) == 0);
    EXPECT(strncmp(second.name, "pthread", 7) == 0);
    return 0;
}

static int two_with_copies(void) {
    double back[3] = {0};
    if (!find_two()) {
        puts("SKIP: copies between devices: there is no PoCL to make two of one");
        return 0;
    }
    gn_scope scope = gn_scope_begin();
    const float values[] = {1, 2, 3};
    gn_tensor *x = gn_tensor_from(values, GN_F32, GN_SHAPE(3), GN_AS(.device = "opencl"));
    gn_tensor *y = gn_to_device(x, "opencl:1");
    EXPECT(y != NULL && strcmp(gn_device_of(x), "opencl") == 0);
    EXPECT(strcmp(gn_device_of(y), "opencl:1") == 0);
    EXPECT(gn_copy_out(gn_to_device(y, "opencl"), back, GN_F64, 3) == GN_OK);
    EXPECT(back[0] == 1 && back[1] == 2 && back[2] == 3);
    EXPECT(gn_scope_end(scope) == GN_OK);
    return 0;
}

START_TEST(test_two) {
    child_run(VARIABLES("POCL_DEVICES=pthread basic", "GENESIS_OPENCL_DEVICES=basic,pthread"),
              two_in_order);
    child_run(VARIABLES("POCL_DEVICES=pthread basic"), two_with_copies);
}
END_TEST

/* ---- Limits */

START_TEST(test_bad_limits) {
    expect_refusal("GENESIS_OPENCL_LIMITS=speed=3", "'speed' is none of work_group, local");
    expect_refusal("GENESIS_OPENCL_LIMITS=local", "'local' is not like 'work_group=64'");
    expect_refusal("GENESIS_OPENCL_LIMITS=fp16=0,local=-1", "'local=-1' is not like");
    expect_refusal("GENESIS_OPENCL_LIMITS=local=4k", "'4k' is not a whole number");
    expect_refusal("GENESIS_OPENCL_LIMITS=address=128", "and can't be raised");
}
END_TEST

static int is_lowered(void) {
    gn_device_info info = {.struct_size = sizeof info};
    EXPECT(gn_device_describe("opencl", &info) == GN_OK);
    EXPECT(info.memory_bytes == 64 << 20);
    EXPECT(info.units == 1);
    EXPECT((info.dtypes >> GN_F64 & 1) == 0 && (info.dtypes >> GN_F32 & 1) == 1);
    return 0;
}

/* The memory ends where it is said to, and goes on to be used. */
static int ends(const char *message) {
    EXPECT(gn_set_default_device("opencl") == GN_OK);
    for (int i = 0; i < 3; i++) {
        gn_scope scope = gn_scope_begin();
        gn_tensor *small = gn_empty(1 << 20);
        EXPECT(small != NULL);
        EXPECT(gn_empty(20 << 20) == NULL && gn_error_status() == GN_E_MEMORY);
        EXPECT(strstr(gn_error(), message) != NULL);
        gn_error_clear();
        EXPECT(gn_empty(2 << 20) != NULL);
        gn_scope_end(scope);
    }
    return 0;
}

static int memory_ends(void) { return ends("bytes left of the device's 67108864"); }
static int buffer_ends(void) { return ends("the device's largest buffer has 33554432"); }
static int driver_ends(void) { return ends("bytes left of the device's"); }

START_TEST(test_limits) {
    child_run(VARIABLES("GENESIS_OPENCL_LIMITS=memory=67108864,,units=1,fp64=0"), is_lowered);
    child_run(VARIABLES("GENESIS_OPENCL_LIMITS=memory=67108864"), memory_ends);
    child_run(VARIABLES("GENESIS_OPENCL_LIMITS=block=33554500"), buffer_ends);
    child_run_with_fault("buffer:67108864", driver_ends);
}
END_TEST

/* ---- Fork. That a device which was open is dead in the child is tested by genesis-conform. */

static int refuses_forked(void) {
    EXPECT(gn_device_count("opencl") > 0);
    EXPECT(gn_set_default_device("opencl") == GN_E_FORKED);
    EXPECT(strstr(gn_error(), "before fork()") != NULL);
    return 0;
}

/* The driver was only asked for its devices, but that started its threads. */
static int forks_after_counting(void) {
    int status = -1;
    EXPECT(gn_device_count("opencl") > 0);
    const pid_t child = fork();
    if (child == 0)
        _exit(refuses_forked());
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
    EXPECT(gn_set_default_device("opencl") == GN_OK);
    return 0;
}

START_TEST(test_fork) { child_run(VARIABLES("GENESIS_OPENCL_LIMITS="), forks_after_counting); }
END_TEST

int main(void) {
    const TTest *tests[] = {test_no_driver,  test_broken_driver, test_selection, test_two,
                            test_bad_limits, test_limits,        test_fork,      NULL};
    return suite_run("opencl: discover", tests);
}
