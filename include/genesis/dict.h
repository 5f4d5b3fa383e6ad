/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dict.h - ordered dictionaries: names and tensors. Parameters, buffers and state dicts come so.
 *
 * Like Python's dict, one may also hold numbers, strings, None, and further dictionaries and lists;
 * that is what checkpoints are made of:
 *
 *     gn_dict *checkpoint = gn_dict_new();
 *     gn_dict_set(checkpoint, "model", gn_state_dict(model));
 *     gn_dict_set(checkpoint, "epoch", 3);
 *     gn_dict_set(checkpoint, "note", "before the learning rate drops");
 */
#ifndef GENESIS_DICT_H
#define GENESIS_DICT_H

#include <genesis/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gn_dict gn_dict;

typedef enum gn_value_kind {
    GN_VALUE_NONE,
    GN_VALUE_BOOL,
    GN_VALUE_INT,
    GN_VALUE_FLOAT,
    GN_VALUE_STRING,
    GN_VALUE_TENSOR,
    GN_VALUE_DICT,
    GN_VALUE_LIST
} gn_value_kind;

GN_API gn_dict *gn_dict_new(void);
/* A list: a dictionary whose names are "0", "1", .. in order. Setting the next of them, or the name
 * NULL, appends. */
GN_API gn_dict *gn_list_new(void);

/* Number of entries; entry i has a name and a kind. */
GN_API int64_t gn_dict_size(const gn_dict *dict);
GN_API const char *gn_dict_name(const gn_dict *dict, int64_t i); /* borrowed */
GN_API gn_value_kind gn_dict_kind(const gn_dict *dict, int64_t i);
/* The tensor of entry i, borrowed. Another kind of entry is an error. */
GN_API gn_tensor *gn_dict_tensor(const gn_dict *dict, int64_t i);

/* The value of a name, borrowed. NULL, without an error, if there is none of that kind. */
GN_API gn_tensor *gn_dict_get(const gn_dict *dict, const char *name);
GN_API gn_dict *gn_dict_get_dict(const gn_dict *dict, const char *name); /* or a list */
GN_API const char *gn_dict_get_string(const gn_dict *dict, const char *name);
/* A number, truth value or tensor of one element, converted; `absent` if there is none. */
GN_API int64_t gn_dict_get_int(const gn_dict *dict, const char *name, int64_t absent);
GN_API double gn_dict_get_float(const gn_dict *dict, const char *name, double absent);

/* Add or replace. Tensors and dictionaries are retained, strings copied. A dictionary can't be put
 * into itself. gn_dict_set takes any of them; C's `true` is an int, so truth values want
 * gn_dict_set_bool. */
GN_API gn_status gn_dict_set_tensor(gn_dict *dict, const char *name, gn_tensor *tensor);
GN_API gn_status gn_dict_set_dict(gn_dict *dict, const char *name, gn_dict *value);
GN_API gn_status gn_dict_set_string(gn_dict *dict, const char *name, const char *value);
GN_API gn_status gn_dict_set_int(gn_dict *dict, const char *name, int64_t value);
GN_API gn_status gn_dict_set_float(gn_dict *dict, const char *name, double value);
GN_API gn_status gn_dict_set_bool(gn_dict *dict, const char *name, bool value);
GN_API gn_status gn_dict_set_none(gn_dict *dict, const char *name);

/* All tensors in it and in its dictionaries, by names joined with dots: "model.fc1.weight". Numbers
 * and truth values become 0-dim tensors (float64, int64, bool) on the default device; strings and
 * None are left out. Two that get the same name are an error. */
GN_API gn_dict *gn_dict_flatten(const gn_dict *dict);

#ifdef __cplusplus
} /* extern "C" */
static inline gn_status gn_dict_set(gn_dict *d, const char *name, gn_tensor *value) {
    return gn_dict_set_tensor(d, name, value);
}
static inline gn_status gn_dict_set(gn_dict *d, const char *name, gn_dict *value) {
    return gn_dict_set_dict(d, name, value);
}
static inline gn_status gn_dict_set(gn_dict *d, const char *name, const char *value) {
    return gn_dict_set_string(d, name, value);
}
static inline gn_status gn_dict_set(gn_dict *d, const char *name, bool value) {
    return gn_dict_set_bool(d, name, value);
}
static inline gn_status gn_dict_set(gn_dict *d, const char *name, int value) {
    return gn_dict_set_int(d, name, value);
}
static inline gn_status gn_dict_set(gn_dict *d, const char *name, int64_t value) {
    return gn_dict_set_int(d, name, value);
}
static inline gn_status gn_dict_set(gn_dict *d, const char *name, double value) {
    return gn_dict_set_float(d, name, value);
}
#else
/* What ends in a void pointer, such as gn_retain, is taken for a tensor. */
#define gn_dict_set(dict, name, value)                                                             \
    _Generic((value), gn_tensor *                                                                  \
             : gn_dict_set_tensor, void *                                                          \
             : gn_dict_set_tensor, gn_dict *                                                       \
             : gn_dict_set_dict, char *                                                            \
             : gn_dict_set_string, const char *                                                    \
             : gn_dict_set_string, bool                                                            \
             : gn_dict_set_bool, int                                                               \
             : gn_dict_set_int, long                                                               \
             : gn_dict_set_int, long long                                                          \
             : gn_dict_set_int, float                                                              \
             : gn_dict_set_float, double                                                           \
             : gn_dict_set_float)(dict, name, value)
#endif
#endif
