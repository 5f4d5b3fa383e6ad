/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/loss.c and cross_entropy.c. */
#include <math.h>

#include "tests/expect.h"
#include "tests/suite.h"

typedef gn_tensor *loss_function(gn_tensor *input, gn_tensor *target,
                                 const gn_loss_options *options);

typedef struct checked_loss {
    loss_function *function;
    gn_loss_options options;
    gn_tensor *target; /* NULL: the second input */
} checked_loss;

static gn_tensor *checked(gn_tensor *const *in, void *context) {
    const checked_loss *c = context;
    return c->function(in[0], c->target ? c->target : in[1], &c->options);
}

START_TEST(test_gradcheck) {
    if (!has_dtype(GN_F64))
        return;
    static loss_function *const pairs[] = {gn_mse_loss_with, gn_bce_loss_with,
                                           gn_bce_with_logits_with};
    const gn_shape same[] = {GN_SHAPE(2, 3), GN_SHAPE(2, 3)}, image = GN_SHAPE(2, 3, 2);
    for (int r = GN_REDUCE_MEAN; r <= GN_REDUCE_NONE; r++) {
        checked_loss c = {
            .options = {.struct_size = sizeof c.options, .reduction = (gn_reduction)r}};
        for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
            c.function = pairs[i];
            expect_gradcheck("loss", checked, &c, 2, same, 0.1, 0.9);
        }
        c.options.pos_weight = gn_full(GN_SHAPE(3), 1.5, GN_AS(.dtype = GN_F64));
        expect_gradcheck("bce_with_logits with pos_weight", checked, &c, 2, same, -1, 1);
        c.options.pos_weight = NULL;
        c.function = gn_cross_entropy_with;
        c.target = gn_tensor_of(((int64_t[]){0, 2, -100, 1}), 2, 2);
        expect_gradcheck("cross_entropy", checked, &c, 1, &image, -1, 1);
        c.options.weight = gn_tensor_of(((double[]){0.5, 2, 1}), 3);
        expect_gradcheck("cross_entropy with weight", checked, &c, 1, &image, -1, 1);
    }
}
END_TEST

START_TEST(test_target_dtypes) {
    gn_tensor *x = gn_randn(2, 3),
              *wanted = gn_cross_entropy(x, gn_tensor_of(((int64_t[]){2, 0}), 2));
    expect_close("int32", gn_cross_entropy(x, gn_tensor_of(((int32_t[]){2, 0}), 2)), wanted);
    expect_close("uint8", gn_cross_entropy(x, gn_tensor_of(((uint8_t[]){2, 0}), 2)), wanted);
    ck_assert(isnan(gn_item(gn_mse_loss(gn_zeros(0, 2), gn_zeros(0, 2)))));
    ck_assert_double_eq(
        gn_item(gn_mse_loss(gn_zeros(0, 2), gn_zeros(0, 2), .reduction = GN_REDUCE_SUM)), 0);
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(2, 3);
    gn_cross_entropy(x, gn_tensor_of(((int64_t[]){0, 3}), 2));
    expect_index_error("cross_entropy");
    gn_cross_entropy(x, gn_tensor_of(((int64_t[]){-1, 0}), 2));
    expect_index_error("cross_entropy");
    ck_assert_ptr_null(gn_cross_entropy(x, gn_zeros(2)));
    expect_error_with(GN_E_ARGUMENT, "targets are class indices of an integer dtype, not float32");
    ck_assert_ptr_null(gn_cross_entropy(x, gn_tensor_of(((int64_t[]){0, 1, 2}), 3)));
    expect_error_with(GN_E_ARGUMENT, "cross_entropy: target (3) does not fit input (2, 3)");
    ck_assert_ptr_null(
        gn_cross_entropy(x, gn_tensor_of(((int64_t[]){0, 1}), 2), .weight = gn_ones(2)));
    expect_error_with(GN_E_ARGUMENT, "weight (2) must have a number for each of the 3 classes");
    ck_assert_ptr_null(gn_mse_loss(x, gn_zeros(3)));
    expect_error_with(GN_E_ARGUMENT,
                      "mse_loss: input (2, 3) and target (3) must have the same shape");
    ck_assert_ptr_null(gn_bce_loss(gn_full_like(x, 1.5), x));
    expect_error_with(GN_E_ARGUMENT, "bce_loss: input must be between 0 and 1");
    ck_assert_ptr_null(gn_bce_loss(gn_full_like(x, NAN), x));
    expect_error_with(GN_E_ARGUMENT, "bce_loss: input must be between 0 and 1");
    ck_assert_ptr_null(gn_l1_loss(x, x, .reduction = (gn_reduction)9));
    expect_error_with(GN_E_ARGUMENT, "l1_loss: there is no reduction 9");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_gradcheck, test_target_dtypes, test_errors, NULL};
    return suite_run("loss", tests);
}
