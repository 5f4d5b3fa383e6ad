/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/packed.c. */
#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/suite.h"

static gn_tensor *integers(int64_t n, const int64_t *values) {
    return gn_tensor_from(values, GN_I64, GN_SHAPE(n), NULL);
}

/* Sequences 1 2 3, 4, 5 6 of one feature, as rows. */
static gn_tensor *rows(void) {
    return gn_tensor_of(((float[]){1, 2, 3, 4, 0, 0, 5, 6, 0}), 3, 3, 1);
}
static const int64_t lengths[] = {3, 1, 2};

START_TEST(test_pack) {
    gn_packed_sequence p = gn_pack_padded_sequence(rows(), integers(3, lengths),
                                                   .batch_first = true, .unsorted = true);
    EXPECT_VALUES(p.data, 0, 1, 5, 4, 2, 6, 3);
    ck_assert_int_eq(gn_size(p.data, 1), 1);
    EXPECT_VALUES(p.batch_sizes, 0, 3, 2, 1);
    EXPECT_VALUES(p.sorted_indices, 0, 0, 2, 1);
    EXPECT_VALUES(p.unsorted_indices, 0, 0, 2, 1);
    const int64_t sorted[] = {3, 3, 1};
    gn_packed_sequence q = gn_pack_padded_sequence(gn_transpose(rows(), 0, 1), integers(3, sorted));
    EXPECT_VALUES(q.data, 0, 1, 4, 5, 2, 0, 3, 0);
    ck_assert_ptr_null(q.sorted_indices);
}
END_TEST

START_TEST(test_pad_again) {
    gn_tensor *x = gn_requires_grad_(rows(), true), *n;
    gn_packed_sequence p =
        gn_pack_padded_sequence(x, integers(3, lengths), .batch_first = true, .unsorted = true);
    gn_tensor *y =
        gn_pad_packed_sequence(&p, &n, .batch_first = true, .padding_value = -1, .total_length = 4);
    EXPECT_VALUES(y, 0, 1, 2, 3, -1, 4, -1, -1, -1, 5, 6, -1, -1);
    EXPECT_VALUES(n, 0, 3, 1, 2);
    ck_assert_int_eq(gn_backward(gn_sum(gn_square(y))), GN_OK);
    EXPECT_VALUES(gn_grad(x), 0, 2, 4, 6, 8, 0, 0, 10, 12, 0);
    EXPECT_VALUES(gn_pad_packed_sequence(&p, NULL), 0, 1, 4, 5, 2, 0, 6, 3, 0, 0);
}
END_TEST

START_TEST(test_pad) {
    gn_tensor *a = gn_requires_grad_(gn_tensor_of(((float[]){1, 2, 3}), 3), true);
    gn_tensor *list[] = {a, gn_tensor_of(((float[]){4}), 1)};
    EXPECT_VALUES(gn_pad_sequence(list, 2), 0, 1, 4, 2, 0, 3, 0);
    EXPECT_VALUES(
        gn_pad_sequence(list, 2, .batch_first = true, .padding_left = true, .padding_value = 9), 0,
        1, 2, 3, 9, 9, 4);
    ck_assert_int_eq(gn_backward(gn_sum(gn_pad_sequence(list, 2))), GN_OK);
    EXPECT_VALUES(gn_grad(a), 0, 1, 1, 1);
    ck_assert_ptr_null(gn_pad_sequence(list, 0));
    expect_error_with(GN_E_ARGUMENT, "there must be one tensor or more");
    list[1] = NULL;
    ck_assert_ptr_null(gn_pad_sequence(list, 2));
    expect_error_with(GN_E_ARGUMENT, "pad_sequence");
    list[1] = gn_scalar_tensor(1, NULL);
    ck_assert_ptr_null(gn_pad_sequence(list, 2));
    expect_error_with(GN_E_ARGUMENT, "tensor 1 is 0-dim");
}
END_TEST

static void refused(const int64_t *values, int64_t n, bool unsorted, const char *text) {
    gn_packed_sequence p = gn_pack_padded_sequence(rows(), integers(n, values), .batch_first = true,
                                                   .unsorted = unsorted);
    ck_assert_ptr_null(p.data);
    expect_error_with(GN_E_ARGUMENT, text);
}

START_TEST(test_pack_errors) {
    refused(lengths, 3, false, "lengths must descend");
    refused((int64_t[]){4, 1, 1}, 3, false, "lengths from 1 to 4: they must be from 1 to 3");
    refused((int64_t[]){1, 0, 1}, 3, true, "lengths from 0 to 1");
    refused((int64_t[]){2, 1}, 2, true, "does not fit lengths (2)");
    ck_assert_ptr_null(gn_pack_padded_sequence(gn_ones(3, 2), gn_ones(2)).data);
    expect_error_with(GN_E_ARGUMENT, "(N) integers");
}
END_TEST

/* Structs that no pack function made. */
static void refused_packed(gn_packed_sequence p, const char *text) {
    ck_assert_ptr_null(gn_pad_packed_sequence(&p, NULL));
    expect_error_with(GN_E_ARGUMENT, text);
}

START_TEST(test_packed_errors) {
    gn_tensor *data = gn_ones(4, 2), *sizes = integers(2, (int64_t[]){3, 1});
    const int64_t growing[] = {1, 3}, few[] = {2, 1}, twice[] = {0, 1, 1}, huge[] = {INT64_MAX, 1};
    refused_packed((gn_packed_sequence){0}, "pad_packed_sequence");
    refused_packed((gn_packed_sequence){.data = data, .batch_sizes = gn_ones(2)}, "must be int64");
    refused_packed((gn_packed_sequence){.data = data, .batch_sizes = integers(2, growing)},
                   "must be positive and not grow");
    refused_packed((gn_packed_sequence){.data = data, .batch_sizes = integers(2, few)},
                   "add up to the rows");
    refused_packed((gn_packed_sequence){.data = data, .batch_sizes = integers(2, huge)},
                   "batch_sizes");
    refused_packed(
        (gn_packed_sequence){.data = data, .batch_sizes = sizes, .sorted_indices = sizes},
        "sorted_indices must be int64");
    refused_packed((gn_packed_sequence){.data = data,
                                        .batch_sizes = sizes,
                                        .sorted_indices = integers(3, twice)},
                   "must be a permutation");
    const gn_packed_sequence good = {.data = data, .batch_sizes = sizes};
    ck_assert_ptr_null(gn_pad_packed_sequence(&good, NULL, .total_length = 1));
    expect_error_with(GN_E_ARGUMENT, "total_length 1 does not fit");
    ck_assert_ptr_null(gn_pad_packed_sequence(&good, NULL, .total_length = INT64_MAX));
    expect_error_with(GN_E_ARGUMENT, "total_length");
    gn_module *lstm = gn_nn_lstm(3, 2);
    ck_assert_ptr_null(gn_rnn_forward_packed(lstm, &good, NULL).data);
    expect_error_with(GN_E_ARGUMENT, "LSTM: packed data (4, 2) must be (rows, 3)");
    ck_assert_ptr_null(gn_rnn_forward_packed(lstm, NULL, NULL).data);
    expect_error_with(GN_E_ARGUMENT, "the packed sequence is NULL");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_pack,        test_pad_again,     test_pad,
                            test_pack_errors, test_packed_errors, NULL};
    return suite_run("packed", tests);
}
