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
#include <check.h>
#include <dlfcn.h>
#include <float.h>
#include <genesis/backend.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DIMS = 5, MAX_INSNS = 160, TARGET_INSNS = 24, PROGRAMS = 150 };

/* ---- The two plugins ------------------------------------------------------------------------- */

typedef struct plugin {
    gn_backend table;
    gn_device *device;
} plugin;

static plugin tested, reference;

static void host_log(int level, const char *message) { (void)level, (void)message; }

static gn_status host_set_error(gn_status status, uint64_t tag, const char *message) {
    (void)tag;
    if (getenv("GENESIS_FUZZ_VERBOSE"))
        fprintf(stderr, "%d: %s\n", status, message);
    return status;
}

static void *host_alloc(size_t bytes) { return aligned_alloc(64, (bytes + 63) / 64 * 64); }

static gn_status host_scratch(gn_device *device, gn_stream *stream, uint64_t bytes,
                              gn_pointer *out) {
    (void)device, (void)stream, (void)bytes, (void)out;
    return GN_E_MEMORY;
}

static int host_threads(void) { return 2; }

static const gn_host host = {
    .struct_size = sizeof host,
    .log = host_log,
    .set_error = host_set_error,
    .host_alloc = host_alloc,
    .host_free = free,
    .scratch = host_scratch,
    .threads = host_threads,
};

static void open_plugin(const char *variable, plugin *p) {
    const char *path = getenv(variable);
    ck_assert_msg(path && *path, "%s is not set", variable);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    ck_assert_msg(library != NULL, "%s", library ? "" : dlerror());
    gn_backend_entry_fn *entry = (gn_backend_entry_fn *)dlsym(library, "gn_backend_entry");
    ck_assert_ptr_nonnull(entry);
    gn_abi_request request = {.struct_size = sizeof request,
                              .major = GN_ABI_MAJOR,
                              .minor_min = GN_ABI_MINOR,
                              .minor_max = GN_ABI_MINOR};
    const gn_backend *table;
    ck_assert_int_eq(entry(&host, &request, &table), GN_OK);
    memcpy(&p->table, table,
           table->struct_size < sizeof p->table ? table->struct_size : sizeof p->table);
    ck_assert_int_eq(p->table.open(0, &p->device), GN_OK);
}

static void setup(void) {
    open_plugin("GENESIS_TEST_PLUGIN", &tested);
    open_plugin("GENESIS_TEST_REFERENCE", &reference);
}

/* ---- Chance ---------------------------------------------------------------------------------- */

static uint64_t state;

