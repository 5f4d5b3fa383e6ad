/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint.c - the state of a training as one dictionary in a file.
 */
#include "../ops/support.h"
#include "io.h"

static const char MODEL[] = "model_state_dict", OPTIMIZER[] = "optimizer_state_dict",
                  SCHEDULER[] = "scheduler_state_dict", RNG[] = "rng_state", EPOCH[] = "epoch";

/* ---- Saving */

static gn_dict *rng_state(gn_generator *generator) {
    gn_rng_state rng = gn_rng_state_get(generator);
    gn_dict *state = gn_dict_new();
    gn_dict_set(state, "seed", (int64_t)rng.seed);
    gn_dict_set(state, "offset", (int64_t)rng.offset);
    return state;
}

static gn_status add_extra(gn_dict *dict, const gn_dict *extra) {
    for (int64_t i = 0; i < gn_dict_size(extra) && !gn__failed(); i++) {
        const char *name = gn_dict_name(extra, i);
        if (gn__dict_has(dict, name))
            return gn_fail(GN_E_ARGUMENT, "save_checkpoint",
                           "extra has \"%.200s\", which is the name of a part of the checkpoint",
                           name);
        gn__dict_copy_entry(dict, extra, i);
    }
    return gn_error_status();
}

gn_status gn_save_checkpoint_with(const char *path, gn_module *model, gn_optimizer *optimizer,
                                  const gn_save_checkpoint_options *options) {
    gn_save_checkpoint_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed())
        return gn_error_status();
    gn_scope scope = gn_scope_begin();
    gn_dict *dict = gn_dict_new();
    gn_dict_set(dict, MODEL, gn_state_dict(model));
    gn_dict_set(dict, OPTIMIZER, gn_optimizer_state_dict(optimizer));
    if (o.scheduler)
        gn_dict_set(dict, SCHEDULER, gn_scheduler_state_dict(o.scheduler));
    gn_dict_set(dict, RNG, rng_state(o.generator));
    gn_dict_set(dict, EPOCH, o.epoch);
    if (add_extra(dict, o.extra) == GN_OK)
        gn_save(dict, path);
    return gn_scope_end(scope);
}

/* ---- Loading */

/* The part of that name; NULL with an error. */
static gn_dict *part(const gn_dict *dict, const char *path, const char *name) {
    gn_dict *found = gn__failed() ? NULL : gn_dict_get_dict(dict, name);
    if (found == NULL && !gn__failed())
        gn_fail(GN_E_FORMAT, "load_checkpoint", "%s: has no %s", path, name);
    return found;
}

static gn_status load_rng(const gn_dict *dict, gn_generator *generator) {
    const gn_dict *state = gn_dict_get_dict(dict, RNG);
    if (state == NULL)
        return gn_error_status();
    gn_rng_state rng = {.seed = (uint64_t)gn_dict_get_int(state, "seed", 0),
                        .offset = (uint64_t)gn_dict_get_int(state, "offset", 0)};
    return gn_rng_state_set(generator, rng);
}

gn_dict *gn_load_checkpoint_with(const char *path, gn_module *model, gn_optimizer *optimizer,
                                 const gn_load_checkpoint_options *options) {
    gn_load_checkpoint_options o;
    gn__options(&o, sizeof o, options);
    gn_dict *dict = gn_load(path, NULL);
    if (dict == NULL)
        return NULL;
    gn_scope scope = gn_scope_begin();
    gn_load_state_dict(model, part(dict, path, MODEL));
    gn_optimizer_load_state_dict(optimizer, part(dict, path, OPTIMIZER));
    if (o.scheduler)
        gn_scheduler_load_state_dict(o.scheduler, part(dict, path, SCHEDULER));
    load_rng(dict, o.generator);
    return gn_scope_end(scope) == GN_OK ? dict : NULL;
}
