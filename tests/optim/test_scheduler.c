/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of schedules: libgenesis/optim/scheduler.c, schedules.c, cycles.c, plateau.c, combine.c and
 * the schedule in swa.c. The constructors are those of tests/fixtures/make_optim.py.
 */
#include <math.h>
#include <string.h>

#include <genesis/genesis.h>

#include "tests/suite.h"

enum { STEPS = 20, GROUPS = 2 };

static gn_dict *one_parameter(void) {
    gn_dict *dict = gn_dict_new();
    gn_dict_set(dict, "p", gn_requires_grad_(gn_zeros(1), true));
    return dict;
}

static gn_optimizer *two_groups(void) {
    gn_optimizer *sgd = gn_optim_sgd(one_parameter(), .lr = 0.8, .momentum = 0.9);
    gn_add_param_group(sgd, one_parameter(), .options = {{"lr", 0.2}});
    return sgd;
}

/* ---- The schedules */

static double inverse(int64_t t, void *context) {
    (void)context;
    return 1 / (double)(t + 1);
}
static double inverse_cycle(int64_t cycle, void *context) {
    (void)context;
    return 1 / (double)cycle;
}
static double power_of(int64_t t, void *base) { return pow(*(double *)base, (double)t); }
static double slower(int64_t t, void *context) {
    (void)context;
    return 0.5 + 1 / (double)(t + 4);
}

#define MAKE(name, ...)                                                                            \
    static gn_scheduler *make_##name(gn_optimizer *o) { return __VA_ARGS__; }
MAKE(step, gn_lr_step(o, 3))
MAKE(multi_step, gn_lr_multi_step(o, 3, ((int64_t[]){7, 2, 7}), .gamma = gn_some(0.5)))
MAKE(constant, gn_lr_constant(o))
MAKE(constant_given, gn_lr_constant(o, .factor = gn_some(0.25), .total_iters = gn_some(3)))
MAKE(linear, gn_lr_linear(o))
MAKE(linear_given, gn_lr_linear(o, .start_factor = gn_some(1), .end_factor = gn_some(0),
                                .total_iters = gn_some(8)))
MAKE(exponential, gn_lr_exponential(o, 0.8))
MAKE(polynomial, gn_lr_polynomial(o, .total_iters = gn_some(8), .power = gn_some(2)))
MAKE(cosine, gn_lr_cosine_annealing(o, 4, .eta_min = 0.01))
MAKE(restarts, gn_lr_cosine_annealing_warm_restarts(o, 3, .t_mult = 2, .eta_min = 0.01))
MAKE(restarts_equal, gn_lr_cosine_annealing_warm_restarts(o, 4))
MAKE(cyclic, gn_lr_cyclic(o, 0.1, 0.5, .step_size_up = 3, .step_size_down = 2))
MAKE(cyclic2, gn_lr_cyclic(o, 0.1, 0.5, .step_size_up = 2, .mode = GN_CYCLIC_TRIANGULAR2,
                           .base_momentum = gn_some(0.5), .max_momentum = gn_some(0.7)))
MAKE(cyclic_range, gn_lr_cyclic(o, 0.1, 0.5, .step_size_up = 3, .mode = GN_CYCLIC_EXP_RANGE,
                                .gamma = gn_some(0.9)))
MAKE(cyclic_own, gn_lr_cyclic(o, 0.1, 0.5, .step_size_up = 2, .scale_fn = inverse_cycle,
                              .no_cycle_momentum = true))
MAKE(one_cycle, gn_lr_one_cycle(o, 0.4, STEPS))
MAKE(one_cycle_three, gn_lr_one_cycle(o, 0.4, STEPS, .three_phase = true, .linear = true))
MAKE(one_cycle_given, gn_lr_one_cycle(o, 0.4, STEPS, .pct_start = gn_some(0.5),
                                      .div_factor = gn_some(10), .final_div_factor = gn_some(100),
                                      .base_momentum = gn_some(0.2), .max_momentum = gn_some(0.3)))
MAKE(lambda, gn_lr_lambda(o, inverse, NULL))
static double half = 0.5;
MAKE(lambda_n,
     gn_lr_lambda_n(o, 2, (gn_lr_factor *const[]){inverse, power_of}, (void *const[]){NULL, &half}))
