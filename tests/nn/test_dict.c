/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/dict.c and flatten.c: values of every kind, lists, names that repeat. */
#include <string.h>

#include <genesis/genesis.h>

#include "tests/expect.h"
#include "tests/suite.h"

static gn_dict *every_kind(void) {
    gn_dict *dict = gn_dict_new(), *inner = gn_dict_new(), *list = gn_list_new();
    gn_dict_set(inner, "weight", gn_ones(2, 3));
    gn_dict_set(list, NULL, 1.5);
    gn_dict_set(list, "1", "two");
    gn_dict_set(dict, "tensor", gn_zeros(4));
    gn_dict_set(dict, "model", inner);
    gn_dict_set(dict, "list", list);
    gn_dict_set(dict, "int", 7);
    gn_dict_set(dict, "wide", INT64_C(-9007199254740993)); /* no double */
    gn_dict_set(dict, "float", 0.25f);
    gn_dict_set(dict, "text", "hello");
    gn_dict_set_bool(dict, "bool", true);
    gn_dict_set_none(dict, "none");
    return dict;
}

START_TEST(test_kinds) {
    static const struct {
        const char *name;
        gn_value_kind kind;
    } wanted[] = {{"tensor", GN_VALUE_TENSOR}, {"model", GN_VALUE_DICT}, {"list", GN_VALUE_LIST},
                  {"int", GN_VALUE_INT},       {"wide", GN_VALUE_INT},   {"float", GN_VALUE_FLOAT},
                  {"text", GN_VALUE_STRING},   {"bool", GN_VALUE_BOOL},  {"none", GN_VALUE_NONE}};
    gn_dict *dict = every_kind();
    ck_assert_int_eq(gn_dict_size(dict), sizeof wanted / sizeof *wanted);
    for (int64_t i = 0; i < gn_dict_size(dict); i++) {
        ck_assert_str_eq(gn_dict_name(dict, i), wanted[i].name);
        ck_assert_int_eq(gn_dict_kind(dict, i), wanted[i].kind);
    }
    ck_assert_ptr_nonnull(gn_dict_get(gn_dict_get_dict(dict, "model"), "weight"));
    ck_assert_int_eq(gn_dict_size(gn_dict_get_dict(dict, "list")), 2);
    ck_assert_str_eq(gn_dict_get_string(dict, "text"), "hello");
    gn_dict_tensor(dict, 3);
    expect_error_with(GN_E_ARGUMENT, "\"int\" is no tensor");
    gn_dict_kind(dict, 9);
    expect_error_with(GN_E_INDEX, "0 .. 8");
}
END_TEST

START_TEST(test_numbers) {
    gn_dict *dict = every_kind();
    gn_dict_set(dict, "one", gn_full(GN_SHAPE(1, 1), 2.5, NULL));
    gn_dict_set(dict, "vast", 1e300);
    ck_assert_int_eq(gn_dict_get_int(dict, "wide", 0), INT64_C(-9007199254740993));
    ck_assert_int_eq(gn_dict_get_int(dict, "bool", 0), 1);
    ck_assert_int_eq(gn_dict_get_int(dict, "one", 0), 2);
    ck_assert_int_eq(gn_dict_get_int(dict, "float", 9), 0);
    ck_assert_int_eq(gn_dict_get_int(dict, "vast", 9), 9);
    ck_assert_int_eq(gn_dict_get_int(dict, "absent", INT64_MAX), INT64_MAX);
    ck_assert_double_eq(gn_dict_get_float(dict, "float", 0), 0.25);
    ck_assert_double_eq(gn_dict_get_float(dict, "int", 0), 7);
    ck_assert_double_eq(gn_dict_get_float(dict, "one", 0), 2.5);
    ck_assert_double_eq(gn_dict_get_float(dict, "text", -1), -1);
    ck_assert_double_eq(gn_dict_get_float(dict, "tensor", -1), -1); /* four elements */
    ck_assert_ptr_null(gn_dict_get(dict, "int"));
    ck_assert_ptr_null(gn_dict_get_dict(dict, "tensor"));
    ck_assert_ptr_null(gn_dict_get_string(dict, "none"));
    ck_assert_int_eq(gn_error_status(), GN_OK);
}
END_TEST

