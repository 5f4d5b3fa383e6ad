/* SPDX-License-Identifier: Apache-2.0 */
/* A residual network, as in samples/03_resnet.c but smaller, against PyTorch's: the names in its
 * state, outputs, gradients, and running statistics afterwards. */
#include <genesis/nn.h>

#include "tests/nn/module_case.h"
#include "tests/suite.h"

enum { WIDTH = 4 };

typedef struct residual_block {
    gn_module base, *conv1, *bn1, *conv2, *bn2, *relu;
} residual_block;

static gn_tensor *block_forward(gn_module *module, gn_tensor *x) {
    residual_block *m = (residual_block *)module;
    gn_tensor *y = gn_forward(m->relu, gn_forward(m->bn1, gn_forward(m->conv1, x)));
    y = gn_forward(m->bn2, gn_forward(m->conv2, y));
    return gn_forward(m->relu, gn_add(y, x));
}
static const gn_module_class block_class = {
    .name = "ResidualBlock", .size = sizeof(residual_block), .forward = block_forward};

static gn_module *block(void) {
    residual_block *m = gn_module_new(&block_class);
    m->conv1 = gn_child(m, "conv1", gn_nn_conv2d(WIDTH, WIDTH, 3, .padding = 1));
    m->bn1 = gn_child(m, "bn1", gn_nn_batch_norm2d(WIDTH));
    m->conv2 = gn_child(m, "conv2", gn_nn_conv2d(WIDTH, WIDTH, 3, .padding = 1));
    m->bn2 = gn_child(m, "bn2", gn_nn_batch_norm2d(WIDTH));
    m->relu = gn_child(m, "relu", gn_nn_relu());
    return &m->base;
}

typedef struct resnet {
    gn_module base, *conv1, *bn1, *relu, *maxpool, *layer1, *layer2, *avgpool, *fc;
} resnet;

static gn_tensor *resnet_forward(gn_module *module, gn_tensor *x) {
    resnet *m = (resnet *)module;
    x = gn_forward(m->relu, gn_forward(m->bn1, gn_forward(m->conv1, x)));
    x = gn_forward(m->layer2, gn_forward(m->layer1, gn_forward(m->maxpool, x)));
    x = gn_forward(m->avgpool, x);
    return gn_forward(m->fc, gn_view(x, gn_size(x, 0), -1));
}
static const gn_module_class resnet_class = {
    .name = "ResNet", .size = sizeof(resnet), .forward = resnet_forward};

static gn_module *resnet_new(void) {
    resnet *m = gn_module_new(&resnet_class);
    m->conv1 = gn_child(m, "conv1", gn_nn_conv2d(3, WIDTH, 7, .stride = 2, .padding = 3));
    m->bn1 = gn_child(m, "bn1", gn_nn_batch_norm2d(WIDTH));
    m->relu = gn_child(m, "relu", gn_nn_relu());
    m->maxpool = gn_child(m, "maxpool", gn_nn_max_pool2d(3, .stride = 2, .padding = 1));
    m->layer1 = gn_child(m, "layer1", gn_nn_sequential(block(), block()));
    m->layer2 = gn_child(m, "layer2", gn_nn_sequential(block()));
    m->avgpool = gn_child(m, "avgpool", gn_nn_adaptive_avg_pool2d(1, 1));
    m->fc = gn_child(m, "fc", gn_nn_linear(WIDTH, 10));
    return &m->base;
}

#define CASES(CASE)                                                                                \
    CASE(resnet, resnet_new())                                                                     \
    CASE(resnet_eval, resnet_new())
MODULE_CASES(resnet_cases, CASES)

START_TEST(test_like_pytorch) {
    module_cases("resnet", resnet_cases, sizeof resnet_cases / sizeof *resnet_cases);
}
END_TEST

START_TEST(test_names) {
    gn_dict *state = gn_state_dict(resnet_new());
    ck_assert_ptr_nonnull(gn_dict_get(state, "layer1.0.conv1.weight"));
    ck_assert_ptr_nonnull(gn_dict_get(state, "layer2.0.bn2.running_var"));
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_like_pytorch, test_names, NULL};
    return suite_run("resnet", tests);
}
