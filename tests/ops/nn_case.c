/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ops/nn_case.h"

bool nn_has_dtype(int dtype) {
    gn_device_info info = {.struct_size = sizeof info};
    ck_assert_int_eq(gn_device_describe(gn_default_device(), &info), GN_OK);
    return info.dtypes >> dtype & 1;
}

gn_dict *nn_fixture(const char *name) {
    char path[4096];
    const char *folder = getenv("GENESIS_TEST_FIXTURES");
    snprintf(path, sizeof path, "%s/%s.safetensors", folder ? folder : "tests/fixtures", name);
    gn_dict *dict = gn_load(path, gn_default_device());
    ck_assert_msg(dict != NULL, "%s", gn_error());
    return dict;
}

static gn_tensor *part(gn_dict *fixture, const char *name, const char *prefix, const char *what,
                       const char *suffix) {
    char key[128];
    snprintf(key, sizeof key, "%s.%s%s%s", name, prefix, what, suffix);
    return gn_dict_get(fixture, key);
}

void nn_expect_close(const char *what, gn_tensor *a, gn_tensor *b) {
    ck_assert_msg(a != NULL, "%s: %s", what, gn_error_status() ? gn_error() : "no tensor");
    ck_assert_msg(gn_same_shape(a, b), "%s: the shapes differ", what);
    ck_assert_msg(gn_dtype_of(a) == gn_dtype_of(b), "%s: %s instead of %s", what,
                  gn_dtype_name(gn_dtype_of(a)), gn_dtype_name(gn_dtype_of(b)));
    const double rtol = gn_dtype_of(b) == GN_F64    ? 1e-10
                        : gn_dtype_of(b) == GN_BF16 ? 2e-2
                        : gn_dtype_of(b) == GN_F16  ? 2e-3
                                                    : 2e-5;
    const int64_t n = gn_numel(a);
    double *va = calloc((size_t)n + 1, sizeof *va), *vb = calloc((size_t)n + 1, sizeof *vb);
    ck_assert_msg(gn_copy_out(a, va, GN_F64, n) == GN_OK && gn_copy_out(b, vb, GN_F64, n) == GN_OK,
                  "%s: %s", what, gn_error());
    for (int64_t i = 0; i < n; i++) {
        bool same = va[i] == vb[i] || (isnan(va[i]) && isnan(vb[i])) ||
                    fabs(va[i] - vb[i]) <= rtol * (1 + fabs(vb[i]));
        ck_assert_msg(same, "%s: element %lld is %.9g instead of %.9g", what, (long long)i, va[i],
                      vb[i]);
    }
    free(va);
    free(vb);
}

void nn_check(gn_dict *fixture, const nn_case *one, const char *const *names) {
    gn_scope scope = gn_scope_begin();
    gn_tensor *inputs[NN_MAX_INPUTS] = {NULL}, *y = part(fixture, one->name, "y", "", "");
    char what[128];
    ck_assert_msg(y != NULL, "%s: not in the fixture", one->name);
    bool supported = nn_has_dtype(gn_dtype_of(y));
    for (int i = 0; names[i] && supported; i++) {
        gn_tensor *t = part(fixture, one->name, names[i], "", "");
        if (t == NULL)
            continue;
        inputs[i] = gn_clone(t);
        if (part(fixture, one->name, "d", names[i], ""))
            gn_requires_grad_(inputs[i], true);
    }
    if (supported) {
        gn_tensor *result = one->function(inputs, one->options),
                  *g = part(fixture, one->name, "g", "", "");
        snprintf(what, sizeof what, "%s, result", one->name);
        nn_expect_close(what, result, y);
        if (g)
            ck_assert_msg(gn_backward(result, .gradient = g) == GN_OK, "%s: %s", one->name,
                          gn_error());
        for (int i = 0; names[i]; i++) {
            gn_tensor *gradient = part(fixture, one->name, "d", names[i], "");
            gn_tensor *after = part(fixture, one->name, "", names[i], "_after");
            snprintf(what, sizeof what, "%s, %s", one->name, names[i]);
            if (gradient)
                nn_expect_close(what, gn_grad(inputs[i]), gradient);
            if (after)
                nn_expect_close(what, inputs[i], after);
        }
    }
    ck_assert_msg(gn_scope_end(scope) == GN_OK, "%s: %s", one->name, gn_error());
}

void nn_check_all(gn_dict *fixture, const nn_case *cases, const char *const *inputs) {
    for (; cases->name; cases++)
        nn_check(fixture, cases, inputs);
}

void nn_gradcheck(const char *name, gn_differentiable *fn, void *context, int n,
                  const gn_shape *shapes, double low, double high) {
    if (!nn_has_dtype(GN_F64))
        return;
    gn_scope scope = gn_scope_begin();
    gn_tensor *inputs[NN_MAX_INPUTS];
    gn_manual_seed(7);
    for (int i = 0; i < n; i++) {
        inputs[i] = gn_uniform_(gn_empty_with(shapes[i], GN_AS(.dtype = GN_F64)), low, high, NULL);
        gn_requires_grad_(inputs[i], true);
    }
    ck_assert_msg(gn_gradcheck(fn, context, n, inputs, NULL) == GN_OK, "%s: %s", name, gn_error());
    const gn_gradcheck_options second = {.struct_size = sizeof second, .second_order = true};
    ck_assert_msg(gn_gradcheck(fn, context, n, inputs, &second) == GN_OK, "%s, second order: %s",
                  name, gn_error());
    ck_assert_int_eq(gn_scope_end(scope), GN_OK);
}

void nn_expect_error(gn_status status, const char *text) {
    ck_assert_msg(gn_error_status() == status && strstr(gn_error(), text),
                  "the error is \"%s\" (%s), not \"%s\" (%s)", gn_error(),
                  gn_status_name(gn_error_status()), text, gn_status_name(status));
    gn_error_clear();
}
