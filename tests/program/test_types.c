/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/program/types.c and of the table of opcodes. */
#include <math.h>
#include <string.h>

#include "program/opcodes.h"
#include "program/program.h"
#include "tests/suite.h"

enum { N = 10 };
static const int dtypes[N] = {GN_BOOL, GN_U8,  GN_I8,   GN_I16, GN_I32,
                              GN_I64,  GN_F16, GN_BF16, GN_F32, GN_F64};

/* torch.promote_types of PyTorch 2.15, rows and columns in the order of `dtypes`. */
static const int promoted[N][N] = {
    {GN_BOOL, GN_U8, GN_I8, GN_I16, GN_I32, GN_I64, GN_F16, GN_BF16, GN_F32, GN_F64},
    {GN_U8, GN_U8, GN_I16, GN_I16, GN_I32, GN_I64, GN_F16, GN_BF16, GN_F32, GN_F64},
    {GN_I8, GN_I16, GN_I8, GN_I16, GN_I32, GN_I64, GN_F16, GN_BF16, GN_F32, GN_F64},
    {GN_I16, GN_I16, GN_I16, GN_I16, GN_I32, GN_I64, GN_F16, GN_BF16, GN_F32, GN_F64},
    {GN_I32, GN_I32, GN_I32, GN_I32, GN_I32, GN_I64, GN_F16, GN_BF16, GN_F32, GN_F64},
    {GN_I64, GN_I64, GN_I64, GN_I64, GN_I64, GN_I64, GN_F16, GN_BF16, GN_F32, GN_F64},
    {GN_F16, GN_F16, GN_F16, GN_F16, GN_F16, GN_F16, GN_F16, GN_F32, GN_F32, GN_F64},
    {GN_BF16, GN_BF16, GN_BF16, GN_BF16, GN_BF16, GN_BF16, GN_F32, GN_BF16, GN_F32, GN_F64},
    {GN_F32, GN_F32, GN_F32, GN_F32, GN_F32, GN_F32, GN_F32, GN_F32, GN_F32, GN_F64},
    {GN_F64, GN_F64, GN_F64, GN_F64, GN_F64, GN_F64, GN_F64, GN_F64, GN_F64, GN_F64},
};

START_TEST(test_promote) {
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++)
            ck_assert_msg(gn__promote(dtypes[i], dtypes[k]) == promoted[i][k], "%d and %d",
                          dtypes[i], dtypes[k]);
}
END_TEST

/* u32 is inside programs only, but has its place. */
START_TEST(test_promote_u32) {
    ck_assert_int_eq(gn__promote(GN_U32, GN_U8), GN_U32);
    ck_assert_int_eq(gn__promote(GN_I32, GN_U32), GN_I64);
    ck_assert_int_eq(gn__promote(GN_U32, GN_F16), GN_F16);
    ck_assert_int_eq(gn__promote(GN_U32, GN_BOOL), GN_U32);
}
END_TEST

START_TEST(test_promote_is_a_join) {
    for (int a = GN_BOOL; a < GN_N_DTYPES; a++)
        for (int b = GN_BOOL; b < GN_N_DTYPES; b++) {
            ck_assert_int_eq(gn__promote(a, b), gn__promote(b, a));
            for (int c = GN_BOOL; c < GN_N_DTYPES; c++)
                ck_assert_int_eq(gn__promote(gn__promote(a, b), c),
                                 gn__promote(a, gn__promote(b, c)));
        }
}
END_TEST

START_TEST(test_compute_type) {
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(gn__compute_type(dtypes[i]),
                         dtypes[i] == GN_F16 || dtypes[i] == GN_BF16 ? GN_F32 : dtypes[i]);
}
END_TEST

/* The range of a type, and the bits of its precision. */
static void range(int type, double *low, double *high, int *bits) {
    static const int digits[GN_N_DTYPES] = {
        [GN_BOOL] = 1, [GN_U8] = 8,   [GN_I8] = 7,   [GN_I16] = 15, [GN_I32] = 31, [GN_I64] = 63,
        [GN_U32] = 32, [GN_F16] = 11, [GN_BF16] = 8, [GN_F32] = 24, [GN_F64] = 53};
    *bits = digits[type];
    if (gn_dtype_is_float(type)) {
        *high = type == GN_F16 ? 65504 : type == GN_F64 ? 1e308 : 3e38;
        *low = -*high;
    } else {
        *high = ldexp(1, *bits) - 1;
        *low = type == GN_BOOL || type == GN_U8 || type == GN_U32 ? 0 : -*high - 1;
    }
}

START_TEST(test_contains) {
    for (int a = GN_BOOL; a < GN_N_DTYPES; a++)
        for (int b = GN_BOOL; b < GN_N_DTYPES; b++) {
            double low[2], high[2];
            int bits[2];
            range(a, &low[0], &high[0], &bits[0]);
            range(b, &low[1], &high[1], &bits[1]);
            bool fits = low[0] >= low[1] && high[0] <= high[1] && bits[0] <= bits[1] &&
                        (gn_dtype_is_float(b) || !gn_dtype_is_float(a));
            if (gn__type_contains(b, a)) /* it may know less: the 16-bit floats as targets */
                ck_assert_msg(fits, "%d in %d", a, b);
            else if (b != GN_F16 && b != GN_BF16)
                ck_assert_msg(!fits, "%d in %d", a, b);
        }
}
END_TEST

START_TEST(test_opcodes_match_the_header) {
    static const struct {
        const char *name;
        int value, arity;
    } opcodes[] = {
#define X(name, value, arity, ulp, meaning) {#name, value, arity},
        GN_OPCODES(X)
#undef X
    };
    for (size_t i = 0; i < GN_LENGTH(opcodes); i++) {
        const gn__op *info = gn__op_info(opcodes[i].value);
        ck_assert_msg(info != NULL, "%s has no row", opcodes[i].name);
        char name[32] = "";
        for (int k = 0; opcodes[i].name[k]; k++)
            name[k] = (char)(opcodes[i].name[k] | 0x20);
        for (int k = 0; name[k]; k++) /* digits stay */
            if (opcodes[i].name[k] < 'A')
                name[k] = opcodes[i].name[k];
        ck_assert_str_eq(info->name, name);
        if (!info->internal) {
            ck_assert_int_eq(info->arity, opcodes[i].arity);
            ck_assert_int_eq(gn__op_find(name, strlen(name)), opcodes[i].value);
            ck_assert_int_ne(info->types, 0);
        } else {
            ck_assert_int_eq(gn__op_find(name, strlen(name)), -1);
        }
    }
    ck_assert_ptr_null(gn__op_info(GN__N_OPS));
    ck_assert_ptr_null(gn__op_info(-1));
    ck_assert_ptr_null(gn__op_info(100));
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_promote,
                            test_promote_u32,
                            test_promote_is_a_join,
                            test_compute_type,
                            test_contains,
                            test_opcodes_match_the_header,
                            NULL};
    return suite_run("types", tests);
}
