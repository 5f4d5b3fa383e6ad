/* SPDX-License-Identifier: Apache-2.0 */
/* element.c - instructions as statements, and what stands around them in every kernel. */
#include "element.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const cg_types[GN_N_DTYPES] = {
    [GN_BOOL] = "bool", [GN_U8] = "u8",   [GN_I8] = "i8",   [GN_I16] = "i16",
    [GN_I32] = "i32",   [GN_I64] = "i64", [GN_U32] = "u32", [GN_F16] = "f16",
    [GN_BF16] = "bf16", [GN_F32] = "f32", [GN_F64] = "f64",
};
const char *const cg_dtypes[GN_N_DTYPES] = {
    [GN_BOOL] = "BOOL", [GN_U8] = "U8",   [GN_I8] = "I8",   [GN_I16] = "I16",
    [GN_I32] = "I32",   [GN_I64] = "I64", [GN_U32] = "U32", [GN_F16] = "F16",
    [GN_BF16] = "BF16", [GN_F32] = "F32", [GN_F64] = "F64",
};
const char *const cg_wrapping[GN_N_DTYPES] = {
    [GN_BOOL] = "u32", [GN_U8] = "u32",  [GN_I8] = "u32",  [GN_I16] = "u32",
    [GN_I32] = "u32",  [GN_I64] = "u64", [GN_U32] = "u32",
};

/* ---- Opcodes as expressions */

/*
 * $a, $b, $c are values, $t is the type, $u the unsigned type in which integers wrap, $n the number
 * of bits. A function whose name ends in _$t is of backends/kernels/math.cl; the others are the
 * language's. Of comparisons it is the type of their operands that chooses.
 */
typedef struct pattern {
    const char *floats, *integers, *bools;
} pattern;

