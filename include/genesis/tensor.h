/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tensor.h - tensors: creation, properties, access to the data, views, copies, random numbers.
 *
 * A tensor is a strided view of device memory with a dtype and up to 8 dims. Dims count from 0, or
 * from the end with negative numbers. Every function that returns a gn_tensor returns it owned by
 * the innermost scope unless its comment says otherwise, and NULL with an error.
 */
#ifndef GENESIS_TENSOR_H
#define GENESIS_TENSOR_H

#include <genesis/device.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gn_tensor gn_tensor;
typedef struct gn_generator gn_generator;

/* ---- Creation. What is not named is the default: the default dtype (float32, unless
 * gn_set_default_dtype says otherwise) on the default device. */

typedef struct gn_tensor_options {
    size_t struct_size;
    const char *device;      /* NULL: the default device */
    int dtype;               /* a gn_dtype; 0: the default of the function */
    bool requires_grad;      /* floating-point dtypes only */
    gn_generator *generator; /* random functions; NULL: the default generator */
} gn_tensor_options;

/* Named options for the functions below: gn_zeros_with(GN_SHAPE(2, 3), GN_AS(.dtype = GN_I64)). */
#define GN_AS(...) GN_OPTIONS(gn_tensor_options, __VA_ARGS__)

/* Shapes are written out: gn_zeros(2, 3). The functions behind take a gn_shape and options. */
#define gn_empty(...) gn_empty_with(GN_SHAPE(__VA_ARGS__), NULL)
#define gn_zeros(...) gn_zeros_with(GN_SHAPE(__VA_ARGS__), NULL)
#define gn_ones(...) gn_ones_with(GN_SHAPE(__VA_ARGS__), NULL)
#define gn_rand(...) gn_rand_with(GN_SHAPE(__VA_ARGS__), NULL)
#define gn_randn(...) gn_randn_with(GN_SHAPE(__VA_ARGS__), NULL)

/* Uninitialised; zeros; ones; the value everywhere (a bool or integral value in a float dtype is
 * exact; a fractional one in an integer dtype is an error). */
GN_API gn_tensor *gn_empty_with(gn_shape shape, const gn_tensor_options *options);
GN_API gn_tensor *gn_zeros_with(gn_shape shape, const gn_tensor_options *options);
GN_API gn_tensor *gn_ones_with(gn_shape shape, const gn_tensor_options *options);
GN_API gn_tensor *gn_full(gn_shape shape, double value, const gn_tensor_options *options);

/* The same with shape, dtype and device of another tensor; without a gradient. */
GN_API gn_tensor *gn_empty_like(const gn_tensor *like);
GN_API gn_tensor *gn_zeros_like(const gn_tensor *like);
GN_API gn_tensor *gn_ones_like(const gn_tensor *like);
GN_API gn_tensor *gn_full_like(const gn_tensor *like, double value);
GN_API gn_tensor *gn_rand_like(const gn_tensor *like);
GN_API gn_tensor *gn_randn_like(const gn_tensor *like);

/* Uniform in [0, 1); normal with mean 0 and variance 1. Floating-point dtypes. */
GN_API gn_tensor *gn_rand_with(gn_shape shape, const gn_tensor_options *options);
GN_API gn_tensor *gn_randn_with(gn_shape shape, const gn_tensor_options *options);
/* Uniform integers in [low, high); int64 by default. */
GN_API gn_tensor *gn_randint(int64_t low, int64_t high, gn_shape shape,
                             const gn_tensor_options *options);
GN_API gn_tensor *gn_randint_like(const gn_tensor *like, int64_t low, int64_t high);
/* True (1) with probability p; bool by default. */
GN_API gn_tensor *gn_bernoulli(gn_shape shape, double p, const gn_tensor_options *options);
/* 1 with the probability that each element of p is, else 0; of p's dtype, without a gradient. */
GN_API gn_tensor *gn_bernoulli_of(gn_tensor *p, gn_generator *generator);
/* Normal numbers with means and standard deviations by elements, broadcast; differentiable. */
GN_API gn_tensor *gn_normal(gn_tensor *mean, gn_tensor *std, gn_generator *generator);
/* n draws from each row of weights, (C) -> (n), (N, C) -> (N, n) int64, with probabilities in
 * proportion to the weights: floats, not negative, with a positive finite sum. Without replacement
 * a row gives each index at most once, and must have n weights that are not 0. Waits for the
 * device. */
