/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of plugins/check: over a device that computes one thing wrong (tests/plugins/liar.c) it
 * names exactly that, and over one that does not it is silent.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genesis/genesis.h>

#include "runtime/runtime.h"
#include "tests/capture.h"
#include "tests/expect.h"
#include "tests/suite.h"

/* 1 to 24. */
static gn_tensor *numbers(int dtype) {
    return gn_cast(gn_reshape(gn_arange(1, 25, 1, GN_AS(.dtype = GN_F32)), 4, 6), dtype);
}

/* Closes all devices, so that the next use of one reads the variables anew. */
static void restart(void) {
    gn_shutdown();
    unsetenv("GENESIS_TEST_LIAR");
    unsetenv("GENESIS_CHECK");
    unsetenv("GENESIS_CHECK_EVERY");
    unsetenv("GENESIS_CHECK_REFERENCE");
}

static void expect_parts(const char *const *parts) {
    for (; *parts; parts++)
        ck_assert_msg(strstr(gn_error(), *parts) != NULL, "no '%s' in: %s", *parts, gn_error());
}
#define EXPECT_PARTS(...) expect_parts((const char *const[]){__VA_ARGS__, NULL})

/* ---- The log */

static int count_parts(const char *text, const char *part) {
    int n = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        n++;
    return n;
}

/* The number before these words in the summary, which stands in the log. */
static long long summary_number(const char *log, const char *words) {
    const char *at = strstr(log, words);
    ck_assert_msg(at != NULL, "no '%s' in: %s", words, log);
    while (at > log && (at[-1] == ' ' || (at[-1] >= '0' && at[-1] <= '9')))
        at--;
    return atoll(at);
}

/* ---- Each kernel */

static void do_exp(gn_tensor *x) { gn_exp(x); }
static void do_floor(gn_tensor *x) { gn_floor(x); }
static void do_sum(gn_tensor *x) { gn_sum(x); }
static void do_softmax(gn_tensor *x) { gn_softmax(gn_mul_scalar(x, 0.1), 1); }
static void do_matmul(gn_tensor *x) { gn_matmul(x, gn_transpose(x, 0, 1)); }

static void do_scatter(gn_tensor *x) {
    gn_scatter_add(x, 1, gn_zeros_with(GN_SHAPE(4, 6), GN_AS(.dtype = GN_I64)), x);
}

static void do_conv(gn_tensor *x) {
    gn_tensor *image = gn_reshape(x, 1, 1, 4, 6), *w = gn_requires_grad_(gn_ones_like(image), true);
    gn_backward(gn_sum(gn_conv2d(image, w, NULL, .padding = 1)));
}

static void do_max_pool(gn_tensor *x) {
    gn_tensor *image = gn_requires_grad_(gn_reshape(x, 1, 1, 4, 6), true);
    gn_backward(gn_sum(gn_square(gn_max_pool2d(image, 2))));
}

static void do_avg_pool(gn_tensor *x) { gn_avg_pool2d(gn_reshape(x, 1, 1, 4, 6), 2); }

static void do_batch_norm(gn_tensor *x) {
    gn_tensor *image = gn_requires_grad_(gn_reshape(x, 2, 3, 2, 2), true);
    gn_backward(gn_sum(gn_square(gn_batch_norm(image, NULL, NULL, NULL, NULL, .training = true))));
}

static void do_sgd(gn_tensor *x) {
    gn_dict *parameters = gn_dict_new();
    for (int i = 0; i < 2; i++) {
        gn_tensor *p = gn_requires_grad_(gn_mul_scalar(x, 0.1 * (i + 1)), true);
        gn_set_grad(p, x);
        gn_dict_set(parameters, i ? "b" : "a", p);
    }
    gn_step(gn_optim_sgd(parameters, .lr = 0.1));
}

