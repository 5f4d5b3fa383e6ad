/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blocks.c - the memory of a job: which ranges of the device its views reach, and the reference's
 * blocks that hold copies of them. The images on the host are job.c's.
 */
#include "check.h"

#include <string.h>

/* ---- Segments -------------------------------------------------------------------------------- */

/* The bytes of the block that a view reaches: first .. end - 1. */
static void reach(const view *v, uint64_t *first, uint64_t *end) {
    int64_t low = 0, high = 0;
    for (uint32_t d = 0; d < v->n_dims; d++) {
        const int64_t span = (v->size[d] - 1) * v->stride[d];
        *(span < 0 ? &low : &high) += span;
    }
    const int64_t bytes = gn_dtype_bytes(v->dtype);
    *first = v->first + (uint64_t)(low * bytes);
    *end = v->first + (uint64_t)((high + 1) * bytes);
    if (view_is_empty(v))
        *first = *end = v->first;
    *first -= *first % GN_MEM_ALIGNMENT; /* the reference's copy is aligned as the original is */
}

static bool overlaps(const segment *s, const gn_mem *mem, uint64_t first, uint64_t end) {
    return s->mem == mem && first <= s->first + s->bytes && s->first <= end;
}

/* Takes the ranges of all segments that meet this one into it. */
static void absorb(struct job *job, gn_mem *mem, uint64_t first, uint64_t end) {
    for (uint32_t i = 0; i < job->n_segments;) {
        const segment *s = &job->segments[i];
        if (!overlaps(s, mem, first, end)) {
            i++;
            continue;
        }
        first = s->first < first ? s->first : first;
        end = s->first + s->bytes > end ? s->first + s->bytes : end;
        job->segments[i] = job->segments[--job->n_segments];
        i = 0; /* the range has grown */
    }
    job->segments[job->n_segments++] = (segment){.mem = mem, .first = first, .bytes = end - first};
}

void segments_find(struct job *job) {
    uint64_t first, end;
    for (uint32_t i = 0; i < job->n_views; i++) {
        const view *v = &job->views[i];
        if (v->mem == NULL)
            continue;
        reach(v, &first, &end);
        absorb(job, v->mem, first, end);
    }
    for (uint32_t i = 0; i < job->n_views; i++) {
        view *v = &job->views[i];
        if (v->mem == NULL)
            continue;
        reach(v, &first, &end);
        while (!overlaps(&job->segments[v->segment], v->mem, first, end))
            v->segment++;
    }
}

/* ---- The reference's blocks ------------------------------------------------------------------ */

gn_mem *reference_block(gn_device *check, uint32_t number, uint64_t bytes) {
    const gn_backend *reference = check->reference;
    if (check->blocks[number].mem && check->blocks[number].bytes >= bytes)
        return check->blocks[number].mem;
    reference->free(check->reference_device, check->blocks[number].mem);
    check->blocks[number].mem = NULL;
    if (reference->alloc(check->reference_device, bytes ? bytes : 1, &check->blocks[number].mem))
        return check->blocks[number].mem = NULL;
    check->blocks[number].bytes = bytes;
    return check->blocks[number].mem;
}

gn_pointer reference_place(const struct job *job, const view *v) {
    if (v->mem == NULL)
        return (gn_pointer){NULL, 0};
    return (gn_pointer){job->check->blocks[v->segment].mem,
                        v->first - job->segments[v->segment].first};
}

gn_status reference_upload(const struct job *job, char *const *images) {
    gn_device *check = job->check;
    for (uint32_t i = 0; i < job->n_segments; i++) {
        const uint64_t bytes = job->segments[i].bytes;
        gn_mem *mem = reference_block(check, i, bytes);
        if (mem == NULL)
            return GN_E_MEMORY;
        const gn_status status = bytes ? check->reference->upload(check->reference_device, NULL,
                                                                  mem, 0, images[i], bytes)
                                       : GN_OK;
        if (status != GN_OK)
            return status;
    }
    return GN_OK;
}

void blocks_free(gn_device *check) {
    for (uint32_t i = 0; i < N_BLOCKS; i++)
        check->reference->free(check->reference_device, check->blocks[i].mem);
    memset(check->blocks, 0, sizeof check->blocks);
}
