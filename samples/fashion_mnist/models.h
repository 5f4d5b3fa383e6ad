/* SPDX-License-Identifier: Apache-2.0 */
/* models.h - the networks that fashion_mnist can train: (N, 1, 28, 28) images -> (N, 10) logits. */
#ifndef FASHION_MNIST_MODELS_H
#define FASHION_MNIST_MODELS_H

#include <genesis/genesis.h>

/* The number of the model "cnn" or "resnet"; -1 for another name. */
int model_find(const char *name);
gn_module *model_make(int model);

#endif
