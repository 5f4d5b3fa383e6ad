/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init.h - initial values of parameters.
 */
#ifndef GENESIS_INIT_H
#define GENESIS_INIT_H

#include <genesis/module.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fills parameters of 2 and more dims (out, in, kernel..), and sets those named "bias" to 0.
 * "xavier": U(+-sqrt(6 / (fan_in + fan_out))), "kaiming": U(+-sqrt(6 / fan_in)), "normal":
 * N(0, 0.02^2), "uniform": U(+-0.1). */
GN_API gn_status gn_init_weights(gn_module *module, const char *type);

#ifdef __cplusplus
}
#endif
#endif
