/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/data/image_transform.c. */
#include <genesis/image.h>
#include <genesis/shape_ops.h>

#include "tests/expect.h"
#include "tests/suite.h"

/* (1, 4, 5) */
static const float values[] = {1, 2, 4, 8, 16, 3, 5, 7, 9, 11, 0, 1, 0, 1, 0, 10, 20, 30, 40, 50};

static gn_tensor *sample(gn_dtype dtype) {
    const gn_tensor_options options = {.struct_size = sizeof options, .dtype = dtype};
    return gn_tensor_from(values, GN_F32, GN_SHAPE(1, 4, 5), &options);
}

/* torch.nn.functional.interpolate(x, size, mode="bilinear", antialias=True); sums of a few products
 * of floats: 1e-6. uint8 are these, rounded. */
START_TEST(test_resize) {
    EXPECT_VALUES(gn_image_resize(sample(GN_F32), 2, 3), 1e-6, 2.326531, 4.968255, 9.795918,
                  6.857143, 14.04762, 21.22449);
    EXPECT_VALUES(gn_image_resize(sample(GN_F32), 5, 7), 1e-6, 1, 1.571429, 2.571429, 4, 6.857143,
                  11.42857, 16, 2.4, 3.371429, 4.671429, 6.1, 7.957143, 10.32857, 12.5, 1.5,
                  2.357143, 3.142857, 3.5, 4.571429, 5.214285, 5.5, 3, 5.114285, 7.357142, 8.999998,
                  11.64286, 13.68571, 15, 10, 15.71428, 22.85714, 30, 37.14286, 44.28571, 50);
    EXPECT_VALUES(gn_image_resize(sample(GN_U8), 4, 2), 0, 2, 9, 5, 9, 0, 0, 20, 40);
    gn_tensor *same = gn_image_resize(sample(GN_F32), 4, 5);
    expect_close("same size", same, sample(GN_F32));
    gn_image_resize(sample(GN_F32), 0, 5);
    expect_error_with(GN_E_ARGUMENT, "to 0 x 5");
    gn_image_resize(sample(GN_I64), 2, 2);
    expect_error_with(GN_E_ARGUMENT, "not int64");
    gn_image_resize(gn_zeros(4, 5), 2, 2);
    expect_error_with(GN_E_ARGUMENT, "an image (C, H, W) is needed, not (4, 5)");
}
END_TEST

START_TEST(test_normalize) {
    const double mean[] = {2}, std[] = {0.5};
    gn_tensor *y = gn_image_normalize(gn_narrow(sample(GN_F32), 1, 0, 1), mean, std);
    EXPECT_VALUES(y, 1e-6, -2, 0, 4, 12, 28);
    const double half[] = {0.5};
    gn_tensor *bytes = gn_tensor_of(((uint8_t[]){0, 51, 255}), 1, 1, 3);
    EXPECT_VALUES(gn_image_normalize(bytes, half, half), 1e-6, -1, -0.6, 1);
    EXPECT_VALUES(gn_image_to_float(bytes), 1e-7, 0, 0.2, 1);
    gn_image_normalize(bytes, half, (double[]){0});
    expect_error_with(GN_E_ARGUMENT, "the std of channel 0 is 0");
    gn_image_normalize(bytes, NULL, half);
    expect_error_with(GN_E_ARGUMENT, "NULL");
}
END_TEST

START_TEST(test_center_crop) {
    EXPECT_VALUES(gn_image_center_crop(sample(GN_U8), 2, 3), 0, 5, 7, 9, 1, 0, 1);
    EXPECT_VALUES(gn_image_center_crop(gn_image_center_crop(sample(GN_F32), 1, 1), 3, 3), 0, 0, 0,
                  0, 0, 7, 0, 0, 0, 0);
    gn_image_center_crop(sample(GN_F32), -1, 3);
    expect_error_with(GN_E_ARGUMENT, "at least 1");
}
END_TEST

/* Every place comes, and each is a part of the padded image. */
START_TEST(test_random_crop) {
    gn_tensor *padded = gn_pad(sample(GN_F32), GN_SHAPE(0, 1, 1), GN_SHAPE(0, 1, 1), 0);
    float all[6 * 7], part[4 * 5];
    int seen[3][3] = {{0}};
    ck_assert_int_eq(gn_copy_out(padded, all, GN_F32, 42), GN_OK);
    gn_generator *generator = gn_generator_new(1);
    for (int i = 0; i < 200; i++) {
        gn_scope scope = gn_scope_begin();
        gn_copy_out(gn_image_random_crop(sample(GN_F32), 4, 5, 1, generator), part, GN_F32, 20);
        int found = 0;
        for (int at = 0; at < 9; at++) {
            int wrong = 0;
            for (int k = 0; k < 20; k++)
                wrong += part[k] != all[(at / 3 + k / 5) * 7 + at % 3 + k % 5];
            found += !wrong;
            seen[at / 3][at % 3] += !wrong;
        }
        ck_assert_int_eq(found, 1);
        ck_assert_int_eq(gn_scope_end(scope), GN_OK);
    }
    for (int at = 0; at < 9; at++) /* 22, standard deviation 4.4 */
        ck_assert_int_gt(seen[at / 3][at % 3], 4);
    gn_image_random_crop(sample(GN_F32), 7, 5, 1, generator);
    expect_error_with(GN_E_ARGUMENT, "7 x 5 of an image (1, 4, 5) with padding 1");
}
END_TEST

START_TEST(test_random_flip) {
    gn_tensor *row = gn_narrow(sample(GN_U8), 1, 0, 1);
    EXPECT_VALUES(gn_image_random_horizontal_flip(row, 1, NULL), 0, 16, 8, 4, 2, 1);
    EXPECT_VALUES(gn_image_random_horizontal_flip(row, 0, NULL), 0, 1, 2, 4, 8, 16);
    gn_generator *generator = gn_generator_new(2);
    int flipped = 0;
    for (int i = 0; i < 100; i++)
        flipped += gn_image_random_horizontal_flip(row, 0.5, generator) != row;
    ck_assert(flipped > 25 && flipped < 75); /* 50, standard deviation 5 */
    ck_assert_ptr_null(gn_image_random_horizontal_flip(NULL, 0.5, NULL));
    gn_error_clear();
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_resize,      test_normalize,   test_center_crop,
                            test_random_crop, test_random_flip, NULL};
    return suite_run("image_transform", tests);
}
