/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create.c - tensors from shapes, values and arrays.
 */
#include <math.h>
#include <stdlib.h>

#include "../program/program.h"
#include "tensor.h"

/* ---- Options */

static const gn_tensor_options no_options = {.struct_size = sizeof no_options};

/* Where a tensor comes from: a shape and options, whose dtype 0 means `standard`. */
gn_tensor *gn__tensor_from_options(const char *op, gn_shape shape, const gn_tensor_options *options,
                                   int standard) {
    if (gn__failed())
        return NULL;
    if (!options)
        options = &no_options;
    int dtype = options->dtype ? options->dtype : standard;
    if (dtype < GN_BOOL || dtype >= GN_N_DTYPES || dtype == GN_U32)
        return gn__fail_null(GN_E_ARGUMENT, op, "%d is no dtype of tensors", dtype);
    if (options->requires_grad && !gn_dtype_is_float(dtype))
        return gn__fail_null(GN_E_ARGUMENT, op, "a %s tensor can't require a gradient",
                             gn_dtype_name((gn_dtype)dtype));
    if (shape.n < 0 || shape.n > GN_TENSOR_MAX_DIMS)
        return gn__fail_null(GN_E_ARGUMENT, op, "%lld dims: at most %d are possible",
                             (long long)shape.n, GN_TENSOR_MAX_DIMS);
    gn__device *device = gn__device_get(options->device);
    gn_tensor *t = device ? gn__tensor_new(device, dtype, (int)shape.n, shape.size) : NULL;
    if (t)
        t->requires_grad = options->requires_grad;
    return t;
}

static gn_tensor *filled(gn_tensor *t, double value) {
    return t && gn__fill_data(t, value) == GN_OK ? t : NULL;
}

/* ---- Constant values */

gn_tensor *gn_empty_with(gn_shape shape, const gn_tensor_options *options) {
    return gn__tensor_from_options("empty", shape, options, gn_default_dtype());
}

gn_tensor *gn_zeros_with(gn_shape shape, const gn_tensor_options *options) {
    return filled(gn__tensor_from_options("zeros", shape, options, gn_default_dtype()), 0);
}

gn_tensor *gn_ones_with(gn_shape shape, const gn_tensor_options *options) {
    return filled(gn__tensor_from_options("ones", shape, options, gn_default_dtype()), 1);
}

gn_tensor *gn_full(gn_shape shape, double value, const gn_tensor_options *options) {
    return filled(gn__tensor_from_options("full", shape, options, gn_default_dtype()), value);
}

gn_tensor *gn_scalar_tensor(double value, const gn_tensor_options *options) {
    return filled(
        gn__tensor_from_options("scalar_tensor", (gn_shape){0}, options, gn_default_dtype()),
        value);
}

static gn_tensor *like(const char *op, const gn_tensor *t) {
    return gn__failed() || !gn__given(op, t) ? NULL : gn__tensor_like(t, t->dtype);
}

gn_tensor *gn_empty_like(const gn_tensor *t) { return like("empty_like", t); }
gn_tensor *gn_zeros_like(const gn_tensor *t) { return filled(like("zeros_like", t), 0); }
gn_tensor *gn_ones_like(const gn_tensor *t) { return filled(like("ones_like", t), 1); }
gn_tensor *gn_full_like(const gn_tensor *t, double value) {
    return filled(like("full_like", t), value);
}

/* ---- Sequences */

/* out[i] = start + i * step, in the dtype's own arithmetic; eye: out[i, j] = (i - j == 0). Both are
 * map programs over index operands. */
gn_tensor *gn_arange(double start, double end, double step, const gn_tensor_options *options) {
    if (gn__failed())
        return NULL;
    double length = ceil((end - start) / step);
    if (!isfinite(start) || !(length >= 0 && length < 0x1p62) || step == 0)
        return gn__fail_null(GN_E_ARGUMENT, "arange", "from %g to %g by %g has no end", start, end,
                             step);
    bool integral = start == floor(start) && end == floor(end) && step == floor(step);
    gn_shape shape = {.n = 1, .size = {(int64_t)length}};
    gn_tensor *t =
        gn__tensor_from_options("arange", shape, options, integral ? GN_I64 : gn_default_dtype());
    gn__builder *b = t ? gn__builder_new("arange", GN_PROGRAM_NO_CONTRACT) : NULL;
    if (!b)
        return NULL;
    int type = gn__compute_type(t->dtype) == GN_F64 ? GN_F64
               : gn_dtype_is_float(t->dtype)        ? GN_F32
                                                    : GN_I64;
    int index = gn__build_operand(b, GN_INDEX, GN_I64),
        out = gn__build_operand(b, GN_WRITE, t->dtype);
    int first = gn__build_param(b), by = gn__build_param(b);
    int product =
        gn__emit(b, GN_OP_MUL, gn__cast(b, type, gn__load(b, index)), gn__param(b, type, by), 0);
    gn__store(b, out,
              gn__cast(b, gn__compute_type(t->dtype),
                       gn__emit(b, GN_OP_ADD, gn__param(b, type, first), product, 0)));
    const gn_program *program = gn__builder_finish(b);
    gn_scalar params[2] = {{.f = start}, {.f = step}};
    if (type == GN_I64) {
        params[0].i = gn__to_int(start);
        params[1].i = gn__to_int(step);
    }
    gn__operand operands[2] = {gn__operand_index(0), gn__operand_of(t, 1, t->size)};
    operands[0].stride[0] = 1;
    gn__launch launch = {.op = "arange",
                         .program = program,
                         .n_dims = 1,
                         .size = t->size,
                         .operands = operands,
                         .params = params};
    return program && gn__launch_run(t->storage->device, &launch) == GN_OK ? t : NULL;
}

