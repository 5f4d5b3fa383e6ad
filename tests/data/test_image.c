/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/data/image.c, png.c, jpeg.c and image_folder.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <genesis/image.h>
#include <genesis/shape_ops.h>

#include "tests/expect.h"
#include "tests/suite.h"
#include "tests/temp_dir.h"

#ifdef GN_WITH_PNG
#include <png.h>
#endif
#ifdef GN_WITH_JPEG
#include <jpeglib.h>
#endif

enum { H = 16, W = 24 };

/* Channel c of a picture that is smooth, so that JPEG keeps it. */
static unsigned char pixel(int y, int x, int c) {
    return (unsigned char)(c == 0 ? 8 * y : c == 1 ? 8 * x : 100);
}

static void fill(unsigned char *out, int channels) {
    for (int i = 0; i < H * W; i++)
        for (int c = 0; c < channels; c++)
            *out++ = pixel(i / W, i % W, c);
}

/* Within `tolerance` of that picture. */
static void expect_picture(gn_tensor *image, int channels, int tolerance) {
    unsigned char values[4 * H * W];
    ck_assert_msg(image != NULL, "%s", gn_error());
    ck_assert_int_eq(gn_dtype_of(image), GN_U8);
    ck_assert_int_eq(gn_size(image, 0), channels);
    ck_assert_int_eq(gn_size(image, 1), H);
    ck_assert_int_eq(gn_size(image, 2), W);
    ck_assert_int_eq(gn_copy_out(image, values, GN_U8, channels * H * W), GN_OK);
    for (int i = 0; i < channels * H * W; i++)
        ck_assert_int_le(abs(values[i] - pixel(i / W % H, i % W, i / (H * W))), tolerance);
}

/* Each beginning of a file that lacks pixels is an error, 20 bytes being more than what may follow
 * them; so is, or does no harm, a file with a byte changed. */
static void expect_robust(const char *path) {
    static unsigned char bytes[1 << 16];
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    size_t n = fread(bytes, 1, sizeof bytes, file), step = n / 97 + 1;
    fclose(file);
    for (size_t length = 0; length + 20 < n; length += step) {
        ck_assert_ptr_null(gn_read_image(temp_dir_write("cut", bytes, length)));
        expect_error_with(GN_E_FORMAT, "cut: ");
    }
    for (size_t at = 0; at < n; at += step) {
        gn_scope scope = gn_scope_begin();
        bytes[at] ^= 0x55;
        gn_read_image(temp_dir_write("changed", bytes, n), .max_pixels = 1 << 20);
        bytes[at] ^= 0x55;
        gn_error_clear();
        gn_scope_end(scope);
    }
}

/* ---- PNG */

#ifdef GN_WITH_PNG
static const char *write_png(const char *name, int channels) {
    static const png_uint_32 formats[] = {0, PNG_FORMAT_GRAY, PNG_FORMAT_GA, PNG_FORMAT_RGB,
                                          PNG_FORMAT_RGBA};
    unsigned char pixels[4 * H * W];
    const char *path = temp_dir_path(name);
    fill(pixels, channels);
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = W, .height = H, .format = formats[channels]};
    ck_assert_msg(png_image_write_to_file(&image, path, 0, pixels, 0, NULL), "%s", image.message);
    return path;
}

START_TEST(test_png) {
    for (int channels = 1; channels <= 4; channels++)
        expect_picture(gn_read_image(write_png("a.png", channels)), channels, 0);
    gn_tensor *grey = gn_read_image(write_png("a.png", 3), .channels = 1);
    unsigned char values[H * W];
    ck_assert_int_eq(gn_copy_out(grey, values, GN_U8, H * W), GN_OK);
    ck_assert_int_eq(values[3 * W + 5], 42); /* 0.299 * 24 + 0.587 * 40 + 0.114 * 100 = 42.06 */
    gn_tensor *colours = gn_read_image(write_png("a.png", 2), .channels = 3);
    ck_assert_int_eq(gn_size(colours, 0), 3);
    ck_assert_int_eq(gn_item_int(gn_select(gn_select(gn_select(colours, 0, 2), 0, 3), 0, 5)), 24);
    expect_robust(write_png("a.png", 3));
}
END_TEST

/* A file of a few bytes that claims to be large. */
START_TEST(test_large) {
    static const unsigned char claim[] = {
        /* 8192 x 8192, and no data */
        0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
        0x44, 0x52, 0x00, 0x00, 0x20, 0x00, 0x00, 0x00, 0x20, 0x00, 0x08, 0x06, 0x00, 0x00,
        0x00, 0x72, 0xaa, 0xca, 0x59, 0x00, 0x00, 0x00, 0x00, 0x49, 0x44, 0x41, 0x54};
    ck_assert_ptr_null(gn_read_image(temp_dir_write("claim.png", claim, sizeof claim)));
    expect_error_with(GN_E_FORMAT, "its 41 bytes can't hold 8192 x 8192 pixels");
    ck_assert_ptr_null(gn_read_image(write_png("a.png", 3), .max_pixels = H * W - 1));
    expect_error_with(GN_E_FORMAT, "16 x 24 pixels are more than the 383 allowed");
}
END_TEST