static const pattern patterns[GN_OP_SELECT + 1] = {
    [GN_OP_ADD] = {"$a + $b", "($t)(($u)$a + ($u)$b)", "$a || $b"},
    [GN_OP_SUB] = {"$a - $b", "($t)(($u)$a - ($u)$b)", NULL},
    [GN_OP_MUL] = {"$a * $b", "($t)(($u)$a * ($u)$b)", "$a && $b"},
    [GN_OP_DIV] = {"div_$t($a, $b)", "div_$t($a, $b)", NULL},
    [GN_OP_FLOORDIV] = {"floor(div_$t($a, $b))", "floordiv_$t($a, $b)", NULL},
    [GN_OP_FMOD] = {"fmod($a, $b)", "fmod_$t($a, $b)", NULL},
    [GN_OP_REMAINDER] = {"remainder_$t($a, $b)", "remainder_$t($a, $b)", NULL},
    [GN_OP_POW] = {"pow_$t($a, $b)", "pow_$t($a, $b)", NULL},
    [GN_OP_MIN] = {"$a < $b || $a != $a ? $a : $b", "$a < $b ? $a : $b", "$a && $b"},
    [GN_OP_MAX] = {"$a > $b || $a != $a ? $a : $b", "$a > $b ? $a : $b", "$a || $b"},
    [GN_OP_ATAN2] = {"atan2_$t($a, $b)", NULL, NULL},
    [GN_OP_NEG] = {"-$a", "($t)(0 - ($u)$a)", NULL},
    [GN_OP_ABS] = {"fabs($a)", "$a < 0 ? ($t)(0 - ($u)$a) : $a", NULL},
    [GN_OP_SIGN] = {"$a != $a ? $a : ($t)(($a > 0) - ($a < 0))", "($a > 0) - ($a < 0)", NULL},
    [GN_OP_SQRT] = {"sqrt_$t($a)", NULL, NULL},
    [GN_OP_RSQRT] = {"rsqrt($a)", NULL, NULL},
    [GN_OP_FLOOR] = {"floor($a)", "$a", NULL},
    [GN_OP_CEIL] = {"ceil($a)", "$a", NULL},
    [GN_OP_TRUNC] = {"trunc($a)", "$a", NULL},
    [GN_OP_RINT] = {"rint_$t($a)", "$a", NULL},
    [GN_OP_EXP] = {"exp_$t($a)", NULL, NULL},
    [GN_OP_EXP2] = {"exp2($a)", NULL, NULL},
    [GN_OP_EXPM1] = {"expm1($a)", NULL, NULL},
    [GN_OP_LOG] = {"log($a)", NULL, NULL},
    [GN_OP_LOG2] = {"log2($a)", NULL, NULL},
    [GN_OP_LOG10] = {"log10($a)", NULL, NULL},
    [GN_OP_LOG1P] = {"log1p($a)", NULL, NULL},
    [GN_OP_SIN] = {"sin($a)", NULL, NULL},
    [GN_OP_COS] = {"cos($a)", NULL, NULL},
    [GN_OP_TAN] = {"tan_$t($a)", NULL, NULL},
    [GN_OP_ASIN] = {"asin($a)", NULL, NULL},
    [GN_OP_ACOS] = {"acos($a)", NULL, NULL},
    [GN_OP_ATAN] = {"atan_$t($a)", NULL, NULL},
    [GN_OP_SINH] = {"sinh($a)", NULL, NULL},
    [GN_OP_COSH] = {"cosh($a)", NULL, NULL},
    [GN_OP_TANH] = {"tanh_$t($a)", NULL, NULL},
    [GN_OP_ASINH] = {"asinh($a)", NULL, NULL},
    [GN_OP_ACOSH] = {"acosh($a)", NULL, NULL},
    [GN_OP_ATANH] = {"atanh_$t($a)", NULL, NULL},
    [GN_OP_ERF] = {"erf_$t($a)", NULL, NULL},
    [GN_OP_ERFC] = {"erfc_$t($a)", NULL, NULL},
    [GN_OP_LGAMMA] = {"lgamma_$t($a)", NULL, NULL},
    [GN_OP_DIGAMMA] = {"digamma_$t($a)", NULL, NULL},
    [GN_OP_EQ] = {"$a == $b", "$a == $b", "$a == $b"},
    [GN_OP_NE] = {"$a != $b", "$a != $b", "$a != $b"},
    [GN_OP_LT] = {"$a < $b", "$a < $b", "$a < $b"},
    [GN_OP_LE] = {"$a <= $b", "$a <= $b", "$a <= $b"},
    [GN_OP_ISNAN] = {"$a != $a", "false", "false"},
    [GN_OP_ISINF] = {"fabs($a) == INFINITY", "false", "false"},
    [GN_OP_AND] = {NULL, "$a & $b", "$a && $b"},
    [GN_OP_OR] = {NULL, "$a | $b", "$a || $b"},
    [GN_OP_XOR] = {NULL, "$a ^ $b", "$a != $b"},
    [GN_OP_NOT] = {NULL, "~$a", "!$a"},
    [GN_OP_SHL] = {NULL, "$b >= 0 && $b < $n ? ($t)(($u)$a << $b) : 0", NULL},
    [GN_OP_SHR] = {NULL, "$a >> ($b >= 0 && $b < $n ? $b : $n - 1)", NULL},
    [GN_OP_SELECT] = {"$a ? $b : $c", "$a ? $b : $c", "$a ? $b : $c"},
};

/* Where the sign of a zero counts. */
static const char *strict_pattern(unsigned op) {
    return op == GN_OP_MIN ? "min_$t($a, $b)" : op == GN_OP_MAX ? "max_$t($a, $b)" : NULL;
}

static const uint8_t arities[GN_OP_SELECT + 1] = {
#define X(op, number, arity, ulp, meaning) [number] = arity,
    GN_OPCODES(X)
#undef X
};

bool cg_op_is_known(unsigned op) {
    return op <= GN_OP_ELEMENTS || (op <= GN_OP_SELECT && arities[op] > 0);
}

