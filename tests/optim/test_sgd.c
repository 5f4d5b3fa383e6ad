/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/optim/sgd.c, and of what all optimizers share (optimizer.c, state.c). */
#include <math.h>
#include <string.h>

#include "tests/optim/optim_case.h"
#include "tests/suite.h"

static const struct {
    gn_sgd_options options;
    float after[OPTIM_SHOWN][OPTIM_ALL];
} cases[] = {
#include "tests/fixtures/optim_sgd.inc"
};

enum { N_CASES = sizeof cases / sizeof cases[0] };

START_TEST(test_like_pytorch) {
    for (int i = 0; i < N_CASES; i++)
        for (int dtype = GN_F32; dtype <= GN_F64; dtype++) {
            gn_scope scope = gn_scope_begin();
            gn_sgd_options options = cases[i].options;
            options.struct_size = sizeof options;
            gn_dict *parameters = optim_parameters(dtype);
            optim_check(gn_optim_sgd_with(parameters, &options), parameters, cases[i].after, 2e-6);
            gn_scope_end(scope);
        }
}
END_TEST

static gn_optimizer *plain(gn_dict *parameters) { return gn_optim_sgd(parameters, .lr = 0.1); }
static gn_optimizer *with_momentum(gn_dict *parameters) {
    return gn_optim_sgd(parameters, .lr = 0.1, .momentum = 0.9);
}

START_TEST(test_resume) {
    optim_check_resume(plain);
    optim_check_resume(with_momentum);
}
END_TEST

START_TEST(test_defaults) {
    gn_dict *parameters = optim_parameters(GN_F32);
    gn_optimizer *sgd = gn_optim_sgd(parameters);
    ck_assert_double_eq(gn_get_lr(sgd), 1e-3);
    ck_assert_int_eq(gn_set_lr(sgd, 0.5), GN_OK);
    ck_assert_double_eq(gn_get_lr(sgd), 0.5);
    ck_assert_int_eq(gn_optimizer_zero_grad(sgd), GN_OK);
    ck_assert_int_eq(gn_step(sgd), GN_OK); /* no gradients: nothing to do */
    ck_assert_int_eq(gn_dict_size(gn_optimizer_state_dict(sgd)), 0);
}
END_TEST

START_TEST(test_zero_grad) {
    gn_dict *parameters = optim_parameters(GN_F32);
    gn_optimizer *sgd = gn_optim_sgd(parameters);
    optim_set_gradients(parameters, 0);
    ck_assert_ptr_nonnull(gn_grad(gn_dict_tensor(parameters, 0)));
    ck_assert_int_eq(gn_zero_grad(sgd), GN_OK);
    ck_assert_ptr_null(gn_grad(gn_dict_tensor(parameters, 0)));
}
END_TEST

/* The dictionary may go: the optimizer keeps the parameters. */
START_TEST(test_keeps_parameters) {
    gn_dict *parameters = gn_dict_new();
    gn_scope scope = gn_scope_begin();
    gn_tensor *p = gn_requires_grad_(gn_ones(4), true);
    gn_dict_set(parameters, "p", p);
    gn_dict_set(parameters, "again", p); /* counts once */
    gn_optimizer *sgd = gn_retain(gn_optim_sgd(parameters, .lr = 1));
    gn_set_grad(p, gn_ones(4));
    gn_retain(p);
    gn_scope_end(scope);
    ck_assert_int_eq(gn_step(sgd), GN_OK);
    float values[4];
    ck_assert_int_eq(gn_copy_out(p, values, GN_F32, 4), GN_OK);
    ck_assert_float_eq(values[3], 0);
    gn_release(p);
    gn_release(sgd);
}
END_TEST

/* Parameters and gradients of any strides: a transposed parameter, a broadcast gradient. */
START_TEST(test_strides) {
    float start[6] = {0, 1, 2, 3, 4, 5}, values[6];
    gn_tensor *p = gn_contiguous(gn_tensor_of(start, 2, 3));
    p = gn_requires_grad_(gn_detach(gn_t(p)), true); /* (3, 2) */
    gn_dict *parameters = gn_dict_new();
    gn_dict_set(parameters, "p", p);
    gn_optimizer *sgd = gn_optim_sgd(parameters, .lr = 0.5, .momentum = 0.5);
    for (int step = 0; step < 2; step++) {
        gn_set_grad(p, gn_expand(gn_tensor_of(((float[]){1, 2}), 1, 2), 3, 2));
        ck_assert_msg(gn_step(sgd) == GN_OK, "%s", gn_error());
    }
    ck_assert_int_eq(gn_copy_out(p, values, GN_F32, 6), GN_OK);
    for (int i = 0; i < 6; i++) /* lr (1 + 1.5) g */
        ck_assert_float_eq(values[i], start[i % 2 * 3 + i / 2] - 1.25f * (float)(1 + i % 2));
}
END_TEST

