/* SPDX-License-Identifier: Apache-2.0 */
/*
 * math.c - the public pointwise functions: those of pointwise.def, the ones with options, in-place
 * forms, and expressions of the user's.
 */
#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ops.h"
#include "support.h"

/* ---- pointwise.def: names without their gn_ */

#define GN_UNARY(function, expression, own_gradient, meaning)                                      \
    gn_tensor *function(gn_tensor *x) {                                                            \
        static gn__op op = {.name = &#function[3],                                                 \
                            .text = expression,                                                    \
                            .variables = "x",                                                      \
                            .gradient = {own_gradient}};                                           \
        return gn__apply(&op, 1, &x, NULL);                                                        \
    }
#define GN_UNARY_SCALAR(function, expression, own_gradient, meaning)                               \
    gn_tensor *function(gn_tensor *x, double s) {                                                  \
        static gn__op op = {.name = &#function[3],                                                 \
                            .text = expression,                                                    \
                            .variables = "x",                                                      \
                            .params = "s",                                                         \
                            .gradient = {own_gradient}};                                           \
        return gn__apply(&op, 1, &x, &s);                                                          \
    }
#define GN_BINARY(function, expression, gradient_a, gradient_b, meaning)                           \
    gn_tensor *function(gn_tensor *a, gn_tensor *b) {                                              \
        static gn__op op = {.name = &#function[3],                                                 \
                            .text = expression,                                                    \
                            .variables = "a, b",                                                   \
                            .gradient = {gradient_a, gradient_b}};                                 \
        return gn__apply(&op, 2, (gn_tensor *[]){a, b}, NULL);                                     \
    }
#include <genesis/pointwise.def>
#undef GN_UNARY
#undef GN_UNARY_SCALAR
#undef GN_BINARY

/* ---- Choice and bounds */

gn_tensor *gn_where(gn_tensor *condition, gn_tensor *a, gn_tensor *b) {
    static gn__op op = {.name = "where", .text = "c ? a : b", .variables = "c, a, b"};
    return gn__apply(&op, 3, (gn_tensor *[]){condition, a, b}, NULL);
}

gn_tensor *gn_where_scalar_a(gn_tensor *condition, double a, gn_tensor *b) {
    static gn__op op = {.name = "where", .text = "c ? s : b", .variables = "c, b", .params = "s"};
    return gn__apply(&op, 2, (gn_tensor *[]){condition, b}, &a);
}

gn_tensor *gn_where_scalar_b(gn_tensor *condition, gn_tensor *a, double b) {
    static gn__op op = {.name = "where", .text = "c ? a : s", .variables = "c, a", .params = "s"};
    return gn__apply(&op, 2, (gn_tensor *[]){condition, a}, &b);
}

gn_tensor *gn_where_scalars(gn_tensor *condition, double a, double b) {
    if (gn__failed() || !gn__given("where", condition))
        return NULL;
    const gn_tensor_options options = {.struct_size = sizeof options,
                                       .device = gn_device_of(condition)};
    return gn_where_scalar_a(condition, a, gn_scalar_tensor(b, &options));
}

/* The op for the bounds that are given, and their values. NULL: none is. */
static gn__op *clamp_op(gn_optional low, gn_optional high, double *params) {
    static gn__op both = {.name = "clamp",
                          .text = "min(max(x, low), high)",
                          .variables = "x",
                          .params = "low, high",
                          .gradient = {"x >= low && x <= high ? g : 0"}};
    static gn__op below = {.name = "clamp",
                           .text = "max(x, low)",
                           .variables = "x",
                           .params = "low",
                           .gradient = {"x >= low ? g : 0"}};
    static gn__op above = {.name = "clamp",
                           .text = "min(x, high)",
                           .variables = "x",
                           .params = "high",
                           .gradient = {"x <= high ? g : 0"}};
    if (low.given && high.given) {
        params[0] = low.value;
        params[1] = high.value;
        return &both;
    }
    params[0] = low.given ? low.value : high.value;
    return low.given ? &below : high.given ? &above : NULL;
}

static gn__op *clamp_checked(const char *name, gn_optional low, gn_optional high, double *params) {
    gn__op *op = clamp_op(low, high, params);
    if (!op && !gn__failed())
        gn_fail(GN_E_ARGUMENT, name, "neither bound is given");
    return op;
}

gn_tensor *gn_clamp(gn_tensor *x, gn_optional low, gn_optional high) {
    double params[2];
    gn__op *op = clamp_checked("clamp", low, high, params);
    return op ? gn__apply(op, 1, &x, params) : NULL;
}

gn_tensor *gn_clamp_(gn_tensor *x, gn_optional low, gn_optional high) {
    double params[2];
    gn__op *op = clamp_checked("clamp_", low, high, params);
    return op ? gn__apply_in_place(op, 1, &x, params) : NULL;
}

/* ---- In place */

