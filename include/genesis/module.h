/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module.h - modules: building blocks that own parameters. Containers of modules are in
 * containers.h, layers in layers.h, losses in losses.h.
 *
 * A module belongs to the scope that is open when it is made, and is kept by the parent that it
 * becomes a child of. Names of parameters and buffers are PyTorch's, so checkpoints move both ways.
 */
#ifndef GENESIS_MODULE_H
#define GENESIS_MODULE_H

#include <genesis/autograd.h>
#include <genesis/dict.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Module: what every module can do */

typedef struct gn_module gn_module;

/* What a kind of module is: constant, one per kind. */
typedef struct gn_module_class {
    const char *name; /* "Linear" */
    size_t size;      /* of the struct that starts with gn_module */
    gn_tensor *(*forward)(gn_module *self, gn_tensor *x);
    void (*destroy)(gn_module *self); /* frees what is no parameter, buffer, child; or NULL */
    void (*describe)(const gn_module *self, char *text, size_t bytes); /* "784, 256"; or NULL */
    gn_tensor *(*loss)(gn_module *self, gn_tensor *input,
                       gn_tensor *target); /* for gn_loss; or NULL */
    /* For gn_module_clone: `copy` has the bytes of `self` and its own parameters, buffers, children.
     * Gives it its own of all that destroy frees; what it could not make, it leaves NULL. Or NULL. */
    gn_status (*clone)(gn_module *copy, const gn_module *self);
    /* For gn_invoke with `inputs` of them, at least 2; or NULL. */
    int inputs;
    gn_tensor *(*invoke)(gn_module *self, gn_tensor *const *inputs);
} gn_module_class;

/* The first member of every module's struct. Only `training` is for reading. */
struct gn_module {
    struct {
        const void *kind;
        uint64_t references;
    } object;
    const gn_module_class *type;
    struct gn_module_state *state;
    bool training;
};

/* A zeroed module of the class, in training mode, without children. */
GN_API void *gn_module_new(const gn_module_class *type);

/* Registers under a name (no dots, not empty, not taken) and returns what was given, so that it can
 * be assigned to a member: self->weight = gn_parameter(self, "weight", gn_randn(out, in)). `module`
 * is a pointer to any struct that starts with gn_module. Retained. NULL registers an empty place.
 * gn_parameter makes the tensor a leaf that requires a gradient.
 *
 * Members of the struct that point to what is registered are found by their value: gn_module_clone,
 * gn_set_parameter, gn_set_submodule, parametrizations and pruning make them point to what comes
 * instead. Pointers in memory of one's own are not found: look those up by name. */
GN_API gn_tensor *gn_parameter(void *module, const char *name, gn_tensor *tensor);
GN_API gn_tensor *gn_buffer(void *module, const char *name, gn_tensor *tensor, bool persistent);
GN_API gn_module *gn_child(void *module, const char *name, gn_module *child);
GN_API gn_status gn_add_module(gn_module *module, const char *name, gn_module *child);

/* Runs the module on x, between its hooks. The forward function runs in a scope of its own. */
GN_API gn_tensor *gn_forward(gn_module *module, gn_tensor *x);

/* Tensors as arguments; at most 64. */
typedef struct gn_tensor_array {
    int64_t n;
    gn_tensor *tensor[64];
} gn_tensor_array;

/* Runs a module on as many inputs as it has: gn_invoke(triplet_margin, anchor, positive, negative).
 * Hooks see the first one. */
#define gn_invoke(module, ...) gn_invoke_n(module, GN_TENSORS(__VA_ARGS__))
GN_API gn_tensor *gn_invoke_n(gn_module *module, gn_tensor_array inputs);

/* ---- What is in a module. Names of descendants are dotted: "layer1.0.conv1.weight". */

typedef struct gn_walk_options {
    size_t struct_size;
    const char *prefix; /* goes before each name, with a dot between; NULL or "": none */
    bool no_recurse;    /* only the module's own, none of its children's */
    bool duplicates;    /* a tensor that has several names comes under each of them */
} gn_walk_options;

/* All of the module and its descendants, depth first, in the order of registration, each once. */
#define gn_parameters(...) GN_CALL1(gn_parameters_with, gn_walk_options, __VA_ARGS__, )
#define gn_buffers(...) GN_CALL1(gn_buffers_with, gn_walk_options, __VA_ARGS__, )
GN_API gn_dict *gn_parameters_with(const gn_module *module, const gn_walk_options *options);
GN_API gn_dict *gn_buffers_with(const gn_module *module, const gn_walk_options *options);
GN_API int64_t gn_num_parameters(const gn_module *module); /* elements */

/* Visits the module itself (name "") and its descendants, or its direct children, each once. */
typedef void gn_module_visitor(const char *name, gn_module *module, void *context);
GN_API void gn_modules(gn_module *module, gn_module_visitor *visit, void *context);
GN_API void gn_children(gn_module *module, gn_module_visitor *visit, void *context);
/* Like gn_modules, but a module comes after its descendants. Returns the module. */
GN_API gn_module *gn_apply(gn_module *module, gn_module_visitor *visit, void *context);

