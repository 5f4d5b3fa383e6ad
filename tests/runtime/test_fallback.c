/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/runtime/fallback.c: what is composed, how often, and at what cost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <genesis/genesis.h>

#include "support.h"
#include "tests/capture.h"
#include "tests/suite.h"

enum { MOST = 32 };

static gn_fallback found[MOST];

/* Lists all; returns how many there are. */
static size_t list(void) {
    size_t n = gn_fallback_list(found, MOST);
    ck_assert_uint_le(n, MOST);
    for (size_t i = 1; i < n; i++)
        ck_assert_double_ge(found[i - 1].seconds, found[i].seconds);
    return n;
}

/* The one of an operation, the reason of which contains `part`. */
static const gn_fallback *find(const char *op, const char *part) {
    for (size_t i = 0, n = list(); i < n; i++)
        if (strcmp(found[i].op, op) == 0 && strstr(found[i].reason, part))
            return &found[i];
    ck_abort_msg("%s was not composed because of '%s'", op, part);
}

static void expect(const char *op, const char *part, uint64_t count, uint64_t launches) {
    const gn_fallback *f = find(op, part);
    ck_assert_str_eq(f->device, gn_default_device());
    ck_assert_uint_eq(f->count, count);
    ck_assert_uint_eq(f->launches, launches);
    ck_assert_double_gt(f->seconds, 0);
    ck_assert_double_lt(f->seconds, 100);
}

/* A step of a net with a layer of each kind that has a planned kernel. */
static void train(void) {
    gn_scope scope = gn_scope_begin();
    gn_module *model = gn_nn_sequential(gn_nn_conv2d(1, 2, 3), gn_nn_batch_norm2d(2),
                                        gn_nn_max_pool2d(2), gn_nn_flatten(), gn_nn_linear(8, 3));
    gn_optimizer *sgd = gn_optim_sgd(gn_parameters(model), .lr = 0.1);
    gn_tensor *y = gn_forward(model, gn_randn(2, 1, 6, 6));
    gn_backward(gn_sum(gn_softmax(y, 1)));
    gn_step(sgd);
    ck_assert_msg(gn_scope_end(scope) == GN_OK, "%s", gn_error());
}

/* The fake computes nothing, but it is asked for the same calls as any backend of three kernels. */
START_TEST(test_a_step_on_three_kernels) {
    static const char plans[] = "plans no kernels", rows[] = "no row_map", many[] = "no map_many";
    char *device = strdup(gn_default_device());
    ck_assert_int_eq(gn_set_default_device("small_table"), GN_OK);
    gn_fallback_reset();
    ck_assert_uint_eq(list(), 0);
    train();
    expect("conv2d", plans, 2, 3);        /* y; dw with db: dx is not asked for */
    expect("batch_norm", plans, 1, 3);    /* mean, variance, y */
    expect("batch_norm", rows, 2, 3 + 2); /* the same calls, seen from inside; those of dx */
    expect("batch_norm", "its forward run was composed", 1, 3);
    expect("max_pool2d", plans, 1, 1);
    expect("max_pool2d", "its forward run was composed", 1, 2); /* zeros, scatter */
    expect("linear", plans, 3, 3);
    expect("softmax", rows, 2, 3 + 2);
    expect("sgd", many, 1, 6);
    train();
    expect("linear", plans, 6, 6);
    gn_fallback_reset();
    ck_assert_uint_eq(list(), 0);
    ck_assert_uint_eq(gn_fallback_report(NULL, 0), 0);
    ck_assert_int_eq(gn_set_default_device(device), GN_OK);
    free(device);
}
END_TEST

/* An account for each operation, device and reason. */
START_TEST(test_accounts) {
    recorder *state;
    gn__device *one = recorder_open("recorder", &state), *two = gn__device_get("recorder:1");
    static const char op[] = "op", same[] = "op";
    gn_fallback_reset();
    gn__fallback(one, op, "first");
    gn__fallback(one, same, "first");
    gn__fallback(two, op, "first");
    gn__fallback(one, op, "second");
    gn__fallback(one, "other", "first");
    ck_assert_uint_eq(list(), 4);
    ck_assert_uint_eq(find("op", "second")->count, 1);
    ck_assert_uint_eq(find("other", "first")->count, 1);
    uint64_t count = 0;
    for (int i = 0; i < 4; i++)
        if (strcmp(found[i].op, "op") == 0 && strcmp(found[i].device, "recorder") == 0)
            count += found[i].count;
    ck_assert_uint_eq(count, 3);
}
END_TEST

