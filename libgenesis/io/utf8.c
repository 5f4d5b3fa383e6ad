/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8.c - which texts are UTF-8, as names in files must be.
 */
#include "io.h"

/* The bytes of the character at `at`, or 0 if it is none. */
static int character(const unsigned char *at) {
    /* The first byte has the length and the highest bits; smallest: what needs that length. */
    static const struct {
        unsigned char mask, lead;
        uint32_t smallest;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (int n = 1; n <= 4; n++) {
        if ((at[0] & forms[n - 1].mask) != forms[n - 1].lead)
            continue;
        uint32_t code = at[0] & (uint32_t)(unsigned char)~forms[n - 1].mask;
        for (int i = 1; i < n; i++) {
            if ((at[i] & 0xc0) != 0x80) /* a 0 at the end of the text, too */
                return 0;
            code = code << 6 | (at[i] & 0x3f);
        }
        bool surrogate = code >= 0xd800 && code < 0xe000;
        return code >= forms[n - 1].smallest && code <= 0x10ffff && !surrogate ? n : 0;
    }
    return 0;
}

gn_status gn__utf8(const char *op, const char *text) {
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        int n = character(at);
        if (n == 0)
            return gn_fail(strcmp(op, "load") == 0 ? GN_E_FORMAT : GN_E_ARGUMENT, op,
                           "\"%.200s\" is not UTF-8", text);
        at += n;
    }
    return gn_error_status();
}
