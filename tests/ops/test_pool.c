/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/pool.c, max_pool.c and avg_pool.c. */
#include "tests/ops/nn_case.h"

static const char *const names[] = {"x", NULL};

typedef struct pooling {
    int64_t kernel;
    gn_pool2d_options options;
} pooling;

static gn_tensor *max_pool(gn_tensor *const *in, const void *options) {
    const pooling *p = options;
    return gn_max_pool2d_with(in[0], p->kernel, &p->options);
}

static gn_tensor *avg_pool(gn_tensor *const *in, const void *options) {
    const pooling *p = options;
    return gn_avg_pool2d_with(in[0], p->kernel, &p->options);
}

static gn_tensor *adaptive(gn_tensor *const *in, const void *options) {
    const int64_t *size = options;
    return gn_adaptive_avg_pool2d(in[0], size[0], size[1]);
}

#define POOLING(kernel, ...)                                                                       \
    (&(const pooling){kernel, {.struct_size = sizeof(gn_pool2d_options), __VA_ARGS__}})
#define SIZE(h, w) ((const int64_t[]){h, w})

START_TEST(test_values_and_gradients) {
    const nn_case cases[] = {
        {"max", max_pool, POOLING(2, )},
        {"max_overlap", max_pool, POOLING(3, .stride = 2, .padding = 1)},
        {"max_ties", max_pool, POOLING(3, .stride = 2, .padding = 1)},
        {"max_ceil", max_pool, POOLING(3, .stride = 2, .ceil_mode = true)},
        {"max_dilated", max_pool, POOLING(3, .stride = 1, .dilation = 2)},
        {"max_pairs", max_pool,
         POOLING(0, .kernel_hw = {2, 3}, .stride_hw = {1, 2}, .padding_hw = {0, 1})},
        {"max_unbatched", max_pool, POOLING(2, )},
        {"avg", avg_pool, POOLING(2, )},
        {"avg_overlap", avg_pool, POOLING(3, .stride = 2, .padding = 1)},
        {"avg_exclude", avg_pool, POOLING(3, .stride = 2, .padding = 1, .exclude_pad = true)},
        {"avg_ceil", avg_pool, POOLING(3, .stride = 2, .padding = 1, .ceil_mode = true)},
        {"avg_divisor", avg_pool, POOLING(2, .divisor = 3)},
        {"avg_unbatched", avg_pool, POOLING(2, )},
        {"adaptive_one", adaptive, SIZE(1, 1)},
        {"adaptive_even", adaptive, SIZE(3, 2)},
        {"adaptive_uneven", adaptive, SIZE(3, 4)},
        {"adaptive_keep", adaptive, SIZE(-1, 2)},
        {NULL, NULL, NULL},
    };
    nn_check_all(nn_fixture("pool"), cases, names);
}
END_TEST

/* Squared: a linear function has no second derivatives. */
static gn_tensor *checked_max(gn_tensor *const *in, void *context) {
    return gn_square(max_pool(in, context));
}

static gn_tensor *checked_avg(gn_tensor *const *in, void *context) {
    return gn_square(avg_pool(in, context));
}

static gn_tensor *checked_adaptive(gn_tensor *const *in, void *context) {
    return gn_square(adaptive(in, context));
}

START_TEST(test_gradcheck) {
    const gn_shape shape = GN_SHAPE(1, 2, 4, 5);
    nn_gradcheck("max_pool2d", checked_max, (void *)POOLING(3, .stride = 2, .padding = 1), 1,
                 &shape, -9, 9);
    nn_gradcheck("avg_pool2d", checked_avg, (void *)POOLING(3, .stride = 2, .padding = 1), 1,
                 &shape, -1, 1);
    nn_gradcheck("avg_pool2d without padding", checked_avg,
                 (void *)POOLING(3, .stride = 2, .padding = 1, .exclude_pad = true), 1, &shape, -1,
                 1);
    nn_gradcheck("adaptive_avg_pool2d", checked_adaptive, (void *)SIZE(3, 2), 1, &shape, -1, 1);
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(1, 2, 4, 4);
    ck_assert_ptr_null(gn_max_pool2d(x, 2, .padding = 2));
    nn_expect_error(GN_E_ARGUMENT, "max_pool2d: padding 2 must be at most half of the kernel, 2");
    ck_assert_ptr_null(gn_max_pool2d(x, 5));
    nn_expect_error(GN_E_ARGUMENT, "a window of 5 does not fit input (1, 2, 4, 4)");
    ck_assert_ptr_null(gn_avg_pool2d(gn_zeros(4, 4), 2));
    nn_expect_error(GN_E_ARGUMENT, "avg_pool2d: input (4, 4) must be (N, C, H, W) or (C, H, W)");
    ck_assert_ptr_null(gn_avg_pool2d(x, 0));
    nn_expect_error(GN_E_ARGUMENT, "must be from 1");
    ck_assert_ptr_null(gn_adaptive_avg_pool2d(x, 0, 2));
    nn_expect_error(GN_E_ARGUMENT, "adaptive_avg_pool2d");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_values_and_gradients, test_gradcheck, test_errors, NULL};
    return suite_run("pool", tests);
}
