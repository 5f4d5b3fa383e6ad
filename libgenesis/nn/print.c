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
#include <string.h>

#include "module.h"

enum { DESCRIPTION_BYTES = 512 };

static void add_module(gn__text *text, const gn_module *module, int indent);

static void add_child(gn__text *text, const gn_module *child, int indent) {
    if (child)
        add_module(text, child, indent);
    else
        gn__text_add(text, "None");
}

static bool same_text(const gn_module *a, const gn_module *b) {
    if (a == b)
        return true;
    gn__text first = {0}, second = {0};
    add_child(&first, a, 0);
    add_child(&second, b, 0);
    bool same = !gn__failed() && strcmp(first.bytes, second.bytes) == 0;
    free(first.bytes);
    free(second.bytes);
    return same;
}

/* The children of a list that read alike are one line: "(0-5): 6 x Linear(..)". */
static void add_children(gn__text *text, const gn_module *module, int indent) {
    const gn__entries *children = &module->state->children;
    const bool joins = strcmp(module->type->name, "ModuleList") == 0;
    for (size_t i = 0, end; i < children->n; i = end) {
        const gn__entry *first = &children->entry[i];
        for (end = i + 1; joins && end < children->n; end++)
            if (!same_text(first->object, children->entry[end].object))
                break;
        if (end == i + 1)
            gn__text_add(text, "\n%*s(%s): ", indent, "", first->name);
        else
            gn__text_add(text, "\n%*s(%s-%s): %zu x ", indent, "", first->name,
                         children->entry[end - 1].name, end - i);
        add_child(text, first->object, indent);
    }
}

static void add_module(gn__text *text, const gn_module *module, int indent) {
    char description[DESCRIPTION_BYTES] = "";
    if (module->type->describe)
        module->type->describe(module, description, sizeof description);
    const size_t children = module->state->children.n;
    gn__text_add(text, "%s%s(%s", gn_is_parametrized(module, NULL) ? "Parametrized" : "",
                 module->type->name, children == 0 ? description : "");
    if (children && *description)
        gn__text_add(text, "\n%*s%s", indent + 2, "", description);
    add_children(text, module, indent + 2);
    if (children)
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
