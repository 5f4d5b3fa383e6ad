/* SPDX-License-Identifier: Apache-2.0 */
/* models.c - the networks that fashion_mnist can train. */
#include "models.h"

#include <string.h>

#include "results.h"

static gn_module *make_cnn(void) {
    return gn_nn_sequential(gn_nn_conv2d(1, 32, 3, .padding = 1), gn_nn_batch_norm2d(32),
                            gn_nn_relu(), gn_nn_max_pool2d(2), /* (N, 32, 14, 14) */
                            gn_nn_conv2d(32, 64, 3, .padding = 1), gn_nn_batch_norm2d(64),
                            gn_nn_relu(), gn_nn_max_pool2d(2), /* (N, 64, 7, 7) */
                            gn_nn_flatten(), gn_nn_dropout(0.25), gn_nn_linear(64 * 7 * 7, 128),
                            gn_nn_relu(), gn_nn_linear(128, CLASSES));
}

/* ---- A residual network: the one of samples/03_resnet.c, on images of one channel */

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

static gn_module *block(int64_t channels) {
    residual_block *m = gn_module_new(&block_class);
    if (m == NULL)
        return NULL;
    m->conv1 = gn_child(m, "conv1", gn_nn_conv2d(channels, channels, 3, .padding = 1));
    m->bn1 = gn_child(m, "bn1", gn_nn_batch_norm2d(channels));
    m->conv2 = gn_child(m, "conv2", gn_nn_conv2d(channels, channels, 3, .padding = 1));
    m->bn2 = gn_child(m, "bn2", gn_nn_batch_norm2d(channels));
    m->relu = gn_child(m, "relu", gn_nn_relu());
    return &m->base;
}

typedef struct resnet {
    gn_module base, *conv1, *bn1, *relu, *maxpool, *layer1, *layer2, *avgpool, *fc;
} resnet;

static gn_tensor *resnet_forward(gn_module *module, gn_tensor *x) {
    resnet *m = (resnet *)module;
    x = gn_forward(m->relu, gn_forward(m->bn1, gn_forward(m->conv1, x))); /* (N, 64, 14, 14) */
    x = gn_forward(m->layer1, gn_forward(m->maxpool, x));                 /* (N, 64, 7, 7) */
    x = gn_forward(m->avgpool, gn_forward(m->layer2, x));                 /* (N, 64, 1, 1) */
    return gn_forward(m->fc, gn_view(x, gn_size(x, 0), -1));
}
static const gn_module_class resnet_class = {
    .name = "ResNet", .size = sizeof(resnet), .forward = resnet_forward};

static gn_module *make_resnet(void) {
    resnet *m = gn_module_new(&resnet_class);
    if (m == NULL)
        return NULL;
    m->conv1 = gn_child(m, "conv1", gn_nn_conv2d(1, 64, 7, .stride = 2, .padding = 3));
    m->bn1 = gn_child(m, "bn1", gn_nn_batch_norm2d(64));
    m->relu = gn_child(m, "relu", gn_nn_relu());
    m->maxpool = gn_child(m, "maxpool", gn_nn_max_pool2d(3, .stride = 2, .padding = 1));
    m->layer1 = gn_child(m, "layer1", gn_nn_sequential(block(64), block(64), block(64)));
    m->layer2 = gn_child(m, "layer2", gn_nn_sequential(block(64), block(64), block(64), block(64)));
    m->avgpool = gn_child(m, "avgpool", gn_nn_adaptive_avg_pool2d(1, 1));
    m->fc = gn_child(m, "fc", gn_nn_linear(64, CLASSES));
    return &m->base;
}

/* ---- By name */

static const struct {
    const char *name;
    gn_module *(*make)(void);
} models[] = {{"cnn", make_cnn}, {"resnet", make_resnet}};

static const int n_models = sizeof models / sizeof models[0];

int model_find(const char *name) {
    for (int i = 0; i < n_models; i++)
        if (strcmp(models[i].name, name) == 0)
            return i;
    return -1;
}

gn_module *model_make(int model) { return models[model].make(); }
