/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fuzz.c - random programs, shapes, strides and dtypes, run by two plugins and compared.
 *
 * GENESIS_TEST_PLUGIN and GENESIS_TEST_REFERENCE name the plugins. Programs forbid contraction, so
 * all opcodes without an error bound agree exactly; the value of one with a bound is stored at once
 * and compared within the bounds of both plugins. Sums and products are of small whole numbers,
 * hence exact. A row program is compared with the reference's reduce and map that it is made of.
 * GENESIS_FUZZ_SEED and GENESIS_FUZZ_COUNT ask for other programs.
 */
#include <float.h>
#include <stdio.h>

#include "fuzz_space.h"

enum { PROGRAMS = 150 };

/* ---- Running and comparing ------------------------------------------------------------------- */

typedef gn_status kernel(gn_device *device, gn_stream *stream, const gn_call *call);

static gn_status run(int which, kernel *run_kernel, const maker *m, const space *s,
                     const gn_operand *operands, const block *b) {
    plugin *p = which ? &reference : &tested;
    gn_operand mine[GN_MAX_OPERANDS];
    memcpy(mine, operands, sizeof mine);
    for (uint32_t k = 0; k < m->program.n_operands; k++)
        mine[k].mem = b[k].mem[which];
    void *handle = NULL;
    if (p->table.program_create)
        ck_assert_int_eq(p->table.program_create(p->device, &m->program, &handle), GN_OK);
    const gn_call call = {.struct_size = sizeof call,
                          .tag = 7,
                          .program = &m->program,
                          .handle = handle,
                          .n_dims = s->n_dims,
                          .n_reduced = s->n_reduced,
                          .n_operands = m->program.n_operands,
                          .operand_size = sizeof *mine,
                          .size = s->size,
                          .operands = mine,
                          .params = m->params};
    gn_status status = run_kernel(p->device, NULL, &call);
    if (!status && p->table.synchronise)
        status = p->table.synchronise(p->device, NULL);
    if (handle && p->table.program_release)
        p->table.program_release(p->device, handle);
    return status;
}

static double half_value(int dtype, uint16_t half) {
    const int exponent = half >> 10 & 31, fraction = half & 1023;
    const uint32_t wide = (uint32_t)half << 16;
    float f;
    memcpy(&f, &wide, sizeof f);
    if (dtype == GN_BF16)
        return f;
    const double magnitude = exponent == 31  ? (fraction ? NAN : INFINITY)
                             : exponent == 0 ? ldexp(fraction, -24)
                                             : ldexp(1024 + fraction, exponent - 25);
    return half & 0x8000 ? -magnitude : magnitude;
}

static double float_at(const char *at, int dtype) {
    float f;
    double d;
    uint16_t half;
    switch (dtype) {
    case GN_F32: memcpy(&f, at, sizeof f); return f;
    case GN_F64: memcpy(&d, at, sizeof d); return d;
    default: memcpy(&half, at, sizeof half); return half_value(dtype, half);
    }
}

/* Equal, or within `ulp` of the computed type for either plugin, and a rounding to storage. */
static bool agree(const char *a, const char *b, int dtype, int ulp) {
    if (!gn_dtype_is_float(dtype))
        return memcmp(a, b, gn_dtype_bytes(dtype)) == 0;
    const double x = float_at(a, dtype), y = float_at(b, dtype);
    if (x == y || (isnan(x) && isnan(y)))
        return true;
    if (ulp == 0 || isnan(x) || isnan(y))
        return false;
    static const double epsilon[GN_N_DTYPES] = {
        [GN_F16] = 0x1p-10, [GN_BF16] = 0x1p-7, [GN_F32] = FLT_EPSILON, [GN_F64] = DBL_EPSILON};
    static const double largest[GN_N_DTYPES] = {
        [GN_F16] = 65504, [GN_BF16] = 0x1.fep127, [GN_F32] = FLT_MAX, [GN_F64] = DBL_MAX};
    static const double smallest[GN_N_DTYPES] = {
        [GN_F16] = 0x1p-14, [GN_BF16] = FLT_MIN, [GN_F32] = FLT_MIN, [GN_F64] = DBL_MIN};
    if (isinf(x) || isinf(y)) /* one of them just below the largest number */
        return (x > 0) == (y > 0) && fmin(fabs(x), fabs(y)) > largest[dtype] * (1 - 1e-2);
    const double size = fmax(fmax(fabs(x), fabs(y)), smallest[dtype]);
    const double computed = dtype == GN_F64 ? DBL_EPSILON : FLT_EPSILON;
    const double rounding = dtype == GN_F16 || dtype == GN_BF16 ? epsilon[dtype] : 0;
    return fabs(x - y) <= size * (2 * ulp * computed + rounding);
}

