/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - a string that grows. */
#include "codegen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Room for so many more bytes and the 0. */
static bool grow(cg_text *text, size_t more) {
    if (text->capacity - text->bytes > more)
        return true;
    const size_t capacity = 2 * text->capacity + more + 4096;
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void cg_print(cg_text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int bytes = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (bytes < 0 || text->failed || !grow(text, (size_t)bytes))
        return;
    va_start(arguments, format);
    vsnprintf(text->data + text->bytes, (size_t)bytes + 1, format, arguments);
    va_end(arguments);
    text->bytes += (size_t)bytes;
}

void cg_text_free(cg_text *text) {
    free(text->data);
    *text = (cg_text){0};
}
