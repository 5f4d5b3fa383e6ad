/* SPDX-License-Identifier: Apache-2.0 */
/*
 * autograd.h (internal) - the graph of recorded operations, and how operations record themselves.
 *
 *     gn_tensor *y = ...compute from a and b...;
 *     gn_tensor *inputs[] = {a, b};
 *     if (gn__recording(2, inputs)) {
 *         gn__node *node = gn__record(&matmul_node, y, 2, inputs, 0);
 *         if (!node) return NULL;
 *         if (gn__needs(node, 0)) gn__save(node, 1, b);
 *         if (gn__needs(node, 1)) gn__save(node, 0, a);
 *     }
 *     return y;
 *
 * An edge leads from each input to the place that its gradient goes to; inputs that need none have
 * an empty edge, so gradients never shift from one input to another.
 */
#ifndef GENESIS_AUTOGRAD_INTERNAL_H
#define GENESIS_AUTOGRAD_INTERNAL_H

#include <genesis/autograd.h>

#include "../tensor/tensor.h"

typedef struct gn__node gn__node;

/* The kind of an operation. */
typedef struct gn__node_class {
    const char *name; /* "matmul": shown by gn_grad_fn and in errors */
    /* grads[i]: the gradient of output i, or NULL for zero (never NULL if there is one output).
     * Sets out[k], for each input k with gn__needs(node, k), to a tensor of that input's shape and
     * dtype, or leaves NULL for zero. Written in public ops, so it records itself under
     * create_graph. Runs in a scope of its own. */
    gn_status (*backward)(gn__node *node, gn_tensor *const *grads, gn_tensor **out);
    /* Instead of backward: computes the outputs anew from the inputs, recorded this time, and the
     * walk goes on through what that recorded. */
    gn_status (*recompute)(gn__node *node, gn_tensor **outputs);
    /* Whether backward can add to what its first input has received so far. Then out[0] may be that
     * on entry, unless the walk is recorded: row-major, and seen by nobody else. Backward adds to
     * it in place and leaves it there. */
    bool adds;
    void (*destroy)(void *data); /* of the node's data, or NULL */
} gn__node_class;

typedef struct gn__edge {
    gn__node *node; /* where the gradient goes: an operation's output .. */
    uint32_t output;
    gn_tensor *leaf; /* .. or a leaf; both NULL: not wanted */
} gn__edge;

typedef struct gn__saved {
    gn_tensor *tensor;
    uint32_t version;   /* of the storage when it was saved */
    int32_t own_output; /* >= 0: this output of the node itself, kept without its history */
} gn__saved;

enum { GN__MAX_SAVED = 10 };

struct gn__node {
    gn__object object;
    const gn__node_class *type;
    const char *name;  /* type->name, unless the operation sets another one */
    uint64_t sequence; /* grows with time: a node comes after all that it depends on */
    int n_inputs, n_outputs;
    gn__edge *edges; /* n_inputs */
    int n_saved;
    bool freed; /* saved tensors are gone: a second walk is an error */
    gn__saved saved[GN__MAX_SAVED];
    struct { /* of each input: what its gradient must look like */
        gn__device *device;
        int8_t dtype, n_dims;
        int64_t size[GN_TENSOR_MAX_DIMS];
    } * inputs;
    void *data; /* the operation's own attributes */
    struct gn__watch
        *watches; /* per output: hooks and retained gradients; NULL if there are none */
    char *module; /* whose forward recorded it; NULL unless NaNs are looked for */
};

/* A module whose forward runs on this thread; on the stack of gn_forward. */
typedef struct gn__running {
    const struct gn__running *outer;
    void *module;
    /* Writes the path of the innermost one: "layers.0.fc (Linear)". */
    void (*describe)(const struct gn__running *innermost, char *text, size_t bytes);
} gn__running;

/* Whether t requires a gradient. A view's answer is behind when its base has changed: see
 * history.c. */
bool gn__records(const gn_tensor *t);

/* Whether an operation on these inputs (NULLs are skipped) is to be recorded. */
bool gn__recording(int n, gn_tensor *const *inputs);

/* Makes the node of an operation, whose outputs are computed already, and sets it as the output's
 * history. data_bytes of zeroed data come with it. Inputs may contain NULL. NULL with an error:
 * return NULL then. */
gn__node *gn__record(const gn__node_class *type, gn_tensor *output, int n, gn_tensor *const *inputs,
                     size_t data_bytes);
/* The same for several outputs (not floating-point ones are left without history), and under a name
 * of its own; NULL: the type's. */
gn__node *gn__record_outputs(const gn__node_class *type, const char *name, int n_outputs,
                             gn_tensor *const *outputs, int n, gn_tensor *const *inputs,
                             size_t data_bytes);

/* The shape of an input, which its gradient must have. */
static inline gn_shape gn__input_shape(const gn__node *node, int input) {
    return gn__shape(node->inputs[input].n_dims, node->inputs[input].size);
}

static inline bool gn__needs(const gn__node *node, int input) {
    return node->edges[input].node || node->edges[input].leaf;
}

/* Keeps a tensor for backward in a slot (0 .. GN__MAX_SAVED-1). */
void gn__save(gn__node *node, int slot, gn_tensor *t);
/* Keeps output i of the node itself. */
void gn__save_output(gn__node *node, int slot, gn_tensor *t, int output);
/* The tensor in a slot, borrowed or owned by the scope; NULL (without error) if the slot is empty,
 * NULL with an error if it was changed in place since. */
gn_tensor *gn__saved_tensor(gn__node *node, int slot);

/* Lets the gradients out[0 .. n-1] that a backward of this node computed without recording refuse
 * to be differentiated, where that would be asked for. */
gn_status gn__once_differentiable(gn__node *node, gn_tensor *const *grads, int n, gn_tensor **out);

/* In-place operations are out-of-place ones whose result moves into the tensor:
 *
 *     if (gn__inplace_begin("add_", a)) return NULL;
 *     ...change a's data, or compute `result`, recorded on the old a...
 *     return gn__inplace_end(a, result);
 *
 * begin refuses leaves that require a gradient, and settles the layout. end counts the change and
 * hands the history of `result` (NULL: the change was not recorded) to a, and through a view to the
 * tensor that owns the data. The data is already in a. Returns a, or NULL with an error. */
gn_status gn__inplace_begin(const char *op, gn_tensor *t);
gn_tensor *gn__inplace_end(gn_tensor *t, gn_tensor *result);

/* The history of t as it is now: of a view, made anew when its base was changed in place. */
gn__node *gn__history(const gn_tensor *t);

#endif
