/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops.h - operations on tensors. Unless a comment says otherwise they are differentiable, results
 * are new tensors owned by the scope, dims may be negative, and a 0-dim cpu tensor joins any
 * device.
 */
#ifndef GENESIS_OPS_H
#define GENESIS_OPS_H

#include <genesis/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Pointwise: gn_add(a, b), gn_relu(x), gn_mul_scalar(x, s), ...: the list, with the meaning of
 * each, is pointwise.def. On an integer tensor a scalar with a fraction gives the default dtype,
 * an integral one keeps the dtype. */
#define GN_UNARY(function, expression, gradient, meaning) GN_API gn_tensor *function(gn_tensor *x);
#define GN_UNARY_SCALAR(function, expression, gradient, meaning)                                   \
    GN_API gn_tensor *function(gn_tensor *x, double s);
#define GN_BINARY(function, expression, gradient_a, gradient_b, meaning)                           \
    GN_API gn_tensor *function(gn_tensor *a, gn_tensor *b);
#include <genesis/pointwise.def>
#undef GN_UNARY
#undef GN_UNARY_SCALAR
#undef GN_BINARY

/* condition ? a : b, by elements; the condition is true where it is not 0. The scalar forms take a
 * number for a, for b, or for both (which gives the default dtype). */
GN_API gn_tensor *gn_where(gn_tensor *condition, gn_tensor *a, gn_tensor *b);
GN_API gn_tensor *gn_where_scalar_a(gn_tensor *condition, double a, gn_tensor *b);
GN_API gn_tensor *gn_where_scalar_b(gn_tensor *condition, gn_tensor *a, double b);
GN_API gn_tensor *gn_where_scalars(gn_tensor *condition, double a, double b);

/* min(max(x, low), high); bounds that are not given are open. The gradient is 1 on the bounds. */
GN_API gn_tensor *gn_clamp(gn_tensor *x, gn_optional low, gn_optional high);

/* a + weight (b - a); the same with a number. */
GN_API gn_tensor *gn_lerp(gn_tensor *a, gn_tensor *b, gn_tensor *weight);
GN_API gn_tensor *gn_lerp_scalar(gn_tensor *a, gn_tensor *b, double weight);
/* x + value a b; x + value a / b */
GN_API gn_tensor *gn_addcmul(gn_tensor *x, gn_tensor *a, gn_tensor *b, double value);
GN_API gn_tensor *gn_addcdiv(gn_tensor *x, gn_tensor *a, gn_tensor *b, double value);

/* x with numbers in place of NaN, inf and -inf, and gradient 0 there. A copy of integers. */
typedef struct gn_nan_options {
    size_t struct_size;
    gn_optional nan, posinf, neginf; /* 0, the largest and the lowest number of the dtype */
} gn_nan_options;
#define gn_nan_to_num(...) GN_CALL1(gn_nan_to_num_with, gn_nan_options, __VA_ARGS__, )
GN_API gn_tensor *gn_nan_to_num_with(gn_tensor *x, const gn_nan_options *options);

/* An operation of one's own, differentiable, one kernel on every device. The expression is C-like:
 * gn_map("x * sigmoid(beta * x)", x, .params = {{"beta", 1.5}}). Several inputs are named before an
 * arrow, in the order in which they are given: gn_map_n("(a, b) -> a * b + 1", 2, inputs, NULL); at
 * most 8, and 8 parameters.
 * Functions: those of the opcode table in backend.h in lower case, sigmoid, softplus. See the
 * guide. */
typedef struct gn_map_param {
    const char *name;
    double value;
} gn_map_param;
typedef struct gn_map_options {
    size_t struct_size;
    gn_map_param params[8]; /* the first one without a name ends the list */
} gn_map_options;
#define gn_map(...) GN_CALL2(gn_map_with, gn_map_options, __VA_ARGS__, )
GN_API gn_tensor *gn_map_with(const char *expression, gn_tensor *x, const gn_map_options *options);
GN_API gn_tensor *gn_map_n(const char *expression, int n, gn_tensor *const *inputs,
                           const gn_map_options *options);

/* In place: a := a + b and so on. The result's shape and dtype must be those of a. Borrowed a. */
GN_API gn_tensor *gn_add_(gn_tensor *a, gn_tensor *b);
GN_API gn_tensor *gn_sub_(gn_tensor *a, gn_tensor *b);
GN_API gn_tensor *gn_mul_(gn_tensor *a, gn_tensor *b);
GN_API gn_tensor *gn_div_(gn_tensor *a, gn_tensor *b);
GN_API gn_tensor *gn_add_scalar_(gn_tensor *x, double s);
GN_API gn_tensor *gn_sub_scalar_(gn_tensor *x, double s);
GN_API gn_tensor *gn_mul_scalar_(gn_tensor *x, double s);
GN_API gn_tensor *gn_div_scalar_(gn_tensor *x, double s);
GN_API gn_tensor *gn_relu_(gn_tensor *x);
GN_API gn_tensor *gn_clamp_(gn_tensor *x, gn_optional low, gn_optional high);

