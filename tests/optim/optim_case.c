/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/optim/optim_case.h"

#include <math.h>

#include "tests/suite.h"

gn_dict *optim_parameters(gn_dtype dtype) {
    float first[OPTIM_FIRST], second[OPTIM_SECOND];
    for (int i = 0; i < OPTIM_FIRST; i++)
        first[i] = (float)i * 0.5f - 1;
    for (int i = 0; i < OPTIM_SECOND; i++)
        second[i] = 1 - (float)i * 0.75f;
    gn_dict *dict = gn_dict_new();
    gn_tensor *a = gn_tensor_from(first, GN_F32, GN_SHAPE(2, 3), GN_AS(.dtype = dtype));
    gn_tensor *b = gn_tensor_from(second, GN_F32, GN_SHAPE(3), GN_AS(.dtype = dtype));
    gn_dict_set(dict, "first", gn_requires_grad_(a, true));
    gn_dict_set(dict, "second", gn_requires_grad_(b, true));
    ck_assert_msg(gn_error_status() == GN_OK, "%s", gn_error());
    return dict;
}

static gn_tensor *gradient(const gn_tensor *parameter, int k, int step) {
    float g[OPTIM_FIRST];
    for (int i = 0; i < OPTIM_FIRST; i++)
        g[i] = (float)((7 * i + 5 * step + 3 * k) % 11 - 5) / 8;
    return gn_tensor_from(g, GN_F32, gn_shape_of(parameter),
                          GN_AS(.dtype = gn_dtype_of(parameter)));
}

void optim_set_gradients(gn_dict *parameters, int step) {
    gn_scope scope = gn_scope_begin();
    for (int k = 0; k < 2; k++) {
        gn_tensor *p = gn_dict_tensor(parameters, k);
        gn_set_grad(p, k == 1 && step % 2 != 0 ? NULL : gradient(p, k, step));
    }
    ck_assert_msg(gn_scope_end(scope) == GN_OK, "%s", gn_error());
}

void optim_run(gn_optimizer *optimizer, gn_dict *parameters, int from, int to) {
    for (int step = from; step < to; step++) {
        optim_set_gradients(parameters, step);
        ck_assert_msg(gn_step(optimizer) == GN_OK, "%s", gn_error());
    }
}

void optim_expect(gn_dict *parameters, const float *wanted, double tolerance) {
    double got[OPTIM_ALL];
    ck_assert_int_eq(gn_copy_out(gn_dict_tensor(parameters, 0), got, GN_F64, OPTIM_FIRST), GN_OK);
    ck_assert_int_eq(
        gn_copy_out(gn_dict_tensor(parameters, 1), got + OPTIM_FIRST, GN_F64, OPTIM_SECOND), GN_OK);
    for (int i = 0; i < OPTIM_ALL; i++)
        ck_assert_msg(fabs(got[i] - (double)wanted[i]) <= tolerance * (1 + fabs((double)wanted[i])),
                      "element %d is %.9g, not %.9g", i, got[i], (double)wanted[i]);
}

void optim_check(gn_optimizer *optimizer, gn_dict *parameters,
                 const float wanted[OPTIM_SHOWN][OPTIM_ALL], double tolerance) {
    static const int shown[OPTIM_SHOWN] = {1, 2, OPTIM_STEPS};
    ck_assert_msg(optimizer != NULL, "%s", gn_error());
    for (int i = 0; i < OPTIM_SHOWN; i++) {
        optim_run(optimizer, parameters, i ? shown[i - 1] : 0, shown[i]);
        optim_expect(parameters, wanted[i], tolerance);
    }
}

/* Parameters with the values of others. */
static gn_dict *copied(gn_dict *parameters) {
    gn_dict *copy = optim_parameters(GN_F32);
    for (int64_t i = 0; i < gn_dict_size(copy); i++) {
        gn_tensor *source = gn_dict_tensor(parameters, i);
        gn_copy_(gn_detach(gn_dict_tensor(copy, i)), gn_detach(source));
    }
    return copy;
}

void optim_check_resume(gn_optimizer *(*make)(gn_dict *parameters)) {
    gn_scope scope = gn_scope_begin();
    float wanted[OPTIM_ALL];
    gn_dict *parameters = optim_parameters(GN_F32);
    gn_optimizer *optimizer = make(parameters);
    optim_run(optimizer, parameters, 0, 3);
    gn_dict *state = gn_optimizer_state_dict(optimizer), *copy = copied(parameters);
    ck_assert_msg(state != NULL, "%s", gn_error());
    optim_run(optimizer, parameters, 3, OPTIM_STEPS);
    gn_copy_out(gn_dict_tensor(parameters, 0), wanted, GN_F32, OPTIM_FIRST);
    gn_copy_out(gn_dict_tensor(parameters, 1), wanted + OPTIM_FIRST, GN_F32, OPTIM_SECOND);

    gn_optimizer *other = make(copy);
    ck_assert_msg(gn_optimizer_load_state_dict(other, state) == GN_OK, "%s", gn_error());
    optim_run(other, copy, 3, OPTIM_STEPS);
    optim_expect(copy, wanted, 0);
    gn_scope_end(scope);
}

void optim_refused(const gn_optimizer *optimizer) {
    ck_assert_ptr_null(optimizer);
    ck_assert_int_eq(gn_error_status(), GN_E_ARGUMENT);
    gn_error_clear();
}
