/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/tensor/create.c and tensor.c. */
#include <stdlib.h>

#include "tests/expect.h"
#include "tests/suite.h"

START_TEST(test_constants) {
    EXPECT_VALUES(gn_zeros(2, 2), 0, 0, 0, 0, 0);
    EXPECT_VALUES(gn_ones(), 0, 1);
    EXPECT_VALUES(gn_full(GN_SHAPE(2), 2.5, NULL), 0, 2.5, 2.5);
    EXPECT_VALUES(gn_full(GN_SHAPE(2), 300, GN_AS(.dtype = GN_I32)), 0, 300, 300);
    EXPECT_VALUES(gn_full(GN_SHAPE(1), 3, GN_AS(.dtype = GN_BOOL)), 0, 1);
    EXPECT_VALUES(gn_scalar_tensor(-3, GN_AS(.dtype = GN_I64)), 0, -3);
    ck_assert_int_eq(gn_dim(gn_scalar_tensor(1, NULL)), 0);
    ck_assert_int_eq(gn_numel(gn_empty(3, 0, 2)), 0);
    gn_tensor *x = gn_ones_with(GN_SHAPE(2, 3), GN_AS(.dtype = GN_I16));
    EXPECT_VALUES(gn_zeros_like(x), 0, 0, 0, 0, 0, 0, 0);
    EXPECT_VALUES(gn_full_like(x, 7), 0, 7, 7, 7, 7, 7, 7);
    ck_assert_int_eq(gn_dtype_of(gn_ones_like(x)), GN_I16);
    gn_tensor *grads = gn_zeros_with(GN_SHAPE(2), GN_AS(.requires_grad = true));
    ck_assert(gn_requires_grad(grads) && gn_is_leaf(grads) &&
              !gn_requires_grad(gn_ones_like(grads)));
    gn_tensor *turned = gn_t(gn_zeros(2, 3));
    ck_assert_int_eq(gn_stride(gn_empty_like(turned), 0), 1); /* the order of memory is kept */
}
END_TEST

START_TEST(test_sequences) {
    gn_tensor *x = gn_arange(0, 5, 2, NULL);
    ck_assert_int_eq(gn_dtype_of(x), GN_I64);
    EXPECT_VALUES(x, 0, 0, 2, 4);
    EXPECT_VALUES(gn_arange(3, -1, -1.5, NULL), 1e-6, 3, 1.5, 0);
    EXPECT_VALUES(gn_arange(0, 1, 0.25, GN_AS(.dtype = GN_F16)), 0, 0, 0.25, 0.5, 0.75);
    EXPECT_VALUES(gn_arange(250, 260, 5, GN_AS(.dtype = GN_U8)), 0, 250, 255);
    ck_assert_int_eq(gn_numel(gn_arange(2, 2, 1, NULL)), 0);
    EXPECT_VALUES(gn_eye(2, 3, NULL), 0, 1, 0, 0, 0, 1, 0);
    EXPECT_VALUES(gn_eye(2, -1, GN_AS(.dtype = GN_BOOL)), 0, 1, 0, 0, 1);
    gn_tensor *large = gn_arange(9007199254740992.0, 9007199254740994.0, 1, NULL);
    ck_assert_int_eq(gn_item_int(gn_select(large, 0, 1)), 9007199254740993);
}
END_TEST

