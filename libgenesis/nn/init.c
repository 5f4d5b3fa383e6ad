/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init.c - weights filled anew, for a whole module.
 */
#include <math.h>
#include <string.h>

#include "module.h"

/* fan_in, fan_out of a weight (out, in, kernel..). */
typedef struct fans {
    double in, out;
} fans;

static fans fans_of(const gn_tensor *weight) {
    double receptive = 1;
    for (int d = 2; d < weight->n_dims; d++)
        receptive *= (double)weight->size[d];
    return (fans){(double)weight->size[1] * receptive, (double)weight->size[0] * receptive};
}

static double xavier_bound(fans f) { return sqrt(6 / (f.in + f.out)); }
static double kaiming_bound(fans f) { return sqrt(6 / f.in); } /* for ReLU */
static double normal_std(fans f) { return (void)f, 0.02; }
static double uniform_bound(fans f) { return (void)f, 0.1; }

/* Each fills weights of at least 2 dims: the fans give the bound or the standard deviation. */
static const struct {
    const char *name;
    bool normal;
    double (*width)(fans f);
} types[] = {
    {"xavier", false, xavier_bound},
    {"kaiming", false, kaiming_bound},
    {"normal", true, normal_std},
    {"uniform", false, uniform_bound},
};

static void initialise(const gn__state_place *place, void *context) {
    const size_t type = *(const size_t *)context;
    gn_tensor *t = place->tensor;
    const char *last = strrchr(place->name, '.');
    if (place->buffer || t->count == 0)
        return;
    if (t->n_dims >= 2 && types[type].normal)
        gn_normal_(t, 0, types[type].width(fans_of(t)), NULL);
    else if (t->n_dims >= 2)
        gn_uniform_(t, -types[type].width(fans_of(t)), types[type].width(fans_of(t)), NULL);
    else if (strcmp(last ? last + 1 : place->name, "bias") == 0)
        gn_zero_(t);
}

gn_status gn_init_weights(gn_module *module, const char *type) {
    static const char op[] = "init_weights";
    if (!gn__is_module(op, module))
        return gn_error_status();
    size_t chosen = 0;
    while (chosen < GN_LENGTH(types) && (type == NULL || strcmp(types[chosen].name, type) != 0))
        chosen++;
    if (chosen == GN_LENGTH(types))
        return gn_fail(GN_E_ARGUMENT, op,
                       "there is no type \"%s\": it is xavier, kaiming, normal or uniform",
                       type ? type : "NULL");
    bool was = gn_set_grad_enabled(false);
    gn_status status = gn__state_walk(module, &gn__all_once, initialise, &chosen);
    gn_set_grad_enabled(was);
    return status;
}
