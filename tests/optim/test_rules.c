/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the update rules, libgenesis/optim/sgd.c, adam.c, adaptive.c, adafactor.c: values like
 * PyTorch's, options, resuming.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/optim/optim_case.h"
#include "tests/suite.h"

#define MAKE(name)                                                                                 \
    static gn_optimizer *make_##name(gn_dict *parameters) { return gn_optim_##name(parameters); }
MAKE(sgd)
MAKE(adam)
MAKE(adamw)
MAKE(adamax)
MAKE(nadam)
MAKE(radam)
MAKE(rmsprop)
MAKE(adagrad)
MAKE(adadelta)
MAKE(rprop)
MAKE(asgd)
MAKE(adafactor)
#undef MAKE

enum { MOST_OPTIONS = 8 };

static const struct rule_case {
    gn_optimizer *(*make)(gn_dict *parameters);
    gn_hyperparameter options[MOST_OPTIONS]; /* the last one has no name */
    float after[OPTIM_SHOWN][OPTIM_ALL];
} cases[] = {
#include "tests/fixtures/optim_rules.inc"
};

enum { N_CASES = sizeof cases / sizeof cases[0] };

static gn_optimizer *make(const struct rule_case *c, gn_dict *parameters) {
    gn_optimizer *optimizer = c->make(parameters);
    for (const gn_hyperparameter *o = c->options; o->name; o++)
        gn_param_group_set(optimizer, 0, o->name, o->value);
    ck_assert_msg(optimizer && gn_error_status() == GN_OK, "%s", gn_error());
    return optimizer;
}

/* The last case of each optimizer uses most of its states. */
static bool is_last(int i) { return i + 1 == N_CASES || cases[i].make != cases[i + 1].make; }

/* A device that compiles each program gets one case of each optimizer. */
static bool compiles(void) { return strstr(gn_default_device(), "opencl") != NULL; }

static void check_like_pytorch(gn_dtype dtype, double tolerance) {
    for (int i = 0; i < N_CASES; i++) {
        if (compiles() && !is_last(i))
            continue;
        gn_scope scope = gn_scope_begin();
        gn_dict *parameters = optim_parameters(dtype);
        optim_check(make(&cases[i], parameters), parameters, cases[i].after, tolerance);
        gn_scope_end(scope);
    }
}

/* Ten steps, each with about ten roundings of 2^-24 in values around 1. Where a root of a small
 * difference is divided by, they grow by a few. */
START_TEST(test_float32) { check_like_pytorch(GN_F32, 1e-5); }
END_TEST

/* The table has 9 digits, and PyTorch keeps some numbers of a parameter in float32. */
START_TEST(test_float64) {
    if (compiles())
        printf("test_float64: not on %s, where each program takes long\n", gn_default_device());
    else
        check_like_pytorch(GN_F64, 1e-7);
}
END_TEST

/* Ten roundings of parameters around 1, and of their states, to 11 or 8 bits. */
START_TEST(test_half_precision) {
    const struct rule_case *adam = cases;
    while (adam->make != make_adam)
        adam++;
    for (int dtype = GN_F16; dtype <= GN_BF16; dtype++) {
        gn_scope scope = gn_scope_begin();
        gn_dict *parameters = optim_parameters(dtype);
        optim_check(make(adam, parameters), parameters, adam->after, dtype == GN_F16 ? 4e-3 : 3e-2);
        gn_scope_end(scope);
    }
}
END_TEST

/* ---- Options: each member of each struct reaches the hyperparameter of its name */

static void expect_options(gn_optimizer *optimizer, const gn_hyperparameter *wanted) {
    ck_assert_msg(optimizer != NULL, "%s", gn_error());
    for (; wanted->name; wanted++) {
        double value = gn_param_group_get(optimizer, 0, wanted->name);
        ck_assert_msg(gn_error_status() == GN_OK, "%s", gn_error());
        ck_assert_msg(value == wanted->value, "%s is %g, not %g", wanted->name, value,
                      wanted->value);
    }
}
#define EXPECT(optimizer, ...)                                                                     \
    expect_options(optimizer, (const gn_hyperparameter[]){__VA_ARGS__, {NULL, 0}})