/* Results of PyTorch. */
START_TEST(test_spaced) {
    EXPECT_VALUES(gn_linspace(-1, 1, 5, NULL), 0, -1, -0.5, 0, 0.5, 1);
    EXPECT_VALUES(gn_linspace(0, 10, 4, GN_AS(.dtype = GN_I32)), 0, 0, 3, 6, 10);
    EXPECT_VALUES(gn_linspace(3, 7, 1, NULL), 0, 3);
    EXPECT_VALUES(gn_linspace(0, 1, 3, GN_AS(.dtype = GN_BF16)), 0, 0, 0.5, 1);
    ck_assert_int_eq(gn_numel(gn_linspace(0, 1, 0, NULL)), 0);
    double last = gn_item(gn_select(gn_linspace(0, 0.7, 30001, NULL), 0, -1));
    ck_assert_double_eq(last, (double)0.7f); /* not what 30000 steps add up to */
    EXPECT_VALUES(gn_logspace(-1, 2, 4, 10, NULL), 1e-6, 0.1, 1, 10, 100);
    gn_tensor *leaf = gn_logspace(0, 2, 3, 2, GN_AS(.requires_grad = true));
    EXPECT_VALUES(leaf, 1e-6, 1, 2, 4);
    ck_assert(gn_requires_grad(leaf) && gn_is_leaf(leaf));
    EXPECT_VALUES(gn_tril_indices(3, 3, 0, NULL), 0, 0, 1, 1, 2, 2, 2, 0, 0, 1, 0, 1, 2);
    EXPECT_VALUES(gn_triu_indices(2, 3, 1, NULL), 0, 0, 0, 1, 1, 2, 2);
    EXPECT_VALUES(gn_tril_indices(2, 3, -1, NULL), 0, 1, 0);
    ck_assert_int_eq(gn_size(gn_triu_indices(2, 2, 9, NULL), 1), 0);
    ck_assert_int_eq(gn_size(gn_tril_indices(2, 2, INT64_MAX, NULL), 1), 4);
    ck_assert_int_eq(gn_size(gn_triu_indices(2, 2, INT64_MIN, NULL), 1), 4);
    ck_assert_ptr_null(gn_tril_indices(-1, 2, 0, NULL));
    expect_error(GN_E_ARGUMENT, "tril_indices: -1 rows, 2 columns");
    ck_assert_ptr_null(gn_linspace(0, 1, -1, NULL));
    expect_error(GN_E_ARGUMENT, "linspace: -1 steps");
}
END_TEST

/* It is that of new tensors, and of what integers become. */
START_TEST(test_default_dtype) {
    ck_assert_int_eq(gn_default_dtype(), GN_F32);
    ck_assert_int_eq(gn_set_default_dtype(GN_I64), GN_E_ARGUMENT);
    expect_error(GN_E_ARGUMENT, "set_default_dtype: dtype 6: it must be a floating-point one");
    if (!has_dtype(GN_F64))
        return;
    gn_tensor *ints = gn_arange(1, 3, 1, NULL), *single = gn_ones(2);
    ck_assert_int_eq(gn_dtype_of(gn_div(ints, ints)), GN_F32);
    ck_assert_int_eq(gn_set_default_dtype(GN_F64), GN_OK);
    ck_assert_int_eq(gn_dtype_of(gn_zeros(2)), GN_F64);
    ck_assert_int_eq(gn_dtype_of(gn_randn(2)), GN_F64);
    ck_assert_int_eq(gn_dtype_of(gn_linspace(0, 1, 2, NULL)), GN_F64);
    gn_tensor *third = gn_div(ints, gn_add_scalar(ints, 2));
    ck_assert_int_eq(gn_dtype_of(third), GN_F64);
    EXPECT_VALUES(third, 1e-15, 1. / 3, 0.5);
    ck_assert_int_eq(gn_dtype_of(gn_mul_scalar(ints, 0.5)), GN_F64);
    ck_assert_int_eq(gn_dtype_of(gn_exp(ints)), GN_F64);
    ck_assert_int_eq(gn_dtype_of(gn_mul_scalar(single, 0.5)), GN_F32);
    ck_assert_int_eq(gn_set_default_dtype(GN_F32), GN_OK);
    ck_assert_int_eq(gn_dtype_of(gn_div(ints, ints)), GN_F32);
}
END_TEST

