/* SPDX-License-Identifier: Apache-2.0 */
/* model.h - a GPT: tells of a text's beginning which character may come next. */
#ifndef CHAR_GPT_MODEL_H
#define CHAR_GPT_MODEL_H

#include <genesis/genesis.h>

typedef struct gpt_sizes {
    int64_t characters, layers, width, heads;
    int64_t context; /* characters that it sees at once */
} gpt_sizes;

gn_module *gpt_new(const gpt_sizes *sizes, double dropout);

/* ids (N, T) of characters -> logits (N, T, characters) of the one behind each. With caches (NULL:
 * none), one for each layer, the ids come behind those that are in there. */
gn_tensor *gpt_forward(gn_module *model, gn_tensor *ids, gn_kv_cache **caches);

#endif
