/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax and its logarithm. */
#include "ops.h"

static const int64_t dims[] = {0, 1, -1};

static gn_tensor *softmax(const op_case *c) {
    return gn_softmax(c->in[0], *(const int64_t *)c->options);
}

static gn_tensor *log_softmax(const op_case *c) {
    return gn_log_softmax(c->in[0], *(const int64_t *)c->options);
}

static const op_row rows[] = {
    {.name = "softmax0", .op = "softmax", .run = softmax, .options = &dims[0]},
    {.name = "softmax1", .op = "softmax", .run = softmax, .options = &dims[1]},
    {.name = "softmax2", .op = "softmax", .run = softmax, .options = &dims[2]},
    {.name = "softmax_inf", .op = "softmax", .run = softmax, .options = &dims[2]},
    {.name = "softmax_bfloat16", .op = "softmax", .run = softmax, .options = &dims[2]},
    {.name = "log_softmax0", .op = "log_softmax", .run = log_softmax, .options = &dims[0]},
    {.name = "log_softmax1", .op = "log_softmax", .run = log_softmax, .options = &dims[1]},
    {.name = "log_softmax2", .op = "log_softmax", .run = log_softmax, .options = &dims[2]},
    {.name = "log_softmax_inf", .op = "log_softmax", .run = log_softmax, .options = &dims[2]},
};

const op_group op_softmax = {
    .file = "softmax.safetensors", .inputs = {"x"}, .rows = rows, .n_rows = GN_LENGTH(rows)};
