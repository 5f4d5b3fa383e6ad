/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/containers.c. */
#include <math.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/suite.h"

START_TEST(test_sequential) {
    gn_module *a = gn_nn_linear(4, 3), *b = gn_nn_linear(3, 2);
    gn_module *model = gn_nn_sequential(a, gn_nn_relu(), b);
    gn_tensor *x = gn_randn(5, 4);
    expect_close("sequential", gn_forward(model, x), gn_forward(b, gn_relu(gn_forward(a, x))));
    ck_assert_int_eq(gn_length(model), 3);
    ck_assert_ptr_eq(gn_at(model, -1), b);
    ck_assert_ptr_eq(gn_append(model, gn_nn_tanh()), model);
    ck_assert_int_eq(gn_length(model), 4);
    ck_assert_ptr_nonnull(gn_get_submodule(model, "3"));
    ck_assert_ptr_eq(gn_forward(gn_nn_sequential_n((gn_module_array){0}), x), x);
    ck_assert_ptr_null(gn_at(model, 4));
    expect_error_with(GN_E_INDEX, "Sequential has no child 4: its length is 4");
}
END_TEST

/* Without gradients an activation dies as soon as the next one is there. */
START_TEST(test_memory) {
    enum { LAYERS = 20, SIDE = 64 };
    gn_module *model = gn_nn_sequential(gn_nn_linear(SIDE, SIDE));
    for (int i = 1; i < LAYERS; i++)
        gn_append(model, gn_nn_linear(SIDE, SIDE));
    gn_tensor *x = gn_randn(SIDE, SIDE);
    bool was = gn_set_grad_enabled(false);
    gn_memory_stats before, after;
    ck_assert_ptr_nonnull(gn_forward(model, x)); /* what only the first run allocates */
    ck_assert_int_eq(gn_memory_peak_reset(gn_default_device()), GN_OK);
    gn_memory_stats_get(gn_default_device(), &before);
    ck_assert_ptr_nonnull(gn_forward(model, x));
    gn_memory_stats_get(gn_default_device(), &after);
    gn_set_grad_enabled(was);
    ck_assert_uint_le(after.allocated_peak - before.allocated,
                      LAYERS / 2 * SIDE * SIDE * sizeof(float));
}
END_TEST

/* ReLU after a max pooling that is written after it: equal to the last bit, NaN and ties too. */
START_TEST(test_relu_and_pool) {
    gn_tensor *x = gn_randint(-2, 3, GN_SHAPE(2, 3, 8, 9), GN_AS(.dtype = GN_F32)), *grads[2];
    gn_copy_(gn_select(gn_select(x, 0, 0), 0, 0), gn_full(GN_SHAPE(8, 9), NAN, NULL));
    gn_copy_(gn_select(gn_select(x, 0, 0), 0, 1), gn_full(GN_SHAPE(8, 9), -INFINITY, NULL));
    gn_requires_grad_(x, true);
    gn_module *relu = gn_nn_relu(), *pool = gn_nn_max_pool2d(3, .stride = 2, .padding = 1);
    gn_tensor *y = gn_forward(pool, gn_forward(relu, x)), *g = gn_randn_like(y);
    gn_tensor *other = gn_forward(gn_nn_sequential(relu, pool), x);
    expect_close("forward", other, y);
    ck_assert_str_eq(gn_grad_fn(other), "relu");
    for (int i = 0; i < 2; i++) {
        gn_set_grad(x, NULL);
        gn_backward(i ? other : y, .gradient = g);
        grads[i] = gn_clone(gn_grad(x));
    }
    expect_close("gradient", grads[1], grads[0]);
    relu = gn_nn_relu(.inplace = true); /* changes x, which is to be seen */
    gn_forward(gn_nn_sequential(relu, pool),
               gn_requires_grad_(x = gn_full(GN_SHAPE(1, 1, 3, 3), -1, NULL), false));
    EXPECT_VALUES(x, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}
END_TEST

START_TEST(test_module_list) {
    gn_module *list = gn_nn_module_list(gn_nn_linear(2, 2), gn_nn_linear(2, 2));
    gn_extend(list, gn_nn_linear(2, 2), gn_nn_relu());
    ck_assert_int_eq(gn_length(list), 4);
    ck_assert_int_eq(gn_dict_size(gn_parameters(list)), 6);
    ck_assert_str_eq(gn_dict_name(gn_parameters(list), 5), "2.bias");
    ck_assert_ptr_null(gn_forward(list, gn_zeros(1, 2)));
    expect_error_with(GN_E_UNSUPPORTED, "ModuleList: this module has no forward");
    ck_assert_ptr_null(gn_append(list, NULL));
    expect_error_with(GN_E_ARGUMENT, "append: the module is NULL");
    ck_assert_ptr_null(gn_append(gn_nn_relu(), gn_nn_relu()));
    expect_error_with(GN_E_ARGUMENT, "append: ReLU is neither a Sequential nor a ModuleList");
}
END_TEST

START_TEST(test_module_dict) {
    gn_module *dict = gn_nn_module_dict();
    ck_assert_int_eq(gn_add_module(dict, "fc1", gn_nn_linear(10, 20)), GN_OK);
    ck_assert_int_eq(gn_add_module(dict, "fc2", gn_nn_linear(20, 10)), GN_OK);
    gn_tensor *y =
        gn_forward(gn_key(dict, "fc2"), gn_forward(gn_key(dict, "fc1"), gn_randn(32, 10)));
    ck_assert_int_eq(gn_size(y, 1), 10);
    ck_assert_str_eq(gn_dict_name(gn_state_dict(dict), 2), "fc2.weight");
    ck_assert_int_eq(gn_add_module(dict, "fc1", gn_nn_relu()), GN_E_ARGUMENT);
    expect_error_with(GN_E_ARGUMENT, "ModuleDict has a \"fc1\" already");
    ck_assert_ptr_null(gn_key(dict, "fc3"));
    expect_error_with(GN_E_NOT_FOUND, "ModuleDict has no \"fc3\"");
}
END_TEST

/* A failed member fails the whole container, with the first cause. */
START_TEST(test_failed_member) {
    ck_assert_ptr_null(gn_nn_sequential(gn_nn_linear(2, 2), gn_nn_dropout(2), gn_nn_relu()));
    expect_error_with(GN_E_ARGUMENT, "Dropout: the probability 2 is not between 0 and 1");
}
END_TEST

int main(void) {
    const TTest *tests[] = {
        test_sequential,    test_memory, test_relu_and_pool, test_module_list, test_module_dict,
        test_failed_member, NULL};
    return suite_run("containers", tests);
}
