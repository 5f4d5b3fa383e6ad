/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpickle_calls.c - the opcodes by which a pickle imports and calls functions of Python. Here they
 * may name what globals.c lists, and make tensors and dictionaries themselves.
 */
#include "unpickle.h"

static const char op[] = "load";

static gn_status push_global(gn__machine *m, const char *module, const char *name) {
    int dtype = 0;
    gn__global_id id = gn__global_find(module, name, &dtype);
    if (id == GN__GLOBAL_UNKNOWN)
        return gn_fail(GN_E_FORMAT, op,
                       "%s: its pickle wants Python's %.100s.%.100s, and nothing of Python is run: "
                       "files may hold tensors, dictionaries, lists, numbers and strings",
                       m->path, module, name);
    gn__node *node = gn__machine_make(m, GN__NODE_GLOBAL);
    if (node) {
        node->global = (uint8_t)id;
        node->dtype = (int8_t)dtype;
    }
    return gn__machine_push(m, node);
}

gn_status gn__opcode_global(gn__machine *m) {
    const char *module = gn__machine_line(m), *name = module ? gn__machine_line(m) : NULL;
    return name ? push_global(m, module, name) : gn_error_status();
}

gn_status gn__opcode_stack_global(gn__machine *m) {
    gn__node *name = gn__machine_pop(m), *module = name ? gn__machine_pop(m) : NULL;
    if (module == NULL)
        return gn_error_status();
    if (name->kind != GN__NODE_STRING || module->kind != GN__NODE_STRING)
        return gn__machine_wrong(m, "names a global by no string");
    return push_global(m, module->text, name->text);
}

/* ("storage", storage class, key, location, number of elements): where a tensor's elements are. */
gn_status gn__opcode_persistent(gn__machine *m) {
    gn__node *id = gn__machine_pop(m);
    if (id == NULL)
        return gn_error_status();
    gn__node **part = id->items;
    if (id->kind != GN__NODE_TUPLE || id->n != 5 || part[0]->kind != GN__NODE_STRING ||
        strcmp(part[0]->text, "storage") != 0 || part[1]->kind != GN__NODE_GLOBAL ||
        part[1]->global != GN__GLOBAL_STORAGE || part[2]->kind != GN__NODE_STRING ||
        part[4]->kind != GN__NODE_INT || part[4]->integer < 0)
        return gn__machine_wrong(m, "refers to something else than a storage of elements");
    gn__storage_ref *ref = gn__machine_take(m, sizeof *ref);
    gn__node *node = ref ? gn__machine_make(m, GN__NODE_STORAGE) : NULL;
    if (node == NULL)
        return gn_error_status();
    *ref =
        (gn__storage_ref){.key = part[2]->text, .dtype = part[1]->dtype, .count = part[4]->integer};
    node->storage = ref;
    return gn__machine_push(m, node);
}

/* Reads a tuple of numbers >= 0 and returns how many, or -1 with an error. */
static int read_sizes(gn__machine *m, const gn__node *tuple, int64_t out[GN_TENSOR_MAX_DIMS]) {
    if (tuple->kind != GN__NODE_TUPLE)
        return gn__machine_wrong(m, "the shape of a tensor is no tuple"), -1;
    if (tuple->n > GN_TENSOR_MAX_DIMS)
        return gn_fail(GN_E_UNSUPPORTED, op, "%s: a tensor has %u dims, more than %d", m->path,
                       tuple->n, GN_TENSOR_MAX_DIMS),
               -1;
    for (uint32_t d = 0; d < tuple->n; d++) {
        out[d] = tuple->items[d]->integer;
        if (tuple->items[d]->kind != GN__NODE_INT || out[d] < 0)
            return gn__machine_wrong(m, "a size or stride of a tensor is no number >= 0"), -1;
    }
    return (int)tuple->n;
}

