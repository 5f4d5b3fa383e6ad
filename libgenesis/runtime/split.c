/* SPDX-License-Identifier: Apache-2.0 */
/*
 * split.c - row programs for backends without row_map, as reduce programs and a map program.
 *
 * Stage s of a program is its element part number s with the reductions and the row part behind it.
 * Each stage becomes a program of its own. What a later stage needs of a REDUCE or of a row part is
 * stored in a scratch tensor of the kept dims, its slot, and loaded there as a row operand.
 * So softmax is
 *
 *   m = max x                        slot 0 := max x
 *   s = sum exp(x - m)        ->     slot 1 := sum exp(x - slot 0)
 *   y = exp(x - m) / s               y := exp(x - slot 0) / slot 1
 *
 * A reduction over nothing becomes a map program over the kept dims: all row parts, in which the
 * reductions are constants. The pieces of a program are made once.
 */
#include <math.h>
#include <stdlib.h>

#include "../program/opcodes.h"
#include "../program/program.h"
#include "internal.h"

enum {
    MAX_SLOTS = GN_MAX_OPERANDS,
    SLOT = 0x80 /* in `source`: this operand of a piece is a slot */
};

typedef struct piece {
    const gn_program *program; /* NULL: the stage has nothing to do */
    uint8_t source[GN_MAX_OPERANDS];
} piece;

typedef struct pieces {
    int n_pieces, n_slots;
    uint8_t slot_dtype[MAX_SLOTS];
    piece piece[];
} pieces;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static gn__table *splits; /* by {program, whether for an empty reduction} -> pieces */

/* ---- What is where in a program */

typedef enum where { GLOBAL, ELEMENT, REDUCTION, ROW } where;

typedef struct place {
    uint16_t stage;
    uint8_t where;
    uint8_t slot; /* 1 + the slot that keeps the value; 0: none */
} place;

/* Where each instruction stands. Returns the number of stages. */
static int find_places(const gn_program *program, place *places) {
    int stage = 0;
    bool reduced = false;
    for (uint32_t i = 0; i < program->n_insns; i++) {
        const uint16_t op = program->insns[i].op;
        where at = reduced ? ROW : ELEMENT;
        if (op == GN_OP_ELEMENTS) {
            stage++;
            reduced = false;
            at = GLOBAL;
        } else if (op == GN_OP_REDUCE) {
            reduced = true;
            at = REDUCTION;
        } else if (op == GN_OP_CONST || op == GN_OP_PARAM) {
            at = GLOBAL;
        }
        places[i] = (place){(uint16_t)stage, (uint8_t)at, 0};
    }
    return stage + 1;
}

/* Gives a slot to each value that a later stage uses. */
static gn_status assign_slots(const gn_program *program, place *places, pieces *out) {
    for (uint32_t i = 0; i < program->n_insns; i++) {
        const gn_insn *insn = &program->insns[i];
        const uint16_t values[3] = {insn->a, insn->b, insn->c};
        for (int k = 0, used = gn__value_slots(insn); k < 3; k++) {
            if (!(used >> k & 1))
                continue;
            place *value = &places[values[k]];
            if (value->where == GLOBAL || value->stage == places[i].stage || value->slot)
                continue;
            if (out->n_slots == MAX_SLOTS)
                return gn_fail(GN_E_UNSUPPORTED, program->name,
                               "the program keeps more than %d values of rows", MAX_SLOTS);
            const uint16_t type = program->insns[values[k]].type;
            out->slot_dtype[out->n_slots++] = type == GN_U32 ? GN_I64 : (uint8_t)type;
            value->slot = (uint8_t)out->n_slots;
        }
    }
    return GN_OK;
}

/* ---- Making a piece */

