/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.c - cases in text files, one item a line:
 *
 *     case NAME ARGUMENT ..            begins a case of row NAME; arguments are numbers
 *     in DTYPE LAYOUT KIND LOW HIGH SEED GRAD SHAPE ..
 *     out DTYPE N_DIMS SHAPE .. VALUE ..
 *     grad INPUT VALUE ..              for those inputs that have one
 *
 * Inputs are not stored but computed, so files stay small: see value_of. The gradient that goes
 * into the backward walk is computed, too.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops.h"
#include "tensor/tensor.h"

enum { MAX_VALUES = 4096 };

/* A line that is read from left to right. */
typedef struct cursor {
    const char *at;
} cursor;

/* ---- Words. What is malformed fails the case. */

/* The next word; false at the end of the line. */
static bool word(cursor *c, char *out, size_t bytes) {
    c->at += strspn(c->at, " ");
    const size_t length = strcspn(c->at, " ");
    EXPECT(length < bytes, "a word of %zu letters", length);
    snprintf(out, bytes, "%.*s", (int)length, c->at);
    c->at += length;
    return length > 0;
}

static bool next_number(cursor *c, double *out) {
    char text[64], *end;
    if (!word(c, text, sizeof text))
        return false;
    *out = strtod(text, &end);
    EXPECT(*end == 0, "'%s' is no number", text);
    return true;
}

static double number(cursor *c) {
    double value = 0;
    EXPECT(next_number(c, &value), "the line is too short");
    return value;
}

/* All numbers of the rest of the line. */
static int64_t numbers(cursor *c, double *out, int64_t room) {
    int64_t n = 0;
    for (double value; next_number(c, &value); out[n++] = value)
        EXPECT(n < room, "the line is too long");
    return n;
}

static int dtype_word(cursor *c) {
    char name[16];
    word(c, name, sizeof name);
    const int dtype = gn_dtype_from_name(name);
    EXPECT(dtype > 0, "there is no dtype '%s'", name);
    return dtype;
}

/* ---- Files */

/* The lines of one file, each a string, kept until another file is asked for. */
static struct {
    const op_group *of;
    char *text;
    const char **at;
    int n;
} lines;

static char *read_all(const char *path) {
    FILE *f = fopen(path, "r");
    char *text = NULL;
    size_t room = 0;
    if (f && getdelim(&text, &room, 0, f) < 0) {
        free(text);
        text = NULL;
    }
    if (f)
        fclose(f);
    return text;
}

/* How many there are; 0 if the file can't be read. */
static int load_lines(const op_group *group) {
    if (lines.of == group)
        return lines.n;
    free(lines.text);
    free(lines.at);
    lines.of = group;
    lines.n = 0;
    lines.text = read_all(op_path(group->file));
    size_t room = 0;
    for (const char *c = lines.text; c && *c; c++)
        room += *c == '\n';
    lines.at = calloc(room + 1, sizeof *lines.at);
    for (char *rest = lines.text, *line; lines.at && rest && (line = strsep(&rest, "\n"));)
        lines.at[lines.n++] = line;
    return lines.n;
}

static bool begins(const char *line, const char *what) {
    const size_t length = strlen(what);
    return !strncmp(line, what, length) && (!line[length] || line[length] == ' ');
}

/* The line where a case begins; lines.n if there is none. */
static int find_case(int index) {
    int i = 0;
    while (i < lines.n && !(begins(lines.at[i], "case") && index-- == 0))
        i++;
    return i;
}

int op_text_count(const op_group *group) {
    const int n_lines = load_lines(group);
    int n = 0;
    for (int i = 0; i < n_lines; i++)
        n += begins(lines.at[i], "case");
    return n ? n : 1;
}

bool op_text_has(const op_group *group, const op_row *row) {
    char wanted[80];
    snprintf(wanted, sizeof wanted, "case %s", row->name);
    for (int i = load_lines(group) - 1; i >= 0; i--)
        if (begins(lines.at[i], wanted))
            return true;
    return false;
}

static const op_row *row_named(const op_group *group, const char *name) {
    for (int i = 0; i < group->n_rows; i++)
        if (!strcmp(group->rows[i].name, name))
            return &group->rows[i];
    fail_case("the table has no row '%s'", name);
}

/* ---- Lines of a case */

/* Element i: kind u is uniform on [low, high), i an integer in [low, high], s special. */
static double value_of(char kind, double low, double high, int64_t seed, int64_t i) {
    static const double special[] = {NAN, INFINITY, -INFINITY, 0,   -0.0, 1,
                                     -1,  0.5,      -0.5,      1.5, 2.5,  -2.5};
    const int64_t turn = i * 37 + seed * 11 + 5;
    if (kind == 's')
        return special[(i + seed) % (int64_t)GN_LENGTH(special)];
    if (kind == 'i')
        return low + (double)(turn % ((int64_t)(high - low) + 1));
    return low + (high - low) * ((double)(turn % 101) / 101.0);
}

