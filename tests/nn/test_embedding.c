/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/embedding.c. */
#include <math.h>
#include <stdlib.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/nn/module_case.h"
#include "tests/suite.h"

static void with_offsets(gn_module *module, gn_tensor *const *in, gn_tensor **out) {
    out[0] = gn_embedding_bag_forward(module, in[0], in[1], NULL);
}

static void with_weights(gn_module *module, gn_tensor *const *in, gn_tensor **out) {
    out[0] = gn_embedding_bag_forward(module, in[0], NULL, in[1]);
}

#define CASES(CASE)                                                                                \
    CASE(embedding, gn_nn_embedding(5, 3))                                                         \
    CASE(padding, gn_nn_embedding(5, 3, .padding_idx = gn_some(-1)))                               \
    CASE(max_norm, gn_nn_embedding(5, 3, .max_norm = gn_some(1)))                                  \
    CASE(max_norm_1, gn_nn_embedding(5, 3, .max_norm = gn_some(1.5), .norm_type = gn_some(1)))     \
    CASE(frequency, gn_nn_embedding(5, 3, .scale_grad_by_freq = true, .padding_idx = gn_some(2)))  \
    CASE(bag_mean, gn_nn_embedding_bag(5, 3))                                                      \
    CASE(bag_sum, gn_nn_embedding_bag(5, 3, .mode = GN_BAG_SUM), .run = with_offsets)              \
    CASE(bag_max, gn_nn_embedding_bag(5, 3, .mode = GN_BAG_MAX), .run = with_offsets)              \
    CASE(bag_ends, gn_nn_embedding_bag(5, 3, .include_last_offset = true), .run = with_offsets)    \
    CASE(bag_weights, gn_nn_embedding_bag(5, 3, .mode = GN_BAG_SUM), .run = with_weights)          \
    CASE(bag_padding, gn_nn_embedding_bag(5, 3, .padding_idx = gn_some(4)), .run = with_offsets)   \
    CASE(bag_max_padding,                                                                          \
         gn_nn_embedding_bag(5, 3, .mode = GN_BAG_MAX, .padding_idx = gn_some(1)))                 \
    CASE(bag_frequency, gn_nn_embedding_bag(5, 3, .mode = GN_BAG_SUM, .scale_grad_by_freq = true,  \
                                            .max_norm = gn_some(1)))
MODULE_CASES(embedding_cases, CASES)

START_TEST(test_like_pytorch) {
    module_cases("embedding", embedding_cases, sizeof embedding_cases / sizeof *embedding_cases);
}
END_TEST

START_TEST(test_initial_values) {
    gn_tensor *w = gn_get_parameter(gn_nn_embedding(200, 50, .padding_idx = gn_some(-1)), "weight");
    /* Of 10,000 values the mean has a deviation of 0.01, the deviation one of 0.007. */
    ck_assert_double_eq_tol(gn_item(gn_mean(gn_narrow(w, 0, 0, 199))), 0, 0.05);
    ck_assert_double_eq_tol(gn_item(gn_std(gn_narrow(w, 0, 0, 199))), 1, 0.05);
    ck_assert_double_eq(gn_item(gn_sum(gn_abs(gn_select(w, 0, 199)))), 0);
    w = gn_get_parameter(gn_nn_embedding_bag(4, 3, .padding_idx = gn_some(1)), "weight");
    ck_assert_double_eq(gn_item(gn_sum(gn_abs(gn_select(w, 0, 1)))), 0);
}
END_TEST

START_TEST(test_from_pretrained) {
    gn_tensor *rows = gn_randn(4, 3);
    gn_module *frozen = gn_nn_embedding_from_pretrained(rows),
              *tuned =
                  gn_nn_embedding_bag_from_pretrained(rows, .no_freeze = true, .mode = GN_BAG_SUM);
    gn_tensor *w = gn_get_parameter(frozen, "weight");
    ck_assert(!gn_requires_grad(w) && !gn_requires_grad(rows));
    ck_assert(gn_requires_grad(gn_get_parameter(tuned, "weight")));
    gn_tensor *at = gn_tensor_of(((int64_t[]){2, 1}), 1, 2);
    expect_close("sum", gn_detach(gn_forward(tuned, at)),
                 gn_sum(gn_forward(frozen, at), .dims = GN_DIMS(1)));
    gn_zero_(rows);
    ck_assert_double_eq(gn_item(gn_sum(gn_abs(w))), 0);
    ck_assert_ptr_null(gn_nn_embedding_from_pretrained(gn_zeros(3)));
    expect_error_with(GN_E_ARGUMENT, "Embedding: weight (3) must be (V, D)");
}
END_TEST

