/* SPDX-License-Identifier: Apache-2.0 */
/*
 * infer.c - the types of an expression's nodes for given dtypes of its variables.
 *
 * Nodes that are linked by operations with one type (x + y, c ? x : y) form a group, which has one
 * type: what all leaves of the group are promoted to. Comparisons, conditions, bit operations and
 * int() separate: their operands form a group of their own, and their result is a leaf of the group
 * around it. So in (k == 2) ? x : y the integer k is never turned into a float, and in x * exp(k)
 * with an integer k only exp's operand is.
 *
 * A group knows dtypes by level, as PyTorch's result_type does: those of tensors with dims, of
 * 0-dim tensors, and of numbers. Groups depend on each other, so promotion is repeated until
 * nothing changes; dtypes only grow, so that ends.
 */
#include <stdlib.h>
#include <string.h>

#include "expr.h"

enum { NUMBER, ZERO_DIM, WITH_DIMS, N_LEVELS, NONE = -1 };

typedef struct group {
    int8_t dtype[N_LEVELS]; /* NONE: nothing of this level */
} group;

typedef struct inference {
    const gn__expr *e;
    const gn__signature *signature;
    uint16_t
        *parent; /* union-find over 2 groups a node: of its result, 2 n, and operands, 2 n + 1 */
    group *groups;
    int8_t *level; /* by node: the highest of its leaves */
    bool changed;
} inference;

static int result_group(int n) { return 2 * n; }
static int operand_group(int n) { return 2 * n + 1; }

static int find(inference *in, int i) {
    while (in->parent[i] != i)
        i = in->parent[i] = in->parent[in->parent[i]];
    return i;
}

static void unite(inference *in, int i, int j) { in->parent[find(in, i)] = (uint16_t)find(in, j); }

/* ---- Promotion */

static int combine(int higher, int lower) {
    if (higher == NONE || lower == NONE)
        return higher == NONE ? lower : higher;
    if (gn_dtype_is_float(higher))
        return higher;
    return higher == GN_BOOL || gn_dtype_is_float(lower) ? gn__promote(higher, lower) : higher;
}

static int dtype_of(const group *g) {
    int dtype = combine(g->dtype[WITH_DIMS], combine(g->dtype[ZERO_DIM], g->dtype[NUMBER]));
    return dtype == NONE ? GN_BOOL : dtype;
}

static void join(inference *in, int i, int level, int dtype) {
    int8_t *held = &in->groups[find(in, i)].dtype[level];
    int joined = *held == NONE || dtype == NONE ? (*held == NONE ? dtype : *held)
                                                : gn__promote(*held, dtype);
    in->changed |= joined != *held;
    *held = (int8_t)joined;
}

/* ---- Leaves */

static int leaf_level(const inference *in, const gn__node *leaf) {
    if (leaf->op != GN__OP_VARIABLE)
        return NUMBER;
    return in->signature->zero_dim[leaf->value.i] ? ZERO_DIM : WITH_DIMS;
}

static int default_float(const inference *in) {
    return in->signature->floats ? in->signature->floats : GN_F32;
}

static int leaf_dtype(const inference *in, const gn__node *leaf) {
    if (leaf->op == GN__OP_VARIABLE)
        return in->signature->dtype[leaf->value.i];
    bool fraction = leaf->op == GN_OP_PARAM ? in->signature->float_params : leaf->fraction;
    return fraction ? default_float(in) : GN_I64;
}

/* ---- Groups */

/* Links the groups of one node to those around it and tells them its leaves. */
static void connect(inference *in, int n) {
    const gn__node *nodes = in->e->graph.nodes, *node = &nodes[n];
    int rule = gn__op_info(node->op)->rule;
    if (gn__is_leaf(node)) {
        in->level[n] = (int8_t)leaf_level(in, node);
        join(in, result_group(n), in->level[n], leaf_dtype(in, node));
        return;
    }
    if (rule == GN__RULE_SAME || rule == GN__RULE_SELECT)
        unite(in, result_group(n), operand_group(n));
    in->level[n] = NUMBER;
    for (int slot = 0; slot < gn__node_arity(node); slot++) {
        int operand = node->arg[slot];
        if (in->level[operand] > in->level[n])
            in->level[n] = in->level[operand];
        if (!gn__is_condition(node, slot) && !gn__is_leaf(&nodes[operand]))
            unite(in, operand_group(n), result_group(operand));
    }
}