START_TEST(test_arrays) {
    gn_tensor *x = gn_tensor_of(((double[]){1, 2, 3, 4, 5, 6}), 2, 3);
    ck_assert_int_eq(gn_dtype_of(x), GN_F64);
    EXPECT_VALUES(x, 0, 1, 2, 3, 4, 5, 6);
    ck_assert_int_eq(gn_dtype_of(gn_tensor_of(((bool[]){true, false}), 2)), GN_BOOL);
    ck_assert_int_eq(gn_dtype_of(gn_tensor_of(((int64_t[]){1}), 1)), GN_I64);
    ck_assert_int_eq(gn_dtype_of(gn_tensor_of(((int8_t[]){1}), 1)), GN_I8);
    EXPECT_VALUES(
        gn_tensor_from((float[]){1.7f, -2.7f}, GN_F32, GN_SHAPE(2), GN_AS(.dtype = GN_I32)), 0, 1,
        -2);
    EXPECT_VALUES(gn_tensor_from((int64_t[]){0, 5}, GN_I64, GN_SHAPE(2), GN_AS(.dtype = GN_BOOL)),
                  0, 0, 1);
    ck_assert_int_eq(gn_numel(gn_tensor_from(NULL, GN_F32, GN_SHAPE(0), NULL)), 0);
}
END_TEST

static void count_free(void *context) { ++*(int *)context; }

