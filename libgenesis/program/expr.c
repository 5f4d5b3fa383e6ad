/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expr.c - expressions as objects: their making from a text, their names, their variables.
 *
 * Expressions live as long as the process, in a list that a static pointer reaches, so that ops may
 * keep them in static tables.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expr.h"

static _Atomic(gn__expr *) expressions;

static void expr_free(gn__expr *e) {
    if (e == NULL)
        return;
    for (int i = 0; i < GN__MAX_VARIABLES; i++)
        free(e->variable[i]);
    for (int i = 0; i < GN_MAX_PARAMS; i++)
        free(e->param[i]);
    free(e->graph.nodes);
    free(e->name);
    free(e);
}

static bool copy_names(char **to, char *const *from, int n) {
    for (int i = 0; i < n; i++)
        if ((to[i] = gn__strdup(from[i])) == NULL)
            return false;
    return true;
}

static void find_used(gn__expr *e) {
    uint8_t mask[GN__MAX_VARIABLES] = {0};
    uint16_t more;
    for (size_t i = 0; i < e->graph.n; i++)
        if (e->graph.nodes[i].op == GN__OP_VARIABLE)
            mask[e->graph.nodes[i].value.i] = 0xff;
    for (int k = 0; k < e->n_variables; k++)
        if (mask[k])
            e->used[e->n_used++] = (int8_t)k;
    memcpy(&e->mask.low, mask, 8);
    memcpy(&more, mask + 8, 2);
    e->mask.high = more;
}

gn__expr *gn__expr_new(const char *name, char *const *variables, int n_variables,
                       char *const *params, int n_params, gn__graph *graph, int root) {
    gn__expr *e = gn__alloc(sizeof *e);
    if (e == NULL) {
        free(graph->nodes);
        return NULL;
    }
    e->n_variables = n_variables;
    e->n_params = n_params;
    e->root = gn__graph_prune(graph, root);
    e->graph = *graph;
    e->name = gn__strdup(name);
    if (e->name == NULL || !copy_names(e->variable, variables, n_variables) ||
        !copy_names(e->param, params, n_params)) {
        expr_free(e);
        return NULL;
    }
    find_used(e);
    e->next = atomic_load(&expressions);
    while (!atomic_compare_exchange_weak(&expressions, &e->next, e))
        ;
    return e;
}

/* ---- From texts */

/* Cuts a list "x, y" in place. Returns the number of names, or -1 with an error. */
static int split_names(const char *op, char *list, char **names, int max) {
    int n = 0;
    for (char *at = list + strspn(list, " "); *at;) {
        size_t length = 0;
        while (gn__is_letter(at[length]) || (length > 0 && gn__is_digit(at[length])))
            length++;
        char *end = at + length, *next = end + strspn(end, " ");
        if (length == 0 || (*next != ',' && *next != 0) || (*next == ',' && next[1] == 0)) {
            gn_fail(GN_E_ARGUMENT, op, "'%.40s' is no list of names", at);
            return -1;
        }
        if (n == max) {
            gn_fail(GN_E_UNSUPPORTED, op, "more than %d names", max);
            return -1;
        }
        at = *next ? next + 1 + strspn(next + 1, " ") : next;
        *end = 0;
        names[n++] = end - length;
    }
    return n;
}

static gn_status check_distinct(const char *op, char *const *a, int n_a, char *const *b, int n_b) {
    for (int i = 0; i < n_a + n_b; i++) {
        const char *name = i < n_a ? a[i] : b[i - n_a];
        for (int k = 0; k < i; k++)
            if (strcmp(name, k < n_a ? a[k] : b[k - n_a]) == 0)
                return gn_fail(GN_E_ARGUMENT, op, "the name '%.40s' occurs twice", name);
    }
    return GN_OK;
}

static gn__expr *parse_lists(const char *name, const char *text, char *variables, char *params) {
    char *variable[GN__MAX_VARIABLES], *param[GN_MAX_PARAMS];
    gn__binding bindings[GN__MAX_VARIABLES + GN_MAX_PARAMS];
    gn__graph graph = {0};
    int n_variables = split_names(name, variables, variable, GN__MAX_VARIABLES);
    int n_params = n_variables < 0 ? -1 : split_names(name, params, param, GN_MAX_PARAMS);
    if (n_params < 0 || check_distinct(name, variable, n_variables, param, n_params) != GN_OK)
        return NULL;
    for (int i = 0; i < n_variables; i++)
        bindings[i] = (gn__binding){variable[i], gn__graph_leaf(&graph, GN__OP_VARIABLE, i)};
    for (int i = 0; i < n_params; i++)
        bindings[n_variables + i] = (gn__binding){param[i], gn__graph_leaf(&graph, GN_OP_PARAM, i)};
    int root = gn__parse(&graph, name, text, bindings, n_variables + n_params);
    if (root < 0 || gn__failed()) {
        free(graph.nodes);
        return NULL;
    }
    return gn__expr_new(name, variable, n_variables, param, n_params, &graph, root);
}

gn__expr *gn__expr_parse(const char *name, const char *text, const char *variables,
                         const char *params) {
    if (gn__failed())
        return NULL;
    gn__expr *e = NULL;
    char *variable_list = gn__strdup(variables ? variables : "");
    char *param_list = gn__strdup(params ? params : "");
    if (variable_list && param_list)
        e = parse_lists(name, text, variable_list, param_list);
    free(variable_list);
    free(param_list);
    return e;
}

/* ---- Questions */

int gn__expr_n_variables(const gn__expr *e) { return e->n_variables; }
int gn__expr_n_params(const gn__expr *e) { return e->n_params; }
const char *gn__expr_name(const gn__expr *e) { return e->name; }

static int find_name(char *const *names, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

int gn__expr_variable(const gn__expr *e, const char *name) {
    return find_name(e->variable, e->n_variables, name);
}

int gn__expr_param(const gn__expr *e, const char *name) {
    return find_name(e->param, e->n_params, name);
}

int gn__expr_operands(const gn__expr *e, int out_variables[GN__MAX_VARIABLES]) {
    for (int i = 0; i < e->n_used; i++)
        out_variables[i] = e->used[i];
    return e->n_used;
}

bool gn__expr_uses(const gn__expr *e, int variable) {
    for (int i = 0; i < e->n_used; i++)
        if (e->used[i] == variable)
            return true;
    return false;
}
