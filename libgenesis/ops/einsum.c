/* SPDX-License-Identifier: Apache-2.0 */
/*
 * einsum.c - sums of products by an equation, "bij,bjk->bik".
 *
 * Each dim of each operand has a label. Operands are taken from left to right, two at a time:
 * labels that nothing after them needs are summed, by a batched matrix product where both have such a
 * label, and by a sum where one has it. All of it is made of public operations.
 */
#include <ctype.h>

#include "ops.h"

/* A .. Z, a .. z, and the dims of an ellipsis, the last of which is LAST. */
enum { LETTERS = 52, LAST = LETTERS + GN_TENSOR_MAX_DIMS - 1, LABELS };

typedef struct term {
    gn_tensor *t;
    int n, label[GN_TENSOR_MAX_DIMS];
} term;

typedef struct einsum {
    const char *equation, *at;
    int64_t size[LABELS]; /* 0 dims have it: -1 */
    int seen[LABELS];     /* in how many operands it is; then, in how many that are still to come */
    bool in_result[LABELS];
} einsum;

static bool fail(const einsum *e, const char *why) {
    gn_fail(GN_E_ARGUMENT, "einsum", "\"%s\": %s", e->equation, why);
    return false;
}

/* ---- The equation */

static int label_of(char c) { return isupper((unsigned char)c) ? c - 'A' : 26 + c - 'a'; }

/* The labels up to the next ',' or '-' or the end; those of an ellipsis are the `dims` last ones
 * (-1: as many as leave n in all). */
static bool parse_labels(einsum *e, int n, int ellipsis, term *out) {
    int given = 0, dots = 0;
    for (const char *c = e->at; *c && *c != ',' && *c != '-'; c++) {
        given += isalpha((unsigned char)*c) != 0;
        dots += *c == '.';
    }
    if (dots != 0 && dots != 3)
        return fail(e, "an ellipsis is three dots, once in a term");
    ellipsis = dots == 0 ? 0 : ellipsis >= 0 ? ellipsis : n - given;
    if (ellipsis < 0 || given + ellipsis > GN_TENSOR_MAX_DIMS || (n >= 0 && given + ellipsis != n))
        return fail(e, "a term has not as many letters as its tensor has dims");
    out->n = 0;
    for (; *e->at && *e->at != ',' && *e->at != '-'; e->at++) {
        if (isalpha((unsigned char)*e->at)) {
            out->label[out->n++] = label_of(*e->at);
        } else if (*e->at == '.') {
            if (strncmp(e->at, "...", 3) != 0)
                return fail(e, "an ellipsis is three dots, once in a term");
            for (int i = 0; i < ellipsis; i++)
                out->label[out->n++] = LAST - ellipsis + 1 + i;
            e->at += 2;
        } else if (!isspace((unsigned char)*e->at)) {
            return fail(e, "terms are letters and ...");
        }
    }
    return true;
}

/* Counts the labels of a term, whose sizes must be those of others, or 1. */
static bool note_sizes(einsum *e, const term *o) {
    for (int i = 0; i < o->n; i++) {
        int64_t *size = &e->size[o->label[i]], here = o->t->size[i];
        if (*size > 1 && here != 1 && here != *size) {
            gn_fail(GN_E_ARGUMENT, "einsum", "\"%s\": one label has the sizes %lld and %lld",
                    e->equation, (long long)*size, (long long)here);
            return false;
        }
        *size = *size < 0 || *size == 1 ? here : *size;
        e->seen[o->label[i]]++;
    }
    return true;
}

/* A label that a term has twice becomes one dim, the diagonal. */
static bool take_diagonals(const einsum *e, term *o) {
    for (int i = 0; i < o->n; i++)
        for (int j = i + 1; j < o->n; j++) {
            if (o->label[i] != o->label[j])
                continue;
            if (o->t->size[i] != o->t->size[j])
                return fail(e, "a letter occurs twice in a term, for dims of different sizes");
            int label = o->label[i], n = 0;
            o->t = gn_diagonal(o->t, 0, i, j); /* it comes last */
            for (int k = 0; k < o->n; k++)
                if (k != i && k != j)
                    o->label[n++] = o->label[k];
            o->label[n++] = label;
            o->n = n;
            i = -1; /* look again from the start */
            break;
        }
    return !gn__failed();
}