START_TEST(test_wrap) {
    if (!gn_device_available("cpu"))
        return;
    float data[] = {1, 2, 3, 4};
    int freed = 0;
    gn_scope scope = gn_scope_begin();
    gn_tensor *x = gn_tensor_wrap(data, GN_F32, GN_SHAPE(2, 2), count_free, &freed);
    ck_assert_str_eq(gn_error(), "");
    ck_assert_str_eq(gn_device_of(x), "cpu");
    gn_tensor *row = gn_retain(gn_select(x, 0, 1));
    gn_add_scalar_(row, 10);
    ck_assert(data[2] == 13 && data[3] == 14);
    ck_assert_ptr_eq(gn_data(row), data + 2);
    gn_scope_end(scope);
    ck_assert_int_eq(freed, 0); /* the view holds it */
    gn_release(row);
    ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(test_properties) {
    gn_tensor *x = gn_zeros(2, 3, 4), *v = gn_slice(gn_transpose(x, 0, 2), 0, 1, 4, 2);
    ck_assert_int_eq(gn_dim(v), 3);
    ck_assert_int_eq(gn_size(v, 0), 2);
    ck_assert_int_eq(gn_size(v, -1), 2);
    ck_assert_int_eq(gn_stride(v, 0), 2);
    ck_assert_int_eq(gn_stride(v, 2), 12);
    ck_assert_int_eq(gn_storage_offset(v), 1);
    ck_assert_int_eq(gn_numel(v), 12);
    ck_assert(gn_is_view(v) && !gn_is_view(x) && gn_is_contiguous(x) && !gn_is_contiguous(v));
    ck_assert(gn_is_contiguous(gn_narrow(x, 0, 1, 1))); /* whatever the offset */
    ck_assert_int_eq(gn_element_size(x), 4);
    ck_assert(gn_is_floating_point(x) && gn_same_shape(x, gn_ones_like(x)) && !gn_same_shape(x, v));
    ck_assert_int_eq(gn_shape_of(v).size[1], 3);
    ck_assert_str_eq(gn_shape_text(v), "(2, 3, 2)");
    ck_assert_str_eq(gn_shape_text(gn_scalar_tensor(1, NULL)), "()");
    ck_assert_str_eq(gn_device_of(x), gn_default_device());
    ck_assert_str_eq(gn_dtype_name(GN_BF16), "bfloat16");
    ck_assert_int_eq(gn_dtype_from_name("int16"), GN_I16);
    ck_assert_int_eq(gn_dtype_from_name("uint32"), -1);
    ck_assert_int_eq(gn_dtype_from_name(NULL), -1);
    ck_assert_int_eq(gn_promote_types(GN_U8, GN_I8), GN_I16);
    ck_assert_int_eq(gn_promote_types(GN_F16, GN_BF16), GN_F32);
    ck_assert_int_eq(gn_promote_types(GN_I64, GN_F16), GN_F16);
}
END_TEST

START_TEST(test_errors) {
    ck_assert_ptr_null(gn_zeros(-1));
    expect_error(GN_E_ARGUMENT, "tensor: shape (-1) has a negative size");
    ck_assert_ptr_null(gn_zeros_with((gn_shape){.n = 9}, NULL));
    expect_error(GN_E_ARGUMENT, "zeros: 9 dims: at most 8 are possible");
    ck_assert_ptr_null(gn_zeros(1LL << 40, 1LL << 40));
    expect_error(GN_E_MEMORY,
                 "tensor: shape (1099511627776, 1099511627776) has more elements than can be "
                 "addressed");
    ck_assert_ptr_null(gn_zeros_with(GN_SHAPE(1), GN_AS(.dtype = GN_U32)));
    expect_error(GN_E_ARGUMENT, "zeros: 7 is no dtype of tensors");
    ck_assert_ptr_null(gn_zeros_with(GN_SHAPE(1), GN_AS(.dtype = GN_I64, .requires_grad = true)));
    expect_error(GN_E_ARGUMENT, "zeros: a int64 tensor can't require a gradient");
    ck_assert_ptr_null(gn_arange(0, 1, 0, NULL));
    expect_error(GN_E_ARGUMENT, "arange: from 0 to 1 by 0 has no end");
    ck_assert_ptr_null(gn_arange(0, 1e300, 1, NULL));
    expect_error(GN_E_ARGUMENT, "arange: from 0 to 1e+300 by 1 has no end");
    ck_assert_ptr_null(gn_full(GN_SHAPE(1), 0.5, GN_AS(.dtype = GN_I64)));
    expect_error(GN_E_ARGUMENT, "fill: 0.5 is no value of int64");
    ck_assert_ptr_null(gn_tensor_from(NULL, GN_F32, GN_SHAPE(2), NULL));
    expect_error(GN_E_ARGUMENT, "tensor_from: the array is NULL");
    ck_assert_int_eq(gn_size(gn_zeros(2), 1), 0);
    expect_error(GN_E_ARGUMENT, "size: dim 1 does not exist: 1 dims allow -1 to 0");
    ck_assert_int_eq(gn_dim(NULL), 0);
    expect_error(GN_E_ARGUMENT, "gn_dim: NULL");
    ck_assert_ptr_null(gn_zeros_like(NULL));
    expect_error(GN_E_ARGUMENT, "zeros_like: a tensor is NULL");
    ck_assert_ptr_null(gn_zeros_with(GN_SHAPE(1), GN_AS(.device = "no_such")));
    ck_assert_int_eq(gn_error_status(), GN_E_NOT_FOUND);
    gn_error_clear();
}
END_TEST

/* What a scope owned is gone after it, graph and all; what it hands on is not. */
START_TEST(test_scopes) {
    gn_memory_stats before = {0}, after = {0};
    gn_scope outer = gn_scope_begin();
    for (int i = 0; i < 3; i++) {
        gn_memory_stats_get(gn_default_device(), &after);
        if (i == 1) /* what is made once and kept has been made */
            before = after;
        gn_scope scope = gn_scope_begin();
        gn_tensor *x = gn_requires_grad_(gn_ones(1000), true);
        gn_tensor *y =
            gn_relu(gn_mul(gn_select(gn_view(x, 10, 100), 0, 3), gn_slice(x, 0, 0, 100, 1)));
        gn_backward(gn_sum(y), .create_graph = i == 1);
        gn_index_put(gn_clone(x), gn_ones(1), GN_FROM(3));
        gn_tensor *g = gn_detach(gn_grad(x));
        gn_set_grad(x, NULL); /* under create_graph it holds x */
        gn_scope_end_with(scope, g);
        ck_assert_int_eq(gn_numel(g), 1000);
        gn_scope_end(outer);
        outer = gn_scope_begin();
    }
    ck_assert_str_eq(gn_error(), "");
    gn_memory_stats_get(gn_default_device(), &after);
    ck_assert_uint_eq(after.allocated, before.allocated);
    gn_scope_end(outer);
}
END_TEST

int main(void) {
    const TTest *tests[] = {
        test_constants, test_sequences,  test_spaced, test_default_dtype, test_arrays,
        test_wrap,      test_properties, test_errors, test_scopes,        NULL};
    return suite_run("create", tests);
}
