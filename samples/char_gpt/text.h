/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - a text as numbers of characters, and random pieces of it. A character is a byte. */
#ifndef CHAR_GPT_TEXT_H
#define CHAR_GPT_TEXT_H

#include <genesis/genesis.h>

/* The characters that there are, numbered from 0. */
typedef struct alphabet {
    int64_t n;
    uint8_t byte[256];
    int number[256]; /* by byte; -1: it is none of them */
} alphabet;

/* All bytes of the string, sorted. */
alphabet alphabet_of(const char *bytes, size_t length);

/* The file's characters; (length) int64, their numbers. Files that can't be read, or are empty, are
 * errors: NULL. */
gn_tensor *text_read(const char *path, alphabet *letters);

/* x, y (n, length): n random pieces of the text, and what comes behind each of their characters. */
void text_batch(gn_tensor *text, int64_t n, int64_t length, gn_tensor **x, gn_tensor **y);

#endif
