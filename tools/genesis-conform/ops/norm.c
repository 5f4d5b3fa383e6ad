/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisation. */
#include "ops.h"

static gn_tensor *batch_norm(const op_case *c) {
    return gn_batch_norm_with(c->in[0], c->in[3], c->in[4], c->in[1], c->in[2], c->options);
}

typedef struct layer {
    gn_shape shape;
    gn_norm_options options;
} layer;

static gn_tensor *layer_norm(const op_case *c) {
    const layer *l = c->options;
    return gn_layer_norm_with(c->in[0], l->shape, c->in[1], c->in[2], &l->options);
}

static gn_tensor *rms_norm(const op_case *c) {
    const layer *l = c->options;
    return gn_rms_norm_with(c->in[0], l->shape, c->in[1], &l->options);
}

static gn_tensor *group_norm(const op_case *c) {
    return gn_group_norm(c->in[0], *(const int64_t *)c->options, c->in[1], c->in[2]);
}

#define BATCH(...)                                                                                 \
    .op = "batch_norm", .run = batch_norm, .options = GN_OPTIONS(gn_norm_options, __VA_ARGS__)
static const layer six = {.shape = {.n = 1, .size = {6}}},
                   two = {.shape = {.n = 2, .size = {3, 4}}},
                   six_with_small_eps = {.shape = {.n = 1, .size = {6}},
                                         .options = {.struct_size = sizeof(gn_norm_options),
                                                     .eps = {1e-6, true}}},
                   six_with_eps = {
                       .shape = {.n = 1, .size = {6}},
                       .options = {.struct_size = sizeof(gn_norm_options), .eps = {0.1, true}}};
static const op_row rows[] = {
    {.name = "batch2", BATCH(.training = true)},
    {.name = "batch3", BATCH(.training = true)},
    {.name = "batch4", BATCH(.training = true)},
    {.name = "batch2_eval", BATCH(.training = false)},
    {.name = "batch3_eval", BATCH(.training = false)},
    {.name = "batch4_eval", BATCH(.training = false)},
    {.name = "batch_double", BATCH(.training = true)},
    {.name = "batch_options",
     BATCH(.training = true, .momentum = {0.3, true}, .eps = {0.01, true})},
    {.name = "layer", .op = "layer_norm", .run = layer_norm, .options = &six},
    {.name = "layer2", .op = "layer_norm", .run = layer_norm, .options = &two},
    {.name = "layer_weight", .op = "layer_norm", .run = layer_norm, .options = &six_with_eps},
    {.name = "layer_plain", .op = "layer_norm", .run = layer_norm, .options = &six},
    {.name = "layer_bfloat16", .op = "layer_norm", .run = layer_norm, .options = &six},
    {.name = "rms", .op = "rms_norm", .run = rms_norm, .options = &six_with_small_eps},
    {.name = "rms_plain", .op = "rms_norm", .run = rms_norm, .options = &six_with_small_eps},
    {.name = "rms2", .op = "rms_norm", .run = rms_norm, .options = &two},
    {.name = "group", .op = "group_norm", .run = group_norm, .options = (const int64_t[]){2}},
    {.name = "group_plain", .op = "group_norm", .run = group_norm, .options = (const int64_t[]){3}},
};
#undef BATCH

const op_group op_norm = {.file = "norm.safetensors",
                          .inputs = {"x", "weight", "bias", "mean", "var"},
                          .rows = rows,
                          .n_rows = GN_LENGTH(rows)};