/* Lies about one element that are too large, and such as the bounds allow. */
static const struct lie {
    const char *op;
    int element, dtype, large, small;
    void (*run)(gn_tensor *x);
    const char *kernel;
} lies[] = {
    {"exp", 8, GN_F32, 20, 4, do_exp, "map of program exp"},
    {"exp", 8, GN_F16, 2, 1, do_exp, "map of program exp"},
    {"exp", 8, GN_BF16, 2, 1, do_exp, "map of program exp"},
    {"floor", 8, GN_F32, 1, 0, do_floor, "map of program floor"},
    {"sum", 0, GN_F32, 400, 40, do_sum, "reduce of program reduce"},
    {"softmax", 3, GN_F32, 400, 0, do_softmax, "of program softmax"},
    {"matmul", 8, GN_F32, 400, 0, do_matmul, ""},
    {"scatter_add", 6, GN_F32, 400, 0, do_scatter, "scatter"},
    {"scatter_add", 6, GN_I32, 1, 0, do_scatter, "scatter"},
    {"conv2d", 8, GN_F32, 4000, 0, do_conv, ""},
    {"max_pool2d", 2, GN_F32, 400, 0, do_max_pool, ""},
    {"avg_pool2d", 2, GN_F32, 400, 0, do_avg_pool, ""},
    {"batch_norm", 2, GN_F32, 4000, 0, do_batch_norm, ""},
    {"sgd", 8, GN_F32, 20, 1, do_sgd, "of program sgd"},
};

static void set_lie(const char *op, int element, int add) {
    char text[96];
    snprintf(text, sizeof text, "%s %d %d", op, element, add);
    setenv("GENESIS_TEST_LIAR", text, 1);
}

static void try_lie(const struct lie *lie) {
    gn_tensor *x = numbers(lie->dtype);
    set_lie(lie->op, lie->element, lie->small);
    lie->run(x);
    ck_assert_msg(gn_error_status() == GN_OK, "by %d: %s", lie->small, gn_error());
    set_lie(lie->op, lie->element, lie->large);
    lie->run(x);
    ck_assert_msg(gn_error_status() == GN_E_INTERNAL, "%s by %d: no report", lie->op, lie->large);
    EXPECT_PARTS(lie->op, lie->kernel, ": 1 of ", "differ, most at ", "input ");
    gn_error_clear();
    unsetenv("GENESIS_TEST_LIAR");
}

START_TEST(test_kernels) {
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        gn_scope scope = gn_scope_begin();
        if (has_dtype(lies[i].dtype))
            try_lie(&lies[i]);
        gn_scope_end(scope);
    }
    restart();
}
END_TEST

/* The report in full: place, values, bound, shapes, what the inputs are. */
START_TEST(test_report) {
    gn_tensor *x = gn_div_scalar(numbers(GN_F32), 8);
    set_lie("exp", 9, 64);
    gn_exp(x);
    EXPECT_PARTS("exp: internal error: check: exp on liar:", ": map of program exp: ",
                 "1 of 24 elements of result 1 differ, most at (9): ",
                 "3.49035811, not 3.49034286 within ", ", off by 64 ulp", "; over (24)",
                 "; input 0 float32 (24) 0.125 to 3, mean 1.5625", "; result 1 float32 (24)");
    gn_error_clear();
    const float values[] = {1, (float)NAN, 3, (float)INFINITY};
    x = gn_tensor_from(values, GN_F32, GN_SHAPE(2, 2), NULL);
    set_lie("exp", 0, 64);
    gn_exp(gn_transpose(x, 0, 1));
    EXPECT_PARTS("1 to 3, mean 2, 1 NaN, 1 inf");
    gn_error_clear();
    restart();
}
END_TEST

