/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/dict.c, module.c, state.c and print.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/suite.h"

/* ---- A module of one's own, as the guide shows it */

typedef struct custom_layer {
    gn_module base;
    gn_tensor *weight, *bias;
    gn_module *act;
} custom_layer;

static int destroyed;

static gn_tensor *custom_forward(gn_module *m, gn_tensor *x) {
    custom_layer *self = (custom_layer *)m;
    return gn_forward(self->act, gn_add(gn_matmul(x, gn_t(self->weight)), self->bias));
}

static void custom_destroy(gn_module *m) {
    (void)m;
    destroyed++;
}

static const gn_module_class custom = {.name = "CustomLayer",
                                       .size = sizeof(custom_layer),
                                       .forward = custom_forward,
                                       .destroy = custom_destroy};

static gn_module *custom_new(int64_t in, int64_t out) {
    custom_layer *self = gn_module_new(&custom);
    self->weight = gn_parameter(self, "weight", gn_randn(out, in));
    self->bias = gn_parameter(self, "bias", gn_zeros(out));
    self->act = gn_child(self, "act", gn_nn_relu());
    return (gn_module *)self;
}

static gn_module *model_new(void) {
    return gn_nn_sequential(gn_nn_linear(4, 3), gn_nn_batch_norm1d(3), custom_new(3, 2));
}

START_TEST(test_custom) {
    gn_module *layer = custom_new(10, 5);
    gn_tensor *y = gn_forward(layer, gn_randn(32, 10));
    ck_assert_int_eq(gn_size(y, 0), 32);
    ck_assert_int_eq(gn_size(y, 1), 5);
    ck_assert_int_eq(gn_backward(gn_sum(y)), GN_OK);
    ck_assert_ptr_nonnull(gn_grad(((custom_layer *)layer)->weight));
    ck_assert(gn_is_leaf(((custom_layer *)layer)->weight));
    ck_assert_int_eq(gn_num_parameters(layer), 55);
}
END_TEST

/* ---- Ownership */

START_TEST(test_ownership) {
    gn_scope scope = gn_scope_begin();
    destroyed = 0;
    gn_scope inner = gn_scope_begin();
    gn_module *parent = gn_nn_module_dict();
    gn_retain(parent);
    ck_assert_int_eq(gn_add_module(parent, "layer", custom_new(2, 2)), GN_OK);
    ck_assert_int_eq(gn_scope_end(inner), GN_OK);
    ck_assert_int_eq(destroyed, 0);
    ck_assert_ptr_nonnull(gn_forward(gn_key(parent, "layer"), gn_randn(1, 2)));
    gn_release(parent);
    ck_assert_int_eq(destroyed, 1);
    ck_assert_int_eq(gn_scope_end(scope), GN_OK);
}
END_TEST

/* ---- Names, order, sharing */

static void expect_names(gn_dict *dict, const char *const *names) {
    int64_t i = 0;
    for (; names[i]; i++)
        ck_assert_str_eq(gn_dict_name(dict, i), names[i]);
    ck_assert_int_eq(gn_dict_size(dict), i);
}

START_TEST(test_parameters) {
    gn_module *model = model_new();
    expect_names(gn_parameters(model), (const char *[]){"0.weight", "0.bias", "1.weight", "1.bias",
                                                        "2.weight", "2.bias", NULL});
    expect_names(gn_buffers(model), (const char *[]){"1.running_mean", "1.running_var",
                                                     "1.num_batches_tracked", NULL});
    ck_assert_int_eq(gn_num_parameters(model), 15 + 6 + 8);
    gn_module *shared = gn_nn_linear(2, 2), *twice = gn_nn_sequential(shared, gn_nn_relu(), shared);
    expect_names(gn_parameters(twice), (const char *[]){"0.weight", "0.bias", NULL});
    expect_names(gn_state_dict(twice),
                 (const char *[]){"0.weight", "0.bias", "2.weight", "2.bias", NULL});
}
END_TEST

static void append_name(const char *name, gn_module *module, void *text) {
    strcat(text, name);
    strcat(text, ":");
    strcat(text, module->type->name);
    strcat(text, " ");
}

START_TEST(test_visits) {
    char text[512] = "";
    gn_module *model = gn_nn_sequential(gn_nn_sequential(gn_nn_relu()), gn_nn_tanh());
    gn_modules(model, append_name, text);
    ck_assert_str_eq(text, ":Sequential 0:Sequential 0.0:ReLU 1:Tanh ");
    text[0] = '\0';
    gn_children(model, append_name, text);
    ck_assert_str_eq(text, "0:Sequential 1:Tanh ");
    ck_assert_str_eq(gn_get_submodule(model, "0.0")->type->name, "ReLU");
    ck_assert_ptr_eq(gn_get_submodule(model, ""), model);
    ck_assert_ptr_null(gn_get_submodule(model, "0.7"));
    expect_error_with(GN_E_NOT_FOUND, "Sequential has no child \"7\" (looking for \"0.7\")");
}
END_TEST

