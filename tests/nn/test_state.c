/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/state.c and clone.c. */
#include <stdlib.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/suite.h"

static gn_module *model_new(void) {
    return gn_nn_sequential(gn_nn_linear(4, 3), gn_nn_batch_norm1d(3), gn_nn_linear(3, 2));
}

static void expect_names(gn_dict *dict, const char *const *names) {
    int64_t i = 0;
    for (; names[i]; i++)
        ck_assert_str_eq(gn_dict_name(dict, i), names[i]);
    ck_assert_int_eq(gn_dict_size(dict), i);
}

/* ---- State dicts */

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

START_TEST(test_load_lists) {
    gn_module *m = gn_nn_linear(2, 2);
    gn_dict *state = gn_dict_new(), *missing, *unexpected;
    gn_dict_set(state, "bias", gn_ones(2));
    gn_dict_set(state, "scale", gn_ones(1));
    ck_assert_int_eq(gn_load_state_dict(m, state, .not_strict = true, .missing = &missing,
                                        .unexpected = &unexpected),
                     GN_OK);
    expect_names(missing, (const char *[]){"weight", NULL});
    expect_names(unexpected, (const char *[]){"scale", NULL});
    expect_close("bias", gn_detach(gn_get_parameter(m, "bias")), gn_ones(2));
    ck_assert_int_ne(gn_load_state_dict(m, state, .missing = &missing), GN_OK);
    expect_error_with(GN_E_ARGUMENT, "missing: weight; unexpected: scale");
    expect_names(missing, (const char *[]){"weight", NULL});
    ck_assert_int_ne(gn_load_state_dict(m, NULL), GN_OK);
    expect_error_with(GN_E_ARGUMENT, "the state is NULL");
}
END_TEST

/* Two models in one dictionary. */
START_TEST(test_prefix) {
    gn_module *a = gn_nn_linear(2, 2), *b = gn_nn_linear(2, 3), *c = gn_nn_linear(2, 3);
    gn_dict *both = gn_state_dict(a, .prefix = "a"), *second = gn_state_dict(b, .prefix = "b");
    expect_names(both, (const char *[]){"a.weight", "a.bias", NULL});
    for (int64_t i = 0; i < gn_dict_size(second); i++)
        gn_dict_set(both, gn_dict_name(second, i), gn_dict_tensor(second, i));
    ck_assert_int_eq(gn_load_state_dict(c, both, .prefix = "b"), GN_OK);
    expect_close("b", gn_detach(gn_get_parameter(c, "weight")), gn_dict_get(both, "b.weight"));
    gn_dict_set(both, "b.scale", gn_ones(1));
    ck_assert_int_ne(gn_load_state_dict(c, both, .prefix = "b"), GN_OK);
    expect_error_with(GN_E_ARGUMENT, "load_state_dict: unexpected: b.scale");
}
END_TEST

/* The parameter stays the same object, and shares what it was given. */
START_TEST(test_assign) {
    gn_module *m = gn_nn_linear(2, 2);
    gn_tensor *weight = gn_get_parameter(m, "weight"), *given = gn_zeros(2, 2);
    gn_dict *state = gn_dict_new();
    gn_dict_set(state, "weight", given);
    gn_dict_set(state, "bias", gn_ones_with(GN_SHAPE(2), GN_AS(.dtype = GN_F16)));
    gn_backward(gn_sum(gn_forward(m, gn_ones(1, 2))));
    ck_assert_int_eq(gn_load_state_dict(m, state, .assign = true), GN_OK);
    ck_assert_ptr_eq(gn_get_parameter(m, "weight"), weight);
    gn_fill_(given, 5);
    expect_close("shared", gn_detach(weight), gn_full(GN_SHAPE(2, 2), 5, NULL));
    ck_assert(gn_requires_grad(weight) && gn_grad(weight) == NULL);
    ck_assert_int_eq(gn_dtype_of(gn_get_parameter(m, "bias")), GN_F16);
    gn_dict_set(state, "bias", gn_arange(0, 2, 1, NULL));
    ck_assert_int_ne(gn_load_state_dict(m, state, .assign = true), GN_OK);
    expect_error_with(GN_E_ARGUMENT, "misshaped: bias int64, which can't require a gradient");
}
END_TEST

/* What is not persistent is not in the state, but moves along. */
START_TEST(test_transient_buffers) {
    gn_module *m = gn_nn_module_dict();
    gn_buffer(m, "kept", gn_ones(2), true);
    gn_buffer(m, "cache", gn_ones(3), false);
    expect_names(gn_state_dict(m), (const char *[]){"kept", NULL});
    expect_names(gn_buffers(m), (const char *[]){"kept", "cache", NULL});
    gn_module_cast(m, GN_F16);
    ck_assert_int_eq(gn_dtype_of(gn_get_buffer(m, "cache")), GN_F16);
}
END_TEST

/* ---- Copies */