START_TEST(test_defaults) {
    gn_dict *p = optim_parameters(GN_F32);
    EXPECT(gn_optim_sgd(p), {"lr", 1e-3}, {"momentum", 0}, {"dampening", 0}, {"weight_decay", 0});
    EXPECT(gn_optim_adam(p), {"lr", 1e-3}, {"beta1", 0.9}, {"beta2", 0.999}, {"eps", 1e-8},
           {"weight_decay", 0}, {"amsgrad", 0}, {"decoupled_weight_decay", 0});
    EXPECT(gn_optim_adamw(p), {"lr", 1e-3}, {"weight_decay", 0.01}, {"decoupled_weight_decay", 1});
    EXPECT(gn_optim_adamax(p), {"lr", 2e-3}, {"beta1", 0.9}, {"beta2", 0.999}, {"eps", 1e-8});
    EXPECT(gn_optim_nadam(p), {"lr", 2e-3}, {"momentum_decay", 4e-3});
    EXPECT(gn_optim_radam(p), {"lr", 1e-3}, {"eps", 1e-8});
    EXPECT(gn_optim_rmsprop(p), {"lr", 1e-2}, {"alpha", 0.99}, {"eps", 1e-8}, {"momentum", 0});
    EXPECT(gn_optim_adagrad(p), {"lr", 1e-2}, {"eps", 1e-10}, {"initial_accumulator_value", 0});
    EXPECT(gn_optim_adadelta(p), {"lr", 1}, {"rho", 0.9}, {"eps", 1e-6});
    EXPECT(gn_optim_rprop(p), {"lr", 1e-2}, {"etaminus", 0.5}, {"etaplus", 1.2},
           {"min_step_size", 1e-6}, {"max_step_size", 50});
    EXPECT(gn_optim_asgd(p), {"lr", 1e-2}, {"lambd", 1e-4}, {"alpha", 0.75}, {"t0", 1e6});
    EXPECT(gn_optim_adafactor(p), {"lr", 1e-2}, {"beta2_decay", -0.8}, {"eps2", 1e-3}, {"d", 1});
    EXPECT(gn_optim_lbfgs(p), {"lr", 1}, {"max_iter", 20}, {"max_eval", 25},
           {"tolerance_grad", 1e-7}, {"tolerance_change", 1e-9}, {"history_size", 100});
}
END_TEST

