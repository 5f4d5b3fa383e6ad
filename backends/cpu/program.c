/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.c - prepares programs: checks them, drops dead instructions, assigns registers and
 * slots. Running them is engine.c's.
 */
#include "program.h"
#include <stdlib.h>
#include <string.h>

enum {
    L1_BYTES = 32 * 1024, /* of a tile's temporary values */
    TILE_LARGEST = 1024,
    TILE_SMALLEST = 16,
    NO_PART = -1,
};

/* How many value operands an opcode has: 0 for the unknown ones, too. */
static const uint8_t arity_of[GN_OP_SELECT + 1] = {
#define X(op, number, arity, ulp, meaning) [number] = arity,
    GN_OPCODES(X)
#undef X
};

typedef struct builder {
    cpu_program *program;
    const gn_program *source;
    int32_t *part_of;                 /* the part of each instruction */
    int32_t *register_of;             /* the register of each value; -1: none yet */
    int32_t *spread_of, *spread_part; /* its register in an element part after the row part */
    bool *live;
} builder;

/* Which of a, b, c are values: bits 1, 2, 4. */
static unsigned operands_of(const gn_insn *insn) {
    switch (insn->op) {
    case GN_OP_LOADX:
    case GN_OP_STORE: return 2;
    case GN_OP_REDUCE: return insn->c >= GN_ARGMAX ? 3 : 1;
    default: return (1u << arity_of[insn->op]) - 1;
    }
}

static bool makes_value(const gn_insn *insn) {
    return insn->op != GN_OP_STORE && insn->op != GN_OP_ELEMENTS;
}

/* ---- Checks ---- */

static bool is_register_type(unsigned dtype) {
    return gn_dtype_bytes((int)dtype) > 0 && dtype != GN_F16 && dtype != GN_BF16;
}

static unsigned register_type(unsigned dtype) {
    return dtype == GN_F16 || dtype == GN_BF16 ? GN_F32 : dtype;
}

/* Whether the operand numbers and types that running relies on are valid. */
static bool insn_is_valid(const gn_program *p, const gn_insn *insn, uint32_t number) {
    const unsigned used = operands_of(insn);
    const uint16_t operand[3] = {insn->a, insn->b, insn->c};
    for (int k = 0; k < 3; k++)
        if (used >> k & 1 && (operand[k] >= number || !makes_value(cpu_insn(p, operand[k]))))
            return false;
    if (insn->op == GN_OP_ELEMENTS)
        return true;
    if (insn->op == GN_OP_STORE)
        return insn->a < p->n_operands && p->operands[insn->a].role == GN_WRITE &&
               register_type(p->operands[insn->a].dtype) == cpu_insn(p, insn->b)->type;
    if (!is_register_type(insn->type))
        return false;
    switch (insn->op) {
    case GN_OP_LOAD:
    case GN_OP_LOADX:
        if (insn->a >= p->n_operands || !gn_dtype_bytes(p->operands[insn->a].dtype))
            return false;
        if (p->operands[insn->a].role == GN_INDEX)
            return insn->type == GN_I64;
        return p->operands[insn->a].role == GN_READ &&
               register_type(p->operands[insn->a].dtype) == insn->type;
    case GN_OP_CONST: return insn->a < p->n_constants;
    case GN_OP_PARAM: return insn->a < p->n_params;
    case GN_OP_REDUCE: return insn->c <= GN_ARGMIN;
    default: return true;
    }
}

static cpu_kernel *kernel_of(const builder *b, const gn_insn *insn) {
    const cpu_kernels *k = b->program->kernels;
    const unsigned type = cpu_insn(b->source, insn->op == GN_OP_SELECT ? insn->b : insn->a)->type;
    if (insn->op == GN_OP_CAST)
        return k->cast[type][insn->type];
    if (insn->op == GN_OP_ROUND)
        return insn->b < GN_N_DTYPES && type == GN_F32 ? k->round[insn->b] : NULL;
    if (b->source->flags & GN_PROGRAM_NO_CONTRACT && insn->op <= GN_OP_MAX &&
        k->strict[insn->op][type])
        return k->strict[insn->op][type];
    return k->op[insn->op][type];
}

/* ---- Parts and live values ---- */

static void mark_parts(builder *b) {
    bool row = false, reduced = false;
    int32_t part = 0;
    for (uint32_t i = 0; i < b->source->n_insns; i++) {
        const gn_insn *insn = cpu_insn(b->source, i);
        if (insn->op == GN_OP_ELEMENTS) {
            part++;
            row = reduced = false;
        } else if (insn->op == GN_OP_REDUCE) {
            reduced = true;
        } else if (reduced && !row) {
            part++;
            row = true;
        }
        b->program->parts[part].row = row;
        b->part_of[i] = part;
    }
    b->program->n_parts = (uint32_t)part + 1;
}

