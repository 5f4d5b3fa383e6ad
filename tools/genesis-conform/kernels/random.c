/* SPDX-License-Identifier: Apache-2.0 */
/* random.c - RANDOM: the words of Philox4x32-10, whatever the order of dims and memory. */
#include "kernel.h"

/* Random123's known answers for philox4x32, 10 rounds: they vouch for the tests' own Philox. */
static void known_answers(void) {
    static const struct {
        uint32_t counter[4], key[2], answer[4];
    } known[] = {
        {{0}, {0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < GN_LENGTH(known); i++) {
        uint32_t c[4];
        for (int k = 0; k < 4; k++)
            c[k] = known[i].counter[k];
        philox4x32(c, known[i].key[0], known[i].key[1]);
        for (int k = 0; k < 4; k++)
            EXPECT(c[k] == known[i].answer[k], "Philox of conform itself is wrong");
    }
}

/* Operand 0 is the index, operand 1 gets the word as i64; parameters are offset and key. */
static const gn_program *words_program(void) {
    program_begin("words");
    program_flags(GN_PROGRAM_NO_CONTRACT);
    int word = op3(GN_OP_RANDOM, GN_U32, load_index(0), param(GN_I64, 0), param(GN_I64, 1));
    store(1, GN_I64, cast_to(GN_I64, word));
    return program_end();
}

/* Indices of every position in a block, steps of more than 1, and beyond 32 bits. */
static void words(void) {
    subject("map", GN_I64);
    static const struct {
        int64_t first, step, offset, key;
    } cases[] = {
        {0, 1, 0, 0},
        {1, 1, 1, 42},
        {3, 1, INT64_C(1) << 33, -1},
        {0, 4, 7, INT64_C(0x123456789abcdef)},
        {1002, -1, 9, 5},
        {(INT64_C(1) << 34) - 5, 1, -3, INT64_MIN},
        {INT64_C(1) << 61, 3, INT64_MAX, 99},
        {-4, 1, -1, -1},
        {17, 0, 2, 3},
    };
    const gn_program *program = words_program();
    for (size_t k = 0; k < GN_LENGTH(cases); k++) {
        struct buffer *y = buffer_new(GN_I64, 1003);
        context("random words, case %zu", k);
        map(program, SIZES(1003), OPERANDS(INDEX(cases[k].first, cases[k].step), AT(y, 0, 1)),
            PARAMS({.i = cases[k].offset}, {.i = cases[k].key}));
        for (int i = 0; i < 1003; i++)
            I64(y)
        [i] = random_word(cases[k].first + i * cases[k].step, cases[k].offset, cases[k].key);
        check_exact(y);
    }
}

/* The index is any value, not only an index operand. */
static void words_of_loaded_indices(void) {
    subject("map", GN_I64);
    struct buffer *index = buffer_new(GN_I64, 77), *y = buffer_new(GN_I64, 77);
    for (int i = 0; i < 77; i++)
        I64(index)[i] = (int64_t)(random_bits() >> 2);
    program_begin("loaded");
    int word = op3(GN_OP_RANDOM, GN_U32, load(0, GN_I64), const_i(GN_I64, 5), const_i(GN_I64, 6));
    store(1, GN_I64, cast_to(GN_I64, word));
    map(program_end(), SIZES(77), OPERANDS(AT(index, 0, 1), AT(y, 0, 1)), NULL);
    for (int i = 0; i < 77; i++)
        I64(y)[i] = random_word(I64(index)[i], 5, 6);
    check_exact(y);
}

/* Dropout of a tensor (6, 5, 9), its dims in every order, then flipped: one and the same mask. */
static void order_of_dims(int index) {
    subject("map", GN_F32);
    static const int64_t size[] = {6, 5, 9}, stride[] = {45, 9, 1};
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                    {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    const int *order = orders[index % 6];
    bool flip = index >= 6;
    int64_t permuted_size[3], permuted[3], offset = 0;
    for (int d = 0; d < 3; d++) {
        permuted_size[d] = size[order[d]];
        permuted[d] = stride[order[d]] * (flip ? -1 : 1);
        offset += flip ? (permuted_size[d] - 1) * stride[order[d]] : 0;
    }
    struct buffer *x = buffer_random(GN_F32, 270), *y = buffer_new(GN_F32, 270);
    program_begin("dropout");
    program_flags(GN_PROGRAM_NO_CONTRACT);
    int word = op3(GN_OP_RANDOM, GN_U32, load_index(1), param(GN_I64, 0), param(GN_I64, 1));
    int high = cast_to(GN_F32, op2(GN_OP_SHR, word, const_i(GN_U32, 8)));
    int dropped = op2(GN_OP_LT, mul(high, const_f(GN_F32, 0x1p-24)), param(GN_F32, 2));
    store(2, GN_F32, choose(dropped, const_f(GN_F32, 0), mul(load(0, GN_F32), param(GN_F32, 3))));
    const int64_t *s = permuted;
    map(program_end(), 3, permuted_size,
        OPERANDS(AT(x, offset, s[0], s[1], s[2]), INDEX(offset, s[0], s[1], s[2]),
                 AT(y, offset, s[0], s[1], s[2])),
        PARAMS({.i = 12}, {.i = 34}, {.f = 0.25}, {.f = 1 / 0.75}));
    for (int i = 0; i < 270; i++) {
        float uniform = (float)(random_word(i, 12, 34) >> 8) * 0x1p-24f;
        F32(y)[i] = uniform < 0.25f ? 0 : F32(x)[i] * (float)(1 / 0.75);
    }
    check_exact(y);
}

static const test_case cases[] = {
    {.name = "known_answers", .run = known_answers},
    {.name = "words", .run = words},
    {.name = "words_of_loaded_indices", .run = words_of_loaded_indices},
    {.name = "order_of_dims", .each = order_of_dims, .n = 12},
};

const test_group random_group = {.name = "random", CASES(cases), .after = kernel_after};