static uint64_t bits(void) { /* splitmix64 */
    uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static int64_t between(int64_t low, int64_t high) {
    return low + (int64_t)(bits() % (uint64_t)(high - low + 1));
}

static bool chance(int percent) { return between(1, 100) <= percent; }

/* ---- Programs -------------------------------------------------------------------------------- */

static const uint8_t opcode_ulp[GN_OP_SELECT + 1] = {
#define X(name, value, arity, ulp, meaning) [value] = ulp,
    GN_OPCODES(X)
#undef X
};
static const uint8_t opcode_arity[GN_OP_SELECT + 1] = {
#define X(name, value, arity, ulp, meaning) [value] = arity,
    GN_OPCODES(X)
#undef X
};

/* A program in the making. `full`: an operand of full size, not of one element per row. */
typedef struct maker {
    gn_program program;
    gn_insn insns[MAX_INSNS];
    gn_scalar constants[MAX_INSNS], params[GN_MAX_PARAMS];
    gn_operand_info operands[GN_MAX_OPERANDS];
    bool full[GN_MAX_OPERANDS];
    int axis[GN_MAX_OPERANDS]; /* extent for LOADX, or 0 */
    int ulp[GN_MAX_OPERANDS];  /* of what is stored there */
    int first_visible;         /* the first value that this part may use */
    bool row;
} maker;

static int emit(maker *m, int op, int type, int a, int b, int c) {
    ck_assert_uint_lt(m->program.n_insns, MAX_INSNS);
    m->insns[m->program.n_insns] = (gn_insn){.op = (uint16_t)op,
                                             .type = (uint16_t)type,
                                             .a = (uint16_t)a,
                                             .b = (uint16_t)b,
                                             .c = (uint16_t)c};
    return (int)m->program.n_insns++;
}

static int add_operand(maker *m, int role, int dtype) {
    const uint32_t k = m->program.n_operands++;
    m->operands[k] = (gn_operand_info){.role = (uint16_t)role, .dtype = (uint16_t)dtype};
    m->full[k] = !m->row;
    m->axis[k] = m->ulp[k] = 0;
    return (int)k;
}

static int add_constant(maker *m, int type, gn_scalar value) {
    m->constants[m->program.n_constants] = value;
    return emit(m, GN_OP_CONST, type, (int)m->program.n_constants++, 0, 0);
}

static int integer(maker *m, int type, int64_t value) {
    return add_constant(m, type,
                        gn_dtype_is_float(type) ? (gn_scalar){.f = (double)value}
                                                : (gn_scalar){.i = value});
}

static gn_scalar any_scalar(int type) {
    if (gn_dtype_is_float(type))
        return (gn_scalar){.f = (double)between(-64, 64) / 8};
    return (gn_scalar){.i = type == GN_BOOL ? between(0, 1) : between(-9, 120)};
}

static int value_of(maker *m, int type, int depth);

static const int register_types[] = {GN_F32, GN_F32, GN_F32, GN_F64, GN_I64, GN_I32,
                                     GN_I16, GN_I8,  GN_U8,  GN_U32, GN_BOOL};
static int any_type(void) { return register_types[between(0, 10)]; }

static int storage_of(int type) {
    if (type != GN_F32 || chance(60))
        return type;
    return chance(50) ? GN_F16 : GN_BF16;
}

/* -1: no place for another operand. */
static int load(maker *m, int type) {
    if (m->program.n_operands > GN_MAX_OPERANDS - 8)
        return -1;
    if (type == GN_I64 && chance(30))
        return emit(m, GN_OP_LOAD, GN_I64, add_operand(m, GN_INDEX, GN_I64), 0, 0);
    if (type != GN_U32 && chance(12)) {
        const int extent = (int)between(1, 9);
        int index = value_of(m, GN_I64, 1);
        index = emit(m, GN_OP_REMAINDER, GN_I64, index, integer(m, GN_I64, extent), 0);
        const int k = add_operand(m, GN_READ, storage_of(type));
        m->axis[k] = extent;
        return emit(m, GN_OP_LOADX, type, k, index, 0);
    }
    const int stored = type == GN_U32 ? GN_I32 : type;
    const int value =
        emit(m, GN_OP_LOAD, stored, add_operand(m, GN_READ, storage_of(stored)), 0, 0);
    return type == GN_U32 ? emit(m, GN_OP_CAST, GN_U32, value, 0, 0) : value;
}

/* To an integer only from within its range, because what C does beyond is anyone's guess. */
static int cast(maker *m, int type, int depth) {
    int from = any_type();
    int value = value_of(m, from, depth);
    if (gn_dtype_is_float(from) && !gn_dtype_is_float(type) && type != GN_BOOL) {
        const int nan = emit(m, GN_OP_ISNAN, GN_BOOL, value, 0, 0);
        value = emit(m, GN_OP_SELECT, from, nan, integer(m, from, 0), value);
        value = emit(m, GN_OP_MIN, from, value, integer(m, from, 100), 0);
        const int low = type == GN_U8 || type == GN_U32 ? 0 : -100;
        value = emit(m, GN_OP_MAX, from, value, integer(m, from, low), 0);
    }
    return emit(m, GN_OP_CAST, type, value, 0, 0);
}

static int random_word(maker *m, int depth) {
    const int index = value_of(m, GN_I64, depth);
    const int offset = integer(m, GN_I64, between(0, 99)), key = integer(m, GN_I64, between(0, 99));
    return emit(m, GN_OP_RANDOM, GN_U32, index, offset, key);
}

static int compute(maker *m, int type, int depth) {
    static const int float_ops[] = {
        GN_OP_ADD,  GN_OP_SUB,   GN_OP_MUL,  GN_OP_DIV, GN_OP_FLOORDIV, GN_OP_FMOD,
        GN_OP_MIN,  GN_OP_MAX,   GN_OP_NEG,  GN_OP_ABS, GN_OP_SIGN,     GN_OP_FLOOR,
        GN_OP_CEIL, GN_OP_TRUNC, GN_OP_RINT, GN_OP_ADD, GN_OP_MUL};
    static const int int_ops[] = {
        GN_OP_ADD, GN_OP_SUB, GN_OP_MUL, GN_OP_DIV, GN_OP_FLOORDIV, GN_OP_FMOD, GN_OP_REMAINDER,
        GN_OP_POW, GN_OP_MIN, GN_OP_MAX, GN_OP_NEG, GN_OP_ABS,      GN_OP_SIGN, GN_OP_AND,
        GN_OP_OR,  GN_OP_XOR, GN_OP_NOT, GN_OP_SHL, GN_OP_SHR};
    static const int bool_ops[] = {GN_OP_ADD, GN_OP_MUL, GN_OP_AND, GN_OP_OR, GN_OP_XOR, GN_OP_NOT};
    static const int compare_ops[] = {GN_OP_EQ, GN_OP_NE, GN_OP_LT, GN_OP_LE};
    if (chance(15)) {
        const int condition = value_of(m, GN_BOOL, depth), a = value_of(m, type, depth);
        return emit(m, GN_OP_SELECT, type, condition, a, value_of(m, type, depth));
    }
    if (chance(20))
        return cast(m, type, depth);
    if (type == GN_U32 && chance(30))
        return random_word(m, depth);
    if (type == GN_F32 && chance(10))
        return emit(m, GN_OP_ROUND, GN_F32, value_of(m, GN_F32, depth),
                    chance(50) ? GN_F16 : GN_BF16, 0);
    if (type == GN_BOOL && chance(60)) {
        const int of = any_type(), a = value_of(m, of, depth);
        if (gn_dtype_is_float(of) && chance(30))
            return emit(m, chance(50) ? GN_OP_ISNAN : GN_OP_ISINF, GN_BOOL, a, 0, 0);
        return emit(m, compare_ops[between(0, 3)], GN_BOOL, a, value_of(m, of, depth), 0);
    }
    const int op = gn_dtype_is_float(type) ? float_ops[between(0, 16)]
                   : type == GN_BOOL       ? bool_ops[between(0, 5)]
                                           : int_ops[between(0, 18)];
    const int a = value_of(m, type, depth);
    return emit(m, op, type, a, opcode_arity[op] == 2 ? value_of(m, type, depth) : 0, 0);
}

/* A value that exists already, or -1. */
static int reuse(const maker *m, int type) {
    int found = -1, seen = 0;
    for (int i = m->first_visible; i < (int)m->program.n_insns; i++)
        if (m->insns[i].type == type && m->insns[i].op != GN_OP_STORE &&
            m->insns[i].op != GN_OP_ELEMENTS && !opcode_ulp[m->insns[i].op] &&
            between(0, seen++) == 0)
            found = i;
    return found;
}

/* Appends what computes an exact value of a type; returns its number. */
static int value_of(maker *m, int type, int depth) {
    const bool leaf = depth <= 0 || m->program.n_insns > TARGET_INSNS;
    int value = chance(leaf ? 60 : 25) ? reuse(m, type) : -1;
    if (value < 0 && !leaf && chance(70))
        return compute(m, type, depth - 1);
    if (value < 0 && chance(75))
        value = load(m, type);
    if (value < 0 && m->program.n_params < GN_MAX_PARAMS && chance(40)) {
        m->params[m->program.n_params] = any_scalar(type);
        value = emit(m, GN_OP_PARAM, type, (int)m->program.n_params++, 0, 0);
    }
    return value >= 0 ? value : add_constant(m, type, any_scalar(type));
}

/* Stores a value, first through an opcode with an error bound now and then. */
static int store(maker *m, int type, int value) {
    int ulp = 0;
    if ((type == GN_F32 || type == GN_F64) && chance(35)) {
        int op;
        do
            op = (int)between(GN_OP_POW, GN_OP_DIGAMMA);
        while (!opcode_ulp[op]);
        ulp = opcode_ulp[op];
        const int other = opcode_arity[op] == 2 ? value_of(m, type, 0) : 0;
        value = emit(m, op, type, value, other, 0);
    }
    if (type == GN_U32) {
        type = GN_I64;
        value = emit(m, GN_OP_CAST, type, value, 0, 0);
    }
    const int k = add_operand(m, GN_WRITE, storage_of(type));
    m->ulp[k] = ulp;
    emit(m, GN_OP_STORE, type, k, value, 0);
    return k;
}

static void begin(maker *m) {
    memset(m, 0, sizeof *m);
    m->program.struct_size = sizeof m->program;
    m->program.flags = GN_PROGRAM_NO_CONTRACT;
    m->program.name = "fuzz";
    m->program.insn_size = sizeof(gn_insn);
    m->program.n_parts = 1;
}

static void end(maker *m) {
    m->program.hash[0] = bits();
    m->program.insns = m->insns;
    m->program.constants = m->constants;
    m->program.operands = m->operands;
}

static void element_stores(maker *m) {
    for (int64_t n = between(1, 3); n-- > 0;) {
        const int type = any_type();
        store(m, type, value_of(m, type, (int)between(1, 5)));
    }
}

/* The element part of a reduce program and its reductions, which are exact. */
static void reductions(maker *m, int *value, int *n) {
    static const int kinds[] = {GN_SUM, GN_SUM, GN_PROD, GN_MAX, GN_MIN, GN_ARGMAX, GN_ARGMIN};
    int kind[3], a[3], payload[3], type[3];
    *n = (int)between(1, 3);
    if (chance(25))
        element_stores(m);
    for (int r = 0; r < *n; r++) {
        kind[r] = kinds[between(0, 6)];
        type[r] = any_type();
        a[r] = value_of(m, type[r], (int)between(0, 3));
        payload[r] = 0;
        if (kind[r] >= GN_ARGMAX)
            payload[r] = value_of(m, GN_I64, 0);
        if (gn_dtype_is_float(type[r]) && kind[r] == GN_SUM) {
            a[r] = emit(m, GN_OP_RINT, type[r], a[r], 0, 0);
            a[r] = emit(m, GN_OP_MIN, type[r], a[r], integer(m, type[r], 64), 0);
            a[r] = emit(m, GN_OP_MAX, type[r], a[r], integer(m, type[r], -64), 0);
        }
        if (gn_dtype_is_float(type[r]) && kind[r] == GN_PROD)
            a[r] = emit(m, GN_OP_SIGN, type[r], a[r], 0, 0);
    }
    m->first_visible = (int)m->program.n_insns;
    for (int r = 0; r < *n; r++)
        value[r] = emit(m, GN_OP_REDUCE, kind[r] >= GN_ARGMAX ? GN_I64 : type[r], a[r], payload[r],
                        kind[r]);
    m->row = true;
    m->program.n_parts = 2;
}

/* ---- Spaces and operands --------------------------------------------------------------------- */

typedef struct space {
    uint32_t n_dims, n_reduced;
    int64_t size[GN_MAX_DIMS];
} space;

/* Memory of an operand: what both plugins begin with. */
typedef struct block {
    int64_t n;
    char *initial;
    gn_mem *mem[2];
    bool shared; /* it is another operand's */
} block;

static void any_space(space *s, bool reduces) {
    static const int64_t sizes[] = {2, 3, 4, 5, 7, 8, 16, 17, 33, 64, 100, 300, 1025, 3000};
    int64_t room = chance(6) ? 200000 : 6000;
    s->n_dims = (uint32_t)between(reduces ? 1 : 0, MAX_DIMS);
    s->n_reduced = reduces ? (uint32_t)between(1, s->n_dims) : 0;
    for (uint32_t d = 0; d < s->n_dims; d++) {
        do
            s->size[d] = sizes[between(0, 13)];
        while (s->size[d] > room && room >= 2);
        if (room < 2)
            s->size[d] = 2;
        room /= s->size[d];
    }
}

/* Strides of a dense or gappy array, its dims in any order, or with broadcast dims or windows. */
static void any_strides(const space *s, gn_operand *o, bool written, bool full) {
    uint32_t order[GN_MAX_DIMS];
    for (uint32_t d = 0; d < s->n_dims; d++)
        order[d] = d;
    if (chance(40))
        for (uint32_t d = s->n_dims; d > 1; d--) {
            const uint32_t other = (uint32_t)between(0, d - 1), kept = order[d - 1];
            order[d - 1] = order[other];
            order[other] = kept;
        }
    int64_t stride = chance(15) ? between(2, 3) : 1;
    const bool broadcasts = !written && chance(35), window = !written && chance(10);
    for (uint32_t i = s->n_dims; i-- > 0;) {
        const uint32_t d = order[i];
        const bool absent = (!full && d >= s->n_dims - s->n_reduced) || (broadcasts && chance(50));
        o->stride[d] = absent ? 0 : window ? between(1, 3) : chance(8) ? -stride : stride;
        if (!absent)
            stride *= s->size[d] + (chance(8) ? between(1, 5) : 0);
    }
}

/* Elements that the operand spans; its offset becomes that of its first element. */
static int64_t place(const space *s, gn_operand *o) {
    int64_t low = 0, high = 0;
    for (uint32_t d = 0; d < s->n_dims; d++) {
        const int64_t reach = (s->size[d] - 1) * o->stride[d];
        low += reach < 0 ? reach : 0;
        high += reach > 0 ? reach : 0;
    }
    const int64_t before = chance(30) ? between(1, 9) : 0;
    o->offset = before - low;
    return before + high - low + 1 +
           (o->axis_extent > 0 ? (o->axis_extent - 1) * o->axis_stride : 0);
}

static void put_any(char *at, int dtype) {
    const double f = chance(3)   ? (chance(40)   ? NAN
                                    : chance(50) ? INFINITY
                                                 : -INFINITY)
                     : chance(3) ? -0.0
                                 : (double)between(-64, 64) / 8;
    const float single = (float)f;
    const int64_t i = dtype == GN_BOOL ? between(0, 1)
                      : chance(5)      ? (int64_t)bits()
                                       : between(-9, 9);
    const uint64_t words[2] = {bits(), bits()};
    /* Halves: any of small exponent, now and then any at all. */
    const uint16_t half = dtype == GN_F16 ? (uint16_t)((words[0] & 0x83ff) | 0x3c00)
                                          : (uint16_t)((words[0] & 0x80ff) | 0x3f00);
    switch (dtype) {
    case GN_F32: memcpy(at, &single, sizeof single); break;
    case GN_F64: memcpy(at, &f, sizeof f); break;
    case GN_F16:
    case GN_BF16:
        memcpy(at, chance(5) ? (const void *)&words[1] : (const void *)&half, sizeof half);
        break;
    default: /* little-endian, as all of the machines that it runs on */
        memcpy(at, &i, gn_dtype_bytes(dtype));
    }
}

static void make_block(block *b, int dtype, int64_t n) {
    const uint32_t bytes = gn_dtype_bytes(dtype);
    b->n = n;
    b->initial = malloc((size_t)n * bytes);
    ck_assert_ptr_nonnull(b->initial);
    for (int64_t i = 0; i < n; i++)
        put_any(b->initial + i * bytes, dtype);
    plugin *both[2] = {&tested, &reference};
    for (int p = 0; p < 2; p++) {
        ck_assert_int_eq(both[p]->table.alloc(both[p]->device, (uint64_t)n * bytes, &b->mem[p]),
                         GN_OK);
        ck_assert_int_eq(both[p]->table.upload(both[p]->device, NULL, b->mem[p], 0, b->initial,
                                               (uint64_t)n * bytes),
                         GN_OK);
    }
}

/* Whether operand k may be written where `read` is read, in a map: same elements, each once. */
static bool may_alias(const maker *m, const gn_operand *o, const space *s, int read, int k) {
    if (m->operands[read].role != GN_READ || m->operands[read].dtype != m->operands[k].dtype ||
        m->axis[read])
        return false;
    int64_t product = 1; /* injective, as far as is easily seen */
    for (uint32_t d = s->n_dims; d-- > 0; product *= s->size[d])
        if (o[read].stride[d] < product)
            return false;
    return true;
}

static void make_operands(const maker *m, const space *s, gn_operand *o, block *b) {
    memset(o, 0, GN_MAX_OPERANDS * sizeof *o);
    memset(b, 0, GN_MAX_OPERANDS * sizeof *b);
    for (uint32_t k = 0; k < m->program.n_operands; k++) {
        const bool written = m->operands[k].role == GN_WRITE;
        if (written && m->program.n_parts == 1 && chance(30)) {
            const int read = (int)between(0, m->program.n_operands - 1);
            bool taken = read >= (int)k || !may_alias(m, o, s, read, (int)k);
            for (uint32_t j = 0; j < k && !taken; j++)
                taken = b[j].mem[0] == b[read].mem[0] && (int)j != read;
            if (!taken) {
                o[k] = o[read];
                b[k] = b[read];
                b[k].shared = true;
                continue;
            }
        }
        any_strides(s, &o[k], written, m->full[k]);
        if (m->operands[k].role == GN_INDEX) {
            o[k].offset = between(-50, 1000);
            continue;
        }
        o[k].axis_extent = m->axis[k];
        o[k].axis_stride = m->axis[k] ? between(1, 40) : 0;
        make_block(&b[k], m->operands[k].dtype, place(s, &o[k]));
    }
}

/* As the host does: within kept and reduced dims the largest stride of operand 0 comes first, and
 * dims that can be merged are. */
static void simplify(space *s, gn_operand *o, uint32_t n_operands) {
    const uint32_t n_kept = s->n_dims - s->n_reduced;
    for (uint32_t pass = 0; pass < s->n_dims; pass++)
        for (uint32_t d = 0; d + 1 < s->n_dims; d++) {
            if (d + 1 == n_kept || llabs(o[0].stride[d]) >= llabs(o[0].stride[d + 1]))
                continue;
            const int64_t size = s->size[d];
            s->size[d] = s->size[d + 1];
            s->size[d + 1] = size;
            for (uint32_t k = 0; k < n_operands; k++) {
                const int64_t stride = o[k].stride[d];
                o[k].stride[d] = o[k].stride[d + 1];
                o[k].stride[d + 1] = stride;
            }
        }
    for (uint32_t d = 0; d + 1 < s->n_dims;) {
        bool merges = d + 1 != s->n_dims - s->n_reduced;
        for (uint32_t k = 0; k < n_operands; k++)
            merges = merges && o[k].stride[d] == o[k].stride[d + 1] * s->size[d + 1];
        if (!merges) {
            d++;
            continue;
        }
        if (d >= s->n_dims - s->n_reduced)
            s->n_reduced--;
        s->size[d] *= s->size[d + 1];
        s->n_dims--;
        for (uint32_t e = d; e < s->n_dims; e++) {
            s->size[e] = s->size[e + 1];
            for (uint32_t k = 0; k < n_operands; k++)
                o[k].stride[e] = o[k].stride[e + 1];
        }
    }
}

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
    tcase_add_checked_fixture(programs, setup, NULL);
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
