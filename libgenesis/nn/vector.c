/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vector.c - parameters as one vector, and back.
 */
#include <stdlib.h>

#include "module.h"

gn_tensor *gn_parameters_to_vector(gn_dict *parameters) {
    static const char op[] = "parameters_to_vector";
    const int64_t n = gn_dict_size(parameters);
    if (gn__failed())
        return NULL;
    if (n == 0)
        return gn__fail_null(GN_E_ARGUMENT, op, "there are no parameters");
    gn_tensor **parts = gn__alloc_array((size_t)n, sizeof *parts);
    if (parts == NULL)
        return NULL;
    gn_scope scope = gn_scope_begin();
    for (int64_t i = 0; i < n; i++)
        parts[i] = gn_reshape(gn_dict_tensor(parameters, i), -1);
    gn_tensor *vector = gn__failed() ? NULL : gn_cat(parts, n, 0);
    free(parts);
    return gn_scope_end_with(scope, vector);
}

gn_status gn_vector_to_parameters(gn_tensor *vector, gn_dict *parameters) {
    static const char op[] = "vector_to_parameters";
    if (gn__failed() || !gn__given(op, vector))
        return gn_error_status();
    const int64_t n = gn_dict_size(parameters);
    int64_t total = 0;
    for (int64_t i = 0; i < n; i++)
        total += gn_dict_tensor(parameters, i)->count;
    if (vector->n_dims != 1 || vector->count != total)
        return gn_fail(GN_E_ARGUMENT, op, "the vector %s must be one of %lld elements",
                       gn__shape_of(vector), (long long)total);
    gn_scope scope = gn_scope_begin();
    bool was = gn_set_grad_enabled(false);
    int64_t start = 0;
    for (int64_t i = 0; i < n && !gn__failed(); i++) {
        gn_tensor *t = gn_dict_tensor(parameters, i);
        gn_copy_(t, gn_reshape_with(gn_narrow(vector, 0, start, t->count), gn_shape_of(t)));
        start += t->count;
    }
    gn_set_grad_enabled(was);
    return gn_scope_end(scope);
}