static void mark_live(builder *b) {
    for (uint32_t i = b->source->n_insns; i-- > 0;) {
        const gn_insn *insn = cpu_insn(b->source, i);
        const uint16_t operand[3] = {insn->a, insn->b, insn->c};
        b->live[i] |= insn->op == GN_OP_STORE;
        for (int k = 0; k < 3; k++)
            if (b->live[i] && operands_of(insn) >> k & 1)
                b->live[operand[k]] = true;
    }
}

/* ---- Registers ---- */

static uint16_t add_register(builder *b, unsigned dtype) {
    cpu_program *p = b->program;
    p->registers[p->n_registers] = (cpu_register){.dtype = (uint8_t)dtype, .slot = CPU_NO_SLOT};
    return (uint16_t)p->n_registers++;
}

static bool is_everywhere(const gn_insn *insn) {
    return insn->op == GN_OP_CONST || insn->op == GN_OP_PARAM;
}

/* Whether a value is one per row: visible in all that follows, spread in element parts. */
static bool is_of_row(const builder *b, uint32_t value) {
    return cpu_insn(b->source, value)->op == GN_OP_REDUCE ||
           b->program->parts[b->part_of[value]].row;
}

/* The register that `part` reads a value from, or -1 where it must not. */
static int32_t read_register(builder *b, uint32_t value, int32_t part) {
    const gn_insn *insn = cpu_insn(b->source, value);
    if (is_everywhere(insn))
        return b->register_of[value];
    if (!is_of_row(b, value))
        return b->part_of[value] == part ? b->register_of[value] : -1;
    if (b->part_of[value] == part && insn->op == GN_OP_REDUCE)
        return -1;
    if (b->program->parts[part].row)
        return b->register_of[value];
    if (b->spread_part[value] != part) {
        const uint16_t to = add_register(b, insn->type);
        b->spread_part[value] = part;
        b->spread_of[value] = to;
        b->program->spreads[b->program->n_spreads++] =
            (cpu_spread){.from = (uint16_t)b->register_of[value], .to = to};
        b->program->parts[part].n_spreads++;
    }
    return b->spread_of[value];
}

/* Roughly the nanoseconds per element of an instruction. */
static double cost_of(const gn_insn *insn) {
    const double width = insn->type == GN_F64 || insn->type == GN_I64 ? 2 : 1;
    switch (insn->op) {
    case GN_OP_LGAMMA: return 20;
    case GN_OP_DIGAMMA: return 100;
    case GN_OP_FMOD:
    case GN_OP_REMAINDER: return 5;
    case GN_OP_POW:
    case GN_OP_ATAN2: return 1.5 * width;
    case GN_OP_RANDOM:
    case GN_OP_LOADX: return 1;
    default:
        return insn->op >= GN_OP_EXP && insn->op < GN_OP_EQ ? 0.6 * width * width : 0.06 * width;
    }
}

