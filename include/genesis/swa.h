/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swa.h - averages of a model's weights over a training: stochastic weight averaging (Izmailov et
 * al. 2018), exponential moving averages. PyTorch's torch.optim.swa_utils.
 *
 *     gn_module *average = gn_averaged_model(model, .decay = 0.999);
 *     for (..) {
 *         gn_step(optimizer);
 *         gn_update_parameters(average, model);
 *     }
 *     gn_update_bn(loader, average);
 */
#ifndef GENESIS_SWA_H
#define GENESIS_SWA_H

#include <genesis/data.h>
#include <genesis/scheduler.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A module that runs a copy of the model, "module", and counts in a buffer "n_averaged". The first
 * gn_update_parameters copies the model's parameters, each further one averages: */
typedef struct gn_averaged_model_options {
    size_t struct_size;
    double decay;       /* average = decay average + (1 - decay) p; 0: the plain mean of all */
    bool use_buffers;   /* buffers are averaged, too; else they are copied */
    const char *device; /* of the copy; NULL: the model's */
    /* A function of one's own instead: returns the next average; n of them were taken so far. */
    gn_tensor *(*avg_fn)(gn_tensor *average, gn_tensor *parameter, int64_t n, void *context);
    void *context;
} gn_averaged_model_options;
#define gn_averaged_model(...)                                                                     \
    GN_CALL1(gn_averaged_model_with, gn_averaged_model_options, __VA_ARGS__, )
GN_API gn_module *gn_averaged_model_with(const gn_module *model,
                                         const gn_averaged_model_options *options);
GN_API gn_status gn_update_parameters(gn_module *averaged, const gn_module *model);

/* Computes the running statistics of all batch norms in the model anew, from all batches of the
 * loader; the model's mode stays. */
GN_API gn_status gn_update_bn(gn_loader *loader, gn_module *model);

/* Each group's rate goes to swa_lr in anneal_epochs (10) steps, and stays there. */
typedef struct gn_swa_options {
    size_t struct_size;
    gn_optional anneal_epochs;
    bool linear; /* anneal_strategy="linear"; cosine */
} gn_swa_options;
#define gn_lr_swa(...) GN_CALL2(gn_lr_swa_with, gn_swa_options, __VA_ARGS__, )
GN_API gn_scheduler *gn_lr_swa_with(gn_optimizer *optimizer, double swa_lr,
                                    const gn_swa_options *options);

#ifdef __cplusplus
}
#endif
#endif
