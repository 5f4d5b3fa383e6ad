/* SPDX-License-Identifier: Apache-2.0 */
/* saved.h - a model in a file, with all that is needed to use it. */
#ifndef CHAR_GPT_SAVED_H
#define CHAR_GPT_SAVED_H

#include "model.h"
#include "text.h"

typedef struct saved {
    gn_module *model;
    gpt_sizes sizes;
    alphabet letters;
} saved;

gn_status saved_write(const saved *s, const char *path);
/* In evaluation mode. */
gn_status saved_read(saved *s, const char *path);

#endif
