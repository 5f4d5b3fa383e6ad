/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shape_ops.h - views, joining and splitting, indexing, sorting. Differentiable where a gradient
 * makes sense. "View" means that the result shares the data: changing one changes the other.
 */
#ifndef GENESIS_SHAPE_OPS_H
#define GENESIS_SHAPE_OPS_H

#include <genesis/ops.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Views. Sizes: one may be -1, found from the others: gn_view(x, gn_size(x, 0), -1) */

#define gn_view(x, ...) gn_view_with(x, GN_SHAPE(__VA_ARGS__))
#define gn_reshape(x, ...) gn_reshape_with(x, GN_SHAPE(__VA_ARGS__))
#define gn_expand(x, ...) gn_expand_with(x, GN_SHAPE(__VA_ARGS__))
#define gn_permute(x, ...) gn_permute_with(x, GN_SHAPE(__VA_ARGS__))
#define gn_repeat(x, ...) gn_repeat_with(x, GN_SHAPE(__VA_ARGS__))
#define gn_tile(x, ...) gn_tile_with(x, GN_SHAPE(__VA_ARGS__))

/* A view of another shape; an error where the strides do not allow it. */
GN_API gn_tensor *gn_view_with(gn_tensor *x, gn_shape shape);
/* A view where possible, else a copy. */
GN_API gn_tensor *gn_reshape_with(gn_tensor *x, gn_shape shape);
/* Dims of size 1 become larger without copying; -1 keeps a size; new dims come first. A view. */
GN_API gn_tensor *gn_expand_with(gn_tensor *x, gn_shape shape);
GN_API gn_tensor *gn_broadcast_to(gn_tensor *x, gn_shape shape);
/* Dim i of the view is dim dims[i] of x. */
GN_API gn_tensor *gn_permute_with(gn_tensor *x, gn_shape dims);
GN_API gn_tensor *gn_transpose(gn_tensor *x, int64_t dim0, int64_t dim1); /* view */
/* Dim source[i] becomes dim destination[i]; the others keep their order. A view. */
GN_API gn_tensor *gn_movedim(gn_tensor *x, gn_dims source, gn_dims destination);
GN_API gn_tensor *gn_t(gn_tensor *x);                      /* view; at most 2 dims */
GN_API gn_tensor *gn_flatten(gn_tensor *x, int64_t start); /* dims start .. last become one */
GN_API gn_tensor *gn_flatten_range(gn_tensor *x, int64_t start, int64_t end); /* end inclusive */
/* One dim becomes those of `sizes`, of which one may be -1. View where possible. */
GN_API gn_tensor *gn_unflatten(gn_tensor *x, int64_t dim, gn_shape sizes);
GN_API gn_tensor *gn_squeeze(gn_tensor *x);                    /* view without dims of size 1 */
GN_API gn_tensor *gn_squeeze_dim(gn_tensor *x, int64_t dim);   /* view; x if the size is not 1 */
GN_API gn_tensor *gn_squeeze_dims(gn_tensor *x, gn_dims dims); /* view without those of size 1 */
GN_API gn_tensor *gn_unsqueeze(gn_tensor *x, int64_t dim);     /* view with a new dim of size 1 */
GN_API gn_tensor *gn_select(gn_tensor *x, int64_t dim, int64_t index); /* view without the dim */
GN_API gn_tensor *gn_narrow(gn_tensor *x, int64_t dim, int64_t start, int64_t length); /* view */
/* Elements start, start + step, .. before end, Python's rules for negative bounds; step > 0. View.
 */
GN_API gn_tensor *gn_slice(gn_tensor *x, int64_t dim, int64_t start, int64_t end, int64_t step);
/* Any view of the storage, offset in elements from its start; checked to lie inside. */
GN_API gn_tensor *gn_as_strided(gn_tensor *x, gn_shape size, gn_shape stride, int64_t offset);
GN_API gn_tensor *gn_diagonal(gn_tensor *x, int64_t offset, int64_t dim0, int64_t dim1); /* view */
/* Windows of `size` elements, `step` apart, along the dim, which becomes their number; their
 * elements are a dim at the end. Tensor.unfold in PyTorch. A view. */