typedef struct maker {
    const gn_program *program;
    const place *places;
    const pieces *all;
    gn__builder *builder;
    piece *piece;
    int n_operands;
    bool empty;  /* for an empty reduction: one piece, in which reductions are constants */
    int stage;   /* that the piece is made of, unless empty */
    bool in_row; /* its row part has begun */
    /* What the program's values, its operands and the slots are in the piece; -1: nothing yet. */
    int number[GN_MAX_INSNS];
    int operand[GN_MAX_OPERANDS], slot[MAX_SLOTS];
} maker;

/* The piece's number of an operand of the program, or of a slot. */
static int operand_of(maker *m, int *known, int role, int dtype, int source) {
    if (*known < 0) {
        *known = gn__build_operand(m->builder, role, dtype);
        if (m->n_operands < GN_MAX_OPERANDS)
            m->piece->source[m->n_operands++] = (uint8_t)source;
    }
    return *known;
}

static int program_operand(maker *m, int k) {
    const gn_operand_info *info = &m->program->operands[k];
    return operand_of(m, &m->operand[k], info->role, info->dtype, k);
}

/* The value of an instruction of the program in the piece. */
static int value_of(maker *m, int v) {
    gn__builder *b = m->builder;
    const gn_insn *insn = &m->program->insns[v];
    const place *at = &m->places[v];
    if (m->number[v] >= 0)
        return m->number[v];
    int made = 0;
    if (insn->op == GN_OP_CONST) {
        const gn_scalar constant = m->program->constants[insn->a];
        made = gn__is_float(insn->type) ? gn__const_f(b, insn->type, constant.f)
                                        : gn__const_i(b, insn->type, constant.i);
    } else if (insn->op == GN_OP_PARAM) {
        made = gn__param(b, insn->type, insn->a);
    } else { /* of an earlier stage: the places say that it has a slot */
        const int slot = at->slot - 1;
        const int operand =
            operand_of(m, &m->slot[slot], GN_READ, m->all->slot_dtype[slot], SLOT | slot);
        made = gn__cast(b, insn->type, gn__load(b, operand));
    }
    m->number[v] = made;
    return made;
}

/* The value of a reduction over nothing. */
static int identity(maker *m, const gn_insn *insn) {
    gn__builder *b = m->builder;
    const int type = insn->type;
    static const struct {
        int64_t least, most;
    } bounds[GN_N_DTYPES] = {
        [GN_BOOL] = {0, 1},
        [GN_U8] = {0, UINT8_MAX},
        [GN_I8] = {INT8_MIN, INT8_MAX},
        [GN_I16] = {INT16_MIN, INT16_MAX},
        [GN_I32] = {INT32_MIN, INT32_MAX},
        [GN_I64] = {INT64_MIN, INT64_MAX},
        [GN_U32] = {0, UINT32_MAX},
    };
    if (insn->c == GN_SUM || insn->c == GN_PROD)
        return gn__const(b, type, insn->c == GN_PROD);
    if (insn->c != GN_MAX && insn->c != GN_MIN) {
        gn_fail(GN_E_ARGUMENT, m->program->name, "a position among no elements");
        return 0;
    }
    if (gn__is_float(type))
        return gn__const_f(b, type, insn->c == GN_MAX ? -INFINITY : INFINITY);
    return gn__const_i(b, type, insn->c == GN_MAX ? bounds[type].least : bounds[type].most);
}

static int copy_insn(maker *m, const gn_insn *insn) {
    gn__builder *b = m->builder;
    int values[3] = {insn->a, insn->b, insn->c};
    for (int k = 0, used = gn__value_slots(insn); k < 3; k++)
        if (used >> k & 1)
            values[k] = value_of(m, values[k]);
    switch (insn->op) {
    case GN_OP_LOAD: return gn__load(b, program_operand(m, insn->a));
    case GN_OP_LOADX: return gn__loadx(b, program_operand(m, insn->a), values[1]);
    case GN_OP_STORE: gn__store(b, program_operand(m, insn->a), values[1]); return -1;
    case GN_OP_CAST: return gn__cast(b, insn->type, values[0]);
    case GN_OP_REDUCE: return gn__reduce_value(b, insn->c, values[0], values[1]);
    default: return gn__emit(b, insn->op, values[0], values[1], values[2]);
    }
}

