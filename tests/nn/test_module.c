/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/dict.c, module.c, walk.c and print.c. */
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

/* ---- Choices of what to collect */

START_TEST(test_walk_options) {
    gn_module *model = gn_nn_sequential(gn_nn_linear(2, 2), custom_new(2, 2));
    gn_module *layer = gn_at(model, 1);
    expect_names(gn_parameters(layer, .no_recurse = true),
                 (const char *[]){"weight", "bias", NULL});
    expect_names(gn_parameters(model, .no_recurse = true), (const char *[]){NULL});
    expect_names(
        gn_parameters(model, .prefix = "net.a"),
        (const char *[]){"net.a.0.weight", "net.a.0.bias", "net.a.1.weight", "net.a.1.bias", NULL});
    expect_names(
        gn_buffers(gn_nn_batch_norm1d(3), .prefix = "bn"),
        (const char *[]){"bn.running_mean", "bn.running_var", "bn.num_batches_tracked", NULL});
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ck_assert_ptr_null(gn_parameters(model, .prefix = text));
    expect_error_with(GN_E_UNSUPPORTED, "module: the tree is too deep");
}
END_TEST

/* One tensor in two places: one parameter, two entries of the state; both lead to it. */
START_TEST(test_tied_weights) {
    gn_module *embedding = gn_nn_embedding(5, 3), *head = gn_nn_linear(3, 5, .no_bias = true);
    gn_module *model = gn_nn_sequential(embedding, head);
    gn_tensor *weight = gn_get_parameter(model, "0.weight");
    ck_assert_int_eq(gn_num_parameters(model), 30);
    ck_assert_int_eq(gn_set_parameter(model, "1.weight", weight), GN_OK);
    ck_assert_ptr_eq(gn_get_parameter(head, "weight"), weight);
    ck_assert_int_eq(gn_num_parameters(model), 15);
    expect_names(gn_parameters(model), (const char *[]){"0.weight", NULL});
    expect_names(gn_parameters(model, .duplicates = true),
                 (const char *[]){"0.weight", "1.weight", NULL});
    expect_names(gn_state_dict(model), (const char *[]){"0.weight", "1.weight", NULL});
    gn_tensor *indices = gn_tensor_of(((int64_t[]){1, 4}), 2);
    gn_tensor *rows = gn_index_select(weight, 0, indices);
    expect_close("forward", gn_forward(model, indices), gn_matmul(rows, gn_t(weight)));
}
END_TEST

/* Modules that share children in every layer: 2^40 paths, 41 modules. */
START_TEST(test_shared_modules) {
    gn_module *m = gn_nn_linear(2, 2);
    for (int i = 0; i < 40; i++)
        m = gn_nn_module_list(m, m);
    ck_assert_ptr_eq(gn_train(m, false), m);
    ck_assert_int_eq(gn_dict_size(gn_parameters(m)), 2);
    gn_tensor *weight = gn_dict_tensor(gn_parameters(m), 0);
    ck_assert_int_eq(gn_module_zero_grad(m), GN_OK);
    gn_module *copy = gn_module_clone(m);
    ck_assert_int_eq(gn_num_parameters(copy), 6);
    ck_assert_ptr_ne(gn_dict_tensor(gn_parameters(copy), 0), weight);
}
END_TEST

START_TEST(test_apply) {
    char text[512] = "";
    gn_module *relu = gn_nn_relu();
    gn_module *model = gn_nn_sequential(gn_nn_sequential(relu, gn_nn_tanh()), relu);
    ck_assert_ptr_eq(gn_apply(model, append_name, text), model);
    ck_assert_str_eq(text, "0.0:ReLU 0.1:Tanh 0:Sequential :Sequential ");
}
END_TEST

START_TEST(test_requires_grad) {
    gn_module *model = model_new();
    ck_assert_ptr_eq(gn_module_requires_grad_(gn_at(model, 0), false), gn_at(model, 0));
    ck_assert(!gn_requires_grad(gn_get_parameter(model, "0.weight")));
    ck_assert(gn_requires_grad(gn_get_parameter(model, "1.weight")));
    gn_backward(gn_sum(gn_forward(model, gn_randn(4, 4))));
    ck_assert_ptr_null(gn_grad(gn_get_parameter(model, "0.bias")));
    ck_assert_ptr_nonnull(gn_grad(gn_get_parameter(model, "2.bias")));
    gn_module_requires_grad_(model, true);
    ck_assert(gn_requires_grad(gn_get_parameter(model, "0.weight")));
}
END_TEST

/* ---- Lookup and replacement */

START_TEST(test_lookup) {
    gn_module *model = gn_nn_sequential(custom_new(2, 2), gn_nn_batch_norm1d(2));
    ck_assert_ptr_eq(gn_get_parameter(model, "0.weight"),
                     ((custom_layer *)gn_at(model, 0))->weight);
    ck_assert_int_eq(gn_numel(gn_get_buffer(model, "1.running_var")), 2);
    ck_assert_ptr_null(gn_get_parameter(model, "1.running_var"));
    expect_error_with(GN_E_NOT_FOUND, "BatchNorm1d has no parameter \"running_var\" (looking for "
                                      "\"1.running_var\")");
    ck_assert_ptr_null(gn_get_buffer(model, "0.act.x"));
    expect_error_with(GN_E_NOT_FOUND, "ReLU has no buffer \"x\"");
    ck_assert_ptr_null(gn_get_parameter(model, "0..weight"));
    expect_error_with(GN_E_NOT_FOUND, "CustomLayer has no child \"\"");
    ck_assert_ptr_null(gn_get_parameter(model, NULL));
    expect_error_with(GN_E_ARGUMENT, "the name is NULL");
    ck_assert_ptr_null(gn_get_submodule(model, "1."));
    gn_error_clear();
}
END_TEST

