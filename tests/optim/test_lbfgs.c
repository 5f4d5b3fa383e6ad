/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/optim/lbfgs.c and line_search.c. */
#include <math.h>
#include <string.h>

#include <genesis/genesis.h>

#include "tests/suite.h"

enum { STEPS = 4, SIZE = 3 };

static const struct lbfgs_case {
    gn_lbfgs_options options;
    double after[STEPS][1 + SIZE]; /* the loss before the step, the parameters after it */
} cases[] = {
#include "tests/fixtures/optim_lbfgs.inc"
};

enum { N_CASES = sizeof cases / sizeof cases[0] };

typedef struct problem {
    gn_dict *parameters;
    gn_optimizer *optimizer;
    double sign;
    int calls;
} problem;

static problem begin(const struct lbfgs_case *c) {
    problem p = {.parameters = gn_dict_new(), .sign = c->options.maximize ? -1 : 1};
    const gn_tensor_options f64 = {.dtype = GN_F64};
    gn_tensor *a = gn_tensor_from((double[]){-1.2, 1}, GN_F64, GN_SHAPE(2), &f64);
    gn_tensor *b = gn_tensor_from((double[]){0.5}, GN_F64, GN_SHAPE(1), &f64);
    gn_dict_set(p.parameters, "a", gn_requires_grad_(a, true));
    gn_dict_set(p.parameters, "b", gn_requires_grad_(b, true));
    p.optimizer = gn_optim_lbfgs_with(p.parameters, &c->options);
    ck_assert_msg(p.optimizer != NULL, "%s", gn_error());
    return p;
}

/* Rosenbrock's function of three variables. */
static gn_tensor *rosenbrock(void *context) {
    problem *p = context;
    p->calls++;
    gn_zero_grad(p->optimizer);
    gn_tensor *parts[] = {gn_dict_tensor(p->parameters, 0), gn_dict_tensor(p->parameters, 1)};
    gn_tensor *x = gn_cat(parts, 2, 0), *left = gn_narrow(x, 0, 0, 2),
              *right = gn_narrow(x, 0, 1, 2);
    gn_tensor *valley = gn_mul_scalar(gn_square(gn_sub(right, gn_square(left))), 100);
    gn_tensor *loss = gn_sum(gn_add(valley, gn_square(gn_rsub_scalar(left, 1))));
    loss = gn_mul_scalar(loss, p->sign);
    gn_backward(loss);
    return loss;
}

static void step(problem *p, const double *wanted) {
    gn_scope scope = gn_scope_begin();
    double got[1 + SIZE];
    gn_tensor *loss = gn_step_with(p->optimizer, rosenbrock, p);
    ck_assert_msg(loss != NULL, "%s", gn_error());
    got[0] = gn_item(loss);
    gn_copy_out(gn_dict_tensor(p->parameters, 0), got + 1, GN_F64, 2);
    gn_copy_out(gn_dict_tensor(p->parameters, 1), got + 3, GN_F64, 1);
    for (int i = 0; i < 1 + SIZE; i++) /* rounding grows along the steep valley */
        ck_assert_msg(fabs(got[i] - wanted[i]) <= 1e-9 * (1 + fabs(wanted[i])),
                      "%d is %.12g, not %.12g", i, got[i], wanted[i]);
    gn_scope_end(scope);
}

START_TEST(test_like_pytorch) {
    for (int i = 0; i < N_CASES; i++) {
        problem p = begin(&cases[i]);
        for (int k = 0; k < STEPS; k++)
            step(&p, cases[i].after[k]);
    }
}
END_TEST

/* The memory of changes goes with the state. */
START_TEST(test_resume) {
    for (int i = 0; i < N_CASES; i++) {
        problem p = begin(&cases[i]), other = begin(&cases[i]);
        for (int k = 0; k < 2; k++)
            step(&p, cases[i].after[k]);
        gn_dict *state = gn_optimizer_state_dict(p.optimizer);
        for (int k = 0; k < 2; k++)
            gn_copy_(gn_detach(gn_dict_tensor(other.parameters, k)),
                     gn_detach(gn_dict_tensor(p.parameters, k)));
        ck_assert_msg(gn_optimizer_load_state_dict(other.optimizer, state) == GN_OK, "%s",
                      gn_error());
        for (int k = 2; k < STEPS; k++)
            step(&other, cases[i].after[k]);
    }
}
END_TEST

START_TEST(test_converges) {
    gn_lbfgs_options options = {
        .struct_size = sizeof options, .strong_wolfe = true, .max_iter = 100};
    problem p = begin(&(struct lbfgs_case){.options = options});
    gn_scope scope = gn_scope_begin();
    gn_step_with(p.optimizer, rosenbrock, &p);
    double x[2];
    gn_copy_out(gn_dict_tensor(p.parameters, 0), x, GN_F64, 2);
    ck_assert_double_eq_tol(x[0], 1, 1e-5);
    ck_assert_double_eq_tol(x[1], 1, 1e-5);
    p.calls = 0;
    gn_step_with(p.optimizer, rosenbrock, &p); /* there is nothing left to do */
    ck_assert_int_le(p.calls, 3);
    ck_assert_int_eq(gn_scope_end(scope), GN_OK);
}
END_TEST

static gn_tensor *not_a_number(void *context) {
    return gn_mul_scalar(rosenbrock(context), (double)NAN);
}

static gn_tensor *fails(void *context) {
    (void)context;
    gn_fail(GN_E_STATE, "closure", "no more data");
    return NULL;
}

START_TEST(test_bad_closures) {
    problem p = begin(&cases[1]);
    ck_assert_int_eq(gn_step(p.optimizer), GN_E_ARGUMENT); /* it needs one */
    gn_error_clear();
    ck_assert_ptr_null(gn_step_with(p.optimizer, fails, NULL));
    ck_assert_str_eq(gn_error(), "closure: no more data");
    gn_error_clear();
    gn_step_with(p.optimizer, not_a_number, &p); /* ends */
    ck_assert_int_eq(gn_error_status(), GN_OK);
}
END_TEST

START_TEST(test_bad_state) {
    problem p = begin(&cases[1]);
    step(&p, cases[1].after[0]);
    gn_dict *state = gn_optimizer_state_dict(p.optimizer);
    gn_dict *entry = gn_dict_get_dict(gn_dict_get_dict(state, "state"), "0");
    ck_assert_int_eq(gn_dict_set(entry, "d", gn_ones(2)), GN_OK);
    ck_assert_int_eq(gn_optimizer_load_state_dict(p.optimizer, state), GN_E_ARGUMENT);
    ck_assert_msg(strstr(gn_error(), "no vector d of 3") != NULL, "%s", gn_error());
    gn_error_clear();
    step(&p, cases[1].after[1]); /* nothing was changed */
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_like_pytorch, test_resume,    test_converges,
                            test_bad_closures, test_bad_state, NULL};
    return suite_run("lbfgs", tests);
}