/* Loads of an element part can't be used in the row part behind it: it loads its slots itself. */
static void enter_row(maker *m) {
    if (m->in_row || m->empty)
        return;
    m->in_row = true;
    for (uint32_t i = 0; i < m->program->n_insns; i++)
        if (m->places[i].where != REDUCTION || m->places[i].stage != m->stage)
            m->number[i] = -1;
}

static void store_slot(maker *m, uint32_t v) {
    const int slot = m->places[v].slot - 1;
    int written = -1;
    const int dtype = m->all->slot_dtype[slot];
    const int operand = operand_of(m, &written, GN_WRITE, dtype, SLOT | slot);
    gn__store(m->builder, operand, m->number[v]);
}

/* Whether the piece copies the instruction. */
static bool belongs(const maker *m, uint32_t i) {
    const place *at = &m->places[i];
    if (at->where == GLOBAL)
        return false;
    return m->empty ? at->where != ELEMENT : at->stage == m->stage;
}

static bool stores_anything(const maker *m) {
    for (uint32_t i = 0; i < m->program->n_insns; i++)
        if (belongs(m, i) &&
            (m->program->insns[i].op == GN_OP_STORE || (!m->empty && m->places[i].slot)))
            return true;
    return false;
}

/* Loads what the stage's reductions use of earlier stages. Behind the first of them a load would be
 * the row part's. */
static void load_for_reductions(maker *m) {
    for (uint32_t i = 0; i < m->program->n_insns; i++) {
        const gn_insn *insn = &m->program->insns[i];
        const uint16_t values[3] = {insn->a, insn->b, insn->c};
        if (m->places[i].where != REDUCTION || !belongs(m, i))
            continue;
        for (int k = 0, used = gn__value_slots(insn); k < 3; k++)
            if (used >> k & 1 && m->places[values[k]].stage < m->stage)
                value_of(m, values[k]);
    }
}

static gn_status make_piece(maker *m) {
    const gn_program *program = m->program;
    if (!stores_anything(m))
        return GN_OK;
    m->builder = gn__builder_new(program->name, program->flags);
    if (m->builder == NULL)
        return gn_error_status();
    m->n_operands = 0;
    m->in_row = false;
    for (uint32_t i = 0; i < program->n_insns; i++)
        m->number[i] = -1;
    for (int k = 0; k < GN_MAX_OPERANDS; k++)
        m->operand[k] = m->slot[k] = -1;
    for (uint32_t k = 0; k < program->n_params; k++)
        gn__build_param(m->builder);
    if (!m->empty)
        load_for_reductions(m);
    for (uint32_t i = 0; i < program->n_insns; i++) {
        const gn_insn *insn = &program->insns[i];
        if (!belongs(m, i))
            continue;
        if (m->places[i].where == ROW)
            enter_row(m);
        m->number[i] =
            insn->op == GN_OP_REDUCE && m->empty ? identity(m, insn) : copy_insn(m, insn);
    }
    if (!m->empty)
        for (uint32_t i = 0; i < program->n_insns; i++)
            if (m->places[i].slot && m->places[i].stage == m->stage)
                store_slot(m, i);
    m->piece->program = gn__builder_finish(m->builder);
    return m->piece->program ? GN_OK : gn_error_status();
}