/* Without an arrow: the ellipsis, and letters that occur once, in order. `once` counts them. */
static void implied_result(const int *once, int ellipsis, term *result) {
    result->n = 0;
    for (int i = 0; i < ellipsis; i++)
        result->label[result->n++] = LAST - ellipsis + 1 + i;
    for (int label = 0; label < LETTERS; label++)
        if (once[label] == 1 && result->n < GN_TENSOR_MAX_DIMS)
            result->label[result->n++] = label;
}

static bool parse(einsum *e, int n, term *terms, term *result) {
    int times[LETTERS] = {0}, ellipsis = 0;
    for (int k = 0; k < n; k++) {
        if (!parse_labels(e, terms[k].t->n_dims, -1, &terms[k]))
            return false;
        int dots = 0;
        for (int i = 0; i < terms[k].n; i++)
            if (terms[k].label[i] < LETTERS)
                times[terms[k].label[i]]++;
            else
                dots++;
        ellipsis = dots > ellipsis ? dots : ellipsis;
        if (!take_diagonals(e, &terms[k]) || !note_sizes(e, &terms[k]))
            return false;
        if (k + 1 < n && *e->at++ != ',')
            return fail(e, "it has fewer terms than there are tensors");
    }
    if (*e->at == ',')
        return fail(e, "it has more terms than there are tensors");
    if (*e->at == '\0') {
        implied_result(times, ellipsis, result);
    } else {
        if (e->at[1] != '>')
            return fail(e, "'-' without '>'");
        e->at += 2;
        if (!parse_labels(e, -1, ellipsis, result))
            return false;
        if (*e->at)
            return fail(e, "there is more after the result");
    }
    for (int i = 0; i < result->n; i++) {
        int label = result->label[i];
        if (e->in_result[label] || e->size[label] < 0)
            return fail(e, "a letter of the result occurs there twice, or in no term");
        e->in_result[label] = true;
    }
    return true;
}

/* ---- The computation */

static int place_of(const term *o, int label) {
    for (int i = 0; i < o->n; i++)
        if (o->label[i] == label)
            return i;
    return -1;
}

/* Sums over the labels that neither the result, nor a term to come, nor `other` (or NULL) has. */
static void sum_out(const einsum *e, term *o, const term *other) {
    gn_dims dims = {0};
    int n = 0;
    for (int i = 0; i < o->n; i++) {
        int label = o->label[i];
        bool kept =
            e->in_result[label] || e->seen[label] > 0 || (other && place_of(other, label) >= 0);
        if (kept)
            o->label[n++] = label;
        else
            dims.dim[dims.n++] = i;
    }
    o->n = n;
    if (dims.n)
        o->t = gn_sum_with(o->t, GN_OPTIONS(gn_reduce_options, .dims = dims, .dtype = o->t->dtype));
}

/* The dims of o in the order of the labels, those that it lacks with size 1; the others must have
 * the size that the equation gives them, if `full`. */
static gn_tensor *arranged(const einsum *e, const term *o, int n, const int *labels, bool full) {
    gn_shape order = {0}, shape = {.n = n}, whole = {.n = n};
    for (int i = 0; i < n; i++) {
        int place = place_of(o, labels[i]);
        if (place >= 0)
            order.size[order.n++] = place;
        shape.size[i] = place < 0 ? 1 : o->t->size[place];
        whole.size[i] = place < 0 ? 1 : e->size[labels[i]];
    }
    gn_tensor *t = gn_reshape_with(gn_permute_with(o->t, order), shape);
    return full ? gn_expand_with(t, whole) : t;
}

/* The labels of a and b, in groups: in both and kept, in a only, in b only, in both and summed. */
typedef struct grouped {
    int n_both, n_a, n_b, n_summed;
    int label[2 * GN_TENSOR_MAX_DIMS]; /* one group behind the other */
} grouped;

static grouped group_labels(const einsum *e, const term *a, const term *b) {
    grouped g = {0};
    int n = 0;
    for (int group = 0; group < 4; group++) {
        const term *from = group == 2 ? b : a, *other = group == 2 ? a : b;
        int start = n;
        for (int i = 0; i < from->n; i++) {
            int label = from->label[i];
            bool both = place_of(other, label) >= 0,
                 kept = e->in_result[label] || e->seen[label] > 0;
            if (group == 0 ? both && kept : group == 3 ? both && !kept : !both)
                g.label[n++] = label;
        }
        *(group == 0   ? &g.n_both
          : group == 1 ? &g.n_a
          : group == 2 ? &g.n_b
                       : &g.n_summed) = n - start;
    }
    return g;
}