unsigned cg_values_of(const gn_insn *insn, uint16_t value[3]) {
    const uint16_t all[3] = {insn->a, insn->b, insn->c};
    if (insn->op == GN_OP_LOADX || insn->op == GN_OP_STORE) {
        value[0] = insn->b;
        return 1;
    }
    memcpy(value, all, sizeof all);
    return insn->op == GN_OP_REDUCE ? (insn->c >= GN_ARGMAX ? 2 : 1) : arities[insn->op];
}

/* The pattern of an arithmetic, comparing or logical instruction; NULL: there is none. */
static const char *pattern_of(const gn_program *source, const gn_insn *insn) {
    const bool compares = insn->op >= GN_OP_EQ && insn->op <= GN_OP_ISINF;
    const unsigned type = compares ? cg_insn(source, insn->a)->type : insn->type;
    if (insn->op < GN_OP_ADD)
        return NULL;
    if (type == GN_BOOL)
        return patterns[insn->op].bools;
    if (!gn_dtype_is_float((int)type))
        return patterns[insn->op].integers;
    if (source->flags & GN_PROGRAM_NO_CONTRACT && strict_pattern(insn->op))
        return strict_pattern(insn->op);
    return patterns[insn->op].floats;
}

bool cg_has_expression(const gn_program *source, const gn_insn *insn) {
    return insn->op < GN_OP_ADD || pattern_of(source, insn);
}

/* ---- Names and numbers */

bool cg_is_kept(const cg_writer *w, uint32_t value) {
    const cg_program *p = w->program;
    return p->values[value].row && !p->values[value].uniform &&
           (cg_insn(p->source, value)->op == GN_OP_REDUCE ||
            p->values[value].part + 1u < p->n_parts);
}

cg_name cg_name_of(const cg_writer *w, uint32_t value) {
    cg_name name;
    const bool of_many = w->program->parts[w->part].row || w->variant->columns;
    snprintf(name.text, sizeof name.text, "v%u%s", (unsigned)value,
             !cg_is_kept(w, value) ? ""
             : of_many             ? "[v]"
                                   : "[0]");
    return name;
}

static void write_number(const cg_writer *w, unsigned type, gn_scalar number) {
    char digits[40];
    if (!gn_dtype_is_float((int)type)) {
        if (type == GN_BOOL)
            cg_print(w->out, number.i ? "true" : "false");
        else if (number.i == (int32_t)number.i)
            cg_print(w->out, "%lld", (long long)number.i);
        else
            cg_print(w->out, "(%s)0x%llxu%s", cg_types[type], (unsigned long long)number.i,
                     number.i == (uint32_t)number.i ? "" : "l");
        return;
    }
    const double value = type == GN_F32 ? (double)(float)number.f : number.f;
    if (!isfinite(value)) {
        cg_print(w->out, isnan(value) ? "NAN" : value < 0 ? "-INFINITY" : "INFINITY");
        return;
    }
    snprintf(digits, sizeof digits, "%.*g", type == GN_F32 ? 9 : 17, value);
    cg_print(w->out, "%s%s%s", digits, strpbrk(digits, ".e") ? "" : ".0",
             type == GN_F32 ? "f" : "");
}

/* ---- Expressions */

static void write_pattern(const cg_writer *w, const char *text, const gn_insn *insn) {
    const uint16_t value[3] = {insn->a, insn->b, insn->c};
    const unsigned type = insn->type;
    for (const char *c = text; *c; c++) {
        if (*c != '$') {
            const size_t plain = strcspn(c, "$");
            cg_print(w->out, "%.*s", (int)plain, c);
            c += plain - 1;
            continue;
        }
        switch (*++c) {
        case 't': cg_print(w->out, "%s", cg_types[type]); break;
        case 'u': cg_print(w->out, "%s", cg_wrapping[type]); break;
        case 'n': cg_print(w->out, "%u", 8 * gn_dtype_bytes((int)type)); break;
        default: cg_print(w->out, "%s", cg_name_of(w, value[*c - 'a']).text);
        }
    }
}