/* |a - b| <= atol + rtol |b|, by elements, bool; equal infinities are close. allclose: everywhere;
 * on an error false. */
typedef struct gn_close_options {
    size_t struct_size;
    gn_optional rtol, atol; /* 1e-5, 1e-8 */
    bool equal_nan;
} gn_close_options;
#define gn_isclose(...) GN_CALL2(gn_isclose_with, gn_close_options, __VA_ARGS__, )
GN_API gn_tensor *gn_isclose_with(gn_tensor *a, gn_tensor *b, const gn_close_options *options);
#define gn_allclose(...) GN_CALL2(gn_allclose_with, gn_close_options, __VA_ARGS__, )
GN_API bool gn_allclose_with(gn_tensor *a, gn_tensor *b, const gn_close_options *options);
/* Same shape and equal elements. */
GN_API bool gn_equal(gn_tensor *a, gn_tensor *b);

/* ---- Reductions: gn_sum(x), gn_sum(x, .dims = GN_DIMS(0, -1), .keepdim = true) */

typedef struct gn_dims {
    int64_t n; /* 0: all dims */
    int64_t dim[GN_TENSOR_MAX_DIMS];
} gn_dims;

typedef struct gn_reduce_options {
    size_t struct_size;
    gn_dims dims;
    bool keepdim;           /* reduced dims stay, with size 1 */
    int dtype;              /* sum, mean, prod: converts first; 0: see there */
    gn_optional correction; /* var, std: divide by n - correction; 1 */
} gn_reduce_options;

#define gn_sum(...) GN_CALL1(gn_sum_with, gn_reduce_options, __VA_ARGS__, )
#define gn_mean(...) GN_CALL1(gn_mean_with, gn_reduce_options, __VA_ARGS__, )
#define gn_prod(...) GN_CALL1(gn_prod_with, gn_reduce_options, __VA_ARGS__, )
#define gn_var(...) GN_CALL1(gn_var_with, gn_reduce_options, __VA_ARGS__, )
#define gn_std(...) GN_CALL1(gn_std_with, gn_reduce_options, __VA_ARGS__, )
#define gn_amax(...) GN_CALL1(gn_amax_with, gn_reduce_options, __VA_ARGS__, )
#define gn_amin(...) GN_CALL1(gn_amin_with, gn_reduce_options, __VA_ARGS__, )
#define gn_all(...) GN_CALL1(gn_all_with, gn_reduce_options, __VA_ARGS__, )
#define gn_any(...) GN_CALL1(gn_any_with, gn_reduce_options, __VA_ARGS__, )
#define gn_logsumexp(...) GN_CALL1(gn_logsumexp_with, gn_reduce_options, __VA_ARGS__, )

/* Sums and products of bools and integers are int64. */
GN_API gn_tensor *gn_sum_with(gn_tensor *x, const gn_reduce_options *options);
GN_API gn_tensor *gn_prod_with(gn_tensor *x, const gn_reduce_options *options);
/* Floating point only (unless a dtype is given). */
GN_API gn_tensor *gn_mean_with(gn_tensor *x, const gn_reduce_options *options);
GN_API gn_tensor *gn_var_with(gn_tensor *x, const gn_reduce_options *options);
GN_API gn_tensor *gn_std_with(gn_tensor *x, const gn_reduce_options *options);
/* The largest and smallest; equal ones share the gradient evenly. An error over no elements. */
GN_API gn_tensor *gn_amax_with(gn_tensor *x, const gn_reduce_options *options);
GN_API gn_tensor *gn_amin_with(gn_tensor *x, const gn_reduce_options *options);
/* bool: all, any are not 0. */
GN_API gn_tensor *gn_all_with(gn_tensor *x, const gn_reduce_options *options);
GN_API gn_tensor *gn_any_with(gn_tensor *x, const gn_reduce_options *options);
/* log(sum(exp(x))), stable. */
GN_API gn_tensor *gn_logsumexp_with(gn_tensor *x, const gn_reduce_options *options);

/* Over one dim: the largest (smallest) values and, if `indices` is not NULL, their int64 indices,
 * the first of equal ones, which alone gets the gradient. */