START_TEST(test_options) {
    gn_dict *p = optim_parameters(GN_F32);
    EXPECT(gn_optim_sgd(p, .lr = 2, .momentum = 0.5, .weight_decay = 0.25, .nesterov = true,
                        .maximize = true),
           {"lr", 2}, {"momentum", 0.5}, {"weight_decay", 0.25}, {"nesterov", 1}, {"maximize", 1});
    EXPECT(gn_optim_sgd(p, .dampening = 0.5), {"dampening", 0.5});
    EXPECT(gn_optim_adam(p, .lr = 2, .beta1 = gn_some(0), .beta2 = gn_some(0.5), .eps = gn_some(0),
                         .weight_decay = gn_some(3), .amsgrad = true, .maximize = true,
                         .decoupled_weight_decay = true),
           {"lr", 2}, {"beta1", 0}, {"beta2", 0.5}, {"eps", 0}, {"weight_decay", 3}, {"amsgrad", 1},
           {"maximize", 1}, {"decoupled_weight_decay", 1});
    EXPECT(gn_optim_adamw(p, .weight_decay = gn_some(0)), {"weight_decay", 0});
    EXPECT(gn_optim_nadam(p, .weight_decay = 3, .momentum_decay = gn_some(0.5),
                          .decoupled_weight_decay = true),
           {"weight_decay", 3}, {"momentum_decay", 0.5}, {"decoupled_weight_decay", 1});
    EXPECT(gn_optim_rmsprop(p, .alpha = gn_some(0.5), .momentum = 2, .centered = true,
                            .weight_decay = 3),
           {"alpha", 0.5}, {"momentum", 2}, {"centered", 1}, {"weight_decay", 3});
    EXPECT(gn_optim_adagrad(p, .lr_decay = 2, .initial_accumulator_value = 3, .weight_decay = 4),
           {"lr_decay", 2}, {"initial_accumulator_value", 3}, {"weight_decay", 4});
    EXPECT(gn_optim_rprop(p, .etaminus = gn_some(0.25), .etaplus = gn_some(2),
                          .min_step_size = gn_some(3), .max_step_size = gn_some(4)),
           {"etaminus", 0.25}, {"etaplus", 2}, {"min_step_size", 3}, {"max_step_size", 4});
    EXPECT(gn_optim_asgd(p, .lambd = gn_some(2), .alpha = gn_some(3), .t0 = gn_some(4)),
           {"lambd", 2}, {"alpha", 3}, {"t0", 4});
    EXPECT(gn_optim_adafactor(p, .beta2_decay = gn_some(-1), .eps1 = gn_some(2), .d = gn_some(3)),
           {"beta2_decay", -1}, {"eps1", 2}, {"d", 3});
    EXPECT(gn_optim_lbfgs(p, .max_iter = 8, .strong_wolfe = true), {"max_iter", 8},
           {"max_eval", 10}, {"line_search_fn", 1});
    /* A struct of an older version of the library, which ends before eps. */
    gn_adam_options old = {
        .struct_size = offsetof(gn_adam_options, eps), .lr = 2, .eps = gn_some(5), .amsgrad = true};
    EXPECT(gn_optim_adam_with(p, &old), {"lr", 2}, {"eps", 1e-8}, {"amsgrad", 0});
}
END_TEST

START_TEST(test_refuses) {
    gn_dict *p = optim_parameters(GN_F32);
    optim_refused(gn_optim_sgd(p, .lr = -1));
    optim_refused(gn_optim_sgd(p, .lr = (double)NAN));
    optim_refused(gn_optim_sgd(p, .momentum = -0.1));
    optim_refused(gn_optim_sgd(p, .weight_decay = -0.1));
    optim_refused(gn_optim_sgd(p, .nesterov = true));
    optim_refused(gn_optim_sgd(p, .nesterov = true, .momentum = 0.9, .dampening = 0.1));
    optim_refused(gn_optim_adam(p, .beta1 = gn_some(1)));
    optim_refused(gn_optim_adam(p, .beta2 = gn_some(-0.1)));
    optim_refused(gn_optim_adam(p, .eps = gn_some(-1)));
    optim_refused(gn_optim_adamw(p, .weight_decay = gn_some((double)NAN)));
    optim_refused(gn_optim_adadelta(p, .rho = gn_some(1.5)));
    optim_refused(gn_optim_rprop(p, .etaminus = gn_some(1)));
    optim_refused(gn_optim_rprop(p, .etaplus = gn_some(1)));
    optim_refused(gn_optim_adafactor(p, .beta2_decay = gn_some(0.5)));
    optim_refused(gn_optim_adafactor(p, .d = gn_some(0.5)));
    optim_refused(gn_optim_lbfgs(p, .max_iter = -1));
}
END_TEST

/* ---- Resuming */

static const struct rule_case *current;

static gn_optimizer *make_current(gn_dict *parameters) { return make(current, parameters); }

START_TEST(test_resume) {
    for (int i = 0; i < N_CASES; i++)
        if (is_last(i)) {
            current = &cases[i];
            optim_check_resume(make_current);
        }
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_float32, test_float64, test_half_precision, test_defaults,
                            test_options, test_refuses, test_resume,         NULL};
    return suite_run("rules", tests);
}
