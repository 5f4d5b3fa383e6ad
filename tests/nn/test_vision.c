/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/padding.c and resample.c, and of the functions of vision.h. */
#include <math.h>
#include <stdlib.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/nn/module_case.h"
#include "tests/suite.h"

#define SAMPLE(name, ...)                                                                          \
    static void name(gn_module *m, gn_tensor *const *in, gn_tensor **out) {                        \
        (void)m;                                                                                   \
        out[0] = gn_grid_sample(in[0], in[1], __VA_ARGS__);                                        \
    }
#define SAMPLES(kind, MODE)                                                                        \
    SAMPLE(kind##_zeros, .mode = MODE)                                                             \
    SAMPLE(kind##_border, .mode = MODE, .padding_mode = GN_GRID_BORDER)                            \
    SAMPLE(kind##_reflection, .mode = MODE, .padding_mode = GN_GRID_REFLECTION)
#define SAMPLES_CORNERS(kind, MODE)                                                                \
    SAMPLE(kind##_zeros_corners, .mode = MODE, .align_corners = true)                              \
    SAMPLE(kind##_border_corners, .mode = MODE, .padding_mode = GN_GRID_BORDER,                    \
           .align_corners = true)                                                                  \
    SAMPLE(kind##_reflection_corners, .mode = MODE, .padding_mode = GN_GRID_REFLECTION,            \
           .align_corners = true)
SAMPLES(bilinear, GN_GRID_BILINEAR)
SAMPLES(bicubic, GN_GRID_BICUBIC)
SAMPLES(nearest, GN_GRID_NEAREST)
SAMPLES_CORNERS(bilinear, GN_GRID_BILINEAR)
SAMPLES_CORNERS(bicubic, GN_GRID_BICUBIC)
SAMPLE(nearest_border_corners, .mode = GN_GRID_NEAREST, .padding_mode = GN_GRID_BORDER,
       .align_corners = true)

#define AFFINE(name, size, corners)                                                                \
    static void name(gn_module *m, gn_tensor *const *in, gn_tensor **out) {                        \
        (void)m;                                                                                   \
        out[0] = gn_affine_grid(in[0], size, corners);                                             \
    }
AFFINE(affine_2d, GN_SHAPE(2, 1, 3, 4), false)
AFFINE(affine_2d_corners, GN_SHAPE(2, 1, 1, 4), true)
AFFINE(affine_3d, GN_SHAPE(2, 1, 2, 3, 2), false)

#define RESIZED(CASE, suffix, ...)                                                                 \
    CASE(nearest1d_##suffix, gn_nn_upsample(__VA_ARGS__))                                          \
    CASE(exact1d_##suffix, gn_nn_upsample(__VA_ARGS__, .mode = GN_INTERPOLATE_NEAREST_EXACT))      \
    CASE(linear1d_##suffix, gn_nn_upsample(__VA_ARGS__, .mode = GN_INTERPOLATE_LINEAR))
#define SMOOTH(CASE, name, MODE)                                                                   \
    CASE(name##_antialias_down,                                                                    \
         gn_nn_upsample(.size = GN_SHAPE(3, 2), .mode = MODE, .antialias = true))                  \
    CASE(name##_antialias_mixed,                                                                   \
         gn_nn_upsample(.scale_factors = {0.4, 1.6}, .mode = MODE, .antialias = true))
#define SAMPLED(CASE, name) CASE(name, gn_nn_identity(), .run = name)

#define CASES(CASE)                                                                                \
    CASE(zero1d, gn_nn_zero_pad1d(1, 2))                                                           \
    CASE(zero2d, gn_nn_zero_pad2d(1, -1, 2, 0))                                                    \
    CASE(zero3d, gn_nn_zero_pad3d(1))                                                              \
    CASE(constant1d, gn_nn_constant_pad1d(GN_SHAPE(1), 3.5))                                       \
    CASE(constant2d, gn_nn_constant_pad2d(GN_SHAPE(1, 0, 2, 3), -1.5))                             \
    CASE(constant3d, gn_nn_constant_pad3d(GN_SHAPE(1, 0, 2, 3, 0, 1), 7))                          \
    CASE(reflection1d, gn_nn_reflection_pad1d(2, 3))                                               \
    CASE(reflection2d, gn_nn_reflection_pad2d(4, -2, -1, 2))                                       \
    CASE(reflection3d, gn_nn_reflection_pad3d(1))                                                  \
    CASE(replication1d, gn_nn_replication_pad1d(2, 6))                                             \
    CASE(replication2d, gn_nn_replication_pad2d(3, -1, 0, 2))                                      \
    CASE(replication3d, gn_nn_replication_pad3d(1, 0, 2, 3, 0, 1))                                 \
    CASE(circular1d, gn_nn_circular_pad1d(4, 3))                                                   \
    CASE(circular2d, gn_nn_circular_pad2d(3, -1, -1, 2))                                           \
    CASE(circular3d, gn_nn_circular_pad3d(1))                                                      \
    CASE(pixel_shuffle, gn_nn_pixel_shuffle(2))                                                    \
    CASE(pixel_shuffle_unbatched, gn_nn_pixel_shuffle(3))                                          \
    CASE(pixel_unshuffle, gn_nn_pixel_unshuffle(2))                                                \
    CASE(channel_shuffle, gn_nn_channel_shuffle(3))                                                \
    RESIZED(CASE, up, .size = GN_SHAPE(7))                                                         \
    RESIZED(CASE, down, .size = GN_SHAPE(3))                                                       \
    RESIZED(CASE, scale, .scale_factor = 1.7)                                                      \
    CASE(linear1d_corners, gn_nn_upsample(.size = GN_SHAPE(8), .mode = GN_INTERPOLATE_LINEAR,      \
                                          .align_corners = true))                                  \
    CASE(linear1d_one, gn_nn_upsample(.size = GN_SHAPE(1), .mode = GN_INTERPOLATE_LINEAR,          \
                                      .align_corners = true))                                      \
    CASE(linear1d_same, gn_nn_upsample(.scale_factor = 1, .mode = GN_INTERPOLATE_LINEAR))          \
    CASE(linear1d_recompute, gn_nn_upsample(.scale_factor = 1.7, .mode = GN_INTERPOLATE_LINEAR,    \
                                            .recompute_scale_factor = true))                       \
    CASE(nearest2d, gn_nn_upsample(.scale_factor = 2))                                             \
    CASE(nearest3d, gn_nn_upsample(.scale_factors = {2, 1, 1.5}))                                  \
    CASE(bilinear, gn_nn_upsample(.scale_factors = {2, 1.5}, .mode = GN_INTERPOLATE_BILINEAR))     \
    CASE(bilinear_corners, gn_nn_upsample(.size = GN_SHAPE(5, 3), .mode = GN_INTERPOLATE_BILINEAR, \
                                          .align_corners = true))                                  \
    CASE(bicubic, gn_nn_upsample(.size = GN_SHAPE(5, 6), .mode = GN_INTERPOLATE_BICUBIC))          \
    CASE(bicubic_corners, gn_nn_upsample(.size = GN_SHAPE(2, 7), .mode = GN_INTERPOLATE_BICUBIC,   \
                                         .align_corners = true))                                   \
    CASE(trilinear, gn_nn_upsample(.scale_factor = 2, .mode = GN_INTERPOLATE_TRILINEAR))           \
    CASE(area, gn_nn_upsample(.size = GN_SHAPE(2, 3), .mode = GN_INTERPOLATE_AREA))                \
    CASE(area_scale, gn_nn_upsample(.scale_factor = 0.6, .mode = GN_INTERPOLATE_AREA))             \
    SMOOTH(CASE, bilinear, GN_INTERPOLATE_BILINEAR)                                                \
    SMOOTH(CASE, bicubic, GN_INTERPOLATE_BICUBIC)                                                  \
    CASE(bilinear_antialias_corners,                                                               \
         gn_nn_upsample(.size = GN_SHAPE(3, 4), .mode = GN_INTERPOLATE_BILINEAR,                   \
                        .antialias = true, .align_corners = true))                                 \
    SAMPLED(CASE, bilinear_zeros)                                                                  \
    SAMPLED(CASE, bilinear_border)                                                                 \
    SAMPLED(CASE, bilinear_reflection)                                                             \
    SAMPLED(CASE, bilinear_zeros_corners)                                                          \
    SAMPLED(CASE, bilinear_border_corners)                                                         \
    SAMPLED(CASE, bilinear_reflection_corners)                                                     \
    SAMPLED(CASE, bicubic_zeros)                                                                   \
    SAMPLED(CASE, bicubic_border)                                                                  \
    SAMPLED(CASE, bicubic_reflection)                                                              \
    SAMPLED(CASE, bicubic_zeros_corners)                                                           \
    SAMPLED(CASE, bicubic_border_corners)                                                          \
    SAMPLED(CASE, bicubic_reflection_corners)                                                      \
    SAMPLED(CASE, nearest_zeros)                                                                   \
    SAMPLED(CASE, nearest_border)                                                                  \
    SAMPLED(CASE, nearest_reflection)                                                              \
    CASE(volume, gn_nn_identity(), .run = bilinear_zeros)                                          \
    CASE(volume_nearest, gn_nn_identity(), .run = nearest_border_corners)                          \
    CASE(one_element, gn_nn_identity(), .run = bilinear_reflection_corners)                        \
    CASE(affine, gn_nn_identity(), .run = affine_2d)                                               \
    CASE(affine_corners, gn_nn_identity(), .run = affine_2d_corners)                               \
    CASE(affine_volume, gn_nn_identity(), .run = affine_3d)
MODULE_CASES(vision_cases, CASES)

START_TEST(test_like_pytorch) {
    module_cases("vision", vision_cases, sizeof vision_cases / sizeof *vision_cases);
}
END_TEST

START_TEST(test_text) {
    const module_text cases[] = {
        {gn_nn_zero_pad1d(1), "ZeroPad1d((1, 1))"},
        {gn_nn_constant_pad2d(GN_SHAPE(1, 2, 3, 4), 3.5),
         "ConstantPad2d(padding=(1, 2, 3, 4), value=3.5)"},
        {gn_nn_reflection_pad3d(1), "ReflectionPad3d((1, 1, 1, 1, 1, 1))"},
        {gn_nn_upsample(.scale_factor = 2), "Upsample(scale_factor=2.0, mode='nearest')"},
        {gn_nn_upsample(.scale_factors = {2, 1.5}, .mode = GN_INTERPOLATE_BILINEAR),
         "Upsample(scale_factor=(2.0, 1.5), mode='bilinear')"},
        {gn_nn_upsample(.size = GN_SHAPE(3, 4), .mode = GN_INTERPOLATE_BICUBIC),
         "Upsample(size=(3, 4), mode='bicubic')"},
        {gn_nn_upsample(.size = GN_SHAPE(3), .mode = GN_INTERPOLATE_NEAREST_EXACT),
         "Upsample(size=3, mode='nearest-exact')"},
        {gn_nn_pixel_shuffle(2), "PixelShuffle(upscale_factor=2)"},
        {gn_nn_pixel_unshuffle(2), "PixelUnshuffle(downscale_factor=2)"},
        {gn_nn_channel_shuffle(2), "ChannelShuffle(groups=2)"},
    };
    module_texts(cases, sizeof cases / sizeof *cases);
}
END_TEST

static void expect_no_padding(gn_module *module, gn_tensor *x, const char *text) {
    ck_assert_ptr_null(gn_forward(module, x));
    expect_error_with(GN_E_ARGUMENT, text);
}

START_TEST(test_errors_of_padding) {
    gn_tensor *x = gn_zeros(1, 2, 3, 4);
    expect_no_padding(gn_nn_reflection_pad2d(4), x, "padding 4 of dim 2 of input (1, 2, 3, 4)");
    expect_no_padding(gn_nn_circular_pad2d(5, 0, 0, 0), x, "this padding mode takes at most 4");
    expect_no_padding(gn_nn_replication_pad1d(1), gn_zeros(2, 0), "takes at most 0");
    expect_no_padding(gn_nn_replication_pad1d(-3, -2), x, "less than 5 elements");
    expect_no_padding(gn_nn_zero_pad2d(-3), x, "no size below 0");
    expect_no_padding(gn_nn_zero_pad3d(1), gn_zeros(2, 3), "must have at least 3 dims");
    ck_assert_ptr_null(gn_nn_zero_pad2d(1, 2));
    expect_error_with(GN_E_ARGUMENT, "ZeroPad2d: takes 1 or 4 numbers, not 2");
    ck_assert_ptr_null(gn_nn_circular_pad1d(INT64_MIN));
    expect_error_with(GN_E_ARGUMENT, "is too much");
    ck_assert_ptr_null(gn_pad_mode(x, GN_SHAPE(1), GN_SHAPE(1), GN_PAD_REFLECT));
    expect_error_with(GN_E_ARGUMENT, "one per dim");
    ck_assert_ptr_null(gn_pad_mode(x, GN_SHAPE(1), GN_SHAPE(1), (gn_padding_mode)9));
    expect_error_with(GN_E_ARGUMENT, "there is no padding mode 9");
}
END_TEST

START_TEST(test_errors_of_resizing) {
    gn_tensor *x = gn_zeros(1, 2, 3, 4);
    ck_assert_ptr_null(gn_interpolate(x));
    expect_error_with(GN_E_ARGUMENT, "either a size or a scale_factor");
    ck_assert_ptr_null(gn_interpolate(x, .size = GN_SHAPE(2), .scale_factor = 2));
    expect_error_with(GN_E_ARGUMENT, "either a size or a scale_factor");
    ck_assert_ptr_null(gn_interpolate(x, .size = GN_SHAPE(2, 3, 4)));
    expect_error_with(GN_E_ARGUMENT, "the size has 3 numbers: 1 or 2 are for input");
    ck_assert_ptr_null(gn_interpolate(x, .size = GN_SHAPE(0)));
    expect_error_with(GN_E_ARGUMENT, "would get 0 elements");
    ck_assert_ptr_null(gn_interpolate(x, .size = GN_SHAPE(1 << 30)));
    expect_error_with(GN_E_ARGUMENT, "both must be from 1 to 16777216");
    ck_assert_ptr_null(gn_interpolate(x, .scale_factor = NAN));
    expect_error_with(GN_E_ARGUMENT, "would get nan elements");
    ck_assert_ptr_null(gn_interpolate(x, .scale_factor = 0.3));
    expect_error_with(GN_E_ARGUMENT, "dim 2 of input (1, 2, 3, 4) would get 0 elements");
    ck_assert_ptr_null(gn_interpolate(x, .scale_factor = 2, .mode = GN_INTERPOLATE_LINEAR));
    expect_error_with(GN_E_ARGUMENT, "input (1, 2, 3, 4) must be (N, C, L) for mode linear");
    ck_assert_ptr_null(gn_interpolate(x, .scale_factor = 2, .align_corners = true));
    expect_error_with(GN_E_ARGUMENT, "mode nearest has no align_corners");
    ck_assert_ptr_null(gn_interpolate(x, .scale_factor = 2, .antialias = true));
    expect_error_with(GN_E_ARGUMENT, "antialias is for modes bilinear and bicubic, not nearest");
    ck_assert_ptr_null(gn_nn_upsample(.mode = (gn_interpolate_mode)9));
    expect_error_with(GN_E_ARGUMENT, "Upsample: there is no mode 9");
}
END_TEST

START_TEST(test_errors_of_the_rest) {
    gn_tensor *x = gn_zeros(1, 2, 3, 4);
    ck_assert_ptr_null(gn_grid_sample(x, gn_zeros(1, 2, 2, 3)));
    expect_error_with(GN_E_ARGUMENT, "input (1, 2, 3, 4) and grid (1, 2, 2, 3) must be");
    ck_assert_ptr_null(gn_grid_sample(gn_zeros(1, 2, 0, 4), gn_zeros(1, 2, 2, 2)));
    expect_error_with(GN_E_ARGUMENT, "at least 1 element");
    ck_assert_ptr_null(
        gn_grid_sample(gn_zeros(1, 1, 2, 3, 4), gn_zeros(1, 2, 2, 2, 3), .mode = GN_GRID_BICUBIC));
    expect_error_with(GN_E_ARGUMENT, "bicubic is for input (N, C, H, W)");
    ck_assert_ptr_null(gn_affine_grid(gn_zeros(1, 2, 3), GN_SHAPE(2, 1, 4, 4), false));
    expect_error_with(GN_E_ARGUMENT, "theta (1, 2, 3) must be (N, 2, 3)");
    ck_assert_ptr_null(gn_pixel_shuffle(x, 2));
    expect_error_with(GN_E_ARGUMENT, "2^2 does not divide the 2 channels of (1, 2, 3, 4)");
    ck_assert_ptr_null(gn_pixel_unshuffle(x, 2));
    expect_error_with(GN_E_ARGUMENT, "2 does not divide height and width");
    ck_assert_ptr_null(gn_channel_shuffle(x, 3));
    expect_error_with(GN_E_ARGUMENT, "a multiple of the groups, 3");
    ck_assert_ptr_null(gn_nn_pixel_shuffle(0));
    expect_error_with(GN_E_ARGUMENT, "PixelShuffle: 0 is not positive");
}
END_TEST

/* What lies outside, even infinite or no number, is 0; the place of a NaN is outside, too. */
START_TEST(test_places_that_are_none) {
    gn_tensor *x = gn_full(GN_SHAPE(1, 1, 2, 2), INFINITY, NULL);
    const float places[] = {3, 3, NAN, 0, INFINITY, -INFINITY, 0, -1e30F};
    gn_tensor *grid = gn_tensor_from(places, GN_F32, GN_SHAPE(1, 1, 4, 2), NULL);
    EXPECT_VALUES(gn_grid_sample(x, grid), 0, 0, 0, 0, 0);
    gn_tensor *edges = gn_grid_sample(gn_ones(1, 1, 2, 2), grid, .padding_mode = GN_GRID_BORDER);
    EXPECT_VALUES(edges, 0, 1, 1, 1, 1);
}
END_TEST

/* An infinite element changes what it has a weight in, no more. */
START_TEST(test_infinite_elements) {
    gn_tensor *x = gn_tensor_of(((float[]){INFINITY, 1, 2}), 1, 1, 3);
    EXPECT_VALUES(gn_interpolate(x, .size = GN_SHAPE(5), .mode = GN_INTERPOLATE_LINEAR,
                                 .align_corners = true),
                  1e-6, INFINITY, INFINITY, 1, 1.5, 2);
}
END_TEST

/* Sums are taken in float32: of two dims, one rounding to float16 each. */
START_TEST(test_half) {
    if (!has_dtype(GN_F16))
        return;
    gn_tensor *x = gn_cast(gn_rand(1, 2, 3, 4), GN_F16), *y[2];
    for (int i = 0; i < 2; i++)
        y[i] = gn_interpolate(i ? gn_cast(x, GN_F32) : x, .scale_factor = 2,
                              .mode = GN_INTERPOLATE_BILINEAR);
    expect_close("float16", y[0], gn_cast(y[1], GN_F16));
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_like_pytorch,
                            test_text,
                            test_errors_of_padding,
                            test_errors_of_resizing,
                            test_errors_of_the_rest,
                            test_places_that_are_none,
                            test_infinite_elements,
                            test_half,
                            NULL};
    return suite_run("modules of vision", tests);
}
