/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/einsum.c. */
#include <stdio.h>

#include "tests/expect.h"
#include "tests/suite.h"

static const struct {
    const char *equation, *message;
} bad[] = {
    /* of tensors (2, 3) and (3, 4) */
    {"ij", "\"ij\": it has fewer terms than there are tensors"},
    {"ij,jk,k", "\"ij,jk,k\": it has more terms than there are tensors"},
    {"ijk,jk->ik", "\"ijk,jk->ik\": a term has not as many letters as its tensor has dims"},
    {"ij,ik->jk", "\"ij,ik->jk\": one label has the sizes 2 and 3"},
    {"ij,jk->il", "\"ij,jk->il\": a letter of the result occurs there twice, or in no term"},
    {"ij,jk->ii", "\"ij,jk->ii\": a letter of the result occurs there twice, or in no term"},
    {"ii,jk->ik", "\"ii,jk->ik\": a letter occurs twice in a term, for dims of different sizes"},
    {"ij,jk-ik", "\"ij,jk-ik\": '-' without '>'"},
    {"i1,jk->ik", "\"i1,jk->ik\": a term has not as many letters as its tensor has dims"},
    {"ij,jk->i1", "\"ij,jk->i1\": terms are letters and ..."},
    {"ij,jk->ik,", "\"ij,jk->ik,\": there is more after the result"},
    {"ij,..", "\"ij,..\": an ellipsis is three dots, once in a term"},
    {"ij,.j.k.", "\"ij,.j.k.\": an ellipsis is three dots, once in a term"},
    {"ij,......", "\"ij,......\": an ellipsis is three dots, once in a term"},
    {"ij,...ijk", "\"ij,...ijk\": a term has not as many letters as its tensor has dims"},
    {"ij,jk->abcdefghi",
     "\"ij,jk->abcdefghi\": a term has not as many letters as its tensor has dims"},
    {"", "\"\": a term has not as many letters as its tensor has dims"},
};

START_TEST(test_errors) {
    gn_tensor *in[17] = {gn_zeros(2, 3), gn_zeros(3, 4)};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char message[256];
        snprintf(message, sizeof message, "einsum: %s", bad[i].message);
        ck_assert_ptr_null(gn_einsum(bad[i].equation, 2, in));
        expect_error(GN_E_ARGUMENT, message);
    }
    ck_assert_ptr_null(gn_einsum(NULL, 1, in));
    expect_error(GN_E_ARGUMENT, "einsum: no equation, 1 tensors: 1 to 16 are possible");
    ck_assert_ptr_null(gn_einsum("ij", 17, in));
    expect_error(GN_E_ARGUMENT, "einsum: 17 tensors: 1 to 16 are possible");
    ck_assert_ptr_null(gn_einsum("ij,jk,kl", 3, in));
    expect_error(GN_E_ARGUMENT, "einsum: a tensor is NULL");
    in[0] = in[1] = gn_zeros(1, 1, 1, 1, 1);
    in[2] = gn_zeros(1, 1, 1, 1, 1);
    ck_assert_ptr_null(gn_einsum("abcde,fghij,fghij->abcde", 3, in));
    expect_error(GN_E_UNSUPPORTED, "einsum: \"abcde,fghij,fghij->abcde\": a product on the way has "
                                   "10 dims, more than 8");
}
END_TEST

/* More factors than two, labels of size 1 that broadcast, in float64 and twice. */
static gn_tensor *chain(gn_tensor *const *in, void *context) { return gn_einsum(context, 3, in); }

START_TEST(test_gradients) {
    const gn_shape shapes[] = {GN_SHAPE(2, 3), GN_SHAPE(3, 2), GN_SHAPE(2, 2)};
    const gn_shape one[] = {GN_SHAPE(2, 1), GN_SHAPE(3, 2), GN_SHAPE(2, 2)};
    char ring[] = "ij,jk,ki->", mixed[] = "ij,jk,kk->jk";
    expect_gradcheck("ring", chain, ring, 3, shapes, -1, 1);
    expect_gradcheck("mixed", chain, mixed, 3, one, -1, 1);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_errors, test_gradients, NULL};
    return suite_run("einsum", tests);
}
