/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/optim/state.c and load.c: PyTorch's structure, both ways. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/optim/optim_case.h"
#include "tests/files.h"
#include "tests/suite.h"
#include "tests/temp_dir.h"

/* AdamW as in tests/fixtures/make_optim.py: two groups with a parameter each. */
static gn_optimizer *two_groups(gn_dict *parameters) {
    gn_dict *first = gn_dict_new(), *second = gn_dict_new();
    gn_dict_set(first, "first", gn_dict_tensor(parameters, 0));
    gn_dict_set(second, "second", gn_dict_tensor(parameters, 1));
    gn_optimizer *adam = gn_optim_adamw(first, .lr = 0.05, .amsgrad = true);
    gn_add_param_group(adam, second, .options = {{"lr", 0.2}});
    ck_assert_msg(gn_error_status() == GN_OK, "%s", gn_error());
    return adam;
}

static gn_dict *entry_of(gn_dict *state, const char *number) {
    return gn_dict_get_dict(gn_dict_get_dict(state, "state"), number);
}

static gn_dict *group_of(gn_dict *state, const char *number) {
    return gn_dict_get_dict(gn_dict_get_dict(state, "param_groups"), number);
}

START_TEST(test_structure) {
    gn_dict *parameters = optim_parameters(GN_F32);
    gn_optimizer *adam = two_groups(parameters);
    gn_dict *empty = gn_optimizer_state_dict(adam);
    ck_assert_int_eq(gn_dict_size(gn_dict_get_dict(empty, "state")), 0);
    optim_run(adam, parameters, 0, 3);
    gn_dict *state = gn_optimizer_state_dict(adam);
    ck_assert_int_eq(gn_dict_size(gn_dict_get_dict(state, "state")), 2);
    ck_assert_double_eq(gn_item(gn_dict_get(entry_of(state, "0"), "step")), 3);
    ck_assert_double_eq(gn_item(gn_dict_get(entry_of(state, "1"), "step")), 2); /* one skipped */
    ck_assert(gn_same_shape(gn_dict_get(entry_of(state, "0"), "max_exp_avg_sq"),
                            gn_dict_tensor(parameters, 0)));
    gn_dict *group = group_of(state, "1");
    ck_assert_double_eq(gn_dict_get_float(group, "lr", 0), 0.2);
    ck_assert_double_eq(gn_dict_get_float(gn_dict_get_dict(group, "betas"), "1", 0), 0.999);
    ck_assert_int_eq(gn_dict_get_int(group, "amsgrad", 0), 1);
    ck_assert_int_eq(gn_dict_get_int(group, "decoupled_weight_decay", 0), 1);
    ck_assert_int_eq(gn_dict_size(gn_dict_get_dict(group, "params")), 1);
    ck_assert_int_eq(gn_dict_get_int(gn_dict_get_dict(group, "params"), "0", 0), 1);
}
END_TEST

/* The dictionary has copies: steps do not change it. */
START_TEST(test_copies) {
    gn_dict *parameters = optim_parameters(GN_F32);
    gn_optimizer *adam = two_groups(parameters);
    optim_run(adam, parameters, 0, 1);
    gn_dict *state = gn_optimizer_state_dict(adam);
    gn_tensor *moment = gn_dict_get(entry_of(state, "0"), "exp_avg");
    double before = gn_item(gn_sum(moment));
    optim_run(adam, parameters, 1, 2);
    ck_assert_double_eq(gn_item(gn_sum(moment)), before);
    ck_assert_int_eq(gn_optimizer_load_state_dict(adam, state), GN_OK);
    optim_run(adam, parameters, 2, 3);
    ck_assert_double_eq(gn_item(gn_sum(moment)), before);
}
END_TEST

/* A training of PyTorch goes on here: three steps there, seven here, like ten there. */
START_TEST(test_from_pytorch) {
    gn_dict *saved = must_load(fixture_path("optim_torch.pth")),
            *parameters = optim_parameters(GN_F32);
    gn_dict *values = gn_dict_get_dict(saved, "parameters");
    for (int i = 0; i < 2; i++)
        gn_copy_(gn_detach(gn_dict_tensor(parameters, i)), gn_dict_tensor(values, i));
    gn_optimizer *adam = two_groups(parameters);
    gn_set_lr(adam, 1);
    gn_scheduler *schedule = gn_lr_cosine_annealing(adam, 8);
    ck_assert_msg(gn_scheduler_load_state_dict(schedule, gn_dict_get_dict(saved, "schedule")) ==
                      GN_OK,
                  "%s", gn_error());
    ck_assert_msg(gn_optimizer_load_state_dict(adam, gn_dict_get_dict(saved, "optimizer")) == GN_OK,
                  "%s", gn_error());
    for (int step = 3; step < OPTIM_STEPS; step++) {
        optim_run(adam, parameters, step, step + 1);
        ck_assert_int_eq(gn_scheduler_step(schedule), GN_OK);
    }
    float wanted[OPTIM_ALL];
    gn_copy_out(gn_dict_get(saved, "wanted"), wanted, GN_F32, OPTIM_ALL);
    optim_expect(parameters, wanted, 1e-5); /* as in test_rules.c */
}
END_TEST

