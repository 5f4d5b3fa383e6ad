/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint.c - the state of a training as one dictionary in a file.
 */
#include <ctype.h>
#include <stdlib.h>

#include "../ops/support.h"
#include "io.h"

static const char MODEL[] = "model_state_dict", OPTIMIZER[] = "optimizer_state_dict",
                  SCHEDULER[] = "scheduler_state_dict", RNG[] = "rng_state", EPOCH[] = "epoch";

/* ---- The optimizer's state, whose names are paths, as PyTorch has it:
 *
 *     state.0.exp_avg      {"state": {0: {"exp_avg": tensor}},
 *     param_groups.0.lr     "param_groups": [{"lr": 0.001}]}
 */

/* What comes below a name of a path: a list where the next name is a number, but for the state,
 * which has parameters by number. */
static gn_dict *container(const char *name, const char *next) {
    if (!isdigit((unsigned char)*next))
        return gn_dict_new();
    if (strcmp(name, "state") != 0)
        return gn_list_new();
    gn_dict *dict = gn_dict_new();
    if (dict)
        gn__dict_number(dict);
    return dict;
}

static gn_status set_leaf(gn_dict *dict, const char *name, gn_tensor *t, bool is_option) {
    if (!is_option || gn_dim(t) > 0)
        return gn_dict_set(dict, name, t);
    switch (gn_dtype_of(t)) {
    case GN_BOOL: return gn_dict_set_bool(dict, name, gn_item_bool(t));
    case GN_F32:
    case GN_F64: return gn_dict_set(dict, name, gn_item(t));
    default: return gn_dict_set(dict, name, gn_item_int(t));
    }
}

/* Puts a tensor where its path leads; changes the path. */
static gn_status set_path(gn_dict *dict, char *path, gn_tensor *t) {
    const bool is_option = strncmp(path, "param_groups.", 13) == 0;
    char *dot;
    while ((dot = strchr(path, '.')) != NULL) {
        *dot = '\0';
        gn_dict *below = gn_dict_get_dict(dict, path);
        if (below == NULL) {
            below = container(path, dot + 1);
            if (gn_dict_set(dict, path, below) != GN_OK)
                return gn_error_status();
        }
        dict = below;
        path = dot + 1;
    }
    return set_leaf(dict, path, t, is_option);
}

static gn_dict *nest(const gn_dict *flat) {
    gn_dict *nested = gn_dict_new();
    for (int64_t i = 0; i < gn_dict_size(flat) && !gn__failed(); i++) {
        char *path = gn__strdup(gn_dict_name(flat, i));
        if (path)
            set_path(nested, path, gn_dict_tensor(flat, i));
        free(path);
    }
    return nested;
}

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
    gn_dict_set(dict, OPTIMIZER, nest(gn_optimizer_state_dict(optimizer)));
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
    gn_optimizer_load_state_dict(optimizer, gn_dict_flatten(part(dict, path, OPTIMIZER)));
    if (o.scheduler)
        gn_scheduler_load_state_dict(o.scheduler, part(dict, path, SCHEDULER));
    load_rng(dict, o.generator);
    return gn_scope_end(scope) == GN_OK ? dict : NULL;
}
