/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/loss.c, class_loss.c, cross_entropy.c, margin_loss.c, distance_loss.c. Values
 * against PyTorch are in tests/nn/test_loss.c and genesis-conform. */
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

/* Losses of input and target, smooth where the elements are between low and high. */
START_TEST(test_gradcheck) {
    static const struct {
        const char *name;
        loss_function *function;
        gn_loss_options options;
        double low, high;
    } rows[] = {
        {"mse_loss", gn_mse_loss_with, {0}, 0.1, 0.9},
        {"smooth_l1_loss", gn_smooth_l1_loss_with, {.beta = {2, true}}, 0.1, 0.9},
        {"huber_loss", gn_huber_loss_with, {.delta = {2, true}}, 0.1, 0.9},
        {"bce_loss", gn_bce_loss_with, {0}, 0.1, 0.9},
        {"bce_with_logits", gn_bce_with_logits_with, {0}, -1, 1},
        {"kl_div", gn_kl_div_with, {0}, 0.1, 0.9},
        {"kl_div of logarithms", gn_kl_div_with, {.log_target = true}, -1, -0.1},
        {"poisson_nll_loss", gn_poisson_nll_loss_with, {.full = true}, 1.5, 2.5},
        {"poisson_nll_loss of rates", gn_poisson_nll_loss_with, {.no_log_input = true}, 0.5, 0.9},
        {"soft_margin_loss", gn_soft_margin_loss_with, {0}, -1, 1},
        {"multilabel_soft_margin_loss", gn_multilabel_soft_margin_loss_with, {0}, -1, 1},
        {"cross_entropy of probabilities", gn_cross_entropy_with, {.label_smoothing = 0.1}, -1, 1},
    };
    if (!has_dtype(GN_F64))
        return;
    const gn_shape same[] = {GN_SHAPE(2, 3), GN_SHAPE(2, 3)};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int r = GN_REDUCE_MEAN; r <= GN_REDUCE_NONE; r++) {
            checked_loss c = {.function = rows[i].function, .options = rows[i].options};
            c.options.struct_size = sizeof c.options;
            c.options.reduction = (gn_reduction)r;
            expect_gradcheck(rows[i].name, checked, &c, 2, same, rows[i].low, rows[i].high);
        }
    checked_loss c = {.function = gn_bce_with_logits_with,
                      .options = {.struct_size = sizeof c.options}};
    c.options.pos_weight = gn_full(GN_SHAPE(3), 1.5, GN_AS(.dtype = GN_F64));
    c.options.weight = gn_full(GN_SHAPE(2, 1), 0.5, GN_AS(.dtype = GN_F64));
    expect_gradcheck("bce_with_logits with weights", checked, &c, 2, same, -1, 1);
}
END_TEST

/* nll_loss is linear in its input, and has no second derivative to check. */
static gn_tensor *nll_of_squares(gn_tensor *input, gn_tensor *target,
                                 const gn_loss_options *options) {
    return gn_nll_loss_with(gn_square(input), target, options);
}

/* Losses of classes. */
START_TEST(test_gradcheck_classes) {
    if (!has_dtype(GN_F64))
        return;
    static const struct {
        const char *name;
        loss_function *function;
        bool weighted;
        gn_loss_options options;
    } rows[] = {
        {"cross_entropy", gn_cross_entropy_with, false, {0}},
        {"cross_entropy with weight", gn_cross_entropy_with, true, {0}},
        {"cross_entropy, smoothed", gn_cross_entropy_with, true, {.label_smoothing = 0.1}},
        {"nll_loss", nll_of_squares, true, {0}},
    };
    const gn_shape image = GN_SHAPE(2, 3, 2), row = GN_SHAPE(2, 3);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int r = GN_REDUCE_MEAN; r <= GN_REDUCE_NONE; r++) {
            checked_loss c = {.function = rows[i].function,
                              .options = rows[i].options,
                              .target = gn_tensor_of(((int64_t[]){0, 2, -100, 1}), 2, 2)};
            c.options.struct_size = sizeof c.options;
            c.options.reduction = (gn_reduction)r;
            if (rows[i].weighted)
                c.options.weight = gn_tensor_of(((double[]){0.5, 2, 1}), 3);
            expect_gradcheck(rows[i].name, checked, &c, 1, &image, -1, 1);
        }
    checked_loss margin = {.function = gn_multi_margin_loss_with,
                           .options = {.struct_size = sizeof margin.options, .p = gn_some(2)},
                           .target = gn_tensor_of(((int64_t[]){0, 2}), 2)};
    expect_gradcheck("multi_margin_loss", checked, &margin, 1, &row, -0.4, 0.4);
    checked_loss labels = {.function = gn_multilabel_margin_loss_with,
                           .options = {.struct_size = sizeof labels.options},
                           .target = gn_tensor_of(((int64_t[]){0, 2, -1, 1, -1, 0}), 2, 3)};
    expect_gradcheck("multilabel_margin_loss", checked, &labels, 1, &row, -0.4, 0.4);
}
END_TEST

