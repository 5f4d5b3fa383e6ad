/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/tensor/shape.c. */
#include "tensor/tensor.h"
#include "tests/expect.h"
#include "tests/suite.h"

/* A tensor that is only looked at. */
static gn_tensor shaped(int n_dims, const int64_t *size, const int64_t *stride) {
    gn_tensor t = {.n_dims = (int8_t)n_dims, .count = gn__count(n_dims, size)};
    memcpy(t.size, size, (size_t)n_dims * sizeof *size);
    memcpy(t.stride, stride, (size_t)n_dims * sizeof *stride);
    return t;
}

static const struct {
    int n;
    int64_t size[4], stride[4];
    bool row_major, dense, overlaps, channels_last;
} rows[] = {
    {0, {0}, {0}, true, true, false, true},
    {2, {2, 3}, {3, 1}, true, true, false, true},
    {2, {2, 3}, {1, 2}, false, true, false, false},
    {2, {2, 3}, {6, 2}, false, false, false, false},
    {2, {2, 3}, {0, 1}, false, false, true, false},
    {2, {2, 3}, {1, 1}, false, false, true, false},
    {2, {1, 3}, {0, 1}, true, true, false, true},
    {3, {2, 1, 3}, {3, 77, 1}, true, true, false, true},
    {4, {2, 3, 4, 5}, {60, 1, 15, 3}, false, true, false, true},
    {4, {2, 3, 4, 5}, {60, 20, 5, 1}, true, true, false, false},
    {4, {2, 1, 4, 5}, {20, 20, 5, 1}, true, true, false, true},
    {2, {0, 3}, {9, 9}, true, true, false, true},
    {2, {3, 3}, {4, 1}, false, false, false, false},
};

START_TEST(test_layouts) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gn_tensor t = shaped(rows[i].n, rows[i].size, rows[i].stride);
        ck_assert_msg(gn__is_row_major(&t) == rows[i].row_major, "row %zu", i);
        ck_assert_msg(gn__is_dense(&t) == rows[i].dense, "row %zu: dense", i);
        ck_assert_msg(gn__overlaps(t.n_dims, t.size, t.stride) == rows[i].overlaps,
                      "row %zu: overlaps", i);
        ck_assert_msg(gn__is_channels_last(&t) == rows[i].channels_last, "row %zu: channels last",
                      i);
    }
}
END_TEST

START_TEST(test_count) {
    ck_assert_int_eq(gn__count(0, NULL), 1);
    ck_assert_int_eq(gn__count(2, (int64_t[]){1LL << 32, 1LL << 32}), -1);
    ck_assert_int_eq(gn__count(2, (int64_t[]){1LL << 32, 0}), 0);
    int64_t stride[3];
    gn__row_major(3, (int64_t[]){2, 0, 3}, stride);
    ck_assert(stride[0] == 3 && stride[1] == 3 && stride[2] == 1);
}
END_TEST

START_TEST(test_broadcast) {
    gn_tensor a = shaped(3, (int64_t[]){2, 1, 3}, (int64_t[]){3, 3, 1});
    gn_tensor b = shaped(2, (int64_t[]){4, 1}, (int64_t[]){1, 1}),
              c = shaped(1, (int64_t[]){0}, (int64_t[]){1});
    gn_tensor *two[] = {&a, NULL, &b}, *bad[] = {&a, &c};
    int n;
    int64_t size[GN_TENSOR_MAX_DIMS];
    ck_assert(gn__broadcast("add", 3, two, &n, size));
    ck_assert(n == 3 && size[0] == 2 && size[1] == 4 && size[2] == 3);
    two[0] = &c;
    ck_assert(gn__broadcast("add", 3, two, &n, size));
    ck_assert(n == 2 && size[0] == 4 && size[1] == 0);
    ck_assert(!gn__broadcast("add", 2, bad, &n, size));
    expect_error(GN_E_ARGUMENT,
                 "add: shapes (2, 1, 3) and (0) do not broadcast: aligned at the right, sizes "
                 "must be equal or 1");
}
END_TEST

START_TEST(test_dims) {
    int d;
    ck_assert(gn__dim("op", -3, 3, &d) && d == 0);
    ck_assert(gn__dim("op", -1, 0, &d) && d == 0);
    ck_assert(!gn__dim("op", 3, 3, &d));
    expect_error(GN_E_ARGUMENT, "op: dim 3 does not exist: 3 dims allow -3 to 2");
    ck_assert(!gn__dim("op", 1, 0, &d));
    expect_error(GN_E_ARGUMENT, "op: dim 1 does not exist: 0 dims allow -1 to 0");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_layouts, test_count, test_broadcast, test_dims, NULL};
    return suite_run("shape", tests);
}