/* All pieces of a program, or the one for an empty reduction. NULL with an error. */
static pieces *make_pieces(const gn_program *program, bool empty) {
    pieces *made = NULL, *result = NULL;
    place *places = gn__alloc_array(program->n_insns, sizeof *places);
    maker *m = gn__alloc(sizeof *m);
    if (places == NULL || m == NULL)
        goto out;
    const int n_stages = find_places(program, places), n = empty ? 1 : n_stages;
    made = gn__alloc(sizeof *made + (size_t)n * sizeof *made->piece);
    if (made == NULL || (!empty && assign_slots(program, places, made) != GN_OK))
        goto out;
    made->n_pieces = n;
    *m = (maker){.program = program, .places = places, .all = made, .empty = empty};
    for (m->stage = 0; m->stage < n; m->stage++) {
        m->piece = &made->piece[m->stage];
        if (make_piece(m) != GN_OK || gn__failed())
            goto out;
    }
    result = made;
    made = NULL;
out:
    free(made);
    free(m);
    free(places);
    return result;
}

static const pieces *get_pieces(const gn_program *program, bool empty) {
    const uintptr_t key[2] = {(uintptr_t)program, empty};
    pthread_mutex_lock(&lock);
    if (splits == NULL)
        splits = gn__table_new();
    pieces *found = splits ? gn__table_get(splits, key, sizeof key) : NULL;
    if (found == NULL && splits) {
        found = make_pieces(program, empty);
        if (found && gn__table_set(splits, key, sizeof key, found) != GN_OK) {
            free(found);
            found = NULL;
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

void gn__split_shutdown(void) {
    pthread_mutex_lock(&lock);
    gn__table_free(splits, free);
    splits = NULL;
    pthread_mutex_unlock(&lock);
}

/* ---- Running */

/* Dense tensors over the kept dims. On failure none is kept. */
static gn_status make_slots(gn__device *device, const gn__launch *launch, const pieces *all,
                            gn__operand slots[MAX_SLOTS]) {
    gn__operand like = {.storage = NULL};
    int64_t n = 1;
    for (int d = launch->n_dims - launch->n_reduced - 1; d >= 0; d--) {
        like.stride[d] = n;
        n *= launch->size[d];
    }
    for (int i = 0; i < all->n_slots; i++) {
        slots[i] = like;
        slots[i].storage =
            gn__storage_new(device, (uint64_t)n * gn_dtype_bytes(all->slot_dtype[i]));
        if (slots[i].storage)
            continue;
        while (i-- > 0)
            gn__storage_release(slots[i].storage);
        return gn_error_status();
    }
    return GN_OK;
}

static gn_status run_piece(gn__device *device, const gn__launch *whole, const piece *p,
                           const gn__operand *slots, int n_dims) {
    if (p->program == NULL)
        return GN_OK;
    gn__operand operands[GN_MAX_OPERANDS];
    for (uint32_t k = 0; k < p->program->n_operands; k++)
        operands[k] =
            p->source[k] & SLOT ? slots[p->source[k] & ~SLOT] : whole->operands[p->source[k]];
    gn__launch launch = *whole;
    launch.program = p->program;
    launch.operands = operands;
    launch.n_dims = n_dims;
    if (p->program->n_parts == 1)
        launch.n_reduced = 0;
    return gn__launch_run(device, &launch);
}

gn_status gn__split_run(gn__device *device, const gn__launch *launch) {
    const pieces *all = get_pieces(launch->program, false);
    gn__operand slots[MAX_SLOTS];
    if (all == NULL)
        return gn_error_status();
    gn_status status = make_slots(device, launch, all, slots);
    if (status != GN_OK)
        return status;
    for (int i = 0; i < all->n_pieces && status == GN_OK; i++)
        status = run_piece(device, launch, &all->piece[i], slots, launch->n_dims);
    for (int i = 0; i < all->n_slots; i++)
        gn__storage_release(slots[i].storage); /* what follows on the stream may have them */
    return status;
}

gn_status gn__split_run_empty(gn__device *device, const gn__launch *launch) {
    const pieces *all = get_pieces(launch->program, true);
    if (all == NULL)
        return gn_error_status();
    return run_piece(device, launch, &all->piece[0], NULL, launch->n_dims - launch->n_reduced);
}
