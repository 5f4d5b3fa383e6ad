/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tensors.c - cases in .safetensors files. Case NAME has its inputs NAME.<input>, the result
 * NAME.y, the gradient NAME.g that goes backward, the gradients of inputs NAME.d<input>, and what
 * an input that the operation changes is afterwards, NAME.<input>_after. The file is loaded on the
 * reference device, which has every dtype.
 */
#include <stdio.h>

#include <genesis/io.h>

#include "ops.h"

static gn_tensor *part(const op_run *run, gn_dict *dict, const char *prefix, const char *what,
                       const char *suffix) {
    char key[128];
    snprintf(key, sizeof key, "%s.%s%s%s", run->row->name, prefix, what, suffix);
    return gn_dict_get(dict, key);
}

/* The elements of a tensor of the file. */
static double *elements(gn_tensor *t, int64_t *n) {
    *n = gn_numel(t);
    double *values = case_alloc((size_t)*n + 1, sizeof *values);
    EXPECT(gn_copy_out(t, values, GN_F64, *n) == GN_OK, "what the file stores: %s", gn_error());
    return values;
}

static void note_dtypes(op_run *run, gn_dict *dict, const char *const *names, gn_tensor *y) {
    for (int i = 0; i < OP_INPUTS && names[i]; i++) {
        gn_tensor *t = part(run, dict, "", names[i], "");
        if (t)
            op_note_dtype(run, gn_dtype_of(t));
    }
    op_note_dtype(run, gn_dtype_of(y));
}

static void make_inputs(op_run *run, gn_dict *dict, const char *const *names) {
    for (int i = 0; i < OP_INPUTS && names[i]; i++) {
        gn_tensor *t = part(run, dict, "", names[i], "");
        run->c.n_inputs = i + 1;
        if (!t)
            continue;
        t = gn_clone(gn_to_device(t, options.device));
        if (part(run, dict, "d", names[i], ""))
            t = gn_requires_grad_(t, true);
        EXPECT(t, "%s: %s", names[i], gn_error());
        run->c.in[i] = t;
    }
}

static void compare_inputs(op_run *run, gn_dict *dict, const char *const *names) {
    int64_t n;
    for (int i = 0; i < run->c.n_inputs; i++) {
        gn_tensor *gradient = part(run, dict, "d", names[i], "");
        gn_tensor *after = part(run, dict, "", names[i], "_after");
        if (gradient) {
            const double *expected = elements(gradient, &n);
            op_compare_gradient(run, i, expected, n);
        }
        if (after) {
            const double *expected = elements(after, &n);
            op_compare(run, names[i], run->c.in[i], expected, n);
        }
    }
}

void op_tensors_run(const op_group *group, int index) {
    op_run run = {.row = &group->rows[index]};
    int64_t n;
    snprintf(run.where, sizeof run.where, "case %s of %s", run.row->name, group->file);
    context("%s", run.where);
    reference_device();
    gn_dict *dict = gn_load(op_path(group->file), options.reference);
    EXPECT(dict, "%s: GENESIS_CONFORM_DATA must name the folder of the cases", gn_error());
    gn_tensor *y = part(&run, dict, "y", "", ""), *g = part(&run, dict, "g", "", "");
    EXPECT(y, "the file has no such case");
    note_dtypes(&run, dict, group->inputs, y);
    op_begin(&run);
    make_inputs(&run, dict, group->inputs);
    op_forward(&run, gn_dtype_of(y), gn_shape_of(y));
    const double *expected = elements(y, &n);
    op_compare(&run, "result", run.y, expected, n);
    if (g)
        op_backward(&run, gn_to_device(g, options.device));
    compare_inputs(&run, dict, group->inputs);
}
