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

/* "(0): Parameter containing: [float32 of size 3x4]" */
static void add_parameters(gn__text *text, const gn_module *module, int indent) {
    const gn__entries *parameters = &module->state->parameters;
    for (size_t i = 0; i < parameters->n; i++) {
        const gn__entry *e = &parameters->entry[i];
        const gn_tensor *t = e->object;
        gn__text_add(text, "\n%*s(%s): ", indent, "", e->name);
        if (t == NULL) {
            gn__text_add(text, "None");
            continue;
        }
        gn__text_add(text, "Parameter containing: [%s of size ", gn_dtype_name(t->dtype));
        for (int d = 0; d < t->n_dims; d++)
            gn__text_add(text, "%s%lld", d ? "x" : "", (long long)t->size[d]);
        gn__text_add(text, "]");
    }
}

static void add_module(gn__text *text, const gn_module *module, int indent) {
    const char *name = module->type->name;
    const bool of_parameters =
        strcmp(name, "ParameterList") == 0 || strcmp(name, "ParameterDict") == 0;
    char description[DESCRIPTION_BYTES] = "";
    if (module->type->describe)
        module->type->describe(module, description, sizeof description);
    const struct gn_module_state *s = module->state;
    const size_t children = of_parameters ? s->parameters.n : s->children.n;
    gn__text_add(text, "%s%s(%s", gn_is_parametrized(module, NULL) ? "Parametrized" : "", name,
                 children == 0 ? description : "");
    if (children && *description)
        gn__text_add(text, "\n%*s%s", indent + 2, "", description);
    if (of_parameters)
        add_parameters(text, module, indent + 2);
    else
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
