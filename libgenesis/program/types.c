/* SPDX-License-Identifier: Apache-2.0 */
/*
 * types.c - promotion of dtypes (PyTorch's torch.promote_types), and which types contain which.
 */
#include "opcodes.h"
#include "program.h"

static bool is_unsigned(int dtype) { return dtype == GN_U8 || dtype == GN_U32; }

/* Of two different integers. The signed ones are numbered by their width. */
static int promote_integers(int a, int b) {
    if (is_unsigned(a) && is_unsigned(b))
        return GN_U32;
    if (!is_unsigned(a) && !is_unsigned(b))
        return a > b ? a : b;
    int u = is_unsigned(a) ? a : b, s = is_unsigned(a) ? b : a;
    int wider = u == GN_U8 ? GN_I16 : GN_I64; /* the smallest signed one that contains u */
    return s > wider ? s : wider;
}

int gn__promote(int a, int b) {
    if (a == b)
        return a;
    bool a_floats = gn_dtype_is_float(a), b_floats = gn_dtype_is_float(b);
    if (a_floats && b_floats) /* numbered by width, but neither 16-bit type contains the other */
        return a <= GN_BF16 && b <= GN_BF16 ? GN_F32 : a > b ? a : b;
    if (a_floats || b == GN_BOOL)
        return a;
    if (b_floats || a == GN_BOOL)
        return b;
    return promote_integers(a, b);
}

bool gn__type_contains(int b, int a) {
    static const uint16_t contained[GN_N_DTYPES] = {
        [GN_BOOL] = 0,
        [GN_U8] = 1 << GN_BOOL,
        [GN_I8] = 1 << GN_BOOL,
        [GN_I16] = 1 << GN_BOOL | 1 << GN_U8 | 1 << GN_I8,
        [GN_I32] = 1 << GN_BOOL | 1 << GN_U8 | 1 << GN_I8 | 1 << GN_I16,
        [GN_I64] = 1 << GN_BOOL | 1 << GN_U8 | 1 << GN_I8 | 1 << GN_I16 | 1 << GN_I32 | 1 << GN_U32,
        [GN_U32] = 1 << GN_BOOL | 1 << GN_U8,
        [GN_F32] =
            1 << GN_BOOL | 1 << GN_U8 | 1 << GN_I8 | 1 << GN_I16 | 1 << GN_F16 | 1 << GN_BF16,
        [GN_F64] = 1 << GN_BOOL | 1 << GN_U8 | 1 << GN_I8 | 1 << GN_I16 | 1 << GN_I32 |
                   1 << GN_U32 | 1 << GN_F16 | 1 << GN_BF16 | 1 << GN_F32,
    };
    return a == b || (contained[b] >> a & 1);
}
