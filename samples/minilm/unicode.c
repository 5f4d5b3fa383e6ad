/* SPDX-License-Identifier: Apache-2.0 */
/* unicode.c - UTF-8, and properties of characters by tables that make_unicode.py writes. */
#include "unicode.h"

#include <stddef.h>

#include "unicode.inc"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* ---- UTF-8 */

uint32_t utf8_next(const char **text) {
    static const uint32_t lowest[] = {0, 0x80, 0x800,
                                      0x10000}; /* by the number of bytes that follow */
    const unsigned char *s = (const unsigned char *)*text;
    if (*s == 0)
        return 0;
    const int more = *s < 0x80 ? 0 : *s >> 5 == 6 ? 1 : *s >> 4 == 14 ? 2 : *s >> 3 == 30 ? 3 : -1;
    uint32_t c = more > 0 ? *s & (0x3fu >> more) : *s;
    int i = 1;
    while (i <= more && s[i] >> 6 == 2) /* the 0 at the text's end does not match */
        c = c << 6 | (s[i++] & 0x3f);
    const bool valid =
        more >= 0 && i > more && c >= lowest[more] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
    *text += valid ? i : 1;
    return valid ? c : UNICODE_REPLACEMENT;
}

int utf8_put(char *out, uint32_t c) {
    const int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint32_t first[] = {0, 0xc0, 0xe0, 0xf0};
    for (int i = more; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(first[more] | c);
    return more + 1;
}

/* ---- Properties */

/* The row whose first number is the largest that is not above c; NULL if there is none. */
static const uint16_t *row_at(const uint16_t (*table)[2], size_t n, uint32_t c) {
    size_t low = 0, high = n;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (table[middle][0] <= c)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? table[low - 1] : NULL;
}

static bool is_in(const uint16_t (*ranges)[2], size_t n, uint32_t c) {
    const uint16_t *range = row_at(ranges, n, c);
    return range && c <= range[1];
}

bool unicode_is_space(uint32_t c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || is_in(spaces, COUNT(spaces), c);
}

bool unicode_is_control(uint32_t c) {
    return !unicode_is_space(c) && (c < ' ' || c == 0x7f || is_in(controls, COUNT(controls), c));
}

bool unicode_is_punctuation(uint32_t c) {
    if (c >= 0x80)
        return is_in(punctuation, COUNT(punctuation), c);
    return (c > ' ' && c < '0') || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') ||
           (c > 'z' && c < 0x7f);
}

bool unicode_is_ideograph(uint32_t c) {
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x20000 && c <= 0x2fa1f);
}

/* ---- Folding */

/* A Korean syllable is one of 19 leads, one of 21 vowels, and none or one of 27 tails. */
static int split_hangul(uint32_t syllable, uint32_t out[UNICODE_FOLDED]) {
    enum { LEAD = 0x1100, VOWEL = 0x1161, TAIL = 0x11a7, VOWELS = 21, TAILS = 28 };
    out[0] = LEAD + syllable / TAILS / VOWELS;
    out[1] = VOWEL + syllable / TAILS % VOWELS;
    out[2] = TAIL + syllable % TAILS;
    return syllable % TAILS ? 3 : 2;
}

int unicode_fold(uint32_t c, uint32_t out[UNICODE_FOLDED]) {
    if (c >= 0xac00 && c <= 0xd7a3)
        return split_hangul(c - 0xac00, out);
    if (is_in(marks, COUNT(marks), c))
        return 0;
    const uint16_t *row = row_at(letters, COUNT(letters), c);
    out[0] = row && row[0] == c ? row[1] : c;
    if (c >= 'A' && c <= 'Z')
        out[0] = c - 'A' + 'a';
    return 1;
}