static gn_tensor *gaussian(gn_tensor *const *in, void *context) {
    (void)context;
    return gn_gaussian_nll_loss(in[0], in[1], in[2], .reduction = GN_REDUCE_NONE);
}

static gn_tensor *triplet(gn_tensor *const *in, void *context) {
    (void)context;
    return gn_triplet_margin_loss(in[0], in[1], in[2], .margin = gn_some(9));
}

static gn_tensor *cosine(gn_tensor *const *in, void *target) {
    return gn_cosine_embedding_loss(in[0], in[1], target, .margin = gn_some(-1));
}

static gn_tensor *ranking(gn_tensor *const *in, void *context) {
    (void)context;
    return gn_margin_ranking_loss(in[0], in[1], in[2], .margin = gn_some(9));
}

START_TEST(test_gradcheck_three) {
    if (!has_dtype(GN_F64))
        return;
    const gn_shape same[] = {GN_SHAPE(2, 3), GN_SHAPE(2, 3), GN_SHAPE(2, 3)},
                   wide[] = {GN_SHAPE(2, 3), GN_SHAPE(2, 3), GN_SHAPE(2)};
    gn_tensor *signs = gn_tensor_of(((int64_t[]){1, -1}), 2);
    expect_gradcheck("gaussian_nll_loss", gaussian, NULL, 3, wide, 0.5, 2);
    expect_gradcheck("triplet_margin_loss", triplet, NULL, 3, same, -1, 1);
    expect_gradcheck("cosine_embedding_loss", cosine, signs, 2, same, 0.2, 1);
    expect_gradcheck("margin_ranking_loss", ranking, NULL, 3, same, -1, 1);
}
END_TEST

/* Shapes of the difference broadcast, as PyTorch's do, and the gradient has its input's shape. */
START_TEST(test_broadcast) {
    gn_tensor *x = gn_requires_grad_(gn_randn(3, 1), true), *t = gn_randn(3);
    gn_tensor *loss = gn_mse_loss(x, t);
    expect_close("mse_loss", gn_detach(loss), gn_detach(gn_mean(gn_square(gn_sub(x, t)))));
    ck_assert_int_eq(gn_backward(loss), GN_OK);
    ck_assert(gn_same_shape(gn_grad(x), x));
    /* a weight that needs a gradient gets one */
    gn_tensor *w = gn_requires_grad_(gn_ones(3), true), *y = gn_rand(3);
    gn_backward(gn_bce_with_logits(y, y, .weight = w, .reduction = GN_REDUCE_SUM));
    expect_close("weight", gn_grad(w), gn_bce_with_logits(y, y, .reduction = GN_REDUCE_NONE));
}
END_TEST

/* Gradients go to their own inputs, whichever need one. */
START_TEST(test_gradient_of_target_alone) {
    gn_tensor *x = gn_rand(2, 3), *t = gn_requires_grad_(gn_rand(2, 3), true);
    gn_backward(gn_mse_loss(x, t));
    expect_close("target", gn_grad(t), gn_mul_scalar(gn_sub(gn_detach(t), x), 2. / 6));
    ck_assert_ptr_null(gn_grad(x));
}
END_TEST

START_TEST(test_target_dtypes) {
    gn_tensor *x = gn_randn(2, 3),
              *wanted = gn_cross_entropy(x, gn_tensor_of(((int64_t[]){2, 0}), 2));
    expect_close("int32", gn_cross_entropy(x, gn_tensor_of(((int32_t[]){2, 0}), 2)), wanted);
    expect_close("uint8", gn_cross_entropy(x, gn_tensor_of(((uint8_t[]){2, 0}), 2)), wanted);
    ck_assert(isnan(gn_item(gn_mse_loss(gn_zeros(0, 2), gn_zeros(0, 2)))));
    ck_assert(isnan(gn_item(gn_cross_entropy(gn_zeros(0, 2), gn_zeros(0, 2)))));
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
    gn_nll_loss(x, gn_tensor_of(((int64_t[]){0, 3}), 2));
    expect_index_error("nll_loss");
    gn_cross_entropy(x, gn_tensor_of(((int64_t[]){0, 3}), 2), .label_smoothing = 0.1);
    expect_index_error("cross_entropy");
    ck_assert_ptr_null(gn_mse_loss(x, gn_zeros(2)));
    expect_error_with(GN_E_ARGUMENT, "mse_loss: shapes (2, 3) and (2) do not broadcast");
    ck_assert_ptr_null(gn_bce_loss(x, gn_zeros(3)));
    expect_error_with(GN_E_ARGUMENT,
                      "bce_loss: input (2, 3) and target (3) must have the same shape");
    ck_assert_ptr_null(gn_bce_loss(gn_full_like(x, 1.5), x));
    expect_error_with(GN_E_ARGUMENT, "bce_loss: input must be between 0 and 1");
    ck_assert_ptr_null(gn_bce_loss(gn_full_like(x, NAN), x));
    expect_error_with(GN_E_ARGUMENT, "bce_loss: input must be between 0 and 1");
    ck_assert_ptr_null(gn_l1_loss(x, x, .reduction = (gn_reduction)9));
    expect_error_with(GN_E_ARGUMENT, "l1_loss: there is no reduction 9");
}
END_TEST

