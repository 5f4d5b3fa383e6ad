/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.c - text put together in a buffer of fixed size, for every call that is traced: so without
 * printf, which takes longer than many a call.
 */
#include <string.h>

#include "trace.h"

trace_text trace_text_in(char *bytes, size_t size) {
    bytes[0] = '\0';
    return (trace_text){.bytes = bytes, .size = size};
}

static void add_bytes(trace_text *text, const char *bytes, size_t n) {
    const size_t room = text->size - 1 - text->length;
    if (n > room)
        n = room;
    memcpy(text->bytes + text->length, bytes, n);
    text->length += n;
    text->bytes[text->length] = '\0';
}

void trace_add(trace_text *text, const char *string) { add_bytes(text, string, strlen(string)); }

void trace_add_number(trace_text *text, uint64_t number) {
    char digits[20], *first = digits + sizeof digits;
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    add_bytes(text, first, (size_t)(digits + sizeof digits - first));
}

void trace_add_time(trace_text *text, uint64_t ns) {
    const unsigned part = (unsigned)(ns % 1000);
    const char decimals[4] = {'.', (char)('0' + part / 100), (char)('0' + part / 10 % 10),
                              (char)('0' + part % 10)};
    trace_add_number(text, ns / 1000);
    add_bytes(text, decimals, sizeof decimals);
}

void trace_add_quoted(trace_text *text, const char *string, size_t most) {
    add_bytes(text, "\"", 1);
    for (size_t i = 0; i < most && string[i] != '\0'; i++) {
        const char c = string[i];
        if (c == '"' || c == '\\')
            add_bytes(text, "\\", 1);
        add_bytes(text, c < ' ' || c > '~' ? "?" : &c, 1);
    }
    add_bytes(text, "\"", 1);
}

void trace_add_shape(trace_text *text, const int64_t *size, uint32_t n_dims) {
    add_bytes(text, "(", 1);
    for (uint32_t d = 0; d < n_dims; d++) {
        if (d > 0)
            add_bytes(text, ", ", 2);
        trace_add_number(text, (uint64_t)size[d]);
    }
    add_bytes(text, ")", 1);
}