/* Calls of the device, and time, in a composition. */
static void compose(gn__device *device, const char *op, int launches, long microseconds) {
    gn__fallback(device, op, "test");
    const gn__composition composition = gn__composition_begin();
    for (int i = 0; i < launches; i++)
        ck_assert_int_eq(gn__device_wait(device, op), GN_OK);
    nanosleep(&(struct timespec){.tv_nsec = microseconds * 1000}, NULL);
    gn__composition_end(&composition);
}

START_TEST(test_sorted_by_cost) {
    recorder *state;
    gn__device *device = recorder_open("recorder", &state);
    gn_fallback two[2];
    gn_fallback_reset();
    compose(device, "middle", 2, 20000);
    compose(device, "cheap", 1, 0);
    compose(device, "dear", 3, 60000);
    /* what follows no gn__fallback is not measured */
    const gn__composition composition = gn__composition_begin();
    ck_assert_int_eq(gn__device_wait(device, "nothing"), GN_OK);
    gn__composition_end(&composition);
    ck_assert_uint_eq(list(), 3);
    ck_assert_double_ge(find("dear", "test")->seconds, 0.06);
    ck_assert_uint_eq(find("dear", "test")->launches, 3);
    ck_assert_double_ge(find("middle", "test")->seconds, 0.02);
    ck_assert_uint_eq(find("cheap", "test")->launches, 1);
    ck_assert_uint_eq(gn_fallback_list(two, 2), 3);
    ck_assert_str_eq(two[0].op, found[0].op);
    ck_assert_str_eq(two[1].op, found[1].op);
    two[0].op = NULL;
    ck_assert_uint_eq(gn_fallback_list(two, 1), 3);
    ck_assert_str_eq(two[0].op, found[0].op);
}
END_TEST

START_TEST(test_report) {
    recorder *state;
    gn__device *device = recorder_open("recorder", &state);
    char report[500], start[7];
    gn_fallback_reset();
    compose(device, "dear", 3, 20000);
    compose(device, "cheap", 1, 0);
    size_t length = gn_fallback_report(report, sizeof report);
    ck_assert_uint_eq(length, strlen(report));
    ck_assert(contains(report, "dear on recorder: 1 times, 3 launches, "));
    ck_assert(contains(report, "cheap on recorder: 1 times, 1 launches, "));
    ck_assert_str_eq(report + length - 10, " ms: test\n");
    ck_assert_uint_eq(gn_fallback_report(start, sizeof start), length);
    ck_assert_int_eq(strncmp(start, report, sizeof start - 1), 0);
    ck_assert_uint_eq(strlen(start), sizeof start - 1);
    ck_assert_uint_eq(gn_fallback_report(NULL, 0), length);
}
END_TEST

static void compose_and_shut_down(void) {
    gn__device *device = gn__device_get("recorder");
    compose(device, "cheap", 1, 0);
    compose(device, "dear", 1, 20000);
    compose(device, "cheap", 1, 0);
    gn_shutdown();
}

START_TEST(test_log) {
    gn_shutdown();
    setenv("GENESIS_LOG", "fallback", 1);
    gn__log_reset();
    const char *text = stderr_of(compose_and_shut_down);
    unsetenv("GENESIS_LOG");
    gn__log_reset();
    ck_assert_ptr_eq(strstr(text, "genesis: fallback: cheap is composed on recorder: test\n"
                                  "genesis: fallback: dear is composed on recorder: test\n"),
                     text);
    ck_assert(contains(text, "\ngenesis: fallback: dear on recorder: 1 times, 1 launches, "));
    ck_assert(contains(text, "\ngenesis: fallback: cheap on recorder: 2 times, 2 launches, "));
    ck_assert_uint_eq(gn_fallback_list(NULL, 0), 0);
    ck_assert_str_eq(stderr_of(compose_and_shut_down), "");
}
END_TEST

int main(void) {
    add_test_plugins();
    const TTest *tests[] = {test_a_step_on_three_kernels,
                            test_accounts,
                            test_sorted_by_cost,
                            test_report,
                            test_log,
                            NULL};
    return suite_run("fallback", tests);
}