static gn_tensor *values(gn_shape shape, int dtype, char kind, double low, double high,
                         int64_t seed) {
    const int64_t n = gn__count((int)shape.n, shape.size);
    double *x = case_alloc((size_t)n + 1, sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = value_of(kind, low, high, seed, i);
    return gn_tensor_from(x, GN_F64, shape, GN_AS(.dtype = dtype));
}

/* t inside a larger tensor: every step-th element along the dim, with others around. */
static gn_tensor *part_of_larger(gn_tensor *t, int64_t dim, int64_t step) {
    gn_shape shape = gn_shape_of(t);
    shape.size[dim] = shape.size[dim] * step + 3;
    gn_tensor *frame = gn_full(shape, 1, GN_AS(.dtype = gn_dtype_of(t)));
    return gn_copy_(gn_slice(frame, dim, 2, 2 + gn_size(t, dim) * step, step), t);
}

static gn_tensor *in_layout(gn_tensor *t, char layout) {
    const int64_t n = gn_dim(t);
    switch (layout) {
    case 't': /* the last two dims swapped in memory */
        return n < 2 ? t : gn_transpose(gn_contiguous(gn_transpose(t, -1, -2)), -1, -2);
    case 's': /* every second element along the last dim */
        return n < 1 ? t : part_of_larger(t, n - 1, 2);
    case 'o': /* a part along the first dim: an offset */
        return n < 1 ? t : part_of_larger(t, 0, 1);
    case 'e': /* expanded along the first dim: its first slice everywhere */
        return n < 1 || gn_size(t, 0) == 0 ? t
                                           : gn_expand_with(gn_narrow(t, 0, 0, 1), gn_shape_of(t));
    case 'h': /* channels-last, hidden */ return n < 3 ? t : gn__channels_last_copy(t);
    default: return t;
    }
}

/* ---- Running */

static gn_shape shape_of(const double *sizes, int64_t n) {
    gn_shape shape = {.n = n};
    for (int d = 0; d < n; d++)
        shape.size[d] = (int64_t)sizes[d];
    return shape;
}

static void run_input(cursor *c, op_run *run) {
    const int dtype = dtype_word(c);
    char layout[2], kind[2];
    word(c, layout, sizeof layout);
    word(c, kind, sizeof kind);
    const double low = number(c), high = number(c);
    const int64_t seed = (int64_t)number(c);
    const bool grad = number(c) != 0;
    double sizes[GN_TENSOR_MAX_DIMS];
    const int64_t n = numbers(c, sizes, GN_TENSOR_MAX_DIMS);
    gn_tensor *t = in_layout(values(shape_of(sizes, n), dtype, *kind, low, high, seed), *layout);
    if (*layout != 'h')
        t = gn_detach(t);
    if (grad)
        t = gn_requires_grad_(t, true);
    EXPECT(t, "input %d: %s", run->c.n_inputs, gn_error());
    EXPECT(run->c.n_inputs < OP_INPUTS, "more than %d inputs", OP_INPUTS);
    run->c.in[run->c.n_inputs++] = t;
}

/* Runs the operation, compares the result, walks back. */
static void run_output(cursor *c, op_run *run) {
    double sizes[GN_TENSOR_MAX_DIMS], *expected;
    const int dtype = dtype_word(c);
    const int64_t n_dims = (int64_t)number(c);
    EXPECT(n_dims >= 0 && n_dims <= GN_TENSOR_MAX_DIMS, "a shape of so many dims");
    for (int64_t d = 0; d < n_dims; d++)
        sizes[d] = number(c);
    const gn_shape shape = shape_of(sizes, n_dims);
    op_forward(run, dtype, shape);
    expected = case_alloc(MAX_VALUES, sizeof *expected);
    op_compare(run, "result", run->y, expected, numbers(c, expected, MAX_VALUES));
    if (gn_requires_grad(run->y))
        op_backward(run, values(shape, dtype, 'u', 0.5, 1.5, 0));
}

static void run_gradient(cursor *c, op_run *run) {
    const int k = (int)number(c);
    EXPECT(k >= 0 && k < run->c.n_inputs, "there is no input %d", k);
    double *expected = case_alloc(MAX_VALUES, sizeof *expected);
    op_compare_gradient(run, k, expected, numbers(c, expected, MAX_VALUES));
}

static void note_dtype(cursor *c, op_run *run) { op_note_dtype(run, dtype_word(c)); }
static void note_nothing(cursor *c, op_run *run) { (void)c, (void)run; }

static const struct {
    const char *name;
    void (*note)(cursor *c, op_run *run); /* before anything is run */
    void (*run)(cursor *c, op_run *run);
} items[] = {
    {.name = "in", .note = note_dtype, .run = run_input},
    {.name = "out", .note = note_dtype, .run = run_output},
    {.name = "grad", .note = note_nothing, .run = run_gradient},
};

/* Visits the lines of a case after its first one. */
static void walk(int first, bool noting, op_run *run) {
    for (int i = first + 1; i < lines.n && !begins(lines.at[i], "case"); i++) {
        cursor c = {.at = lines.at[i]};
        char name[16];
        size_t k = 0;
        if (!word(&c, name, sizeof name))
            continue;
        while (k < GN_LENGTH(items) && strcmp(items[k].name, name) != 0)
            k++;
        EXPECT(k < GN_LENGTH(items), "what is '%s'?", name);
        (noting ? items[k].note : items[k].run)(&c, run);
    }
}

void op_text_run(const op_group *group, int index) {
    EXPECT(load_lines(group),
           "can't read %s: GENESIS_CONFORM_DATA must name the folder of the cases",
           op_path(group->file));
    const int first = find_case(index);
    EXPECT(first < lines.n, "%s has no case %d", group->file, index);
    op_run run = {.decimal = true};
    snprintf(run.where, sizeof run.where, "%s line %d", group->file, first + 1);
    context("%s", run.where);
    cursor c = {.at = lines.at[first]};
    char name[64];
    word(&c, name, sizeof name); /* "case" */
    word(&c, name, sizeof name);
    run.row = row_named(group, name);
    run.c.n_args = (int)numbers(&c, run.c.args, OP_ARGUMENTS);
    walk(first, true, &run);
    op_begin(&run);
    walk(first, false, &run);
}