START_TEST(test_replacing) {
    gn_dict *dict = every_kind();
    gn_dict_set(dict, "tensor", "a text now");
    gn_dict_set(dict, "text", gn_ones(1));
    gn_dict_set(dict, "model", 1);
    gn_dict_set(dict, "list", gn_dict_get_dict(dict, "list")); /* itself */
    ck_assert_str_eq(gn_dict_get_string(dict, "tensor"), "a text now");
    ck_assert_ptr_nonnull(gn_dict_get(dict, "text"));
    ck_assert_ptr_null(gn_dict_get_dict(dict, "model"));
    ck_assert_int_eq(gn_dict_size(gn_dict_get_dict(dict, "list")), 2);
    ck_assert_int_eq(gn_dict_size(dict), 9);
}
END_TEST

START_TEST(test_refused) {
    gn_dict *dict = every_kind(), *list = gn_dict_get_dict(dict, "list");
    gn_dict_set(dict, "self", dict);
    expect_error_with(GN_E_ARGUMENT, "contains the one");
    gn_dict_set(gn_dict_get_dict(dict, "model"), "parent", dict);
    expect_error_with(GN_E_ARGUMENT, "contains the one");
    gn_dict_set(list, "3", 1);
    expect_error_with(GN_E_INDEX, "not the next of a list of 2");
    gn_dict_set(list, "name", 1);
    expect_error_with(GN_E_INDEX, "not the next");
    gn_dict_set(dict, NULL, 1);
    expect_error_with(GN_E_ARGUMENT, "the name is NULL");
    gn_dict_set(NULL, "a", 1);
    expect_error_with(GN_E_ARGUMENT, "the dict is NULL");
    gn_dict_set(dict, "a", (gn_tensor *)NULL);
    expect_error_with(GN_E_ARGUMENT, "the tensor is NULL");
    gn_dict_set(dict, "a", (const char *)NULL);
    expect_error_with(GN_E_ARGUMENT, "the string is NULL");
    gn_dict_set(dict, "a", (gn_dict *)NULL);
    expect_error_with(GN_E_ARGUMENT, "the dictionary is NULL");
    ck_assert_int_eq(gn_dict_size(dict), 9);
    gn_dict *deep = gn_dict_new();
    for (int i = 0; i < 100 && gn_error_status() == GN_OK; i++) {
        gn_dict *outer = gn_dict_new();
        gn_dict_set(outer, "d", deep);
        deep = outer;
    }
    expect_error_with(GN_E_ARGUMENT, "64 levels");
}
END_TEST

START_TEST(test_flatten) {
    static const char *const names[] = {"tensor", "model.weight", "list.0", "int",
                                        "wide",   "float",        "bool"};
    gn_dict *dict = every_kind(), *flat = gn_dict_flatten(dict);
    ck_assert_int_eq(gn_dict_size(flat), sizeof names / sizeof *names);
    for (int64_t i = 0; i < gn_dict_size(flat); i++)
        ck_assert_str_eq(gn_dict_name(flat, i), names[i]);
    ck_assert_ptr_eq(gn_dict_get(flat, "model.weight"),
                     gn_dict_get(gn_dict_get_dict(dict, "model"), "weight"));
    ck_assert_int_eq(gn_dtype_of(gn_dict_get(flat, "wide")), GN_I64);
    ck_assert_int_eq(gn_dim(gn_dict_get(flat, "wide")), 0);
    ck_assert_int_eq(gn_item_int(gn_dict_get(flat, "wide")), INT64_C(-9007199254740993));
    ck_assert_int_eq(gn_dtype_of(gn_dict_get(flat, "bool")), GN_BOOL);
    gn_dict_set(dict, "model.weight", gn_ones(1));
    ck_assert_ptr_null(gn_dict_flatten(dict));
    expect_error_with(GN_E_ARGUMENT, "two tensors would be \"model.weight\"");
    gn_dict_flatten(NULL);
    expect_error_with(GN_E_ARGUMENT, "NULL");
}
END_TEST

/* A dictionary with more than tensors is no state dict, and says so. */
START_TEST(test_as_state) {
    gn_module *model = gn_nn_linear(2, 2);
    gn_dict *state = gn_state_dict(model);
    gn_dict_set(state, "epoch", 1);
    gn_load_state_dict(model, state);
    expect_error_with(GN_E_ARGUMENT, "epoch");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_kinds,    test_numbers, test_replacing, test_refused, test_flatten,
                            test_as_state, NULL};
    return suite_run("dict", tests);
}