START_TEST(test_option_errors) {
    gn_tensor *x = gn_rand(2, 3), *y = gn_tensor_of(((int64_t[]){0, 1}), 2);
    ck_assert_ptr_null(gn_mse_loss(x, x, .beta = gn_some(1)));
    expect_error_with(GN_E_ARGUMENT, "mse_loss: this loss has no option beta");
    ck_assert_ptr_null(gn_mse_loss(x, x, .reduction = GN_REDUCE_BATCH_MEAN));
    expect_error_with(GN_E_ARGUMENT, "mse_loss: this loss has no option batch mean");
    ck_assert_ptr_null(gn_mse_loss(x, x, .weight = gn_ones(3)));
    expect_error_with(GN_E_ARGUMENT, "weight (3) does not have the shape of input (2, 3)");
    ck_assert_ptr_null(gn_smooth_l1_loss(x, x, .beta = gn_some(-1)));
    expect_error_with(GN_E_ARGUMENT, "smooth_l1_loss: beta must be 0 or more, not -1");
    ck_assert_ptr_null(gn_huber_loss(x, x, .delta = gn_some(0)));
    expect_error_with(GN_E_ARGUMENT, "huber_loss: delta must be more than 0, not 0");
    ck_assert_ptr_null(gn_cross_entropy(x, y, .label_smoothing = 1.5));
    expect_error_with(GN_E_ARGUMENT, "label_smoothing 1.5 is not between 0 and 1");
    ck_assert_ptr_null(gn_cross_entropy(x, x, .ignore_index = gn_some(1)));
    expect_error_with(GN_E_ARGUMENT, "ignore_index is for class indices");
    ck_assert_ptr_null(gn_multi_margin_loss(x, y, .p = gn_some(3)));
    expect_error_with(GN_E_ARGUMENT, "multi_margin_loss: p must be 1 or 2, not 3");
    ck_assert_ptr_null(gn_multi_margin_loss(x, x));
    expect_error_with(GN_E_ARGUMENT, "multi_margin_loss: targets are class indices");
    ck_assert_ptr_null(gn_multilabel_margin_loss(x, y));
    expect_error_with(GN_E_ARGUMENT, "target (2) must have the shape of input (2, 3)");
    ck_assert_ptr_null(gn_gaussian_nll_loss(x, x, gn_ones(3)));
    expect_error_with(GN_E_ARGUMENT, "gaussian_nll_loss: var (3) does not fit input (2, 3)");
    ck_assert_ptr_null(gn_gaussian_nll_loss(x, x, gn_neg(gn_ones(2, 3))));
    expect_error_with(GN_E_ARGUMENT, "gaussian_nll_loss: an element of var is negative");
    ck_assert_ptr_null(gn_triplet_margin_loss(x, x, x, .margin = gn_some(0)));
    expect_error_with(GN_E_ARGUMENT, "triplet_margin_loss: margin must be more than 0, not 0");
    ck_assert_ptr_null(gn_margin_ranking_loss(x, x, y));
    expect_error_with(GN_E_ARGUMENT, "must have the same number of dims");
    ck_assert_ptr_null(gn_cosine_embedding_loss(x, x, x));
    expect_error_with(GN_E_ARGUMENT, "cosine_embedding_loss: inputs (2, 3), (2, 3) and target");
    ck_assert_ptr_null(gn_triplet_margin_loss(x, NULL, x));
    expect_error_with(GN_E_ARGUMENT, "triplet_margin_loss: a tensor is NULL");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_gradcheck,
                            test_gradcheck_classes,
                            test_gradcheck_three,
                            test_broadcast,
                            test_gradient_of_target_alone,
                            test_target_dtypes,
                            test_errors,
                            test_option_errors,
                            NULL};
    return suite_run("loss", tests);
}
