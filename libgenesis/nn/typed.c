/* SPDX-License-Identifier: Apache-2.0 */
/* typed.c - see typed.h. */
#include "typed.h"

bool gn__is_a(const char *op, const gn_module *module, const gn_module_class *type) {
    if (!gn__is_module(op, module))
        return false;
    if (module->type == type)
        return true;
    gn_fail(GN_E_ARGUMENT, op, "%s is no %s", module->type->name, type->name);
    return false;
}

void gn__scope_end_with_tensors(gn_scope scope, int n, gn_tensor **tensors) {
    if (gn__failed())
        memset(tensors, 0, (size_t)n * sizeof *tensors);
    for (int i = 0; i < n; i++)
        gn_retain(tensors[i]);
    gn_scope_end(scope);
    for (int i = 0; i < n; i++)
        tensors[i] = gn__own(tensors[i]);
}
