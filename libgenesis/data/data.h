/* SPDX-License-Identifier: Apache-2.0 */
/*
 * data.h (internal) - arrays read from files, and what a data set is made of.
 */
#ifndef GENESIS_DATA_INTERNAL_H
#define GENESIS_DATA_INTERNAL_H

#include <genesis/data.h>
#include <genesis/shape_ops.h>

#include "../tensor/tensor.h"

/* An array in host memory, row-major, in the host's byte order. */
typedef struct gn__idx {
    void *data; /* free() it */
    int dtype;
    gn_shape shape;
    int64_t count;
} gn__idx;

/* Reads a file in the IDX format, plain or gzip'd. `hint` is appended to the error if there is no
 * such file; NULL: nothing. */
gn_status gn__idx_read(const char *path, const char *hint, gn__idx *out);

/* ---- The host's side of tensors (host_memory.c)
 *
 * Reads and writes elements without the device's queue where the host sees its memory and the
 * device is synchronous, so that threads of loaders run beside the training; else by copies. */
typedef struct gn__host {
    gn_tensor *tensor;
    void *data; /* its elements, row-major */
    void *copy; /* NULL: data is the tensor's own memory */
} gn__host;

/* Whether that takes no copies. */
bool gn__host_sees(const gn_tensor *t);
/* t for reading. What fails leaves out->data NULL. */
gn_status gn__host_read(gn_tensor *t, gn__host *out);
/* A tensor to be filled. */
gn_status gn__host_new(gn__device *device, int dtype, gn_shape shape, gn__host *out);
/* Ends reading. */
void gn__host_close(gn__host *host);
/* Ends filling; the tensor, or NULL with an error. */
gn_tensor *gn__host_finish(gn__host *host);

/* ---- Data sets */

typedef struct gn__dataset_class {
    const char *name;
    /* Sample `index`, owned by the scope. Iterable sets: the next one; x stays NULL at the end. */
    gn_status (*get)(gn_dataset *self, int64_t index, gn_generator *generator, gn_sample *out);
    /* Samples stacked, of sets that are `batched`. */
    gn_status (*get_batch)(gn_dataset *self, const int64_t *indices, int64_t n, gn_sample *out);
    gn_status (*begin)(gn_dataset *self); /* of iterable sets, NULL: nothing to do */
    void (*destroy)(gn_dataset *self);
} gn__dataset_class;

struct gn_dataset {
    gn__object object;
    const gn__dataset_class *type;
    int64_t size; /* samples; -1: iterable */
    bool batched; /* get_batch works, and the samples need no random numbers */
};

/* A set of a kind, whose struct of so many bytes begins with gn_dataset; the caller's reference. */
void *gn__dataset_new(const gn__dataset_class *type, size_t bytes, int64_t size);
/* Whether it has samples to be taken by index; false with an error. */
bool gn__dataset_indexed(const char *op, const gn_dataset *dataset);
/* A copy, to be freed; NULL with an error. indices may be NULL if there are none. */
int64_t *gn__indices_copy(const int64_t *indices, int64_t count);

enum { GN__SAMPLE_FIELDS = 2 + GN_SAMPLE_EXTRAS };
gn_tensor **gn__field(gn_sample *sample, int k);
void gn__sample_retain(const gn_sample *sample);
void gn__sample_release(gn_sample *sample);

/* ---- Batches (collate.c) */

/* The slices of a row-major tensor, stacked. */
gn_tensor *gn__gather(gn_tensor *source, const int64_t *indices, int64_t n);
/* The default gn_collate. */
gn_status gn__collate(void *context, const gn_sample *samples, int64_t n, gn_sample *batch);

/* ---- Samplers */

struct gn_sampler {
    gn__object object;
    const struct gn__sampler_class *type;
    int64_t count;
    bool random;
    int64_t n_batches, *batch_end; /* of a batch sampler; NULL: the loader cuts */
};

#endif