START_TEST(test_text) {
    const module_text cases[] = {
        {gn_nn_embedding(5, 3, .padding_idx = gn_some(-1), .max_norm = gn_some(1),
                         .norm_type = gn_some(1), .scale_grad_by_freq = true),
         "Embedding(5, 3, padding_idx=4, max_norm=1, norm_type=1, scale_grad_by_freq=True)"},
        {gn_nn_embedding_bag(5, 3), "EmbeddingBag(5, 3, mode='mean')"},
        {gn_nn_embedding_bag(5, 3, .mode = GN_BAG_SUM, .padding_idx = gn_some(0)),
         "EmbeddingBag(5, 3, mode='sum', padding_idx=0)"},
    };
    module_texts(cases, sizeof cases / sizeof *cases);
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *two = gn_tensor_of(((int64_t[]){0, 1}), 2), *weight = gn_zeros(4, 1);
    ck_assert_ptr_null(gn_nn_embedding(4, 3, .padding_idx = gn_some(4)));
    expect_error_with(GN_E_INDEX, "Embedding: padding_idx 4 is not among the 4 rows");
    ck_assert_ptr_null(gn_embedding(two, weight, .padding_idx = gn_some(NAN)));
    expect_error_with(GN_E_INDEX, "embedding: padding_idx nan");
    gn_forward(gn_nn_embedding(1, 3), two);
    expect_index_error("embedding");
    ck_assert_ptr_null(gn_nn_embedding_bag(4, 3, .offsets = two));
    expect_error_with(GN_E_ARGUMENT, "gn_embedding_bag_forward");
    ck_assert_ptr_null(gn_embedding_bag_forward(gn_nn_relu(), two, two, NULL));
    expect_error_with(GN_E_ARGUMENT, "ReLU is no EmbeddingBag");
    ck_assert_ptr_null(gn_embedding_bag(two, gn_zeros(4), .offsets = two));
    expect_error_with(GN_E_ARGUMENT, "embedding_bag: weight (4) must be (V, D)");
    ck_assert_ptr_null(gn_embedding_bag(two, weight));
    expect_error_with(GN_E_ARGUMENT, "with a vector of offsets, which are not given");
    ck_assert_ptr_null(gn_embedding_bag(two, weight, .offsets = two, .per_sample_weights = weight));
    expect_error_with(GN_E_ARGUMENT, "for sums only");
    ck_assert_ptr_null(gn_embedding_bag(two, weight, .offsets = two, .mode = GN_BAG_MAX,
                                        .scale_grad_by_freq = true));
    expect_error_with(GN_E_ARGUMENT, "not for maxima");
    /* Offsets beyond the indices, and such that leave the first index without a bag. */
    gn_embedding_bag(two, weight, .offsets = gn_tensor_of(((int64_t[]){0, 3}), 2));
    expect_index_error("embedding_bag");
    gn_embedding_bag(two, weight, .offsets = gn_tensor_of(((int64_t[]){1}), 1));
    expect_index_error("embedding");
}
END_TEST

static gn_tensor *twice_used(gn_tensor *const *in, void *context) {
    return gn_square(
        gn_embedding(context, in[0], .padding_idx = gn_some(0), .scale_grad_by_freq = true));
}

/* Finite differences know no padding and no division by frequencies: so the gradient is compared with
 * that of the plain look-up, times a factor for each row; and again, where the factor comes once more. */
START_TEST(test_gradient_again) {
    gn_tensor *at = gn_tensor_of(((int64_t[]){1, 0, 1, 2}), 4), *w[2], *d[2];
    w[0] = gn_requires_grad_(gn_randn(3, 2), true);
    w[1] = gn_requires_grad_(gn_clone(gn_detach(w[0])), true);
    const gn_backward_options create = {.struct_size = sizeof create, .create_graph = true};
    gn_tensor *factor = gn_tensor_of(((float[]){0, 0.5F, 1}), 3, 1);
    gn_gradients(gn_sum(twice_used(w, at)), 1, &w[0], &d[0], &create);
    gn_gradients(gn_sum(gn_square(gn_embedding(at, w[1]))), 1, &w[1], &d[1], &create);
    expect_close("gradient", gn_detach(d[0]), gn_detach(gn_mul(d[1], factor)));
    gn_backward(gn_sum(gn_square(d[0])));
    gn_backward(gn_sum(gn_square(gn_mul(d[1], factor))));
    expect_close("again", gn_grad(w[0]), gn_mul(gn_grad(w[1]), factor));
}
END_TEST

START_TEST(test_empty) {
    const gn_tensor_options ints = {.struct_size = sizeof ints, .dtype = GN_I64};
    gn_tensor *weight = gn_ones(4, 3), *none = gn_zeros_with(GN_SHAPE(2, 0), &ints);
    for (int mode = GN_BAG_MEAN; mode <= GN_BAG_MAX; mode++)
        expect_close("empty bags", gn_embedding_bag(none, weight, .mode = (gn_bag_mode)mode),
                     gn_zeros(2, 3));
    ck_assert_int_eq(gn_size(gn_embedding(none, weight, .max_norm = gn_some(1)), 1), 0);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_like_pytorch, test_initial_values, test_from_pretrained, test_text,
                            test_errors,       test_gradient_again, test_empty,           NULL};
    return suite_run("modules of embeddings", tests);
}
