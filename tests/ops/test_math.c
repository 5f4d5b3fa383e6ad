/* SPDX-License-Identifier: Apache-2.0 */
/* where, clamp, operations in place, comparison of whole tensors, expressions of the user's. */
#include <math.h>
#include <stdio.h>

#include "tests/expect.h"
#include "tests/suite.h"

START_TEST(test_allclose) {
    gn_tensor *a = gn_tensor_of(((float[]){1, 2, INFINITY}), 3),
              *b = gn_tensor_of(((float[]){1, 2.00001f, INFINITY}), 3);
    gn_tensor *nan = gn_tensor_of(((float[]){NAN, 1}), 2),
              *ints = gn_tensor_of(((int64_t[]){1, 2, 3}), 3);
    ck_assert(gn_allclose(a, b));
    ck_assert(!gn_allclose(a, b, .rtol = gn_some(1e-7)));
    ck_assert(!gn_allclose(a, gn_neg(a)));
    ck_assert(!gn_allclose(nan, nan));
    ck_assert(gn_allclose(nan, nan, .equal_nan = true));
    ck_assert(gn_allclose(ints, gn_tensor_of(((float[]){1, 2, 3}), 3)));
    ck_assert(gn_equal(a, a) && !gn_equal(a, b) && !gn_equal(nan, nan));
    ck_assert(!gn_equal(a, gn_unsqueeze(a, 0)));
    ck_assert(gn_equal(gn_zeros(0, 2), gn_zeros(0, 2)));
    ck_assert_str_eq(gn_error(), "");
    ck_assert(!gn_allclose(a, NULL));
    expect_error(GN_E_ARGUMENT, "allclose: a tensor is NULL");
}
END_TEST

/* inf - inf is no closeness; the rest of isclose is in conform. */
START_TEST(test_isclose) {
    gn_tensor *x = gn_tensor_of(((float[]){INFINITY, INFINITY, NAN, 1}), 4);
    gn_tensor *y = gn_tensor_of(((float[]){INFINITY, -INFINITY, NAN, 1 + 1e-6f}), 4);
    EXPECT_VALUES(gn_isclose(x, y), 0, 1, 0, 0, 1);
    EXPECT_VALUES(gn_isclose(x, y, .equal_nan = true, .rtol = gn_some(0)), 0, 1, 0, 1, 0);
    ck_assert_ptr_null(gn_isclose(x, NULL));
    expect_error(GN_E_ARGUMENT, "isclose: a tensor is NULL");
    ck_assert_ptr_null(gn_lerp(x, gn_zeros(3), y));
    expect_error(GN_E_ARGUMENT, "lerp: shapes (4) and (3) and (4) do not broadcast: aligned at the "
                                "right, sizes must be equal or 1");
    ck_assert_ptr_null(gn_nan_to_num(NULL));
    expect_error(GN_E_ARGUMENT, "nan_to_num: a tensor is NULL");
    /* neither the largest number nor its square overflows */
    gn_tensor *large = gn_full(GN_SHAPE(1), 3e38, NULL);
    ck_assert(gn_equal(gn_hypot(large, gn_zeros(1)), large));
    EXPECT_VALUES(gn_nan_to_num(gn_neg(x)), 0, -0x1.fffffep127, -0x1.fffffep127, 0, -1);
}
END_TEST

/* The 0th power, and 0 to a power: gradients without NaN. */
START_TEST(test_powers_of_zero) {
    gn_tensor *x = gn_requires_grad_(gn_tensor_of(((float[]){0, 2}), 2), true);
    gn_backward(gn_sum(gn_pow_scalar(x, 0)));
    EXPECT_VALUES(gn_grad(x), 0, 0, 0);
    gn_backward(gn_sum(gn_rpow_scalar(x, 0)));
    EXPECT_VALUES(gn_grad(x), 0, 0, 0);
}
END_TEST

/* On a bound, the gradient of clamp is 1; that of relu at 0 is 0. */
START_TEST(test_bounds) {
    gn_tensor *x = gn_requires_grad_(gn_tensor_of(((float[]){-1, 0, 1, 2}), 4), true);
    gn_backward(gn_sum(gn_clamp(x, gn_some(-1), gn_some(1))));
    EXPECT_VALUES(gn_grad(x), 0, 1, 1, 1, 0);
    gn_backward(gn_sum(gn_relu(x)));
    EXPECT_VALUES(gn_grad(x), 0, 1, 1, 2, 1);
}
END_TEST

START_TEST(test_map) {
    gn_tensor *x = gn_requires_grad_(gn_tensor_of(((float[]){-1, 0.5, 2}), 3), true);
    gn_tensor *y = gn_map("x * sigmoid(beta * x)", x, .params = {{"beta", 1.5}});
    EXPECT_VALUES(y, 1e-5, -0.182425524, 0.339589655, 1.90514825);
    gn_backward(gn_sum(y));
    EXPECT_VALUES(gn_grad(x), 1e-5, -0.0412942, 0.8426000, 1.0881053);
    gn_tensor *in[] = {x, gn_tensor_of(((int64_t[]){2}), 1)};
    EXPECT_VALUES(gn_map_n("(a, b) -> a * b + 1", 2, in, NULL), 1e-6, -1, 2, 5);
    EXPECT_VALUES(gn_map("x > 0 ? sqrt(x) : -1", x), 1e-6, -1, 0.70710678, 1.41421356);
    EXPECT_VALUES(gn_map("2 ** 3 ** 0 + 7 // 2 - 7 % 4 + x * 0", x), 1e-6, 2, 2, 2);
    EXPECT_VALUES(gn_map("max(x, 0) + (x == 2) + !x", x), 1e-6, 0, 0.5, 3);
    EXPECT_VALUES(gn_map("min(max(erf(x), -inf), inf) * 0 + pi", x), 1e-6, 3.14159265, 3.14159265,
                  3.14159265);
}
END_TEST

