/* SPDX-License-Identifier: Apache-2.0 */
/* A custom model: residual blocks with skip connections, and a network of them. */
#include <stdio.h>

#include <genesis/genesis.h>

typedef struct {
    gn_module base, *conv1, *bn1, *conv2, *bn2, *relu;
} residual_block;
static gn_tensor *block_forward(gn_module *module, gn_tensor *x) {
    residual_block *m = (residual_block *)module;
    gn_tensor *y = gn_forward(m->relu, gn_forward(m->bn1, gn_forward(m->conv1, x)));
    y = gn_forward(m->bn2, gn_forward(m->conv2, y));
    return gn_forward(m->relu, gn_add(y, x)); /* skip connection */
}
static const gn_module_class block_class = {
    .name = "ResidualBlock", .size = sizeof(residual_block), .forward = block_forward};

static gn_module *block(int64_t channels) {
    residual_block *m = (residual_block *)gn_module_new(&block_class);
    m->conv1 = gn_child(m, "conv1", gn_nn_conv2d(channels, channels, 3, .padding = 1));
    m->bn1 = gn_child(m, "bn1", gn_nn_batch_norm2d(channels));
    m->conv2 = gn_child(m, "conv2", gn_nn_conv2d(channels, channels, 3, .padding = 1));
    m->bn2 = gn_child(m, "bn2", gn_nn_batch_norm2d(channels));
    m->relu = gn_child(m, "relu", gn_nn_relu());
    return &m->base;
}

typedef struct {
    gn_module base, *conv1, *bn1, *relu, *pool, *layer1, *layer2, *avg, *fc;
} resnet;
static gn_tensor *resnet_forward(gn_module *module, gn_tensor *x) {
    resnet *m = (resnet *)module;
    x = gn_forward(m->relu, gn_forward(m->bn1, gn_forward(m->conv1, x)));
    x = gn_forward(m->layer2, gn_forward(m->layer1, gn_forward(m->pool, x)));
    x = gn_forward(m->avg, x);
    return gn_forward(m->fc, gn_view(x, gn_size(x, 0), -1));
}
static const gn_module_class resnet_class = {
    .name = "ResNet", .size = sizeof(resnet), .forward = resnet_forward};

static gn_module *resnet_new(int64_t classes) {
    resnet *m = (resnet *)gn_module_new(&resnet_class);
    m->conv1 = gn_child(m, "conv1", gn_nn_conv2d(3, 64, 7, .stride = 2, .padding = 3));
    m->bn1 = gn_child(m, "bn1", gn_nn_batch_norm2d(64));
    m->relu = gn_child(m, "relu", gn_nn_relu());
    m->pool = gn_child(m, "maxpool", gn_nn_max_pool2d(3, .stride = 2, .padding = 1));
    m->layer1 = gn_child(m, "layer1", gn_nn_sequential(block(64), block(64), block(64)));
    m->layer2 = gn_child(m, "layer2", gn_nn_sequential(block(64), block(64), block(64), block(64)));
    m->avg = gn_child(m, "avgpool", gn_nn_adaptive_avg_pool2d(1, 1));
    m->fc = gn_child(m, "fc", gn_nn_linear(64, classes));
    return &m->base;
}

int main(void) {
    gn_module *model = resnet_new(10);
    gn_tensor *y = gn_forward(model, gn_randn(2, 3, 32, 32)); /* or any other size */
    printf("%s\n", gn_shape_text(y));
    gn_backward(gn_sum(gn_square(y)));
    printf("%s: %s\n", gn_dict_name(gn_parameters(model), 4),
           gn_grad(gn_dict_tensor(gn_parameters(model), 4)) ? "has a gradient" : gn_error());
    gn_shutdown();
    return 0;
}
