/* SPDX-License-Identifier: Apache-2.0 */
/*
 * builder.c - appends typed instructions to a program: checks types, decides the part that an
 * instruction belongs to, and merges common subexpressions. Folding is in fold.c, identities are in
 * simplify.c; finish.c makes the program.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder.h"

enum { MAX_ENTRIES = 16 * GN_MAX_INSNS }; /* before dead code is dropped; fits 16 bits */

static const char *const type_names[GN_N_DTYPES] = {
#define X(name, value, text, bytes) [value] = text,
    GN_DTYPES(X)
#undef X
};

int gn__build_fail(gn__builder *b, gn_status status, const char *format, ...) {
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (!b->failed)
        gn_fail(status, b->name, "%s", message);
    b->failed = true;
    return 0;
}

gn__builder *gn__builder_new(const char *name, uint32_t flags) {
    gn__builder *b = gn__alloc(sizeof *b);
    if (b == NULL)
        return NULL;
    b->flags = flags;
    b->name = gn__strdup(name);
    if (b->name == NULL) {
        free(b);
        return NULL;
    }
    return b;
}

int gn__build_operand(gn__builder *b, int role, int dtype) {
    if (b->failed)
        return 0;
    if (b->n_operands == GN_MAX_OPERANDS)
        return gn__build_fail(b, GN_E_UNSUPPORTED, "a program has at most %d operands",
                              GN_MAX_OPERANDS);
    if (dtype <= 0 || dtype >= GN_N_DTYPES || dtype == GN_U32 ||
        (role != GN_READ && role != GN_WRITE && role != GN_INDEX) ||
        (role == GN_INDEX && dtype != GN_I64))
        return gn__build_fail(b, GN_E_ARGUMENT, "no operand can have role %d and dtype %d", role,
                              dtype);
    b->operands[b->n_operands] = (gn_operand_info){(uint16_t)role, (uint16_t)dtype};
    return (int)b->n_operands++;
}

int gn__build_param(gn__builder *b) {
    if (b->n_params == GN_MAX_PARAMS)
        return gn__build_fail(b, GN_E_UNSUPPORTED, "a program has at most %d parameters",
                              GN_MAX_PARAMS);
    return (int)b->n_params++;
}

/* ---- Sections */

/* Whether the value's section is one of the current element part. */
static bool is_current_element(const gn__builder *b, int32_t section) {
    return section == b->stage * GN__SECTIONS + GN__ELEMENT;
}

/* Whether an element or row instruction of the section `user` can use a value of this section. */
static bool is_visible(int32_t section, int32_t user) {
    bool element = section != GN__GLOBAL && section % GN__SECTIONS == GN__ELEMENT;
    return element ? section == user : section <= user;
}

/* The section of an instruction with these operands: the element part if it uses elements, else
 * the row part if there is one. -1 with an error where that can't be. */
static int find_section(gn__builder *b, const gn_insn *insn) {
    const int first = b->stage * GN__SECTIONS;
    const uint16_t operands[3] = {insn->a, insn->b, insn->c};
    const int slots = gn__value_slots(insn);
    bool elements = false, rows = false;
    for (int i = 0; i < 3; i++) {
        if (!(slots >> i & 1))
            continue;
        int32_t section = b->entries[operands[i]].section;
        if (is_current_element(b, section))
            elements = true;
        else if (section > first)
            rows = true;
        else if (section != GN__GLOBAL && section % GN__SECTIONS == GN__ELEMENT) {
            gn__build_fail(b, GN_E_ARGUMENT, "value %d, an element of an earlier part, is used",
                           operands[i]);
            return -1;
        }
    }
    if (rows && (elements || insn->op == GN_OP_REDUCE)) {
        gn__build_fail(
            b, GN_E_ARGUMENT, "%s of %s behind the reduction: begin another element part",
            gn__op_info(insn->op)->name, elements ? "an element and a value" : "a value");
        return -1;
    }
    if (insn->op == GN_OP_REDUCE)
        return first + GN__REDUCTION;
    int part = elements || !b->reduced ? GN__ELEMENT : GN__ROW;
    return first + part + (insn->op == GN_OP_STORE);
}

