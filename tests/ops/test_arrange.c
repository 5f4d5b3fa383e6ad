/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/arrange.c. */
#include "tests/expect.h"
#include "tests/suite.h"

/* repeat, tile and roll give copies, movedim and a matrix's diag views. */
START_TEST(test_sharing) {
    gn_tensor *x = gn_view(gn_arange(0, 6, 1, GN_AS(.dtype = GN_F32)), 2, 3);
    gn_fill_(gn_repeat(x, 1, 1), 9);
    gn_fill_(gn_tile(x, 1), 9);
    gn_fill_(gn_roll(x, GN_DIMS(3), GN_DIMS(1)), 9);
    EXPECT_VALUES(x, 0, 0, 1, 2, 3, 4, 5);
    gn_fill_(gn_select(gn_movedim(x, GN_DIMS(1), GN_DIMS(0)), 0, 2), 7);
    gn_fill_(gn_diag(x, 0), 8);
    EXPECT_VALUES(x, 0, 8, 1, 7, 3, 8, 7);
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(2, 3), *out[2], *vectors[] = {gn_zeros(2), x};
    ck_assert_ptr_null(gn_repeat(x, 2));
    expect_error(GN_E_ARGUMENT,
                 "repeat: (2) times shape (2, 3): needs a number of 0 or more for each dim");
    ck_assert_ptr_null(gn_tile(x, 2, -1));
    expect_error(GN_E_ARGUMENT,
                 "tile: (2, -1) times shape (2, 3): needs a number of 0 or more for each dim");
    ck_assert_ptr_null(gn_repeat(x, INT64_MAX, 1));
    expect_error(GN_E_MEMORY, "repeat: shape (2, 3) 9223372036854775807 times");
    ck_assert_ptr_null(gn_repeat_with(x, (gn_shape){.n = 99}));
    expect_error(GN_E_ARGUMENT,
                 "repeat: (99 dims) times shape (2, 3): needs a number of 0 or more for each dim");
    ck_assert_ptr_null(gn_roll(x, GN_DIMS(1, 2), GN_DIMS(0)));
    expect_error(GN_E_ARGUMENT,
                 "roll: 2 shifts for 1 dims: give one for each dim, or one shift and no dim");
    ck_assert_ptr_null(gn_roll(x, GN_DIMS(1), GN_DIMS(2)));
    expect_error(GN_E_ARGUMENT, "roll: dim 2 does not exist: 2 dims allow -2 to 1");
    ck_assert_int_eq(gn_numel(gn_roll(x, GN_DIMS(INT64_MIN), GN_DIMS(1))), 6);
    ck_assert_ptr_null(gn_movedim(x, GN_DIMS(0), GN_DIMS(0, 1)));
    expect_error(GN_E_ARGUMENT, "movedim: 1 dims to 2 places in shape (2, 3)");
    ck_assert_ptr_null(gn_movedim(x, GN_DIMS(0, 1), GN_DIMS(1, 1)));
    expect_error(GN_E_ARGUMENT, "movedim: dim 1 is given twice");
    ck_assert_ptr_null(gn_diag(gn_zeros(), 0));
    expect_error(GN_E_ARGUMENT, "diag: shape (): needs a vector or a matrix");
    ck_assert_ptr_null(gn_diag(gn_zeros(2), INT64_MIN));
    expect_error(GN_E_ARGUMENT, "diag: there is no diagonal -9223372036854775808");
    ck_assert_int_eq(gn_meshgrid(vectors, 2, false, out), GN_E_ARGUMENT);
    expect_error(GN_E_ARGUMENT, "meshgrid: shape (2, 3) (number 1) is no vector");
    ck_assert_int_eq(gn_meshgrid(vectors, 9, false, out), GN_E_ARGUMENT);
    expect_error(GN_E_ARGUMENT, "meshgrid: 9 vectors: 1 to 8 are possible");
    ck_assert_ptr_null(gn_hstack(vectors, 0));
    expect_error(GN_E_ARGUMENT, "hstack: 0 tensors: there must be at least one");
    vectors[1] = NULL;
    ck_assert_ptr_null(gn_vstack(vectors, 2));
    expect_error(GN_E_ARGUMENT, "vstack: a tensor is NULL");
}
END_TEST

static gn_tensor *arranged(gn_tensor *const *in, void *context) {
    (void)context;
    gn_tensor *x = gn_square(in[0]), *y = gn_roll(gn_repeat(x, 2, 1), GN_DIMS(1), GN_DIMS(0));
    gn_tensor *both[] = {gn_mul(y, y), gn_diag(gn_diag(x, 1), 1)};
    return gn_vstack(both, 2);
}

START_TEST(test_second_order) { expect_second_order(arranged); }
END_TEST

int main(void) {
    const TTest *tests[] = {test_sharing, test_errors, test_second_order, NULL};
    return suite_run("arrange", tests);
}
