/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of cases have in common: running the operation, comparing with PyTorch. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops.h"
#include "tensor/tensor.h"

/* Floating-point dtypes. An error may be tolerance * (0.1 + |expected|). */
static const struct {
    double tolerance, epsilon;
    double decimal; /* relative error of the numbers in text files */
} precisions[GN_N_DTYPES] = {
    [GN_F16] = {.tolerance = 4e-3, .epsilon = 0x1p-10, .decimal = 5e-4},
    [GN_BF16] = {.tolerance = 3e-2, .epsilon = 0x1p-7, .decimal = 5e-3},
    [GN_F32] = {.tolerance = 3e-5, .epsilon = 0x1p-23, .decimal = 5e-6},
    [GN_F64] = {.tolerance = 1e-10, .epsilon = 0x1p-52, .decimal = 5e-11},
};

static bool is_float(int dtype) { return precisions[dtype].epsilon > 0; }

/* ": " and the error that sticks, or nothing. */
static const char *because(void) {
    static char text[1024];
    snprintf(text, sizeof text, "%s%s", gn_error_status() ? ": " : "", gn_error());
    return text;
}

void op_note_dtype(op_run *run, int dtype) {
    if (!run->dtype || (!is_float(run->dtype) && is_float(dtype)))
        run->dtype = dtype;
    if (!gn__device_has_dtype(tested, dtype))
        run->missing = dtype;
    if (precisions[dtype].tolerance > precisions[run->least].tolerance)
        run->least = dtype;
}

static const char *op_name(const op_run *run) {
    return run->row->op ? run->row->op : run->row->name;
}

static bool about(const op_run *run, const char *what) {
    char name[64];
    snprintf(name, sizeof name, "%s %s", what, op_name(run));
    return subject(name, run->dtype);
}

/* Failures are introduced as "op of float32 (2, 3), int64 (3), where". */
static void describe(const op_run *run) {
    char text[384] = "";
    size_t used = 0;
    for (int i = 0; i < run->c.n_inputs && used < sizeof text; i++)
        if (run->c.in[i])
            used += (size_t)snprintf(text + used, sizeof text - used, "%s %s, ",
                                     gn_dtype_name(gn_dtype_of(run->c.in[i])),
                                     gn__shape_of(run->c.in[i]));
    context("%s of %s%s", op_name(run), text, run->where);
}

void op_begin(const op_run *run) {
    if (about(run, "op") && !run->missing)
        return;
    context("%s", ""); /* so that the reason is told once */
    skip_case("the device has no %s", gn_dtype_name((gn_dtype)run->missing));
}

void op_forward(op_run *run, int dtype, gn_shape shape) {
    describe(run);
    double size = 0;
    for (int i = 0; i < run->c.n_inputs; i++)
        size += run->c.in[i] ? (double)gn_numel(run->c.in[i]) : 0;
    note_size(size);
    run->c.options = run->row->options;
    gn_tensor *y = run->y = run->row->run(&run->c);
    EXPECT(y && gn_error_status() == GN_OK, "no result%s", because());
    EXPECT(y->dtype == dtype, "the result is %s, expected %s", gn_dtype_name((gn_dtype)y->dtype),
           gn_dtype_name((gn_dtype)dtype));
    EXPECT(y->n_dims == shape.n &&
               !memcmp(y->size, shape.size, (size_t)shape.n * sizeof shape.size[0]),
           "the result has shape %s, expected %s", gn__shape_of(y),
           gn__shape_text((int)shape.n, shape.size));
}

void op_backward(const op_run *run, gn_tensor *gradient) {
    about(run, "grad");
    EXPECT(gn_backward(run->y, .gradient = gradient) == GN_OK, "backward%s", because());
}

/* The error of an element in units of the tolerance: above 1 it is wrong. */
static double share_of(double found, double expected, double tolerance) {
    const double error = fabs(found - expected);
    if (found == expected || (isnan(found) && isnan(expected)))
        return 0;
    return isfinite(error) && tolerance > 0 ? error / (tolerance * (0.1 + fabs(expected)))
                                            : INFINITY;
}

/* The error in ulp of the least exact dtype, as far as the digits of the expected value tell. */
static double ulp_of(const op_run *run, int dtype, double found, double expected) {
    const double size = fabs(expected);
    const double error =
        fabs(found - expected) - (run->decimal ? precisions[dtype].decimal * size : 0);
    return error > 0 ? error / (precisions[run->least].epsilon * (0.1 + size)) : 0;
}

static void compare(const op_run *run, const char *what, gn_tensor *t, const double *expected,
                    int64_t n, double tolerance) {
    EXPECT(t && gn_numel(t) == n, "the %s has %lld elements, expected %lld%s", what,
           t ? (long long)gn_numel(t) : -1, (long long)n, because());
    double *found = case_alloc((size_t)n + 1, sizeof *found);
    EXPECT(gn_copy_out(t, found, GN_F64, n) == GN_OK, "the %s can't be read%s", what, because());
    int64_t worst = 0, n_wrong = 0;
    double largest = 0, ulp = 0;
    for (int64_t i = 0; i < n; i++) {
        const double share = share_of(found[i], expected[i], tolerance);
        n_wrong += share > 1;
        if (share > largest) {
            largest = share;
            worst = i;
        }
        if (share > 0 && is_float(t->dtype))
            ulp = fmax(ulp, ulp_of(run, t->dtype, found[i], expected[i]));
    }
    EXPECT(n_wrong == 0,
           "%lld of %lld elements of the %s, %s, are wrong: element %lld is %.9g, "
           "expected %.9g",
           (long long)n_wrong, (long long)n, what, gn__shape_of(t), (long long)worst, found[worst],
           expected[worst]);
    if (is_float(t->dtype))
        note_error(ulp);
}

void op_compare(const op_run *run, const char *what, gn_tensor *t, const double *expected,
                int64_t n) {
    compare(run, what, t, expected, n, precisions[run->least].tolerance);
}

void op_compare_gradient(const op_run *run, int k, const double *expected, int64_t n) {
    char what[32];
    snprintf(what, sizeof what, "gradient of input %d", k);
    gn_tensor *g = gn_grad(run->c.in[k]);
    if (g) {
        compare(run, what, g, expected, n, 4 * precisions[run->least].tolerance);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        EXPECT(expected[i] == 0, "there is no %s%s", what, because());
}

gn_shape op_shape(const op_case *c, int at) {
    gn_shape shape = {.n = op_int(c, at)};
    for (int d = 0; d < shape.n; d++)
        shape.size[d] = op_int(c, at + 1 + d);
    return shape;
}

gn_dims op_dims(const op_case *c, int at) {
    gn_dims dims = {.n = op_int(c, at)};
    for (int i = 0; i < dims.n; i++)
        dims.dim[i] = op_int(c, at + 1 + i);
    return dims;
}

const char *op_path(const char *file) {
    static char path[4096];
    const char *folder = getenv("GENESIS_CONFORM_DATA");
    snprintf(path, sizeof path, "%s/%s", folder && *folder ? folder : CONFORM_DATA_DIR, file);
    return path;
}
