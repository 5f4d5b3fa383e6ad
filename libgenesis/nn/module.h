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
    size_t member;  /* of an empty place: the offset of the struct's member; 0: not known */
    bool transient; /* a buffer that is not part of the state */
} gn__entry;

typedef struct gn__entries {
    gn__entry *entry;
    size_t n, capacity;
} gn__entries;

typedef enum gn__hook_kind { GN__HOOK_PRE, GN__HOOK_FORWARD, GN__HOOK_BACKWARD } gn__hook_kind;

typedef struct gn__module_hook {
    int64_t handle; /* grows */
    gn__hook_kind kind;
    gn_module_hook *fn;
    void *context;
} gn__module_hook;

/* A tensor of the module that is computed from parameters before each run. While the module runs,
 * members that pointed to `rest` point to the value. */
typedef gn_tensor *gn__derive(gn_module *module, const char *name);
typedef struct gn__derived {
    char *name;
    gn_tensor *rest;  /* retained */
    gn_tensor *value; /* while the module runs */
    gn__derive *compute;
} gn__derived;

/* In the order of registration. */
struct gn_module_state {
    gn__entries parameters, buffers, children;
    gn__derived *derived;
    size_t n_derived, derived_capacity;
    gn__module_hook *hooks;
    size_t n_hooks, hooks_capacity;
    int64_t last_hook;
};

enum { GN__NAME_BYTES = 1024 }; /* of a dotted name */

/* An error unless module is a module and no error sticks. */
bool gn__is_module(const char *op, const gn_module *module);

/* The entry of a name, or NULL. set fills an empty place or adds an entry, and retains the object,
 * which may be NULL. remove releases it; no entry of the name is no error. */
gn__entry *gn__entry_find(const gn__entries *entries, const char *name);
gn_status gn__entry_set(gn__entries *entries, const char *name, void *object, bool transient);
void gn__entry_remove(gn__entries *entries, const char *name);

/* Makes the members of the module's struct that point to `from` point to `to`. */
void gn__repoint(gn_module *module, const void *from, const void *to);

gn_status gn__derived_add(gn_module *module, const char *name, gn_tensor *rest,
                          gn__derive *compute);
gn__derived *gn__derived_find(const gn_module *module, const char *name);
/* The members point to `rest` from now on. */
void gn__derived_remove(gn_module *module, const char *name, gn_tensor *rest);
/* Another tensor (NULL: none does) rests in the place of an old one. */
void gn__derived_follow(gn_module *module, const void *old, const void *rest);
void gn__derived_free(struct gn_module_state *state);

/* Calls `forward` as what the module does with x: in a scope of its own, between its hooks, with
 * its derived members. Every function that runs a module goes through this. */
typedef gn_tensor *gn__module_forward(gn_module *module, gn_tensor *x, void *context);
gn_tensor *gn__module_run(gn_module *module, gn_tensor *x, gn__module_forward *forward,
                          void *context);

/* Visits a module and its descendants once each, depth first, with their dotted names. Stops when
 * an error sticks. */
typedef void gn__module_visit(const char *name, gn_module *module, void *context);
gn_status gn__modules_walk(const gn_module *module, gn__module_visit *visit, void *context);

/* Visits the tensors of a module and its descendants: its parameters, then its buffers. */
typedef struct gn__state_place {
    const char *name; /* dotted */
    gn_tensor *tensor;
    bool buffer, transient;
} gn__state_place;
typedef void gn__state_visit(const gn__state_place *place, void *context);
gn_status gn__state_walk(const gn_module *module, const gn_walk_options *options,
                         gn__state_visit *visit, void *context);
extern const gn_walk_options gn__all_once; /* all descendants, each tensor once */

/* t takes over the data, dtype and device of another tensor, which it then shares; not the
 * history. */
void gn__take_over(gn_tensor *t, const gn_tensor *from);

/* An empty place for a parameter, which gn_set_parameter can fill: the member is in the module's
 * struct. */
void gn__parameter_none(void *module, const char *name, gn_tensor **member);

/* eps of a batch norm; negative if the module is none. */
double gn__batch_norm_eps(const gn_module *module);
/* Exchanges *cumulative with that of a batch norm with running statistics; false: it is none. */
bool gn__batch_norm_cumulative(gn_module *module, bool *cumulative);

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

/* For describe functions: appends as much as fits to what the text has. */
void gn__describe_add(char *text, size_t bytes, const char *format, ...) GN_PRINTF(3, 4);
/* The same of ", name=" and a number per dim as Python has them: "(3, 5)", "(3,)". */
void gn__describe_tuple(char *text, size_t bytes, const char *name, int n, const int64_t *values);

#endif