START_TEST(test_modes) {
    gn_module *model = model_new();
    ck_assert(gn_at(model, 1)->training);
    ck_assert_ptr_eq(gn_eval(model), model);
    ck_assert(!model->training && !gn_at(model, 1)->training &&
              !((custom_layer *)gn_at(model, 2))->act->training);
    gn_train(model, true);
    ck_assert(gn_at(model, 2)->training);
}
END_TEST

START_TEST(test_registration_errors) {
    gn_module *m = custom_new(2, 2);
    ck_assert_ptr_null(gn_parameter(m, "weight", gn_zeros(1)));
    expect_error_with(GN_E_ARGUMENT, "CustomLayer has a \"weight\" already");
    ck_assert_ptr_null(gn_buffer(m, "a.b", gn_zeros(1), true));
    expect_error_with(GN_E_ARGUMENT, "\"a.b\" is no name");
    ck_assert_ptr_null(gn_child(m, "", gn_nn_relu()));
    expect_error_with(GN_E_ARGUMENT, "\"\" is no name");
    ck_assert_ptr_null(gn_child(m, "self", m));
    expect_error_with(GN_E_ARGUMENT, "CustomLayer can't be below itself");
    ck_assert_int_eq(gn_add_module(m, "later", NULL), GN_OK);
    ck_assert_ptr_nonnull(gn_child(m, "later", gn_nn_relu()));
    ck_assert_ptr_null(gn_forward(NULL, gn_zeros(1)));
    expect_error_with(GN_E_ARGUMENT, "the module is NULL");
    ck_assert_ptr_null(gn_forward(gn_nn_module_dict(), gn_zeros(1)));
    expect_error_with(GN_E_UNSUPPORTED, "ModuleDict: this module has no forward");
    ck_assert_ptr_null(gn_parameter(m, "integers", gn_arange(0, 3, 1, NULL)));
    ck_assert_int_ne(gn_error_status(), GN_OK);
    gn_error_clear();
}
END_TEST

START_TEST(test_zero_grad) {
    gn_module *m = gn_nn_linear(3, 2);
    gn_backward(gn_sum(gn_forward(m, gn_ones(1, 3))));
    ck_assert_ptr_nonnull(gn_grad(gn_dict_get(gn_parameters(m), "weight")));
    ck_assert_int_eq(gn_module_zero_grad(m), GN_OK);
    ck_assert_ptr_null(gn_grad(gn_dict_get(gn_parameters(m), "weight")));
}
END_TEST

/* ---- State */

START_TEST(test_state_dict) {
    gn_module *a = model_new(), *b = model_new();
    gn_dict *state = gn_state_dict(a);
    expect_names(state, (const char *[]){"0.weight", "0.bias", "1.weight", "1.bias",
                                         "1.running_mean", "1.running_var", "1.num_batches_tracked",
                                         "2.weight", "2.bias", NULL});
    ck_assert(!gn_requires_grad(gn_dict_get(state, "0.weight")));
    gn_tensor *weight = gn_dict_get(gn_parameters(b), "0.weight");
    ck_assert_int_eq(gn_load_state_dict(b, state), GN_OK);
    ck_assert_ptr_eq(gn_dict_get(gn_parameters(b), "0.weight"), weight);
    ck_assert(gn_requires_grad(weight));
    gn_tensor *x = gn_randn(5, 4);
    expect_close("loaded", gn_forward(b, x), gn_forward(a, x));
    gn_fill_(gn_dict_get(state, "0.bias"), 3); /* shares the data of a, not that of b */
    ck_assert_double_eq(
        gn_item(gn_select(gn_detach(gn_dict_get(gn_parameters(a), "0.bias")), 0, 1)), 3);
    ck_assert_double_ne(
        gn_item(gn_select(gn_detach(gn_dict_get(gn_parameters(b), "0.bias")), 0, 1)), 3);
}
END_TEST

START_TEST(test_load_errors) {
    gn_module *m = model_new();
    gn_tensor *before = gn_clone(gn_detach(gn_dict_get(gn_parameters(m), "0.weight")));
    gn_dict *wrong = gn_dict_new();
    gn_dict_set(wrong, "0.weight", gn_zeros(3, 4));
    gn_dict_set(wrong, "0.bias", gn_zeros(4));
    gn_dict_set(wrong, "9.weight", gn_zeros(1));
    ck_assert_int_eq(gn_load_state_dict(m, wrong), GN_E_ARGUMENT);
    ck_assert_str_eq(
        gn_error(),
        "load_state_dict: missing: 1.weight, 1.bias, 1.running_mean, 1.running_var, "
        "1.num_batches_tracked, 2.weight, 2.bias; unexpected: 9.weight; misshaped: 0.bias "
        "(4) instead of (3)");
    gn_error_clear();
    ck_assert(gn_equal(before, gn_detach(gn_dict_get(gn_parameters(m), "0.weight"))));
    ck_assert_int_eq(gn_load_state_dict(m, wrong, .not_strict = true), GN_E_ARGUMENT);
    expect_error_with(GN_E_ARGUMENT, "load_state_dict: misshaped: 0.bias (4) instead of (3)");
    gn_dict_set(wrong, "0.bias", gn_ones(3));
    ck_assert_int_eq(gn_load_state_dict(m, wrong, .not_strict = true), GN_OK);
    expect_close("weight", gn_detach(gn_dict_get(gn_parameters(m), "0.weight")), gn_zeros(3, 4));
}
END_TEST

