/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sequence.c - linspace, logspace: functions of arange.
 */
#include "ops.h"

/* From the nearer end, so that both ends are exact. */
#define STEPS "(i < half ? start + step * i : end - step * (last - i))"

static gn_tensor *spaced(gn__op *op, double start, double end, int64_t steps, double base,
                         const gn_tensor_options *options) {
    if (gn__failed())
        return NULL;
    if (steps < 0 || steps >= (int64_t)1 << 52)
        return gn__fail_null(GN_E_ARGUMENT, op->name, "%lld steps", (long long)steps);
    gn_scope scope = gn_scope_begin();
    gn_tensor *y =
        gn__tensor_from_options(op->name, gn__shape(1, &steps), options, gn_default_dtype());
    gn_tensor *i = y ? gn_arange(0, (double)steps, 1,
                                 GN_AS(.device = gn_device_of(y),
                                       .dtype = y->dtype == GN_F64 ? GN_F64 : GN_F32))
                     : NULL;
    double last = (double)steps - 1;
    double params[] = {start, end, last > 0 ? (end - start) / last : 0, (double)(steps / 2),
                       last,  base};
    if (steps == 1)
        params[1] = start;
    bool wants = y && y->requires_grad;
    y = i ? gn__apply_as(op, 1, &i, params, y->dtype) : NULL;
    if (y)
        y->requires_grad = wants;
    return gn_scope_end_with(scope, y);
}

gn_tensor *gn_linspace(double start, double end, int64_t steps, const gn_tensor_options *options) {
    static gn__op op = {.name = "linspace",
                        .text = STEPS,
                        .variables = "i",
                        .params = "start, end, step, half, last"};
    return spaced(&op, start, end, steps, 0, options);
}

gn_tensor *gn_logspace(double start, double end, int64_t steps, double base,
                       const gn_tensor_options *options) {
    static gn__op op = {.name = "logspace",
                        .text = "base ** " STEPS,
                        .variables = "i",
                        .params = "start, end, step, half, last, base"};
    return spaced(&op, start, end, steps, base, options);
}
