/* SPDX-License-Identifier: Apache-2.0 */
/* program.c - builds programs, and calls kernels with them. */
#include "kernel.h"

#include <stdlib.h>
#include <string.h>

/* A program with all that it points to, and the handle of program_create. */
struct built {
    gn_program program; /* first, so that a pointer to it is one to the whole */
    gn_insn insns[GN_MAX_INSNS];
    gn_scalar constants[GN_MAX_INSNS];
    gn_operand_info operands[GN_MAX_OPERANDS];
    void *handle;
    bool created;
    struct built *next;
};

/* Finished programs stay, because a backend may look at them for as long as it is open. */
static struct built *current, *finished;

/* ---- Programs -------------------------------------------------------------------------------- */

void program_begin(const char *name) {
    free(current); /* of a case that failed between begin and end */
    current = calloc(1, sizeof *current);
    EXPECT(current, "no host memory for a program");
    current->program = (gn_program){
        .struct_size = sizeof(gn_program),
        .name = name,
        .insn_size = sizeof(gn_insn),
        .n_parts = 1,
        .insns = current->insns,
        .constants = current->constants,
        .operands = current->operands,
    };
}

void program_flags(uint32_t flags) { current->program.flags = flags; }

static int append(int op, int type, int a, int b, int c) {
    uint32_t n = current->program.n_insns++;
    EXPECT(n < GN_MAX_INSNS, "%s is too long", current->program.name);
    current->insns[n] = (gn_insn){.op = (uint16_t)op,
                                  .type = (uint16_t)type,
                                  .a = (uint16_t)a,
                                  .b = (uint16_t)b,
                                  .c = (uint16_t)c};
    return (int)n;
}

static int type_of(int value) { return current->insns[value].type; }

static void declare(int operand, int role, int dtype) {
    current->operands[operand] =
        (gn_operand_info){.role = (uint16_t)role, .dtype = (uint16_t)dtype};
    if (current->program.n_operands <= (uint32_t)operand)
        current->program.n_operands = (uint32_t)operand + 1;
}

int load(int operand, int dtype) {
    declare(operand, GN_READ, dtype);
    return append(GN_OP_LOAD, value_type(dtype), operand, 0, 0);
}

int load_index(int operand) {
    declare(operand, GN_INDEX, GN_I64);
    return append(GN_OP_LOAD, GN_I64, operand, 0, 0);
}

int loadx(int operand, int dtype, int index) {
    declare(operand, GN_READ, dtype);
    return append(GN_OP_LOADX, value_type(dtype), operand, index, 0);
}

static int constant(int type, gn_scalar value) {
    uint32_t n = current->program.n_constants++;
    current->constants[n] = value;
    return append(GN_OP_CONST, type, (int)n, 0, 0);
}

int const_f(int type, double value) { return constant(type, (gn_scalar){.f = value}); }
int const_i(int type, int64_t value) { return constant(type, (gn_scalar){.i = value}); }

int param(int type, int number) {
    if (current->program.n_params <= (uint32_t)number)
        current->program.n_params = (uint32_t)number + 1;
    return append(GN_OP_PARAM, type, number, 0, 0);
}

void store(int operand, int dtype, int value) {
    declare(operand, GN_WRITE, dtype);
    append(GN_OP_STORE, type_of(value), operand, value, 0);
}

static bool gives_bool(int op) { return op >= GN_OP_EQ && op <= GN_OP_ISINF; }

int op1(int op, int a) { return append(op, gives_bool(op) ? GN_BOOL : type_of(a), a, 0, 0); }
int op2(int op, int a, int b) { return append(op, gives_bool(op) ? GN_BOOL : type_of(a), a, b, 0); }
int op3(int op, int type, int a, int b, int c) { return append(op, type, a, b, c); }
int choose(int condition, int a, int b) {
    return append(GN_OP_SELECT, type_of(a), condition, a, b);
}
int cast_to(int type, int a) { return append(GN_OP_CAST, type, a, 0, 0); }
int round_to(int dtype, int a) { return append(GN_OP_ROUND, GN_F32, a, dtype, 0); }

/* A run of REDUCE instructions ends an element part and opens a row part, which may stay empty. */
static int append_reduce(int type, int value, int payload, int kind) {
    uint32_t n = current->program.n_insns;
    if (n == 0 || current->insns[n - 1].op != GN_OP_REDUCE)
        current->program.n_parts++;
    return append(GN_OP_REDUCE, type, value, payload, kind);
}

int reduced(int kind, int value) { return append_reduce(type_of(value), value, 0, kind); }

int reduced_arg(int kind, int value, int payload) {
    return append_reduce(GN_I64, value, payload, kind);
}

void elements(void) {
    current->program.n_parts++;
    append(GN_OP_ELEMENTS, 0, 0, 0, 0);
}

