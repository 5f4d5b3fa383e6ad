/* SPDX-License-Identifier: Apache-2.0 */
/*
 * typed.h (internal) - what forward functions with several inputs or outputs share: those that stand
 * beside gn_forward.
 */
#ifndef GENESIS_NN_TYPED_H
#define GENESIS_NN_TYPED_H

#include "module.h"

/* Whether the module is of the class; an error that names both if it is not. */
bool gn__is_a(const char *op, const gn_module *module, const gn_module_class *type);

/* Ends the scope, but hands n tensors (or NULLs) to the scope around it. With an error that sticks,
 * all of them are NULL afterwards. */
void gn__scope_end_with_tensors(gn_scope scope, int n, gn_tensor **tensors);

#endif
