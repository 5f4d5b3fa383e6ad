/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling. */
#include "ops.h"

typedef struct pooling {
    int64_t kernel;
    gn_pool_options options;
} pooling;

static gn_tensor *max_pool(const op_case *c) {
    const pooling *p = c->options;
    return gn_max_pool2d_with(c->in[0], p->kernel, &p->options);
}

static gn_tensor *avg_pool(const op_case *c) {
    const pooling *p = c->options;
    return gn_avg_pool2d_with(c->in[0], p->kernel, &p->options);
}

static gn_tensor *adaptive(const op_case *c) {
    const int64_t *size = c->options;
    return gn_adaptive_avg_pool2d(c->in[0], size[0], size[1]);
}

#define POOLING(kernel, ...)                                                                       \
    &(const pooling) {                                                                             \
        kernel, { .struct_size = sizeof(gn_pool_options), __VA_ARGS__ }                            \
    }
#define MAX(...) .op = "max_pool2d", .run = max_pool, .options = POOLING(__VA_ARGS__)
#define AVG(...) .op = "avg_pool2d", .run = avg_pool, .options = POOLING(__VA_ARGS__)
#define ADAPTIVE(h, w)                                                                             \
    .op = "adaptive_avg_pool2d", .run = adaptive, .options = (const int64_t[]) { h, w }
static const op_row rows[] = {
    {.name = "max", MAX(2, )},
    {.name = "max_overlap", MAX(3, .stride = 2, .padding = 1)},
    {.name = "max_ties", MAX(3, .stride = 2, .padding = 1)},
    {.name = "max_ceil", MAX(3, .stride = 2, .ceil_mode = true)},
    {.name = "max_dilated", MAX(3, .stride = 1, .dilation = 2)},
    {.name = "max_pairs", MAX(0, .kernel_sizes = {2, 3}, .strides = {1, 2}, .paddings = {0, 1})},
    {.name = "max_unbatched", MAX(2, )},
    {.name = "avg", AVG(2, )},
    {.name = "avg_overlap", AVG(3, .stride = 2, .padding = 1)},
    {.name = "avg_exclude", AVG(3, .stride = 2, .padding = 1, .exclude_pad = true)},
    {.name = "avg_ceil", AVG(3, .stride = 2, .padding = 1, .ceil_mode = true)},
    {.name = "avg_divisor", AVG(2, .divisor_override = 3)},
    {.name = "avg_unbatched", AVG(2, )},
    {.name = "adaptive_one", ADAPTIVE(1, 1)},
    {.name = "adaptive_even", ADAPTIVE(3, 2)},
    {.name = "adaptive_uneven", ADAPTIVE(3, 4)},
    {.name = "adaptive_keep", ADAPTIVE(-1, 2)},
};
#undef MAX
#undef AVG
#undef ADAPTIVE
#undef POOLING

const op_group op_pool = {
    .file = "pool.safetensors", .inputs = {"x"}, .rows = rows, .n_rows = GN_LENGTH(rows)};