MAKE(multiplicative, gn_lr_multiplicative(o, inverse, NULL))
MAKE(warmup_cosine, gn_get_cosine_schedule_with_warmup(o, 4, 16))
MAKE(warmup_cycles, gn_get_cosine_schedule_with_warmup(o, 2, 14, .num_cycles = gn_some(1.5)))
MAKE(warmup_linear, gn_get_linear_schedule_with_warmup(o, 4, 16))
MAKE(swa, gn_lr_swa(o, 0.05, .anneal_epochs = gn_some(5)))
MAKE(swa_linear, gn_lr_swa(o, 0.05, .anneal_epochs = gn_some(4), .linear = true))
MAKE(swa_at_once, gn_lr_swa(o, 0.05, .anneal_epochs = gn_some(0)))
MAKE(plateau, gn_lr_reduce_on_plateau(o, .patience = gn_some(1), .factor = gn_some(0.5)))
MAKE(plateau_max, gn_lr_reduce_on_plateau(o, .max = true, .patience = gn_some(0),
                                          .factor = gn_some(0.5), .threshold = gn_some(0.3),
                                          .absolute = true, .cooldown = 2, .min_lr = 0.1))
MAKE(plateau_rel, gn_lr_reduce_on_plateau(o, .max = true, .patience = gn_some(2),
                                          .threshold = gn_some(0.1), .eps = gn_some(0.05)))
MAKE(plateau_abs, gn_lr_reduce_on_plateau(o, .patience = gn_some(2), .threshold = gn_some(0.2),
                                          .absolute = true))
#undef MAKE

static gn_scheduler *make_sequential(gn_optimizer *o) {
    gn_scheduler *parts[] = {gn_lr_constant(o, .factor = gn_some(0.1), .total_iters = gn_some(2)),
                             gn_lr_exponential(o, 0.9), gn_lr_cosine_annealing(o, 5)};
    return gn_lr_sequential(o, 3, parts, (int64_t[]){3, 9});
}

static gn_scheduler *make_sequential_multiplicative(gn_optimizer *o) {
    gn_scheduler *parts[] = {gn_lr_linear(o, .total_iters = gn_some(4)),
                             gn_lr_multiplicative(o, slower, NULL)};
    return gn_lr_sequential(o, 2, parts, (int64_t[]){5});
}

static gn_scheduler *make_chained(gn_optimizer *o) {
    gn_scheduler *parts[] = {gn_lr_constant(o, .factor = gn_some(0.1), .total_iters = gn_some(4)),
                             gn_lr_exponential(o, 0.9)};
    return gn_lr_chained(2, parts);
}

static gn_scheduler *make_chained_cosine(gn_optimizer *o) {
    gn_scheduler *parts[] = {gn_lr_cosine_annealing(o, 6), gn_lr_step(o, 4, .gamma = gn_some(0.5))};
    return gn_lr_chained(2, parts);
}

static const struct schedule_case {
    const char *name;
    gn_scheduler *(*make)(gn_optimizer *optimizer);
    double wanted[GROUPS + 1][STEPS]; /* rates of the groups, momentum of the first one */
} cases[] = {
#include "tests/fixtures/optim_schedules.inc"
};

enum { N_CASES = sizeof cases / sizeof cases[0] };

static const double metrics[STEPS - 1] = {3,   2,   2,   2.5, 2, 1.95, 1, 1, 1, 1.2,
                                          0.9, 0.9, 0.9, 0.9, 2, 2,    3, 3, 3};

static void step_once(const struct schedule_case *c, gn_scheduler *s, int t) {
    gn_status status = strncmp(c->name, "plateau", 7) == 0
                           ? gn_scheduler_step_metrics(s, metrics[t])
                           : gn_scheduler_step(s);
    ck_assert_msg(status == GN_OK, "%s: %s", c->name, gn_error());
}

/* Some dozens of roundings of float64; near 0 they are those of what was taken away. */
static void expect(const struct schedule_case *c, const gn_optimizer *o, const gn_scheduler *s,
                   int t) {
    const double got[] = {gn_param_group_get(o, 0, "lr"), gn_param_group_get(o, 1, "lr"),
                          gn_param_group_get(o, 0, "momentum")};
    for (int i = 0; i <= GROUPS; i++)
        ck_assert_msg(fabs(got[i] - c->wanted[i][t]) <= 1e-13 * (10 + fabs(got[i])),
                      "%s, step %d, %d: %.17g, not %.17g", c->name, t, i, got[i], c->wanted[i][t]);
    for (int i = 0; i < GROUPS; i++)
        ck_assert_double_eq(gn_get_last_lr(s)[i], got[i]);
}

START_TEST(test_like_pytorch) {
    for (int i = 0; i < N_CASES; i++) {
        gn_scope scope = gn_scope_begin();
        gn_optimizer *o = two_groups();
        gn_scheduler *s = cases[i].make(o);
        ck_assert_msg(s != NULL, "%s: %s", cases[i].name, gn_error());
        for (int t = 0; t < STEPS; t++) {
            expect(&cases[i], o, s, t);
            if (t + 1 < STEPS)
                step_once(&cases[i], s, t);
        }
        gn_scope_end(scope);
    }
}
END_TEST

