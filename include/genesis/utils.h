/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utils.h - utilities on modules, their gradients and weights: clipping, checkpoints.
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

/* gn_forward(module, x) that keeps only x, and runs again in backward: see gn_checkpoint. Buffers that
 * forward updates (batch norm's) are updated twice. */
GN_API gn_tensor *gn_checkpoint_module(gn_module *module, gn_tensor *x);
/* gn_forward of a Sequential in so many segments of about equal numbers of children, all but the
 * last one of them checkpointed. */
GN_API gn_tensor *gn_checkpoint_sequential(gn_module *sequential, int64_t segments, gn_tensor *x);

#ifdef __cplusplus
}
#endif
#endif
