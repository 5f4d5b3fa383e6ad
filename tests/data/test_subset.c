/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/data/subset.c, and of sets of functions in dataset.c. */
#include <genesis/data.h>
#include <genesis/ops.h>

#include "tests/expect.h"
#include "tests/suite.h"

/* Sample i is first + i. */
static gn_dataset *numbers(double first, int64_t n) {
    return gn_tensor_dataset(gn_arange(first, first + (double)n, 1, NULL), NULL);
}

static int64_t value(gn_dataset *set, int64_t index) {
    gn_sample sample;
    ck_assert_msg(gn_dataset_get(set, index, NULL, &sample) == GN_OK, "%s", gn_error());
    return gn_item_int(sample.x);
}

START_TEST(test_subset) {
    gn_dataset *set = gn_subset(numbers(10, 5), (int64_t[]){4, 0, 4}, 3);
    ck_assert_int_eq(gn_dataset_size(set), 3);
    ck_assert_int_eq(value(set, 0), 14);
    ck_assert_int_eq(value(set, 1), 10);
    ck_assert_int_eq(value(gn_dataset_head(gn_subset(set, (int64_t[]){1, 2}, 2), 1), 0), 10);
    ck_assert_ptr_null(gn_subset(set, (int64_t[]){3}, 1));
    expect_error(GN_E_INDEX, "subset: index 3 of a data set of 3 samples");
    gn_sample sample;
    ck_assert_int_eq(gn_dataset_get(set, 3, NULL, &sample), GN_E_INDEX);
    expect_error(GN_E_INDEX, "dataset_get: sample 3 of 3");
}
END_TEST

START_TEST(test_concat) {
    gn_dataset *parts[] = {numbers(0, 2), numbers(0, 0), numbers(100, 3)};
    gn_dataset *set = gn_concat_dataset(parts, 3);
    ck_assert_int_eq(gn_dataset_size(set), 5);
    ck_assert_int_eq(value(set, 1), 1);
    ck_assert_int_eq(value(set, 2), 100);
    ck_assert_int_eq(value(set, 4), 102);
    int64_t seen = 0;
    gn_loader *loader = gn_loader_new(set, .batch = 2);
    for (gn_batch b; gn_next(loader, &b);)
        seen += b.size;
    ck_assert_int_eq(seen, 5);
    ck_assert_ptr_null(gn_concat_dataset(parts, 0));
    expect_error(GN_E_ARGUMENT, "concat_dataset: there is no data set");
}
END_TEST

/* The sizes that PyTorch's random_split gives. */
START_TEST(test_random_split) {
    static const struct {
        double parts[3];
        int64_t sizes[3];
    } cases[] = {
        {{7, 0, 3}, {7, 0, 3}}, {{0.7, 0.2, 0.1}, {7, 2, 1}}, {{0.35, 0.35, 0.3}, {4, 3, 3}}};
    for (size_t i = 0; i < 3; i++) {
        gn_dataset *part[3], *again[3];
        int64_t seen = 0;
        gn_dataset *set = numbers(0, 10);
        ck_assert_int_eq(gn_random_split(set, cases[i].parts, 3, gn_generator_new(3), part), GN_OK);
        gn_random_split(set, cases[i].parts, 3, gn_generator_new(3), again);
        for (int k = 0; k < 3; k++) {
            ck_assert_int_eq(gn_dataset_size(part[k]), cases[i].sizes[k]);
            for (int64_t j = 0; j < cases[i].sizes[k]; j++) {
                seen |= 1 << value(part[k], j);
                ck_assert_int_eq(value(part[k], j), value(again[k], j));
            }
        }
        ck_assert_int_eq(seen, 1023);
    }
    gn_dataset *part[2];
    gn_random_split(numbers(0, 10), (double[]){5, 6}, 2, NULL, part);
    expect_error(GN_E_ARGUMENT, "random_split: parts that add up to 11: they must add up to the 10 "
                                "samples or to 1");
}
END_TEST

static int destroyed;
static void destroy(void *context) { destroyed += *(int *)context; }

static gn_status square(void *context, int64_t index, gn_generator *generator, gn_sample *out) {
    (void)context, (void)generator;
    out->x = gn_scalar_tensor((double)(index * index), NULL);
    return GN_OK;
}

static gn_status negate(void *context, gn_sample *sample, gn_generator *generator) {
    (void)context, (void)generator;
    sample->x = gn_neg(sample->x);
    return GN_OK;
}

static gn_status refuse(void *context, gn_sample *sample, gn_generator *generator) {
    (void)context, (void)sample, (void)generator;
    return GN_E_UNSUPPORTED;
}

START_TEST(test_functions) {
    int one = 1;
    destroyed = 0;
    gn_scope scope = gn_scope_begin();
    gn_dataset *set = gn_dataset_new(9, square, .context = &one, .destroy = destroy);
    ck_assert_int_eq(value(set, 3), 9);
    ck_assert_int_eq(value(gn_map_dataset(set, negate, .context = &one, .destroy = destroy), 3),
                     -9);
    gn_sample sample;
    ck_assert_int_eq(gn_dataset_get(gn_map_dataset(set, refuse), 0, NULL, &sample),
                     GN_E_UNSUPPORTED);
    gn_error_clear();
    gn_scope_end(scope);
    ck_assert_int_eq(destroyed, 2);
    ck_assert_ptr_null(gn_dataset_new(-1, square, .context = &one, .destroy = destroy));
    expect_error(GN_E_ARGUMENT, "dataset_new: -1 samples");
    ck_assert_int_eq(destroyed, 3);
    ck_assert_ptr_null(gn_map_dataset(NULL, negate));
    expect_error(GN_E_ARGUMENT, "map_dataset: the data set is NULL");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_subset, test_concat, test_random_split, test_functions, NULL};
    return suite_run("subset", tests);
}