static uint64_t fnv(uint64_t hash, const void *data, size_t bytes) { /* FNV-1a */
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ ((const uint8_t *)data)[i]) * 0x100000001b3u;
    return hash;
}

/* Appends the program to the finished ones, and tells the device of it. */
static gn_status finish(struct built *built) {
    gn_program *p = &built->program;
    for (int i = 0; i < 2; i++) {
        uint64_t hash = i ? 0x84222325cbf29ce4u : 0xcbf29ce484222325u;
        hash = fnv(hash, &p->flags, sizeof p->flags);
        hash = fnv(hash, &p->n_params, sizeof p->n_params);
        hash = fnv(hash, &p->n_parts, sizeof p->n_parts);
        hash = fnv(hash, p->insns, p->n_insns * sizeof *p->insns);
        hash = fnv(hash, p->constants, p->n_constants * sizeof *p->constants);
        p->hash[i] = fnv(hash, p->operands, p->n_operands * sizeof *p->operands);
    }
    built->next = finished;
    finished = built;
    gn_status status =
        backend->program_create ? CALL(program_create, device, p, &built->handle) : GN_OK;
    built->created = backend->program_create && status == GN_OK;
    return status;
}

const gn_program *program_end(void) {
    struct built *built = current;
    current = NULL;
    expect_status(finish(built), GN_OK);
    return &built->program;
}

const gn_program *program_copy(const gn_program *original) {
    program_begin(original->name);
    struct built *built = current;
    current = NULL;
    memcpy(built->insns, original->insns, original->n_insns * sizeof *built->insns);
    memcpy(built->constants, original->constants, original->n_constants * sizeof *built->constants);
    memcpy(built->operands, original->operands, original->n_operands * sizeof *built->operands);
    built->program = *original;
    built->program.insns = built->insns;
    built->program.constants = built->constants;
    built->program.operands = built->operands;
    expect_status(finish(built), GN_OK);
    return &built->program;
}

void kernel_after(void) {
    buffers_free();
    for (struct built *built = finished; built; built = built->next) {
        if (built->created)
            backend->program_release(device, built->handle);
        built->created = false;
    }
}

/* ---- Coordinates ----------------------------------------------------------------------------- */

bool next_coordinate(int64_t *coordinate, size_t n_dims, const int64_t *size) {
    for (size_t d = n_dims; d-- > 0;) {
        if (++coordinate[d] < size[d])
            return true;
        coordinate[d] = 0;
    }
    return false;
}

int64_t element_of(const int64_t *coordinate, size_t n_dims, const int64_t *stride) {
    int64_t element = 0;
    for (size_t d = 0; d < n_dims; d++)
        element += coordinate[d] * stride[d];
    return element;
}

/* ---- The space of a call --------------------------------------------------------------------- */

static void copy_dim(struct space *s, size_t to, size_t from) {
    s->size[to] = s->size[from];
    for (size_t k = 0; k < s->n_operands; k++)
        s->operands[k].stride[to] = s->operands[k].stride[from];
}

static void swap_dims(struct space *s, size_t a, size_t b) {
    int64_t size = s->size[a];
    s->size[a] = s->size[b];
    s->size[b] = size;
    for (size_t k = 0; k < s->n_operands; k++) {
        int64_t *stride = s->operands[k].stride, kept = stride[a];
        stride[a] = stride[b];
        stride[b] = kept;
    }
}

/* Whether dim b can be the inner part of dim a. */
static bool can_merge(const struct space *s, size_t a, size_t b) {
    for (size_t k = 0; k < s->n_operands; k++)
        if (s->operands[k].stride[a] != s->operands[k].stride[b] * s->size[b])
            return false;
    return true;
}

/* Simplifies the dims first..end-1 and leaves a gap-free space; returns how many are left. */
static size_t simplify(struct space *s, size_t first, size_t end, bool sort) {
    size_t last = first;
    for (size_t d = first; d < end; d++)
        if (s->size[d] != 1)
            copy_dim(s, last++, d);
    for (size_t i = first; sort && i < last; i++)
        for (size_t j = last - 1; j > i; j--)
            if (llabs(s->operands[0].stride[j]) > llabs(s->operands[0].stride[j - 1]))
                swap_dims(s, j, j - 1);
    size_t merged = first;
    for (size_t d = first; d < last; d++) {
        if (merged > first && can_merge(s, merged - 1, d)) {
            int64_t outer = s->size[merged - 1];
            copy_dim(s, merged - 1, d);
            s->size[merged - 1] *= outer;
        } else
            copy_dim(s, merged++, d);
    }
    for (size_t d = end; d < s->n_dims; d++)
        copy_dim(s, merged + d - end, d);
    s->n_dims -= end - merged;
    return merged - first;
}

