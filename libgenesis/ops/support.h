/* SPDX-License-Identifier: Apache-2.0 */
/*
 * support.h - what operations share: spaces of reductions, planned kernels on tensors, checks; and
 * the entries that only libgenesis/nn uses.
 */
#ifndef GENESIS_OPS_SUPPORT_H
#define GENESIS_OPS_SUPPORT_H

#include <genesis/functional.h>
#include <genesis/losses.h>

#include "../autograd/autograd.h"
#include "../program/program.h"

/* ---- Spaces: the dims of a tensor, some of them moved last to be reduced */

typedef struct gn__rows {
    int n_dims, n_reduced;
    int order[GN_MAX_DIMS]; /* dim i of the space is dim order[i] of the tensor */
    int64_t size[GN_MAX_DIMS];
} gn__rows;

/* The space of a shape; bit d of `reduced` moves dim d last. */
gn__rows gn__rows_over(int n_dims, const int64_t *size, unsigned reduced);
static inline gn__rows gn__rows_of(const gn_tensor *t, unsigned reduced) {
    return gn__rows_over(t->n_dims, t->size, reduced);
}
/* Operands: t broadcasts to the shape, from the right; has only the kept dims. */
gn__operand gn__rows_full(const gn__rows *space, const gn_tensor *t);
gn__operand gn__rows_kept(const gn__rows *space, const gn_tensor *t);
/* An uninitialised row-major tensor over the kept dims. */
gn_tensor *gn__rows_new_kept(const gn__rows *space, gn__device *device, int dtype);

gn_status gn__kernel_run(const char *op, gn__device *device, gn__kernel *kernel,
                         gn__variant variant, const gn__rows *space, const gn__operand *operands,
                         const gn_scalar *params);

/* The sum over the reduced dims of a b, plus bias. Operands a, b, [bias], result; variant: the
 * dtype of all, whether there is a bias. */
extern gn__kernel gn__product_kernel;

/* Sums over all dims but one: (.., size[dim], ..) -> (size[dim]). Not recorded. */
gn_tensor *gn__sum_but(const char *op, gn_tensor *t, int dim);

/* A tensor of `size` full of `value`, in which t lies with its element 0 at `before` and `step`
 * between its elements: padding (step 1), or the zero-spread gradient of a strided window. The
 * first n_dims - n_spatial dims are those of t. Not recorded. */
gn_tensor *gn__framed(gn_tensor *t, int n_spatial, const int64_t *size, const int64_t *before,
                      const int64_t *step, double value);

/* ---- Planned kernels on tensors */

/* NULL: absent. */
gn_tensor_desc gn__describe(const gn_tensor *t);
/* Plans and runs. 1: done; 0: declined, so compose; negative: an error. *saved is made by a
 * forward run that fills it, and handed on by a backward one; `saved` may be NULL. */
int gn__run_planned(gn__device *device, const char *op, uint32_t kernel, int n,
                    gn_tensor *const *tensors, const void *attributes, size_t attributes_bytes,
                    gn__storage **saved);
/* The same with descriptors of one's own. */
int gn__run_described(gn__device *device, const char *op, uint32_t kernel, int n,
                      const gn_tensor_desc *desc, gn_tensor *const *tensors, const void *attributes,
                      size_t attributes_bytes, gn__storage **saved);

/* The layout in which the device likes images: t itself or a copy. Not recorded. */
gn_tensor *gn__image(gn__device *device, gn_tensor *t);
/* An uninitialised image in that layout. */
gn_tensor *gn__image_new(gn__device *device, int dtype, int n_dims, const int64_t *size);

/* ---- Checks: false with an error */

bool gn__check_float(const char *op, const char *what, const gn_tensor *t);
/* `other` (NULL passes) has the dtype of t. */
bool gn__check_dtype(const char *op, const gn_tensor *t, const char *what, const gn_tensor *other);

bool gn__check_reduction(const char *op, gn_reduction reduction);

/* Strides, paddings and dilations beyond this are refused, so that sizes can't overflow. */
enum { GN__MAX_STEP = 1 << 30 };

/* Copies an option struct of any version: members that the caller does not know become 0. */
void gn__options(void *out, size_t bytes, const void *options);

/* ---- Windows of convolutions and pools */

/* What options give for n dims: each dim's own number, else that for all of them, else the
 * default. */
void gn__per_dim(int n, const int64_t *each, int64_t all, int64_t standard, int64_t *out);

/* floor((in + padding - dilation (kernel - 1) - 1) / stride) + 1, where padding is that of both
 * sides: how many windows there are; 0 where none fits. */
int64_t gn__window_count(int64_t in, int64_t padding, int64_t kernel, int64_t dilation,
                         int64_t stride);

/* x with more around its last n_spatial dims, taken from x itself, or less (negative numbers, from
 * -GN__MAX_STEP); mode is not GN_PAD_ZEROS. Differentiable. */
gn_tensor *gn__pad_edges(const char *op, gn_tensor *x, int n_spatial, const int64_t *before,
                         const int64_t *after, gn_padding_mode mode);

/* ---- Dropout that can be repeated */

typedef struct gn__dropout {
    int64_t key, offset;          /* of RANDOM */
    int channels;                 /* so many first dims have one mask for all others; 0: all dims */
    double p;                     /* that an element goes, */
    double scale, shift, dropped; /* and becomes this, but x scale + shift if it stays */
} gn__dropout;

/* Dropout of elements. Takes a step of the default generator. */
gn__dropout gn__dropout_next(double p);
/* Dropout of x (not NULL) with that mask: the same elements go each time. Differentiable. */
gn_tensor *gn__dropout_replay(const gn__dropout *dropout, gn_tensor *x);

/* ---- For libgenesis/nn */

/* Whether the options of a convolution make sense, whatever the tensors; false with an error. */
bool gn__conv_check(const char *op, int n_spatial, bool transposed, const gn_conv_options *options);

typedef enum gn__dropout_kind {
    GN__DROPOUT,
    GN__DROPOUT_1D,
    GN__DROPOUT_2D,
    GN__DROPOUT_3D,
    GN__ALPHA_DROPOUT,
    GN__FEATURE_ALPHA_DROPOUT
} gn__dropout_kind;
/* The function of a kind; and the same in training and in place: x is returned. */
gn_tensor *gn__dropout_of(gn__dropout_kind kind, gn_tensor *x, double p, bool training);
gn_tensor *gn__dropout_(gn__dropout_kind kind, gn_tensor *x, double p);

#endif
