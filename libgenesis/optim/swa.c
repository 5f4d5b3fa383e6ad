/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swa.c - averages of weights over a training, the batch norms' statistics for them, and the
 * schedule that goes with them.
 */
#include <stdlib.h>

#include <genesis/swa.h>

#include "../nn/module.h"
#include "scheduler.h"

/* ---- The average, a module around a copy of the model */

typedef struct averaged_model {
    gn_module base;
    gn_module *module;
    gn_tensor *n_averaged;
    gn_averaged_model_options options;
} averaged_model;

static gn_tensor *forward(gn_module *module, gn_tensor *x) {
    return gn_forward(((averaged_model *)module)->module, x);
}

static const gn_module_class averaged_model_class = {
    .name = "AveragedModel", .size = sizeof(averaged_model), .forward = forward};

gn_module *gn_averaged_model_with(const gn_module *model,
                                  const gn_averaged_model_options *options) {
    static const char op[] = "averaged_model";
    gn_averaged_model_options o;
    gn__options(&o, sizeof o, options);
    if (!gn__is_module(op, model) || !gn__in_range(op, "decay", o.decay, 0, 1))
        return NULL;
    averaged_model *self = gn_module_new(&averaged_model_class);
    gn_module *copy = gn_module_clone(model);
    if (copy && o.device)
        copy = gn_module_to(copy, o.device);
    if (self == NULL || copy == NULL)
        return NULL;
    self->options = o;
    self->options.device = NULL; /* the string is the caller's */
    self->module = gn_child(self, "module", copy);
    self->n_averaged = gn_buffer(
        self, "n_averaged", gn_scalar_tensor(0, GN_AS(.dtype = GN_I64, .device = o.device)), true);
    return gn__failed() ? NULL : &self->base;
}

/* What an average of n values becomes with one more. */
static gn_tensor *next_average(const averaged_model *self, gn_tensor *average, gn_tensor *value,
                               int64_t n) {
    const gn_averaged_model_options *o = &self->options;
    if (n == 0)
        return value;
    if (o->avg_fn)
        return o->avg_fn(average, value, n, o->context);
    const double weight = o->decay != 0 ? 1 - o->decay : 1 / (double)(n + 1);
    return gn_add(average, gn_mul_scalar(gn_sub(value, average), weight));
}

/* Takes in all tensors of a dictionary; n < 0: copies them. */
static gn_status take_in(const averaged_model *self, const gn_dict *averages, const gn_dict *values,
                         int64_t n) {
    if (gn_dict_size(averages) != gn_dict_size(values))
        return gn_fail(GN_E_ARGUMENT, "update_parameters",
                       "the model has %lld tensors, the one that was averaged %lld",
                       (long long)gn_dict_size(values), (long long)gn_dict_size(averages));
    for (int64_t i = 0; i < gn_dict_size(averages) && !gn__failed(); i++) {
        gn_scope scope = gn_scope_begin();
        gn_tensor *average = gn_detach(gn_dict_tensor(averages, i));
        gn_tensor *value = gn_detach(gn_dict_tensor(values, i));
        if (average && value)
            value = gn_to_device(value, average->storage->device->name);
        if (average && value)
            gn_copy_(average, next_average(self, average, value, n < 0 ? 0 : n));
        gn_scope_end(scope);
    }
    return gn_error_status();
}

gn_status gn_update_parameters(gn_module *averaged, const gn_module *model) {
    if (!gn__is_module("update_parameters", averaged) || !gn__is_module("update_parameters", model))
        return gn_error_status();
    if (averaged->type != &averaged_model_class)
        return gn_fail(GN_E_ARGUMENT, "update_parameters", "%s is no AveragedModel",
                       averaged->type->name);
    averaged_model *self = (averaged_model *)averaged;
    const bool was = gn_set_grad_enabled(false);
    gn_scope scope = gn_scope_begin();
    const int64_t n = gn_item_int(self->n_averaged);
    take_in(self, gn_parameters(self->module), gn_parameters(model), n);
    if (!gn__failed())
        take_in(self, gn_buffers(self->module), gn_buffers(model),
                self->options.use_buffers ? n : -1);
    if (!gn__failed())
        gn_add_scalar_(self->n_averaged, 1);
    gn_set_grad_enabled(was);
    return gn_scope_end(scope);
}