#define IN_PLACE(function, expression)                                                             \
    gn_tensor *function(gn_tensor *a, gn_tensor *b) {                                              \
        static gn__op op = {.name = &#function[3], .text = expression, .variables = "a, b"};       \
        return gn__apply_in_place(&op, 2, (gn_tensor *[]){a, b}, NULL);                            \
    }
IN_PLACE(gn_add_, "a + b")
IN_PLACE(gn_sub_, "a - b")
IN_PLACE(gn_mul_, "a * b")
IN_PLACE(gn_div_, "a / b")
#undef IN_PLACE

#define IN_PLACE_SCALAR(function, expression)                                                      \
    gn_tensor *function(gn_tensor *x, double s) {                                                  \
        static gn__op op = {                                                                       \
            .name = &#function[3], .text = expression, .variables = "x", .params = "s"};           \
        return gn__apply_in_place(&op, 1, &x, &s);                                                 \
    }
IN_PLACE_SCALAR(gn_add_scalar_, "x + s")
IN_PLACE_SCALAR(gn_sub_scalar_, "x - s")
IN_PLACE_SCALAR(gn_mul_scalar_, "x * s")
IN_PLACE_SCALAR(gn_div_scalar_, "x / s")
#undef IN_PLACE_SCALAR

gn_tensor *gn_relu_(gn_tensor *x) {
    static gn__op op = {
        .name = "relu_", .text = "max(x, 0)", .variables = "x", .gradient = {"y <= 0 ? 0 : g"}};
    return gn__apply_in_place(&op, 1, &x, NULL);
}

/* ---- What is no number */

static double largest_of(int dtype) {
    switch (dtype) {
    case GN_F64: return DBL_MAX;
    case GN_F16: return 65504;
    case GN_BF16: return 0x1.FEp127;
    default: return (double)FLT_MAX;
    }
}

gn_tensor *gn_nan_to_num_with(gn_tensor *x, const gn_nan_options *options) {
    static gn__op op = {.name = "nan_to_num",
                        .text = "isnan(x) ? nan_is : x == inf ? inf_is : x == -inf ? low_is : x",
                        .variables = "x",
                        .params = "nan_is, inf_is, low_is",
                        .gradient = {"isnan(x) || isinf(x) ? 0 : g"}};
    gn_nan_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed() || !gn__given("nan_to_num", x))
        return NULL;
    if (!gn_dtype_is_float(x->dtype))
        return gn_clone(x);
    double largest = largest_of(x->dtype);
    double params[] = {gn_or(o.nan, 0), gn_or(o.posinf, largest), gn_or(o.neginf, -largest)};
    return gn__apply(&op, 1, &x, params);
}

/* ---- Combinations of three */

/* From the nearer end, so that a weight of 1 gives b. */
gn_tensor *gn_lerp(gn_tensor *a, gn_tensor *b, gn_tensor *weight) {
    static gn__op op = {.name = "lerp",
                        .text = "abs(w) < 0.5 ? a + w * (b - a) : b - (b - a) * (1 - w)",
                        .variables = "a, b, w",
                        .gradient = {"g * (1 - w)", "g * w", "g * (b - a)"}};
    return gn__apply(&op, 3, (gn_tensor *[]){a, b, weight}, NULL);
}

gn_tensor *gn_lerp_scalar(gn_tensor *a, gn_tensor *b, double weight) {
    static gn__op op = {.name = "lerp",
                        .text = "abs(w) < 0.5 ? a + w * (b - a) : b - (b - a) * (1 - w)",
                        .variables = "a, b",
                        .params = "w",
                        .gradient = {"g * (1 - w)", "g * w"}};
    return gn__apply(&op, 2, (gn_tensor *[]){a, b}, &weight);
}

gn_tensor *gn_addcmul(gn_tensor *x, gn_tensor *a, gn_tensor *b, double value) {
    static gn__op op = {
        .name = "addcmul", .text = "x + v * a * b", .variables = "x, a, b", .params = "v"};
    return gn__apply(&op, 3, (gn_tensor *[]){x, a, b}, &value);
}

gn_tensor *gn_addcdiv(gn_tensor *x, gn_tensor *a, gn_tensor *b, double value) {
    static gn__op op = {
        .name = "addcdiv", .text = "x + v * (a / b)", .variables = "x, a, b", .params = "v"};
    return gn__apply(&op, 3, (gn_tensor *[]){x, a, b}, &value);
}

/* ---- Closeness */

static gn_tensor *closeness(const char *name, gn_tensor *a, gn_tensor *b,
                            const gn_close_options *options) {
    static gn__op op = {
        .name = "isclose",
        .text = "a == b || abs(a - b) <= atol + rtol * abs(b) && !isinf(float(b)) && "
                "!isinf(float(a)) || equal_nan != 0 && isnan(float(a)) && isnan(float(b))",
        .variables = "a, b",
        .params = "rtol, atol, equal_nan"};
    double params[] = {options ? gn_or(options->rtol, 1e-5) : 1e-5,
                       options ? gn_or(options->atol, 1e-8) : 1e-8, options && options->equal_nan};
    if (gn__failed() || !gn__given(name, a) || !gn__given(name, b))
        return NULL;
    return gn__apply(&op, 2, (gn_tensor *[]){a, b}, params);
}

gn_tensor *gn_isclose_with(gn_tensor *a, gn_tensor *b, const gn_close_options *options) {
    return closeness("isclose", a, b, options);
}

bool gn_allclose_with(gn_tensor *a, gn_tensor *b, const gn_close_options *options) {
    gn_scope scope = gn_scope_begin();
    gn_tensor *all = gn_all(closeness("allclose", a, b, options));
    bool result = all && gn_item_bool(all);
    return gn_scope_end(scope) == GN_OK && result;
}

bool gn_equal(gn_tensor *a, gn_tensor *b) {
    if (gn__failed() || !gn__given("equal", a) || !gn__given("equal", b) || !gn__same_shape(a, b))
        return false;
    gn_scope scope = gn_scope_begin();
    gn_tensor *equal = gn_all(gn_eq(a, b));
    bool result = equal && gn_item_bool(equal);
    return gn_scope_end(scope) == GN_OK && result;
}

/* ---- Expressions of the user's: interned by text and parameter names */

enum { MAX_MAP_INPUTS = GN__MAX_VARIABLES - 2 }; /* gradients have y and g besides */

/* Splits "(a, b) -> a * b" into the list of variables and the body. */
static bool split_signature(const char *expression, char *variables, size_t room,
                            const char **body) {
    const char *arrow = strstr(expression, "->");
    *body = arrow ? arrow + 2 : expression;
    if (!arrow) {
        snprintf(variables, room, "x");
        return true;
    }
    const char *open = expression;
    while (isspace((unsigned char)*open))
        open++;
    const char *close = memchr(open, ')', (size_t)(arrow - open));
    if (*open != '(' || !close || (size_t)(close - open) > room) {
        gn_fail(GN_E_ARGUMENT, "map", "\"%s\": write the inputs as (a, b) -> expression",
                expression);
        return false;
    }
    snprintf(variables, room, "%.*s", (int)(close - open - 1), open + 1);
    return true;
}

/* The op of a text, made at its first use and kept. */
static gn__op *user_op(const char *expression, const char *params) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static gn__table *ops;
    char key[2048], variables[256];
    const char *body;
    int length = snprintf(key, sizeof key, "%s|%s", params, expression);
    if (length >= (int)sizeof key)
        return gn__fail_null(GN_E_ARGUMENT, "map", "the expression is longer than %zu characters",
                             sizeof key);
    if (!split_signature(expression, variables, sizeof variables, &body))
        return NULL;
    pthread_mutex_lock(&lock);
    if (!ops)
        ops = gn__table_new();
    gn__op *op = ops ? gn__table_get(ops, key, (size_t)length) : NULL;
    if (ops && !op && (op = gn__alloc(sizeof *op))) {
        op->name = "map";
        op->text = gn__strdup(body);
        op->variables = gn__strdup(variables);
        op->params = gn__strdup(params);
        if (gn__failed() || gn__table_set(ops, key, (size_t)length, op))
            op = NULL;
    }
    pthread_mutex_unlock(&lock);
    return op;
}

