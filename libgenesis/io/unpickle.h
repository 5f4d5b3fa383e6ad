/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpickle.h (internal) - what unpickle*.c share: the machine, and the values that it builds.
 */
#ifndef GENESIS_IO_UNPICKLE_H
#define GENESIS_IO_UNPICKLE_H

#include "pickle.h"

typedef enum gn__node_kind {
    GN__NODE_NONE,
    GN__NODE_BOOL,
    GN__NODE_INT,
    GN__NODE_FLOAT,
    GN__NODE_STRING,
    GN__NODE_TUPLE,
    GN__NODE_LIST,
    GN__NODE_DICT, /* items are keys and values in turn */
    GN__NODE_TENSOR,
    /* These are of use to the machine only. */
    GN__NODE_GLOBAL,
    GN__NODE_STORAGE,
    GN__NODE_MARK
} gn__node_kind;

/* What a storage is: dtype, key, number of elements. */
typedef struct gn__storage_ref {
    const char *key;
    int dtype;
    int64_t count;
} gn__storage_ref;

typedef struct gn__node gn__node;
struct gn__node {
    uint8_t kind;   /* gn__node_kind */
    uint8_t global; /* of GLOBAL: gn__global_id */
    int8_t dtype;   /* of GLOBAL that is a storage */
    bool open;      /* unpickle_dict.c is at work on it */
    uint32_t n, capacity;
    union {
        int64_t integer; /* and truth values */
        double number;
        const char *text;
        gn__node **items;
        const gn__storage_ref *storage;
        const gn__tensor_spec *tensor;
    };
    void *made;            /* by unpickle_dict.c: the tensor or dictionary, owned by the scope */
    struct gn__node *next; /* all that have items, to free those */
};

/* Memory for nodes and texts, freed at once. */
typedef struct gn__arena {
    struct gn__chunk *chunks;
    size_t used;      /* of the first chunk */
    gn__node *filled; /* nodes with items */
} gn__arena;

/* ---- The machine (unpickle.c) */

typedef struct gn__machine {
    gn__arena *arena;
    const char *path;
    const unsigned char *bytes;
    size_t n, at;
    gn__node **stack;
    size_t depth, capacity;
    gn__node **memo; /* by number; NULL: not set */
    size_t n_memo, memo_capacity;
    bool stopped;
} gn__machine;

gn_status gn__machine_wrong(const gn__machine *m, const char *why);
/* Memory of the arena, zeroed; NULL with an error. */
void *gn__machine_take(gn__machine *m, size_t bytes);
gn__node *gn__machine_make(gn__machine *m, gn__node_kind kind);
gn_status gn__machine_push(gn__machine *m, gn__node *node); /* NULL: an error before */
gn__node *gn__machine_pop(gn__machine *m);                  /* NULL with an error */
/* What is on top, if it is of the kind; else NULL and an error that says why. */
gn__node *gn__machine_top(gn__machine *m, gn__node_kind kind, const char *why);
/* The next line of the pickle, without its end; NULL with an error. */
const char *gn__machine_line(gn__machine *m);

/* Opcodes of unpickle_calls.c. */
gn_status gn__opcode_global(gn__machine *m);
gn_status gn__opcode_stack_global(gn__machine *m);
gn_status gn__opcode_persistent(gn__machine *m);
gn_status gn__opcode_reduce(gn__machine *m);
gn_status gn__opcode_build(gn__machine *m);

/* Runs the machine. The node that the pickle stands for, valid until the arena is freed; NULL with
 * an error. */
gn__node *gn__unpickle_run(gn__arena *arena, const char *path, const unsigned char *bytes,
                           size_t n);
void gn__arena_free(gn__arena *arena);

#endif