static void print_program(const maker *m, const space *s, const gn_operand *o) {
    static const char *const names[GN_OP_SELECT + 1] = {
#define X(name, value, arity, ulp, meaning) [value] = #name,
        GN_OPCODES(X)
#undef X
    };
    static const char *const dtypes[GN_N_DTYPES] = {
#define X(name, value, text, bytes) [value] = text,
        GN_DTYPES(X)
#undef X
    };
    for (uint32_t i = 0; i < m->program.n_insns; i++)
        fprintf(stderr, "%4u %-9s %-8s %d %d %d\n", i, names[m->insns[i].op],
                dtypes[m->insns[i].type], m->insns[i].a, m->insns[i].b, m->insns[i].c);
    fprintf(stderr, "space, the last %u reduced:", s->n_reduced);
    for (uint32_t d = 0; d < s->n_dims; d++)
        fprintf(stderr, " %lld", (long long)s->size[d]);
    for (uint32_t k = 0; k < m->program.n_operands; k++) {
        fprintf(stderr, "\noperand %u %-8s role %d offset %lld strides", k,
                dtypes[m->operands[k].dtype], m->operands[k].role, (long long)o[k].offset);
        for (uint32_t d = 0; d < s->n_dims; d++)
            fprintf(stderr, " %lld", (long long)o[k].stride[d]);
    }
    fputc('\n', stderr);
}

/* Compares all memory of operand k of one program with that of operand r of another. */
static void compare(uint64_t seed, const maker *m, const space *s, const gn_operand *o, int k,
                    const block *got, const block *expected) {
    const int dtype = m->operands[k].dtype;
    const size_t element = gn_dtype_bytes(dtype), bytes = (size_t)got->n * element;
    char *a = malloc(bytes), *b = malloc(bytes);
    ck_assert(a && b);
    ck_assert_int_eq(tested.table.download(tested.device, NULL, a, got->mem[0], 0, bytes), GN_OK);
    ck_assert_int_eq(
        reference.table.download(reference.device, NULL, b, expected->mem[1], 0, bytes), GN_OK);
    for (int64_t i = 0; i < got->n; i++) {
        const char *x = a + (size_t)i * element, *y = b + (size_t)i * element;
        if (agree(x, y, dtype, m->ulp[k]))
            continue;
        print_program(m, s, o);
        const bool is_float = gn_dtype_is_float(dtype);
        int64_t words[2] = {0, 0};
        memcpy(&words[0], x, element);
        memcpy(&words[1], y, element);
        ck_abort_msg("seed %llu: operand %d, element %lld: %.17g (%#llx), not %.17g (%#llx)",
                     (unsigned long long)seed, k, (long long)i, is_float ? float_at(x, dtype) : 0,
                     (unsigned long long)words[0], is_float ? float_at(y, dtype) : 0,
                     (unsigned long long)words[1]);
    }
    free(a);
    free(b);
}

