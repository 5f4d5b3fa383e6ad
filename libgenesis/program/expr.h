/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expr.h - expressions inside this folder: an untyped graph of operations, what surrounds it, and
 * the functions between parse.c, derive.c, infer.c and instantiate.c.
 */
#ifndef GENESIS_EXPR_H
#define GENESIS_EXPR_H

#include "opcodes.h"
#include "program.h"

/* ---- The graph (graph.c): nodes in an order in which operands come first, no two alike */

enum { GN__MAX_NODES = 4 * GN_MAX_INSNS };

typedef struct gn__node {
    uint8_t op;      /* GN_OP_* or GN__OP_*; leaves: GN__OP_VARIABLE, GN_OP_PARAM, GN_OP_CONST */
    bool fraction;   /* of CONST: value.f, written as 0.5 or 1e3; else value.i */
    uint16_t arg[3]; /* 0 beyond the arity */
    gn_scalar value; /* of leaves: the number of the variable or parameter; the constant */
} gn__node;

typedef struct gn__graph {
    gn__node *nodes;
    size_t n, capacity;
} gn__graph;

/* All return a node's number, or -1 with an error. Operations of constants that derivatives bring
 * about (-2, 2 == 0, true ? a : b) are folded; the rest is the builder's. */
int gn__graph_leaf(gn__graph *graph, int op, int64_t number);
int gn__graph_fraction(gn__graph *graph, double value);
int gn__graph_op(gn__graph *graph, int op, int a, int b, int c);

/* Drops what the root does not need. Returns the root's new number. */
int gn__graph_prune(gn__graph *graph, int root);

/* Copies the nodes under the same numbers. */
gn_status gn__graph_copy(gn__graph *to, const gn__graph *from);

static inline bool gn__is_leaf(const gn__node *node) {
    return node->op == GN__OP_VARIABLE || node->op == GN_OP_PARAM || node->op == GN_OP_CONST;
}
static inline int gn__node_arity(const gn__node *node) {
    return gn__is_leaf(node) ? 0 : gn__op_info(node->op)->arity;
}
/* Whether the operand is only tested: its type matters to nothing. */
static inline bool gn__is_condition(const gn__node *node, int slot) {
    int rule = gn__op_info(node->op)->rule;
    return rule == GN__RULE_LOGIC || (rule == GN__RULE_SELECT && slot == 0);
}

/* ---- Parsing (parse.c) */

/* Characters of names and numbers: those of ASCII, in every locale. */
static inline bool gn__is_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool gn__is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

typedef struct gn__binding {
    const char *name;
    int node;
} gn__binding;

/* Adds the text's nodes to the graph. Returns its root, or -1 with an error in the name of `op`. */
int gn__parse(gn__graph *graph, const char *op, const char *text, const gn__binding *bindings,
              int n_bindings);

/* ---- Expressions (expr.c) */

/* A signature in 128 bits: a byte for each variable, then the rest of it (instantiate.c). */
typedef struct gn__key {
    uint64_t low, high;
} gn__key;

/* Programs by signature: read without a lock, filled in order under one (instantiate.c). */
typedef struct gn__cache {
    struct {
        gn__key key;
        _Atomic(const gn_program *)
            program; /* written last; NULL: free, and so are all behind it */
    } slots[8];
    _Atomic(struct gn__cache *) next;
} gn__cache;

struct gn__expr {
    gn__key mask; /* the bytes of a key whose variables occur */
    gn__cache cache;
    _Atomic(gn__expr *) gradient[GN__MAX_VARIABLES]; /* see derive.c */
    int n_variables, n_params, root;
    int n_used; /* variables that occur, in order */
    int8_t used[GN__MAX_VARIABLES];
    gn__graph graph;
    char *variable[GN__MAX_VARIABLES], *param[GN_MAX_PARAMS], *name;
    gn__expr *next; /* in the list of all */
};

/* A new expression with the graph, which it takes over (also when it fails) and prunes. The names
 * are copied. NULL with an error. */
gn__expr *gn__expr_new(const char *name, char *const *variables, int n_variables,
                       char *const *params, int n_params, gn__graph *graph, int root);

/* The parameter's number, or -1. */
int gn__expr_param(const gn__expr *e, const char *name);

/* ---- Types (infer.c) */

typedef struct gn__types {
    int8_t *operands; /* by node: dtype that its operands are promoted to (not of conditions) */
    int8_t *result;   /* by node: dtype of its value */
} gn__types;

/* Types of all nodes, in two arrays of graph.n which the caller has made. */
gn_status gn__infer(const gn__expr *e, const gn__signature *signature, gn__types *types);

#endif