/* The next step works after an error; an exact kernel is compared exactly, NaN with NaN. */
START_TEST(test_going_on) {
    const float values[] = {(float)NAN, -0.0f, (float)INFINITY, 1};
    gn_tensor *x = gn_tensor_from(values, GN_F32, GN_SHAPE(4), NULL);
    set_lie("neg", 3, 1);
    ck_assert_ptr_null(gn_neg(x));
    EXPECT_PARTS("neg", "1 of 4", "most at (3)");
    gn_error_clear();
    set_lie("neg", 2, 1); /* -inf becomes a NaN */
    ck_assert_ptr_null(gn_neg(x));
    EXPECT_PARTS("most at (2): nan, not -inf");
    gn_error_clear();
    unsetenv("GENESIS_TEST_LIAR");
    ck_assert_ptr_nonnull(gn_neg(x));
    restart();
}
END_TEST

/* ---- What is no result */

START_TEST(test_outside) {
    gn_tensor *whole = numbers(GN_F32), *left = gn_narrow(whole, 1, 0, 3);
    set_lie("fill", 4, 1); /* right of the rows that are filled */
    gn_fill_(left, 1);
    EXPECT_PARTS("fill", "writes outside of its results: byte ", " of a block was ");
    gn_error_clear();
    restart();
}
END_TEST

START_TEST(test_index) {
    gn_tensor *x = numbers(GN_F32), *index = gn_full(GN_SHAPE(1), 7, GN_AS(.dtype = GN_I64));
    gn_index_select(x, 0, index); /* both sides refuse it */
    ck_assert_int_eq(gn_error_status(), GN_E_INDEX);
    EXPECT_PARTS("index_select: index");
    gn_error_clear();
    if (gn__device_get(NULL)->table->synchronise == NULL) { /* a late error can't be lied away */
        set_lie("index_select", 0, 0);
        gn_index_select(x, 0, index);
        ck_assert_int_eq(gn_error_status(), GN_E_INTERNAL);
        EXPECT_PARTS("index_select", "succeeds, but the reference says: index out of range");
        gn_error_clear();
    }
    restart();
}
END_TEST

/* The late error of an asynchronous device comes with its call, in the device's words. */
START_TEST(test_late) {
    const gn_tensor_options on = {
        .struct_size = sizeof on, .device = "check:async", .dtype = GN_I64};
    gn_tensor *x = gn_full(GN_SHAPE(2, 3), 2, &on), *index = gn_full(GN_SHAPE(1), 7, &on);
    ck_assert_msg(x && index, "%s", gn_error());
    ck_assert_ptr_null(gn_index_select(x, 0, index));
    ck_assert_int_eq(gn_error_status(), GN_E_INDEX);
    EXPECT_PARTS("index_select: index out of range: late: an index is out of range");
    gn_error_clear();
    ck_assert_ptr_nonnull(gn_square(x));
    restart();
}
END_TEST

/* ---- Options and the summary */

/* What the log says when a device that was used so is closed. */
static const char *log_of(void (*use)(void)) {
    setenv("GENESIS_LOG", "info", 1);
    gn_shutdown(); /* the variable is read anew */
    const char *log = stderr_of(use);
    unsetenv("GENESIS_LOG");
    return log;
}

static void use_wrong_exp(void) {
    setenv("GENESIS_CHECK", "warn", 1);
    gn_tensor *x = numbers(GN_F32);
    set_lie("exp", 8, 100);
    for (int i = 0; i < 3; i++)
        ck_assert_ptr_nonnull(gn_exp(x));
    restart();
}

START_TEST(test_warnings) {
    const char *log = log_of(use_wrong_exp);
    ck_assert_msg(count_parts(log, "warning: check: exp on liar:") == 1, "%s", log);
    ck_assert_msg(summary_number(log, "with differences") == 3, "%s", log);
    ck_assert_msg(summary_number(log, "calls checked") >= 4, "%s", log);
}
END_TEST

