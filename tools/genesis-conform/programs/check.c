/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - runs a random program on the device, through its table, and on the reference, through
 * the library, which also runs row programs that the reference lacks in pieces; and compares.
 */
#include <stdio.h>
#include <string.h>

#include "sample.h"

/* How a program fails; the answer of a trial. */
enum { AGREES, DECLINED, FAILS_TO_BUILD, FAILS_TO_RUN, WRITES_OUTSIDE, DIFFERS };

enum { TEXT_BYTES = 6000 };

typedef struct trial {
    const sample *s;
    int stage; /* the answer if an EXPECT fails now */
    struct buffer *buffers[GN_MAX_OPERANDS];
    gn__storage *storages[GN_MAX_OPERANDS];
} trial;

/* ---- The two devices */

static const gn_program *build(const sample *s) {
    gn_operand_info infos[GN_MAX_OPERANDS];
    for (uint32_t k = 0; k < s->n_operands; k++)
        infos[k] = s->operands[k].info;
    const gn_program program = {.struct_size = sizeof program,
                                .name = "random",
                                .flags = GN_PROGRAM_NO_CONTRACT,
                                .n_insns = s->n_insns,
                                .insn_size = sizeof *s->insns,
                                .n_constants = s->n_constants,
                                .n_operands = s->n_operands,
                                .n_params = s->n_params,
                                .n_parts = s->n_parts,
                                .insns = s->insns,
                                .constants = s->constants,
                                .operands = infos};
    return program_copy(&program);
}

static void make_memory(trial *t) {
    const sample *s = t->s;
    for (uint32_t k = 0; k < s->n_operands; k++) {
        const sample_operand *o = &s->operands[k];
        if (o->info.role == GN_INDEX)
            continue;
        if (o->alias >= 0) {
            t->buffers[k] = t->buffers[o->alias];
            t->storages[k] = gn__storage_retain(t->storages[o->alias]);
            continue;
        }
        struct buffer *b = buffer_new(o->info.dtype, sample_elements(s, k));
        sample_fill(s, k, b);
        const uint64_t bytes = (uint64_t)b->n * gn_dtype_bytes(b->dtype);
        t->buffers[k] = b;
        t->storages[k] = gn__storage_new(reference_device(), bytes);
        EXPECT(t->storages[k] && gn__upload(t->storages[k], 0, b->data, bytes) == GN_OK,
               "the reference: %s", gn_error());
    }
}

static gn_status run_device(const trial *t, const gn_program *program) {
    const sample *s = t->s;
    gn_operand operands[GN_MAX_OPERANDS];
    for (uint32_t k = 0; k < s->n_operands; k++) {
        const sample_operand *o = &s->operands[k];
        operands[k] = operand_of(t->buffers[k], o->offset, o->stride);
        operands[k] = with_axis(operands[k], o->axis_stride, o->axis_extent);
    }
    kernel_fn *kernel = s->n_parts == 1   ? backend->map
                        : s->n_parts == 2 ? backend->reduce
                                          : backend->row_map;
    if (!kernel)
        return GN_E_UNSUPPORTED;
    const gn_status status = try_call(kernel, program, s->n_reduced, s->n_dims, s->size,
                                      s->n_operands, operands, s->params);
    return status == GN_OK ? settle() : status;
}

static void run_reference(const trial *t, const gn_program *program) {
    const sample *s = t->s;
    gn__operand operands[GN_MAX_OPERANDS];
    for (uint32_t k = 0; k < s->n_operands; k++) {
        const sample_operand *o = &s->operands[k];
        operands[k] = (gn__operand){.storage = t->storages[k],
                                    .offset = o->offset,
                                    .axis_stride = o->axis_stride,
                                    .axis_extent = o->axis_extent};
        memcpy(operands[k].stride, o->stride, sizeof o->stride);
    }
    const gn__launch launch = {.op = "conform",
                               .program = program,
                               .n_dims = (int)s->n_dims,
                               .n_reduced = (int)s->n_reduced,
                               .size = s->size,
                               .operands = operands,
                               .params = s->params};
    EXPECT(gn__launch_run(reference_device(), &launch) == GN_OK, "the reference: %s", gn_error());
}

/* ---- Comparison */

