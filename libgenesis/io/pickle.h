/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pickle.h (internal) - Python's pickles of dictionaries, lists, numbers, strings and tensors, as
 * torch.save writes them (protocol 2). Reading executes nothing: a pickle is a program for a stack
 * machine, and here the machine can only build these values.
 */
#ifndef GENESIS_IO_PICKLE_H
#define GENESIS_IO_PICKLE_H

#include "io.h"

/* ---- Globals of PyTorch (globals.c): what a pickle may name */

typedef enum gn__global_id {
    GN__GLOBAL_UNKNOWN,
    GN__GLOBAL_ORDERED_DICT,
    GN__GLOBAL_REBUILD_TENSOR,
    GN__GLOBAL_REBUILD_PARAMETER,
    GN__GLOBAL_SIZE,
    GN__GLOBAL_STORAGE /* of a dtype */
} gn__global_id;

/* What "module" and "name" mean; *dtype is that of a storage. */
gn__global_id gn__global_find(const char *module, const char *name, int *dtype);
/* The name of a dtype's storage in the module torch; NULL: there is none. */
const char *gn__global_storage(int dtype);

/* ---- Reading (unpickle.c builds values, unpickle_dict.c makes a dictionary of them) */

/* A tensor over a storage of another place, all of whose elements lie inside. */
typedef struct gn__tensor_spec {
    const char *key; /* of the storage */
    int dtype;
    int64_t storage_count; /* elements of the storage */
    int64_t offset;        /* elements */
    int n_dims;
    int64_t size[GN_TENSOR_MAX_DIMS], stride[GN_TENSOR_MAX_DIMS];
} gn__tensor_spec;

/* The dictionary that a pickle stands for, owned by the scope; a lone tensor comes in one, as
 * "tensor". `make` gives the tensors, owned by the scope or NULL with an error. */
gn_dict *gn__unpickle(const char *path, const void *bytes, size_t n,
                      gn_tensor *(*make)(void *context, const gn__tensor_spec *spec),
                      void *context);

/* ---- Writing (pickle.c) */

typedef struct gn__pickle {
    char *bytes; /* to be freed */
    size_t n, capacity;
} gn__pickle;

/* Appends the pickle of a dictionary. `key` tells the storage of a tensor, whose elements lie there
 * row-major from its start; negative with an error. */
gn_status gn__pickle_dict(gn__pickle *out, const gn_dict *dict,
                          int64_t (*key)(void *context, gn_tensor *t), void *context);

#endif
