/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module.h - modules: building blocks that own parameters, and the containers that combine them. The
 * layers are in layers.h, losses in losses.h.
 *
 * A module belongs to the scope that is open when it is made, and is kept by the parent that it
 * becomes a child of. Names of parameters and buffers are PyTorch's, so checkpoints move both ways.
 */
#ifndef GENESIS_MODULE_H
#define GENESIS_MODULE_H

#include <genesis/autograd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Dictionaries: ordered names and tensors. Parameters, buffers and state dicts come so. */

typedef struct gn_dict gn_dict;

GN_API gn_dict *gn_dict_new(void);
GN_API int64_t gn_dict_size(const gn_dict *dict);
GN_API const char *gn_dict_name(const gn_dict *dict, int64_t i);  /* borrowed */
GN_API gn_tensor *gn_dict_tensor(const gn_dict *dict, int64_t i); /* borrowed */
GN_API gn_tensor *gn_dict_get(const gn_dict *dict,
                              const char *name); /* borrowed; NULL, no error: absent */
/* Adds or replaces; the dict retains the tensor. */
GN_API gn_status gn_dict_set(gn_dict *dict, const char *name, gn_tensor *tensor);

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
 * gn_parameter makes the tensor a leaf that requires a gradient. */
GN_API gn_tensor *gn_parameter(void *module, const char *name, gn_tensor *tensor);
GN_API gn_tensor *gn_buffer(void *module, const char *name, gn_tensor *tensor, bool persistent);
GN_API gn_module *gn_child(void *module, const char *name, gn_module *child);
GN_API gn_status gn_add_module(gn_module *module, const char *name, gn_module *child);

/* Runs the module on x. The forward function runs in a scope of its own. */
GN_API gn_tensor *gn_forward(gn_module *module, gn_tensor *x);

/* All of the module and its descendants, depth first, in the order of registration, each once. */
GN_API gn_dict *gn_parameters(const gn_module *module);
GN_API gn_dict *gn_buffers(const gn_module *module);
GN_API int64_t gn_num_parameters(const gn_module *module); /* elements */

/* Visits the module itself (name "") and its descendants, or its direct children, each once. */
typedef void gn_module_visitor(const char *name, gn_module *module, void *context);
GN_API void gn_modules(gn_module *module, gn_module_visitor *visit, void *context);
GN_API void gn_children(gn_module *module, gn_module_visitor *visit, void *context);
/* A descendant by its dotted name: "layer1.0.conv1". Borrowed. */
GN_API gn_module *gn_get_submodule(gn_module *module, const char *name);

/* Training mode for the module and all descendants; returns it. */
GN_API gn_module *gn_train(gn_module *module, bool training);
GN_API gn_module *gn_eval(gn_module *module);

/* Parameters and persistent buffers, sharing their data, without history. */
GN_API gn_dict *gn_state_dict(const gn_module *module);
/* Copies values into the parameters and buffers in place. Missing, unexpected and misshaped entries
 * are an error that lists them all, and nothing is changed. not_strict: only misshaped ones are. */
typedef struct gn_load_options {
    size_t struct_size;
    bool not_strict;
} gn_load_options;
#define gn_load_state_dict(...) GN_CALL2(gn_load_state_dict_with, gn_load_options, __VA_ARGS__, )
GN_API gn_status gn_load_state_dict_with(gn_module *module, gn_dict *state,
                                         const gn_load_options *options);

/* Moves parameters and buffers to a device, or floating-point ones to a dtype, in place. */
GN_API gn_module *gn_module_to(gn_module *module, const char *device);
GN_API gn_module *gn_module_cast(gn_module *module, gn_dtype dtype);
GN_API gn_status gn_module_zero_grad(gn_module *module);

/* The module as an indented tree with its options. Malloc'ed: free() it. */
GN_API char *gn_module_text(const gn_module *module);

/* ---- Containers */

/* Runs modules in order; children "0", "1", ..: gn_nn_sequential(gn_nn_relu(), gn_nn_tanh()). A ReLU
 * before a max pooling runs after it: there is less to rectify, and all values are the same. */
#define gn_nn_sequential(...) gn_nn_sequential_n(GN_MODULES(__VA_ARGS__))
#define gn_nn_module_list(...) gn_nn_module_list_n(GN_MODULES(__VA_ARGS__))
typedef struct gn_module_array {
    int64_t n;
    gn_module *module[64];
} gn_module_array;
GN_API gn_module *gn_nn_sequential_n(gn_module_array modules);
GN_API gn_module *gn_nn_module_list_n(gn_module_array modules);
/* Sequential, ModuleList: adds at the end, and returns the container, borrowed. */
GN_API gn_module *gn_append(gn_module *container, gn_module *child);
#define gn_extend(container, ...) gn_extend_n(container, GN_MODULES(__VA_ARGS__))
GN_API gn_module *gn_extend_n(gn_module *container, gn_module_array modules);
/* The number of children, and child i (negative: from the end). Borrowed. */
GN_API int64_t gn_length(const gn_module *container);
GN_API gn_module *gn_at(const gn_module *container, int64_t i);
/* Modules by name: gn_nn_module_dict(), gn_add_module(dict, "fc1", ..), gn_key(dict, "fc1"). */
GN_API gn_module *gn_nn_module_dict(void);
GN_API gn_module *gn_key(const gn_module *dict, const char *name); /* borrowed */

#ifdef __cplusplus
}
template <class... M> gn_module_array gn_make_modules(M... module) {
    return gn_module_array{sizeof...(module), {module...}};
}
#define GN_MODULES(...) gn_make_modules(__VA_ARGS__)
static inline gn_tensor *gn_to(gn_tensor *t, const char *device) { return gn_to_device(t, device); }
static inline gn_module *gn_to(gn_module *m, const char *device) { return gn_module_to(m, device); }
#else
#define GN_MODULES(...)                                                                            \
    ((gn_module_array){.n = sizeof((gn_module *[]){__VA_ARGS__}) / sizeof(gn_module *),            \
                       .module = {__VA_ARGS__}})
/* A tensor on another device, or a module moved there. */
#define gn_to(object, device)                                                                      \
    _Generic((object), gn_tensor * : gn_to_device, gn_module * : gn_module_to)(object, device)
#endif
#endif