static void join_leaves(inference *in, int n) {
    const gn__node *nodes = in->e->graph.nodes, *node = &nodes[n];
    for (int slot = 0; slot < gn__node_arity(node); slot++) {
        const gn__node *leaf = &nodes[node->arg[slot]];
        if (gn__is_leaf(leaf) && !gn__is_condition(node, slot))
            join(in, operand_group(n), leaf_level(in, leaf), leaf_dtype(in, leaf));
    }
}

/* What a node's result is in the group around it, given the group of its operands. */
static void propagate(inference *in, int n) {
    const gn__node *node = &in->e->graph.nodes[n];
    int operands = dtype_of(&in->groups[find(in, operand_group(n))]);
    switch (gn__op_info(node->op)->rule) {
    case GN__RULE_FLOAT:
        join(in, result_group(n), in->level[n],
             gn_dtype_is_float(operands) ? operands : default_float(in));
        if (gn_dtype_is_float(operands)) { /* one group with the result; integers stay apart */
            const group around = in->groups[find(in, result_group(n))];
            for (int level = 0; level < N_LEVELS; level++)
                join(in, operand_group(n), level, around.dtype[level]);
        }
        break;
    case GN__RULE_COMPARE:
    case GN__RULE_LOGIC: join(in, result_group(n), in->level[n], GN_BOOL); break;
    case GN__RULE_BITS: join(in, result_group(n), in->level[n], operands); break;
    case GN__RULE_INT: join(in, result_group(n), in->level[n], GN_I64); break;
    default: /* operands and result are one group */ break;
    }
}

/* Numbers alone are as wide as what they are stored in: 0.1 into an f64 is not rounded to f32. */
static void widen_numbers(inference *in) {
    int root = result_group(in->e->root), number = in->groups[find(in, root)].dtype[NUMBER];
    if (in->signature->result == GN_F64 && gn_dtype_is_float(number))
        join(in, root, NUMBER, GN_F64);
}

static void solve(inference *in) {
    const int n_nodes = (int)in->e->graph.n;
    for (int i = 0; i < 2 * n_nodes; i++) {
        in->parent[i] = (uint16_t)i;
        memset(in->groups[i].dtype, NONE, sizeof in->groups[i].dtype);
    }
    for (int n = 0; n < n_nodes; n++)
        connect(in, n);
    for (int n = 0; n < n_nodes; n++)
        join_leaves(in, n);
    do {
        in->changed = false;
        widen_numbers(in);
        for (int n = 0; n < n_nodes; n++)
            if (!gn__is_leaf(&in->e->graph.nodes[n]))
                propagate(in, n);
    } while (in->changed);
}

/* ---- Checks */

static gn_status check_signature(const gn__expr *e, const gn__signature *signature) {
    if (signature->n_variables != e->n_variables)
        return gn_fail(GN_E_ARGUMENT, e->name, "%d variables, not %d", e->n_variables,
                       signature->n_variables);
    for (int i = 0; i < e->n_used; i++) {
        int dtype = signature->dtype[e->used[i]];
        if (dtype <= 0 || dtype >= GN_N_DTYPES || dtype == GN_U32)
            return gn_fail(GN_E_ARGUMENT, e->name, "%s has no dtype", e->variable[e->used[i]]);
    }
    return GN_OK;
}

gn_status gn__infer(const gn__expr *e, const gn__signature *signature, gn__types *types) {
    const size_t n = e->graph.n;
    inference in = {.e = e, .signature = signature};
    if (check_signature(e, signature) != GN_OK)
        return gn_error_status();
    in.parent = gn__alloc_array(2 * n, sizeof *in.parent);
    in.groups = gn__alloc_array(2 * n, sizeof *in.groups);
    in.level = gn__alloc_array(n, sizeof *in.level);
    bool made = in.parent && in.groups && in.level;
    if (made) {
        solve(&in);
        for (int i = 0; i < (int)n; i++) {
            types->result[i] = (int8_t)dtype_of(&in.groups[find(&in, result_group(i))]);
            types->operands[i] = (int8_t)dtype_of(&in.groups[find(&in, operand_group(i))]);
        }
    }
    free(in.parent);
    free(in.groups);
    free(in.level);
    return made ? GN_OK : GN_E_MEMORY;
}
