/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - all-MiniLM-L6-v2, a BERT that makes a vector of 384 numbers of a sentence; the cosine
 * of two of them tells how close the sentences are in meaning.
 */
#ifndef MINILM_MODEL_H
#define MINILM_MODEL_H

#include <genesis/genesis.h>

enum { MINILM_SIZE = 384, MINILM_TOKENS = 256 }; /* of an embedding; of the longest sentence */

/* The model with the weights of a file, in evaluation mode. */
gn_module *minilm_load(const char *path);

/* ids (N, T) of N sentences, seen (N, T) bool: false where a shorter one is filled up
 * -> (N, MINILM_SIZE) of length 1 */
gn_tensor *minilm_embed(gn_module *model, gn_tensor *ids, gn_tensor *seen);

#endif
