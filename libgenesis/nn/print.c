/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print.c - a module as text, in the form that PyTorch prints:
 *
 *     Sequential(
 *       (0): Linear(in_features=784, out_features=256, bias=True)
 *       (1): ReLU()
 *     )
 */
#include <stdlib.h>

#include "module.h"

enum { DESCRIPTION_BYTES = 512 };

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