GN_API gn_tensor *gn_multinomial(gn_tensor *weights, int64_t n, bool replacement,
                                 gn_generator *generator);
/* A random permutation of 0 .. n-1; int64 by default. */
GN_API gn_tensor *gn_randperm(int64_t n, const gn_tensor_options *options);

/* start, start + step, ... below end (above it for a negative step). int64 if all three are
 * integral and no dtype is given, else the default dtype. */
GN_API gn_tensor *gn_arange(double start, double end, double step,
                            const gn_tensor_options *options);
/* steps numbers from start to end, both included, evenly apart; and base to the power of these. */
GN_API gn_tensor *gn_linspace(double start, double end, int64_t steps,
                              const gn_tensor_options *options);
GN_API gn_tensor *gn_logspace(double start, double end, int64_t steps, double base,
                              const gn_tensor_options *options);
/* The n x m matrix with ones on its diagonal; m < 0: square. */
GN_API gn_tensor *gn_eye(int64_t n, int64_t m, const gn_tensor_options *options);

/* (2, K) int64: rows and columns of the places on and below (above) diagonal `offset`. */
GN_API gn_tensor *gn_tril_indices(int64_t rows, int64_t columns, int64_t offset,
                                  const gn_tensor_options *options);
GN_API gn_tensor *gn_triu_indices(int64_t rows, int64_t columns, int64_t offset,
                                  const gn_tensor_options *options);

/* A tensor with the values of an array: gn_tensor_of((float[]){1, 2, 3, 4}, 2, 2). The dtype is
 * that of the array's elements (float, double, int64_t, int32_t, int16_t, int8_t, uint8_t, bool);
 * the data is copied. */
#define gn_tensor_of(array, ...)                                                                   \
    gn_tensor_from(array, GN_DTYPE_OF(array), GN_SHAPE(__VA_ARGS__), NULL)

/* Copies prod(shape) elements of `dtype` from host memory, row-major; options->dtype converts. */
GN_API gn_tensor *gn_tensor_from(const void *data, gn_dtype dtype, gn_shape shape,
                                 const gn_tensor_options *options);

/* A cpu tensor over the caller's memory, not copied, which `free_data` (NULL: nobody) gets when the
 * last tensor over it is freed. Needs a device that is host visible; alignment that of the dtype.
 */
GN_API gn_tensor *gn_tensor_wrap(void *data, gn_dtype dtype, gn_shape shape,
                                 void (*free_data)(void *context), void *context);

/* A 0-dim tensor of the default dtype, or the one given. */
GN_API gn_tensor *gn_scalar_tensor(double value, const gn_tensor_options *options);

/* ---- Properties. Errors give 0 or NULL. */

GN_API int64_t gn_dim(const gn_tensor *t); /* number of dims */
GN_API int64_t gn_size(const gn_tensor *t, int64_t dim);
GN_API gn_shape gn_shape_of(const gn_tensor *t);
/* "(32, 10)"; on an error "". Borrowed, good for the thread's next few calls, errors included. */
GN_API const char *gn_shape_text(const gn_tensor *t);
GN_API int64_t gn_numel(const gn_tensor *t);
GN_API gn_dtype gn_dtype_of(const gn_tensor *t);
GN_API const char *gn_device_of(const gn_tensor *t); /* "cpu"; borrowed */
GN_API int64_t gn_element_size(const gn_tensor *t);  /* bytes */
GN_API int64_t gn_stride(gn_tensor *t, int64_t dim); /* elements */
GN_API int64_t gn_storage_offset(gn_tensor *t);      /* elements */
GN_API bool gn_is_contiguous(gn_tensor *t);          /* row-major, without gaps */
GN_API bool gn_is_view(const gn_tensor *t);
GN_API bool gn_is_floating_point(const gn_tensor *t);
GN_API bool gn_same_shape(const gn_tensor *a, const gn_tensor *b);

GN_API const char *gn_dtype_name(gn_dtype dtype); /* "float32" */
GN_API int gn_dtype_from_name(const char *name);  /* -1 if there is no such dtype */
GN_API gn_dtype gn_promote_types(gn_dtype a, gn_dtype b);

/* ---- Data on the host */

/* The only element, as a double or an integer. Waits for the device. */
GN_API double gn_item(const gn_tensor *t);
GN_API int64_t gn_item_int(const gn_tensor *t);
/* Truth of the only element. */
GN_API bool gn_item_bool(const gn_tensor *t);

/* Copies all elements, row-major, into an array of `dtype` elements with room for `count` of them;
 * count must equal gn_numel(t). */