GN_API gn_tensor *gn_unfold_dim(gn_tensor *x, int64_t dim, int64_t size, int64_t step);

/* ---- Joining and splitting. Arrays of tensors are given with their length. */

/* Sizes may differ in `dim` only; dtypes are promoted. */
GN_API gn_tensor *gn_cat(gn_tensor *const *tensors, int64_t n, int64_t dim);
/* Same shapes; a new dim at `dim`. */
GN_API gn_tensor *gn_stack(gn_tensor *const *tensors, int64_t n, int64_t dim);
/* cat along dim 1, of vectors along dim 0; along dim 0, vectors being rows. */
GN_API gn_tensor *gn_hstack(gn_tensor *const *tensors, int64_t n);
GN_API gn_tensor *gn_vstack(gn_tensor *const *tensors, int64_t n);
/* Views of n vectors in n dims: out[k] varies along dim k. xy: dims 0 and 1 are exchanged. */
GN_API gn_status gn_meshgrid(gn_tensor *const *vectors, int64_t n, bool xy, gn_tensor **out);
/* Views of `size` along the dim, the last one perhaps smaller, written to out (room for `room`).
 * Returns their number, or a negative status. */
GN_API int64_t gn_split(gn_tensor *x, int64_t size, int64_t dim, gn_tensor **out, int64_t room);
/* Views of n given sizes, which add up to that of the dim. */
GN_API int64_t gn_split_sizes(gn_tensor *x, const int64_t *sizes, int64_t n, int64_t dim,
                              gn_tensor **out);
GN_API int64_t gn_chunk(gn_tensor *x, int64_t chunks, int64_t dim, gn_tensor **out, int64_t room);
GN_API int64_t gn_unbind(gn_tensor *x, int64_t dim, gn_tensor **out, int64_t room);

/* x so many times along each dim, a copy; where there are more numbers than dims, x gets dims of
 * size 1 in front. tile also takes fewer numbers: the dims in front are not repeated. */
GN_API gn_tensor *gn_repeat_with(gn_tensor *x, gn_shape times);
GN_API gn_tensor *gn_tile_with(gn_tensor *x, gn_shape times);
/* Elements move on by shifts[i] along dims[i]; those that leave come in at the other end. No dims:
 * one shift of the flattened tensor. */
GN_API gn_tensor *gn_roll(gn_tensor *x, gn_dims shifts, gn_dims dims);
/* Each slice along the dim so many times; _by: slice i repeats[i] times (a vector of integers, or
 * one for all), waits for the device. */
GN_API gn_tensor *gn_repeat_interleave(gn_tensor *x, int64_t repeats, int64_t dim);
GN_API gn_tensor *gn_repeat_interleave_by(gn_tensor *x, gn_tensor *repeats, int64_t dim);
GN_API gn_tensor *gn_flip(gn_tensor *x, gn_dims dims);
/* Zeros or `value` around x: before[i] and after[i] elements for each dim, outermost first;
 * negative numbers crop. */
GN_API gn_tensor *gn_pad(gn_tensor *x, gn_shape before, gn_shape after, double value);
/* Elements on and above (below) the k-th diagonal of the last two dims, 0 elsewhere. */
GN_API gn_tensor *gn_triu(gn_tensor *x, int64_t k);
GN_API gn_tensor *gn_tril(gn_tensor *x, int64_t k);
/* A square matrix with the vector on its k-th diagonal; that diagonal of a matrix, a view. */
GN_API gn_tensor *gn_diag(gn_tensor *x, int64_t k);
/* (*) integers in [0, classes) -> (*, classes) int64; classes -1: the largest one + 1. */
GN_API gn_tensor *gn_one_hot(gn_tensor *indices, int64_t classes);

/* ---- Indexing like x[...]: gn_index(x, GN_AT(0), GN_FROM_TO(1, -1), GN_ALL) is x[0, 1:-1, :] */