static void write_cast(const cg_writer *w, const gn_insn *insn) {
    const unsigned from = cg_insn(w->program->source, insn->a)->type;
    const cg_name a = cg_name_of(w, insn->a);
    if (insn->type == GN_BOOL)
        cg_print(w->out, "%s != 0", a.text);
    else if (gn_dtype_is_float((int)from) && !gn_dtype_is_float(insn->type))
        cg_print(w->out, "TO_%s(%s)", cg_dtypes[insn->type], a.text);
    else
        cg_print(w->out, "(%s)%s", cg_types[insn->type], a.text);
}

/* What an instruction computes from values, constants and parameters. */
static void write_expression(const cg_writer *w, const gn_insn *insn) {
    switch (insn->op) {
    case GN_OP_CONST: write_number(w, insn->type, w->program->source->constants[insn->a]); break;
    case GN_OP_PARAM:
        if (insn->type == GN_F64)
            cg_print(w->out, "AS_F64(ARG(param[%u]))", insn->a);
        else if (insn->type == GN_F32)
            cg_print(w->out, "AS_F32((u32)ARG(single[%u]))", insn->a);
        else
            cg_print(w->out, "(%s)ARG(param[%u])", cg_types[insn->type], insn->a);
        break;
    case GN_OP_CAST: write_cast(w, insn); break;
    case GN_OP_ROUND:
        cg_print(w->out, "round_%s(%s)", cg_types[insn->b], cg_name_of(w, insn->a).text);
        break;
    case GN_OP_RANDOM: write_pattern(w, "philox_word($a, $b, $c)", insn); break;
    default: write_pattern(w, pattern_of(w->program->source, insn), insn);
    }
}

/* "v3[v] = " of what later parts read, else "const f32 v3 = ". */
static void begin_value(const cg_writer *w, uint32_t i) {
    const unsigned type = cg_insn(w->program->source, i)->type;
    if (cg_is_kept(w, i))
        cg_print(w->out, "%sv%u[v] = ", w->indent, i);
    else
        cg_print(w->out, "%sconst %s v%u = ", w->indent, cg_types[type], i);
}

static void write_value(const cg_writer *w, uint32_t i) {
    begin_value(w, i);
    write_expression(w, cg_insn(w->program->source, i));
    cg_print(w->out, ";\n");
}

/* ---- Memory */

static const gn_operand_info *info_of(const cg_writer *w, uint32_t operand) {
    return &w->program->source->operands[operand];
}

/* A bool is stored in a byte. */
static const char *storage_type(unsigned dtype) {
    return dtype == GN_BOOL ? "u8" : cg_types[dtype];
}

/* " + v", or what else leads from the first of the elements side by side to number v. */
static void write_step(const cg_writer *w, uint32_t operand) {
    const bool side_by_side =
        w->variant->width > 1 && (!w->program->parts[w->part].row || w->variant->columns);
    const int class = w->variant->class[operand];
    if (!side_by_side || class == CG_SAME)
        return;
    if (class == CG_UNIT)
        cg_print(w->out, " + v");
    else
        cg_print(w->out, " + v * (index_t)ARG(stride[%u][%d])", operand, w->vector_dim);
}

static void write_at(const cg_writer *w, uint32_t operand) {
    cg_print(w->out, "%s%u", w->program->parts[w->part].row ? "base" : "at", operand);
    write_step(w, operand);
}

/* Whether LOAD or STORE number i moves all elements side by side at once. Where a row has more of
 * them than an access to memory takes, they are moved one by one in the loop over v. */
static bool moves_together(const cg_writer *w, uint32_t i) {
    const gn_insn *insn = cg_insn(w->program->source, i);
    return w->variant->width > 1 && (w->variant->width <= 4 || !w->rows) &&
           !w->program->parts[w->part].row && w->variant->class[insn->a] == CG_UNIT &&
           info_of(w, insn->a)->role != GN_INDEX;
}

