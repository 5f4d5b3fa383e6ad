/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what all optimizers share: libgenesis/optim/optimizer.c, step.c. */
#include <math.h>
#include <string.h>

#include "tests/optim/optim_case.h"
#include "tests/suite.h"

START_TEST(test_defaults) {
    gn_dict *parameters = optim_parameters(GN_F32);
    gn_optimizer *sgd = gn_optim_sgd(parameters);
    ck_assert_double_eq(gn_get_lr(sgd), 1e-3);
    ck_assert_int_eq(gn_set_lr(sgd, 0.5), GN_OK);
    ck_assert_double_eq(gn_get_lr(sgd), 0.5);
    ck_assert_int_eq(gn_optimizer_zero_grad(sgd), GN_OK);
    ck_assert_int_eq(gn_step(sgd), GN_OK); /* no gradients: nothing to do */
    ck_assert_int_eq(gn_dict_size(gn_dict_get_dict(gn_optimizer_state_dict(sgd), "state")), 0);
}
END_TEST

START_TEST(test_zero_grad) {
    gn_dict *parameters = optim_parameters(GN_F32);
    gn_optimizer *sgd = gn_optim_sgd(parameters);
    optim_set_gradients(parameters, 0);
    ck_assert_ptr_nonnull(gn_grad(gn_dict_tensor(parameters, 0)));
    ck_assert_int_eq(gn_zero_grad(sgd), GN_OK);
    ck_assert_ptr_null(gn_grad(gn_dict_tensor(parameters, 0)));
    optim_set_gradients(parameters, 0);
    ck_assert_int_eq(gn_reset_grad(sgd), GN_OK);
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

/* A parameter without memory of its own order is updated itself, not a copy of it. */
START_TEST(test_view_of_data) {
    gn_tensor *data = gn_zeros(3, 4);
    gn_tensor *p = gn_requires_grad_(gn_detach(gn_narrow(data, 1, 1, 2)), true); /* (3, 2) */
    gn_dict *parameters = gn_dict_new();
    gn_dict_set(parameters, "p", p);
    gn_optimizer *adamw = gn_optim_adamw(parameters, .lr = 0.5);
    gn_set_grad(p, gn_ones(3, 2));
    ck_assert_int_eq(gn_step(adamw), GN_OK);
    float values[12];
    ck_assert_int_eq(gn_copy_out(data, values, GN_F32, 12), GN_OK);
    for (int i = 0; i < 12; i++) /* m / sqrt(v) is 1, but for eps */
        ck_assert_float_eq_tol(values[i], i % 4 == 1 || i % 4 == 2 ? -0.5f : 0, 1e-6f);
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

START_TEST(test_refuses) {
    gn_dict *parameters = optim_parameters(GN_F32), *none = gn_dict_new(), *wrong = gn_dict_new();
    optim_refused(gn_optim_sgd(none));
    optim_refused(gn_optim_sgd(NULL));
    gn_dict_set(wrong, "integers", gn_zeros_with(GN_SHAPE(2), GN_AS(.dtype = GN_I64)));
    optim_refused(gn_optim_sgd(wrong));
    gn_dict_set(wrong, "integers", gn_neg(gn_dict_tensor(parameters, 0)));
    optim_refused(gn_optim_sgd(wrong));
    ck_assert_int_eq(gn_step(NULL), GN_E_ARGUMENT);
}
END_TEST

/* ---- Groups of parameters */

/* A dictionary of one parameter, ones (n), with a gradient of ones. */
static gn_dict *ones(int64_t n) {
    gn_dict *dict = gn_dict_new();
    gn_tensor *p = gn_requires_grad_(gn_ones(n), true);
    gn_dict_set(dict, "p", p);
    gn_set_grad(p, gn_ones(n));
    return dict;
}

static double first_of(gn_dict *parameters) {
    return gn_item(gn_index(gn_detach(gn_dict_tensor(parameters, 0)), GN_AT(0)));
}

START_TEST(test_groups) {
    gn_dict *a = ones(3), *b = ones(2), *c = ones(4);
    gn_optimizer *sgd = gn_optim_sgd(a, .lr = 0.5, .momentum = 0.5);
    ck_assert_int_eq(gn_add_param_group(sgd, b, .options = {{"lr", 0.25}, {"weight_decay", 1}}),
                     GN_OK);
    ck_assert_int_eq(gn_add_param_group(sgd, c, .options = {{"momentum", 0}, {"maximize", 1}}),
                     GN_OK);
    ck_assert_int_eq(gn_num_param_groups(sgd), 3);
    ck_assert_double_eq(gn_param_group_get(sgd, 1, "lr"), 0.25);
    ck_assert_double_eq(gn_param_group_get(sgd, 1, "momentum"), 0.5); /* as it was made */
    ck_assert_double_eq(gn_get_lr(sgd), 0.5);
    for (int step = 0; step < 2; step++)
        ck_assert_msg(gn_step(sgd) == GN_OK, "%s", gn_error());
    ck_assert_double_eq(first_of(a), 1 - 0.5 - 0.5 * 1.5);
    /* 1 - 0.25 (1 + 1) = 0.5; then the gradient is 1 + 0.5 and the momentum 0.5 2 + 1.5 */
    ck_assert_double_eq(first_of(b), 0.5 - 0.25 * 2.5);
    ck_assert_double_eq(first_of(c), 2);
    ck_assert_int_eq(gn_set_lr(sgd, 0.125), GN_OK); /* of all groups */
    ck_assert_double_eq(gn_param_group_get(sgd, 2, "lr"), 0.125);
    ck_assert_int_eq(gn_param_group_set(sgd, 2, "maximize", 0), GN_OK);
    ck_assert_int_eq(gn_step(sgd), GN_OK);
    ck_assert_double_eq(first_of(c), 2 - 0.125);
}
END_TEST

/* A group may come while a training runs: the others keep their state. */
START_TEST(test_group_added_later) {
    gn_dict *a = ones(3), *b = ones(2);
    gn_optimizer *sgd = gn_optim_sgd(a, .lr = 0.5, .momentum = 0.5);
    ck_assert_int_eq(gn_step(sgd), GN_OK);
    ck_assert_int_eq(gn_add_param_group(sgd, b), GN_OK);
    ck_assert_int_eq(gn_step(sgd), GN_OK);
    ck_assert_double_eq(first_of(a), 1 - 0.5 - 0.5 * 1.5);
    ck_assert_double_eq(first_of(b), 0.5);
}
END_TEST

START_TEST(test_groups_refuse) {
    gn_dict *a = ones(3), *none = gn_dict_new();
    gn_optimizer *sgd = gn_optim_sgd(a, .lr = 0.5);
    const struct {
        gn_dict *parameters;
        gn_hyperparameter option;
        const char *words;
    } wrong[] = {
        {a, {NULL, 0}, "p is in another group"},
        {none, {NULL, 0}, "no parameters"},
        {NULL, {NULL, 0}, "no parameters"},
        {ones(2), {"beta1", 0.5}, "no hyperparameter \"beta1\""},
        {ones(2), {"lr", -1}, "lr is -1"},
        {ones(2), {"nesterov", 1}, "nesterov needs"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        gn_param_group_options options = {.options = {wrong[i].option}};
        ck_assert_int_eq(gn_add_param_group_with(sgd, wrong[i].parameters, &options),
                         GN_E_ARGUMENT);
        ck_assert_msg(strstr(gn_error(), wrong[i].words) != NULL, "%s", gn_error());
        gn_error_clear();
        ck_assert_int_eq(gn_num_param_groups(sgd), 1);
    }
    ck_assert_int_eq(gn_param_group_set(sgd, 0, "lr", -1), GN_E_ARGUMENT);
    gn_error_clear();
    ck_assert_double_eq(gn_get_lr(sgd), 0.5);
    ck_assert_int_eq(gn_param_group_set(sgd, 1, "lr", 1), GN_E_INDEX);
    gn_error_clear();
    gn_param_group_get(sgd, 0, "initial_lr"); /* no schedule was made */
    ck_assert_int_eq(gn_error_status(), GN_E_ARGUMENT);
    gn_error_clear();
    ck_assert_int_eq(gn_add_param_group(gn_optim_lbfgs(ones(2)), ones(2)), GN_E_UNSUPPORTED);
    gn_error_clear();
}
END_TEST

/* ---- Closures */

typedef struct closure_state {
    gn_dict *parameters;
    gn_optimizer *optimizer;
    int calls;
} closure_state;

static gn_tensor *half_of_squares(void *context) {
    closure_state *s = context;
    gn_tensor *p = gn_dict_tensor(s->parameters, 0);
    s->calls++;
    gn_zero_grad(s->optimizer);
    gn_tensor *loss = gn_mul_scalar(gn_sum(gn_square(p)), 0.5);
    gn_backward(loss);
    return loss;
}

static gn_tensor *nothing(void *context) {
    (void)context;
    return NULL;
}

START_TEST(test_closure) {
    gn_dict *parameters = ones(2);
    closure_state s = {parameters, gn_optim_sgd(parameters, .lr = 0.5), 0};
    bool was = gn_set_grad_enabled(false); /* the closure computes gradients all the same */
    gn_tensor *loss = gn_step_with(s.optimizer, half_of_squares, &s);
    gn_set_grad_enabled(was);
    ck_assert_msg(loss != NULL, "%s", gn_error());
    ck_assert_double_eq(gn_item(loss), 1); /* before the step */
    ck_assert_double_eq(first_of(parameters), 0.5);
    ck_assert_int_eq(s.calls, 1);
    ck_assert_ptr_null(gn_step_with(s.optimizer, nothing, NULL));
    ck_assert_int_eq(gn_error_status(), GN_E_ARGUMENT);
    gn_error_clear();
    ck_assert_ptr_null(gn_step_with(s.optimizer, NULL, NULL));
    gn_error_clear();
    ck_assert_double_eq(first_of(parameters), 0.5);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_defaults,      test_zero_grad,    test_keeps_parameters,
                            test_strides,       test_view_of_data, test_counts_as_change,
                            test_refuses,       test_groups,       test_group_added_later,
                            test_groups_refuse, test_closure,      NULL};
    return suite_run("optimizer", tests);
}
