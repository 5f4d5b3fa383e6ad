/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containers.h - modules that hold modules or parameters: Sequential, ModuleList, ModuleDict,
 * ParameterList, ParameterDict.
 *
 * Functions that take a position count from 0, or from the end with negative numbers. What they
 * return is borrowed unless a comment says otherwise.
 */
#ifndef GENESIS_CONTAINERS_H
#define GENESIS_CONTAINERS_H

#include <genesis/module.h>

#ifdef __cplusplus
#include <initializer_list>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Modules, modules with names as arguments; at most 64. */
typedef struct gn_module_array {
    int64_t n;
    gn_module *module[64];
} gn_module_array;

typedef struct gn_named_module {
    const char *name;
    gn_module *module;
} gn_named_module;
typedef struct gn_named_modules {
    int64_t n;
    gn_named_module item[64];
} gn_named_modules;

/* ---- Sequential, ModuleList: children "0", "1", .. */

/* Runs modules in order: gn_nn_sequential(gn_nn_linear(784, 10), gn_nn_relu()). With names of one's
 * own: gn_nn_sequential_named({"fc", gn_nn_linear(784, 10)}, {"act", gn_nn_relu()}). A ReLU before a
 * max pooling runs after it, unless one of them has hooks: there is less to rectify, and all values
 * are the same. */
#define gn_nn_sequential(...) gn_nn_sequential_n(GN_MODULES(__VA_ARGS__))
#define gn_nn_sequential_named(...) gn_nn_sequential_named_n(GN_NAMED_MODULES(__VA_ARGS__))
GN_API gn_module *gn_nn_sequential_n(gn_module_array modules);
GN_API gn_module *gn_nn_sequential_named_n(gn_named_modules modules);

/* A list of modules, without a forward of its own. */
#define gn_nn_module_list(...) gn_nn_module_list_n(GN_MODULES(__VA_ARGS__))
GN_API gn_module *gn_nn_module_list_n(gn_module_array modules);

/* Adds at the end, or before child i; returns the container. */
#define gn_extend(container, ...) gn_extend_n(container, GN_MODULES(__VA_ARGS__))
GN_API gn_module *gn_append(gn_module *container, gn_module *child);
GN_API gn_module *gn_extend_n(gn_module *container, gn_module_array modules);
GN_API gn_module *gn_insert(gn_module *container, int64_t i, gn_module *child);
/* Puts a child in the place of child i, under its name; returns the container. */
GN_API gn_module *gn_set_at(gn_module *container, int64_t i, gn_module *child);
/* Takes child i out and returns it, owned by the scope. The others are numbered anew. */
GN_API gn_module *gn_pop(gn_module *container, int64_t i);
/* A container of the same kind, owned by the scope, that shares the modules: those from `start` to
 * before `end`, in Python's sense (a slice of a Sequential keeps names); those of a, then of b. */
GN_API gn_module *gn_modules_slice(const gn_module *container, int64_t start, int64_t end);
GN_API gn_module *gn_modules_concat(const gn_module *a, const gn_module *b);

/* ---- All containers */

/* The number of children (of a ParameterList or ParameterDict: of parameters). */
GN_API int64_t gn_length(const gn_module *container);
/* Child i of any module, and its name. */
GN_API gn_module *gn_at(const gn_module *container, int64_t i);
GN_API const char *gn_name_at(const gn_module *container, int64_t i);
/* Takes everything out; returns the container. */
GN_API gn_module *gn_clear(gn_module *container);

/* ---- ModuleDict: gn_nn_module_dict({"fc1", gn_nn_linear(10, 20)}, {"act", gn_nn_relu()}). Its keys
 * and values, in order, are gn_name_at and gn_at of 0 .. gn_length - 1. */

#define gn_nn_module_dict(...) gn_nn_module_dict_n(GN_NAMED_MODULES(__VA_ARGS__))
GN_API gn_module *gn_nn_module_dict_n(gn_named_modules modules);
GN_API bool gn_has_key(const gn_module *dict, const char *name);
/* The child of any module with a name; GN_E_NOT_FOUND. */
GN_API gn_module *gn_key(const gn_module *dict, const char *name);
/* Adds children, or replaces those that have the names: gn_update(dict, {"act", gn_nn_tanh()}). */
#define gn_update(dict, ...) gn_update_n(dict, GN_NAMED_MODULES(__VA_ARGS__))
GN_API gn_module *gn_update_n(gn_module *dict, gn_named_modules modules);
/* Takes the child out and returns it, owned by the scope. */
GN_API gn_module *gn_pop_key(gn_module *dict, const char *name);

/* ---- Parameters in a list ("0", "1", ..) or by name. To a ParameterDict, gn_parameter adds;
 * gn_get_parameter reads both. */

#define gn_nn_parameter_list(...) gn_nn_parameter_list_n(GN_TENSORS(__VA_ARGS__))
GN_API gn_module *gn_nn_parameter_list_n(gn_tensor_array tensors);
GN_API gn_module *gn_nn_parameter_dict(void);
GN_API gn_module *gn_append_parameter(gn_module *list, gn_tensor *tensor);
GN_API gn_tensor *gn_parameter_at(const gn_module *list, int64_t i);

#ifdef __cplusplus
}
template <class... M> gn_module_array gn_make_modules(M... module) {
    return gn_module_array{sizeof...(module), {module...}};
}
inline gn_named_modules gn_make_named_modules(std::initializer_list<gn_named_module> items) {
    gn_named_modules made = {static_cast<int64_t>(items.size()), {}};
    int64_t n = 0;
    for (const gn_named_module &item : items)
        if (n < 64)
            made.item[n++] = item;
    return made;
}
#define GN_MODULES(...) gn_make_modules(__VA_ARGS__)
#define GN_NAMED_MODULES(...) gn_make_named_modules({__VA_ARGS__})
#else
#define GN_MODULES(...)                                                                            \
    ((gn_module_array){.n = sizeof((gn_module *[]){__VA_ARGS__}) / sizeof(gn_module *),            \
                       .module = {__VA_ARGS__}})
#define GN_NAMED_MODULES(...)                                                                      \
    ((gn_named_modules){.n = sizeof((gn_named_module[]){__VA_ARGS__}) / sizeof(gn_named_module),   \
                        .item = {__VA_ARGS__}})
#endif
#endif
