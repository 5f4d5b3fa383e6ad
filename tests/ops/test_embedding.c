/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/embedding.c. */
#include "tests/expect.h"
#include "tests/suite.h"

static gn_tensor *checked(gn_tensor *const *in, void *context) {
    return gn_square(gn_embedding(context, in[0]));
}

START_TEST(test_gradcheck) {
    const gn_shape shape = GN_SHAPE(3, 2);
    expect_gradcheck("embedding", checked, gn_tensor_of(((int64_t[]){2, 0, 2}), 3), 1, &shape, -1,
                     1);
}
END_TEST

START_TEST(test_strided) {
    gn_tensor *weight = gn_randn(4, 5), *at = gn_tensor_of(((int64_t[]){0, 1, 2, 3}), 2, 2);
    expect_close("transposed", gn_embedding(gn_t(at), gn_t(weight)),
                 gn_embedding(gn_contiguous(gn_t(at)), gn_contiguous(gn_t(weight))));
    ck_assert_int_eq(
        gn_numel(gn_embedding(gn_zeros_with(GN_SHAPE(0), GN_AS(.dtype = GN_I64)), weight)), 0);
}
END_TEST

START_TEST(test_errors) {
    static const int64_t wrong[] = {4, -1};
    for (int i = 0; i < 2; i++) {
        gn_tensor *y = gn_embedding(gn_tensor_of(&wrong[i], 1), gn_zeros(4, 1));
        if (y)
            gn_item(y);
        expect_error_with(GN_E_INDEX, "embedding");
    }
    ck_assert_ptr_null(gn_embedding(gn_zeros(2), gn_zeros(4, 1)));
    expect_error_with(GN_E_ARGUMENT, "embedding: indices must be integers, not float32");
    ck_assert_ptr_null(gn_embedding(gn_arange(0, 2, 1, NULL), gn_zeros(4)));
    expect_error_with(GN_E_ARGUMENT, "embedding: weight (4) must be (V, D)");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_gradcheck, test_strided, test_errors, NULL};
    return suite_run("embedding", tests);
}
