/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/ops.h"
#include "cases.h"

enum { MAX_VALUES = 4096 };

/* ---- Inputs */

/* Element i of an input: kind u is uniform on [low, high), i an integer in [low, high], s
 * special. */
static double value_of(char kind, double low, double high, int64_t seed, int64_t i) {
    static const double special[] = {NAN, INFINITY, -INFINITY, 0,   -0.0, 1,
                                     -1,  0.5,      -0.5,      1.5, 2.5,  -2.5};
    int64_t turn = i * 37 + seed * 11 + 5;
    if (kind == 's')
        return special[(i + seed) % (int64_t)GN_LENGTH(special)];
    if (kind == 'i')
        return low + (double)(turn % ((int64_t)(high - low) + 1));
    return low + (high - low) * ((double)(turn % 101) / 101.0);
}

static gn_tensor *values(gn_shape shape, int dtype, char kind, double low, double high,
                         int64_t seed) {
    int64_t n = gn__count((int)shape.n, shape.size);
    double *x = malloc(sizeof *x * (size_t)(n + 1));
    for (int64_t i = 0; i < n; i++)
        x[i] = value_of(kind, low, high, seed, i);
    gn_tensor *t = gn_tensor_from(x, GN_F64, shape, GN_AS(.dtype = dtype));
    free(x);
    return t;
}

/* Room around t: sizes times and plus something along a dim, the same values in the middle. */
static gn_tensor *part_of_larger(gn_tensor *t, int64_t dim, int64_t step) {
    gn_shape shape = gn_shape_of(t);
    shape.size[dim] = shape.size[dim] * step + 3;
    gn_tensor *frame = gn_full(shape, 1, GN_AS(.dtype = gn_dtype_of(t)));
    gn_tensor *part = gn_slice(frame, dim, 2, 2 + gn_size(t, dim) * step, step);
    return gn_copy_(part, t);
}

gn_tensor *case_layout(gn_tensor *t, char layout) {
    int64_t n = gn_dim(t);
    switch (layout) {
    case 't': /* the last two dims swapped in memory */
        return n < 2 ? t : gn_transpose(gn_contiguous(gn_transpose(t, -1, -2)), -1, -2);
    case 's': /* every second element along the last dim */
        return n < 1 ? t : part_of_larger(t, n - 1, 2);
    case 'o': /* a part along the first dim: an offset */
        return n < 1 ? t : part_of_larger(t, 0, 1);
    case 'e': /* expanded along the first dim: its first slice everywhere */
        return n < 1 || gn_size(t, 0) == 0 ? t
                                           : gn_expand_with(gn_narrow(t, 0, 0, 1), gn_shape_of(t));
    case 'h': /* channels-last, hidden */ return n < 3 ? t : gn__channels_last_copy(t);
    default: return t;
    }
}

static int dtype_named(const char *name) {
    int dtype = gn_dtype_from_name(name);
    ck_assert_msg(dtype > 0, "no dtype %s", name);
    return dtype;
}

bool has_dtype(int dtype) {
    gn_device_info info = {.struct_size = sizeof info};
    ck_assert_int_eq(gn_device_describe(gn_default_device(), &info), GN_OK);
    return info.dtypes >> dtype & 1;
}

/* ---- Comparison */

static double tolerance_of(int dtype) {
    static const double tolerance[GN_N_DTYPES] = {
        [GN_F16] = 4e-3, [GN_BF16] = 3e-2, [GN_F32] = 3e-5, [GN_F64] = 1e-9};
    return tolerance[dtype];
}

static void widen(test_case *c, int dtype) {
    c->tolerance = fmax(c->tolerance, tolerance_of(dtype));
}

static bool close(double found, double expected, double tolerance) {
    if (isnan(expected) || isinf(expected))
        return isnan(expected) ? isnan(found) != 0 : found == expected;
    return fabs(found - expected) <= tolerance * (0.1 + fabs(expected));
}

/* Prints what is wrong with a case; the cases after it still run. */
static bool wrong(test_case *c, const char *format, ...) GN_PRINTF(2, 3);
static bool wrong(test_case *c, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("line %d: %s: ", c->line, c->name);
    vprintf(format, arguments);
    printf("%s%s\n", gn_error_status() ? ": " : "", gn_error());
    va_end(arguments);
    gn_error_clear();
    c->failed = true;
    return false;
}

