/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/runtime/space.c: simplified spaces visit the same elements as given ones. */
#include <stdlib.h>

#include "runtime/space.h"
#include "tests/suite.h"

enum { MAX_DIMS = 5, MAX_OPERANDS = 4, ROUNDS = 20000 };

static uint32_t seed = 1;

static int pick(int n) {
    seed = seed * 1664525 + 1013904223;
    return (int)((seed >> 8) % (uint32_t)n);
}

/* The elements of all operands at one coordinate, as a number. */
static uint64_t hash_elements(const int64_t *at, uint32_t n) {
    return gn__hash(at, n * sizeof *at, 0);
}

typedef struct walk {
    uint32_t n_dims, n_head, n_operands;
    const int64_t *size;
    int64_t offset[MAX_OPERANDS], stride[MAX_OPERANDS][GN_MAX_DIMS];
    bool in_order;
} walk;

/* A number that depends on which elements are visited together in which tail, in any order. */
static uint64_t walk_dims(const walk *w, uint32_t d, const int64_t *at) {
    if (d == w->n_dims)
        return hash_elements(at, w->n_operands);
    uint64_t sum = 0;
    for (int64_t i = 0; i < w->size[d]; i++) {
        int64_t inner[MAX_OPERANDS];
        for (uint32_t k = 0; k < w->n_operands; k++)
            inner[k] = at[k] + i * w->stride[k][d];
        uint64_t part = walk_dims(w, d + 1, inner);
        if (d + 1 == w->n_head) /* all of a tail is one thing */
            part = gn__hash(&part, sizeof part, 7);
        sum += part;
    }
    return sum;
}

/* A number that depends on the order, too. */
static uint64_t walk_in_order(const walk *w, uint64_t sum, uint32_t d, const int64_t *at) {
    if (d == w->n_dims)
        return sum * 31 + hash_elements(at, w->n_operands);
    for (int64_t i = 0; i < w->size[d]; i++) {
        int64_t inner[MAX_OPERANDS];
        for (uint32_t k = 0; k < w->n_operands; k++)
            inner[k] = at[k] + i * w->stride[k][d];
        sum = walk_in_order(w, sum, d + 1, inner);
    }
    return sum;
}

static uint64_t walk_all(const walk *w) {
    if (w->in_order)
        return walk_in_order(w, 0, 0, w->offset);
    uint64_t all = walk_dims(w, 0, w->offset);
    return w->n_head == 0 ? gn__hash(&all, sizeof all, 7) : all;
}

static void make_operand(gn__operand *operand, int n_dims, const int64_t *size) {
    *operand = (gn__operand){.offset = pick(100)};
    int order[MAX_DIMS];
    for (int d = 0; d < n_dims; d++)
        order[d] = d;
    if (pick(3) == 0)
        for (int d = n_dims - 1; d > 0; d--) {
            int other = pick(d + 1), swap = order[d];
            order[d] = order[other];
            order[other] = swap;
        }
    int64_t stride = pick(4) ? 1 : 2;
    for (int i = n_dims - 1; i >= 0; i--) {
        const int d = order[i];
        operand->stride[d] = pick(5) == 0 ? 0 : pick(8) == 0 ? -stride : stride;
        stride *= size[d] + (pick(6) == 0);
    }
}

static void expect_simple(const gn__space *space, uint32_t n_operands) {
    const uint32_t n_head = space->n_dims - space->n_tail;
    for (uint32_t d = 0; d < space->n_dims; d++) {
        ck_assert_int_gt(space->size[d], 1);
        bool mergeable = d > 0 && d != n_head;
        for (uint32_t k = 0; k < n_operands; k++)
            mergeable = mergeable && space->operands[k].stride[d - 1] ==
                                         space->operands[k].stride[d] * space->size[d];
        ck_assert(!mergeable);
    }
}

START_TEST(test_same_elements) {
    for (int round = 0; round < ROUNDS; round++) {
        int64_t size[MAX_DIMS];
        gn__operand operands[MAX_OPERANDS];
        gn_operand_info infos[MAX_OPERANDS];
        gn__raw_space raw = {.n_dims = pick(MAX_DIMS + 1), .size = size, .operands = operands};
        raw.n_operands = (uint32_t)pick(MAX_OPERANDS) + 1;
        raw.n_tail = pick(2) ? pick(raw.n_dims + 1) : 0;
        raw.in_order = pick(4) == 0;
        raw.infos = infos;
        bool head_empty = false, tail_empty = false;
        for (int d = 0; d < raw.n_dims; d++) {
            size[d] = pick(20) == 0 ? 0 : pick(4) + 1;
            if (size[d] == 0)
                *(d < raw.n_dims - raw.n_tail ? &head_empty : &tail_empty) = true;
        }
        for (uint32_t k = 0; k < raw.n_operands; k++) {
            make_operand(&operands[k], raw.n_dims, size);
            infos[k] = (gn_operand_info){GN_INDEX, GN_I64};
        }
        gn__space space;
        gn__extent extent = gn__simplify_space(&raw, &space);
        ck_assert_int_eq(extent, head_empty   ? GN__SPACE_EMPTY
                                 : tail_empty ? GN__SPACE_TAIL_EMPTY
                                              : GN__SPACE_FULL);
        if (extent != GN__SPACE_FULL)
            continue;
        expect_simple(&space, raw.n_operands);
        walk given = {.n_dims = (uint32_t)raw.n_dims, .size = size, .in_order = raw.in_order};
        given.n_head = (uint32_t)(raw.n_dims - raw.n_tail);
        given.n_operands = raw.n_operands;
        walk simple = given;
        simple.n_dims = space.n_dims;
        simple.n_head = space.n_dims - space.n_tail;
        simple.size = space.size;
        for (uint32_t k = 0; k < raw.n_operands; k++) {
            given.offset[k] = operands[k].offset;
            simple.offset[k] = space.operands[k].offset;
            for (int d = 0; d < raw.n_dims; d++)
                given.stride[k][d] = operands[k].stride[d];
            for (uint32_t d = 0; d < space.n_dims; d++)
                simple.stride[k][d] = space.operands[k].stride[d];
        }
        ck_assert_msg(walk_all(&given) == walk_all(&simple), "round %d", round);
    }
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_same_elements, NULL};
    return suite_run("space", tests);
}
