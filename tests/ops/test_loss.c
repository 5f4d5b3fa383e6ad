/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/loss.c and cross_entropy.c. */
#include <math.h>
#include <stdio.h>

#include "tests/ops/nn_case.h"

/* What a case gives to its loss, beside the reduction. */
static const char *const names[] = {"x", "target", "weight", "pos", NULL};

typedef gn_tensor *loss_function(gn_tensor *input, gn_tensor *target,
                                 const gn_loss_options *options);

typedef struct loss_case {
    loss_function *function;
    gn_reduction reduction;
    gn_optional ignore_index;
} loss_case;

static gn_tensor *run(gn_tensor *const *in, const void *options) {
    const loss_case *c = options;
    const gn_loss_options o = {.struct_size = sizeof o,
                               .reduction = c->reduction,
                               .weight = in[2],
                               .pos_weight = in[3],
                               .ignore_index = c->ignore_index};
    return c->function(in[0], in[1], &o);
}

START_TEST(test_values_and_gradients) {
    static const struct {
        const char *name;
        loss_function *function;
        gn_optional ignore_index;
    } losses[] = {
        {"mse", gn_mse_loss_with, {0, false}},
        {"l1", gn_l1_loss_with, {0, false}},
        {"bce", gn_bce_loss_with, {0, false}},
        {"bce_weight", gn_bce_loss_with, {0, false}},
        {"logits", gn_bce_with_logits_with, {0, false}},
        {"logits_pos", gn_bce_with_logits_with, {0, false}},
        {"cross", gn_cross_entropy_with, {0, false}},
        {"cross_weight", gn_cross_entropy_with, {2, true}},
        {"cross_image", gn_cross_entropy_with, {0, false}},
        {"cross_row", gn_cross_entropy_with, {0, false}},
        {"cross_none", gn_cross_entropy_with, {0, false}},
    };
    static const char *const reductions[] = {
        [GN_REDUCE_MEAN] = "mean", [GN_REDUCE_SUM] = "sum", [GN_REDUCE_NONE] = "none"};
    gn_dict *fixture = nn_fixture("loss");
    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++)
        for (int r = GN_REDUCE_MEAN; r <= GN_REDUCE_NONE; r++) {
            char name[64];
            snprintf(name, sizeof name, "%s_%s", losses[i].name, reductions[r]);
            const loss_case c = {losses[i].function, (gn_reduction)r, losses[i].ignore_index};
            nn_check(fixture, &(nn_case){name, run, &c}, names);
        }
}
END_TEST

/* ---- Gradients of gradients */

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
    if (!nn_has_dtype(GN_F64))
        return;
    static loss_function *const pairs[] = {gn_mse_loss_with, gn_bce_loss_with,
                                           gn_bce_with_logits_with};
    const gn_shape same[] = {GN_SHAPE(2, 3), GN_SHAPE(2, 3)}, image = GN_SHAPE(2, 3, 2);
    for (int r = GN_REDUCE_MEAN; r <= GN_REDUCE_NONE; r++) {
        checked_loss c = {
            .options = {.struct_size = sizeof c.options, .reduction = (gn_reduction)r}};
        for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
            c.function = pairs[i];
            nn_gradcheck("loss", checked, &c, 2, same, 0.1, 0.9);
        }
        c.options.pos_weight = gn_full(GN_SHAPE(3), 1.5, GN_AS(.dtype = GN_F64));
        nn_gradcheck("bce_with_logits with pos_weight", checked, &c, 2, same, -1, 1);
        c.options.pos_weight = NULL;
        c.function = gn_cross_entropy_with;
        c.target = gn_tensor_of(((int64_t[]){0, 2, -100, 1}), 2, 2);
        nn_gradcheck("cross_entropy", checked, &c, 1, &image, -1, 1);
        c.options.weight = gn_tensor_of(((double[]){0.5, 2, 1}), 3);
        nn_gradcheck("cross_entropy with weight", checked, &c, 1, &image, -1, 1);
    }
}
END_TEST

START_TEST(test_target_dtypes) {
    gn_tensor *x = gn_randn(2, 3),
              *wanted = gn_cross_entropy(x, gn_tensor_of(((int64_t[]){2, 0}), 2));
    nn_expect_close("int32", gn_cross_entropy(x, gn_tensor_of(((int32_t[]){2, 0}), 2)), wanted);
    nn_expect_close("uint8", gn_cross_entropy(x, gn_tensor_of(((uint8_t[]){2, 0}), 2)), wanted);
    ck_assert(isnan(gn_item(gn_mse_loss(gn_zeros(0, 2), gn_zeros(0, 2)))));
    ck_assert_double_eq(
        gn_item(gn_mse_loss(gn_zeros(0, 2), gn_zeros(0, 2), .reduction = GN_REDUCE_SUM)), 0);
}
END_TEST

/* A device may find wrong indices later: when something waits for it. */
static void expect_index_error(gn_tensor *t) {
    if (t)
        gn_item(t);
    nn_expect_error(GN_E_INDEX, "cross_entropy");
}

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(2, 3);
    expect_index_error(gn_cross_entropy(x, gn_tensor_of(((int64_t[]){0, 3}), 2)));
    expect_index_error(gn_cross_entropy(x, gn_tensor_of(((int64_t[]){-1, 0}), 2)));
    ck_assert_ptr_null(gn_cross_entropy(x, gn_zeros(2)));
    nn_expect_error(GN_E_ARGUMENT, "targets are class indices of an integer dtype, not float32");
    ck_assert_ptr_null(gn_cross_entropy(x, gn_tensor_of(((int64_t[]){0, 1, 2}), 3)));
    nn_expect_error(GN_E_ARGUMENT, "cross_entropy: target (3) does not fit input (2, 3)");
    ck_assert_ptr_null(
        gn_cross_entropy(x, gn_tensor_of(((int64_t[]){0, 1}), 2), .weight = gn_ones(2)));
    nn_expect_error(GN_E_ARGUMENT, "weight (2) must have a number for each of the 3 classes");
    ck_assert_ptr_null(gn_mse_loss(x, gn_zeros(3)));
    nn_expect_error(GN_E_ARGUMENT,
                    "mse_loss: input (2, 3) and target (3) must have the same shape");
    ck_assert_ptr_null(gn_bce_loss(gn_full_like(x, 1.5), x));
    nn_expect_error(GN_E_ARGUMENT, "bce_loss: input must be between 0 and 1");
    ck_assert_ptr_null(gn_bce_loss(gn_full_like(x, NAN), x));
    nn_expect_error(GN_E_ARGUMENT, "bce_loss: input must be between 0 and 1");
    ck_assert_ptr_null(gn_l1_loss(x, x, .reduction = (gn_reduction)9));
    nn_expect_error(GN_E_ARGUMENT, "l1_loss: there is no reduction 9");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_values_and_gradients, test_gradcheck, test_target_dtypes,
                            test_errors, NULL};
    return suite_run("loss", tests);
}
