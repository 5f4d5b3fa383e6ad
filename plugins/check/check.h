/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.h - what the files of the layer "check" share.
 *
 *   layer.c    the table and the entry, options, what passes through, the summary
 *   calls.c    map, reduce, row_map, map_many and scatter, checked
 *   plans.c    planned kernels, checked; norms.c: the bounds of batch norm
 *   job.c      one checked call from its first copy to the verdict
 *   blocks.c   memory: the ranges that a call reaches, their images, the reference's blocks
 *   value.c    views: elements of an image, in the order of their coordinates
 *   shadow.c   programs that compute how far the results of a program may be off
 *   rules.c    the rule of each opcode for that
 *   compare.c  the device's results against the reference's
 *   report.c   a difference in words
 *
 * A checked call is a *job*. Each operand with memory is a *view*; views that share memory lie in
 * one *segment*, a range of a block of the device. Of a segment there are three images on the host:
 * before the call, after it, and as the reference left its copy.
 */
#ifndef GENESIS_CHECK_H
#define GENESIS_CHECK_H

#include <pthread.h>
#include <stdbool.h>

#include <genesis/layer.h>

enum {
    VIEW_DIMS = GN_MAX_DIMS + 1, /* and the axis of LOADX and scatter */
    N_BLOCKS = 2 * GN_MAX_OPERANDS + 1,
    BOUND_BLOCKS = GN_MAX_OPERANDS, /* the reference's blocks from here on hold bounds */
    WORKSPACE_BLOCK = 2 * GN_MAX_OPERANDS,
    MAX_SAVED = 64, /* forward passes whose `saved` the reference keeps, too */
    REPORT_BYTES = 896,
};

extern const gn_host *check_host;

/* ---- One call -------------------------------------------------------------------------------- */

typedef struct view {
    gn_mem *mem;    /* NULL: an index operand, which has no elements */
    uint64_t first; /* byte of the block that holds the element at coordinates 0 */
    int32_t dtype;
    bool written;
    uint32_t segment; /* number in the job */
    uint32_t n_dims;  /* those of the call, and perhaps an axis; size 1 where the stride is 0 */
    int64_t size[VIEW_DIMS], stride[VIEW_DIMS];
    /* Of a written view, by row-major coordinates; NULL: results are exact. NaN or infinite:
     * nothing is certain, because a near tie decides, or the edge of a domain is near. */
    double *bounds;
} view;

typedef struct segment {
    gn_mem *mem;
    uint64_t first, bytes;           /* `first` is a multiple of GN_MEM_ALIGNMENT */
    char *before, *after, *expected; /* images */
} segment;

struct job {
    gn_device *check;
    uint64_t tag;
    const char *kernel, *program; /* "map", "relu"; program: NULL for scatter and plans */
    uint32_t n_dims;              /* of the space, for the report; 0 for plans */
    int64_t size[GN_MAX_DIMS];
    uint32_t n_views, n_segments;
    view views[GN_MAX_OPERANDS];
    segment segments[GN_MAX_OPERANDS];
    const char *unchecked; /* why there is nothing to compare with; NULL: there is */
    gn_status expected;    /* the reference's answer */
    bool *reported;        /* of this program or plan: what the log says comes once */
};

/* ---- The device ------------------------------------------------------------------------------ */

typedef struct shadow shadow;

/* What the layer knows of a program, by its address. */
typedef struct known {
    struct known *next;
    const gn_program *program;
    uint64_t calls;
    bool reported;  /* see job.reported */
    shadow *shadow; /* NULL: not made yet */
} known;

/* The reference's copy of a forward pass's `saved`, by where the device has its own. */
typedef struct saved {
    gn_pointer device;
    gn_mem *reference;
    uint64_t bytes;
} saved;

struct counts {
    uint64_t checked, passed_by, unchecked, different; /* calls */
    uint64_t compared, skipped;                        /* elements */
    double worst;                                      /* error / bound among those that passed */
    const char *worst_op;
};

struct gn_device {
    struct gn_layer layer; /* first */
    char name[64];         /* the device string of the device below */
    const gn_backend *reference;
    gn_device *reference_device;
    uint64_t every;
    bool warn;

    pthread_mutex_t lock; /* of all that follows; held during a checked call */
    struct {
        gn_mem *mem;
        uint64_t bytes;
    } blocks[N_BLOCKS];
    known *known[256];
    uint64_t scatter_calls[4][GN_N_DTYPES]; /* by combine and dtype */
    bool scatter_reported;
    saved saved[MAX_SAVED];
    uint32_t next_saved;
    struct counts counts;
};

/* layer.c */

