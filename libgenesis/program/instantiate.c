/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instantiate.c - from an expression and the dtypes of its variables to a program, and the cache of
 * what was made.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "expr.h"

static const char *const dtype_names[GN_N_DTYPES] = {
#define X(name, value, text, bytes) [value] = text,
    GN_DTYPES(X)
#undef X
};

/* ---- From nodes to instructions */

typedef struct lowering {
    const gn__expr *e;
    gn__types types;
    gn__builder *b;
    int *value;                       /* by node: that of operations */
    int operand[GN__MAX_VARIABLES];   /* by variable */
    bool whole_params[GN_MAX_PARAMS]; /* passed as integers, because an integer use needs that */
} lowering;

/* A leaf as a value of the type. */
static int lower_leaf(const lowering *l, const gn__node *leaf, int type) {
    if (leaf->op == GN__OP_VARIABLE)
        return gn__cast(l->b, type, gn__load(l->b, l->operand[leaf->value.i]));
    if (leaf->op == GN_OP_PARAM) {
        bool whole = l->whole_params[leaf->value.i];
        return gn__cast(l->b, type, gn__param(l->b, whole ? GN_I64 : type, (int)leaf->value.i));
    }
    if (leaf->fraction || gn__is_float(type))
        return gn__const(l->b, type, leaf->fraction ? leaf->value.f : (double)leaf->value.i);
    return gn__const_i(l->b, type, leaf->value.i);
}

/* The type in which a node's operand is wanted: conditions in the operand's own. */
static int wanted_type(const lowering *l, int n, int slot) {
    const gn__node *node = &l->e->graph.nodes[n];
    if (gn__is_condition(node, slot))
        return gn__compute_type(l->types.result[node->arg[slot]]);
    int type = gn__compute_type(l->types.operands[n]);
    if (gn__op_info(node->op)->rule == GN__RULE_FLOAT && !gn__is_float(type))
        return gn__compute_type(l->types.result[n]);
    return type;
}

static int lower_operand(const lowering *l, int n, int slot) {
    const gn__node *node = &l->e->graph.nodes[n], *operand = &l->e->graph.nodes[node->arg[slot]];
    int type = wanted_type(l, n, slot);
    int value = gn__is_leaf(operand) ? lower_leaf(l, operand, type)
                                     : gn__cast(l->b, type, l->value[node->arg[slot]]);
    return gn__is_condition(node, slot) ? gn__cast(l->b, GN_BOOL, value) : value;
}

static int lower_sigmoid(gn__builder *b, int x) {
    int one = gn__const(b, gn__type_of(b, x), 1);
    int exp = gn__emit(b, GN_OP_EXP, gn__emit(b, GN_OP_NEG, x, 0, 0), 0, 0);
    return gn__emit(b, GN_OP_DIV, one, gn__emit(b, GN_OP_ADD, one, exp, 0), 0);
}

static int lower_softplus(gn__builder *b, int x) {
    int zero = gn__const(b, gn__type_of(b, x), 0);
    int minus = gn__emit(b, GN_OP_NEG, gn__emit(b, GN_OP_ABS, x, 0, 0), 0, 0);
    int tail = gn__emit(b, GN_OP_LOG1P, gn__emit(b, GN_OP_EXP, minus, 0, 0), 0, 0);
    return gn__emit(b, GN_OP_ADD, gn__emit(b, GN_OP_MAX, x, zero, 0), tail, 0);
}

/* An error in the words of tensors, before the builder finds one in its own. */
static gn_status check_type(const lowering *l, int n) {
    const gn__node *node = &l->e->graph.nodes[n];
    const gn__op *info = gn__op_info(node->op);
    const int type = wanted_type(l, n, info->arity - 1);
    if (node->op >= GN__OP_VARIABLE || info->types >> type & 1)
        return GN_OK;
    if (node->op == GN_OP_SUB)
        return gn_fail(GN_E_ARGUMENT, l->e->name, "subtract of bools; use logical_xor");
    if (node->op == GN_OP_NEG)
        return gn_fail(GN_E_ARGUMENT, l->e->name, "negative of a bool; use logical_not");
    return gn_fail(GN_E_ARGUMENT, l->e->name, "'%s' does not take %s", info->name,
                   dtype_names[l->types.operands[n]]);
}