static void write_load(const cg_writer *w, uint32_t i) {
    const gn_insn *insn = cg_insn(w->program->source, i);
    begin_value(w, i);
    if (moves_together(w, i)) {
        cg_print(w->out, "x%u[v];\n", i);
        return;
    }
    if (info_of(w, insn->a)->role != GN_INDEX)
        cg_print(w->out, "LOAD_%s(p%u, ", cg_dtypes[info_of(w, insn->a)->dtype], insn->a);
    write_at(w, insn->a);
    cg_print(w->out, info_of(w, insn->a)->role == GN_INDEX ? ";\n" : ");\n");
}

static void write_loadx(const cg_writer *w, uint32_t i) {
    const gn_insn *insn = cg_insn(w->program->source, i);
    const cg_name index = cg_name_of(w, insn->b);
    const uint32_t k = insn->a;
    cg_print(w->out, "%sconst bool in%u = (u64)%s < (u64)ARG(axis_extent[%u]);\n", w->indent, i,
             index.text, k);
    cg_print(w->out, "%sif (!in%u)\n%s    REPORT(report, tag, %s, ARG(axis_extent[%u]));\n",
             w->indent, i, w->indent, index.text, k);
    begin_value(w, i);
    cg_print(w->out, "in%u ? LOAD_%s(p%u, ", i, cg_dtypes[info_of(w, k)->dtype], k);
    write_at(w, k);
    cg_print(w->out, " + %s * ARG(axis_stride[%u])) : 0;\n", index.text, k);
}

/* Before the loop over v: loads of several elements at once. */
static void write_wide_load(const cg_writer *w, uint32_t i) {
    const gn_insn *insn = cg_insn(w->program->source, i);
    const char *dtype = cg_dtypes[info_of(w, insn->a)->dtype];
    cg_print(w->out, "%s%s x%u[WIDTH];\n", w->indent, cg_types[insn->type], i);
    if (w->variant->width <= 4)
        cg_print(w->out, "%sLOADV_%s(x%u, p%u, at%u);\n", w->indent, dtype, i, insn->a, insn->a);
    else
        cg_print(w->out,
                 "%sfor (int v = 0; v < WIDTH; v++)\n%s    x%u[v] = LOAD_%s(p%u, at%u + v);\n",
                 w->indent, w->indent, i, dtype, insn->a, insn->a);
}

/* Behind that loop: the store of what it left in y. */
static void write_wide_store(const cg_writer *w, uint32_t i) {
    const gn_insn *insn = cg_insn(w->program->source, i);
    const char *dtype = cg_dtypes[info_of(w, insn->a)->dtype];
    if (moves_together(w, i) && w->variant->width <= 4) {
        cg_print(w->out, "%sSTOREV_%s(p%u, at%u, y%u);\n", w->indent, dtype, insn->a, insn->a, i);
        return;
    }
    cg_print(w->out, "%sfor (int v = 0; v < WIDTH; v++)\n%s    STORE_%s(p%u, ", w->indent,
             w->indent, dtype, insn->a);
    write_at(w, insn->a);
    cg_print(w->out, ", y%u[v]);\n", i);
}

static void write_store(const cg_writer *w, uint32_t i) {
    const gn_insn *insn = cg_insn(w->program->source, i);
    cg_print(w->out, "%sSTORE_%s(p%u, ", w->indent, cg_dtypes[info_of(w, insn->a)->dtype], insn->a);
    write_at(w, insn->a);
    cg_print(w->out, ", %s);\n", cg_name_of(w, insn->b).text);
}

/* ---- Random numbers: neighbours share a block */

/* Whether RANDOM number i has the numbers of whole blocks side by side, and one offset and key. */
static bool shares_blocks(const cg_writer *w, uint32_t i) {
    const gn_insn *insn = cg_insn(w->program->source, i);
    const gn_insn *index = cg_insn(w->program->source, insn->a);
    return insn->op == GN_OP_RANDOM && w->variant->width % 4 == 0 &&
           !w->program->parts[w->part].row && index->op == GN_OP_LOAD &&
           w->program->values[insn->a].part == w->part && info_of(w, index->a)->role == GN_INDEX &&
           w->variant->class[index->a] == CG_UNIT && w->program->values[insn->b].uniform &&
           w->program->values[insn->c].uniform;
}