typedef enum gn_index_kind {
    GN_INDEX_ALL,   /* : */
    GN_INDEX_AT,    /* an integer; the dim goes */
    GN_INDEX_RANGE, /* start : end : step; end given */
    GN_INDEX_NEW,   /* None: a new dim of size 1 */
    GN_INDEX_REST,  /* ...: as many : as are missing, once */
    GN_INDEX_TENSOR /* integers, or bools as a mask over as many dims as it has */
} gn_index_kind;

typedef struct gn_index_item {
    gn_index_kind kind;
    int64_t start, end, step;
    gn_tensor *tensor;
} gn_index_item;

/* Reads. Without a tensor among the items it is a view, else a copy: index tensors broadcast
 * against each other; where they stand side by side the resulting dims take their place, else they
 * come first. Integers are views, taken before that, as in PyTorch (NumPy counts them as index
 * tensors). Indices out of range: GN_E_INDEX. A mask waits for the device. */
typedef struct gn_index_list {
    int64_t n;
    gn_index_item item[2 * GN_TENSOR_MAX_DIMS];
} gn_index_list;
GN_API gn_tensor *gn_index_items(gn_tensor *x, gn_index_list items);
/* x[items] = value, in place, differentiable; the value broadcasts. Borrowed x. */
GN_API gn_tensor *gn_index_put_items(gn_tensor *x, gn_index_list items, gn_tensor *value);
GN_API gn_tensor *gn_index_put_scalar_items(gn_tensor *x, gn_index_list items, double value);
/* x[items] += value, duplicates adding up. Borrowed x. */
GN_API gn_tensor *gn_index_accumulate_items(gn_tensor *x, gn_index_list items, gn_tensor *value);

/* Element i of the result along `dim` is x at index[i]: same number of dims; sizes of index at most
 * those of x but for `dim`. */
GN_API gn_tensor *gn_gather(gn_tensor *x, int64_t dim, gn_tensor *index);
/* A copy of x with source written (added) at the indices along `dim`; of duplicates, the last in
 * row-major order stays, and alone gets the gradient (all add up). */
GN_API gn_tensor *gn_scatter(gn_tensor *x, int64_t dim, gn_tensor *index, gn_tensor *source);
GN_API gn_tensor *gn_scatter_add(gn_tensor *x, int64_t dim, gn_tensor *index, gn_tensor *source);
/* gn_scatter_reduce(x, 0, index, source, .reduce = GN_COMBINE_AMAX): each element of x becomes the
 * reduction of itself and the sources at its index; exclude_self: of these alone, if there are any.
 * Equal extremes share the gradient evenly. */
typedef enum gn_combine {
    GN_COMBINE_SUM,
    GN_COMBINE_MEAN, /* integers: rounded down */
    GN_COMBINE_AMAX,
    GN_COMBINE_AMIN
} gn_combine;
typedef struct gn_scatter_options {
    size_t struct_size;
    gn_combine reduce;
    bool exclude_self; /* include_self=False */
} gn_scatter_options;
#define gn_scatter_reduce(...) GN_CALL4(gn_scatter_reduce_with, gn_scatter_options, __VA_ARGS__, )
GN_API gn_tensor *gn_scatter_reduce_with(gn_tensor *x, int64_t dim, gn_tensor *index,
                                         gn_tensor *source, const gn_scatter_options *options);
/* x with the slices of source written (added) at a vector of indices along `dim`. */
GN_API gn_tensor *gn_index_copy(gn_tensor *x, int64_t dim, gn_tensor *index, gn_tensor *source);
GN_API gn_tensor *gn_index_add(gn_tensor *x, int64_t dim, gn_tensor *index, gn_tensor *source);
/* gather, with x and index broadcast against each other but in `dim`. */
GN_API gn_tensor *gn_take_along_dim(gn_tensor *x, gn_tensor *index, int64_t dim);
/* The slices of x along `dim` at a vector of indices. */
GN_API gn_tensor *gn_index_select(gn_tensor *x, int64_t dim, gn_tensor *index);
GN_API gn_tensor *gn_masked_fill(gn_tensor *x, gn_tensor *mask, double value);
/* The elements where the mask, broadcast, is true, as a vector. Waits for the device. */
GN_API gn_tensor *gn_masked_select(gn_tensor *x, gn_tensor *mask);
/* (K, dims) int64: the places that are not 0, row-major. Waits for the device. */
GN_API gn_tensor *gn_nonzero(gn_tensor *x);
/* Counts of the values 0, 1, .. of a vector of integers, at least minlength of them; with weights
 * (NULL: none) their sums. */