GN_API gn_tensor *gn_max(gn_tensor *x, int64_t dim, bool keepdim, gn_tensor **indices);
GN_API gn_tensor *gn_min(gn_tensor *x, int64_t dim, bool keepdim, gn_tensor **indices);
/* int64 indices of the largest (smallest), the first of equal ones; of the flattened tensor with
 * gn_argmax_all. NaN counts as the largest and the smallest. */
GN_API gn_tensor *gn_argmax(gn_tensor *x, int64_t dim, bool keepdim);
GN_API gn_tensor *gn_argmin(gn_tensor *x, int64_t dim, bool keepdim);
GN_API gn_tensor *gn_argmax_all(gn_tensor *x);
GN_API gn_tensor *gn_argmin_all(gn_tensor *x);

/* The p-norm over the dims: (sum |x|^p)^(1/p); p may be 0, 1, 2, any number, inf or -inf. */
GN_API gn_tensor *gn_norm(gn_tensor *x, double p, gn_dims dims, bool keepdim);

/* The sum over the dims by which `shape` would be broadcast to x's shape; the result has `shape`.
 */
GN_API gn_tensor *gn_sum_to_shape(gn_tensor *x, gn_shape shape);

/* ---- Products of matrices */

/* (.., m, k) (.., k, n) -> (.., m, n), leading dims broadcast; a vector is a row on the left, a
 * column on the right, and its dim goes from the result; two vectors give their dot product. Both
 * have the same dtype. */
GN_API gn_tensor *gn_matmul(gn_tensor *a, gn_tensor *b);
GN_API gn_tensor *gn_mm(gn_tensor *a, gn_tensor *b);    /* 2-dim only */
GN_API gn_tensor *gn_bmm(gn_tensor *a, gn_tensor *b);   /* 3-dim only */
GN_API gn_tensor *gn_dot(gn_tensor *a, gn_tensor *b);   /* 1-dim only */
GN_API gn_tensor *gn_mv(gn_tensor *a, gn_tensor *v);    /* (n, m) (m) -> (n) */
GN_API gn_tensor *gn_outer(gn_tensor *a, gn_tensor *b); /* (n) (m) -> (n, m) */

/* beta x + alpha a b, x broadcast to the product, which is that of gn_mm and gn_bmm. With beta 0, x
 * is not looked at. */
typedef struct gn_addmm_options {
    size_t struct_size;
    gn_optional beta, alpha; /* 1, 1 */
} gn_addmm_options;
#define gn_addmm(...) GN_CALL3(gn_addmm_with, gn_addmm_options, __VA_ARGS__, )
#define gn_baddbmm(...) GN_CALL3(gn_baddbmm_with, gn_addmm_options, __VA_ARGS__, )
GN_API gn_tensor *gn_addmm_with(gn_tensor *x, gn_tensor *a, gn_tensor *b,
                                const gn_addmm_options *options);
GN_API gn_tensor *gn_baddbmm_with(gn_tensor *x, gn_tensor *a, gn_tensor *b,
                                  const gn_addmm_options *options);

/* The sum of the products over pairs of dims, dims_a[i] of a with dims_b[i] of b; the others
 * remain, those of a first. */
GN_API gn_tensor *gn_tensordot(gn_tensor *a, gn_tensor *b, gn_dims dims_a, gn_dims dims_b);
/* y[i p + k, j q + l] = a[i, j] b[k, l]   (n, m) (p, q) -> (n p, m q); up to 4 dims */
GN_API gn_tensor *gn_kron(gn_tensor *a, gn_tensor *b);
/* Sums of products by an equation: gn_einsum("bij,bjk->bik", 2, tensors). Each letter names a dim
 * of a term; what the result lacks is summed; a letter twice in a term takes the diagonal; ... is
 * any dims, broadcast. Without an arrow the result has them and the letters that occur once, in
 * order. At most 16 tensors, taken from left to right, of one dtype. */
GN_API gn_tensor *gn_einsum(const char *equation, int n, gn_tensor *const *tensors);
GN_API gn_tensor *gn_trace(gn_tensor *x); /* the sum of a matrix's diagonal */

#ifdef __cplusplus
} /* extern "C" */
template <class... D> gn_dims gn_make_dims(D... dim) {
    return gn_dims{sizeof...(dim), {static_cast<int64_t>(dim)...}};
}
#define GN_DIMS(...) gn_make_dims(__VA_ARGS__)
#else
#define GN_DIMS(...)                                                                               \
    ((gn_dims){.n = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), .dim = {__VA_ARGS__}})
#endif
#endif