/* ---- Appending */

static bool same_constant(const gn__entry *a, const gn__entry *b) {
    return memcmp(&a->constant, &b->constant, sizeof a->constant) == 0;
}

/* An instruction that makes the same value and can be used where `wanted` belongs, or -1. Loads of
 * one operand in different parts differ: in a row part the reduced coordinates are 0. */
static int find_equal(const gn__builder *b, const gn__entry *wanted) {
    bool loads = wanted->insn.op == GN_OP_LOAD || wanted->insn.op == GN_OP_LOADX;
    for (size_t i = b->n_entries; i-- > 0;) {
        const gn__entry *e = &b->entries[i];
        if (memcmp(&e->insn, &wanted->insn, sizeof e->insn) == 0 && same_constant(e, wanted) &&
            (loads ? e->section == wanted->section : is_visible(e->section, wanted->section)))
            return (int)i;
    }
    return -1;
}

int gn__append(gn__builder *b, gn_insn insn, gn_scalar constant) {
    gn__entry entry = {.insn = insn, .section = GN__GLOBAL, .constant = constant};
    if (b->failed)
        return 0;
    if (insn.op != GN_OP_CONST && insn.op != GN_OP_PARAM) {
        entry.section = find_section(b, &insn);
        if (b->failed)
            return 0;
    }
    if (insn.op != GN_OP_STORE) {
        int equal = find_equal(b, &entry);
        if (equal >= 0)
            return equal;
    }
    if (b->n_entries == MAX_ENTRIES)
        return gn__build_fail(b, GN_E_UNSUPPORTED, "the program has too many instructions");
    if (gn__grow((void **)&b->entries, &b->capacity, b->n_entries, sizeof entry) != GN_OK) {
        b->failed = true;
        return 0;
    }
    b->entries[b->n_entries] = entry;
    return (int)b->n_entries++;
}

static int append(gn__builder *b, int op, int type, int a, int b_, int c) {
    gn_insn insn = {.op = (uint16_t)op,
                    .type = (uint16_t)type,
                    .a = (uint16_t)a,
                    .b = (uint16_t)b_,
                    .c = (uint16_t)c};
    return gn__append(b, insn, (gn_scalar){0});
}

int gn__type_of(const gn__builder *b, int value) {
    return value >= 0 && (size_t)value < b->n_entries ? b->entries[value].insn.type : GN_BOOL;
}

/* Whether the builder works and has this value. */
static bool check_value(gn__builder *b, int value) {
    if (!b->failed &&
        (value < 0 || (size_t)value >= b->n_entries || b->entries[value].insn.op == GN_OP_STORE))
        gn__build_fail(b, GN_E_ARGUMENT, "%d is no value", value);
    return !b->failed;
}

static bool check_type(gn__builder *b, int type) {
    if (!b->failed && (type <= 0 || type >= GN_N_DTYPES || gn__compute_type(type) != type))
        gn__build_fail(b, GN_E_ARGUMENT, "programs do not compute in dtype %d", type);
    return !b->failed;
}

static bool check_operand(gn__builder *b, int operand, int roles) {
    if (!b->failed &&
        (operand < 0 || (uint32_t)operand >= b->n_operands || !(b->operands[operand].role & roles)))
        gn__build_fail(b, GN_E_ARGUMENT, "operand %d is none that can be used so", operand);
    return !b->failed;
}

/* ---- Leaves */

int gn__load(gn__builder *b, int operand) {
    if (!check_operand(b, operand, GN_READ | GN_INDEX))
        return 0;
    return append(b, GN_OP_LOAD, gn__compute_type(b->operands[operand].dtype), operand, 0, 0);
}