static void free_blocks(block *b, uint32_t n) {
    for (uint32_t k = 0; k < n; k++) {
        if (b[k].shared || !b[k].initial)
            continue;
        tested.table.free(tested.device, b[k].mem[0]);
        reference.table.free(reference.device, b[k].mem[1]);
        free(b[k].initial);
    }
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void fuzz_map(uint64_t seed) {
    static maker m;
    static gn_operand o[GN_MAX_OPERANDS];
    static block b[GN_MAX_OPERANDS];
    space s;
    begin(&m);
    element_stores(&m);
    end(&m);
    any_space(&s, false);
    make_operands(&m, &s, o, b);
    simplify(&s, o, m.program.n_operands);
    for (int which = 0; which < 2; which++)
        ck_assert_int_eq(run(which, which ? reference.table.map : tested.table.map, &m, &s, o, b),
                         GN_OK);
    for (uint32_t k = 0; k < m.program.n_operands; k++)
        if (m.operands[k].role == GN_WRITE)
            compare(seed, &m, &s, o, (int)k, &b[k], &b[k]);
    free_blocks(b, m.program.n_operands);
}

static void fuzz_reduce(uint64_t seed) {
    static maker m;
    static gn_operand o[GN_MAX_OPERANDS];
    static block b[GN_MAX_OPERANDS];
    space s;
    int value[3], n;
    begin(&m);
    reductions(&m, value, &n);
    for (int r = 0; r < n; r++) {
        const int type = m.insns[value[r]].type;
        store(&m, type, chance(50) ? value[r] : value_of(&m, type, 2));
    }
    end(&m);
    any_space(&s, true);
    make_operands(&m, &s, o, b);
    simplify(&s, o, m.program.n_operands);
    for (int which = 0; which < 2; which++)
        ck_assert_int_eq(
            run(which, which ? reference.table.reduce : tested.table.reduce, &m, &s, o, b), GN_OK);
    for (uint32_t k = 0; k < m.program.n_operands; k++)
        if (m.operands[k].role == GN_WRITE)
            compare(seed, &m, &s, o, (int)k, &b[k], &b[k]);
    free_blocks(b, m.program.n_operands);
}

/*
 * A row program is a reduce program, ELEMENTS and a map program that reads what the former stored
 * for each row: `kept`, operand number of both the reduce and the row program. In the map program
 * it is an operand, in the row program the value itself.
 */
static void join(maker *row, const maker *reduced, const maker *mapped, int kept_value,
                 int kept_operand) {
    *row = *reduced;
    row->row = false;
    emit(row, GN_OP_ELEMENTS, GN_BOOL, 0, 0, 0);
    int number[MAX_INSNS];
    for (uint32_t i = 0; i < mapped->program.n_insns; i++) {
        gn_insn insn = mapped->insns[i];
        const unsigned arity = insn.op == GN_OP_ROUND ? 1 : opcode_arity[insn.op];
        if (insn.op == GN_OP_LOAD && insn.a == kept_operand) {
            number[i] = kept_value;
            continue;
        }
        if (insn.op == GN_OP_LOAD || insn.op == GN_OP_LOADX || insn.op == GN_OP_STORE)
            insn.a = (uint16_t)(insn.a + reduced->program.n_operands);
        if (insn.op == GN_OP_LOADX || insn.op == GN_OP_STORE)
            insn.b = (uint16_t)number[insn.b];
        else if (insn.op == GN_OP_CONST)
            insn.a = (uint16_t)(insn.a + reduced->program.n_constants);
        else if (insn.op == GN_OP_PARAM)
            insn.a = (uint16_t)(insn.a + reduced->program.n_params);
        else if (insn.op != GN_OP_LOAD) {
            insn.a = (uint16_t)number[insn.a];
            insn.b = (uint16_t)(arity > 1 ? number[insn.b] : insn.b);
            insn.c = (uint16_t)(arity > 2 ? number[insn.c] : insn.c);
        }
        number[i] = emit(row, insn.op, insn.type, insn.a, insn.b, insn.c);
    }
    for (uint32_t k = 0; k < mapped->program.n_constants; k++)
        row->constants[row->program.n_constants++] = mapped->constants[k];
    for (uint32_t k = 0; k < mapped->program.n_params; k++)
        row->params[row->program.n_params++] = mapped->params[k];
    for (uint32_t k = 0; k < mapped->program.n_operands; k++) {
        const uint32_t to = row->program.n_operands++;
        row->operands[to] = mapped->operands[k];
        row->ulp[to] = mapped->ulp[k];
    }
    row->program.n_parts = 3;
    end(row);
}

static void fuzz_row_map(uint64_t seed) {
    static maker reduced, mapped, row;
    static gn_operand ro[GN_MAX_OPERANDS], mo[GN_MAX_OPERANDS], o[GN_MAX_OPERANDS];
    static block rb[GN_MAX_OPERANDS], mb[GN_MAX_OPERANDS], b[GN_MAX_OPERANDS];
    space s;
    int value[3], n;
    if (!tested.table.row_map)
        return;
    begin(&reduced);
    reductions(&reduced, value, &n);
    const int type = reduced.insns[value[0]].type;
    if (type == GN_U32)
        return;
    const int kept = add_operand(&reduced, GN_WRITE, type);
    emit(&reduced, GN_OP_STORE, type, kept, value[0], 0);
    end(&reduced);
    begin(&mapped);
    emit(&mapped, GN_OP_LOAD, type, add_operand(&mapped, GN_READ, type), 0, 0);
    element_stores(&mapped);
    end(&mapped);
    if (reduced.program.n_operands + mapped.program.n_operands > GN_MAX_OPERANDS ||
        reduced.program.n_insns + mapped.program.n_insns >= MAX_INSNS ||
        reduced.program.n_params + mapped.program.n_params > GN_MAX_PARAMS)
        return;
    any_space(&s, true);
    make_operands(&reduced, &s, ro, rb);
    mapped.full[0] = false;
    mapped.program.n_parts = 3; /* no aliases */
    make_operands(&mapped, &s, mo, mb);
    mapped.program.n_parts = 1;
    free_blocks(mb, 1);
    mo[0] = ro[kept];
    mb[0] = rb[kept];
    mb[0].shared = true;
    join(&row, &reduced, &mapped, value[0], 0);
    const uint32_t n_reduced = reduced.program.n_operands;
    memcpy(o, ro, n_reduced * sizeof *o);
    memcpy(b, rb, n_reduced * sizeof *b);
    memcpy(o + n_reduced, mo, mapped.program.n_operands * sizeof *o);
    memcpy(b + n_reduced, mb, mapped.program.n_operands * sizeof *b);
    simplify(&s, o, row.program.n_operands);
    memcpy(ro, o, n_reduced * sizeof *o);
    memcpy(mo, o + n_reduced, mapped.program.n_operands * sizeof *o);
    const space all = {.n_dims = s.n_dims, .n_reduced = 0};
    space map_space = all;
    memcpy(map_space.size, s.size, sizeof s.size);
    const gn_status status = run(0, tested.table.row_map, &row, &s, o, b);
    if (status != GN_E_UNSUPPORTED) {
        ck_assert_int_eq(status, GN_OK);
        ck_assert_int_eq(run(1, reference.table.reduce, &reduced, &s, ro, rb), GN_OK);
        ck_assert_int_eq(run(1, reference.table.map, &mapped, &map_space, mo, mb), GN_OK);
        for (uint32_t k = 0; k < row.program.n_operands; k++)
            if (row.operands[k].role == GN_WRITE)
                compare(seed, &row, &s, o, (int)k, &b[k], &b[k]);
    }
    free_blocks(rb, reduced.program.n_operands);
    free_blocks(mb, mapped.program.n_operands);
}

static void fuzz(void (*one)(uint64_t seed)) {
    const char *seed_text = getenv("GENESIS_FUZZ_SEED"), *count = getenv("GENESIS_FUZZ_COUNT");
    const uint64_t first = seed_text ? strtoull(seed_text, NULL, 10) : 1;
    const uint64_t n = count ? strtoull(count, NULL, 10) : seed_text ? 1 : PROGRAMS;
    for (uint64_t seed = first; seed < first + n; seed++) {
        state = seed;
        one(seed);
    }
}

START_TEST(map_programs) { fuzz(fuzz_map); }
END_TEST

START_TEST(reduce_programs) { fuzz(fuzz_reduce); }
END_TEST

START_TEST(row_programs) { fuzz(fuzz_row_map); }
END_TEST

int main(void) {
    Suite *suite = suite_create("fuzz");
    TCase *programs = tcase_create("programs");
    tcase_add_checked_fixture(programs, setup, teardown);
    tcase_set_timeout(programs, 600);
    tcase_add_test(programs, map_programs);
    tcase_add_test(programs, reduce_programs);
    tcase_add_test(programs, row_programs);
    suite_add_tcase(suite, programs);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
