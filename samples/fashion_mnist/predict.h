/* SPDX-License-Identifier: Apache-2.0 */
/* predict.h - what a trained network says of an image file. */
#ifndef FASHION_MNIST_PREDICT_H
#define FASHION_MNIST_PREDICT_H

#include <genesis/genesis.h>

/* Prints the most likely classes of the PNG or JPEG file. */
gn_status predict(gn_module *model, const char *path);

#endif