/* ---- Batch norms: plain averages of the statistics of all batches */

typedef struct statistics {
    gn_module *module;
    bool cumulative; /* as it was */
} statistics;

typedef struct collection {
    statistics *all;
    size_t n, capacity;
} collection;

static void reset(gn_module *module) {
    static const struct {
        const char *name;
        double value;
    } buffers[] = {{"running_mean", 0}, {"running_var", 1}, {"num_batches_tracked", 0}};
    for (size_t i = 0; i < GN_LENGTH(buffers); i++)
        gn_fill_(gn__entry_find(&module->state->buffers, buffers[i].name)->object,
                 buffers[i].value);
}

static void begin_statistics(const char *name, gn_module *module, void *context) {
    collection *c = context;
    bool cumulative = true;
    (void)name;
    if (gn__failed() || !gn__batch_norm_cumulative(module, &cumulative))
        return;
    if (gn__grow((void **)&c->all, &c->capacity, c->n, sizeof *c->all) != GN_OK) {
        gn__batch_norm_cumulative(module, &cumulative);
        return;
    }
    c->all[c->n++] = (statistics){module, cumulative};
    reset(module);
}

static void end_statistics(collection *c) {
    for (size_t i = 0; i < c->n; i++)
        gn__batch_norm_cumulative(c->all[i].module, &c->all[i].cumulative);
    free(c->all);
}

gn_status gn_update_bn(gn_loader *loader, gn_module *model) {
    if (!gn__is_module("update_bn", model))
        return gn_error_status();
    if (loader == NULL)
        return gn_fail(GN_E_ARGUMENT, "update_bn", "the loader is NULL");
    collection c = {0};
    const bool was = gn_set_grad_enabled(false), training = model->training;
    gn_modules(model, begin_statistics, &c);
    if (c.n > 0 && !gn__failed()) {
        gn_train(model, true);
        for (gn_batch batch; gn_next(loader, &batch);) {
            gn_scope scope = gn_scope_begin();
            gn_forward(model, batch.x);
            if (gn_scope_end(scope) != GN_OK)
                break;
        }
    }
    end_statistics(&c);
    if (c.n > 0)
        gn_train(model, training);
    gn_set_grad_enabled(was);
    return gn_error_status();
}

/* ---- The schedule */

enum { EPOCHS, LINEAR };

/* How far step t is on the way, from 0 to 1. */
static double annealed(const gn_scheduler *self, double t) {
    const double at = fmax(0, fmin(1, t / fmax(1, self->value[EPOCHS])));
    return self->value[LINEAR] != 0 ? at : (1 - cos(acos(-1.0) * at)) / 2;
}

/* From the present rate, which says where the way began. */
static double swa_rate(gn_scheduler *self, int group, double lr) {
    double t = (double)self->last_epoch;
    if (self->value[EPOCHS] == 0)
        t = fmax(1, t);
    const double end = gn__noted(self, group, "swa_lr"), before = annealed(self, t - 1);
    const double start = before == 1 ? end : (lr - before * end) / (1 - before);
    const double now = annealed(self, t);
    return end * now + start * (1 - now);
}

gn_scheduler *gn_lr_swa_with(gn_optimizer *optimizer, double swa_lr,
                             const gn_swa_options *options) {
    static const gn__schedule schedule = {.name = "lr_swa", .rate = swa_rate, .goes_on = true};
    gn_swa_options o;
    gn__options(&o, sizeof o, options);
    const double epochs = gn_or(o.anneal_epochs, 10);
    if (gn__failed() || !gn__in_range(schedule.name, "swa_lr", swa_lr, 0, INFINITY) ||
        !gn__in_range(schedule.name, "anneal_epochs", epochs, 0, INFINITY))
        return NULL;
    gn_scheduler *self = gn__scheduler_new(&schedule, optimizer);
    if (self == NULL)
        return NULL;
    self->value[EPOCHS] = epochs;
    self->value[LINEAR] = o.linear;
    for (int i = 0; i < self->n_groups; i++)
        gn__note(self, i, "swa_lr", swa_lr);
    return gn__scheduler_start(self);
}