gn_tensor *gn_map_n(const char *expression, int n, gn_tensor *const *inputs,
                    const gn_map_options *options) {
    char names[512] = "";
    double values[GN_LENGTH(options->params)];
    int n_params = 0;
    size_t used = 0;
    if (gn__failed())
        return NULL;
    if (!expression)
        return gn__fail_null(GN_E_ARGUMENT, "map", "the expression is NULL");
    if (n < 1 || n > MAX_MAP_INPUTS)
        return gn__fail_null(GN_E_ARGUMENT, "map", "%d inputs: 1 to %d are possible", n,
                             MAX_MAP_INPUTS);
    while (options && n_params < (int)GN_LENGTH(options->params) &&
           options->params[n_params].name) {
        int wrote = snprintf(names + used, sizeof names - used, "%s%s", n_params ? ", " : "",
                             options->params[n_params].name);
        used += (size_t)wrote;
        if (used >= sizeof names)
            return gn__fail_null(GN_E_ARGUMENT, "map", "the parameters' names are too long");
        values[n_params] = options->params[n_params].value;
        n_params++;
    }
    gn__op *op = user_op(expression, names);
    gn__expr *e = op ? gn__op_expr(op) : NULL;
    if (e && gn__expr_n_variables(e) != n)
        return gn__fail_null(GN_E_ARGUMENT, "map", "\"%s\" has %d inputs, but %d are given",
                             expression, gn__expr_n_variables(e), n);
    return e ? gn__apply(op, n, inputs, values) : NULL;
}

gn_tensor *gn_map_with(const char *expression, gn_tensor *x, const gn_map_options *options) {
    return gn_map_n(expression, 1, &x, options);
}