/* The value of an operation, -1 with an error. */
static int lower_operation(const lowering *l, int n) {
    const gn__node *node = &l->e->graph.nodes[n];
    int x[3] = {0, 0, 0};
    if (check_type(l, n) != GN_OK)
        return -1;
    for (int slot = 0; slot < gn__node_arity(node); slot++)
        x[slot] = lower_operand(l, n, slot);
    switch (node->op) {
    case GN__OP_TRUEDIV: return gn__emit(l->b, GN_OP_DIV, x[0], x[1], 0);
    case GN__OP_SIGMOID: return lower_sigmoid(l->b, x[0]);
    case GN__OP_SOFTPLUS: return lower_softplus(l->b, x[0]);
    case GN__OP_BOTH: return gn__emit(l->b, GN_OP_AND, x[0], x[1], 0);
    case GN__OP_EITHER: return gn__emit(l->b, GN_OP_OR, x[0], x[1], 0);
    case GN__OP_NEITHER: return gn__emit(l->b, GN_OP_NOT, x[0], 0, 0);
    case GN__OP_INT: return gn__cast(l->b, GN_I64, x[0]);
    case GN__OP_BOOL:
    case GN__OP_FLOAT: return x[0];
    default: return gn__emit(l->b, node->op, x[0], x[1], x[2]);
    }
}

/* ---- The whole program */

/* A scalar of the call is passed in one form, integer or float: see program.h. */
static void find_whole_params(lowering *l) {
    const gn__node *nodes = l->e->graph.nodes;
    for (size_t n = 0; n < l->e->graph.n; n++)
        for (int slot = 0; slot < gn__node_arity(&nodes[n]); slot++) {
            const gn__node *leaf = &nodes[nodes[n].arg[slot]];
            if (leaf->op == GN_OP_PARAM && !gn__is_float(wanted_type(l, (int)n, slot)))
                l->whole_params[leaf->value.i] = true;
        }
    const gn__node *root = &nodes[l->e->root];
    if (root->op == GN_OP_PARAM && !gn__is_float(l->types.result[l->e->root]))
        l->whole_params[root->value.i] = true;
}

static void declare_inputs(lowering *l, const gn__signature *signature) {
    for (int i = 0; i < l->e->n_used; i++) {
        int variable = l->e->used[i];
        l->operand[variable] = gn__build_operand(l->b, GN_READ, signature->dtype[variable]);
    }
    for (int i = 0; i < l->e->n_params; i++)
        gn__build_param(l->b);
}

/* The root's value, summed if that is wanted, into the last operand. */
static void store_result(lowering *l, const gn__signature *signature, bool sum) {
    const int root = l->e->root, type = l->types.result[root];
    int value = gn__is_leaf(&l->e->graph.nodes[root])
                    ? lower_leaf(l, &l->e->graph.nodes[root], gn__compute_type(type))
                    : gn__cast(l->b, gn__compute_type(type), l->value[root]);
    int dtype = signature->result > 0 ? signature->result : type;
    if (sum) {
        if (type == GN_BOOL) { /* counted */
            value = gn__cast(l->b, GN_I64, value);
            dtype = signature->result > 0 ? signature->result : GN_I64;
        }
        value = gn__reduce_value(l->b, GN_SUM, value, 0);
    }
    gn__store(l->b, gn__build_operand(l->b, GN_WRITE, dtype), value);
}

static const gn_program *lower(lowering *l, const gn__signature *signature, bool sum) {
    if (gn__infer(l->e, signature, &l->types) != GN_OK)
        return NULL;
    l->b = gn__builder_new(l->e->name, 0);
    if (l->b == NULL)
        return NULL;
    find_whole_params(l);
    declare_inputs(l, signature);
    bool lowered = true;
    for (int n = 0; lowered && n < (int)l->e->graph.n; n++)
        if (!gn__is_leaf(&l->e->graph.nodes[n]))
            lowered = (l->value[n] = lower_operation(l, n)) >= 0;
    if (lowered)
        store_result(l, signature, sum);
    const gn_program *program = gn__builder_finish(l->b);
    return lowered ? program : NULL;
}