GN_API gn_status gn_copy_out(const gn_tensor *t, void *data, gn_dtype dtype, int64_t count);
/* Fills the tensor, in place, from such an array. */
GN_API gn_status gn_copy_in(gn_tensor *t, const void *data, gn_dtype dtype, int64_t count);

/* The address of the first element where the device's memory is visible to the host (cpu); else
 * NULL with an error. Borrowed, valid as long as the tensor. Make it contiguous first. */
GN_API void *gn_data(gn_tensor *t);

/* Values and properties as text, numpy's style, large tensors abridged. Malloc'ed: free() it. */
GN_API char *gn_tensor_text(const gn_tensor *t);
/* Writes that text and a newline to stdout. */
GN_API gn_status gn_print(const gn_tensor *t);

/* ---- Conversion and copies: differentiable */

GN_API gn_tensor *gn_cast(gn_tensor *t, gn_dtype dtype);          /* t itself if it has the dtype */
GN_API gn_tensor *gn_to_device(gn_tensor *t, const char *device); /* t itself if it is there */
GN_API gn_tensor *gn_clone(gn_tensor *t);
GN_API gn_tensor *gn_contiguous(gn_tensor *t); /* t itself if it is */
GN_API gn_tensor *gn_detach(gn_tensor *t);     /* shares the data, without history */

/* ---- In place. Return the tensor (borrowed), or NULL. See autograd.h for what is refused. */

GN_API gn_tensor *gn_fill_(gn_tensor *t, double value);
GN_API gn_tensor *gn_zero_(gn_tensor *t);
GN_API gn_tensor *gn_copy_(gn_tensor *t, gn_tensor *source); /* broadcasts and converts */
GN_API gn_tensor *gn_uniform_(gn_tensor *t, double low, double high, gn_generator *generator);
GN_API gn_tensor *gn_normal_(gn_tensor *t, double mean, double std, gn_generator *generator);
/* Density rate exp(-rate x), x > 0. */
GN_API gn_tensor *gn_exponential_(gn_tensor *t, double rate, gn_generator *generator);

/* ---- Random generators: Philox 4x32-10. The same seed gives the same numbers on every device and
 * number of threads (normal ones within 4 ulp). Each random operation takes one step. */

GN_API gn_status gn_manual_seed(uint64_t seed); /* the default generator */
GN_API uint64_t gn_seed(void);                  /* seeds it from the system; the seed */
GN_API uint64_t gn_initial_seed(void);
GN_API gn_generator *gn_generator_new(uint64_t seed); /* owned by the scope */
GN_API gn_generator *gn_default_generator(void);      /* borrowed */

typedef struct gn_rng_state {
    uint64_t seed, offset;
} gn_rng_state;
/* NULL: the default generator. */
GN_API gn_rng_state gn_rng_state_get(gn_generator *generator);
GN_API gn_status gn_rng_state_set(gn_generator *generator, gn_rng_state state);

#ifdef __cplusplus
} /* extern "C" */

template <class T> constexpr gn_dtype gn_dtype_for();
template <> constexpr gn_dtype gn_dtype_for<float>() { return GN_F32; }
template <> constexpr gn_dtype gn_dtype_for<double>() { return GN_F64; }
template <> constexpr gn_dtype gn_dtype_for<bool>() { return GN_BOOL; }
template <> constexpr gn_dtype gn_dtype_for<uint8_t>() { return GN_U8; }
template <> constexpr gn_dtype gn_dtype_for<int8_t>() { return GN_I8; }
template <> constexpr gn_dtype gn_dtype_for<int16_t>() { return GN_I16; }
template <> constexpr gn_dtype gn_dtype_for<int32_t>() { return GN_I32; }
template <> constexpr gn_dtype gn_dtype_for<int64_t>() { return GN_I64; }
template <class T> constexpr gn_dtype gn_dtype_of_pointer(const T *) { return gn_dtype_for<T>(); }
#define GN_DTYPE_OF(array) gn_dtype_of_pointer(array)
#else
#define GN_DTYPE_OF(array)                                                                         \
    _Generic((array)[0], float                                                                     \
             : GN_F32, double                                                                      \
             : GN_F64, bool                                                                        \
             : GN_BOOL, uint8_t                                                                    \
             : GN_U8, int8_t                                                                       \
             : GN_I8, int16_t                                                                      \
             : GN_I16, int32_t                                                                     \
             : GN_I32, int64_t                                                                     \
             : GN_I64)
#endif
#endif
