/* SPDX-License-Identifier: Apache-2.0 */
/* train.h - learning a text. */
#ifndef CHAR_GPT_TRAIN_H
#define CHAR_GPT_TRAIN_H

#include <genesis/genesis.h>

#include "options.h"

/* Trains a model on o->text and saves it in o->out, showing progress on stdout. */
gn_status train(const options *o);

#endif