static const struct limits {
    double epsilon, largest, smallest;
} limits[GN_N_DTYPES] = {
    [GN_F16] = {0x1p-10, 65504, 0x1p-14},
    [GN_BF16] = {0x1p-7, 0x1.fep127, FLT_MIN},
    [GN_F32] = {FLT_EPSILON, FLT_MAX, FLT_MIN},
    [GN_F64] = {DBL_EPSILON, DBL_MAX, DBL_MIN},
};

/* Equal, or within `ulp` of the computed type for either device, and a rounding to storage. The ulp
 * are those of `least` at least. */
static bool agree(double x, double y, int dtype, int ulp, double least) {
    if (x == y || (isnan(x) && isnan(y)))
        return true;
    if (ulp == 0 || isnan(x) || isnan(y))
        return false;
    if (isinf(x) || isinf(y)) /* one of them just below the largest number */
        return (x > 0) == (y > 0) && fmin(fabs(x), fabs(y)) > limits[dtype].largest * (1 - 1e-2);
    const double size = fmax(fmax(fabs(x), fabs(y)), fmax(limits[dtype].smallest, least));
    const double computed = limits[value_type(dtype)].epsilon;
    const double rounding = value_type(dtype) != dtype ? limits[dtype].epsilon : 0;
    return fabs(x - y) <= size * (2 * ulp * computed + rounding);
}

/* Compares all memory of an operand. */
static void compare(const trial *t, uint32_t k) {
    struct buffer got = *t->buffers[k], expected = got;
    const size_t element = gn_dtype_bytes(got.dtype), bytes = (size_t)got.n * element;
    got.data = download_all(t->buffers[k]);
    EXPECT(gn__download(expected.data, t->storages[k], 0, bytes) == GN_OK, "the reference: %s",
           gn_error());
    const int ulp = sample_ulp(t->s, k);
    const double least = sample_least(t->s, k);
    for (int64_t i = 0; i < got.n; i++) {
        if (memcmp(got.data + i * (int64_t)element, expected.data + i * (int64_t)element,
                   element) == 0)
            continue;
        if (!gn_dtype_is_float(got.dtype))
            fail_case("element %lld of operand %u is %lld, not %lld", (long long)i, k,
                      (long long)get(&got, i).i, (long long)get(&expected, i).i);
        EXPECT(agree(get_f(&got, i), get_f(&expected, i), got.dtype, ulp, least),
               "element %lld of operand %u is %.17g, not %.17g", (long long)i, k, get_f(&got, i),
               get_f(&expected, i));
    }
}

/* ---- A trial */

static void run_trial(void *argument) {
    trial *t = argument;
    make_memory(t);
    t->stage = FAILS_TO_BUILD;
    const gn_program *program = build(t->s);
    t->stage = FAILS_TO_RUN;
    const gn_status status = run_device(t, program);
    if (status == GN_E_UNSUPPORTED && t->s->n_parts > 2) {
        t->stage = DECLINED;
        return;
    }
    expect_status(status, GN_OK);
    run_reference(t, program);
    t->stage = WRITES_OUTSIDE;
    for (uint32_t k = 0; k < t->s->n_operands; k++)
        if (t->buffers[k])
            download_all(t->buffers[k]);
    t->stage = DIFFERS;
    for (uint32_t k = 0; k < t->s->n_operands; k++)
        if (t->s->operands[k].info.role == GN_WRITE)
            compare(t, k);
    t->stage = AGREES;
}

int sample_check(const sample *s, char *message, size_t bytes) {
    char text[TEXT_BYTES];
    sample_text(s, text, sizeof text);
    const int known = trial_known(text);
    if (known == TRIAL_CRASHED)
        snprintf(message, bytes, "%s", trial_crash());
    if (known != TRIAL_UNKNOWN)
        return known;
    trial t = {.s = s, .stage = FAILS_TO_RUN};
    attempt(run_trial, &t, message, bytes);
    for (uint32_t k = 0; k < s->n_operands; k++)
        gn__storage_release(t.storages[k]);
    kernel_after();
    gn_error_clear();
    trial_answer(t.stage);
    if (t.stage == DECLINED)
        note_composed();
    return t.stage == DECLINED ? AGREES : t.stage;
}