int gn__loadx(gn__builder *b, int operand, int index) {
    if (!check_operand(b, operand, GN_READ) || !check_value(b, index))
        return 0;
    if (gn__type_of(b, index) != GN_I64)
        return gn__build_fail(b, GN_E_ARGUMENT, "an index must be int64, not %s",
                              type_names[gn__type_of(b, index)]);
    return append(b, GN_OP_LOADX, gn__compute_type(b->operands[operand].dtype), operand, index, 0);
}

static int append_constant(gn__builder *b, int type, gn_scalar value) {
    gn_insn insn = {.op = GN_OP_CONST, .type = (uint16_t)type};
    return gn__append(b, insn, value);
}

int gn__const_f(gn__builder *b, int type, double value) {
    if (!check_type(b, type))
        return 0;
    if (!gn__is_float(type))
        return gn__build_fail(b, GN_E_ARGUMENT, "%s is no floating-point type", type_names[type]);
    return append_constant(b, type, (gn_scalar){.f = gn__normal_f(type, value)});
}

int gn__const_i(gn__builder *b, int type, int64_t value) {
    if (!check_type(b, type))
        return 0;
    if (gn__is_float(type))
        return gn__build_fail(b, GN_E_ARGUMENT, "%s is no integer type", type_names[type]);
    return append_constant(b, type, (gn_scalar){.i = gn__normal_i(type, value)});
}

int gn__const(gn__builder *b, int type, double value) {
    if (!check_type(b, type))
        return 0;
    gn_scalar converted = {.f = value};
    if (!gn__fold_cast(type, GN_F64, converted, &converted))
        return gn__build_fail(b, GN_E_ARGUMENT, "%g is no constant of type %s", value,
                              type_names[type]);
    return append_constant(b, type, converted);
}

int gn__param(gn__builder *b, int type, int param) {
    if (!check_type(b, type))
        return 0;
    if (param < 0 || (uint32_t)param >= b->n_params)
        return gn__build_fail(b, GN_E_ARGUMENT, "there is no parameter %d", param);
    return append(b, GN_OP_PARAM, type, param, 0, 0);
}

/* ---- Operations */

int gn__cast(gn__builder *b, int type, int value) {
    if (!check_type(b, type) || !check_value(b, value))
        return 0;
    int from = gn__type_of(b, value);
    if (from == type)
        return value;
    gn_scalar folded;
    if (gn__is_const(b, value) && gn__fold_cast(type, from, b->entries[value].constant, &folded))
        return append_constant(b, type, folded);
    int simple = gn__simplify_cast(b, type, value);
    return simple >= 0 ? simple : append(b, GN_OP_CAST, type, value, 0, 0);
}

static int emit_round(gn__builder *b, int value, int dtype) {
    if (!check_value(b, value))
        return 0;
    if (gn__type_of(b, value) != GN_F32 || (dtype != GN_F16 && dtype != GN_BF16))
        return gn__build_fail(b, GN_E_ARGUMENT, "round takes float32 to float16 or bfloat16");
    const gn_insn *insn = &b->entries[value].insn;
    if (insn->op == GN_OP_ROUND && insn->b == dtype)
        return value;
    return append(b, GN_OP_ROUND, GN_F32, value, dtype, 0);
}

/* The type of the operands of an operation, or -1 with an error: they differ, or it does not take
 * them. */
static int check_operands(gn__builder *b, int op, const int values[3], int n) {
    const gn__op *info = gn__op_info(op);
    int first = op == GN_OP_SELECT, type = -1;
    for (int i = 0; i < n; i++)
        if (!check_value(b, values[i]))
            return -1;
    type = gn__type_of(b, values[first]);
    for (int i = first + 1; i < n; i++) {
        if (gn__type_of(b, values[i]) != type) {
            gn__build_fail(b, GN_E_ARGUMENT, "%s of %s and %s: cast one of them", info->name,
                           type_names[type], type_names[gn__type_of(b, values[i])]);
            return -1;
        }
    }
    if (op == GN_OP_SELECT && gn__type_of(b, values[0]) != GN_BOOL) {
        gn__build_fail(b, GN_E_ARGUMENT, "the condition of a select must be bool, not %s",
                       type_names[gn__type_of(b, values[0])]);
        return -1;
    }
    if (!(info->types >> type & 1)) {
        gn__build_fail(b, GN_E_ARGUMENT, "%s does not take %s", info->name, type_names[type]);
        return -1;
    }
    return type;
}