/* Of exp the calls 0, 3, 6 and 9 are checked. */
static void use_every_third(void) {
    setenv("GENESIS_CHECK_EVERY", "3", 1);
    gn_tensor *x = numbers(GN_F32);
    for (int i = 0; i < 9; i++) {
        set_lie("exp", 8, i % 3 ? 100 : 0);
        ck_assert_msg(gn_exp(x) != NULL, "call %d: %s", i, gn_error());
        ck_assert_ptr_nonnull(gn_floor(x));
    }
    set_lie("exp", 8, 100);
    ck_assert_ptr_null(gn_exp(x));
    EXPECT_PARTS("map of program exp");
    gn_error_clear();
    restart();
}

START_TEST(test_sampling) {
    const char *log = log_of(use_every_third);
    ck_assert_msg(summary_number(log, "passed by") >= 12, "%s", log);
    ck_assert_msg(summary_number(log, "with differences") == 1, "%s", log);
}
END_TEST

/* Of two forward passes the second is not checked, but its gradient should be. */
static void use_lost_saved(void) {
    setenv("GENESIS_CHECK_EVERY", "2", 1);
    gn_tensor *x = gn_requires_grad_(gn_reshape(numbers(GN_F32), 1, 1, 4, 6), true), *y = NULL;
    for (int i = 0; i < 2; i++)
        y = gn_max_pool2d(x, 2);
    gn_backward(gn_sum(y));
    ck_assert_msg(gn_error_status() == GN_OK, "%s", gn_error());
    restart();
}

START_TEST(test_saved) {
    const bool plans = gn__device_get(NULL)->table->plan != NULL;
    const char *log = log_of(use_lost_saved);
    ck_assert_msg(summary_number(log, "can't be checked") == plans, "%s", log);
    ck_assert_msg(count_parts(log, "(max_pool_backward) is not checked: its forward pass") == plans,
                  "%s", log);
}
END_TEST

static void expect_refusal(const char *variable, const char *value, const char *part) {
    setenv(variable, value, 1);
    ck_assert_ptr_null(gn_ones(1));
    EXPECT_PARTS(part);
    gn_error_clear();
    restart();
}

START_TEST(test_bad_options) {
    expect_refusal("GENESIS_CHECK", "maybe", "GENESIS_CHECK is 'maybe': give it as warn or error");
    expect_refusal("GENESIS_CHECK_EVERY", "0", "GENESIS_CHECK_EVERY is '0': give a number N of 1");
    expect_refusal("GENESIS_CHECK_EVERY", "2x", "GENESIS_CHECK_EVERY is '2x'");
    expect_refusal("GENESIS_CHECK_EVERY", "", "GENESIS_CHECK_EVERY is ''");
    expect_refusal("GENESIS_CHECK_REFERENCE", "absent", "there is no plugin genesis_absent.so");
}
END_TEST

/* 3 (x / 3) - x is 0, or an error of rounding: whether it is more than 0 can't be told. */
static void use_near_ties(void) {
    gn_tensor *x = numbers(GN_F32);
    ck_assert_ptr_nonnull(gn_map("x / 3 * 3 - x > 0", x));
    ck_assert_ptr_nonnull(gn_map("x / 3 * 3 - x > 0.5", x));
    ck_assert_ptr_nonnull(gn_map("x / 3 * 3 - x > 0 ? 1.0 : 0.0", x));
    restart();
}

START_TEST(test_near_ties) {
    const char *log = log_of(use_near_ties);
    ck_assert_msg(summary_number(log, "near ties among them skipped") == 24, "%s", log);
    ck_assert_msg(summary_number(log, "with differences") == 0, "%s", log);
}
END_TEST

int main(void) {
    const char *device = getenv("GENESIS_DEVICE");
    char checked[64];
    const TTest *tests[] = {test_kernels, test_report,      test_going_on,  test_outside,
                            test_index,   test_late,        test_warnings,  test_sampling,
                            test_saved,   test_bad_options, test_near_ties, NULL};
    snprintf(checked, sizeof checked, "check:liar:%s", device ? device : "cpu");
    setenv("GENESIS_DEVICE", checked, 1);
    return suite_run("check", tests);
}