static const gn_program *instantiate(const gn__expr *e, const gn__signature *signature, bool sum) {
    const gn_program *program = NULL;
    lowering l = {.e = e};
    l.value = gn__alloc_array(e->graph.n, sizeof *l.value);
    l.types.operands = gn__alloc_array(e->graph.n, 1);
    l.types.result = gn__alloc_array(e->graph.n, 1);
    if (l.value && l.types.operands && l.types.result)
        program = lower(&l, signature, sum);
    free(l.value);
    free(l.types.operands);
    free(l.types.result);
    return program;
}

/* ---- The cache */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of adding to a cache */

/* The signature without the variables that do not occur, 1 byte for each of the others. */
static inline gn__key make_key(const gn__expr *e, const gn__signature *signature, bool sum) {
    uint64_t dtype, zero_dim;
    uint16_t more_dtype, more_zero_dim;
    memcpy(&dtype, signature->dtype, 8);
    memcpy(&zero_dim, signature->zero_dim, 8);
    memcpy(&more_dtype, signature->dtype + 8, 2);
    memcpy(&more_zero_dim, signature->zero_dim + 8, 2);
    return (gn__key){.low = (dtype | zero_dim << 4) & e->mask.low,
                     .high = ((more_dtype | (uint64_t)more_zero_dim << 4) & e->mask.high) |
                             (uint64_t)(uint8_t)signature->result << 16 |
                             (uint64_t)signature->float_params << 24 | (uint64_t)sum << 25 |
                             (uint64_t)(uint8_t)signature->floats << 26};
}
_Static_assert(GN__MAX_VARIABLES == 10 && GN_N_DTYPES <= 16, "the key has room for a signature");

static inline const gn_program *look_up(const gn__cache *cache, gn__key key) {
    for (; cache; cache = atomic_load_explicit(&cache->next, memory_order_acquire))
        for (size_t i = 0; i < GN_LENGTH(cache->slots); i++) {
            const gn_program *program =
                atomic_load_explicit(&cache->slots[i].program, memory_order_acquire);
            if (program == NULL)
                return NULL;
            if (cache->slots[i].key.low == key.low && cache->slots[i].key.high == key.high)
                return program;
        }
    return NULL;
}

/* Remembers the program. Without memory for that it is made again the next time. */
static void add(gn__cache *cache, gn__key key, const gn_program *program) {
    for (;;) {
        for (size_t i = 0; i < GN_LENGTH(cache->slots); i++) {
            if (atomic_load_explicit(&cache->slots[i].program, memory_order_relaxed))
                continue;
            cache->slots[i].key = key;
            atomic_store_explicit(&cache->slots[i].program, program, memory_order_release);
            return;
        }
        gn__cache *next = atomic_load_explicit(&cache->next, memory_order_relaxed);
        if (next == NULL) {
            next = calloc(1, sizeof *next);
            if (next == NULL)
                return;
            atomic_store_explicit(&cache->next, next, memory_order_release);
        }
        cache = next;
    }
}

static const gn_program *make(gn__expr *e, const gn__signature *signature, bool sum) {
    const gn__key key = make_key(e, signature, sum);
    const gn_program *program = instantiate(e, signature, sum);
    if (program == NULL)
        return NULL;
    pthread_mutex_lock(&lock);
    if (look_up(&e->cache, key) == NULL) /* another thread may have made the same one */
        add(&e->cache, key, program);
    pthread_mutex_unlock(&lock);
    return program;
}

const gn_program *gn__expr_program(gn__expr *e, const gn__signature *signature) {
    const gn_program *program = look_up(&e->cache, make_key(e, signature, false));
    return __builtin_expect(program != NULL, 1) ? program : make(e, signature, false);
}

const gn_program *gn__expr_sum_program(gn__expr *e, const gn__signature *signature) {
    const gn_program *program = look_up(&e->cache, make_key(e, signature, true));
    return __builtin_expect(program != NULL, 1) ? program : make(e, signature, true);
}

int gn__expr_result_dtype(gn__expr *e, const gn__signature *signature) {
    const gn_program *program = gn__expr_program(e, signature);
    return program ? program->operands[program->n_operands - 1].dtype : -1;
}