GN_API gn_tensor *gn_bincount(gn_tensor *x, gn_tensor *weights, int64_t minlength);

/* ---- Sorting: stable; NaN counts as the largest. `indices` (NULL: not wanted) gets int64 places.
 */

GN_API gn_tensor *gn_sort(gn_tensor *x, int64_t dim, bool descending, gn_tensor **indices);
GN_API gn_tensor *gn_argsort(gn_tensor *x, int64_t dim, bool descending);
/* The k largest (smallest) values in order. An error if k is larger than the size. */
GN_API gn_tensor *gn_topk(gn_tensor *x, int64_t k, int64_t dim, bool largest, gn_tensor **indices);
/* Over one dim, as gn_max: the median, of an even number the lower one, NaN if there is a NaN; the
 * most frequent value, of equally frequent ones the smallest. An error over no elements. The median
 * of all elements shares its gradient evenly among equal ones. */
GN_API gn_tensor *gn_median(gn_tensor *x, int64_t dim, bool keepdim, gn_tensor **indices);
GN_API gn_tensor *gn_mode(gn_tensor *x, int64_t dim, bool keepdim, gn_tensor **indices);
GN_API gn_tensor *gn_median_all(gn_tensor *x);

/* y[i] = x[0] + .. + x[i] along the dim, and the product; int64 of bools and integers. */
GN_API gn_tensor *gn_cumsum(gn_tensor *x, int64_t dim);
GN_API gn_tensor *gn_cumprod(gn_tensor *x, int64_t dim);

#ifdef __cplusplus
}
template <class... I> gn_index_list gn_make_index(I... item) {
    return gn_index_list{sizeof...(item), {item...}};
}
#define GN_ITEM(...)                                                                               \
    gn_index_item { __VA_ARGS__ }
#define GN_INDEX(...) gn_make_index(__VA_ARGS__)
#else
#define GN_ITEM(...) ((gn_index_item){__VA_ARGS__})
#define GN_INDEX(...)                                                                              \
    ((gn_index_list){.n = sizeof((gn_index_item[]){__VA_ARGS__}) / sizeof(gn_index_item),          \
                     .item = {__VA_ARGS__}})
#endif

#define GN_ALL GN_ITEM(.kind = GN_INDEX_ALL)
#define GN_AT(i) GN_ITEM(.kind = GN_INDEX_AT, .start = (i))
#define GN_FROM_TO(from, to)                                                                       \
    GN_ITEM(.kind = GN_INDEX_RANGE, .start = (from), .end = (to), .step = 1)
#define GN_FROM(from) GN_ITEM(.kind = GN_INDEX_RANGE, .start = (from), .end = INT64_MAX, .step = 1)
#define GN_RANGE(from, to, by)                                                                     \
    GN_ITEM(.kind = GN_INDEX_RANGE, .start = (from), .end = (to), .step = (by))
#define GN_NEW GN_ITEM(.kind = GN_INDEX_NEW)
#define GN_REST GN_ITEM(.kind = GN_INDEX_REST)
#define GN_BY(indices) GN_ITEM(.kind = GN_INDEX_TENSOR, .tensor = (indices))

/* x[a, b, ..]: gn_index(x, GN_AT(0), GN_FROM_TO(1, -1), GN_BY(rows)) */
#define gn_index(x, ...) gn_index_items(x, GN_INDEX(__VA_ARGS__))
/* x[a, b, ..] = value, a tensor or a number, and += */
#define gn_index_put(x, value, ...) gn_index_put_items(x, GN_INDEX(__VA_ARGS__), value)
#define gn_index_put_scalar(x, value, ...)                                                         \
    gn_index_put_scalar_items(x, GN_INDEX(__VA_ARGS__), value)
#define gn_index_accumulate(x, value, ...)                                                         \
    gn_index_accumulate_items(x, GN_INDEX(__VA_ARGS__), value)
#endif