START_TEST(test_folder) {
    static const char *const folders[] = {"set", "set/cat", "set/ant", "set/.hidden"};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(mkdir(temp_dir_path(folders[i]), 0777), 0);
    write_png("set/cat/2.png", 3);
    write_png("set/cat/1.PNG", 3);
    temp_dir_write("set/cat/note.txt", "", 0);
    ck_assert_ptr_null(gn_image_folder(temp_dir_path("set")));
    expect_error_with(GN_E_NOT_FOUND, "set/ant: has no files .png, .jpg or .jpeg");
    write_png("set/ant/3.png", 1);
    gn_dataset *set = gn_image_folder(temp_dir_path("set"), .channels = 3);
    ck_assert_msg(set != NULL, "%s", gn_error());
    ck_assert_int_eq(gn_dataset_size(set), 3);
    ck_assert_int_eq(gn_image_folder_classes(set), 2);
    ck_assert_str_eq(gn_image_folder_class(set, 0), "ant");
    ck_assert_str_eq(gn_image_folder_class(set, 1), "cat");
    ck_assert_ptr_null(gn_image_folder_class(set, 2));
    gn_batch b;
    gn_loader *loader = gn_loader_new(set, .batch = 3, .workers = 2);
    ck_assert_msg(gn_next(loader, &b), "%s", gn_error());
    int64_t y[3];
    ck_assert_int_eq(gn_copy_out(b.y, y, GN_I64, 3), GN_OK);
    ck_assert_mem_eq(y, ((int64_t[]){0, 1, 1}), sizeof y);
    expect_picture(gn_select(b.x, 0, 1), 3, 0);
    temp_dir_write("set/cat/2.png", "broken", 6);
    ck_assert(!gn_next(loader, &b));
    ck_assert(!gn_next(loader, &b));
    expect_error_with(GN_E_FORMAT, "sample 2: ");
    ck_assert_ptr_null(gn_image_folder(temp_dir_path("absent")));
    expect_error_with(GN_E_NOT_FOUND, "absent");
    static const char *const files[] = {"set/cat/1.PNG", "set/cat/2.png", "set/cat/note.txt",
                                        "set/ant/3.png"};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(remove(temp_dir_path(files[i])), 0);
    for (int i = 3; i >= 0; i--)
        ck_assert_int_eq(remove(temp_dir_path(folders[i])), 0);
}
END_TEST
#endif

/* ---- JPEG */

#ifdef GN_WITH_JPEG
static const char *write_jpeg(const char *name, int channels, bool progressive) {
    unsigned char pixels[4 * H * W];
    const char *path = temp_dir_path(name);
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    fill(pixels, channels);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = W;
    jpeg.image_height = H;
    jpeg.input_components = channels;
    jpeg.in_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 100, TRUE);
    if (progressive)
        jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < H; y++) {
        JSAMPROW row = pixels + y * W * channels;
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    fclose(file);
    return path;
}

/* Of smooth colours, halved in resolution, quality 100 keeps all but some levels. */
START_TEST(test_jpeg) {
    for (int progressive = 0; progressive < 2; progressive++) {
        expect_picture(gn_read_image(write_jpeg("a.jpg", 1, progressive)), 1, 2);
        expect_picture(gn_read_image(write_jpeg("a.jpg", 3, progressive)), 3, 12);
        expect_robust(write_jpeg("a.jpg", 3, progressive));
    }
    ck_assert_ptr_null(gn_read_image(write_jpeg("a.jpg", 4, false)));
    expect_error_with(GN_E_UNSUPPORTED, "JPEG of 4 channels");
    ck_assert_ptr_null(gn_read_image(write_jpeg("a.jpg", 3, false), .max_pixels = 10));
    expect_error_with(GN_E_FORMAT, "more than the 10 allowed");
}
END_TEST
#endif

/* ---- Neither */

START_TEST(test_refuses) {
    ck_assert_ptr_null(gn_read_image(NULL));
    expect_error_with(GN_E_ARGUMENT, "NULL");
    ck_assert_ptr_null(gn_read_image(temp_dir_path("absent.png")));
    expect_error_with(GN_E_NOT_FOUND, "absent.png: No such file");
    ck_assert_ptr_null(gn_read_image(temp_dir_path("")));
    expect_error_with(GN_E_IO, "not a regular file");
    ck_assert_ptr_null(gn_read_image(temp_dir_write("a.png", "GIF89a", 6)));
    expect_error_with(GN_E_FORMAT, "neither a PNG nor a JPEG file");
    ck_assert_ptr_null(gn_read_image(temp_dir_write("a.png", "", 0), .channels = 2));
    expect_error_with(GN_E_ARGUMENT, "2 channels");
#ifndef GN_WITH_PNG
    ck_assert_ptr_null(gn_read_image(temp_dir_write("a", "\x89PNG", 4)));
    expect_error_with(GN_E_UNSUPPORTED, "libpng-dev");
#endif
#ifndef GN_WITH_JPEG
    ck_assert_ptr_null(gn_read_image(temp_dir_write("a", "\xff\xd8\xff\xe0", 4)));
    expect_error_with(GN_E_UNSUPPORTED, "libjpeg-dev");
#endif
}
END_TEST

int main(void) {
    const TTest *tests[] = {
#ifdef GN_WITH_PNG
        test_png,     test_large, test_folder,
#endif
#ifdef GN_WITH_JPEG
        test_jpeg,
#endif
        test_refuses, NULL};
    temp_dir_make();
    int status = suite_run("image", tests);
    temp_dir_remove();
    return status;
}
