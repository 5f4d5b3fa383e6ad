/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base.h - status and errors, ownership by scopes, optional arguments, library-wide settings.
 *
 * Errors. A function that fails returns NULL or a negative gn_status and records the cause for its
 * thread. The first error sticks: until gn_error_clear(), every further operation of that thread
 * does nothing and fails, too. So a chain of calls, or a whole training step, is checked once.
 *
 * Ownership. What a function returns belongs to the innermost open scope of the thread, unless its
 * comment says "borrowed". gn_scope_end frees it; gn_retain keeps it beyond. Every thread has a
 * root scope, which is freed when the thread ends or in gn_shutdown.
 */
#ifndef GENESIS_BASE_H
#define GENESIS_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <genesis/backend.h>

#if defined(__GNUC__)
#define GN_API __attribute__((visibility("default")))
#define GN_PRINTF(string, first) __attribute__((format(printf, string, first)))
#else
#define GN_API
#define GN_PRINTF(string, first)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Errors */

/* The name of a status, "GN_E_INDEX", and its meaning, "index out of range". Static strings. */
GN_API const char *gn_status_name(gn_status status);
GN_API const char *gn_status_text(gn_status status);

/* The status of this thread: GN_OK, or that of the error that sticks. */
GN_API gn_status gn_error_status(void);

/* The message of the error that sticks: "matmul: (32, 100) and (784, 256) do not fit: ...".
 * "" if there is none. Borrowed, valid until the thread's next error or gn_error_clear(). */
GN_API const char *gn_error(void);

/* Prints "prefix: message" and a newline to stderr, if there is an error. */
GN_API void gn_perror(const char *prefix);

/* Forgets the error; the thread's operations work again. */
GN_API void gn_error_clear(void);

/* Records an error for code of one's own (modules, data sets) unless one sticks already.
 * Returns the status that sticks. `op` names the operation, the format says what is wrong. */
GN_API gn_status gn_fail(gn_status status, const char *op, const char *format, ...) GN_PRINTF(3, 4);

/* ---- Ownership */

typedef struct gn_scope {
    uint64_t depth, mark;
} gn_scope;

/* Opens a scope on this thread. Scopes nest; each is ended by gn_scope_end. */
GN_API gn_scope gn_scope_begin(void);

/* Frees everything that the scope owns, and scopes opened inside it that are still open.
 * Works while an error sticks; returns the thread's status. */
GN_API gn_status gn_scope_end(gn_scope scope);

/* Ends the scope and hands `object` (a tensor, module, ... or NULL) to the scope around it. */
GN_API void *gn_scope_end_with(gn_scope scope, void *object);

/* Adds a reference, to be given back by gn_release. Takes any object of the library, or NULL.
 * Returns the object. Works while an error sticks. */
GN_API void *gn_retain(const void *object);

/* Gives a reference back; the last one frees the object. NULL is ignored. */
GN_API void gn_release(void *object);

/* Frees what this thread's root scope owns, closes all devices and ends the library's use. Call it
 * last; other threads must be done. Objects that the program still retains must not be used later. */
GN_API void gn_shutdown(void);

/* ---- Settings */

/* The library's version, "0.1.0". */
GN_API const char *gn_version(void);

/* Threads that the CPU backend may use; default: GENESIS_NUM_THREADS or the number of cores. */
GN_API gn_status gn_set_num_threads(int threads);
GN_API int gn_num_threads(void);

/* The floating-point dtype of tensors made without one, and what integers become where they must be
 * floats (1 / 2, exp(1), 1 + 0.5); float32 at first. */
GN_API gn_status gn_set_default_dtype(gn_dtype dtype);
GN_API gn_dtype gn_default_dtype(void);

/* ---- Optional arguments
 *
 * Functions with optional arguments are macros: gn_nn_conv2d(3, 64, 7, .stride = 2, .padding = 3).
 * Members that are not named are 0, which is their default. Where a given 0 differs from the
 * default, the member is a gn_optional: .weight_decay = gn_some(0). The function behind the macro
 * has the same name with _with at its end and takes a pointer to the struct, or NULL.
 */

typedef struct gn_optional {
    double value;
    bool given;
} gn_optional;

static inline gn_optional gn_some(double value) {
    gn_optional some;
    some.value = value;
    some.given = true;
    return some;
}

static inline double gn_or(gn_optional optional, double standard) {
    return optional.given ? optional.value : standard;
}

/* Sizes of a tensor, outermost first; n is the number of dims, 0 for a scalar. */
enum { GN_TENSOR_MAX_DIMS = 8 };

typedef struct gn_shape {
    int64_t n;
    int64_t size[GN_TENSOR_MAX_DIMS];
} gn_shape;

#ifdef __cplusplus
} /* extern "C" */

/* C++ has no compound literals: temporaries live until the end of the full expression. */
#if defined(__GNUC__) /* members that are left out are 0, which is what they are for */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif
template <class T> const T *gn_temporary(const T &&value) { return &value; }
template <class... D> gn_shape gn_make_shape(D... size) {
    return gn_shape{sizeof...(size), {static_cast<int64_t>(size)...}};
}
#define GN_OPTIONS(type, ...) gn_temporary(type{.struct_size = sizeof(type), __VA_ARGS__})
#define GN_SHAPE(...) gn_make_shape(__VA_ARGS__)

extern "C" {
#else
#define GN_OPTIONS(type, ...) (&(const type){.struct_size = sizeof(type), __VA_ARGS__})
/* GN_SHAPE(32, 3, 224, 224) */
#define GN_SHAPE(...)                                                                              \
    ((gn_shape){.n = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), .size = {__VA_ARGS__}})
#endif

/* Call `function` with so many positional arguments and a struct made of the rest. The caller's
 * macro ends its arguments with a comma, so that the rest is never absent. */
#define GN_CALL1(function, type, a, ...) function(a, GN_OPTIONS(type, __VA_ARGS__))
#define GN_CALL2(function, type, a, b, ...) function(a, b, GN_OPTIONS(type, __VA_ARGS__))
#define GN_CALL3(function, type, a, b, c, ...) function(a, b, c, GN_OPTIONS(type, __VA_ARGS__))
#define GN_CALL4(function, type, a, b, c, d, ...)                                                  \
    function(a, b, c, d, GN_OPTIONS(type, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