/* A changed parameter must not be used by an older graph. */
START_TEST(test_counts_as_change) {
    gn_tensor *p = gn_requires_grad_(gn_ones(3), true);
    gn_dict *parameters = gn_dict_new();
    gn_dict_set(parameters, "p", p);
    gn_optimizer *sgd = gn_optim_sgd(parameters);
    gn_tensor *y = gn_sum(gn_mul(p, p));
    gn_set_grad(p, gn_ones(3));
    ck_assert_int_eq(gn_step(sgd), GN_OK);
    ck_assert_int_lt(gn_backward(y), 0);
    gn_error_clear();
}
END_TEST

static void expect_refused(gn_optimizer *optimizer) {
    ck_assert_ptr_null(optimizer);
    ck_assert_int_eq(gn_error_status(), GN_E_ARGUMENT);
    gn_error_clear();
}

START_TEST(test_refuses) {
    gn_dict *parameters = optim_parameters(GN_F32), *none = gn_dict_new(), *wrong = gn_dict_new();
    expect_refused(gn_optim_sgd(parameters, .lr = -1));
    expect_refused(gn_optim_sgd(parameters, .lr = (double)NAN));
    expect_refused(gn_optim_sgd(parameters, .momentum = -0.1));
    expect_refused(gn_optim_sgd(parameters, .weight_decay = -0.1));
    expect_refused(gn_optim_sgd(parameters, .nesterov = true));
    expect_refused(gn_optim_sgd(parameters, .nesterov = true, .momentum = 0.9, .dampening = 0.1));
    expect_refused(gn_optim_sgd(none));
    expect_refused(gn_optim_sgd(NULL));
    gn_dict_set(wrong, "integers", gn_zeros_with(GN_SHAPE(2), GN_AS(.dtype = GN_I64)));
    expect_refused(gn_optim_sgd(wrong));
    gn_dict_set(wrong, "integers", gn_neg(gn_dict_tensor(parameters, 0)));
    expect_refused(gn_optim_sgd(wrong));
    ck_assert_int_eq(gn_step(NULL), GN_E_ARGUMENT);
}
END_TEST

START_TEST(test_refuses_state) {
    gn_dict *parameters = optim_parameters(GN_F32);
    gn_optimizer *sgd = with_momentum(parameters);
    static const char *const names[] = {"state.0.exp_avg",
                                        "state.2.momentum_buffer",
                                        "state.0.step",
                                        "state.-1.momentum_buffer",
                                        "state.00.momentum_buffer",
                                        "state. 0.momentum_buffer",
                                        "momentum_buffer",
                                        "state.0.",
                                        ""};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        gn_dict *state = gn_dict_new();
        if (gn_dict_set(state, names[i], gn_zeros(2, 3)) == GN_OK)
            ck_assert_int_eq(gn_optimizer_load_state_dict(sgd, state), GN_E_ARGUMENT);
        gn_error_clear();
    }
    gn_dict *state = gn_dict_new();
    gn_dict_set(state, "state.1.momentum_buffer", gn_zeros(3));
    gn_dict_set(state, "state.0.momentum_buffer", gn_zeros(3, 2));
    ck_assert_int_eq(gn_optimizer_load_state_dict(sgd, state), GN_E_ARGUMENT);
    ck_assert_msg(strstr(gn_error(), "(3, 2)") != NULL, "%s", gn_error());
    gn_error_clear();
    ck_assert_int_eq(gn_dict_size(gn_optimizer_state_dict(sgd)), 0); /* nothing was changed */
}
END_TEST

int main(void) {
    const TTest *tests[] = {
        test_like_pytorch,     test_resume,  test_defaults,         test_zero_grad,
        test_keeps_parameters, test_strides, test_counts_as_change, test_refuses,
        test_refuses_state,    NULL};
    return suite_run("sgd", tests);
}