START_TEST(test_cast) {
    if (!has_dtype(GN_F64))
        return;
    gn_module *m = model_new();
    gn_dict *parameters = gn_parameters(m);
    gn_tensor *weight = gn_dict_get(parameters, "0.weight");
    gn_backward(gn_sum(gn_forward(m, gn_randn(5, 4))));
    ck_assert_ptr_eq(gn_module_cast(m, GN_F64), m);
    ck_assert_int_eq(gn_dtype_of(weight), GN_F64);
    ck_assert_int_eq(gn_dtype_of(gn_grad(weight)), GN_F64);
    ck_assert_int_eq(gn_dtype_of(gn_dict_get(gn_buffers(m), "1.num_batches_tracked")), GN_I64);
    ck_assert(gn_requires_grad(weight) && gn_is_leaf(weight));
    ck_assert_int_eq(
        gn_dtype_of(gn_forward(m, gn_randn_with(GN_SHAPE(5, 4), GN_AS(.dtype = GN_F64)))), GN_F64);
    ck_assert_ptr_eq(gn_to(m, gn_default_device()), m);
    ck_assert_ptr_null(gn_module_cast(m, GN_I64));
    expect_error_with(GN_E_ARGUMENT, "int64 is no floating-point dtype");
}
END_TEST

/* ---- Dictionaries, text */

START_TEST(test_dict) {
    gn_dict *d = gn_dict_new();
    gn_tensor *one = gn_ones(1);
    ck_assert_int_eq(gn_dict_set(d, "b", one), GN_OK);
    ck_assert_int_eq(gn_dict_set(d, "a", gn_zeros(2)), GN_OK);
    ck_assert_int_eq(gn_dict_set(d, "b", gn_zeros(3)), GN_OK);
    expect_names(d, (const char *[]){"b", "a", NULL});
    ck_assert_int_eq(gn_numel(gn_dict_tensor(d, 0)), 3);
    ck_assert_ptr_null(gn_dict_get(d, "c"));
    ck_assert_int_eq(gn_error_status(), GN_OK);
    ck_assert_ptr_null(gn_dict_tensor(d, 2));
    expect_error_with(GN_E_INDEX, "2 is not in 0 .. 1");
    ck_assert_int_eq(gn_dict_set(d, "c", NULL), GN_E_ARGUMENT);
    expect_error_with(GN_E_ARGUMENT, "the tensor is NULL");
}
END_TEST

START_TEST(test_text) {
    gn_module *m = gn_nn_sequential(
        gn_nn_conv2d(3, 8, 3, .stride = 2, .padding = 1, .no_bias = true), gn_nn_batch_norm2d(8),
        gn_nn_relu(.inplace = true), gn_nn_max_pool2d(2), gn_nn_adaptive_avg_pool2d(1, 1),
        gn_nn_flatten(), gn_nn_sequential(gn_nn_dropout(0.2), gn_nn_linear(8, 10)),
        gn_nn_layer_norm(GN_SHAPE(10)));
    char *text = gn_module_text(m);
    ck_assert_str_eq(
        text,
        "Sequential(\n"
        "  (0): Conv2d(3, 8, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), bias=False)\n"
        "  (1): BatchNorm2d(8, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)\n"
        "  (2): ReLU(inplace=True)\n"
        "  (3): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)\n"
        "  (4): AdaptiveAvgPool2d(output_size=(1, 1))\n"
        "  (5): Flatten(start_dim=1, end_dim=-1)\n"
        "  (6): Sequential(\n"
        "    (0): Dropout(p=0.2, inplace=False)\n"
        "    (1): Linear(in_features=8, out_features=10, bias=True)\n"
        "  )\n"
        "  (7): LayerNorm((10,), eps=1e-05, elementwise_affine=True)\n"
        ")");
    free(text);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_custom,
                            test_ownership,
                            test_parameters,
                            test_visits,
                            test_modes,
                            test_registration_errors,
                            test_zero_grad,
                            test_state_dict,
                            test_load_errors,
                            test_cast,
                            test_dict,
                            test_text,
                            NULL};
    return suite_run("module", tests);
}
