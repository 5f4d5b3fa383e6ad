/* SPDX-License-Identifier: Apache-2.0 */
/*
 * library.c - the group of the library's operations: one case for each case of each file of
 * results; and what every group that uses the library does before and after a case.
 */
#include "library.h"

#include <string.h>

#include "ops.h"

static gn_scope scope;

void library_begin(void) {
    EXPECT(gn_set_default_device(options.device) == GN_OK, "%s", gn_error());
    scope = gn_scope_begin();
}

void library_after(void) {
    gn_scope_end(scope);
    gn_error_clear();
    library_begin();
}

static bool stores_tensors(const op_group *group) { return group->inputs[0] != NULL; }

static int count_cases(const op_group *group) {
    return stores_tensors(group) ? group->n_rows : op_text_count(group);
}

static void run_case(const op_group *group, int index) {
    (stores_tensors(group) ? op_tensors_run : op_text_run)(group, index);
}

/* A test_case is two functions without a context, so each file has its own two. */
/* clang-format off */
#define FILES(X)                                                                                   \
    X(pointwise) X(math) X(copy) X(view) X(join) X(arrange) X(reduce) X(matmul) X(linalg)          \
    X(gather) X(index) X(select) X(sort) X(scan) X(linear) X(conv) X(pool) X(norm) X(softmax)      \
    X(attention) X(embedding) X(vision) X(loss)
/* clang-format on */
#define FUNCTIONS(file)                                                                            \
    static void run_##file(int index) { run_case(&op_##file, index); }                             \
    static int count_##file(void) { return count_cases(&op_##file); }
FILES(FUNCTIONS)
#undef FUNCTIONS

/* Every row of a text file's table has a case. */
static void tables(void) {
#define GROUP(file) &op_##file,
    static const op_group *const all[] = {FILES(GROUP)};
#undef GROUP
    for (size_t i = 0; i < GN_LENGTH(all); i++)
        for (int k = 0; k < all[i]->n_rows; k++)
            EXPECT(stores_tensors(all[i]) || op_text_has(all[i], &all[i]->rows[k]),
                   "%s has no case of %s", op_path(all[i]->file), all[i]->rows[k].name);
}

#define CASE(file) {.name = #file, .each = run_##file, .count = count_##file},
static const test_case cases[] = {{.name = "tables", .run = tables}, FILES(CASE)};
#undef CASE
#undef FILES

const test_group library_group = {
    .name = "library", CASES(cases), .begin = library_begin, .after = library_after};
