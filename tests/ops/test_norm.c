/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/norm.c, batch_norm.c and layer_norm.c. */
#include "tests/expect.h"
#include "tests/suite.h"

#define OPTIONS(...) (&(const gn_norm_options){.struct_size = sizeof(gn_norm_options), __VA_ARGS__})

static gn_tensor *checked_batch(gn_tensor *const *in, void *context) {
    return gn_batch_norm_with(in[0], NULL, NULL, in[1], in[2], context);
}

static gn_tensor *checked_eval(gn_tensor *const *in, void *context) {
    gn_tensor **running = context;
    return gn_batch_norm(in[0], running[0], running[1], in[1], in[2]);
}

static gn_tensor *checked_layer(gn_tensor *const *in, void *context) {
    (void)context;
    return gn_layer_norm(in[0], GN_SHAPE(4), in[1], in[2]);
}

static gn_tensor *checked_rms(gn_tensor *const *in, void *context) {
    (void)context;
    return gn_rms_norm(in[0], gn_shape_of(in[1]), in[1], .eps = gn_some(1e-6));
}

/* x has received a gradient already when the norm's is there. */
static gn_tensor *checked_residual(gn_tensor *const *in, void *context) {
    gn_tensor *x = gn_square(in[0]);
    gn_tensor *y =
        context ? gn_rms_norm(x, GN_SHAPE(4), in[1]) : gn_layer_norm(x, GN_SHAPE(4), in[1], NULL);
    return gn_add(x, gn_mul_scalar(y, 2));
}

START_TEST(test_gradcheck) {
    if (!has_dtype(GN_F64))
        return;
    const gn_shape batch[] = {GN_SHAPE(2, 2, 3), GN_SHAPE(2), GN_SHAPE(2)},
                   rows[] = {GN_SHAPE(3, 4), GN_SHAPE(4), GN_SHAPE(4)};
    gn_tensor *running[] = {gn_full(GN_SHAPE(2), 0.2, GN_AS(.dtype = GN_F64)),
                            gn_full(GN_SHAPE(2), 1.5, GN_AS(.dtype = GN_F64))};
    expect_gradcheck("batch_norm", checked_batch, (void *)OPTIONS(.training = true), 3, batch, -1,
                     1);
    expect_gradcheck("batch_norm, evaluation", checked_eval, running, 3, batch, -1, 1);
    expect_gradcheck("layer_norm", checked_layer, NULL, 3, rows, -1, 1);
    expect_gradcheck("rms_norm", checked_rms, NULL, 2, rows, -1, 1);
    expect_gradcheck("layer_norm, residual", checked_residual, NULL, 2, rows, -1, 1);
    expect_gradcheck("rms_norm, residual", checked_residual, running, 2, rows, -1, 1);
}
END_TEST

START_TEST(test_errors) {
    ck_assert_ptr_null(gn_batch_norm(gn_zeros(1, 3), NULL, NULL, NULL, NULL, .training = true));
    expect_error_with(GN_E_ARGUMENT,
                      "batch_norm: training needs more than 1 value per channel, input is (1, 3)");
    ck_assert_ptr_null(
        gn_batch_norm(gn_zeros(2, 3), NULL, NULL, gn_zeros(2), NULL, .training = true));
    expect_error_with(GN_E_ARGUMENT,
                      "batch_norm: weight (2) does not fit input (2, 3): it must be (3)");
    ck_assert_ptr_null(gn_batch_norm(gn_zeros(2, 3), NULL, NULL, NULL, NULL));
    expect_error_with(GN_E_ARGUMENT, "running_mean and running_var");
    ck_assert_ptr_null(gn_layer_norm(gn_zeros(2, 3), GN_SHAPE(4), NULL, NULL));
    expect_error_with(GN_E_ARGUMENT, "layer_norm: input (2, 3) must end with the dims (4)");
    ck_assert_ptr_null(gn_rms_norm(gn_zeros(2, 3), GN_SHAPE(3), gn_zeros(2)));
    expect_error_with(GN_E_ARGUMENT,
                      "rms_norm: weight (2) does not fit input (2, 3): it must be (3)");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_gradcheck, test_errors, NULL};
    return suite_run("norm", tests);
}