START_TEST(test_clone) {
    gn_module *model = model_new();
    gn_eval(gn_at(model, 1));
    gn_requires_grad_(gn_get_parameter(model, "0.bias"), false);
    gn_tensor *x = gn_randn(5, 4);
    gn_backward(gn_sum(gn_forward(model, x)));
    gn_module *copy = gn_module_clone(model);
    ck_assert(copy->training && !gn_at(copy, 1)->training);
    ck_assert_ptr_ne(gn_get_parameter(copy, "0.weight"), gn_get_parameter(model, "0.weight"));
    ck_assert(!gn_requires_grad(gn_get_parameter(copy, "0.bias")));
    ck_assert_ptr_null(gn_grad(gn_get_parameter(copy, "0.weight")));
    gn_tensor *y = gn_forward(model, x);
    gn_module *half = gn_module_clone(gn_at(model, 0));
    gn_init_constant_(gn_get_parameter(half, "weight"), 0);
    gn_init_constant_(gn_get_parameter(model, "2.weight"), 0);
    expect_close("copy", gn_forward(copy, x), y);
    expect_close("part", gn_forward(half, gn_zeros(1, 4)),
                 gn_unsqueeze(gn_get_parameter(model, "0.bias"), 0));
    char *text = gn_module_text(model), *same = gn_module_text(copy);
    ck_assert_str_eq(text, same);
    free(text);
    free(same);
}
END_TEST

START_TEST(test_clone_tied) {
    gn_module *shared = gn_nn_linear(2, 2), *model = gn_nn_sequential(shared, gn_nn_relu(), shared);
    gn_module *copy = gn_module_clone(model);
    ck_assert_ptr_eq(gn_at(copy, 0), gn_at(copy, 2));
    ck_assert_ptr_ne(gn_at(copy, 0), shared);
    ck_assert_int_eq(gn_dict_size(gn_parameters(copy)), 2);
}
END_TEST

static gn_tensor *count_runs(gn_module *m, gn_tensor *value, gn_tensor *other, void *context) {
    (void)m;
    (void)value;
    (void)other;
    ++*(int *)context;
    return NULL;
}

START_TEST(test_clone_hooks) {
    int runs = 0;
    gn_module *m = gn_nn_relu();
    int64_t handle = gn_register_forward_hook(m, count_runs, &runs);
    gn_module *copy = gn_module_clone(m);
    gn_forward(copy, gn_ones(1));
    ck_assert_int_eq(runs, 1);
    ck_assert_int_eq(gn_remove_module_hook(m, handle), GN_OK);
    gn_forward(copy, gn_ones(1));
    ck_assert_int_eq(runs, 2);
    ck_assert_int_eq(gn_remove_module_hook(copy, handle), GN_OK);
}
END_TEST

/* A class that owns memory: each copy has its own. */
typedef struct table {
    gn_module base;
    int *numbers;
} table;

static void table_destroy(gn_module *m) { free(((table *)m)->numbers); }

static gn_status table_clone(gn_module *copy, const gn_module *self) {
    int *numbers = malloc(sizeof *numbers);
    ((table *)copy)->numbers = numbers;
    if (numbers == NULL)
        return GN_E_MEMORY;
    *numbers = *((const table *)self)->numbers;
    return GN_OK;
}

static gn_status table_refuse(gn_module *copy, const gn_module *self) {
    (void)self;
    ((table *)copy)->numbers = NULL;
    return GN_E_UNSUPPORTED;
}

static const gn_module_class with_clone = {
    .name = "Table", .size = sizeof(table), .destroy = table_destroy, .clone = table_clone};
static const gn_module_class refusing = {
    .name = "Refusing", .size = sizeof(table), .destroy = table_destroy, .clone = table_refuse};
static const gn_module_class without_clone = {
    .name = "Plain", .size = sizeof(table), .destroy = table_destroy};

static gn_module *table_new(const gn_module_class *type) {
    table *self = gn_module_new(type);
    self->numbers = malloc(sizeof *self->numbers);
    *self->numbers = 7;
    return &self->base;
}

START_TEST(test_clone_classes) {
    gn_module *m = gn_nn_sequential(gn_nn_relu(), table_new(&with_clone));
    gn_module *copy = gn_module_clone(m);
    const int *theirs = ((table *)gn_at(copy, 1))->numbers;
    ck_assert_ptr_ne(theirs, ((table *)gn_at(m, 1))->numbers);
    ck_assert_int_eq(*theirs, 7);
    ck_assert_ptr_null(gn_module_clone(gn_nn_sequential(table_new(&without_clone))));
    expect_error_with(GN_E_UNSUPPORTED, "Plain has a destroy function, but no clone");
    ck_assert_ptr_null(gn_module_clone(gn_nn_sequential(table_new(&refusing))));
    expect_error_with(GN_E_STATE, "Refusing: its clone function failed");
    ck_assert_ptr_null(gn_module_clone(NULL));
    expect_error_with(GN_E_ARGUMENT, "module_clone: the module is NULL");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_state_dict,        test_load_errors,   test_cast,
                            test_load_lists,        test_prefix,        test_assign,
                            test_transient_buffers, test_clone,         test_clone_tied,
                            test_clone_hooks,       test_clone_classes, NULL};
    return suite_run("state", tests);
}