static struct space space_of(size_t n_dims, const int64_t *size, size_t n_operands,
                             const gn_operand *operands) {
    struct space s = {.n_dims = n_dims, .n_operands = n_operands};
    memcpy(s.size, size, n_dims * sizeof *size);
    memcpy(s.operands, operands, n_operands * sizeof *operands);
    return s;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

/* The library takes a tag for the address of an operation's name. */
uint64_t test_tag(void) {
    static const char name[] = "conform";
    return (uint64_t)(uintptr_t)name;
}

static gn_call call_of(const gn_program *program, const struct space *s, uint32_t n_reduced,
                       const gn_scalar *params) {
    return (gn_call){
        .struct_size = sizeof(gn_call),
        .tag = test_tag(),
        .program = program,
        .handle = ((const struct built *)(const void *)program)->handle,
        .n_dims = (uint32_t)s->n_dims,
        .n_reduced = n_reduced,
        .n_operands = (uint32_t)s->n_operands,
        .operand_size = sizeof(gn_operand),
        .size = s->size,
        .operands = s->operands,
        .params = params,
    };
}

gn_call prepare_call(struct space *s, const gn_program *program, uint32_t n_reduced, size_t n_dims,
                     const int64_t *size, size_t n_operands, const gn_operand *operands,
                     const gn_scalar *params) {
    EXPECT(n_operands == program->n_operands, "%s: operands are missing", program->name);
    *s = space_of(n_dims, size, n_operands, operands);
    n_reduced = (uint32_t)simplify(s, n_dims - n_reduced, n_dims, true);
    simplify(s, 0, s->n_dims - n_reduced, true);
    return call_of(program, s, n_reduced, params);
}

gn_status try_call(kernel_fn *kernel, const gn_program *program, uint32_t n_reduced, size_t n_dims,
                   const int64_t *size, size_t n_operands, const gn_operand *operands,
                   const gn_scalar *params) {
    struct space s;
    const gn_call call =
        prepare_call(&s, program, n_reduced, n_dims, size, n_operands, operands, params);
    raw_begin();
    return raw_end(kernel(device, NULL, &call));
}

void expect_status(gn_status status, gn_status wanted) {
    EXPECT(status == wanted, "%s (%s), not %s", gn_status_name(status), said(status),
           gn_status_name(wanted));
}

void expect_index_error(gn_status status) {
    expect_status(status, GN_E_INDEX);
    EXPECT(said_tag() == test_tag(), "the error does not come with the tag of the call");
}

void map(const gn_program *program, size_t n_dims, const int64_t *size, size_t n_operands,
         const gn_operand *operands, const gn_scalar *params) {
    expect_status(try_call(backend->map, program, 0, n_dims, size, n_operands, operands, params),
                  GN_OK);
}

void reduce(const gn_program *program, uint32_t n_reduced, size_t n_dims, const int64_t *size,
            size_t n_operands, const gn_operand *operands, const gn_scalar *params) {
    expect_status(
        try_call(backend->reduce, program, n_reduced, n_dims, size, n_operands, operands, params),
        GN_OK);
}

/* The serial dims keep their order, which says who wins. */
gn_status try_scatter(int dtype, int combine, bool unordered, uint32_t n_serial, size_t n_dims,
                      const int64_t *size, gn_operand source, gn_operand index, gn_operand target) {
    struct space s = space_of(n_dims, size, 3, (gn_operand[]){target, source, index});
    n_serial = (uint32_t)simplify(&s, n_dims - n_serial, n_dims, false);
    simplify(&s, 0, s.n_dims - n_serial, true);
    gn_scatter_call call = {
        .struct_size = sizeof call,
        .tag = test_tag(),
        .n_dims = (uint32_t)s.n_dims,
        .n_serial = n_serial,
        .dtype = dtype,
        .combine = (uint16_t)combine,
        .unordered = unordered,
        .size = s.size,
        .source = &s.operands[1],
        .index = &s.operands[2],
        .target = &s.operands[0],
    };
    return CALL(scatter, device, NULL, &call);
}

void scatter(int dtype, int combine, uint32_t n_serial, size_t n_dims, const int64_t *size,
             gn_operand source, gn_operand index, gn_operand target) {
    expect_status(try_scatter(dtype, combine, false, n_serial, n_dims, size, source, index, target),
                  GN_OK);
}

gn_status try_map_many(const gn_program *program, uint32_t n_calls, const int64_t *size,
                       uint32_t n_operands, const gn_operand *operands) {
    struct space *s = case_alloc(n_calls, sizeof *s);
    gn_call *calls = case_alloc(n_calls, sizeof *calls);
    for (uint32_t i = 0; i < n_calls; i++) {
        s[i] = space_of(1, &size[i], n_operands, operands + (size_t)i * n_operands);
        simplify(&s[i], 0, 1, true);
        calls[i] = call_of(program, &s[i], 0, NULL);
    }
    return CALL(map_many, device, NULL, calls, n_calls);
}
