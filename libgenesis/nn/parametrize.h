/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parametrize.h (internal) - parametrizations of one parameter by several originals.
 */
#ifndef GENESIS_NN_PARAMETRIZE_H
#define GENESIS_NN_PARAMETRIZE_H

#include "module.h"

/* What the first parametrization makes of original0 and original1. */
typedef gn_tensor *gn__combine(gn_module *parametrization, gn_tensor *original0,
                               gn_tensor *original1);

/* Registers a first parametrization: of `extra` as original0 and the parameter as original1; or, if
 * extra is NULL, of the parameter as the only original, by the module's forward. */
gn_status gn__parametrize(const char *op, gn_module *module, const char *name,
                          gn_module *parametrization, gn_tensor *extra, gn__combine *combine);

/* The parameter of a name; NULL with an error. */
gn_tensor *gn__own_parameter(const char *op, const gn_module *module, const char *name);

#endif