/* The error of an expression in x and s; where it has a place, the place is shown. */
static const struct {
    const char *expression, *message;
} bad_maps[] = {
    {"x +", "the expression ends where an operand is expected, at column 4:\n    x +\n       ^"},
    {"", "the expression ends where an operand is expected, at column 1:\n    \n    ^"},
    {"x * y", "unknown name 'y', at column 5:\n    x * y\n        ^"},
    {"foo(x)", "there is no function 'foo', at column 1:\n    foo(x)\n    ^"},
    {"exp(x, x)", "exp takes 1 argument, not 2, at column 1:\n    exp(x, x)\n    ^"},
    {"min(x)", "min takes 2 arguments, not 1, at column 1:\n    min(x)\n    ^"},
    {"(x",
     "the expression ends where an operator or ')' is expected, at column 3:\n    (x\n      ^"},
    {"x)", "there is ')' where an operator or the end is expected, at column 2:\n    x)\n     ^"},
    {"x $ 2",
     "there is '$' where an operator or the end is expected, at column 3:\n    x $ 2\n      ^"},
    {"1..2", "malformed number, at column 1:\n    1..2\n    ^"},
    {"x ? 1", "the expression ends where an operator or ':' is expected, at column 6:\n    x ? 1\n "
              "        ^"},
    {"x & 1", "'and' does not take float32"},
};

START_TEST(test_map_errors) {
    gn_tensor *x = gn_zeros(2), *two[] = {x, x};
    for (size_t i = 0; i < sizeof bad_maps / sizeof *bad_maps; i++) {
        char message[256];
        snprintf(message, sizeof message, "map: %s", bad_maps[i].message);
        ck_assert_ptr_null(gn_map(bad_maps[i].expression, x, .params = {{"s", 1}}));
        expect_error(GN_E_ARGUMENT, message);
    }
    ck_assert_ptr_null(gn_map_n("(a, b -> a", 2, two, NULL));
    expect_error(GN_E_ARGUMENT, "map: \"(a, b -> a\": write the inputs as (a, b) -> expression");
    ck_assert_ptr_null(gn_map_n("(a, b, c) -> a", 2, two, NULL));
    expect_error(GN_E_ARGUMENT, "map: \"(a, b, c) -> a\" has 3 inputs, but 2 are given");
    ck_assert_ptr_null(gn_map_n("(a, a) -> a", 2, two, NULL));
    expect_error(GN_E_ARGUMENT, "map: the name 'a' occurs twice");
    ck_assert_ptr_null(gn_map("x * s", x, .params = {{"s", 1}, {"s", 2}}));
    expect_error(GN_E_ARGUMENT, "map: the name 's' occurs twice");
    ck_assert_ptr_null(gn_map_n("(1a) -> 1a", 1, two, NULL));
    expect_error(GN_E_ARGUMENT, "map: '1a' is no list of names");
    ck_assert_ptr_null(gn_map_n("(a, b) -> a", 9, two, NULL));
    expect_error(GN_E_ARGUMENT, "map: 9 inputs: 1 to 8 are possible");
    ck_assert_ptr_null(gn_map(NULL, x));
    expect_error(GN_E_ARGUMENT, "map: the expression is NULL");
    ck_assert_ptr_null(gn_map("x", NULL));
    expect_error(GN_E_ARGUMENT, "map: a tensor is NULL");
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(2, 3), *row = gn_zeros(3),
              *ints = gn_zeros_with(GN_SHAPE(3), GN_AS(.dtype = GN_I64));
    ck_assert_ptr_null(gn_add_(row, x));
    expect_error(GN_E_ARGUMENT,
                 "add_: a result of shape (2, 3) does not fit into shape (3) in place");
    ck_assert_ptr_null(gn_add_(ints, row));
    expect_error(GN_E_ARGUMENT, "add_: a float32 result does not fit into a int64 tensor in place");
    ck_assert_ptr_null(gn_add_scalar_(gn_expand(gn_zeros(1), 4), 1));
    expect_error(GN_E_ARGUMENT,
                 "add_scalar_: elements of an expanded tensor share memory: gn_clone it "
                 "before changing it in place");
    ck_assert_ptr_null(gn_clamp(x, (gn_optional){0}, (gn_optional){0}));
    expect_error(GN_E_ARGUMENT, "clamp: neither bound is given");
    ck_assert_ptr_null(gn_fill_(ints, 0.5));
    expect_error(GN_E_ARGUMENT, "fill: 0.5 is no value of int64");
}
END_TEST

/* Reads and writes of one memory that overlap are kept apart. */
START_TEST(test_overlap) {
    gn_tensor *x = gn_arange(0, 6, 1, GN_AS(.dtype = GN_F32));
    gn_add_(gn_slice(x, 0, 1, 6, 1), gn_slice(x, 0, 0, 5, 1));
    EXPECT_VALUES(x, 0, 0, 1, 3, 5, 7, 9);
    gn_tensor *square = gn_view(gn_arange(0, 4, 1, GN_AS(.dtype = GN_F32)), 2, 2);
    gn_add_(square, gn_t(square));
    EXPECT_VALUES(square, 0, 0, 3, 3, 6);
    gn_copy_(gn_slice(x, 0, 1, 6, 1), gn_slice(x, 0, 0, 5, 1));
    EXPECT_VALUES(x, 0, 0, 0, 1, 3, 5, 7);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_allclose, test_isclose, test_powers_of_zero,
                            test_bounds,   test_map,     test_map_errors,
                            test_errors,   test_overlap, NULL};
    return suite_run("math", tests);
}
