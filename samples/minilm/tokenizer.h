/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenizer.h - text as the numbers of word pieces, as BERT's uncased models want it: words are
 * split at spaces, punctuation and ideographs, made lower case without accents, and cut into the
 * longest pieces that the vocabulary has: "Tokenizers" -> token ##izer ##s.
 */
#ifndef MINILM_TOKENIZER_H
#define MINILM_TOKENIZER_H

#include <stdint.h>

typedef struct tokenizer tokenizer;

/* Reads a vocabulary, a piece a line; its number is that of the line, from 0. NULL with an error of
 * the library's. */
tokenizer *tokenizer_load(const char *path);
void tokenizer_free(tokenizer *t);

/* Writes the numbers of [CLS], the text's pieces, [SEP], and returns how many they are: at most
 * `room`, which is at least 2. Pieces for which there is no room are left out. */
int64_t tokenizer_encode(const tokenizer *t, const char *text, int64_t *ids, int64_t room);

/* The piece with a number that tokenizer_encode gave. */
const char *tokenizer_piece(const tokenizer *t, int64_t id);

#endif
