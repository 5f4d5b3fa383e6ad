/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/norm.c, batch_norm.c and layer_norm.c. */
#include "tests/ops/nn_case.h"

static const char *const batch_names[] = {"x", "mean", "var", "weight", "bias", NULL};
static const char *const names[] = {"x", "weight", "bias", NULL};

#define OPTIONS(...) (&(const gn_norm_options){.struct_size = sizeof(gn_norm_options), __VA_ARGS__})

static gn_tensor *batch_norm(gn_tensor *const *in, const void *options) {
    return gn_batch_norm_with(in[0], in[1], in[2], in[3], in[4], options);
}

START_TEST(test_batch_norm) {
    const gn_norm_options *train = OPTIONS(.training = true), *eval = OPTIONS(.training = false);
    const nn_case cases[] = {
        {"batch2", batch_norm, train},
        {"batch3", batch_norm, train},
        {"batch4", batch_norm, train},
        {"batch2_eval", batch_norm, eval},
        {"batch3_eval", batch_norm, eval},
        {"batch4_eval", batch_norm, eval},
        {"batch_double", batch_norm, train},
        {"batch_options", batch_norm,
         OPTIONS(.training = true, .momentum = gn_some(0.3), .eps = gn_some(0.01))},
        {NULL, NULL, NULL},
    };
    nn_check_all(nn_fixture("norm"), cases, batch_names);
}
END_TEST

typedef struct layer {
    gn_shape shape;
    gn_norm_options options;
} layer;

static gn_tensor *layer_norm(gn_tensor *const *in, const void *options) {
    const layer *l = options;
    return gn_layer_norm_with(in[0], l->shape, in[1], in[2], &l->options);
}

static gn_tensor *rms_norm(gn_tensor *const *in, const void *options) {
    (void)options;
    return gn_rms_norm(in[0], in[1], 1e-6);
}

START_TEST(test_layer_norm) {
    const layer six = {.shape = GN_SHAPE(6)}, two = {.shape = GN_SHAPE(3, 4)},
                eps = {GN_SHAPE(6), *OPTIONS(.eps = gn_some(0.1))};
    const nn_case cases[] = {
        {"layer", layer_norm, &six},          {"layer2", layer_norm, &two},
        {"layer_weight", layer_norm, &eps},   {"layer_plain", layer_norm, &six},
        {"layer_bfloat16", layer_norm, &six}, {"rms", rms_norm, NULL},
        {"rms_plain", rms_norm, NULL},        {NULL, NULL, NULL},
    };
    nn_check_all(nn_fixture("norm"), cases, names);
}
END_TEST

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
    return gn_rms_norm(in[0], in[1], 1e-6);
}

START_TEST(test_gradcheck) {
    if (!nn_has_dtype(GN_F64))
        return;
    const gn_shape batch[] = {GN_SHAPE(2, 2, 3), GN_SHAPE(2), GN_SHAPE(2)},
                   rows[] = {GN_SHAPE(3, 4), GN_SHAPE(4), GN_SHAPE(4)};
    gn_tensor *running[] = {gn_full(GN_SHAPE(2), 0.2, GN_AS(.dtype = GN_F64)),
                            gn_full(GN_SHAPE(2), 1.5, GN_AS(.dtype = GN_F64))};
    nn_gradcheck("batch_norm", checked_batch, (void *)OPTIONS(.training = true), 3, batch, -1, 1);
    nn_gradcheck("batch_norm, evaluation", checked_eval, running, 3, batch, -1, 1);
    nn_gradcheck("layer_norm", checked_layer, NULL, 3, rows, -1, 1);
    nn_gradcheck("rms_norm", checked_rms, NULL, 2, rows, -1, 1);
}
END_TEST

START_TEST(test_errors) {
    ck_assert_ptr_null(gn_batch_norm(gn_zeros(1, 3), NULL, NULL, NULL, NULL, .training = true));
    nn_expect_error(GN_E_ARGUMENT,
                    "batch_norm: training needs more than 1 value per channel, input is (1, 3)");
    ck_assert_ptr_null(
        gn_batch_norm(gn_zeros(2, 3), NULL, NULL, gn_zeros(2), NULL, .training = true));
    nn_expect_error(GN_E_ARGUMENT,
                    "batch_norm: weight (2) does not fit input (2, 3): it must be (3)");
    ck_assert_ptr_null(gn_batch_norm(gn_zeros(2, 3), NULL, NULL, NULL, NULL));
    nn_expect_error(GN_E_ARGUMENT, "running_mean and running_var");
    ck_assert_ptr_null(gn_layer_norm(gn_zeros(2, 3), GN_SHAPE(4), NULL, NULL));
    nn_expect_error(GN_E_ARGUMENT, "layer_norm: input (2, 3) must end with the dims (4)");
    ck_assert_ptr_null(gn_rms_norm(gn_zeros(2, 3), gn_zeros(2), 1e-6));
    nn_expect_error(GN_E_ARGUMENT,
                    "rms_norm: weight (2) does not fit input (2, 3): it must be (3)");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_batch_norm, test_layer_norm, test_gradcheck, test_errors, NULL};
    return suite_run("norm", tests);
}
