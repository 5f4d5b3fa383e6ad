/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn.h - neural networks: modules, layers, losses, initial values, utilities.
 */
#ifndef GENESIS_NN_H
#define GENESIS_NN_H

#include <genesis/containers.h>
#include <genesis/init.h>
#include <genesis/layers.h>
#include <genesis/losses.h>
#include <genesis/module.h>
#include <genesis/recurrent.h>
#include <genesis/transformer.h>
#include <genesis/utils.h>
#include <genesis/vision.h>

#endif