static bool compare(test_case *c, const char *what, gn_tensor *t, const double *expected, int64_t n,
                    double tolerance) {
    if (!t || gn_numel(t) != n)
        return wrong(c, "%s has %lld elements, expected %lld", what,
                     t ? (long long)gn_numel(t) : -1, (long long)n);
    double *found = malloc(sizeof *found * (size_t)(n + 1));
    int64_t i = 0;
    if (gn_copy_out(t, found, GN_F64, n) == GN_OK)
        while (i < n && close(found[i], expected[i], tolerance))
            i++;
    if (i < n || gn_error_status())
        wrong(c, "element %lld of %s is %.17g, expected %.17g", (long long)i, what, found[i],
              expected[i]);
    free(found);
    return !c->failed;
}

void expect_values(gn_tensor *t, const double *expected, int64_t n, double tolerance) {
    test_case c = {.name = "expect_values"};
    ck_assert(compare(&c, "tensor", t, expected, n, tolerance));
}

void expect_error(gn_status status, const char *text) {
    ck_assert_str_eq(gn_error(), text);
    ck_assert_str_eq(gn_status_name(gn_error_status()), gn_status_name(status));
    gn_error_clear();
}

void expect_index_error(const char *op) {
    gn_synchronize(gn_default_device());
    ck_assert_str_eq(gn_status_name(gn_error_status()), "GN_E_INDEX");
    size_t length = strlen(op);
    ck_assert_msg(!strncmp(gn_error(), op, length) && !strncmp(gn_error() + length, ": index", 7),
                  "%s", gn_error());
    gn_error_clear();
}

/* ---- Reading */

typedef struct reader {
    char *text, *at;
    int line;
    bool skip; /* the device lacks a dtype of this case */
    test_case c;
    gn_scope scope;
    const case_op *ops;
    size_t n_ops;
    bool *used;
    int n_run, n_skipped, n_failed;
} reader;

static void read_all(reader *r, const char *file) {
    char path[4096];
    const char *folder = getenv("GENESIS_TEST_FIXTURES");
    snprintf(path, sizeof path, "%s/%s", folder ? folder : "tests/fixtures", file);
    FILE *f = fopen(path, "r");
    ck_assert_msg(f, "can't read %s", path);
    fseek(f, 0, SEEK_END);
    long length = ftell(f);
    rewind(f);
    r->text = calloc((size_t)length + 1, 1);
    ck_assert_uint_eq(fread(r->text, 1, (size_t)length, f), (size_t)length);
    fclose(f);
}

static char *word(reader *r) {
    char *token = strtok_r(r->at, " ", &r->at);
    ck_assert_msg(token, "line %d is too short", r->line);
    return token;
}

static double number(reader *r) { return strtod(word(r), NULL); }

static int64_t numbers(reader *r, double *out, int64_t room) {
    int64_t n = 0;
    for (char *token; (token = strtok_r(r->at, " ", &r->at));) {
        ck_assert_int_lt(n, room);
        out[n++] = strtod(token, NULL);
    }
    return n;
}

static void read_input(reader *r) {
    int dtype = dtype_named(word(r));
    char layout = *word(r), kind = *word(r);
    double low = number(r), high = number(r), shape_numbers[GN_TENSOR_MAX_DIMS];
    int64_t seed = (int64_t)number(r);
    bool grad = number(r) != 0;
    gn_shape shape = {.n = numbers(r, shape_numbers, GN_TENSOR_MAX_DIMS)};
    for (int d = 0; d < shape.n; d++)
        shape.size[d] = (int64_t)shape_numbers[d];
    widen(&r->c, dtype);
    if (!has_dtype(dtype))
        r->skip = true;
    if (r->skip)
        return;
    gn_tensor *t = case_layout(values(shape, dtype, kind, low, high, seed), layout);
    ck_assert_msg(t, "line %d: %s", r->line, gn_error());
    if (layout != 'h')
        t = gn_detach(t);
    r->c.in[r->c.n_inputs++] = grad ? gn_requires_grad_(t, true) : t;
}

/* The row of the case's operation, which counts as used. */
static const case_op *op_of(reader *r) {
    for (size_t i = 0; i < r->n_ops; i++)
        if (!strcmp(r->ops[i].name, r->c.name)) {
            r->used[i] = true;
            return &r->ops[i];
        }
    ck_abort_msg("line %d: no operation %s", r->line, r->c.name);
    return NULL;
}

static bool same_kind(test_case *c, const gn_tensor *y, int dtype, gn_shape shape) {
    if (!y)
        return wrong(c, "no result");
    if (y->dtype != dtype)
        return wrong(c, "the result is %s, expected %s", gn_dtype_name((gn_dtype)y->dtype),
                     gn_dtype_name((gn_dtype)dtype));
    if (y->n_dims != shape.n || memcmp(y->size, shape.size, (size_t)shape.n * sizeof(int64_t)))
        return wrong(c, "the result has shape %s, expected %s", gn__shape_of(y),
                     gn__shape_text((int)shape.n, shape.size));
    return true;
}