/* The members of the struct follow. */
START_TEST(test_replacement) {
    gn_scope scope = gn_scope_begin();
    gn_module *m = custom_new(3, 2);
    custom_layer *self = (custom_layer *)m;
    gn_tensor *x = gn_randn(4, 3), *w = gn_randn(2, 3);
    gn_scope inner = gn_scope_begin(); /* what is replaced may be freed at once */
    ck_assert_int_eq(gn_set_parameter(m, "weight", w), GN_OK);
    ck_assert_int_eq(gn_set_submodule(m, "act", gn_nn_tanh()), GN_OK);
    ck_assert_int_eq(gn_scope_end(inner), GN_OK);
    ck_assert_ptr_eq(self->weight, w);
    ck_assert(gn_requires_grad(w));
    expect_close("forward", gn_forward(m, x), gn_tanh(gn_add(gn_matmul(x, gn_t(w)), self->bias)));
    ck_assert_int_ne(gn_set_submodule(m, "act", m), GN_OK);
    expect_error_with(GN_E_ARGUMENT, "CustomLayer can't be below itself");
    ck_assert_int_ne(gn_set_submodule(m, "action", gn_nn_relu()), GN_OK);
    expect_error_with(GN_E_NOT_FOUND, "CustomLayer has no child \"action\"");
    ck_assert_int_eq(gn_scope_end(scope), GN_OK);
}
END_TEST

/* A place keeps its name when it is empty, and is filled again; a layer without bias has one. */
START_TEST(test_empty_places) {
    gn_module *m = gn_nn_linear(2, 2, .no_bias = true);
    gn_tensor *x = gn_ones(1, 2), *plain = gn_forward(m, x);
    expect_names(gn_parameters(m), (const char *[]){"weight", NULL});
    expect_names(gn_state_dict(m), (const char *[]){"weight", NULL});
    ck_assert_int_eq(gn_set_parameter(m, "bias", gn_ones(2)), GN_OK);
    expect_names(gn_parameters(m), (const char *[]){"weight", "bias", NULL});
    expect_close("with a bias", gn_forward(m, x), gn_add_scalar(plain, 1));
    ck_assert_int_eq(gn_set_parameter(m, "bias", NULL), GN_OK);
    expect_close("without", gn_forward(m, x), plain);
    gn_module *copy = gn_module_clone(m);
    ck_assert_int_eq(gn_set_parameter(copy, "bias", gn_ones(2)), GN_OK);
    expect_close("the copy", gn_forward(copy, x), gn_add_scalar(plain, 1));
    expect_close("not the original", gn_forward(m, x), plain);
    gn_module *own = custom_new(2, 2);
    gn_child(own, "later", NULL);
    ck_assert_int_ne(gn_set_submodule(own, "later", gn_nn_relu()), GN_OK);
    expect_error_with(GN_E_NOT_FOUND, "CustomLayer has no child \"later\"");
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
        "  (1): BatchNorm2d(8, eps=1e-05, momentum=0.1, affine=True, bias=True, "
        "track_running_stats=True)\n"
        "  (2): ReLU(inplace=True)\n"
        "  (3): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)\n"
        "  (4): AdaptiveAvgPool2d(output_size=(1, 1))\n"
        "  (5): Flatten(start_dim=1, end_dim=-1)\n"
        "  (6): Sequential(\n"
        "    (0): Dropout(p=0.2, inplace=False)\n"
        "    (1): Linear(in_features=8, out_features=10, bias=True)\n"
        "  )\n"
        "  (7): LayerNorm((10,), eps=1e-05, elementwise_affine=True, bias=True)\n"
        ")");
    free(text);
}
END_TEST

START_TEST(test_text_of_lists) {
    gn_module *list = gn_nn_module_list(
        gn_nn_linear(2, 2), gn_nn_linear(2, 2), gn_nn_sequential(gn_nn_relu(), gn_nn_relu()),
        gn_spectral_norm(gn_nn_linear(3, 2)), gn_nn_sequential(),
        gn_nn_parameter_list(gn_ones(3, 4), gn_scalar_tensor(1, NULL)));
    gn_add_module(gn_at(list, 4), "none", NULL);
    char *text = gn_module_text(list);
    ck_assert_str_eq(text, "ModuleList(\n"
                           "  (0-1): 2 x Linear(in_features=2, out_features=2, bias=True)\n"
                           "  (2): Sequential(\n"
                           "    (0): ReLU()\n"
                           "    (1): ReLU()\n"
                           "  )\n"
                           "  (3): ParametrizedLinear(\n"
                           "    in_features=3, out_features=2, bias=True\n"
                           "    (parametrizations): ModuleDict(\n"
                           "      (weight): ParametrizationList(\n"
                           "        (0): _SpectralNorm()\n"
                           "      )\n"
                           "    )\n"
                           "  )\n"
                           "  (4): Sequential(\n"
                           "    (none): None\n"
                           "  )\n"
                           "  (5): ParameterList(\n"
                           "    (0): Parameter containing: [float32 of size 3x4]\n"
                           "    (1): Parameter containing: [float32 of size ]\n"
                           "  )\n"
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
                            test_walk_options,
                            test_tied_weights,
                            test_shared_modules,
                            test_apply,
                            test_requires_grad,
                            test_lookup,
                            test_replacement,
                            test_empty_places,
                            test_dict,
                            test_text,
                            test_text_of_lists,
                            NULL};
    return suite_run("module", tests);
}