/* With the optimizer's state, a schedule goes on where it was. */
START_TEST(test_resume) {
    for (int i = 0; i < N_CASES; i++) {
        gn_scope scope = gn_scope_begin();
        gn_optimizer *o = two_groups(), *again = two_groups();
        gn_scheduler *s = cases[i].make(o), *other = cases[i].make(again);
        for (int t = 0; t < 7; t++)
            step_once(&cases[i], s, t);
        gn_dict *state = gn_scheduler_state_dict(s), *optimizer = gn_optimizer_state_dict(o);
        ck_assert_msg(gn_scheduler_load_state_dict(other, state) == GN_OK, "%s: %s", cases[i].name,
                      gn_error());
        ck_assert_msg(gn_optimizer_load_state_dict(again, optimizer) == GN_OK, "%s", gn_error());
        for (int t = 7; t < STEPS; t++) {
            expect(&cases[i], again, other, t);
            if (t + 1 < STEPS)
                step_once(&cases[i], other, t);
        }
        gn_scope_end(scope);
    }
}
END_TEST

/* Jumps give the values of the chain of steps. */
START_TEST(test_step_to) {
    int jumped = 0;
    for (int i = 0; i < N_CASES; i++) {
        if (strncmp(cases[i].name, "multiplicative", 8) == 0 ||
            strncmp(cases[i].name, "swa", 3) == 0)
            continue; /* they know the step before only */
        gn_scope scope = gn_scope_begin();
        gn_optimizer *o = two_groups();
        gn_scheduler *s = cases[i].make(o);
        for (int t = STEPS - 1; t >= 0; t -= 3)
            if (gn_scheduler_step_to(s, t) == GN_OK) {
                expect(&cases[i], o, s, t);
                jumped++;
            }
        gn_error_clear(); /* those made of others, or by a metric, can't */
        gn_scope_end(scope);
    }
    ck_assert_int_gt(jumped, 100);
    gn_scheduler *s = gn_lr_exponential(two_groups(), 0.5);
    ck_assert_int_eq(gn_scheduler_step_to(s, -1), GN_E_ARGUMENT);
    gn_error_clear();
    s = make_chained(two_groups());
    ck_assert_int_eq(gn_scheduler_step_to(s, 1), GN_E_UNSUPPORTED);
    gn_error_clear();
}
END_TEST

/* The making is step 0: a warmup's first update has rate 0, the last rates are there at once. */
START_TEST(test_first_step) {
    gn_optimizer *o = two_groups();
    gn_scheduler *s = gn_get_cosine_schedule_with_warmup(o, 4, 16);
    ck_assert_double_eq(gn_get_lr(o), 0);
    ck_assert_double_eq(gn_get_last_lr(s)[1], 0);
    ck_assert_double_eq(gn_param_group_get(o, 1, "initial_lr"), 0.2);
    ck_assert_int_eq(gn_scheduler_step(s), GN_OK);
    ck_assert_double_eq(gn_get_last_lr(s)[1], 0.05);
}
END_TEST

/* beta1 is the momentum of the Adam family. */
START_TEST(test_cycles_beta1) {
    gn_optimizer *adam = gn_optim_adam(one_parameter());
    gn_scheduler *s = gn_lr_one_cycle(adam, 0.1, 11, .pct_start = gn_some(0.5), .linear = true);
    ck_assert_double_eq_tol(gn_param_group_get(adam, 0, "beta1"), 0.95, 1e-15);
    for (int t = 0; t < 10; t++)
        gn_scheduler_step(s);
    ck_assert_double_eq_tol(gn_param_group_get(adam, 0, "beta1"), 0.95, 1e-15);
    ck_assert_double_eq_tol(gn_get_lr(adam), 0.1 / 25 / 1e4, 1e-15);
    ck_assert_ptr_null(gn_lr_one_cycle(gn_optim_adagrad(one_parameter()), 0.1, 11));
    ck_assert_int_eq(gn_error_status(), GN_E_ARGUMENT);
    gn_error_clear();
}
END_TEST

static double negative(int64_t t, void *context) {
    (void)context;
    return t == 0 ? 1 : -1;
}

static void expect_refused(gn_scheduler *schedule) {
    ck_assert_ptr_null(schedule);
    ck_assert_int_eq(gn_error_status(), GN_E_ARGUMENT);
    gn_error_clear();
}

