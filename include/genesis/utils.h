/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utils.h - utilities on the gradients and weights of modules: clipping.
 */
#ifndef GENESIS_UTILS_H
#define GENESIS_UTILS_H

#include <genesis/module.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Scales all gradients so that their common norm is at most max_norm; returns the norm before, a
 * 0-dim tensor. norm_type: 2, any p > 0, or inf. */
GN_API gn_tensor *gn_clip_grad_norm_(gn_dict *parameters, double max_norm, double norm_type);
GN_API gn_status gn_clip_grad_value_(gn_dict *parameters, double clip_value);

#ifdef __cplusplus
}
#endif
#endif
