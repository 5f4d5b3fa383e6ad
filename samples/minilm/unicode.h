/* SPDX-License-Identifier: Apache-2.0 */
/* unicode.h - UTF-8, and what the tokenizer asks of characters. */
#ifndef MINILM_UNICODE_H
#define MINILM_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

enum { UNICODE_REPLACEMENT = 0xfffd, UNICODE_FOLDED = 3, UTF8_BYTES = 4 };

/* The character at *text, which moves behind it. A byte that begins no valid sequence is
 * UNICODE_REPLACEMENT; the end of the text is 0, and stays where it is. */
uint32_t utf8_next(const char **text);
/* Writes c as 1 to UTF8_BYTES bytes, and returns their number. */
int utf8_put(char *out, uint32_t c);

bool unicode_is_space(uint32_t c);
bool unicode_is_control(uint32_t c); /* neither is a space */
bool unicode_is_punctuation(uint32_t c);
bool unicode_is_ideograph(uint32_t c); /* Chinese, written without spaces */

/* c in lower case and without accents: 0 (c is an accent) to UNICODE_FOLDED characters. */
int unicode_fold(uint32_t c, uint32_t out[UNICODE_FOLDED]);

#endif
