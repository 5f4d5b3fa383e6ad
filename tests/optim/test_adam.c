/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/optim/adam.c. */
#include <math.h>

#include "tests/optim/optim_case.h"
#include "tests/suite.h"

typedef struct adam_case {
    gn_adam_options options;
    float after[OPTIM_SHOWN][OPTIM_ALL];
} adam_case;

static const adam_case adam_cases[] = {
#include "tests/fixtures/optim_adam.inc"
};

static const adam_case adamw_cases[] = {
#include "tests/fixtures/optim_adamw.inc"
};

typedef gn_optimizer *maker(gn_dict *parameters, const gn_adam_options *options);

static void check(maker *make, const adam_case *cases, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (int dtype = GN_F32; dtype <= GN_F64; dtype++) {
            gn_scope scope = gn_scope_begin();
            gn_adam_options options = cases[i].options;
            options.struct_size = sizeof options;
            gn_dict *parameters = optim_parameters(dtype);
            optim_check(make(parameters, &options), parameters, cases[i].after, 4e-6);
            gn_scope_end(scope);
        }
}

START_TEST(test_adam_like_pytorch) {
    check(gn_optim_adam_with, adam_cases, sizeof adam_cases / sizeof adam_cases[0]);
}
END_TEST

START_TEST(test_adamw_like_pytorch) {
    check(gn_optim_adamw_with, adamw_cases, sizeof adamw_cases / sizeof adamw_cases[0]);
}
END_TEST

static gn_optimizer *adam(gn_dict *parameters) { return gn_optim_adam(parameters, .lr = 0.05); }
static gn_optimizer *amsgrad(gn_dict *parameters) {
    return gn_optim_adamw(parameters, .lr = 0.05, .amsgrad = true);
}

START_TEST(test_resume) {
    optim_check_resume(adam);
    optim_check_resume(amsgrad);
}
END_TEST

START_TEST(test_state_names) {
    gn_dict *parameters = optim_parameters(GN_F32);
    gn_optimizer *optimizer = amsgrad(parameters);
    optim_run(optimizer, parameters, 0, 3);
    gn_dict *state = gn_optimizer_state_dict(optimizer);
    ck_assert_int_eq(gn_dict_size(state), 8);
    ck_assert_int_eq(gn_item_int(gn_dict_get(state, "state.0.step")), 3);
    ck_assert_int_eq(gn_item_int(gn_dict_get(state, "state.1.step")),
                     2); /* one step had no gradient */
    ck_assert_ptr_nonnull(gn_dict_get(state, "state.0.exp_avg"));
    ck_assert_ptr_nonnull(gn_dict_get(state, "state.1.exp_avg_sq"));
    ck_assert(
        gn_same_shape(gn_dict_get(state, "state.0.max_exp_avg_sq"), gn_dict_tensor(parameters, 0)));
}
END_TEST

START_TEST(test_half_precision) {
    for (int dtype = GN_F16; dtype <= GN_BF16; dtype++) {
        gn_scope scope = gn_scope_begin();
        gn_dict *parameters = optim_parameters(dtype);
        optim_check(gn_optim_adam(parameters, .lr = 0.05), parameters, adam_cases[0].after,
                    dtype == GN_F16 ? 4e-3 : 3e-2);
        gn_scope_end(scope);
    }
}
END_TEST

static void expect_refused(gn_optimizer *optimizer) {
    ck_assert_ptr_null(optimizer);
    ck_assert_int_eq(gn_error_status(), GN_E_ARGUMENT);
    gn_error_clear();
}

START_TEST(test_refuses) {
    gn_dict *parameters = optim_parameters(GN_F32);
    expect_refused(gn_optim_adam(parameters, .lr = -1));
    expect_refused(gn_optim_adam(parameters, .beta1 = gn_some(1)));
    expect_refused(gn_optim_adam(parameters, .beta2 = gn_some(-0.1)));
    expect_refused(gn_optim_adam(parameters, .eps = gn_some(-1)));
    expect_refused(gn_optim_adamw(parameters, .weight_decay = gn_some((double)NAN)));
    gn_optimizer *optimizer = gn_optim_adam(parameters);
    gn_dict *state = gn_dict_new();
    gn_dict_set(state, "state.0.step", gn_ones(1));
    gn_dict_set(state, "state.0.exp_avg", gn_zeros(2, 3));
    ck_assert_int_eq(gn_optimizer_load_state_dict(optimizer, state),
                     GN_E_ARGUMENT); /* not complete */
    gn_error_clear();
    gn_dict_set(state, "state.0.exp_avg_sq", gn_zeros(2, 3));
    ck_assert_int_eq(gn_optimizer_load_state_dict(optimizer, state), GN_OK);
    gn_dict_set(state, "state.0.step", gn_zeros(1));
    ck_assert_int_eq(gn_optimizer_load_state_dict(optimizer, state), GN_E_ARGUMENT);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_adam_like_pytorch,
                            test_adamw_like_pytorch,
                            test_resume,
                            test_state_names,
                            test_half_precision,
                            test_refuses,
                            NULL};
    return suite_run("adam", tests);
}
