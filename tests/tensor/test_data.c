/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/tensor/data.c and host.c. */
#include <math.h>
#include <string.h>

#include "tensor/tensor.h"
#include "tests/expect.h"
#include "tests/suite.h"

START_TEST(test_item) {
    ck_assert_double_eq(gn_item(gn_full(GN_SHAPE(1, 1), 2.5, NULL)), 2.5);
    ck_assert_int_eq(gn_item_int(gn_full(GN_SHAPE(1), -2.5, NULL)), -2);
    ck_assert(gn_item_bool(gn_full(GN_SHAPE(), 0.5, NULL)) && !gn_item_bool(gn_zeros(1)));
    int64_t large = INT64_MAX;
    gn_tensor *x = gn_tensor_from(&large, GN_I64, GN_SHAPE(), NULL);
    ck_assert_int_eq(gn_item_int(x), INT64_MAX);
    ck_assert_int_eq(gn_item_int(gn_full(GN_SHAPE(), INFINITY, NULL)), INT64_MAX);
    gn_item(gn_zeros(2));
    expect_error(GN_E_ARGUMENT, "item: shape (2) has 2 elements, not one");
    ck_assert(!gn_item_bool(gn_ones(2)));
    expect_error(GN_E_ARGUMENT, "item_bool: shape (2) has 2 elements, not one");
    gn_item(NULL);
    expect_error(GN_E_ARGUMENT, "item: a tensor is NULL");
}
END_TEST

START_TEST(test_copy_out) {
    gn_tensor *x = gn_t(gn_view(gn_arange(0, 6, 1, NULL), 2, 3));
    float f[6];
    uint8_t u[6];
    ck_assert_int_eq(gn_copy_out(x, f, GN_F32, 6), GN_OK);
    ck_assert(f[0] == 0 && f[1] == 3 && f[2] == 1 && f[5] == 5);
    ck_assert_int_eq(gn_copy_out(gn_index(x, GN_AT(1)), u, GN_U8, 2), GN_OK);
    ck_assert(u[0] == 1 && u[1] == 4);
    ck_assert_int_eq(gn_copy_out(x, f, GN_F32, 5), GN_E_ARGUMENT);
    expect_error(GN_E_ARGUMENT, "copy_out: room for 5 elements, but shape (3, 2) has 6");
    gn_tensor *y = gn_zeros(2, 2);
    ck_assert_int_eq(gn_copy_in(gn_t(y), (int8_t[]){1, 2, 3, 4}, GN_I8, 4), GN_OK);
    EXPECT_VALUES(y, 0, 1, 3, 2, 4);
}
END_TEST

/* Where the host can see the memory, and where it can't. */
START_TEST(test_data) {
    gn_tensor *x = gn_view(gn_arange(0, 6, 1, GN_AS(.dtype = GN_F32)), 2, 3);
    gn_device_info info = {.struct_size = sizeof info};
    gn_device_describe(gn_default_device(), &info);
    float *data = gn_data(gn_select(x, 0, 1));
    if (info.flags & GN_DEVICE_HOST_VISIBLE) {
        ck_assert(data[0] == 3 && data[2] == 5);
    } else {
        ck_assert_ptr_null(data);
        ck_assert_int_eq(gn_error_status(), GN_E_UNSUPPORTED);
        gn_error_clear();
    }
}
END_TEST

/* Every pair of dtypes: the host converts as the device does. */
START_TEST(test_conversions) {
    static const double values[] = {0, 1, -1, 2.5, -2.5, 100.75, 1e-3, 65504, 3};
    enum { N = sizeof values / sizeof *values };
    for (int from = GN_BOOL; from < GN_N_DTYPES; from++)
        for (int to = GN_BOOL; to < GN_N_DTYPES; to++) {
            bool unsigned_to =
                to == GN_U8 || from == GN_U8; /* negative to unsigned: undefined in C */
            if (from == GN_U32 || to == GN_U32 || !has_dtype(from) || !has_dtype(to))
                continue;
            gn_scope scope = gn_scope_begin();
            double x[N];
            for (int i = 0; i < N; i++)
                x[i] = unsigned_to || to == GN_I8 || from == GN_I8 ? fabs(fmod(values[i], 100))
                                                                   : fmod(values[i], 30000);
            gn_tensor *t = gn_tensor_from(x, GN_F64, GN_SHAPE(N), GN_AS(.dtype = from));
            char raw[8 * N], host[8 * N], device[8 * N];
            ck_assert_int_eq(gn_copy_out(t, raw, (gn_dtype)from, N), GN_OK);
            gn__convert(host, to, raw, from, N);
            ck_assert_int_eq(gn_copy_out(gn_cast(t, (gn_dtype)to), device, (gn_dtype)to, N), GN_OK);
            ck_assert_msg(!memcmp(host, device, N * gn_dtype_bytes(to)), "%s to %s",
                          gn_dtype_name((gn_dtype)from), gn_dtype_name((gn_dtype)to));
            gn_scope_end(scope);
        }
}
END_TEST

/* float16 and bfloat16: all patterns come back, and halves are rounded to even. */
START_TEST(test_halves) {
    for (int dtype = GN_F16; dtype <= GN_BF16; dtype++)
        for (int i = 0; i < 65536; i++) {
            uint16_t bits = (uint16_t)i, back;
            gn_scalar value = gn__host_load(&bits, dtype);
            gn__host_store(&back, dtype, value);
            ck_assert(isnan(value.f) ? isnan(gn__host_load(&back, dtype).f) : back == bits);
        }
    static const struct {
        int dtype;
        double value;
        uint16_t bits;
    } rows[] = {
        {GN_F16, 65519, 0x7bff},       {GN_F16, 65520, 0x7c00},       {GN_F16, 0x1p-25, 0},
        {GN_F16, 0x1.8p-25, 1},        {GN_F16, 1 + 0x1p-11, 0x3c00}, {GN_F16, 1 + 0x3p-11, 0x3c02},
        {GN_F16, -0x1p-14, 0x8400},    {GN_F16, 0x1.ffep-15, 0x0400}, {GN_BF16, 1 + 0x1p-8, 0x3f80},
        {GN_BF16, 1 + 0x3p-8, 0x3f82}, {GN_BF16, 3.4e38, 0x7f80},     {GN_BF16, -0.0, 0x8000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint16_t bits;
        gn__host_store(&bits, rows[i].dtype, (gn_scalar){.f = rows[i].value});
        ck_assert_msg(bits == rows[i].bits, "row %zu: %04x", i, bits);
        if (!has_dtype(rows[i].dtype))
            continue;
        float value = (float)rows[i].value;
        gn_tensor *t =
            gn_cast(gn_tensor_from(&value, GN_F32, GN_SHAPE(), NULL), (gn_dtype)rows[i].dtype);
        gn_copy_out(t, &bits, (gn_dtype)rows[i].dtype, 1);
        ck_assert_msg(bits == rows[i].bits, "row %zu, device: %04x", i, bits);
    }
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_item,        test_copy_out, test_data,
                            test_conversions, test_halves,   NULL};
    return suite_run("data", tests);
}