START_TEST(test_refuses) {
    gn_optimizer *o = two_groups();
    expect_refused(gn_lr_one_cycle(o, 0.1, 0));
    expect_refused(gn_lr_one_cycle(o, -0.1, 10));
    expect_refused(gn_lr_one_cycle(o, 0.1, 10, .pct_start = gn_some(1.5)));
    expect_refused(gn_lr_one_cycle(o, 0.1, 10, .div_factor = gn_some(0)));
    expect_refused(gn_lr_one_cycle(NULL, 0.1, 10));
    expect_refused(gn_lr_lambda(o, NULL, NULL));
    expect_refused(gn_lr_lambda_n(o, 1, (gn_lr_factor *const[]){inverse}, NULL));
    expect_refused(gn_lr_step(o, 0));
    expect_refused(gn_lr_multi_step(o, 2, NULL));
    expect_refused(gn_lr_constant(o, .factor = gn_some(2)));
    expect_refused(gn_lr_linear(o, .start_factor = gn_some(0)));
    expect_refused(gn_lr_cosine_annealing(o, 0));
    expect_refused(gn_lr_cosine_annealing_warm_restarts(o, 3, .t_mult = -1));
    expect_refused(gn_lr_cyclic(o, 0.1, 0.2, .step_size_up = -1));
    expect_refused(gn_lr_cyclic(o, 0.1, 0.2, .mode = (gn_cyclic_mode)7));
    expect_refused(gn_lr_reduce_on_plateau(o, .factor = gn_some(1)));
    expect_refused(gn_lr_chained(0, NULL));
    gn_scheduler *parts[] = {gn_lr_exponential(o, 0.5), gn_lr_exponential(two_groups(), 0.5),
                             gn_lr_reduce_on_plateau(o)};
    expect_refused(gn_lr_chained(2, parts)); /* of two optimizers */
    parts[1] = parts[2];
    expect_refused(gn_lr_chained(2, parts)); /* by a metric */
    parts[1] = parts[0];
    expect_refused(gn_lr_sequential(o, 3, parts, (int64_t[]){4, 4}));
    expect_refused(gn_lr_sequential(o, 2, parts, NULL));
    ck_assert_int_eq(gn_scheduler_step(NULL), GN_E_ARGUMENT);
    gn_error_clear();
}
END_TEST

START_TEST(test_refuses_steps) {
    gn_optimizer *o = two_groups();
    gn_scheduler *s = gn_lr_lambda(o, negative, NULL);
    ck_assert_int_eq(gn_scheduler_step(s), GN_E_ARGUMENT);
    gn_error_clear();
    ck_assert_double_eq(gn_get_lr(o), 0.8);
    ck_assert_int_eq(gn_scheduler_step_metrics(s, 1), GN_E_ARGUMENT);
    gn_error_clear();
    ck_assert_int_eq(gn_scheduler_step(gn_lr_reduce_on_plateau(o)), GN_E_ARGUMENT);
    gn_error_clear();
    s = gn_lr_one_cycle(o, 0.1, 2);
    ck_assert_int_eq(gn_scheduler_step(s), GN_OK);
    ck_assert_int_eq(gn_scheduler_step(s), GN_OK); /* as in PyTorch: one more */
    ck_assert_int_eq(gn_scheduler_step(s), GN_E_STATE);
    gn_error_clear();
    s = gn_lr_exponential(o, 0.5);
    gn_add_param_group(o, one_parameter());
    ck_assert_int_eq(gn_scheduler_step(s), GN_E_STATE);
    ck_assert_msg(strstr(gn_error(), "has 3 groups") != NULL, "%s", gn_error());
    gn_error_clear();
}
END_TEST

START_TEST(test_refuses_state) {
    gn_scheduler *s = make_sequential(two_groups());
    gn_dict *state = gn_scheduler_state_dict(s), *parts = gn_list_new();
    gn_dict_set(state, "_schedulers", parts);
    ck_assert_int_eq(gn_scheduler_load_state_dict(s, state), GN_E_ARGUMENT);
    gn_error_clear();
    s = make_plateau(two_groups());
    state = gn_scheduler_state_dict(make_step(two_groups()));
    ck_assert_int_eq(gn_scheduler_load_state_dict(s, state), GN_E_ARGUMENT); /* no best */
    gn_error_clear();
    gn_dict_set(state, "_last_lr", parts);
    ck_assert_int_eq(gn_scheduler_load_state_dict(make_step(two_groups()), state), GN_E_ARGUMENT);
    gn_error_clear();
    ck_assert_int_eq(gn_scheduler_load_state_dict(s, NULL), GN_E_ARGUMENT);
    gn_error_clear();
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_like_pytorch,  test_resume,        test_step_to,
                            test_first_step,    test_cycles_beta1,  test_refuses,
                            test_refuses_steps, test_refuses_state, NULL};
    return suite_run("scheduler", tests);
}
