/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opcodes.c - the table of opcodes. A new one gets its row here, its value for constants in fold.c,
 * and its identities, if any, in simplify.c.
 */
#include <string.h>

#include "opcodes.h"

enum {
    FLOATS = 1 << GN_F32 | 1 << GN_F64,
    INTEGERS = 1 << GN_U8 | 1 << GN_I8 | 1 << GN_I16 | 1 << GN_I32 | 1 << GN_I64 | 1 << GN_U32,
    NUMBERS = FLOATS | INTEGERS,
    BITS = INTEGERS | 1 << GN_BOOL,
    ALL = NUMBERS | 1 << GN_BOOL
};

/*
 * Derivatives follow PyTorch's formulas, also where they are not unique: min and max split ties in
 * half and pass the whole gradient to both where one is NaN, abs has 0 at 0. Those that can be told
 * by the result y are: y is at hand when the gradient is computed, and need not be computed again.
 */
static const gn__op table[GN__N_OPS] = {
    /* structure */
    [GN_OP_LOAD] = {"load", .internal = true},
    [GN_OP_LOADX] = {"loadx", .internal = true},
    [GN_OP_CONST] = {"const", .internal = true},
    [GN_OP_PARAM] = {"param", .internal = true},
    [GN_OP_STORE] = {"store", .internal = true},
    [GN_OP_REDUCE] = {"reduce", .internal = true},
    [GN_OP_ELEMENTS] = {"elements", .internal = true},
    [GN_OP_CAST] = {"cast", .internal = true},
    [GN_OP_ROUND] = {"round", .internal = true, .types = 1 << GN_F32},
    [GN_OP_RANDOM] = {"random", .internal = true, .types = 1 << GN_I64},

    /* arithmetic */
    [GN_OP_ADD] = {"add", 2, .commutative = true, .types = ALL, .derivative = {"g", "g"}},
    [GN_OP_SUB] = {"sub", 2, .types = NUMBERS, .derivative = {"g", "-g"}},
    [GN_OP_MUL] = {"mul", 2, .commutative = true, .types = ALL, .derivative = {"g * b", "g * a"}},
    [GN_OP_DIV] = {"div", 2, .types = NUMBERS, .derivative = {"g / b", "-g * (y / b)"}},
    [GN_OP_FLOORDIV] = {"floordiv", 2, .types = NUMBERS},
    [GN_OP_FMOD] = {"fmod", 2, .types = NUMBERS, .derivative = {"g", "-g * trunc(a / b)"}},
    [GN_OP_REMAINDER] = {"remainder", 2, .types = NUMBERS,
                         .derivative = {"g", "-g * floor(a / b)"}},
    [GN_OP_POW] = {"pow", 2, .types = NUMBERS,
                   .derivative = {"b == 0 ? 0 : g * (b * a ** (b - 1))",
                                  "a == 0 && b >= 0 ? 0 : g * (y * log(a))"}},
    [GN_OP_MIN] = {"min", 2, .commutative = true, .types = ALL,
                   .derivative = {"a > b ? 0 : (a == b ? g * 0.5 : g)",
                                  "a < b ? 0 : (a == b ? g * 0.5 : g)"}},
    [GN_OP_MAX] = {"max", 2, .commutative = true, .types = ALL,
                   .derivative = {"a < b ? 0 : (a == b ? g * 0.5 : g)",
                                  "a > b ? 0 : (a == b ? g * 0.5 : g)"}},
    [GN_OP_ATAN2] = {"atan2", 2, GN__RULE_FLOAT, .types = FLOATS,
                     .derivative = {"g * (b / (a * a + b * b))", "-g * (a / (a * a + b * b))"}},
    [GN_OP_NEG] = {"neg", 1, .types = NUMBERS, .derivative = {"-g"}},
    [GN_OP_ABS] = {"abs", 1, .types = NUMBERS, .derivative = {"g * sign(a)"}},
    [GN_OP_SIGN] = {"sign", 1, .types = ALL},
    [GN_OP_SQRT] = {"sqrt", 1, GN__RULE_FLOAT, .types = FLOATS, .derivative = {"g / (2 * y)"}},
    [GN_OP_RSQRT] = {"rsqrt", 1, GN__RULE_FLOAT, .types = FLOATS,
                     .derivative = {"g * (y * y * y) * -0.5"}},
    [GN_OP_FLOOR] = {"floor", 1, .types = NUMBERS},
    [GN_OP_CEIL] = {"ceil", 1, .types = NUMBERS},
    [GN_OP_TRUNC] = {"trunc", 1, .types = NUMBERS},
    [GN_OP_RINT] = {"rint", 1, .types = NUMBERS},

    /* transcendental */
    [GN_OP_EXP] = {"exp", 1, GN__RULE_FLOAT, .types = FLOATS, .derivative = {"g * y"}},
    [GN_OP_EXP2] = {"exp2", 1, GN__RULE_FLOAT, .types = FLOATS,
                    .derivative = {"g * (y * 0.69314718055994530942)"}},
    [GN_OP_EXPM1] = {"expm1", 1, GN__RULE_FLOAT, .types = FLOATS, .derivative = {"g * (y + 1)"}},
    [GN_OP_LOG] = {"log", 1, GN__RULE_FLOAT, .types = FLOATS, .derivative = {"g / a"}},
    [GN_OP_LOG2] = {"log2", 1, GN__RULE_FLOAT, .types = FLOATS,
                    .derivative = {"g / (a * 0.69314718055994530942)"}},
    [GN_OP_LOG10] = {"log10", 1, GN__RULE_FLOAT, .types = FLOATS,
                     .derivative = {"g / (a * 2.3025850929940456840)"}},
    [GN_OP_LOG1P] = {"log1p", 1, GN__RULE_FLOAT, .types = FLOATS, .derivative = {"g / (a + 1)"}},
    [GN_OP_SIN] = {"sin", 1, GN__RULE_FLOAT, .types = FLOATS, .derivative = {"g * cos(a)"}},
    [GN_OP_COS] = {"cos", 1, GN__RULE_FLOAT, .types = FLOATS, .derivative = {"-g * sin(a)"}},
    [GN_OP_TAN] = {"tan", 1, GN__RULE_FLOAT, .types = FLOATS, .derivative = {"g * (1 + y * y)"}},
    [GN_OP_ASIN] = {"asin", 1, GN__RULE_FLOAT, .types = FLOATS,
                    .derivative = {"g * rsqrt((1 - a) * (1 + a))"}},
    [GN_OP_ACOS] = {"acos", 1, GN__RULE_FLOAT, .types = FLOATS,
                    .derivative = {"-g * rsqrt((1 - a) * (1 + a))"}},
    [GN_OP_ATAN] = {"atan", 1, GN__RULE_FLOAT, .types = FLOATS, .derivative = {"g / (1 + a * a)"}},
    [GN_OP_SINH] = {"sinh", 1, GN__RULE_FLOAT, .types = FLOATS, .derivative = {"g * cosh(a)"}},
    [GN_OP_COSH] = {"cosh", 1, GN__RULE_FLOAT, .types = FLOATS, .derivative = {"g * sinh(a)"}},
    [GN_OP_TANH] = {"tanh", 1, GN__RULE_FLOAT, .types = FLOATS, .derivative = {"g * (1 - y * y)"}},
    [GN_OP_ASINH] = {"asinh", 1, GN__RULE_FLOAT, .types = FLOATS,
                     .derivative = {"g * rsqrt(a * a + 1)"}},
    [GN_OP_ACOSH] = {"acosh", 1, GN__RULE_FLOAT, .types = FLOATS,
                     .derivative = {"g * rsqrt((a - 1) * (a + 1))"}},
    [GN_OP_ATANH] = {"atanh", 1, GN__RULE_FLOAT, .types = FLOATS,
                     .derivative = {"g / ((1 - a) * (1 + a))"}},
    [GN_OP_ERF] =
        {"erf", 1, GN__RULE_FLOAT, .types = FLOATS,
         .derivative = {"g * (exp(-(a * a)) * 1.1283791670955125739)"}}, /* 2 / sqrt(pi) */
    [GN_OP_ERFC] = {"erfc", 1, GN__RULE_FLOAT, .types = FLOATS,
                    .derivative = {"g * (exp(-(a * a)) * -1.1283791670955125739)"}},
    [GN_OP_LGAMMA] = {"lgamma", 1, GN__RULE_FLOAT, .types = FLOATS,
                      .derivative = {"g * digamma(a)"}},
    [GN_OP_DIGAMMA] = {"digamma", 1, GN__RULE_FLOAT, .types = FLOATS,
                       .derivative = {GN__NOT_DERIVABLE}},

    /* comparison and logic */
    [GN_OP_EQ] = {"eq", 2, GN__RULE_COMPARE, .commutative = true, .types = ALL},
    [GN_OP_NE] = {"ne", 2, GN__RULE_COMPARE, .commutative = true, .types = ALL},
    [GN_OP_LT] = {"lt", 2, GN__RULE_COMPARE, .types = ALL},
    [GN_OP_LE] = {"le", 2, GN__RULE_COMPARE, .types = ALL},
    [GN_OP_ISNAN] = {"isnan", 1, GN__RULE_COMPARE, .types = ALL},
    [GN_OP_ISINF] = {"isinf", 1, GN__RULE_COMPARE, .types = ALL},
    [GN_OP_AND] = {"and", 2, GN__RULE_BITS, .commutative = true, .types = BITS},
    [GN_OP_OR] = {"or", 2, GN__RULE_BITS, .commutative = true, .types = BITS},
    [GN_OP_XOR] = {"xor", 2, GN__RULE_BITS, .commutative = true, .types = BITS},
    [GN_OP_NOT] = {"not", 1, GN__RULE_BITS, .types = BITS},
    [GN_OP_SHL] = {"shl", 2, GN__RULE_BITS, .types = INTEGERS},
    [GN_OP_SHR] = {"shr", 2, GN__RULE_BITS, .types = INTEGERS},
    [GN_OP_SELECT] = {"select", 3, GN__RULE_SELECT, .types = ALL,
                      .derivative = {NULL, "a ? g : 0", "a ? 0 : g"}},

    /* operations of expressions */
    [GN__OP_VARIABLE] = {"variable", .internal = true},
    [GN__OP_TRUEDIV] = {"/", 2, GN__RULE_FLOAT, .internal = true,
                        .derivative = {"g / b", "-g * (y / b)"}},
    [GN__OP_SIGMOID] = {"sigmoid", 1, GN__RULE_FLOAT, .derivative = {"g * y * (1 - y)"}},
    [GN__OP_SOFTPLUS] = {"softplus", 1, GN__RULE_FLOAT, .derivative = {"g * sigmoid(a)"}},
    [GN__OP_BOTH] = {"&&", 2, GN__RULE_LOGIC, .internal = true},
    [GN__OP_EITHER] = {"||", 2, GN__RULE_LOGIC, .internal = true},
    [GN__OP_NEITHER] = {"!", 1, GN__RULE_LOGIC, .internal = true},
    [GN__OP_BOOL] = {"bool", 1, .rule = GN__RULE_LOGIC},
    [GN__OP_INT] = {"int", 1, .rule = GN__RULE_INT},
    [GN__OP_FLOAT] = {"float", 1, GN__RULE_FLOAT, .derivative = {"g"}},
};

const gn__op *gn__op_info(int op) {
    return op >= 0 && op < GN__N_OPS && table[op].name ? &table[op] : NULL;
}

int gn__op_find(const char *name, size_t length) {
    for (int op = 0; op < GN__N_OPS; op++)
        if (table[op].name && !table[op].internal && strlen(table[op].name) == length &&
            memcmp(table[op].name, name, length) == 0)
            return op;
    return -1;
}

int gn__value_slots(const gn_insn *insn) {
    switch (insn->op) {
    case GN_OP_LOAD:
    case GN_OP_CONST:
    case GN_OP_PARAM:
    case GN_OP_ELEMENTS: return 0;
    case GN_OP_LOADX:
    case GN_OP_STORE: return 2;
    case GN_OP_CAST:
    case GN_OP_ROUND: return 1;
    case GN_OP_REDUCE: return insn->c == GN_ARGMAX || insn->c == GN_ARGMIN ? 3 : 1;
    case GN_OP_RANDOM: return 7;
    default: return (1 << table[insn->op].arity) - 1;
    }
}
