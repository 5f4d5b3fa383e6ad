/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpickle.c - the stack machine of a pickle, with the opcodes that build plain values; those that
 * call functions are in unpickle_calls.c. Python's pickletools describes them all.
 *
 * Each opcode takes a bounded amount of memory, so a pickle takes no more than a multiple of its
 * size.
 */
#include <stdlib.h>

#include "unpickle.h"

enum { CHUNK_BYTES = 1 << 16, PROTOCOL = 5 };

static const char op[] = "load";

gn_status gn__machine_wrong(const gn__machine *m, const char *why) {
    return gn_fail(GN_E_FORMAT, op, "%s: its pickle, at byte %zu: %s", m->path, m->at, why);
}

/* ---- Memory */

typedef struct gn__chunk {
    struct gn__chunk *next;
    size_t capacity;
    _Alignas(16) char bytes[];
} chunk;

void *gn__machine_take(gn__machine *m, size_t bytes) {
    gn__arena *arena = m->arena;
    bytes = (bytes + 15) & ~(size_t)15;
    if (arena->chunks == NULL || bytes > arena->chunks->capacity - arena->used) {
        size_t capacity = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        chunk *c = gn__alloc(sizeof *c + capacity);
        if (c == NULL)
            return NULL;
        *c = (chunk){.next = arena->chunks, .capacity = capacity};
        arena->chunks = c;
        arena->used = 0;
    }
    void *memory = arena->chunks->bytes + arena->used;
    arena->used += bytes;
    return memory;
}

