/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/containers.c. */
#include <math.h>
#include <string.h>

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

static gn_tensor *see_height(gn_module *m, gn_tensor *value, gn_tensor *other, void *context) {
    (void)m;
    (void)other;
    *(int64_t *)context = gn_size(value, -2);
    return NULL;
}

/* Hooks see the modules in their order. */
START_TEST(test_relu_and_pool_hooked) {
    gn_module *model = gn_nn_sequential(gn_nn_relu(), gn_nn_max_pool2d(2));
    int64_t height = 0;
    gn_register_forward_pre_hook(gn_at(model, 0), see_height, &height);
    gn_forward(model, gn_ones(1, 1, 4, 4));
    ck_assert_int_eq(height, 4);
    height = 0;
    model = gn_nn_sequential(gn_nn_relu(), gn_nn_max_pool2d(2));
    gn_register_forward_hook(gn_at(model, 1), see_height, &height);
    ck_assert_str_eq(gn_grad_fn(gn_forward(model, gn_requires_grad_(gn_ones(1, 1, 4, 4), true))),
                     "max_pool2d");
    ck_assert_int_eq(height, 2);
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
    expect_error_with(GN_E_ARGUMENT, "append: ReLU is no Sequential or ModuleList");
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

/* ---- Changes */

/* The children's names and classes: "0:ReLU 1:Tanh ". */
static void append_name(const char *name, gn_module *module, void *text) {
    strcat(text, name);
    strcat(text, ":");
    strcat(text, module->type->name);
    strcat(text, " ");
}

static void expect_children(gn_module *m, const char *expected) {
    char text[512] = "";
    gn_children(m, append_name, text);
    ck_assert_str_eq(text, expected);
}

START_TEST(test_named) {
    gn_module *m = gn_nn_sequential_named({"fc", gn_nn_linear(4, 3)}, {"act", gn_nn_relu()});
    expect_children(m, "fc:Linear act:ReLU ");
    ck_assert_str_eq(gn_dict_name(gn_state_dict(m), 0), "fc.weight");
    gn_tensor *x = gn_randn(2, 4);
    expect_close("named", gn_forward(m, x), gn_relu(gn_forward(gn_key(m, "fc"), x)));
    gn_append(m, gn_nn_tanh());
    expect_children(m, "fc:Linear act:ReLU 2:Tanh ");
    expect_children(gn_modules_slice(m, -2, INT64_MAX), "act:ReLU 2:Tanh ");
    gn_pop(m, 0);
    expect_children(m, "act:ReLU 2:Tanh ");
    ck_assert_ptr_null(gn_insert(m, 0, gn_nn_relu()));
    expect_error_with(GN_E_UNSUPPORTED, "insert: the children have names: \"act\", ..");
    ck_assert_ptr_null(gn_nn_sequential_named({"a.b", gn_nn_relu()}));
    expect_error_with(GN_E_ARGUMENT, "\"a.b\" is no name");
}
END_TEST

START_TEST(test_insert_and_pop) {
    gn_scope scope = gn_scope_begin();
    gn_module *list = gn_nn_module_list(gn_nn_relu(), gn_nn_tanh());
    ck_assert_ptr_eq(gn_insert(list, 0, gn_nn_sigmoid()), list);
    expect_children(list, "0:Sigmoid 1:ReLU 2:Tanh ");
    gn_insert(list, -1, gn_nn_identity());
    gn_insert(list, 4, gn_nn_flatten());
    expect_children(list, "0:Sigmoid 1:ReLU 2:Identity 3:Tanh 4:Flatten ");
    gn_module *popped = gn_pop(list, 1);
    ck_assert_str_eq(popped->type->name, "ReLU");
    gn_pop(list, -1);
    expect_children(list, "0:Sigmoid 1:Identity 2:Tanh ");
    ck_assert_ptr_eq(gn_set_at(list, -2, gn_nn_relu()), list);
    expect_children(list, "0:Sigmoid 1:ReLU 2:Tanh ");
    ck_assert_str_eq(gn_name_at(list, -1), "2");
    ck_assert_ptr_null(gn_pop(list, 3));
    expect_error_with(GN_E_INDEX, "ModuleList has no child 3: its length is 3");
    ck_assert_ptr_null(gn_insert(list, 5, gn_nn_relu()));
    expect_error_with(GN_E_INDEX, "ModuleList has no place 5: its length is 3");
    ck_assert_ptr_null(gn_set_at(list, 0, NULL));
    expect_error_with(GN_E_ARGUMENT, "set_at: the module is NULL");
    gn_add_module(list, "3", NULL);
    ck_assert_ptr_null(gn_pop(list, 3));
    expect_error_with(GN_E_STATE, "pop: the place \"3\" of ModuleList is empty");
    gn_clear(list);
    ck_assert_int_eq(gn_length(list), 0);
    ck_assert_int_eq(gn_scope_end(scope), GN_OK);
}
END_TEST

START_TEST(test_slices) {
    gn_module *a = gn_nn_sequential(gn_nn_linear(2, 3), gn_nn_relu(), gn_nn_linear(3, 2));
    gn_module *head = gn_modules_slice(a, 0, 2);
    ck_assert_ptr_eq(gn_at(head, 0), gn_at(a, 0)); /* shared */
    gn_tensor *x = gn_randn(4, 2);
    expect_close("slice", gn_forward(head, x), gn_relu(gn_forward(gn_at(a, 0), x)));
    expect_children(gn_modules_slice(a, 1, 100), "1:ReLU 2:Linear ");
    ck_assert_int_eq(gn_length(gn_modules_slice(a, 2, 1)), 0);
    gn_module *list = gn_nn_module_list(gn_nn_relu(), gn_nn_tanh());
    expect_children(gn_modules_slice(list, -1, 2), "0:Tanh "); /* numbered anew */
    expect_children(gn_modules_concat(list, a), "0:ReLU 1:Tanh 2:Linear 3:ReLU 4:Linear ");
    gn_module *twice = gn_modules_concat(a, a);
    ck_assert_int_eq(gn_length(twice), 6);
    ck_assert_int_eq(gn_dict_size(gn_parameters(twice)), 4);
    ck_assert_ptr_null(gn_modules_slice(gn_nn_relu(), 0, 1));
    expect_error_with(GN_E_ARGUMENT, "modules_slice: ReLU is no Sequential or ModuleList");
}
END_TEST

START_TEST(test_dict_changes) {
    gn_module *dict = gn_nn_module_dict({"b", gn_nn_relu()}, {"a", gn_nn_tanh()});
    expect_children(dict, "b:ReLU a:Tanh ");
    ck_assert(gn_has_key(dict, "a") && !gn_has_key(dict, "c") && !gn_has_key(dict, NULL));
    ck_assert_ptr_eq(gn_update(dict, {"b", gn_nn_sigmoid()}, {"c", gn_nn_relu()}), dict);
    expect_children(dict, "b:Sigmoid a:Tanh c:ReLU ");
    ck_assert_str_eq(gn_pop_key(dict, "a")->type->name, "Tanh");
    expect_children(dict, "b:Sigmoid c:ReLU ");
    ck_assert_ptr_null(gn_pop_key(dict, "a"));
    expect_error_with(GN_E_NOT_FOUND, "ModuleDict has no \"a\"");
    ck_assert_ptr_null(gn_update(dict, {"x.y", gn_nn_relu()}));
    expect_error_with(GN_E_ARGUMENT, "\"x.y\" is no name");
    ck_assert_ptr_null(gn_update(dict, {"d", dict}));
    expect_error_with(GN_E_ARGUMENT, "ModuleDict can't be below itself");
    ck_assert_ptr_null(gn_update(dict, {"d", NULL}));
    expect_error_with(GN_E_ARGUMENT, "update: the module is NULL");
    ck_assert_ptr_null(gn_append(dict, gn_nn_relu()));
    expect_error_with(GN_E_ARGUMENT, "append: ModuleDict is no Sequential or ModuleList");
    ck_assert_ptr_null(gn_update_n(dict, (gn_named_modules){.n = 65}));
    expect_error_with(GN_E_ARGUMENT, "update: it takes up to 64 at once, not 65");
    ck_assert_ptr_eq(gn_clear(dict), dict);
    ck_assert_int_eq(gn_length(dict), 0);
}
END_TEST

/* ---- Parameters */

START_TEST(test_parameters) {
    gn_tensor *a = gn_ones(2), *b = gn_zeros(3);
    gn_module *list = gn_nn_parameter_list(a, b), *dict = gn_nn_parameter_dict();
    ck_assert_ptr_eq(gn_append_parameter(list, gn_ones(1)), list);
    ck_assert_int_eq(gn_length(list), 3);
    ck_assert_ptr_eq(gn_parameter_at(list, -2), b);
    ck_assert(gn_requires_grad(a));
    gn_parameter(dict, "left", a);
    gn_parameter(dict, "right", gn_ones(4));
    ck_assert_ptr_eq(gn_get_parameter(dict, "left"), a);
    ck_assert_int_eq(gn_length(dict), 2);
    ck_assert_str_eq(gn_name_at(dict, 1), "right");
    gn_module *both = gn_nn_module_dict({"list", list}, {"dict", dict});
    ck_assert_str_eq(gn_dict_name(gn_state_dict(both), 3), "dict.left");
    ck_assert_int_eq(gn_num_parameters(both), 2 + 3 + 1 + 4);
    ck_assert_ptr_null(gn_parameter(dict, "a.b", b));
    expect_error_with(GN_E_ARGUMENT, "\"a.b\" is no name");
    ck_assert_ptr_null(gn_append_parameter(list, NULL));
    expect_error_with(GN_E_ARGUMENT, "append_parameter");
    ck_assert_ptr_null(gn_parameter_at(list, 3));
    expect_error_with(GN_E_INDEX, "ParameterList has no parameter 3: its length is 3");
    gn_clear(list);
    ck_assert_int_eq(gn_length(list), 0);
}
END_TEST

/* A failed member fails the whole container, with the first cause. */
START_TEST(test_failed_member) {
    ck_assert_ptr_null(gn_nn_sequential(gn_nn_linear(2, 2), gn_nn_dropout(2), gn_nn_relu()));
    expect_error_with(GN_E_ARGUMENT, "Dropout: the probability 2 is not between 0 and 1");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_sequential,
                            test_memory,
                            test_relu_and_pool,
                            test_relu_and_pool_hooked,
                            test_module_list,
                            test_module_dict,
                            test_named,
                            test_insert_and_pop,
                            test_slices,
                            test_dict_changes,
                            test_parameters,
                            test_failed_member,
                            NULL};
    return suite_run("containers", tests);
}
