/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the layer "fault" itself (tests/plugins/fault.c): each way in which it misbehaves. */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <genesis/genesis.h>

#include "support.h"
#include "tests/plugins/fault.h"
#include "tests/suite.h"

/* Opens a device with GENESIS_FAULT as given; the layer's struct, or NULL with an error. */
static fault *open_device(const char *device, const char *variable) {
    char path[4096];
    gn_shutdown();
    if (variable)
        setenv("GENESIS_FAULT", variable, 1);
    else
        unsetenv("GENESIS_FAULT");
    if (gn_set_default_device(device) != GN_OK)
        return NULL;
    snprintf(path, sizeof path, "%s/genesis_fault.so", test_plugins());
    void *object = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    return object ? dlsym(object, "fault_state") : NULL;
}

static fault *open_with(const char *variable) { return open_device("fault:ref", variable); }

static fault *open_quiet(void) {
    fault *told = open_with(NULL);
    ck_assert_msg(told != NULL, "%s", gn_error());
    ck_assert_uint_eq(told->n, 0);
    return told;
}

/* Eight elements: 1 + 1 in the first four, computed in place and as told, then zeros. */
static gn_status add(fault *told, fault how, gn_dtype dtype, double out[8]) {
    gn_scope scope = gn_scope_begin();
    gn_tensor *all = gn_zeros_with(GN_SHAPE(8), GN_AS(.dtype = dtype)),
              *part = gn_narrow(all, 0, 0, 4);
    gn_fill_(part, 1);
    fault_tell(told, how);
    gn_add_scalar_(part, 1);
    gn_copy_out(all, out, GN_F64, 8);
    told->n = 0;
    return gn_scope_end(scope);
}

static void expect(const double out[8], double first, double fifth) {
    for (int i = 0; i < 8; i++)
        ck_assert_double_eq(out[i], i == 0 ? first : i == 4 ? fifth : i < 4 ? 2 : 0);
}

START_TEST(test_quiet) {
    double out[8];
    fault *told = open_quiet();
    ck_assert_int_eq(add(told, (fault){.n = 0}, GN_F32, out), GN_OK);
    expect(out, 2, 0);
    ck_assert_uint_eq(told->struck, 0);
    ck_assert_uint_eq(told->calls[FAULT_map], 1);
    ck_assert_uint_eq(told->calls[FAULT_download], 1);
    ck_assert_uint_eq(told->calls[FAULT_any], 2);
}
END_TEST

START_TEST(test_failures) {
    double out[8];
    fault *told = open_quiet();
    fault how = {.function = FAULT_map, .n = 1, .status = GN_E_LOST};
    ck_assert_int_eq(add(told, how, GN_F32, out), GN_E_LOST);
    ck_assert_str_eq(take_error(), "add_scalar_: device lost: map was told to fail (on fault:ref)");
    how.n = 2;
    ck_assert_int_eq(add(told, how, GN_F32, out), GN_OK); /* there is but one */
    how = (fault){.function = FAULT_any, .n = 2, .status = GN_E_IO};
    ck_assert_int_eq(add(told, how, GN_F32, out), GN_E_IO);
    ck_assert(contains(take_error(), "download: input/output error: download was told to fail"));
    how = (fault){.function = FAULT_map, .n = 1, .status = GN_E_DEVICE, .late = 1};
    ck_assert_int_eq(add(told, how, GN_F32, out), GN_E_DEVICE);
    ck_assert_str_eq(take_error(),
                     "add_scalar_: device error: work was told to fail (on fault:ref)");
    ck_assert_int_eq(add(told, (fault){.n = 0}, GN_F32, out), GN_OK); /* it is over */
}
END_TEST

/* On a device with streams an error that is late comes out when the stream is waited for. */
START_TEST(test_late_on_a_stream) {
    fault *told = open_device("fault:clocked", NULL);
    ck_assert_msg(told != NULL, "%s", gn_error());
    gn_tensor *x = gn_zeros(3);
    static const struct {
        gn_status (*wait)(const char *device);
        const char *name;
    } waits[] = {{gn_synchronize, "synchronize"}, {gn_empty_cache, "empty_cache"}};
    for (size_t i = 0; i < GN_LENGTH(waits); i++) {
        fault_tell(told, (fault){.function = FAULT_map, .n = 2, .status = GN_E_DEVICE, .late = 1});
        gn_exp(x);
        gn_tanh(x);
        gn_sin(x);
        ck_assert_int_eq(gn_error_status(), GN_OK);
        ck_assert_int_eq(waits[i].wait(NULL), GN_E_DEVICE);
        ck_assert_str_eq(take_error(),
                         "tanh: device error: work was told to fail (on fault:clocked)");
        ck_assert_msg(waits[i].wait(NULL) == GN_OK, "%s: %s", waits[i].name, gn_error());
        fault_tell(told, (fault){.function = FAULT_synchronise, .n = 1, .status = GN_E_LOST});
        ck_assert_int_eq(waits[i].wait(NULL), GN_E_LOST);
        ck_assert(contains(take_error(), waits[i].name));
    }
    gn_shutdown();
    ck_assert(told->blocks == 0 && told->devices == 0 && told->events == 0 && told->streams == 0);
}
END_TEST

