/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/data/dataset.c and fashion_mnist.c. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <genesis/data.h>
#include <genesis/shape_ops.h>

#include "tests/suite.h"
#include "tests/temp_dir.h"

START_TEST(test_tensors) {
    gn_scope scope = gn_scope_begin();
    gn_dataset *set = gn_retain(gn_tensor_dataset(gn_zeros(5, 2), gn_ones(5)));
    gn_scope_end(scope);
    ck_assert_int_eq(gn_dataset_size(set), 5);
    ck_assert_int_eq(gn_size(gn_dataset_x(set), 1), 2);
    ck_assert_int_eq(gn_dim(gn_dataset_y(set)), 1);
    gn_dataset *head = gn_dataset_head(set, 3), *all = gn_dataset_head(set, 99);
    ck_assert_int_eq(gn_dataset_size(head), 3);
    ck_assert_int_eq(gn_size(gn_dataset_y(head), 0), 3);
    ck_assert_int_eq(gn_dataset_size(all), 5);
    gn_release(set);
    ck_assert_int_eq(gn_dataset_size(gn_dataset_head(head, 0)), 0);
}
END_TEST

START_TEST(test_without_labels) {
    gn_dataset *set = gn_tensor_dataset(gn_zeros(5, 2), NULL);
    ck_assert_ptr_null(gn_dataset_y(set));
    ck_assert_ptr_null(gn_dataset_y(gn_dataset_head(set, 2)));
    ck_assert_int_eq(gn_error_status(), GN_OK);
}
END_TEST

/* Refused, and told what to do about it. */
static void expect_damaged(gn_dataset *set) {
    ck_assert_ptr_null(set);
    ck_assert_int_eq(gn_error_status(), GN_E_FORMAT);
    ck_assert_msg(strstr(gn_error(), "dataset-fashion-mnist") != NULL, "%s", gn_error());
    gn_error_clear();
}

static void expect_refused(gn_dataset *set, gn_status status) {
    ck_assert_ptr_null(set);
    ck_assert_msg(gn_error_status() == status, "%s", gn_error());
    gn_error_clear();
}

START_TEST(test_refuses) {
    expect_refused(gn_tensor_dataset(NULL, NULL), GN_E_ARGUMENT);
    expect_refused(gn_tensor_dataset(gn_zeros(3, 2), gn_zeros(4)), GN_E_ARGUMENT);
    expect_refused(gn_tensor_dataset(gn_scalar_tensor(1, NULL), NULL), GN_E_ARGUMENT);
    expect_refused(gn_dataset_head(NULL, 1), GN_E_ARGUMENT);
    expect_refused(gn_dataset_head(gn_tensor_dataset(gn_zeros(3), NULL), -1), GN_E_ARGUMENT);
}
END_TEST

/* ---- Fashion-MNIST */

enum { PIXELS = 28 * 28, IMAGES = 3 };

static void write_images(const char *name, unsigned char side) {
    unsigned char bytes[16 + IMAGES * PIXELS] = {0, 0, 8, 3,  0, 0, 0, IMAGES,
                                                 0, 0, 0, 28, 0, 0, 0, side};
    for (int i = 0; i < IMAGES * PIXELS; i++)
        bytes[16 + i] = (unsigned char)i;
    temp_dir_write(name, bytes, 16 + (size_t)IMAGES * 28 * side);
}

static void write_labels(const char *name, unsigned char n, unsigned char last) {
    const unsigned char bytes[11] = {0, 0, 8, 1, 0, 0, 0, n, 4, 9, last};
    temp_dir_write(name, bytes, 8 + (size_t)n);
}

static gn_dataset *load(const char *part) {
    return gn_fashion_mnist(part, .dir = temp_dir_path(""));
}

START_TEST(test_fashion_mnist) {
    static float x[IMAGES * PIXELS];
    int64_t y[IMAGES];
    write_images("t10k-images-idx3-ubyte", 28);
    write_labels("t10k-labels-idx1-ubyte.gz", IMAGES, 0);
    gn_dataset *set = load("test");
    ck_assert_msg(set != NULL, "%s", gn_error());
    ck_assert_int_eq(gn_dataset_size(set), IMAGES);
    ck_assert_int_eq(gn_dim(gn_dataset_x(set)), 4);
    ck_assert_int_eq(gn_size(gn_dataset_x(set), 3), 28);
    ck_assert_int_eq(gn_dtype_of(gn_dataset_y(set)), GN_I64);
    ck_assert_int_eq(gn_copy_out(gn_dataset_x(set), x, GN_F32, IMAGES * PIXELS), GN_OK);
    for (int i = 0; i < IMAGES * PIXELS; i++)
        ck_assert_float_eq(x[i], (float)(unsigned char)i / 255);
    ck_assert_int_eq(gn_copy_out(gn_dataset_y(set), y, GN_I64, IMAGES), GN_OK);
    ck_assert_int_eq(y[0], 4);
    ck_assert_int_eq(y[1], 9);
    ck_assert_str_eq(gn_fashion_mnist_classes[9], "Ankle boot");
}
END_TEST

START_TEST(test_fashion_mnist_damaged) {
    expect_refused(load("train"), GN_E_NOT_FOUND);
    write_images("train-images-idx3-ubyte", 28);
    gn_fashion_mnist("train", .dir = temp_dir_path(""));
    ck_assert_msg(strstr(gn_error(), "dataset-fashion-mnist") != NULL, "%s", gn_error());
    gn_error_clear();
    write_labels("train-labels-idx1-ubyte", IMAGES, 10);
    expect_damaged(load("train")); /* a class too many */
    write_labels("train-labels-idx1-ubyte", IMAGES - 1, 0);
    expect_damaged(load("train"));
    temp_dir_write("train-labels-idx1-ubyte", "\0\0\x08\1\0\0\0\3ab", 10);
    expect_damaged(load("train"));
    write_labels("train-labels-idx1-ubyte", IMAGES, 0);
    write_images("train-images-idx3-ubyte", 27);
    expect_damaged(load("train"));
    expect_refused(load("validation"), GN_E_ARGUMENT);
    expect_refused(load(NULL), GN_E_ARGUMENT);
}
END_TEST

START_TEST(test_installed) {
    if (access("/usr/share/datasets/fashion-mnist", R_OK) != 0)
        return;
    unsetenv("GENESIS_FASHION_MNIST");
    gn_scope scope = gn_scope_begin();
    gn_dataset *test = gn_fashion_mnist("test");
    ck_assert_int_eq(gn_dataset_size(test), 10000);
    ck_assert_int_eq(gn_item_int(gn_select(gn_dataset_y(test), 0, 0)), 9); /* an ankle boot */
    gn_scope_end(scope);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_tensors,
                            test_without_labels,
                            test_refuses,
                            test_fashion_mnist,
                            test_fashion_mnist_damaged,
                            test_installed,
                            NULL};
    temp_dir_make();
    int status = suite_run("dataset", tests);
    temp_dir_remove();
    return status;
}