static void write_blocks(const cg_writer *w, uint32_t i) {
    const gn_insn *insn = cg_insn(w->program->source, i);
    cg_print(w->out, "%su32 x%u[WIDTH];\n%sfor (int v = 0; v < WIDTH; v += 4)\n", w->indent, i,
             w->indent);
    cg_print(w->out, "%s    philox(at%u + v, v%u, v%u, x%u + v);\n", w->indent,
             cg_insn(w->program->source, insn->a)->a, insn->b, insn->c, i);
}

/* ---- Parts */

/* Values that are the same everywhere are written by cg_write_uniforms. */
static bool is_written(const cg_writer *w, uint32_t i) {
    return w->program->values[i].live && !w->program->values[i].uniform;
}

static void write_statement(const cg_writer *w, uint32_t i) {
    const gn_insn *insn = cg_insn(w->program->source, i);
    if (insn->op == GN_OP_LOAD)
        write_load(w, i);
    else if (insn->op == GN_OP_LOADX)
        write_loadx(w, i);
    else if (shares_blocks(w, i))
        cg_print(w->out, "%sconst u32 v%u = x%u[v];\n", w->indent, i, i);
    else
        write_value(w, i);
}

bool cg_moves_side_by_side(const cg_writer *w) {
    const cg_part *part = &w->program->parts[w->part];
    for (uint32_t i = part->first; i < part->end; i++) {
        const gn_insn *insn = cg_insn(w->program->source, i);
        if (insn->op == GN_OP_STORE || (w->program->values[i].live && shares_blocks(w, i)) ||
            (insn->op == GN_OP_LOAD && moves_together(w, i)))
            return true;
    }
    return false;
}

void cg_write_values(const cg_writer *w) {
    const cg_part *part = &w->program->parts[w->part];
    for (uint32_t i = part->first; i < part->end; i++)
        if (is_written(w, i) && cg_insn(w->program->source, i)->op != GN_OP_STORE)
            write_statement(w, i);
}

void cg_write_body(const cg_writer *w) {
    const cg_part *part = &w->program->parts[w->part];
    const gn_program *source = w->program->source;
    const bool loop = w->variant->width > 1;
    for (uint32_t i = part->first; i < part->end; i++) {
        const gn_insn *insn = cg_insn(source, i);
        if (!is_written(w, i))
            continue;
        if (insn->op == GN_OP_LOAD && moves_together(w, i))
            write_wide_load(w, i);
        else if (insn->op == GN_OP_STORE && loop)
            cg_print(w->out, "%s%s y%u[WIDTH];\n", w->indent,
                     cg_types[cg_insn(source, insn->b)->type], i);
        else if (shares_blocks(w, i))
            write_blocks(w, i);
    }
    cg_print(w->out, loop ? "%sfor (int v = 0; v < WIDTH; v++) {\n" : "%s{\n", w->indent);
    if (!loop && w->rows)
        cg_print(w->out, "%s    const int v = 0;\n", w->indent);
    cg_writer inner = *w;
    char indent[32];
    snprintf(indent, sizeof indent, "%s    ", w->indent);
    inner.indent = indent;
    cg_write_values(&inner);
    for (uint32_t i = part->first; i < part->end && loop; i++) {
        const gn_insn *insn = cg_insn(source, i);
        if (insn->op == GN_OP_STORE)
            cg_print(w->out, "%sy%u[v] = %s;\n", indent, i, cg_name_of(w, insn->b).text);
    }
}

void cg_write_body_end(const cg_writer *w) {
    const cg_part *part = &w->program->parts[w->part];
    const bool loop = w->variant->width > 1;
    cg_writer inner = *w;
    char indent[32];
    snprintf(indent, sizeof indent, "%s    ", w->indent);
    inner.indent = indent;
    if (loop)
        cg_print(w->out, "%s}\n", w->indent);
    for (uint32_t i = part->first; i < part->end; i++)
        if (cg_insn(w->program->source, i)->op == GN_OP_STORE) {
            if (loop)
                write_wide_store(w, i);
            else
                write_store(&inner, i);
        }
    if (!loop)
        cg_print(w->out, "%s}\n", w->indent);
}