/* Adds what instruction i of a part does. False: it isn't valid. */
static bool add_insn(builder *b, uint32_t i, cpu_part *part) {
    cpu_program *p = b->program;
    const gn_insn *insn = cpu_insn(b->source, i);
    const uint16_t operand[3] = {insn->a, insn->b, insn->c};
    int32_t reg[3] = {-1, -1, -1};
    for (int k = 0; k < 3; k++)
        if (operands_of(insn) >> k & 1) {
            reg[k] = read_register(b, operand[k], b->part_of[i]);
            if (reg[k] < 0)
                return false;
        }
    const uint16_t out = makes_value(insn) ? add_register(b, insn->type) : 0;
    if (makes_value(insn))
        b->register_of[i] = out;
    p->cost += cost_of(insn);
    if (insn->op == GN_OP_LOAD || insn->op == GN_OP_STORE)
        p->cost += 0.01 * gn_dtype_bytes(b->source->operands[insn->a].dtype);
    switch (insn->op) {
    case GN_OP_CONST:
    case GN_OP_PARAM:
        p->registers[out].constant = insn->op == GN_OP_CONST;
        p->registers[out].param = insn->op == GN_OP_PARAM;
        p->registers[out].source = insn->a;
        if (insn->op == GN_OP_PARAM)
            p->registers[out].cell = (uint16_t)p->n_cells++;
        break;
    case GN_OP_LOAD:
        p->loads[p->n_loads++] = (cpu_load){.reg = out, .operand = insn->a};
        part->n_loads++;
        break;
    case GN_OP_STORE:
        p->stores[p->n_stores++] = (cpu_store){.reg = (uint16_t)reg[1], .operand = insn->a};
        part->n_stores++;
        break;
    case GN_OP_REDUCE:
        p->reductions[p->n_reductions++] =
            (cpu_reduction){.out = out,
                            .a = (uint16_t)reg[0],
                            .payload = (uint16_t)(reg[1] < 0 ? reg[0] : reg[1]),
                            .kind = (uint8_t)insn->c,
                            .dtype = p->registers[reg[0]].dtype};
        part->n_reductions++;
        break;
    case GN_OP_LOADX:
        p->picks = true;
        p->steps[p->n_steps++] = (cpu_step){.out = out,
                                            .a = (uint16_t)reg[1],
                                            .b = (uint16_t)reg[1],
                                            .c = (uint16_t)reg[1],
                                            .operand = insn->a,
                                            .op = GN_OP_LOADX,
                                            .arity = 1,
                                            .twin = CPU_NO_TWIN};
        part->n_steps++;
        break;
    default:
        p->steps[p->n_steps++] = (cpu_step){.kernel = kernel_of(b, insn),
                                            .out = out,
                                            .a = (uint16_t)reg[0],
                                            .b = (uint16_t)(reg[1] < 0 ? reg[0] : reg[1]),
                                            .c = (uint16_t)(reg[2] < 0 ? reg[0] : reg[2]),
                                            .op = (uint8_t)insn->op,
                                            .arity = arity_of[insn->op],
                                            .twin = CPU_NO_TWIN};
        part->n_steps++;
    }
    return true;
}

static void open_part(const cpu_program *p, cpu_part *part) {
    part->first_step = p->n_steps;
    part->first_load = p->n_loads;
    part->first_store = p->n_stores;
    part->first_reduction = p->n_reductions;
    part->first_spread = p->n_spreads;
}

/* ---- Slots ---- */

/* Slots that no value lives in, by the logarithm of their element's size. */
typedef struct slots {
    int32_t *unused[4];
    uint32_t n_unused[4];
    int64_t bytes;
} slots;

static void take_slot(slots *s, cpu_register *reg) {
    const int size = cpu_log2_size(reg->dtype);
    if (s->n_unused[size] > 0) {
        reg->slot = s->unused[size][--s->n_unused[size]];
    } else {
        s->bytes = (s->bytes + (1 << size) - 1) >> size << size;
        reg->slot = (int32_t)s->bytes;
        s->bytes += 1 << size;
    }
}

static void leave_slot(slots *s, const cpu_register *reg) {
    const int size = cpu_log2_size(reg->dtype);
    s->unused[size][s->n_unused[size]++] = reg->slot;
}

/* When each register that a part fills is read last: a step's number, or n_steps for its end. */
static void find_last_uses(cpu_program *p, const cpu_part *part, uint32_t *last) {
    for (uint32_t s = 0; s < part->n_steps; s++) {
        const cpu_step *step = &p->steps[part->first_step + s];
        last[step->a] = last[step->b] = last[step->c] = s;
    }
    for (uint32_t k = 0; k < part->n_stores; k++)
        last[p->stores[part->first_store + k].reg] = part->n_steps;
    for (uint32_t k = 0; k < part->n_reductions; k++) {
        last[p->reductions[part->first_reduction + k].a] = part->n_steps;
        last[p->reductions[part->first_reduction + k].payload] = part->n_steps;
    }
}

/* Row parts' values stay: what follows may read them. So do loads, for they are all filled before
 * the first step. */
static void assign_slots(cpu_program *p, const cpu_part *part, slots *s, uint32_t *last,
                         bool *temporary) {
    cpu_register *reg = p->registers;
    find_last_uses(p, part, last);
    for (uint32_t k = 0; k < part->n_loads; k++)
        take_slot(s, &reg[p->loads[part->first_load + k].reg]);
    for (uint32_t k = 0; k < part->n_spreads; k++)
        take_slot(s, &reg[p->spreads[part->first_spread + k].to]);
    for (uint32_t i = 0; i < part->n_steps; i++) {
        const cpu_step *step = &p->steps[part->first_step + i];
        const uint16_t operand[3] = {step->a, step->b, step->c};
        if (!step->kernel)
            take_slot(s, &reg[step->out]);
        for (int k = 0; k < 3; k++)
            if (temporary[operand[k]] && last[operand[k]] == i) {
                leave_slot(s, &reg[operand[k]]);
                temporary[operand[k]] = false;
            }
        if (step->kernel)
            take_slot(s, &reg[step->out]);
        temporary[step->out] = !part->row && !reg[step->out].kept;
    }
    for (uint32_t r = 0; r < p->n_registers; r++)
        if (temporary[r]) {
            leave_slot(s, &reg[r]);
            temporary[r] = false;
        }
    for (uint32_t k = 0; k < part->n_reductions; k++)
        take_slot(s, &reg[p->reductions[part->first_reduction + k].out]);
}

