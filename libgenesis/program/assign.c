/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assign.c - programs that are written as assignments, one after the other, and update several
 * tensors of one floating-point dtype in place: what optimizers run. All names share one graph; a
 * name is bound to the node that was assigned to it last.
 */
#include <stdlib.h>
#include <string.h>

#include "expr.h"

typedef struct assigner {
    const gn__assignments *a;
    gn__graph graph;
    gn__binding bindings[GN__MAX_ASSIGNED_NAMES]; /* variables, scalars, flags */
    int n;
} assigner;

static void bind(assigner *self, const char *name, int node) {
    if (self->n == GN__MAX_ASSIGNED_NAMES)
        gn_fail(GN_E_UNSUPPORTED, self->a->name, "more than %d names", GN__MAX_ASSIGNED_NAMES);
    else
        self->bindings[self->n++] = (gn__binding){name, node};
}

static void bind_names(assigner *self) {
    const gn__assignments *a = self->a;
    for (int i = 0; i < a->n_variables; i++)
        bind(self, a->variables[i], gn__graph_leaf(&self->graph, GN__OP_VARIABLE, i));
    for (int i = 0; i < a->n_scalars; i++)
        bind(self, a->scalars[i], gn__graph_leaf(&self->graph, GN_OP_PARAM, i));
    for (int i = 0; i < a->n_flags; i++)
        bind(self, a->flags[i].name, gn__graph_leaf(&self->graph, GN_OP_CONST, a->flags[i].value));
}

/* Parses the lines; a name on the left that is new becomes one. */
static gn_status read_lines(assigner *self) {
    for (const gn__assignment *line = self->a->lines; line->name && !gn__failed(); line++) {
        int node = gn__parse(&self->graph, self->a->name, line->text, self->bindings, self->n);
        int i = 0;
        while (i < self->n && strcmp(self->bindings[i].name, line->name) != 0)
            i++;
        if (i < self->n)
            self->bindings[i].node = node;
        else
            bind(self, line->name, node);
    }
    return gn_error_status();
}

/* ---- To instructions: all numbers have one type, so that nothing is to be inferred */

static int lower(const gn__node *node, const int *value, gn__builder *b, int type) {
    const int x = value[node->arg[0]], y = value[node->arg[1]], z = value[node->arg[2]];
    switch (node->op) {
    case GN__OP_VARIABLE: return gn__load(b, (int)node->value.i);
    case GN_OP_PARAM: return gn__param(b, type, (int)node->value.i);
    case GN_OP_CONST:
        return gn__const(b, type, node->fraction ? node->value.f : (double)node->value.i);
    case GN__OP_TRUEDIV: return gn__emit(b, GN_OP_DIV, x, y, 0);
    case GN__OP_BOTH: return gn__emit(b, GN_OP_AND, x, y, 0);
    case GN__OP_EITHER: return gn__emit(b, GN_OP_OR, x, y, 0);
    default: return gn__emit(b, node->op, x, y, z);
    }
}

static const gn_program *build(const assigner *self, int *value) {
    const gn__assignments *a = self->a;
    gn__builder *b = gn__builder_new(a->name, 0);
    if (b == NULL)
        return NULL;
    for (int i = 0; i < a->n_variables; i++)
        gn__build_operand(b, GN_READ, a->dtype);
    for (int i = 0; i < a->n_scalars; i++)
        gn__build_param(b);
    for (size_t n = 0; n < self->graph.n; n++)
        value[n] = lower(&self->graph.nodes[n], value, b, gn__compute_type(a->dtype));
    for (int i = 0; i < a->n_variables; i++)
        if (i != a->constant)
            gn__store(b, gn__build_operand(b, GN_WRITE, a->dtype), value[self->bindings[i].node]);
    return gn__builder_finish(b);
}

const gn_program *gn__assignments_program(const gn__assignments *a) {
    if (gn__failed())
        return NULL;
    assigner self = {.a = a};
    const gn_program *program = NULL;
    bind_names(&self);
    int *value = read_lines(&self) == GN_OK ? gn__alloc_array(self.graph.n, sizeof *value) : NULL;
    if (value)
        program = build(&self, value);
    free(value);
    free(self.graph.nodes);
    return program;
}
