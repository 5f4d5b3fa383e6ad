/* SPDX-License-Identifier: Apache-2.0 */
/* generate.h - writing text with a model. */
#ifndef CHAR_GPT_GENERATE_H
#define CHAR_GPT_GENERATE_H

#include "options.h"
#include "saved.h"

/* Writes the prompt and o->length characters behind it to stdout, as they come. */
gn_status generate(const saved *s, const options *o);

#endif
