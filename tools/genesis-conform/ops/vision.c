/* SPDX-License-Identifier: Apache-2.0 */
/* Resizing and sampling of images. */
#include <genesis/vision.h>

#include "ops.h"

static gn_tensor *interpolate(const op_case *c) {
    return gn_interpolate_with(c->in[0], c->options);
}
static gn_tensor *grid_sample(const op_case *c) { return gn_grid_sample(c->in[0], c->in[1]); }

#define RESIZE(...)                                                                                \
    .op = "interpolate", .run = interpolate,                                                       \
    .options = GN_OPTIONS(gn_interpolate_options, __VA_ARGS__)
static const op_row rows[] = {
    {.name = "nearest", RESIZE(.scale_factor = 2)},
    {.name = "bilinear", RESIZE(.size = {.n = 2, .size = {5, 3}}, .mode = GN_INTERPOLATE_BILINEAR)},
    {.name = "antialias",
     RESIZE(.size = {.n = 2, .size = {3, 2}}, .mode = GN_INTERPOLATE_BILINEAR, .antialias = true)},
    {.name = "grid", .op = "grid_sample", .run = grid_sample},
};
#undef RESIZE

const op_group op_vision = {
    .file = "vision.safetensors", .inputs = {"x", "grid"}, .rows = rows, .n_rows = GN_LENGTH(rows)};