gn_tensor *gn_eye(int64_t n, int64_t m, const gn_tensor_options *options) {
    gn_shape shape = {.n = 2, .size = {n, m < 0 ? n : m}};
    gn_tensor *t = gn__tensor_from_options("eye", shape, options, gn_default_dtype());
    gn__builder *b = t ? gn__builder_new("eye", 0) : NULL;
    if (!b)
        return NULL;
    int index = gn__build_operand(b, GN_INDEX, GN_I64),
        out = gn__build_operand(b, GN_WRITE, t->dtype);
    gn__store(b, out, gn__emit(b, GN_OP_EQ, gn__load(b, index), gn__const_i(b, GN_I64, 0), 0));
    const gn_program *program = gn__builder_finish(b);
    gn__operand operands[2] = {gn__operand_index(0), gn__operand_of(t, 2, t->size)};
    operands[0].stride[0] = 1;
    operands[0].stride[1] = -1;
    gn__launch launch = {
        .op = "eye", .program = program, .n_dims = 2, .size = t->size, .operands = operands};
    return program && gn__launch_run(t->storage->device, &launch) == GN_OK ? t : NULL;
}

/* ---- Places of triangles: their rows, then their columns, in row-major order */

/* The columns of a row that are in the triangle: first .. end-1. */
static void columns_of(bool upper, int64_t row, int64_t columns, int64_t offset, int64_t *first,
                       int64_t *end) {
    int64_t bound = upper ? row + offset : row + offset + 1;
    bound = bound < 0 ? 0 : bound > columns ? columns : bound;
    *first = upper ? bound : 0;
    *end = upper ? columns : bound;
}

static gn_tensor *triangle(const char *op, bool upper, int64_t rows, int64_t columns,
                           int64_t offset, const gn_tensor_options *options) {
    int64_t n = 0, first, end, k = 0;
    if (gn__failed())
        return NULL;
    if (rows < 0 || columns < 0 || gn__count(2, (int64_t[]){rows, columns}) < 0)
        return gn__fail_null(GN_E_ARGUMENT, op, "%lld rows, %lld columns", (long long)rows,
                             (long long)columns);
    offset = offset < -rows     ? -rows
             : offset > columns ? columns
                                : offset; /* beyond, all is alike */
    for (int64_t row = 0; row < rows; row++) {
        columns_of(upper, row, columns, offset, &first, &end);
        n += end - first;
    }
    gn_tensor *t = gn__tensor_from_options(op, (gn_shape){.n = 2, .size = {2, n}}, options, GN_I64);
    int64_t *places = t ? gn__alloc_array((size_t)n + 1, 2 * sizeof *places) : NULL;
    if (!places)
        return NULL;
    for (int64_t row = 0; row < rows; row++) {
        columns_of(upper, row, columns, offset, &first, &end);
        for (int64_t column = first; column < end; column++, k++) {
            places[k] = row;
            places[n + k] = column;
        }
    }
    gn__copy_in_data(t, places, GN_I64, 2 * n);
    free(places);
    return gn__failed() ? NULL : t;
}

gn_tensor *gn_tril_indices(int64_t rows, int64_t columns, int64_t offset,
                           const gn_tensor_options *options) {
    return triangle("tril_indices", false, rows, columns, offset, options);
}

gn_tensor *gn_triu_indices(int64_t rows, int64_t columns, int64_t offset,
                           const gn_tensor_options *options) {
    return triangle("triu_indices", true, rows, columns, offset, options);
}

/* ---- From arrays */

gn_tensor *gn_tensor_from(const void *data, gn_dtype dtype, gn_shape shape,
                          const gn_tensor_options *options) {
    gn_tensor *t = gn__tensor_from_options("tensor_from", shape, options, dtype);
    if (!t)
        return NULL;
    if (!data && t->count)
        return gn__fail_null(GN_E_ARGUMENT, "tensor_from", "the array is NULL");
    return gn__copy_in_data(t, data, dtype, t->count) == GN_OK ? t : NULL;
}
