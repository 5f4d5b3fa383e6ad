/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tensor.h (internal) - the tensor itself, and what operations need to make and check tensors.
 */
#ifndef GENESIS_TENSOR_INTERNAL_H
#define GENESIS_TENSOR_INTERNAL_H

#include <string.h>

#include <genesis/tensor.h>

#include "../runtime/runtime.h"

struct gn__node;    /* autograd/autograd.h */
struct gn__builder; /* program/program.h */
struct gn__hooks;

/*
 * Invariants: every element named by size, stride and offset lies inside the storage; count is the
 * product of the sizes; a tensor with history (node) is of floating-point dtype.
 *
 * hidden_layout: core chose the strides (channels-last images), and the user has not seen them.
 * Operations take any strides; what would show the strides or alias the data (views, gn_data,
 * gn_stride, in-place by the user) calls gn__settle first, which makes the tensor row-major.
 */
struct gn_tensor {
    gn__object object;
    gn__storage *storage;
    int64_t offset; /* elements */
    int64_t count;
    int64_t size[GN_TENSOR_MAX_DIMS];
    int64_t stride[GN_TENSOR_MAX_DIMS];
    int8_t dtype, n_dims;
    bool requires_grad; /* leaf that wants a gradient, or has a node */
    bool hidden_layout;
    bool retains_grad;
    bool inference;        /* its data was made in inference mode */
    uint32_t output;       /* which output of node it is */
    struct gn__node *node; /* the operation that made it; NULL for leaves */
    gn_tensor *grad;
    gn_tensor *base;     /* of a view: the tensor that owns the data; NULL otherwise */
    uint32_t base_epoch; /* see autograd/history.c */
    struct gn__hooks *hooks;
};

/* ---- Making tensors: owned by the scope */

/* Uninitialised, row-major. */
gn_tensor *gn__tensor_new(gn__device *device, int dtype, int n_dims, const int64_t *size);
/* Uninitialised, with sizes and dim order of memory like `like` (dense; keeps hidden_layout). */
gn_tensor *gn__tensor_like(const gn_tensor *like, int dtype);
/* Uninitialised and dense, with the dim order of memory of `like`, which may have gaps and other
 * sizes; row-major where it is expanded or has another number of dims. */
gn_tensor *gn__tensor_ordered(gn__device *device, int dtype, int n_dims, const int64_t *size,
                              const gn_tensor *like);
/* Uninitialised (N, C, spatial..) with C innermost in memory and hidden_layout set. */
gn_tensor *gn__tensor_channels_last(gn__device *device, int dtype, int n_dims, const int64_t *size);
/* By public options (NULL: none), whose dtype 0 means `standard`. */
gn_tensor *gn__tensor_from_options(const char *op, gn_shape shape, const gn_tensor_options *options,
                                   int standard);
/* Over a storage, of which it takes over the caller's reference even on failure; stride NULL:
 * row-major. The caller knows that all elements lie inside. */
gn_tensor *gn__tensor_over(gn__storage *storage, int dtype, int n_dims, const int64_t *size,
                           const int64_t *stride, int64_t offset);
/* Shares the storage of `t`, settled before; no history: autograd is the caller's business. */
gn_tensor *gn__tensor_alias(gn_tensor *t, int n_dims, const int64_t *size, const int64_t *stride,
                            int64_t offset);
/* A new tensor object with the same everything, hidden layout included, but no history. */
gn_tensor *gn__tensor_twin(const gn_tensor *t);

/* Makes the strides row-major if the layout is hidden. */
gn_status gn__settle(gn_tensor *t);

/* ---- Shapes and strides */

int64_t gn__count(int n_dims, const int64_t *size); /* -1: overflow */
void gn__row_major(int n_dims, const int64_t *size, int64_t *stride);
bool gn__is_row_major(const gn_tensor *t);
/* Without gaps or overlaps, in some order of dims. */
bool gn__is_dense(const gn_tensor *t);
/* Whether two coordinates may name one element: true unless each stride steps over all that the
 * smaller ones reach. Strides are not negative. */
