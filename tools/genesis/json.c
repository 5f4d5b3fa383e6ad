/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *json_text(const char *any) {
    json_t *string = json_string(any);
    if (string)
        return string;
    char *text = strdup(any);
    for (char *at = text; at && *at; at++)
        if (*at & 0x80)
            *at = '?';
    string = text ? json_string(text) : NULL;
    free(text);
    return string;
}

void print_plain(const char *any, int width) {
    for (const unsigned char *at = (const unsigned char *)any; *at; at++) {
        putchar(*at < ' ' || *at == 127 ? '?' : *at);
        width -= (*at & 0xc0) != 0x80; /* the further bytes of a character take no column */
    }
    for (; width > 0; width--)
        putchar(' ');
}