gn_status check_fail(gn_status status, uint64_t tag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void check_log(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whether this call, after so many before it, is checked; counts those that are not. */
bool check_is_due(gn_device *check, uint64_t calls_before);

/* calls.c: the functions of the same names in gn_backend */

gn_status check_map(gn_device *check, gn_stream *stream, const gn_call *call);
gn_status check_reduce(gn_device *check, gn_stream *stream, const gn_call *call);
gn_status check_row_map(gn_device *check, gn_stream *stream, const gn_call *call);
gn_status check_map_many(gn_device *check, gn_stream *stream, const gn_call *calls, uint32_t n);
gn_status check_scatter(gn_device *check, gn_stream *stream, const gn_scatter_call *call);
void known_free(gn_device *check);

/* plans.c: likewise */

gn_status check_plan(gn_device *check, const gn_plan_desc *desc, gn_plan_info *info, gn_plan **out);
void check_plan_release(gn_device *check, gn_plan *plan);
gn_status check_run(gn_device *check, gn_stream *stream, const gn_run *run);
void saved_free(gn_device *check);

/* norms.c: bounds of the views of a batch norm's job, whose expected images are there. */

bool norm_bounds_forward(struct job *job, double eps);
bool norm_bounds_backward(struct job *job, double eps);

/* job.c */

/* NULL without memory. */
struct job *job_new(gn_device *check, uint64_t tag, const char *kernel, const char *program,
                    bool *reported);
void job_free(struct job *job);
/* Nothing of this job is compared: says why, once for a program. */
void job_give_up(struct job *job, const char *why);
/* After the views are there: copies what they reach to the host and to the reference. An error is
 * the device's, of earlier work. */
gn_status job_begin(struct job *job, gn_stream *stream);
/* After the reference answered: fetches what it wrote. */
void job_expect(struct job *job, gn_status answer);
/* After the device answered to one call, which n jobs make up: compares, and frees them; those that
 * found no memory are NULL. Returns what the caller of the layer gets. */
gn_status jobs_end(gn_device *check, struct job **jobs, uint32_t n, gn_stream *stream,
                   gn_status answer);

/* blocks.c */

/* Puts the views into segments. */
void segments_find(struct job *job);
/* A block of the reference that holds at least so many bytes, until the number is asked for again.
 * NULL: its memory is used up. */
gn_mem *reference_block(gn_device *check, uint32_t number, uint64_t bytes);
/* The same place on the reference. */
gn_pointer reference_place(const struct job *job, const view *v);
/* Uploads an image of each segment to the reference: `before`, or another one. */
gn_status reference_upload(const struct job *job, char *const *images);
void blocks_free(gn_device *check);

/* value.c */

/* A walk over a view's elements in row-major order of the coordinates. */
typedef struct walk {
    const view *view;
    int64_t coordinate[VIEW_DIMS];
    int64_t at; /* elements from the first one */
} walk;

bool view_is_empty(const view *v);
int64_t view_count(const view *v);
walk walk_from_start(const view *v);
walk walk_to(const view *v, const int64_t *coordinate);
bool walk_next(walk *w); /* false: there are no more */
/* The element in an image of the view's segment. */
char *walk_element(const walk *w, const struct job *job, char *image);
double value_float(int dtype, const void *element);
int64_t value_integer(int dtype, const void *element);
double value_number(int dtype, const void *element); /* of any dtype */
/* Writes |x|, or 0 for what is not finite; x is a float. */
void value_make_magnitude(int dtype, void *element);
/* The relative distance of neighbours, 2^-23 for f32; the smallest normal number; the largest. */
double value_eps(int dtype);
double value_tiny(int dtype);
double value_largest(int dtype);
/* How far two correct roundings of one value to a 16-bit dtype lie apart; 0 for other dtypes. */
double value_storage_error(int dtype, double value);

/* shadow.c */

/* Where the operands of a shadow's program come from. */
typedef struct shadow_piece {
    gn_program program;
    gn_insn *insns;
    gn_scalar *constants;
    gn_operand_info operands[GN_MAX_OPERANDS];
    uint8_t source[GN_MAX_OPERANDS]; /* the operand of the program; of a bound: what it bounds */
} shadow_piece;

struct shadow {
    const char *unchecked; /* why there are no bounds; NULL: they are complete */
    uint32_t n_pieces;
    shadow_piece *pieces[GN_MAX_OPERANDS];
};

/* The programs that compute the bounds of all results that are not exact. They read what the
 * program reads, write only bounds (f64), and take one more parameter: the number of reduced
 * elements. NULL without memory. */
shadow *shadow_new(const gn_program *program);
void shadow_free(shadow *s);

/* compare.c */

typedef struct difference {
    uint64_t count, compared; /* elements of the view */
    const view *view;         /* NULL: something else than results was changed */
    int64_t coordinate[VIEW_DIMS];
    char device[8], reference[8]; /* the worst element */
    double error, bound;
    uint32_t segment;
    uint64_t byte; /* of the segment: changed although no result */
} difference;

/* Compares the images, once. True: there is a difference, the first view's. */
bool job_differs(struct job *job, difference *out);
/* The elements of a view of another job are results, whatever they are. */
void segment_accept(segment *s, const struct job *other, const view *v);

/* report.c */

/* Write the report, cut off where `bytes` end. */

void report_difference(const struct job *job, const difference *d, char *text, size_t bytes);
void report_answers(const struct job *job, gn_status answer, gn_status expected, char *text,
                    size_t bytes);

/* Members of arrays whose elements may be longer than this header's structs. */
static inline const gn_insn *insn_at(const gn_program *program, uint32_t n) {
    return (const gn_insn *)((const char *)program->insns + (size_t)n * program->insn_size);
}
static inline const gn_operand *operand_at(const gn_call *call, uint32_t n) {
    return (const gn_operand *)((const char *)call->operands + (size_t)n * call->operand_size);
}

#endif