bool gn__overlaps(int n_dims, const int64_t *size, const int64_t *stride);
/* The dims from the largest stride to the smallest. */
gn_shape gn__memory_order(const gn_tensor *t);
/* Strides in the channels-last order, size-1 dims ignored. */
bool gn__is_channels_last(const gn_tensor *t);
bool gn__same_shape(const gn_tensor *a, const gn_tensor *b);
/* n sizes (or strides) as a gn_shape. */
static inline gn_shape gn__shape(int n, const int64_t *size) {
    gn_shape shape = {.n = n};
    if (n) /* size may be NULL otherwise */
        memcpy(shape.size, size, (size_t)n * sizeof *size);
    return shape;
}
static inline const char *gn__shape_of(const gn_tensor *t) {
    return gn__shape_text(t->n_dims, t->size);
}

/* A dim given by the user as 0 .. n-1; false with an error GN_E_ARGUMENT that names the op. A 0-dim
 * tensor takes 0 and -1. */
bool gn__dim(const char *op, int64_t dim, int n_dims, int *out);

/* The common shape of n tensors (NULL ones are skipped); false with an error that shows the
 * shapes. */
bool gn__broadcast(const char *op, int n, gn_tensor *const *t, int *n_dims, int64_t *size);

/* The device of n tensors: all the same, but 0-dim cpu tensors join any. NULL with an error. */
gn__device *gn__common_device(const char *op, int n, gn_tensor *const *t);
/* t itself, or the 0-dim cpu tensor copied to the device. */
gn_tensor *gn__joined(gn_tensor *t, gn__device *device);

/* An error GN_E_ARGUMENT if t is NULL, so that a failed chain never crashes. */
bool gn__given(const char *op, const gn_tensor *t);

/* ---- Operands for launches: t seen through a space of n_dims sizes, broadcast from the right */

gn__operand gn__operand_of(const gn_tensor *t, int n_dims, const int64_t *size);
gn__operand gn__operand_index(int64_t start); /* strides to be set by the caller */
/* start + times * the row-major number of the element. */
gn__operand gn__operand_numbers(int n_dims, const int64_t *size, int64_t start, int64_t times);

/* ---- Data, without history */

/* Copies (and converts, broadcasts) source into target by one map; any strides. */
gn_status gn__copy_data(gn_tensor *target, gn_tensor *source);
gn_status gn__fill_data(gn_tensor *target, double value);
/* t if dense in row-major order, else a copy that is: no history. */
gn_tensor *gn__row_major_copy(gn_tensor *t);
/* t if channels-last, else a copy that is. */
gn_tensor *gn__channels_last_copy(gn_tensor *t);

/* Fills t from a host array of any dtype. */
gn_status gn__copy_in_data(gn_tensor *t, const void *data, int dtype, int64_t count);

/* ---- Elements on the host (host.c) */

gn_scalar gn__host_load(const void *element, int dtype);
void gn__host_store(void *element, int dtype, gn_scalar value);
/* Truncates; NaN gives 0, and what is too large the nearest bound. */
int64_t gn__to_int(double value);
/* count elements from one dtype to another, as programs cast them. */
void gn__convert(void *to, int to_dtype, const void *from, int from_dtype, int64_t count);

/* ---- Random (random.c) */

/* Takes one step of the generator (NULL: the default one): the key and the offset of RANDOM. */
void gn__random_step(gn_generator *generator, int64_t *key, int64_t *offset);
/* Exponential numbers, with the mean 1 / rate. Returns t. */
gn_tensor *gn__exponential_data(gn_tensor *t, double rate, gn_generator *generator);
/* The four words of a Philox block, as RANDOM defines them; index counts blocks. */
void gn__philox(uint64_t index, uint64_t offset, uint64_t key, uint32_t out[4]);
/* The value of a normal number, in a program for f32 or f64, from two words of RANDOM (normal.c). */
int gn__build_normal(struct gn__builder *b, int type, int first, int second);
/* 0 .. n-1 in random order. */
gn_status gn__permutation(int64_t *out, int64_t n, gn_generator *generator);
/* Fill t, return it; NULL with an error. */
gn_tensor *gn__uniform_data(gn_tensor *t, double low, double high, gn_generator *generator);
gn_tensor *gn__normal_data(gn_tensor *t, double mean, double std, gn_generator *generator);

#endif