/* Runs the operation, compares the result, walks back. */
static void read_output(reader *r) {
    static double expected[MAX_VALUES];
    test_case *c = &r->c;
    int dtype = dtype_named(word(r));
    gn_shape shape = {.n = (int64_t)number(r)};
    for (int d = 0; d < shape.n; d++)
        shape.size[d] = (int64_t)number(r);
    int64_t n = numbers(r, expected, MAX_VALUES);
    const case_op *op = op_of(r);
    widen(c, dtype);
    r->skip |= !has_dtype(dtype);
    r->n_skipped += r->skip;
    r->n_run += !r->skip;
    if (r->skip)
        return;
    gn_tensor *y = op->run(c);
    if (!same_kind(c, y, dtype, shape) || !compare(c, "result", y, expected, n, c->tolerance))
        return;
    if (gn_requires_grad(y) &&
        gn_backward(y, .gradient = values(shape, dtype, 'u', 0.5, 1.5, 0)) != GN_OK)
        wrong(c, "backward");
}

static void read_gradient(reader *r) {
    static double expected[MAX_VALUES];
    int k = (int)number(r);
    int64_t n = numbers(r, expected, MAX_VALUES);
    if (r->skip || r->c.failed)
        return;
    gn_tensor *g = gn_grad(r->c.in[k]);
    if (g)
        compare(&r->c, "gradient", g, expected, n, 4 * r->c.tolerance);
    for (int64_t i = 0; !g && i < n; i++) /* none is as good as zeros */
        if (expected[i] != 0) {
            wrong(&r->c, "input %d has no gradient", k);
            return;
        }
}

static void begin_case(reader *r) {
    gn_scope_end(r->scope);
    r->n_failed += r->c.failed;
    r->scope = gn_scope_begin();
    r->c = (test_case){.line = r->line, .name = word(r)};
    r->c.n_args = (int)numbers(r, r->c.args, CASE_ARGUMENTS);
    r->skip = false;
}

void cases_run(const char *file, const case_op *ops, size_t n) {
    reader r = {.ops = ops, .n_ops = n, .used = calloc(n, 1), .scope = gn_scope_begin()};
    read_all(&r, file);
    for (char *line = r.text, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = 0;
        r.line++;
        r.at = line;
        if (*line == '#' || !*line)
            continue;
        const char *what = word(&r);
        if (!strcmp(what, "case"))
            begin_case(&r);
        else if (!strcmp(what, "in"))
            read_input(&r);
        else if (!strcmp(what, "out"))
            read_output(&r);
        else if (!strcmp(what, "grad"))
            read_gradient(&r);
        else
            ck_abort_msg("%s: line %d: what is %s?", file, r.line, what);
    }
    gn_scope_end(r.scope);
    ck_assert_msg(r.n_failed + r.c.failed == 0, "%d cases of %s failed", r.n_failed + r.c.failed,
                  file);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(r.used[i], "%s has no case of %s", file, ops[i].name);
    ck_assert_int_gt(r.n_run, 0);
    printf("%s: %d cases, %d skipped for want of a dtype\n", file, r.n_run, r.n_skipped);
    free(r.used);
    free(r.text);
}

gn_shape case_shape(const test_case *c, int at) {
    gn_shape shape = {.n = (int64_t)c->args[at]};
    for (int d = 0; d < shape.n; d++)
        shape.size[d] = (int64_t)c->args[at + 1 + d];
    return shape;
}

gn_dims case_dims(const test_case *c, int at) {
    gn_dims dims = {.n = (int64_t)c->args[at]};
    for (int i = 0; i < dims.n; i++)
        dims.dim[i] = (int64_t)c->args[at + 1 + i];
    return dims;
}

void expect_second_order(gn_differentiable *fn) {
    if (!has_dtype(GN_F64))
        return;
    double values[] = {0.3, -0.7, 1.1, 0.2, 0.9, 1.3};
    gn_tensor *in[] = {
        gn_tensor_from(values, GN_F64, GN_SHAPE(2, 3), GN_AS(.requires_grad = true))};
    gn_gradcheck_options o = {.struct_size = sizeof o, .second_order = true};
    gn_gradcheck(fn, NULL, 1, in, &o);
    ck_assert_str_eq(gn_error(), "");
}
