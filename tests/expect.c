/* SPDX-License-Identifier: Apache-2.0 */
#include "expect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_INPUTS = 5 };

bool has_dtype(int dtype) {
    gn_device_info info = {.struct_size = sizeof info};
    ck_assert_int_eq(gn_device_describe(gn_default_device(), &info), GN_OK);
    return info.dtypes >> dtype & 1;
}

/* ---- Errors */

void expect_error(gn_status status, const char *text) {
    ck_assert_str_eq(gn_error(), text);
    ck_assert_str_eq(gn_status_name(gn_error_status()), gn_status_name(status));
    gn_error_clear();
}

void expect_error_with(gn_status status, const char *text) {
    ck_assert_msg(gn_error_status() == status && strstr(gn_error(), text),
                  "the error is \"%s\" (%s), not \"%s\" (%s)", gn_error(),
                  gn_status_name(gn_error_status()), text, gn_status_name(status));
    gn_error_clear();
}

void expect_index_error(const char *op) {
    gn_synchronize(gn_default_device());
    ck_assert_str_eq(gn_status_name(gn_error_status()), "GN_E_INDEX");
    size_t length = strlen(op);
    ck_assert_msg(!strncmp(gn_error(), op, length) && !strncmp(gn_error() + length, ": index", 7),
                  "%s", gn_error());
    gn_error_clear();
}

/* ---- Values */

static bool is_close(double found, double expected, double absolute, double relative) {
    return found == expected || (isnan(found) && isnan(expected)) ||
           fabs(found - expected) <= absolute + relative * fabs(expected);
}

static double *elements(const char *what, gn_tensor *t) {
    ck_assert_msg(t != NULL, "%s: %s", what, gn_error_status() ? gn_error() : "no tensor");
    const int64_t n = gn_numel(t);
    double *values = calloc((size_t)n + 1, sizeof *values);
    ck_assert_msg(gn_copy_out(t, values, GN_F64, n) == GN_OK, "%s: %s", what, gn_error());
    return values;
}

void expect_values(gn_tensor *t, const double *expected, int64_t n, double tolerance) {
    double *found = elements("expect_values", t);
    ck_assert_int_eq(gn_numel(t), n);
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(is_close(found[i], expected[i], 0.1 * tolerance, tolerance),
                      "element %lld is %.17g, expected %.17g", (long long)i, found[i], expected[i]);
    free(found);
}

void expect_close(const char *what, gn_tensor *a, gn_tensor *b) {
    static const double tolerance[GN_N_DTYPES] = {
        [GN_F16] = 2e-3, [GN_BF16] = 2e-2, [GN_F32] = 2e-5, [GN_F64] = 1e-10};
    double *found = elements(what, a), *expected = elements(what, b);
    const double of_dtype = tolerance[gn_dtype_of(b)];
    ck_assert_msg(gn_same_shape(a, b), "%s: the shapes differ", what);
    ck_assert_msg(gn_dtype_of(a) == gn_dtype_of(b), "%s: %s instead of %s", what,
                  gn_dtype_name(gn_dtype_of(a)), gn_dtype_name(gn_dtype_of(b)));
    for (int64_t i = 0; i < gn_numel(a); i++)
        ck_assert_msg(is_close(found[i], expected[i], of_dtype, of_dtype),
                      "%s: element %lld is %.9g instead of %.9g", what, (long long)i, found[i],
                      expected[i]);
    free(found);
    free(expected);
}

/* ---- Gradients */

static void gradcheck(const char *name, gn_differentiable *fn, void *context, int n,
                      gn_tensor *const *inputs, bool second_order) {
    const gn_gradcheck_options o = {.struct_size = sizeof o, .second_order = second_order};
    ck_assert_msg(gn_gradcheck(fn, context, n, inputs, &o) == GN_OK, "%s%s: %s", name,
                  second_order ? ", second order" : "", gn_error());
}

void expect_gradcheck(const char *name, gn_differentiable *fn, void *context, int n,
                      const gn_shape *shapes, double low, double high) {
    if (!has_dtype(GN_F64))
        return;
    gn_scope scope = gn_scope_begin();
    gn_tensor *inputs[MAX_INPUTS];
    gn_manual_seed(7);
    for (int i = 0; i < n; i++) {
        inputs[i] = gn_uniform_(gn_empty_with(shapes[i], GN_AS(.dtype = GN_F64)), low, high, NULL);
        gn_requires_grad_(inputs[i], true);
    }
    gradcheck(name, fn, context, n, inputs, false);
    gradcheck(name, fn, context, n, inputs, true);
    ck_assert_int_eq(gn_scope_end(scope), GN_OK);
}

void expect_second_order(gn_differentiable *fn) {
    if (!has_dtype(GN_F64))
        return;
    double values[] = {0.3, -0.7, 1.1, 0.2, 0.9, 1.3};
    gn_tensor *in[] = {
        gn_tensor_from(values, GN_F64, GN_SHAPE(2, 3), GN_AS(.requires_grad = true))};
    gradcheck("gradient", fn, NULL, 1, in, true);
}