/* Whether offset, sizes and strides stay inside the storage. */
static bool inside(const gn__tensor_spec *spec) {
    int64_t last = spec->offset, step, bytes;
    bool empty = false, fits = spec->offset >= 0 && spec->offset <= spec->storage_count;
    for (int d = 0; d < spec->n_dims; d++)
        empty = empty || spec->size[d] == 0;
    for (int d = 0; d < spec->n_dims && !empty; d++)
        fits = fits && gn__mul(spec->size[d] - 1, spec->stride[d], &step) &&
               gn__add(last, step, &last);
    return fits && (empty || last < spec->storage_count) &&
           gn__tensor_bytes(spec->dtype, spec->n_dims, spec->size, &bytes);
}

/* (storage, offset, sizes, strides, requires_grad, hooks, ..): the rest is of no use here. */
static gn_status rebuild_tensor(gn__machine *m, const gn__node *arguments) {
    gn__node **part = arguments->items;
    if (arguments->n < 4 || part[0]->kind != GN__NODE_STORAGE || part[1]->kind != GN__NODE_INT)
        return gn__machine_wrong(m,
                                 "a tensor is not made of a storage, an offset, sizes and strides");
    gn__tensor_spec *spec = gn__machine_take(m, sizeof *spec);
    gn__node *node = spec ? gn__machine_make(m, GN__NODE_TENSOR) : NULL;
    if (node == NULL)
        return gn_error_status();
    const gn__storage_ref *storage = part[0]->storage;
    *spec = (gn__tensor_spec){.key = storage->key,
                              .dtype = storage->dtype,
                              .storage_count = storage->count,
                              .offset = part[1]->integer};
    spec->n_dims = read_sizes(m, part[2], spec->size);
    int strides = spec->n_dims >= 0 ? read_sizes(m, part[3], spec->stride) : -1;
    if (strides < 0)
        return gn_error_status();
    if (strides != spec->n_dims)
        return gn__machine_wrong(m, "a tensor has not as many strides as sizes");
    if (!inside(spec))
        return gn__machine_wrong(m, "a tensor reaches beyond its storage");
    node->tensor = spec;
    return gn__machine_push(m, node);
}

gn_status gn__opcode_reduce(gn__machine *m) {
    gn__node *arguments = gn__machine_pop(m), *function = arguments ? gn__machine_pop(m) : NULL;
    if (function == NULL)
        return gn_error_status();
    if (function->kind != GN__NODE_GLOBAL || arguments->kind != GN__NODE_TUPLE)
        return gn__machine_wrong(m, "calls what is no function");
    switch (function->global) {
    case GN__GLOBAL_ORDERED_DICT:
        return arguments->n == 0 ? gn__machine_push(m, gn__machine_make(m, GN__NODE_DICT))
                                 : gn__machine_wrong(m, "an OrderedDict has arguments");
    case GN__GLOBAL_REBUILD_TENSOR: return rebuild_tensor(m, arguments);
    case GN__GLOBAL_REBUILD_PARAMETER:
        return arguments->n > 0 && arguments->items[0]->kind == GN__NODE_TENSOR
                   ? gn__machine_push(m, arguments->items[0])
                   : gn__machine_wrong(m, "a parameter is made of no tensor");
    case GN__GLOBAL_SIZE:
        return arguments->n == 1 && arguments->items[0]->kind == GN__NODE_TUPLE
                   ? gn__machine_push(m, arguments->items[0])
                   : gn__machine_wrong(m, "a torch.Size is made of no tuple");
    default: return gn__machine_wrong(m, "calls a class of storages");
    }
}

/* Attributes of an OrderedDict: state dicts have versions of modules there, of no use here. */
gn_status gn__opcode_build(gn__machine *m) {
    if (gn__machine_pop(m) == NULL)
        return gn_error_status();
    return gn__machine_top(m, GN__NODE_DICT, "sets attributes of no dictionary")
               ? GN_OK
               : gn_error_status();
}
