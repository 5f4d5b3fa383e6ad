/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print.c - a module as text, in the form that PyTorch prints:
 *
 *     Sequential(
 *       (0): Linear(in_features=784, out_features=256, bias=True)
 *       (1): ReLU()
 *     )
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "module.h"

enum { DESCRIPTION_BYTES = 512 };

void gn__describe_add(char *text, size_t bytes, const char *format, ...) {
    const size_t n = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + n, bytes - n, format, arguments);
    va_end(arguments);
}

void gn__describe_tuple(char *text, size_t bytes, const char *name, int n, const int64_t *values) {
    gn__describe_add(text, bytes, "%s%s=(", *text ? ", " : "", name);
    for (int i = 0; i < n; i++)
        gn__describe_add(text, bytes, i ? ", %lld" : "%lld", (long long)values[i]);
    gn__describe_add(text, bytes, n == 1 ? ",)" : ")");
}

static void add_module(gn__text *text, const gn_module *module, int indent) {
    char description[DESCRIPTION_BYTES] = "";
    if (module->type->describe)
        module->type->describe(module, description, sizeof description);
    const gn__entries *children = &module->state->children;
    gn__text_add(text, "%s(%s", module->type->name, children->n == 0 ? description : "");
    if (children->n && *description)
        gn__text_add(text, "\n%*s%s", indent + 2, "", description);
    for (size_t i = 0; i < children->n; i++) {
        gn__text_add(text, "\n%*s(%s): ", indent + 2, "", children->entry[i].name);
        if (children->entry[i].object)
            add_module(text, children->entry[i].object, indent + 2);
        else
            gn__text_add(text, "None");
    }
    if (children->n)
        gn__text_add(text, "\n%*s", indent, "");
    gn__text_add(text, ")");
}

char *gn_module_text(const gn_module *module) {
    if (!gn__is_module("module_text", module))
        return NULL;
    gn__text text = {0};
    add_module(&text, module, 0);
    if (!gn__failed())
        return text.bytes;
    free(text.bytes);
    return NULL;
}
