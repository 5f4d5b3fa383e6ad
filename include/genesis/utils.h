/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utils.h - utilities on modules, their gradients and weights: clipping, parameters as one vector,
 * parametrizations (weight norm, spectral norm, one's own), pruning, batch norm folded into the
 * layer before it, checkpoints.
 */
#ifndef GENESIS_UTILS_H
#define GENESIS_UTILS_H

#include <genesis/module.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Gradients */

/* The gradients that there are, under the names of their parameters. */
GN_API gn_dict *gn_grads(gn_dict *parameters);

typedef struct gn_total_norm_options {
    size_t struct_size;
    gn_optional norm_type;   /* 2; any p > 0, or INFINITY for the largest absolute value */
    bool error_if_nonfinite; /* an error GN_E_STATE, and nothing is changed, if the norm is inf or
                               * NaN; waits for the device */
} gn_total_norm_options;

/* The norm of all elements of all tensors together, a 0-dim tensor; 0 of none. */
#define gn_get_total_norm(...)                                                                     \
    GN_CALL1(gn_get_total_norm_with, gn_total_norm_options, __VA_ARGS__, )
GN_API gn_tensor *gn_get_total_norm_with(gn_dict *tensors, const gn_total_norm_options *options);
/* Multiplies all gradients by min(1, max_norm / (total_norm + 1e-6)). */
GN_API gn_status gn_clip_grads_with_norm_(gn_dict *parameters, double max_norm,
                                          gn_tensor *total_norm);
/* Both: scales all gradients so that their common norm is at most max_norm; returns the norm
 * before. */
#define gn_clip_grad_norm_(...)                                                                    \
    GN_CALL2(gn_clip_grad_norm_with, gn_total_norm_options, __VA_ARGS__, )
GN_API gn_tensor *gn_clip_grad_norm_with(gn_dict *parameters, double max_norm,
                                         const gn_total_norm_options *options);
/* Clamps each element of each gradient to +-clip_value. */
GN_API gn_status gn_clip_grad_value_(gn_dict *parameters, double clip_value);

/* ---- Parameters as one vector, in their order: differentiable; and back, copied in place */

GN_API gn_tensor *gn_parameters_to_vector(gn_dict *parameters);
GN_API gn_status gn_vector_to_parameters(gn_tensor *vector, gn_dict *parameters);

/* ---- Parametrizations: a parameter that is computed from others
 *
 * The parameter NAME becomes parametrizations.NAME.original, and before each run of the module its
 * members that point to it point to what the parametrization's forward makes of that. Several
 * parametrizations of one parameter are applied one after the other. As the members change, such a
 * module must not run on several threads at once; gn_remove_parametrizations ends that. */

GN_API gn_status gn_register_parametrization(gn_module *module, const char *name,
                                             gn_module *parametrization);
GN_API bool gn_is_parametrized(const gn_module *module, const char *name); /* NULL: any */
/* The parameter again, in place of its parametrizations: with the value computed now, or as the
 * original. */
GN_API gn_status gn_remove_parametrizations(gn_module *module, const char *name,
                                            bool leave_parametrized);
/* What the module's parametrized or pruned parameter is now, as the module's forward sees it. */
GN_API gn_tensor *gn_computed_parameter(gn_module *module, const char *name);

typedef struct gn_weight_norm_options {
    size_t struct_size;
    const char *name;           /* "weight" */
    gn_optional dim;            /* has a norm of its own for each index; -1: one norm for all; 0 for
                                 * weight norm; 0 for spectral norm, but 1 for ConvTranspose */
    int64_t n_power_iterations; /* spectral norm: in each run in training mode; 1 */
    gn_optional eps;            /* spectral norm: 1e-12 */
} gn_weight_norm_options;

/* weight = g v / |v|, g (original0) and v (original1) learned (Salimans & Kingma 2016). Both return
 * the module. */
#define gn_weight_norm(...) GN_CALL1(gn_weight_norm_with, gn_weight_norm_options, __VA_ARGS__, )
GN_API gn_module *gn_weight_norm_with(gn_module *module, const gn_weight_norm_options *options);
/* weight = original / s, where s is the largest singular value of the weight as a matrix (dim,
 * others), estimated by power iteration; its vectors are buffers (Miyato et al. 2018). */
#define gn_spectral_norm(...) GN_CALL1(gn_spectral_norm_with, gn_weight_norm_options, __VA_ARGS__, )
GN_API gn_module *gn_spectral_norm_with(gn_module *module, const gn_weight_norm_options *options);

/* ---- Pruning: weight = weight_orig * weight_mask, a parameter and a buffer. To prune again goes on
 * with what is left. As with parametrizations, the module must not run on several threads at once. */

typedef struct gn_prune_options {
    size_t struct_size;
    double amount;   /* the share to prune, 0 .. 1, rounded to a number of elements .. */
    int64_t count;   /* .. or that number */
    bool random;     /* any; default: those of the smallest absolute values (l1_unstructured) */
    gn_tensor *mask; /* instead: 0 where to prune, 1 elsewhere; of the parameter's shape */
} gn_prune_options;
#define gn_prune(...) GN_CALL2(gn_prune_with, gn_prune_options, __VA_ARGS__, )
GN_API gn_status gn_prune_with(gn_module *module, const char *name,
                               const gn_prune_options *options);
/* Makes the pruning lasting: the parameter again, with zeros in it. */
GN_API gn_status gn_prune_remove(gn_module *module, const char *name);

/* ---- Inference */

/* A copy of a Linear or convolution that does what it and the batch norm after it do, both in
 * evaluation mode. */
GN_API gn_module *gn_fuse_bn_eval(const gn_module *layer, const gn_module *batch_norm);

/* ---- Less memory in training */

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