/* What loads and stores of a part may do without a copy. */
static void find_direct(cpu_program *p, const cpu_part *part, const uint32_t *last,
                        uint32_t *maker) {
    for (uint32_t r = 0; r < p->n_registers; r++)
        maker[r] = UINT32_MAX;
    for (uint32_t i = 0; i < part->n_steps; i++)
        if (p->steps[part->first_step + i].kernel)
            maker[p->steps[part->first_step + i].out] = i;
    for (uint32_t k = 0; k < part->n_loads; k++) {
        cpu_load *load = &p->loads[part->first_load + k];
        load->last_use = (uint16_t)last[load->reg];
        for (uint32_t j = 0; j < part->n_stores; j++)
            load->stored |= p->stores[part->first_store + j].reg == load->reg;
    }
    for (uint32_t k = 0; k < part->n_stores; k++) {
        cpu_store *store = &p->stores[part->first_store + k];
        const uint32_t step = maker[store->reg];
        store->direct =
            step != UINT32_MAX && !p->kernels->narrow[p->source->operands[store->operand].dtype];
        store->made_by = (uint16_t)step;
        maker[store->reg] = UINT32_MAX;
    }
}

/* ---- Assembly ---- */

static void set_tile(cpu_program *p) {
    const int64_t temporaries = p->scratch - 16;
    p->tile = TILE_LARGEST;
    while (p->tile > TILE_SMALLEST && (cpu_bytes_per_element(p) * p->tile > CPU_FRAME_BYTES ||
                                       temporaries * p->tile > L1_BYTES))
        p->tile /= 2;
}

static gn_status build(builder *b, uint32_t *numbers, bool *flags, int32_t *unused) {
    cpu_program *p = b->program;
    const uint32_t n = b->source->n_insns;
    for (uint32_t i = 0; i < n; i++) {
        const gn_insn *insn = cpu_insn(b->source, i);
        if (insn->op > GN_OP_SELECT || (!arity_of[insn->op] && insn->op > GN_OP_ELEMENTS))
            return cpu_fail(GN_E_UNSUPPORTED, 0, "%s: instruction %u has the unknown opcode %u",
                            b->source->name, i, insn->op);
        if (!insn_is_valid(b->source, insn, i))
            return cpu_fail(GN_E_ARGUMENT, 0, "%s: instruction %u (opcode %u) is not valid",
                            b->source->name, i, insn->op);
        if (insn->op >= GN_OP_CAST && !kernel_of(b, insn))
            return cpu_fail(GN_E_UNSUPPORTED, 0, "%s: instruction %u: no opcode %u of dtype %u",
                            b->source->name, i, insn->op, insn->type);
    }
    mark_parts(b);
    mark_live(b);
    uint32_t i = 0;
    for (uint32_t q = 0; q < p->n_parts; q++) {
        open_part(p, &p->parts[q]);
        for (; i < n && b->part_of[i] == (int32_t)q; i++)
            if (b->live[i] && !add_insn(b, i, &p->parts[q]))
                return cpu_fail(GN_E_ARGUMENT, 0,
                                "%s: instruction %u reads a value of another part", b->source->name,
                                i);
    }
    cpu_program_fuse(p, numbers, numbers + p->n_registers);
    cpu_program_find_twins(p, numbers, numbers + p->n_registers);
    memset(numbers, 0, 2 * p->n_registers * sizeof *numbers);
    slots s = {.bytes = 0};
    for (int k = 0; k < 4; k++)
        s.unused[k] = unused + (size_t)k * p->n_registers;
    for (uint32_t q = 0; q < p->n_parts; q++) {
        assign_slots(p, &p->parts[q], &s, numbers, flags);
        find_direct(p, &p->parts[q], numbers, numbers + p->n_registers);
    }
    p->spare = (int32_t)((s.bytes + 7) / 8 * 8);
    p->scratch = p->spare + 16;
    for (uint32_t r = 0; r < p->n_registers; r++)
        if (p->registers[r].constant) {
            const uint16_t source = p->registers[r].source;
            cpu_scalar_store(p->registers[r].dtype, b->source->constants[source], &p->constants[r]);
        }
    set_tile(p);
    return GN_OK;
}