/* Commutative operations have their constant second, else their older operand first: so that equal
 * ones are seen as equal. Which zero min(-0, 0) gives may depend on the order. */
static void order_operands(const gn__builder *b, const gn__op *info, int values[3]) {
    bool zeros_differ = (info == gn__op_info(GN_OP_MIN) || info == gn__op_info(GN_OP_MAX)) &&
                        (b->flags & GN_PROGRAM_NO_CONTRACT);
    bool swap = gn__is_const(b, values[0]) != gn__is_const(b, values[1])
                    ? gn__is_const(b, values[0])
                    : values[0] > values[1];
    if (info->commutative && swap && !zeros_differ) {
        int first = values[0];
        values[0] = values[1];
        values[1] = first;
    }
}

int gn__emit(gn__builder *b, int op, int a, int b_, int c) {
    const gn__op *info = gn__op_info(op);
    if (op == GN_OP_ROUND)
        return emit_round(b, a, b_);
    int arity = op == GN_OP_RANDOM ? 3 : info && !info->internal ? info->arity : 0;
    if (arity == 0 || op >= GN__OP_VARIABLE)
        return gn__build_fail(b, GN_E_ARGUMENT, "opcode %d is none for gn__emit", op);
    int values[3] = {a, b_, c};
    int type = check_operands(b, op, values, arity);
    if (type < 0)
        return 0;
    for (int i = arity; i < 3; i++)
        values[i] = 0;
    int result = info->rule == GN__RULE_COMPARE ? GN_BOOL : op == GN_OP_RANDOM ? GN_U32 : type;

    gn_scalar folded;
    if (arity <= 2 && gn__is_const(b, values[0]) && (arity < 2 || gn__is_const(b, values[1])) &&
        gn__fold(op, type, &b->entries[values[0]].constant, &b->entries[values[1]].constant,
                 &folded))
        return append_constant(b, result, folded);
    if (arity == 2)
        order_operands(b, info, values);
    int simple = gn__simplify(b, op, values[0], values[1], values[2]);
    if (simple >= 0 || b->failed)
        return b->failed ? 0 : simple;
    return append(b, op, result, values[0], values[1], values[2]);
}

/* ---- Parts and results */

int gn__reduce_value(gn__builder *b, int kind, int value, int payload) {
    bool arg = kind == GN_ARGMAX || kind == GN_ARGMIN;
    if (!check_value(b, value) || (arg && !check_value(b, payload)))
        return 0;
    if (kind < GN_SUM || kind > GN_ARGMIN)
        return gn__build_fail(b, GN_E_ARGUMENT, "there is no reduction %d", kind);
    if (arg && gn__type_of(b, payload) != GN_I64)
        return gn__build_fail(b, GN_E_ARGUMENT, "the payload of a reduction must be int64");
    int type = arg ? GN_I64 : gn__type_of(b, value);
    int reduced = append(b, GN_OP_REDUCE, type, value, arg ? payload : 0, kind);
    b->reduced = true;
    return reduced;
}

void gn__elements(gn__builder *b) {
    if (!b->failed && !b->reduced)
        gn__build_fail(b, GN_E_ARGUMENT, "an element part follows a reduction, and there is none");
    b->stage++;
    b->reduced = false;
}

void gn__store(gn__builder *b, int operand, int value) {
    if (!check_operand(b, operand, GN_WRITE) || !check_value(b, value))
        return;
    if (b->stored >> operand & 1) {
        gn__build_fail(b, GN_E_ARGUMENT, "operand %d is stored twice", operand);
        return;
    }
    int type = gn__compute_type(b->operands[operand].dtype);
    int converted = gn__cast(b, type, value);
    append(b, GN_OP_STORE, type, operand, converted, 0);
    b->stored |= 1u << operand;
}
