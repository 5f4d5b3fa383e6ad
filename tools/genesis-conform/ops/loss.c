/* SPDX-License-Identifier: Apache-2.0 */
/* Losses, each with every reduction. */
#include "ops.h"

typedef struct loss {
    gn_tensor *(*function)(gn_tensor *input, gn_tensor *target, const gn_loss_options *options);
    gn_reduction reduction;
    gn_optional ignore_index;
} loss;

static gn_tensor *run(const op_case *c) {
    const loss *l = c->options;
    const gn_loss_options o = {.struct_size = sizeof o,
                               .reduction = l->reduction,
                               .weight = c->in[2],
                               .pos_weight = c->in[3],
                               .ignore_index = l->ignore_index};
    return l->function(c->in[0], c->in[1], &o);
}

#define ROW(case_name, how, op_name, ...)                                                          \
    {                                                                                              \
        .name = case_name, .op = #op_name, .run = run, .options = &(const loss) {                  \
            .function = gn_##op_name##_with, .reduction = how, __VA_ARGS__                         \
        }                                                                                          \
    }
#define ROWS(case_name, ...)                                                                       \
    ROW(case_name "_mean", GN_REDUCE_MEAN, __VA_ARGS__),                                           \
        ROW(case_name "_sum", GN_REDUCE_SUM, __VA_ARGS__),                                         \
        ROW(case_name "_none", GN_REDUCE_NONE, __VA_ARGS__)
static const op_row rows[] = {
    ROWS("mse", mse_loss, ),
    ROWS("l1", l1_loss, ),
    ROWS("bce", bce_loss, ),
    ROWS("bce_weight", bce_loss, ),
    ROWS("logits", bce_with_logits, ),
    ROWS("logits_pos", bce_with_logits, ),
    ROWS("cross", cross_entropy, ),
    ROWS("cross_weight", cross_entropy, .ignore_index = {2, true}),
    ROWS("cross_image", cross_entropy, ),
    ROWS("cross_row", cross_entropy, ),
    ROWS("cross_none", cross_entropy, ),
};
#undef ROW
#undef ROWS

const op_group op_loss = {.file = "loss.safetensors",
                          .inputs = {"x", "target", "weight", "pos"},
                          .rows = rows,
                          .n_rows = GN_LENGTH(rows)};