/* Bytes of an array, padded so that any other may follow. */
static size_t take_bytes(size_t *total, size_t bytes) {
    const size_t at = *total;
    *total += (bytes + 15) / 16 * 16;
    return at;
}

gn_status cpu_program_create(gn_device *device, const gn_program *source, void **handle) {
    *handle = NULL;
    if (cpu_is_forked())
        return cpu_fail_forked();
    if (source->n_insns > GN_MAX_INSNS || source->n_operands > GN_MAX_OPERANDS ||
        source->n_params > GN_MAX_PARAMS)
        return cpu_fail(GN_E_UNSUPPORTED, 0, "%s: the program is too large", source->name);
    const size_t n = source->n_insns,
                 n_regs = 4 * n; /* a value, and what each operand is spread to */
    size_t total = 0;
    const size_t parts = take_bytes(&total, (n + 1) * sizeof(cpu_part));
    const size_t registers = take_bytes(&total, n_regs * sizeof(cpu_register));
    const size_t steps = take_bytes(&total, n * sizeof(cpu_step));
    const size_t loads = take_bytes(&total, n * sizeof(cpu_load));
    const size_t stores = take_bytes(&total, n * sizeof(cpu_store));
    const size_t reductions = take_bytes(&total, n * sizeof(cpu_reduction));
    const size_t spreads = take_bytes(&total, 3 * n * sizeof(cpu_spread));
    const size_t constants = take_bytes(&total, n_regs * sizeof(gn_scalar));
    cpu_program *p = calloc(1, sizeof *p + total + 16);
    int32_t *work = calloc(4 * n + 4 * n_regs + 1, sizeof *work);
    bool *flags = calloc(n + n_regs + 1, sizeof *flags);
    uint32_t *numbers = calloc(2 * n_regs + 1, sizeof *numbers);
    gn_status status = GN_OK;
    if (!p || !work || !flags || !numbers) {
        status = cpu_fail(GN_E_MEMORY, 0, "%s: no memory for the program", source->name);
        goto out;
    }
    char *arrays = (char *)p + (sizeof *p + 15) / 16 * 16;
    p->source = source;
    p->kernels = device->kernels;
    p->parts = (cpu_part *)(void *)(arrays + parts);
    p->registers = (cpu_register *)(void *)(arrays + registers);
    p->steps = (cpu_step *)(void *)(arrays + steps);
    p->loads = (cpu_load *)(void *)(arrays + loads);
    p->stores = (cpu_store *)(void *)(arrays + stores);
    p->reductions = (cpu_reduction *)(void *)(arrays + reductions);
    p->spreads = (cpu_spread *)(void *)(arrays + spreads);
    p->constants = (gn_scalar *)(void *)(arrays + constants);
    builder b = {.program = p,
                 .source = source,
                 .part_of = work,
                 .register_of = work + n,
                 .spread_of = work + 2 * n,
                 .spread_part = work + 3 * n,
                 .live = flags + n_regs};
    for (size_t i = 0; i < n; i++)
        b.register_of[i] = b.spread_part[i] = NO_PART;
    status = build(&b, numbers, flags, work + 4 * n);
out:
    free(work);
    free(flags);
    free(numbers);
    if (status)
        free(p);
    else
        *handle = p;
    return status;
}

void cpu_program_release(gn_device *device, void *handle) {
    (void)device;
    free(handle);
}

gn_status cpu_program_of(gn_device *device, const gn_call *call, const cpu_program **out,
                         void **temporary) {
    *temporary = NULL;
    if (!call->handle) {
        gn_status status = cpu_program_create(device, call->program, temporary);
        if (status)
            return status;
    }
    *out = call->handle ? call->handle : *temporary;
    return GN_OK;
}

void cpu_scalar_store(int dtype, gn_scalar value, gn_scalar *out) {
    const float single = (float)value.f;
    out->i = 0;
    switch (dtype) {
    case GN_F32: memcpy(out, &single, sizeof single); break;
    case GN_F64: out->f = value.f; break;
    case GN_BOOL: *(uint8_t *)out = value.i != 0; break;
    default: {
        const uint8_t bytes = 1 << cpu_log2_size(dtype);
        const uint8_t u8 = (uint8_t)value.i;
        const uint16_t u16 = (uint16_t)value.i;
        const uint32_t u32 = (uint32_t)value.i;
        const void *from = bytes == 1   ? (const void *)&u8
                           : bytes == 2 ? (const void *)&u16
                           : bytes == 4 ? (const void *)&u32
                                        : (const void *)&value.i;
        memcpy(out, from, bytes);
    }
    }
}
