/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/optim/swa.c: averages of weights, and batch norms for them. */
#include <math.h>
#include <string.h>

#include <genesis/genesis.h>

#include "tests/suite.h"

enum { FEATURES = 2, UPDATES = 4 };

static gn_module *model_new(void) {
    return gn_nn_sequential(gn_nn_linear(3, FEATURES), gn_nn_batch_norm1d(FEATURES));
}

static void fill(gn_module *model, double value) {
    gn_dict *state = gn_state_dict(model);
    for (int64_t i = 0; i < gn_dict_size(state); i++)
        gn_fill_(gn_dict_tensor(state, i), value);
}

static double first_of(gn_module *module, const char *name) {
    gn_tensor *t = gn_dict_get(gn_state_dict(module), name);
    ck_assert_msg(t != NULL, "there is no %s", name);
    return gn_item(gn_index(gn_flatten(t, 0), GN_AT(0)));
}

/* Updates with models full of 1, 2, 4, 8. */
static void update(gn_module *average, gn_module *model) {
    for (int i = 0; i < UPDATES; i++) {
        fill(model, 1 << i);
        ck_assert_msg(gn_update_parameters(average, model) == GN_OK, "%s", gn_error());
    }
}

START_TEST(test_mean) {
    gn_module *model = model_new(), *average = gn_averaged_model(model);
    ck_assert_msg(average != NULL, "%s", gn_error());
    update(average, model);
    ck_assert_double_eq_tol(first_of(average, "module.0.weight"), 15.0 / 4, 1e-6);
    ck_assert_double_eq(first_of(average, "module.1.running_mean"), 8); /* a copy of the last */
    ck_assert_double_eq(first_of(average, "n_averaged"), UPDATES);
    ck_assert_double_eq(first_of(model, "0.weight"), 8);
}
END_TEST

START_TEST(test_exponential) {
    gn_module *model = model_new();
    gn_module *average = gn_averaged_model(model, .decay = 0.5, .use_buffers = true);
    update(average, model);
    double wanted = 1;
    for (int i = 1; i < UPDATES; i++)
        wanted = 0.5 * wanted + 0.5 * (1 << i);
    ck_assert_double_eq(first_of(average, "module.0.weight"), wanted);
    ck_assert_double_eq(first_of(average, "module.1.running_var"), wanted);
    /* 1, then 1.5, 2.5, 5, each rounded towards 0 */
    ck_assert_double_eq(first_of(average, "module.1.num_batches_tracked"), 5);
}
END_TEST

static gn_tensor *larger(gn_tensor *average, gn_tensor *parameter, int64_t n, void *context) {
    *(int64_t *)context = n;
    return gn_maximum(average, gn_neg(parameter));
}

START_TEST(test_own_function) {
    int64_t last = 0;
    gn_module *model = model_new();
    gn_module *average = gn_averaged_model(model, .avg_fn = larger, .context = &last);
    update(average, model);
    ck_assert_double_eq(first_of(average, "module.0.bias"), 1);
    ck_assert_int_eq(last, UPDATES - 1);
}
END_TEST

/* The average is a module of its own: it runs, has parameters, a state. */
START_TEST(test_module) {
    gn_module *model = model_new(), *average = gn_averaged_model(model);
    gn_update_parameters(average, model);
    gn_tensor *x = gn_randn(5, 3);
    ck_assert(gn_allclose(gn_forward(gn_eval(average), x), gn_forward(gn_eval(model), x)));
    ck_assert_int_eq(gn_dict_size(gn_parameters(average)), 4);
    gn_module *other = gn_averaged_model(model_new());
    ck_assert_msg(gn_load_state_dict(other, gn_state_dict(average)) == GN_OK, "%s", gn_error());
    ck_assert_double_eq(first_of(other, "n_averaged"), 1);
}
END_TEST

/* Statistics are those of all samples, whatever they were. */
START_TEST(test_update_bn) {
    gn_module *model = model_new(), *norm = gn_at(model, 1);
    fill(norm, 9);
    gn_eval(model);
    gn_tensor *x = gn_randn(12, 3);
    gn_loader *loader = gn_loader_new(gn_tensor_dataset(x, NULL), .batch = 4);
    ck_assert_msg(gn_update_bn(loader, model) == GN_OK, "%s", gn_error());
    bool was = gn_set_grad_enabled(false);
    gn_tensor *hidden = gn_forward(gn_at(model, 0), x);
    gn_tensor *mean = gn_mean(hidden, .dims = GN_DIMS(0));
    gn_set_grad_enabled(was);
    ck_assert(gn_allclose(gn_dict_get(gn_state_dict(norm), "running_mean"), mean,
                          .rtol = gn_some(1e-5), .atol = gn_some(1e-6)));
    ck_assert_double_eq(first_of(norm, "num_batches_tracked"), 3);
    ck_assert(!model->training);
    /* The momentum is what it was: 0.1. */
    gn_train(model, true);
    double before = first_of(norm, "running_mean");
    gn_tensor *zeros = gn_zeros(4, 3);
    fill(gn_at(model, 0), 0);
    gn_forward(model, zeros);
    ck_assert_double_eq_tol(first_of(norm, "running_mean"), 0.9 * before, 1e-6);
}
END_TEST

START_TEST(test_refuses) {
    gn_module *model = model_new(), *average = gn_averaged_model(model);
    ck_assert_ptr_null(gn_averaged_model(NULL));
    gn_error_clear();
    ck_assert_ptr_null(gn_averaged_model(model, .decay = 1.5));
    gn_error_clear();
    ck_assert_int_eq(gn_update_parameters(model, model), GN_E_ARGUMENT);
    gn_error_clear();
    ck_assert_int_eq(gn_update_parameters(average, gn_nn_relu()), GN_E_ARGUMENT);
    ck_assert_msg(strstr(gn_error(), "0 tensors") != NULL, "%s", gn_error());
    gn_error_clear();
    ck_assert_int_eq(gn_update_parameters(average, NULL), GN_E_ARGUMENT);
    gn_error_clear();
    ck_assert_int_eq(gn_update_bn(NULL, model), GN_E_ARGUMENT);
    gn_error_clear();
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_mean,   test_exponential, test_own_function,
                            test_module, test_update_bn,   test_refuses,
                            NULL};
    return suite_run("swa", tests);
}