/* A descendant, or a tensor of one, by its name. Borrowed; GN_E_NOT_FOUND. */
GN_API gn_module *gn_get_submodule(gn_module *module, const char *name);
GN_API gn_tensor *gn_get_parameter(gn_module *module, const char *name);
GN_API gn_tensor *gn_get_buffer(gn_module *module, const char *name);

/* Puts another child or parameter in the place of one: a head for fine-tuning, or the same tensor
 * in two places (tied weights: one parameter, two entries of the state). NULL empties the place. An
 * empty place is filled where the struct's member is known: in layers of the library, and where it
 * was emptied so; else GN_E_NOT_FOUND. */
GN_API gn_status gn_set_submodule(gn_module *module, const char *name, gn_module *child);
GN_API gn_status gn_set_parameter(gn_module *module, const char *name, gn_tensor *tensor);

/* ---- Modes and gradients */

/* Training mode for the module and all descendants; returns it. */
GN_API gn_module *gn_train(gn_module *module, bool training);
GN_API gn_module *gn_eval(gn_module *module);
/* Whether the parameters require gradients: false freezes them. Returns the module. */
GN_API gn_module *gn_module_requires_grad_(gn_module *module, bool requires_grad);
GN_API gn_status gn_module_zero_grad(gn_module *module);

/* ---- State */

/* Parameters and persistent buffers, sharing their data, without history; those that have several
 * names come under each of them. */
#define gn_state_dict(...) GN_CALL1(gn_state_dict_with, gn_walk_options, __VA_ARGS__, )
GN_API gn_dict *gn_state_dict_with(const gn_module *module, const gn_walk_options *options);
/* Copies values into the parameters and buffers in place. Missing, unexpected and misshaped entries
 * are an error that lists them all, and nothing is changed. */
typedef struct gn_load_options {
    size_t struct_size;
    bool not_strict;    /* only misshaped entries are an error */
    bool assign;        /* shares the state's data, with its dtype and device, instead of copying */
    const char *prefix; /* only entries "prefix.name" are of this module; the others are ignored */
    gn_dict **missing;  /* gets what the state lacks, by name; owned by the scope */
    gn_dict **unexpected; /* gets what the module lacks */
} gn_load_options;
#define gn_load_state_dict(...) GN_CALL2(gn_load_state_dict_with, gn_load_options, __VA_ARGS__, )
GN_API gn_status gn_load_state_dict_with(gn_module *module, gn_dict *state,
                                         const gn_load_options *options);

/* Moves parameters and buffers to a device, or floating-point ones to a dtype, in place. */
GN_API gn_module *gn_module_to(gn_module *module, const char *device);
GN_API gn_module *gn_module_cast(gn_module *module, gn_dtype dtype);

/* A copy of the module and all below it, with data of its own, and the same hooks. What is shared
 * inside (tied weights) is shared in the copy. Gradients are not copied. A class that has `destroy`
 * needs `clone`. */
GN_API gn_module *gn_module_clone(const gn_module *module);

/* The module as an indented tree with its options. Malloc'ed: free() it. */
GN_API char *gn_module_text(const gn_module *module);

/* ---- Hooks: functions that see, and may replace, what goes in and out of gn_forward and gn_loss
 *
 * What a hook returns comes instead of `value`; NULL, without an error, keeps it. Hooks run in the
 * order of registration. A registration returns a handle > 0, or a negative status. */

/* forward pre-hook:    value is the input; other is NULL
 * forward hook:        value is the output, other the input
 * full backward hook:  value is the gradient of the input (NULL: the input needs none, and there is
 *                      nothing to replace), other that of the output. A module with such hooks must
 *                      not change its input in place. */
typedef gn_tensor *gn_module_hook(gn_module *module, gn_tensor *value, gn_tensor *other,
                                  void *context);
GN_API int64_t gn_register_forward_pre_hook(gn_module *module, gn_module_hook *fn, void *context);
GN_API int64_t gn_register_forward_hook(gn_module *module, gn_module_hook *fn, void *context);
GN_API int64_t gn_register_full_backward_hook(gn_module *module, gn_module_hook *fn, void *context);
GN_API gn_status gn_remove_module_hook(gn_module *module, int64_t handle);

#ifdef __cplusplus
}
template <class... T> gn_tensor_array gn_make_tensors(T... tensor) {
    return gn_tensor_array{sizeof...(tensor), {tensor...}};
}
#define GN_TENSORS(...) gn_make_tensors(__VA_ARGS__)
static inline gn_tensor *gn_to(gn_tensor *t, const char *device) { return gn_to_device(t, device); }
static inline gn_module *gn_to(gn_module *m, const char *device) { return gn_module_to(m, device); }
#else
#define GN_TENSORS(...)                                                                            \
    ((gn_tensor_array){.n = sizeof((gn_tensor *[]){__VA_ARGS__}) / sizeof(gn_tensor *),            \
                       .tensor = {__VA_ARGS__}})
/* A tensor on another device, or a module moved there. */
#define gn_to(object, device)                                                                      \
    _Generic((object), gn_tensor * : gn_to_device, gn_module * : gn_module_to)(object, device)
#endif
#endif
