/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - what every file of libgenesis may use: objects, the thread's state, errors, hashing.
 * Public twin: <genesis/base.h>.
 */
#ifndef GENESIS_BASE_INTERNAL_H
#define GENESIS_BASE_INTERNAL_H

#include <stdatomic.h>

#include <genesis/base.h>

#define GN_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Objects: tensors, modules, optimizers, ... start with this header */

typedef struct gn__kind {
    const char *name;
    void (*destroy)(void *object); /* frees the object and drops its references by gn_release */
} gn__kind;

typedef struct gn__object {
    const gn__kind *kind;
    atomic_uint references;
} gn__object;

/* A zeroed object of so many bytes with one reference, the caller's. NULL with an error. */
void *gn__object_new(const gn__kind *kind, size_t bytes);

/* A destroy function never runs inside another one: what it releases for the last time is destroyed
 * after it returns. So an object at the head of a chain of any length is freed in a loop. */

/* Gives the caller's reference to the innermost scope. Returns the object; NULL passes through.
 * When the scope can't grow, the object is released and NULL returned, with an error. */
void *gn__own(void *object);

/* ---- The thread's state */

enum { GN__SHAPE_TEXTS = 8, GN__SHAPE_TEXT_BYTES = 320 };

/* Why autograd does not record, bits of gn__thread.no_grad. */
enum {
    GN__OFF_BY_USER = 1,    /* gn_set_grad_enabled(false), or inside a walk */
    GN__OFF_INFERENCE = 2,  /* gn_set_inference_mode(true) */
    GN__OFF_CHECKPOINT = 4, /* inside a function that backward will run again */
};

/* What every operation touches comes first. */
typedef struct gn__thread {
    gn_status status;   /* the error that sticks */
    uint8_t no_grad;    /* GN__OFF_*; 0: autograd records */
    bool would_record;  /* set by gn__recording while GN__OFF_CHECKPOINT is the only reason */
    bool seek_nan;      /* gn_set_detect_anomaly */
    bool destroying;    /* a destroy function runs: see gn_release */
    uint32_t n_texts;   /* gn__shape_text's calls so far */
    gn__object **owned; /* the scopes' objects, outermost first */
    size_t n_owned, owned_capacity;
    size_t *marks; /* n_owned at each gn_scope_begin */
    size_t depth, marks_capacity;
    gn__object **dead; /* without references, waiting to be destroyed */
    size_t n_dead, dead_capacity;
    uint64_t late_tag; /* set by the host service set_error, see runtime */
    char late[1024];
    uint64_t launches;                 /* calls of backends that take a stream, so far */
    struct gn__account *declined;      /* what is about to be composed: runtime/fallback.c */
    const struct gn__running *running; /* the innermost module whose forward runs */
    char message[2048];
    char text[GN__SHAPE_TEXTS][GN__SHAPE_TEXT_BYTES];
} gn__thread;

/* The state of the calling thread, made at its first use. Never NULL (a static one, in which every
 * operation fails with GN_E_MEMORY, serves if there is no memory). */
extern _Thread_local gn__thread *gn__thread_state __attribute__((tls_model("initial-exec")));
gn__thread *gn__thread_make(void);
/* Frees what the calling thread owns, and its state; the next use makes another one. */
void gn__thread_free(void);
/* Goes back to a depth of scopes, releasing what is owned from `mark` on. */
void gn__scope_unwind(gn__thread *self, size_t depth, size_t mark);
static inline gn__thread *gn__self(void) {
    gn__thread *self = gn__thread_state;
    return self ? self : gn__thread_make();
}

/* Whether an error sticks: the first line of every operation is `if (gn__failed()) return NULL;` */
static inline bool gn__failed(void) { return gn__self()->status != GN_OK; }

/* ---- Errors: gn_fail(status, op, format...) is the one function that records them. */

#define gn__fail_null(...) (gn_fail(__VA_ARGS__), (void *)0)

/* Text of a shape: "(32, 3, 224, 224)". Written into a ring of buffers of the thread: valid for the
 * next 8 calls. */
const char *gn__shape_text(int n_dims, const int64_t *size);

/* The log: to stderr, and only what the variable GENESIS_LOG asks for, a list of words separated by
 * commas: error, warning, info or debug is the highest level printed, "fallback" adds compositions.
 * Levels are GN_LOG_* of backend.h and GN__LOG_FALLBACK. gn__log_reset reads the variable anew. */
enum { GN__LOG_FALLBACK = GN_LOG_DEBUG + 1 };
void gn__log_reset(void);
bool gn__log_enabled(int level);
void gn__log(int level, const char *format, ...) GN_PRINTF(2, 3);

/* Calls `hook` once at the next gn_shutdown, after the caller's root scope was freed and before the
 * devices are closed; the last one registered goes first. For what a file keeps in statics. */
gn_status gn__at_shutdown(void (*hook)(void));
void gn__run_shutdown_hooks(void);

/* ---- Memory of the library itself: NULL with an error GN_E_MEMORY */

void *gn__alloc(size_t bytes);                     /* zeroed */
void *gn__alloc_array(size_t count, size_t bytes); /* zeroed; checks the product */
char *gn__strdup(const char *text);

/* Makes room for one more element in a growing array; *capacity doubles. */
gn_status gn__grow(void **array, size_t *capacity, size_t count, size_t element_bytes);

/* a * b, a + b for sizes >= 0; false if the result does not fit. */
static inline bool gn__mul(int64_t a, int64_t b, int64_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool gn__add(int64_t a, int64_t b, int64_t *out) {
    return !__builtin_add_overflow(a, b, out);
}

/* ---- Hashing, and a table from byte strings to pointers */

uint64_t gn__hash(const void *bytes, size_t length, uint64_t seed);

typedef struct gn__table gn__table;

gn__table *gn__table_new(void);
void gn__table_free(gn__table *table, void (*free_value)(void *value));
/* The value of a key, or NULL. */
void *gn__table_get(const gn__table *table, const void *key, size_t length);
/* Sets the value of a key, copying the key. */
gn_status gn__table_set(gn__table *table, const void *key, size_t length, void *value);
/* Calls `visit` for each value, in the order in which the keys were set first. */
void gn__table_each(const gn__table *table, void (*visit)(void *value, void *context),
                    void *context);

#endif