void gn__arena_free(gn__arena *arena) {
    for (gn__node *node = arena->filled; node; node = node->next)
        free(node->items);
    for (chunk *c = arena->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    *arena = (gn__arena){.chunks = NULL};
}

/* ---- The stack */

gn_status gn__machine_push(gn__machine *m, gn__node *node) {
    if (node == NULL || gn__grow((void **)&m->stack, &m->capacity, m->depth, sizeof *m->stack))
        return gn_error_status();
    m->stack[m->depth++] = node;
    return GN_OK;
}

/* NULL with an error. */
gn__node *gn__machine_pop(gn__machine *m) {
    if (m->depth == 0 || m->stack[m->depth - 1]->kind == GN__NODE_MARK)
        return gn__machine_wrong(m, "takes a value where there is none"), NULL;
    return m->stack[--m->depth];
}

gn__node *gn__machine_top(gn__machine *m, gn__node_kind kind, const char *why) {
    if (m->depth == 0 || m->stack[m->depth - 1]->kind != kind)
        return gn__machine_wrong(m, why), NULL;
    return m->stack[m->depth - 1];
}

/* The place of the topmost mark; -1 with an error. */
static int64_t find_mark(gn__machine *m) {
    for (size_t i = m->depth; i-- > 0;)
        if (m->stack[i]->kind == GN__NODE_MARK)
            return (int64_t)i;
    gn__machine_wrong(m, "there is no mark");
    return -1;
}

/* ---- Making values. What there are many of has a node for all. */

static gn__node none = {.kind = GN__NODE_NONE}, no = {.kind = GN__NODE_BOOL},
                yes = {.kind = GN__NODE_BOOL, .integer = 1}, mark = {.kind = GN__NODE_MARK},
                empty_tuple = {.kind = GN__NODE_TUPLE};

gn__node *gn__machine_make(gn__machine *m, gn__node_kind kind) {
    gn__node *node = gn__machine_take(m, sizeof *node);
    if (node)
        *node = (gn__node){.kind = (uint8_t)kind};
    return node;
}

static gn_status push_int(gn__machine *m, int64_t value) {
    gn__node *node = gn__machine_make(m, GN__NODE_INT);
    if (node)
        node->integer = value;
    return gn__machine_push(m, node);
}

static gn_status push_float(gn__machine *m, double value) {
    gn__node *node = gn__machine_make(m, GN__NODE_FLOAT);
    if (node)
        node->number = value;
    return gn__machine_push(m, node);
}

/* Appends n values to a list, tuple or dictionary. */
static gn_status append(gn__machine *m, gn__node *to, gn__node *const *values, size_t n) {
    if (n > UINT32_MAX / 2 - to->n)
        return gn__machine_wrong(m, "has more values than there can be");
    if (to->n + n > to->capacity) {
        size_t capacity = to->capacity + (n > to->capacity ? n : to->capacity);
        gn__node **items = realloc(to->items, capacity * sizeof *items);
        if (items == NULL)
            return gn_fail(GN_E_MEMORY, op, "%s: no memory for its pickle", m->path);
        if (to->capacity == 0) {
            to->next = m->arena->filled;
            m->arena->filled = to;
        }
        to->items = items;
        to->capacity = (uint32_t)capacity;
    }
    if (n > 0)
        memcpy(to->items + to->n, values, n * sizeof *values);
    to->n += (uint32_t)n;
    return GN_OK;
}

/* Replaces what is on the stack from `from` on by a value that holds it. */
static gn_status gather(gn__machine *m, gn__node_kind kind, size_t from) {
    gn__node *node = gn__machine_make(m, kind);
    if (node == NULL || append(m, node, m->stack + from, m->depth - from) != GN_OK)
        return gn_error_status();
    m->depth = from;
    return gn__machine_push(m, node);
}

/* The same for all above the topmost mark, which goes as well. */
static gn_status gather_marked(gn__machine *m, gn__node_kind kind) {
    int64_t at = find_mark(m);
    if (at < 0 || gather(m, kind, (size_t)at + 1) != GN_OK)
        return gn_error_status();
    m->stack[at] = m->stack[at + 1];
    m->depth--;
    if (kind == GN__NODE_DICT && m->stack[at]->n % 2 != 0)
        return gn__machine_wrong(m, "a key has no value");
    return GN_OK;
}

/* ---- The pickle's bytes */

/* Moves over n bytes; NULL with an error. */
static const unsigned char *next(gn__machine *m, size_t n) {
    if (n > m->n - m->at)
        return gn__machine_wrong(m, "ends too early"), NULL;
    m->at += n;
    return m->bytes + m->at - n;
}

/* A little-endian number of 1, 2, 4 or 8 bytes. */
static gn_status next_number(gn__machine *m, size_t width, uint64_t *out) {
    const unsigned char *at = next(m, width);
    *out = 0;
    for (size_t i = width; at && i-- > 0;)
        *out = *out << 8 | at[i];
    return at ? GN_OK : gn_error_status();
}

/* n bytes as a text that ends with 0; NULL with an error. */
static const char *text_of(gn__machine *m, size_t n) {
    const unsigned char *at = next(m, n);
    char *text = at ? gn__machine_take(m, n + 1) : NULL;
    if (text == NULL)
        return NULL;
    if (memchr(at, 0, n))
        return gn__machine_wrong(m, "a string has a byte 0"), NULL;
    memcpy(text, at, n);
    text[n] = '\0';
    return text;
}

static gn_status push_string(gn__machine *m, size_t width) {
    uint64_t n;
    if (next_number(m, width, &n) != GN_OK)
        return gn_error_status();
    if (n > m->n - m->at)
        return gn__machine_wrong(m, "a string goes beyond the end");
    gn__node *node = gn__machine_make(m, GN__NODE_STRING);
    if (node == NULL || (node->text = text_of(m, (size_t)n)) == NULL ||
        gn__utf8(op, node->text) != GN_OK)
        return gn_error_status();
    return gn__machine_push(m, node);
}

/* A line, without its end; NULL with an error. */
const char *gn__machine_line(gn__machine *m) {
    const unsigned char *at = m->bytes + m->at, *end = memchr(at, '\n', m->n - m->at);
    if (end == NULL)
        return gn__machine_wrong(m, "a name goes beyond the end"), NULL;
    const char *line = text_of(m, (size_t)(end - at));
    m->at++;
    return line;
}

/* ---- Opcodes: values */

static gn_status do_proto(gn__machine *m) {
    const unsigned char *version = next(m, 1);
    return version && *version > PROTOCOL ? gn__machine_wrong(m, "is of a later protocol")
                                          : gn_error_status();
}

static gn_status do_frame(gn__machine *m) { return next(m, 8) ? GN_OK : gn_error_status(); }

static gn_status do_stop(gn__machine *m) {
    m->stopped = true;
    return GN_OK;
}

static gn_status do_mark(gn__machine *m) { return gn__machine_push(m, &mark); }
static gn_status do_none(gn__machine *m) { return gn__machine_push(m, &none); }
static gn_status do_true(gn__machine *m) { return gn__machine_push(m, &yes); }
static gn_status do_false(gn__machine *m) { return gn__machine_push(m, &no); }
static gn_status do_empty_dict(gn__machine *m) {
    return gn__machine_push(m, gn__machine_make(m, GN__NODE_DICT));
}
static gn_status do_empty_list(gn__machine *m) {
    return gn__machine_push(m, gn__machine_make(m, GN__NODE_LIST));
}
static gn_status do_empty_tuple(gn__machine *m) { return gn__machine_push(m, &empty_tuple); }
static gn_status do_unicode_short(gn__machine *m) { return push_string(m, 1); }
static gn_status do_unicode(gn__machine *m) { return push_string(m, 4); }
static gn_status do_unicode_long(gn__machine *m) { return push_string(m, 8); }
static gn_status do_tuple(gn__machine *m) { return gather_marked(m, GN__NODE_TUPLE); }
static gn_status do_list(gn__machine *m) { return gather_marked(m, GN__NODE_LIST); }
static gn_status do_dict(gn__machine *m) { return gather_marked(m, GN__NODE_DICT); }

static gn_status do_small_tuple(gn__machine *m, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (m->depth <= i || m->stack[m->depth - 1 - i]->kind == GN__NODE_MARK)
            return gn__machine_wrong(m, "takes a value where there is none");
    return gather(m, GN__NODE_TUPLE, m->depth - n);
}

static gn_status do_tuple1(gn__machine *m) { return do_small_tuple(m, 1); }
static gn_status do_tuple2(gn__machine *m) { return do_small_tuple(m, 2); }
static gn_status do_tuple3(gn__machine *m) { return do_small_tuple(m, 3); }

static gn_status push_unsigned(gn__machine *m, size_t width) {
    uint64_t value;
    return next_number(m, width, &value) == GN_OK ? push_int(m, (int64_t)value) : gn_error_status();
}

static gn_status do_int1(gn__machine *m) { return push_unsigned(m, 1); }
static gn_status do_int2(gn__machine *m) { return push_unsigned(m, 2); }

static gn_status do_int4(gn__machine *m) {
    uint64_t value;
    return next_number(m, 4, &value) == GN_OK ? push_int(m, (int32_t)(uint32_t)value)
                                              : gn_error_status();
}

/* A number of any width, two's complement. One that does not fit 64 bits becomes a float. */
static gn_status do_long(gn__machine *m) {
    uint64_t n, bits = 0;
    const unsigned char *at = next_number(m, 1, &n) == GN_OK ? next(m, (size_t)n) : NULL;
    if (at == NULL)
        return gn_error_status();
    const bool negative = n > 0 && at[n - 1] & 0x80;
    if (n <= 8) {
        bits = negative ? UINT64_MAX : 0;
        for (uint64_t i = n; i-- > 0;)
            bits = bits << 8 | at[i];
        return push_int(m, (int64_t)bits);
    }
    double value = negative ? -1 : 0; /* the bits above: each of them is a sign */
    for (uint64_t i = n; i-- > 0;)
        value = value * 256 + at[i];
    return push_float(m, value);
}

static gn_status do_float(gn__machine *m) {
    const unsigned char *at = next(m, 8);
    uint64_t bits = 0;
    for (int i = 0; at && i < 8; i++) /* big-endian, for once */
        bits = bits << 8 | at[i];
    double value;
    memcpy(&value, &bits, sizeof value);
    return at ? push_float(m, value) : gn_error_status();
}

/* ---- Opcodes: stack, containers, memo */

static gn_status do_pop(gn__machine *m) {
    if (m->depth == 0)
        return gn__machine_wrong(m, "takes a value where there is none");
    m->depth--;
    return GN_OK;
}

static gn_status do_append(gn__machine *m) {
    gn__node *value = gn__machine_pop(m),
             *list = value ? gn__machine_top(m, GN__NODE_LIST, "appends to no list") : NULL;
    return list ? append(m, list, &value, 1) : gn_error_status();
}

/* Moves all above the topmost mark to the container below it. */
static gn_status fill(gn__machine *m, gn__node_kind kind, const char *why) {
    int64_t at = find_mark(m);
    if (at < 0)
        return gn_error_status();
    size_t from = (size_t)at + 1, n = m->depth - from;
    if (at == 0 || m->stack[at - 1]->kind != kind)
        return gn__machine_wrong(m, why);
    if (kind == GN__NODE_DICT && n % 2 != 0)
        return gn__machine_wrong(m, "a key has no value");
    m->depth = (size_t)at;
    return append(m, m->stack[at - 1], m->stack + from, n);
}

static gn_status do_appends(gn__machine *m) { return fill(m, GN__NODE_LIST, "appends to no list"); }
static gn_status do_set_items(gn__machine *m) {
    return fill(m, GN__NODE_DICT, "sets items of no dictionary");
}

static gn_status do_set_item(gn__machine *m) {
    gn__node *value = gn__machine_pop(m), *key = value ? gn__machine_pop(m) : NULL;
    gn__node *dict =
        key ? gn__machine_top(m, GN__NODE_DICT, "sets an item of no dictionary") : NULL;
    return dict ? append(m, dict, (gn__node *[]){key, value}, 2) : gn_error_status();
}

/* A memo's numbers count what was put there, so they are less than the bytes of the pickle. */
static gn_status put(gn__machine *m, uint64_t number) {
    if (m->depth == 0 || m->stack[m->depth - 1]->kind == GN__NODE_MARK)
        return gn__machine_wrong(m, "keeps a value where there is none");
    if (number >= m->n)
        return gn__machine_wrong(m, "the number of a kept value is too large");
    while (m->n_memo <= number) {
        if (gn__grow((void **)&m->memo, &m->memo_capacity, m->n_memo, sizeof *m->memo) != GN_OK)
            return gn_error_status();
        m->memo[m->n_memo++] = NULL;
    }
    m->memo[number] = m->stack[m->depth - 1];
    return GN_OK;
}

static gn_status put_numbered(gn__machine *m, size_t width) {
    uint64_t number;
    return next_number(m, width, &number) == GN_OK ? put(m, number) : gn_error_status();
}

static gn_status do_put1(gn__machine *m) { return put_numbered(m, 1); }
static gn_status do_put4(gn__machine *m) { return put_numbered(m, 4); }
static gn_status do_memoize(gn__machine *m) { return put(m, m->n_memo); }

static gn_status get(gn__machine *m, size_t width) {
    uint64_t number;
    if (next_number(m, width, &number) != GN_OK)
        return gn_error_status();
    if (number >= m->n_memo || m->memo[number] == NULL)
        return gn__machine_wrong(m, "uses a value that was not kept");
    return gn__machine_push(m, m->memo[number]);
}

static gn_status do_get1(gn__machine *m) { return get(m, 1); }
static gn_status do_get4(gn__machine *m) { return get(m, 4); }

/* ---- Running */

static gn_status (*const opcodes[256])(gn__machine *m) = {
    [0x80] = do_proto,
    [0x95] = do_frame,
    ['.'] = do_stop,
    ['('] = do_mark,
    ['0'] = do_pop,
    ['N'] = do_none,
    [0x88] = do_true,
    [0x89] = do_false,
    ['J'] = do_int4,
    ['K'] = do_int1,
    ['M'] = do_int2,
    [0x8a] = do_long,
    ['G'] = do_float,
    ['X'] = do_unicode,
    [0x8c] = do_unicode_short,
    [0x8d] = do_unicode_long,
    ['U'] = do_unicode_short,
    ['T'] = do_unicode,
    ['}'] = do_empty_dict,
    [']'] = do_empty_list,
    [')'] = do_empty_tuple,
    ['d'] = do_dict,
    ['l'] = do_list,
    ['t'] = do_tuple,
    [0x85] = do_tuple1,
    [0x86] = do_tuple2,
    [0x87] = do_tuple3,
    ['a'] = do_append,
    ['e'] = do_appends,
    ['s'] = do_set_item,
    ['u'] = do_set_items,
    ['q'] = do_put1,
    ['r'] = do_put4,
    [0x94] = do_memoize,
    ['h'] = do_get1,
    ['j'] = do_get4,
    ['c'] = gn__opcode_global,
    [0x93] = gn__opcode_stack_global,
    ['Q'] = gn__opcode_persistent,
    ['R'] = gn__opcode_reduce,
    ['b'] = gn__opcode_build,
};

static gn_status step(gn__machine *m) {
    const unsigned char *code = next(m, 1);
    if (code && opcodes[*code] == NULL)
        return gn_fail(GN_E_FORMAT, op,
                       "%s: its pickle, at byte %zu: an opcode 0x%02x, which plain data does not "
                       "need",
                       m->path, m->at - 1, *code);
    return code ? opcodes[*code](m) : gn_error_status();
}

gn__node *gn__unpickle_run(gn__arena *arena, const char *path, const unsigned char *bytes,
                           size_t n) {
    gn__machine m = {.arena = arena, .path = path, .bytes = bytes, .n = n};
    gn__node *result = NULL;
    while (!m.stopped && step(&m) == GN_OK)
        ;
    if (!gn__failed())
        result = gn__machine_pop(&m);
    free(m.stack);
    free(m.memo);
    return result;
}