START_TEST(test_wrong_results) {
    double out[8];
    fault *told = open_quiet();
    fault how = {.function = FAULT_map, .n = 1, .mode = FAULT_MODE_wrong};
    ck_assert_int_eq(add(told, how, GN_F32, out), GN_OK);
    expect(out, 2.125, 0);
    ck_assert_uint_eq(told->struck, 1);
    how.mode = FAULT_MODE_overrun;
    ck_assert_int_eq(add(told, how, GN_I32, out), GN_OK);
    expect(out, 2, 255);
}
END_TEST

START_TEST(test_lie) {
    double out[8];
    fault *told = open_quiet();
    const fault how = {.function = FAULT_any, .n = 1, .mode = FAULT_MODE_lie};
    ck_assert_int_eq(add(told, how, GN_F32, out), GN_OK);
    ck_assert_int_eq(add(told, how, GN_F64, out), GN_E_UNSUPPORTED);
    ck_assert(contains(take_error(), "add_scalar_: not supported: no float64 after all"));
}
END_TEST

/* ---- What ends or harms the process: in a child. There, only the layer's device is open. */

/* The status with which a child ends that adds under the variable; -1 if it did not in a second. */
static int add_in_child(const char *variable) {
    gn_shutdown();
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        double out[8];
        fault *told = open_with(variable);
        if (told == NULL ||
            add(told, (fault){.n = 1, .function = told->function, .mode = told->mode}, GN_F32,
                out) != GN_OK)
            _exit(100);
        gn_shutdown();
        _exit(told->blocks);
    }
    for (int i = 0; i < 100; i++) {
        int status;
        if (waitpid(child, &status, WNOHANG) == child)
            return status;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return -1;
}

START_TEST(test_crash_hang_leak) {
    ck_assert_int_eq(add_in_child("function=upload,n=1000000"), 0);
    int status = add_in_child("function=map,mode=crash");
    /* a sanitizer makes an exit of it */
    ck_assert((WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) || WEXITSTATUS(status) != 0);
    ck_assert_int_eq(add_in_child("function=map,mode=hang"), -1);
    status = add_in_child("function=map,mode=leak");
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 3); /* a block of each: zeros, fill, add */
}
END_TEST

/* ---- GENESIS_FAULT */

START_TEST(test_variable) {
    const fault *told = open_with("function=row_map,n=17,status=memory,late=1,mode=fail");
    ck_assert_msg(told != NULL, "%s", gn_error());
    ck_assert_int_eq(told->function, FAULT_row_map);
    ck_assert_uint_eq(told->n, 17);
    ck_assert_int_eq(told->status, GN_E_MEMORY);
    ck_assert_int_eq(told->late, 1);
    ck_assert_int_eq(told->mode, FAULT_MODE_fail);
    told = open_with("mode=overrun");
    ck_assert_ptr_nonnull(told);
    ck_assert_int_eq(told->function, FAULT_any);
    ck_assert_uint_eq(told->n, 1);
    ck_assert_int_eq(told->mode, FAULT_MODE_overrun);
    static const char *const wrong[] = {"function=rum", "n=0",     "n=x",  "status=fine",
                                        "mode=",        "map",     "n=1;", "late=1,colour=red",
                                        "status=ok",    "n=1,,n=2"};
    for (size_t i = 0; i < GN_LENGTH(wrong); i++) {
        ck_assert_ptr_null(open_with(wrong[i]));
        ck_assert_int_eq(gn_error_status(), GN_E_ARGUMENT);
        ck_assert(contains(take_error(), "GENESIS_FAULT: what does '"));
    }
    ck_assert_ptr_nonnull(open_with(""));
    gn_shutdown();
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_quiet,         test_failures, test_late_on_a_stream,
                            test_wrong_results, test_lie,      test_crash_hang_leak,
                            test_variable,      NULL};
    return suite_run("fault", tests);
}
