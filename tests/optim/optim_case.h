/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optim_case.h - runs an optimizer as tests/fixtures/make_optim.py runs PyTorch's: two parameters,
 * 10 steps, the second parameter without a gradient in every other step.
 */
#ifndef GENESIS_TESTS_OPTIM_CASE_H
#define GENESIS_TESTS_OPTIM_CASE_H

#include <genesis/genesis.h>

enum {
    OPTIM_FIRST = 6,
    OPTIM_SECOND = 3,
    OPTIM_ALL = OPTIM_FIRST + OPTIM_SECOND,
    OPTIM_STEPS = 10,
    OPTIM_SHOWN = 3
};

/* The parameters as they are at the start, as a dictionary. */
gn_dict *optim_parameters(gn_dtype dtype);
/* Sets the gradients of step number `step`, from 0. */
void optim_set_gradients(gn_dict *parameters, int step);
/* Steps from .. to - 1. */
void optim_run(gn_optimizer *optimizer, gn_dict *parameters, int from, int to);
/* Asserts that the parameters are such, within `tolerance` relative and absolute. */
void optim_expect(gn_dict *parameters, const float *wanted, double tolerance);
/* All 10 steps, with a look after the steps 1, 2 and 10. */
void optim_check(gn_optimizer *optimizer, gn_dict *parameters,
                 const float wanted[OPTIM_SHOWN][OPTIM_ALL], double tolerance);
/* That state dicts carry on: n steps, save, load into a fresh optimizer, the other steps. `make`
 * makes an optimizer over parameters. */
void optim_check_resume(gn_optimizer *(*make)(gn_dict *parameters));
/* That an optimizer was not made, for wrong arguments. */
void optim_refused(const gn_optimizer *optimizer);

#endif
