/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - random programs as text: instructions, space, operands and, of small ones, contents. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <genesis/tensor.h>

#include "sample.h"

enum { SHOWN_ELEMENTS = 8 };

/* A text that stops growing at its end. */
typedef struct writer {
    char *text;
    size_t used, bytes;
} writer;

static void put_text(writer *w, const char *format, ...) GN_PRINTF(2, 3);
static void put_text(writer *w, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int n = vsnprintf(w->text + w->used, w->bytes - w->used, format, arguments);
    va_end(arguments);
    w->used = (size_t)n < w->bytes - w->used ? w->used + (size_t)n : w->bytes - 1;
}

static void put_scalar(writer *w, int type, gn_scalar value) {
    if (gn_dtype_is_float(type))
        put_text(w, "%.17g", value.f);
    else
        put_text(w, "%lld", (long long)value.i);
}

static void put_insn(writer *w, const sample *s, uint32_t i) {
    static const char *const names[] = {
#define X(name, value, arity, ulp, meaning) [value] = #name,
        GN_OPCODES(X)
#undef X
    };
    static const char *const kinds[] = {"SUM", "PROD", "MAX", "MIN", "ARGMAX", "ARGMIN"};
    gn_insn insn = s->insns[i];
    uint16_t *values[3];
    put_text(w, "  %3u %-9s %-8s", i, names[insn.op],
             insn.type ? gn_dtype_name((gn_dtype)insn.type) : "");
    if (insn_operand(&insn))
        put_text(w, " operand %u", insn.a);
    if (insn.op == GN_OP_CONST)
        put_text(w, " "), put_scalar(w, insn.type, s->constants[insn.a]);
    if (insn.op == GN_OP_PARAM)
        put_text(w, " "), put_scalar(w, insn.type, s->params[insn.a]);
    if (insn.op == GN_OP_REDUCE)
        put_text(w, " %s", kinds[insn.c]);
    if (insn.op == GN_OP_ROUND)
        put_text(w, " to %s", gn_dtype_name((gn_dtype)insn.b));
    const int n = insn_values(&insn, values);
    for (int k = 0; k < n; k++)
        put_text(w, " %u", *values[k]);
    put_text(w, "\n");
}

static void put_contents(writer *w, const sample *s, uint32_t k) {
    const sample_operand *o = &s->operands[k];
    const int64_t n = sample_elements(s, k);
    char elements[SHOWN_ELEMENTS * sizeof(double)];
    struct buffer b = {.dtype = o->info.dtype, .n = n, .data = elements};
    if (n > SHOWN_ELEMENTS)
        return;
    sample_fill(s, k, &b);
    put_text(w, ": ");
    for (int64_t i = 0; i < n; i++) {
        put_text(w, i ? ", " : "");
        put_scalar(w, o->info.dtype, get(&b, i));
    }
}

static void put_operand(writer *w, const sample *s, uint32_t k) {
    static const char *const roles[] = {
        [GN_READ] = "read", [GN_WRITE] = "written", [GN_INDEX] = "index"};
    const sample_operand *o = &s->operands[k];
    put_text(w, "  operand %u: %s %s, offset %lld, strides (", k, roles[o->info.role],
             gn_dtype_name((gn_dtype)o->info.dtype), (long long)o->offset);
    for (uint32_t d = 0; d < s->n_dims; d++)
        put_text(w, "%s%lld", d ? ", " : "", (long long)o->stride[d]);
    put_text(w, ")");
    if (o->axis_extent)
        put_text(w, ", axis of %lld by %lld", (long long)o->axis_extent, (long long)o->axis_stride);
    if (o->alias >= 0)
        put_text(w, ", the memory of operand %d", o->alias);
    else if (o->info.role != GN_INDEX)
        put_text(w, ", %lld elements", (long long)sample_elements(s, k)), put_contents(w, s, k);
    put_text(w, "\n");
}

void sample_text(const sample *s, char *text, size_t bytes) {
    writer w = {.text = text, .bytes = bytes};
    for (uint32_t i = 0; i < s->n_insns; i++)
        put_insn(&w, s, i);
    put_text(&w, "  space (");
    for (uint32_t d = 0; d < s->n_dims; d++)
        put_text(&w, "%s%lld", d ? ", " : "", (long long)s->size[d]);
    put_text(&w, ")");
    if (s->n_reduced)
        put_text(&w, ", the last %u reduced", s->n_reduced);
    put_text(&w, "\n");
    for (uint32_t k = 0; k < s->n_operands; k++)
        put_operand(&w, s, k);
    if (w.used > 0)
        text[w.used - 1] = '\0'; /* the last newline */
}