void cg_write_row_stores(const cg_writer *w) {
    const cg_part *part = &w->program->parts[w->part];
    for (uint32_t i = part->first; i < part->end; i++)
        if (cg_insn(w->program->source, i)->op == GN_OP_STORE)
            write_store(w, i);
}

/* ---- What stands around the parts */

/* "#define USES_pow_f32" for a function of the library in a pattern; integers have one for all. */
static void write_use(const cg_writer *w, const gn_insn *insn) {
    const char *text = pattern_of(w->program->source, insn),
               *end = text ? strstr(text, "_$t(") : NULL;
    if (insn->op == GN_OP_RANDOM)
        cg_print(w->out, "#define USES_philox\n");
    if (!end)
        return;
    const char *name = end;
    while (name > text && name[-1] != '(')
        name--;
    if (gn_dtype_is_float(insn->type))
        cg_print(w->out, "#define USES_%.*s_%s\n", (int)(end - name), name, cg_types[insn->type]);
    else
        cg_print(w->out, "#define USES_integers_%s\n", cg_types[insn->type]);
}

void cg_write_head(const cg_writer *w, const char *library) {
    const cg_program *p = w->program;
    bool seen[GN_OP_SELECT + 1][GN_N_DTYPES] = {{false}};
    cg_print(w->out, "#define GROUP %u\n#define WIDTH %u\n", w->variant->group, w->variant->width);
    for (uint32_t i = 0; i < p->source->n_insns; i++) {
        const gn_insn *insn = cg_insn(p->source, i);
        if (!p->values[i].live || insn->op < GN_OP_RANDOM || seen[insn->op][insn->type])
            continue;
        seen[insn->op][insn->type] = true;
        write_use(w, insn);
    }
    if (p->source->flags & GN_PROGRAM_NO_CONTRACT)
        cg_print(w->out, "NO_CONTRACT\n");
    cg_print(w->out, "typedef %s index_t;\n%s\n", w->variant->wide ? "i64" : "i32", library);
}

void cg_write_arguments(const cg_writer *w) {
    cg_print(w->out, "KERNEL(GROUP, 1, 1) run(%s",
             w->variant->table ? "GLOBAL const u8 *calls, i64 offset, i32 n_calls"
                               : "const call a");
    if (w->variant->stage != CG_WHOLE)
        cg_print(w->out, ", GLOBAL u8 *pieces");
    for (uint32_t k = 0; k < w->program->source->n_operands; k++)
        if (info_of(w, k)->role != GN_INDEX)
            cg_print(w->out, ",\n        GLOBAL %s%s *b%u",
                     info_of(w, k)->role == GN_READ ? "const " : "",
                     storage_type(info_of(w, k)->dtype), k);
    if (w->program->picks)
        cg_print(w->out, ",\n        GLOBAL i64 *report, i64 tag");
    cg_print(w->out, ")\n{\n");
    if (w->variant->table)
        cg_print(w->out, "    GLOBAL const call *a = (GLOBAL const call *)(calls + offset);\n");
}

void cg_write_pointers(const cg_writer *w) {
    for (uint32_t k = 0; k < w->program->source->n_operands; k++)
        if (info_of(w, k)->role != GN_INDEX)
            cg_print(w->out, "    GLOBAL %s%s *p%u = b%u + ARG(offset[%u]);\n",
                     info_of(w, k)->role == GN_READ ? "const " : "",
                     storage_type(info_of(w, k)->dtype), k, k, k);
}

void cg_write_uniforms(const cg_writer *w) {
    for (uint32_t i = 0; i < w->program->source->n_insns; i++)
        if (w->program->values[i].live && w->program->values[i].uniform)
            write_value(w, i);
}