static int64_t elements(const einsum *e, int n, const int *label) {
    int64_t count = 1;
    for (int i = 0; i < n; i++)
        count *= e->size[label[i]];
    return count;
}

/* a (both, a, summed) times b (both, summed, b), as matrices -> (both, a, b) */
static gn_tensor *matrix_product(const einsum *e, const term *a, const term *b, const grouped *g) {
    const int *both = g->label, *in_a = both + g->n_both, *in_b = in_a + g->n_a,
              *summed = in_b + g->n_b;
    int left[GN_TENSOR_MAX_DIMS], right[GN_TENSOR_MAX_DIMS], n = 0, m = 0;
    for (int i = 0; i < g->n_both; i++)
        left[n++] = right[m++] = both[i];
    for (int i = 0; i < g->n_a; i++)
        left[n++] = in_a[i];
    for (int i = 0; i < g->n_summed; i++)
        left[n++] = right[m++] = summed[i];
    for (int i = 0; i < g->n_b; i++)
        right[m++] = in_b[i];
    int64_t batch = elements(e, g->n_both, both), k = elements(e, g->n_summed, summed);
    int64_t rows = elements(e, g->n_a, in_a), columns = elements(e, g->n_b, in_b);
    gn_shape shape = {.n = g->n_both + g->n_a + g->n_b};
    for (int i = 0; i < shape.n; i++)
        shape.size[i] = e->size[g->label[i]];
    gn_tensor *x = gn_reshape(arranged(e, a, n, left, true), batch, rows, k);
    gn_tensor *y = gn_reshape(arranged(e, b, m, right, true), batch, k, columns);
    return gn_reshape_with(gn_bmm(x, y), shape);
}

/* a := the product of a and b, which is the next term */
static void multiply(einsum *e, term *a, term *b) {
    for (int i = 0; i < b->n; i++)
        e->seen[b->label[i]]--;
    sum_out(e, a, b);
    sum_out(e, b, a);
    if (gn__failed())
        return;
    grouped g = group_labels(e, a, b);
    int n = g.n_both + g.n_a + g.n_b;
    if (n > GN_TENSOR_MAX_DIMS) {
        gn_fail(GN_E_UNSUPPORTED, "einsum",
                "\"%s\": a product on the way has %d dims, more than %d", e->equation, n,
                GN_TENSOR_MAX_DIMS);
        return;
    }
    if (g.n_summed)
        a->t = matrix_product(e, a, b, &g);
    else
        a->t = gn_mul(arranged(e, a, n, g.label, false), arranged(e, b, n, g.label, false));
    a->n = n;
    memcpy(a->label, g.label, (size_t)n * sizeof *a->label);
}

gn_tensor *gn_einsum(const char *equation, int n, gn_tensor *const *tensors) {
    enum { MAX_TERMS = 16 };
    einsum e = {.equation = equation, .at = equation};
    term terms[MAX_TERMS], result = {0};
    if (gn__failed())
        return NULL;
    if (!equation || n < 1 || n > MAX_TERMS)
        return gn__fail_null(GN_E_ARGUMENT, "einsum", "%s%d tensors: 1 to %d are possible",
                             equation ? "" : "no equation, ", n, MAX_TERMS);
    for (int k = 0; k < n; k++) {
        terms[k].t = tensors[k];
        if (!gn__given("einsum", tensors[k]))
            return NULL;
    }
    for (int label = 0; label < LABELS; label++)
        e.size[label] = -1;
    gn_scope scope = gn_scope_begin();
    gn_tensor *y = NULL;
    if (parse(&e, n, terms, &result)) {
        for (int i = 0; i < terms[0].n; i++)
            e.seen[terms[0].label[i]]--;
        for (int k = 1; k < n && !gn__failed(); k++)
            multiply(&e, &terms[0], &terms[k]);
        if (!gn__failed())
            sum_out(&e, &terms[0], NULL);
        y = gn__failed() ? NULL : arranged(&e, &terms[0], result.n, result.label, true);
    }
    return gn_scope_end_with(scope, y);
}