/* Through a file, and on, bit by bit. */
START_TEST(test_file) {
    gn_dict *a = optim_parameters(GN_F32), *b = optim_parameters(GN_F32);
    gn_optimizer *left = two_groups(a), *right = two_groups(b);
    optim_run(left, a, 0, 3);
    const char *path = temp_dir_path("adam.pth");
    ck_assert_msg(gn_save(gn_optimizer_state_dict(left), path) == GN_OK, "%s", gn_error());
    ck_assert_msg(gn_optimizer_load_state_dict(right, gn_load(path, NULL)) == GN_OK, "%s",
                  gn_error());
    for (int i = 0; i < 2; i++)
        gn_copy_(gn_detach(gn_dict_tensor(b, i)), gn_detach(gn_dict_tensor(a, i)));
    optim_run(left, a, 3, OPTIM_STEPS);
    optim_run(right, b, 3, OPTIM_STEPS);
    for (int i = 0; i < 2; i++)
        ck_assert(gn_equal(gn_dict_tensor(a, i), gn_dict_tensor(b, i)));
}
END_TEST

/* ---- What does not fit: an error, and nothing is changed */

static void remove_group(gn_dict *state) { gn_dict_set(state, "param_groups", gn_list_new()); }
static void no_state(gn_dict *state) { gn_dict_set(state, "state", 1); }
static void bad_rate(gn_dict *state) { gn_dict_set(group_of(state, "1"), "lr", -1.0); }
static void no_parameters(gn_dict *state) {
    gn_dict_set(group_of(state, "0"), "params", gn_list_new());
}
static void bad_number(gn_dict *state) {
    gn_dict_set(gn_dict_get_dict(state, "state"), "7", entry_of(state, "0"));
}
static void padded_number(gn_dict *state) {
    gn_dict_set(gn_dict_get_dict(state, "state"), "00", entry_of(state, "0"));
}
static void bad_shape(gn_dict *state) {
    gn_dict_set(entry_of(state, "1"), "exp_avg", gn_zeros(3, 2));
}
static void bad_step(gn_dict *state) {
    gn_dict_set(entry_of(state, "1"), "step", gn_full(GN_SHAPE(1), -1, NULL));
}
static void no_moment(gn_dict *state) { gn_dict_set_none(entry_of(state, "1"), "exp_avg"); }
static void foreign(gn_dict *state) {
    gn_dict_set(entry_of(state, "0"), "momentum_buffer", gn_zeros(2, 3));
}

START_TEST(test_refuses) {
    static const struct {
        void (*damage)(gn_dict *state);
        const char *words;
    } damages[] = {
        {remove_group, "0 groups of parameters, the optimizer 2"},
        {no_state, "no dictionary \"state\""},
        {bad_rate, "lr is -1"},
        {no_parameters, "param_groups.0 has 0 parameters, not 1"},
        {bad_number, "state.7 is no state"},
        {padded_number, "state.00 is no state"},
        {bad_shape, "state.1.exp_avg has shape (3, 2), not (3)"},
        {bad_step, "state.1.step is no number"},
        {no_moment, "state.1 has no exp_avg"},
        {foreign, "momentum_buffer is no state of this adamw"},
    };
    gn_dict *a = optim_parameters(GN_F32);
    gn_optimizer *adam = two_groups(a), *other = two_groups(optim_parameters(GN_F32));
    optim_run(adam, a, 0, 2);
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        gn_dict *state = gn_optimizer_state_dict(adam);
        gn_dict_set(group_of(state, "0"), "lr", 0.5);
        damages[i].damage(state);
        ck_assert_int_eq(gn_optimizer_load_state_dict(other, state), GN_E_ARGUMENT);
        ck_assert_msg(strstr(gn_error(), damages[i].words) != NULL, "%s", gn_error());
        gn_error_clear();
        ck_assert_int_eq(gn_dict_size(gn_dict_get_dict(gn_optimizer_state_dict(other), "state")),
                         0);
        ck_assert_double_eq(gn_get_lr(other), 0.05);
    }
    ck_assert_int_eq(gn_optimizer_load_state_dict(adam, NULL), GN_E_ARGUMENT);
    gn_error_clear();
    ck_assert_ptr_null(gn_optimizer_state_dict(NULL));
    gn_error_clear();
}
END_TEST

/* SGD counts no steps: its first momentum is the gradient, unless one was loaded. */
START_TEST(test_sgd_without_momentum_yet) {
    gn_dict *a = optim_parameters(GN_F32), *b = optim_parameters(GN_F32);
    gn_optimizer *sgd = gn_optim_sgd(a, .lr = 0.5, .momentum = 0.5, .dampening = 0.5);
    gn_optimizer *other = gn_optim_sgd(b, .lr = 0.5, .momentum = 0.5, .dampening = 0.5);
    gn_dict *state = gn_optimizer_state_dict(sgd), *entry = gn_dict_new();
    gn_dict_set_none(entry, "momentum_buffer"); /* so PyTorch 1 has it before the first step */
    gn_dict_set(gn_dict_get_dict(state, "state"), "0", entry);
    ck_assert_msg(gn_optimizer_load_state_dict(other, state) == GN_OK, "%s", gn_error());
    optim_run(sgd, a, 0, 2);
    optim_run(other, b, 0, 2);
    for (int i = 0; i < 2; i++)
        ck_assert(gn_equal(gn_dict_tensor(a, i), gn_dict_tensor(b, i)));
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_structure,
                            test_copies,
                            test_from_pytorch,
                            test_file,
                            test_refuses,
                            test_sgd_without_momentum_yet,
                            NULL};
    temp_dir_make();
    int status = suite_run("optimizer state", tests);
    temp_dir_remove();
    return status;
}
