/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/optim/schedule.c. */
#include <math.h>

#include "tests/optim/optim_case.h"
#include "tests/suite.h"

enum { MOST_STEPS = 20 };

static const struct {
    double top;
    int64_t steps;
    gn_one_cycle_options options;
    double rates[MOST_STEPS];
} cycles[] = {
#include "tests/fixtures/optim_one_cycle.inc"
};

START_TEST(test_one_cycle) {
    gn_optimizer *sgd = gn_optim_sgd(optim_parameters(GN_F32), .lr = 7);
    for (size_t i = 0; i < sizeof cycles / sizeof cycles[0]; i++) {
        gn_scheduler *schedule =
            gn_lr_one_cycle_with(sgd, cycles[i].top, cycles[i].steps, &cycles[i].options);
        for (int step = 0; step < cycles[i].steps; step++) {
            double wanted = cycles[i].rates[step];
            ck_assert_double_eq_tol(gn_get_lr(sgd), wanted, 1e-12 * (1 + fabs(wanted)));
            ck_assert_msg(gn_scheduler_step(schedule) == GN_OK, "%s", gn_error());
        }
        ck_assert_int_eq(gn_scheduler_step(schedule),
                         GN_E_STATE); /* as PyTorch: one more was fine */
        gn_error_clear();
    }
}
END_TEST

static double halved(int64_t step, void *calls) {
    ++*(int *)calls;
    return pow(0.5, (double)step);
}

START_TEST(test_lambda) {
    int calls = 0;
    gn_optimizer *sgd = gn_optim_sgd(optim_parameters(GN_F32), .lr = 8);
    gn_scheduler *schedule = gn_lr_lambda(sgd, halved, &calls);
    ck_assert_double_eq(gn_get_lr(sgd), 8);
    ck_assert_int_eq(gn_scheduler_step(schedule), GN_OK);
    ck_assert_int_eq(gn_scheduler_step(schedule), GN_OK);
    ck_assert_double_eq(gn_get_lr(sgd), 2);
    ck_assert_int_eq(calls, 3);
}
END_TEST

static double negative(int64_t step, void *context) {
    (void)context;
    return step == 0 ? 1 : -1;
}

static void expect_refused(gn_scheduler *schedule) {
    ck_assert_ptr_null(schedule);
    ck_assert_int_eq(gn_error_status(), GN_E_ARGUMENT);
    gn_error_clear();
}

START_TEST(test_refuses) {
    gn_optimizer *sgd = gn_optim_sgd(optim_parameters(GN_F32), .lr = 1);
    expect_refused(gn_lr_one_cycle(sgd, 0.1, 0));
    expect_refused(gn_lr_one_cycle(sgd, -0.1, 10));
    expect_refused(gn_lr_one_cycle(sgd, 0.1, 10, .pct_start = gn_some(1.5)));
    expect_refused(gn_lr_one_cycle(sgd, 0.1, 10, .div_factor = gn_some(0)));
    expect_refused(gn_lr_one_cycle(NULL, 0.1, 10));
    expect_refused(gn_lr_lambda(sgd, NULL, NULL));
    ck_assert_double_eq(gn_get_lr(sgd), 1);
    gn_scheduler *schedule = gn_lr_lambda(sgd, negative, NULL);
    ck_assert_int_eq(gn_scheduler_step(schedule), GN_E_ARGUMENT);
    ck_assert_double_eq(gn_get_lr(sgd), 1);
    gn_error_clear();
    ck_assert_int_eq(gn_scheduler_step(NULL), GN_E_ARGUMENT);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_one_cycle, test_lambda, test_refuses, NULL};
    return suite_run("schedule", tests);
}
