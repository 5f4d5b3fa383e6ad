/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the planned kernels of backends/opencl and of its scatter as they are on other devices:
 * with the layout for GPUs, and with small groups and little local memory. That they are right on
 * this device, case by case, is tested by genesis-conform. */
#include <genesis/genesis.h>

#include <string.h>

#include "child.h"
#include "tests/suite.h"

#define VARIABLES(...) ((const char *const[]){__VA_ARGS__, NULL})

enum { FILTERS, SCALE, SHIFT, DEEP, MIXING, SQUARE, WORDS, HEADS, N_PARAMETERS };

/* A network with every planned kernel: strided, depthwise and 1 x 1 convolutions, norm, pooling,
 * products large enough for CLBlast, attention, and the gradient of an embedding. */
static gn_tensor *loss_of(gn_tensor *const *p, gn_tensor *x, gn_tensor *words) {
    gn_tensor *y = gn_conv2d(x, p[FILTERS], p[SHIFT], .stride = 2, .padding = 1);
    y = gn_batch_norm(y, NULL, NULL, p[SCALE], p[SHIFT], .training = true);
    y = gn_max_pool2d(y, 3, .stride = 2, .padding = 1);
    y = gn_conv2d(y, p[DEEP], NULL, .padding = 1, .groups = 20);
    y = gn_avg_pool2d(gn_conv2d(y, p[MIXING], NULL), 2);
    gn_tensor *z = gn_matmul(p[SQUARE], gn_relu(gn_matmul(p[SQUARE], gn_t(p[SQUARE]))));
    gn_tensor *h = gn_scaled_dot_product_attention(p[HEADS], p[HEADS], p[HEADS], .causal = true);
    gn_tensor *e = gn_embedding(words, p[WORDS]);
    return gn_add(gn_add(gn_sum(gn_square(y)), gn_mean(z)),
                  gn_add(gn_sum(gn_square(h)), gn_sum(gn_square(e))));
}

/* The gradients of the network's parameters, computed on a device, on "ref". */
static int gradients(const char *device, gn_tensor **out) {
    const gn_shape shapes[N_PARAMETERS] = {[FILTERS] = GN_SHAPE(20, 6, 3, 3),
                                           [SCALE] = GN_SHAPE(20),
                                           [SHIFT] = GN_SHAPE(20),
                                           [DEEP] = GN_SHAPE(20, 1, 3, 3),
                                           [MIXING] = GN_SHAPE(24, 20, 1, 1),
                                           [SQUARE] = GN_SHAPE(160, 160),
                                           [WORDS] = GN_SHAPE(7, 33),
                                           [HEADS] = GN_SHAPE(2, 70, 48)};
    gn_tensor *p[N_PARAMETERS];
    EXPECT(gn_set_default_device("ref") == GN_OK);
    EXPECT(gn_manual_seed(5) == GN_OK);
    for (int i = 0; i < N_PARAMETERS; i++)
        p[i] = gn_requires_grad_(
            gn_to_device(gn_sub_scalar(gn_rand_with(shapes[i], NULL), 0.5), device), true);
    gn_tensor *x = gn_to_device(gn_rand(4, 6, 17, 15), device);
    gn_tensor *words =
        gn_to_device(gn_cast(gn_floor(gn_mul_scalar(gn_rand(300), 7)), GN_I64), device);
    EXPECT(gn_backward(loss_of(p, x, words)) == GN_OK);
    for (int i = 0; i < N_PARAMETERS; i++)
        out[i] = gn_to_device(gn_grad(p[i]), "ref");
    return 0;
}

static bool nothing_is_composed(void) {
    gn_fallback list[64];
    const size_t n = gn_fallback_list(list, sizeof list / sizeof list[0]);
    for (size_t i = 0; i < n && i < sizeof list / sizeof list[0]; i++)
        if (strcmp(list[i].device, "opencl") == 0)
            return false;
    return true;
}

static int is_right(void) {
    gn_tensor *got[N_PARAMETERS], *again[N_PARAMETERS], *expected[N_PARAMETERS];
    gn_scope scope = gn_scope_begin();
    EXPECT(gradients("ref", expected) == 0);
    EXPECT(gradients("opencl", got) == 0);
    EXPECT(gradients("opencl", again) == 0);
    for (int i = 0; i < N_PARAMETERS; i++) {
        EXPECT(gn_allclose(got[i], expected[i], .rtol = gn_some(1e-5), .atol = gn_some(1e-4)));
        EXPECT(gn_equal(got[i], again[i])); /* whatever ran at the same time */
    }
    EXPECT(nothing_is_composed());
    EXPECT(gn_scope_end(scope) == GN_OK);
    return 0;
}

START_TEST(test_as_it_is) { child_run(VARIABLES("GENESIS_OPENCL_LIMITS="), is_right); }
END_TEST

START_TEST(test_as_on_a_gpu) { child_run(VARIABLES("GENESIS_OPENCL_LIMITS=cpu=0"), is_right); }
END_TEST

START_TEST(test_little_memory) {
    child_run(VARIABLES("GENESIS_OPENCL_LIMITS=cpu=0,local=4096,work_group=64"), is_right);
}
END_TEST

START_TEST(test_small_groups) {
    child_run(VARIABLES("GENESIS_OPENCL_LIMITS=work_group=4,units=1"), is_right);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_as_it_is, test_as_on_a_gpu, test_little_memory, test_small_groups,
                            NULL};
    return suite_run("opencl plans", tests);
}
