/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.c - tensors as text, in the style of PyTorch:
 *
 *     tensor([[1.0000, 2.5000],
 *             [0.0000, nan]], float32, (2, 2), cpu)
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tensor.h"

enum { EDGE = 3, FULL_UP_TO = 1000 }; /* elements shown at each end of a dim of a large tensor */

typedef struct writer {
    char *text;
    size_t length, room;
    const gn_tensor *t;
    const char *data; /* row-major */
    bool abridged, scientific, integral;
    int width;
} writer;

static void write_text(writer *w, const char *format, ...) GN_PRINTF(2, 3);
static void write_text(writer *w, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char piece[GN__SHAPE_TEXT_BYTES + 64];
    int length = vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    if (gn__failed() || length < 0)
        return;
    while (w->length + (size_t)length + 1 > w->room) {
        size_t room = w->room ? 2 * w->room : 256;
        char *bigger = realloc(w->text, room);
        if (!bigger) {
            gn_fail(GN_E_MEMORY, "tensor_text", "no memory for the text");
            return;
        }
        w->text = bigger;
        w->room = room;
    }
    memcpy(w->text + w->length, piece, (size_t)length + 1);
    w->length += (size_t)length;
}

static void element_text(const writer *w, gn_scalar value, char *out, size_t bytes) {
    if (w->t->dtype == GN_BOOL)
        snprintf(out, bytes, "%s", value.i ? "true" : "false");
    else if (!gn_dtype_is_float(w->t->dtype))
        snprintf(out, bytes, "%lld", (long long)value.i);
    else if (!isfinite(value.f))
        snprintf(out, bytes, "%s", isnan(value.f) ? "nan" : value.f < 0 ? "-inf" : "inf");
    else if (w->scientific)
        snprintf(out, bytes, "%.4e", value.f);
    else
        snprintf(out, bytes, w->integral ? "%.0f." : "%.4f", value.f);
}

static bool shown(const writer *w, int dim, int64_t i) {
    return !w->abridged || w->t->size[dim] <= 2 * EDGE || i < EDGE || i >= w->t->size[dim] - EDGE;
}

/* Calls visit for every element that is shown. */
static void each_shown(writer *w, int dim, int64_t first,
                       void (*visit)(writer *w, gn_scalar value)) {
    const gn_tensor *t = w->t;
    if (dim == t->n_dims) {
        visit(w, gn__host_load(w->data + first * gn_dtype_bytes(t->dtype), t->dtype));
        return;
    }
    for (int64_t i = 0; i < t->size[dim]; i++)
        if (shown(w, dim, i))
            each_shown(w, dim + 1, first * t->size[dim] + i, visit);
}

/* Scientific if the magnitudes differ too much for four decimals. */
static void note_range(writer *w, gn_scalar value) {
    double size = fabs(value.f);
    if (!gn_dtype_is_float(w->t->dtype) || !isfinite(size) || size == 0)
        return;
    w->scientific |= size >= 1e6 || size < 1e-4;
    w->integral &= size == floor(size);
}

static void note_width(writer *w, gn_scalar value) {
    char text[64];
    element_text(w, value, text, sizeof text);
    int length = (int)strlen(text);
    w->width = length > w->width ? length : w->width;
}

static void write_dim(writer *w, int dim, int64_t first) {
    const gn_tensor *t = w->t;
    if (dim == t->n_dims) {
        char text[64];
        element_text(w, gn__host_load(w->data + first * gn_dtype_bytes(t->dtype), t->dtype), text,
                     sizeof text);
        write_text(w, "%*s", w->width, text);
        return;
    }
    write_text(w, "[");
    bool skipped = false;
    for (int64_t i = 0; i < t->size[dim]; i++) {
        if (!shown(w, dim, i)) {
            skipped = true;
            continue;
        }
        if (i && dim == t->n_dims - 1)
            write_text(w, ", ");
        else if (i)
            write_text(w, ",\n%*s", 8 + dim, "");
        if (skipped)
            write_text(w, "...,%s%*s", dim == t->n_dims - 1 ? " " : "\n",
                       dim == t->n_dims - 1 ? 0 : 8 + dim, "");
        skipped = false;
        write_dim(w, dim + 1, first * t->size[dim] + i);
    }
    write_text(w, "]");
}

static void write_elements(writer *w) {
    if (w->t->count == 0) {
        write_text(w, "[]");
        return;
    }
    each_shown(w, 0, 0, note_range);
    w->integral &= !w->scientific;
    each_shown(w, 0, 0, note_width);
    write_dim(w, 0, 0);
}

char *gn_tensor_text(const gn_tensor *t) {
    if (gn__failed() || !gn__given("tensor_text", t))
        return NULL;
    size_t bytes = gn_dtype_bytes(t->dtype);
    char *data = gn__alloc_array((size_t)t->count + 1, bytes);
    writer w = {.t = t, .data = data, .abridged = t->count > FULL_UP_TO, .integral = true};
    if (data && !gn_copy_out(t, data, (gn_dtype)t->dtype, t->count)) {
        write_text(&w, "tensor(");
        write_elements(&w);
        write_text(&w, ", %s", gn_dtype_name((gn_dtype)t->dtype));
        write_text(&w, ", %s, %s)", gn__shape_of(t), t->storage->device->name);
    }
    free(data);
    if (gn__failed()) {
        free(w.text);
        return NULL;
    }
    return w.text;
}

gn_status gn_print(const gn_tensor *t) {
    char *text = gn_tensor_text(t);
    if (text && puts(text) < 0)
        gn_fail(GN_E_IO, "print", "can't write to stdout");
    free(text);
    return gn_error_status();
}
