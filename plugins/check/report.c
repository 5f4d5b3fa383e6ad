/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c - what check says of a difference: the operation and its worst element first, because
 * the host may cut a long message off; then the results' and inputs' shapes and the inputs' values.
 */
#include "check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- Text ------------------------------------------------------------------------------------ */

typedef struct text {
    char *at;
    size_t left; /* with the final zero */
} text;

__attribute__((format(printf, 2, 3))) static void say(text *t, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int n = vsnprintf(t->at, t->left, format, arguments);
    va_end(arguments);
    if (n < 0)
        return;
    const size_t written = (size_t)n < t->left ? (size_t)n : t->left - 1;
    t->at += written;
    t->left -= written;
}

static const char *dtype_name(int dtype) {
    static const char *const names[GN_N_DTYPES] = {
#define X(name, value, text, bytes) [value] = text,
        GN_DTYPES(X)
#undef X
    };
    return names[dtype];
}

static void say_list(text *t, uint32_t n, const int64_t *numbers) {
    say(t, "(");
    for (uint32_t d = 0; d < n; d++)
        say(t, d ? ", %lld" : "%lld", (long long)numbers[d]);
    say(t, ")");
}

/* As many digits as tell neighbours apart. */
static void say_value(text *t, int dtype, const char *element) {
    if (!gn_dtype_is_float(dtype))
        say(t, "%lld", (long long)value_integer(dtype, element));
    else if (isnan(value_float(dtype, element)))
        say(t, "nan"); /* whatever its sign */
    else
        say(t, "%.*g", dtype == GN_F64 ? 17 : 9, value_float(dtype, element));
}

static void say_call(text *t, const struct job *job) {
    const char *op = check_host->tag_text(job->tag);
    say(t, "check: %s on %s: ", op[0] ? op : "a call without a name", job->check->name);
    say(t, job->program ? "%s of program %s" : "%s", job->kernel, job->program);
}

/* ---- Inputs ---------------------------------------------------------------------------------- */

static void say_statistics(text *t, const struct job *job, const view *v) {
    double low = (double)INFINITY, high = -low, sum = 0;
    int64_t n = 0, n_nan = 0, n_inf = 0;
    walk w = walk_from_start(v);
    do {
        const char *element = walk_element(&w, job, job->segments[v->segment].before);
        const double x = value_number(v->dtype, element);
        n_nan += isnan(x) != 0;
        n_inf += isinf(x) != 0;
        if (!isfinite(x))
            continue;
        low = x < low ? x : low;
        high = x > high ? x : high;
        sum += x;
        n++;
    } while (walk_next(&w));
    if (n > 0)
        say(t, " %.6g to %.6g, mean %.6g", low, high, sum / (double)n);
    if (n_nan + n_inf > 0)
        say(t, ", %lld NaN, %lld inf", (long long)n_nan, (long long)n_inf);
}

static void say_operands(text *t, const struct job *job) {
    if (job->n_dims > 0) {
        say(t, "; over ");
        say_list(t, job->n_dims, job->size);
    }
    for (uint32_t i = 0; i < job->n_views; i++) {
        const view *v = &job->views[i];
        if (v->mem == NULL)
            continue;
        say(t, "; %s %u %s ", v->written ? "result" : "input", i, dtype_name(v->dtype));
        say_list(t, v->n_dims, v->size);
        if (!v->written && !view_is_empty(v))
            say_statistics(t, job, v);
    }
}

/* ---- Reports --------------------------------------------------------------------------------- */

static void say_worst(text *t, const struct job *job, const difference *d) {
    const int dtype = d->view->dtype;
    say(t, ": %llu of %llu elements of result %u differ, most at ", (unsigned long long)d->count,
        (unsigned long long)d->compared, (unsigned)(d->view - job->views));
    say_list(t, d->view->n_dims, d->coordinate);
    say(t, ": ");
    say_value(t, dtype, d->device);
    say(t, ", not ");
    say_value(t, dtype, d->reference);
    if (gn_dtype_is_float(dtype) && isfinite(d->error)) {
        int exponent;
        frexp(fmax(fabs(value_float(dtype, d->reference)), value_tiny(dtype)), &exponent);
        say(t, " within %.3g, off by %.3g ulp", d->bound,
            d->error / (value_eps(dtype) * ldexp(0.5, exponent)));
    }
}

void report_difference(const struct job *job, const difference *d, char *buffer, size_t bytes) {
    text t = {buffer, bytes};
    say_call(&t, job);
    if (d->view == NULL) {
        const segment *s = &job->segments[d->segment];
        say(&t, " writes outside of its results: byte %llu of a block was %u and is %u",
            (unsigned long long)(s->first + d->byte), (uint8_t)s->before[d->byte],
            (uint8_t)s->after[d->byte]);
    } else {
        say_worst(&t, job, d);
    }
    say_operands(&t, job);
}

static const char *status_text(gn_status status) {
    switch (status) {
#define X(name, value, text)                                                                       \
    case name: return text;
        GN_STATUSES(X)
#undef X
    }
    return "a status without a meaning";
}

void report_answers(const struct job *job, gn_status answer, gn_status expected, char *buffer,
                    size_t bytes) {
    text t = {buffer, bytes};
    say_call(&t, job);
    say(&t, ": %s, but the reference says: %s",
        answer == GN_OK ? "succeeds" : "fails with an index out of range", status_text(expected));
    say_operands(&t, job);
}
