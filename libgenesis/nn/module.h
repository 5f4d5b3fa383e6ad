/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module.h (internal) - what a module holds, and how trees of modules are walked.
 */
#ifndef GENESIS_NN_MODULE_H
#define GENESIS_NN_MODULE_H

#include <genesis/nn.h>

#include "../autograd/autograd.h"
#include "../ops/support.h"

/* A named place; object may be NULL. */
typedef struct gn__entry {
    char *name;
    void *object;   /* a gn_tensor or gn_module, retained */
    bool transient; /* a buffer that is not part of the state */
} gn__entry;

typedef struct gn__entries {
    gn__entry *entry;
    size_t n, capacity;
} gn__entries;

/* In the order of registration. */
struct gn_module_state {
    gn__entries parameters, buffers, children;
};

enum { GN__NAME_BYTES = 1024 }; /* of a dotted name */

/* An error unless module is a module and no error sticks. */
bool gn__is_module(const char *op, const gn_module *module);

/* The entry of a name, or NULL. */
gn__entry *gn__entry_find(const gn__entries *entries, const char *name);

/* Visits a module and its descendants, depth first, with their dotted names; once each if `once`.
 * Stops when an error sticks. */
typedef void gn__module_visit(const char *name, gn_module *module, void *context);
gn_status gn__modules_walk(const gn_module *module, bool once, gn__module_visit *visit,
                           void *context);

/* Visits the tensors of a module and its descendants: its parameters, then its buffers. `once`
 * skips those seen before. */
typedef struct gn__state_place {
    const char *name; /* dotted */
    gn_tensor *tensor;
    bool buffer, transient;
} gn__state_place;
typedef void gn__state_visit(const gn__state_place *place, void *context);
gn_status gn__state_walk(const gn_module *module, bool once, gn__state_visit *visit, void *context);

/* Parameters made by layers: uniform in [-bound, bound), registered. */
gn_tensor *gn__parameter_uniform(void *module, const char *name, gn_shape shape, double bound);
gn_tensor *gn__parameter_full(void *module, const char *name, gn_shape shape, double value);

/* What Sequential asks of its children. */
bool gn__is_relu(const gn_module *module);     /* not in place */
bool gn__is_max_pool(const gn_module *module); /* each window has an element of the input */

/* A growing text. */
typedef struct gn__text {
    char *bytes;
    size_t n, capacity;
} gn__text;
void gn__text_add(gn__text *text, const char *format, ...) GN_PRINTF(2, 3);

#endif
