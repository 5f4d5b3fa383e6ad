/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpickle.c - the stack machine of a pickle, with the opcodes that build plain values. GLOBAL may
 * name what globals.c lists, and nothing else; REDUCE, which calls a function in Python, makes
 * tensors and dictionaries itself. The opcodes are described in Python's pickletools.
 *
 * Each opcode takes a bounded amount of memory, so a pickle takes no more than a multiple of its
 * size.
 */
#include <stdlib.h>

#include "unpickle.h"

enum { CHUNK_BYTES = 1 << 16, PROTOCOL = 5 };

static const char op[] = "load";

typedef struct machine {
    gn__arena *arena;
    const char *path;
    const unsigned char *bytes;
    size_t n, at;
    gn__node **stack;
    size_t depth, capacity;
    gn__node **memo;
    size_t n_memo, memo_capacity;
    bool stopped;
} machine;

static gn_status wrong(const machine *m, const char *why) {
    return gn_fail(GN_E_FORMAT, op, "%s: its pickle, at byte %zu: %s", m->path, m->at, why);
}

/* ---- Memory */

typedef struct gn__chunk {
    struct gn__chunk *next;
    size_t capacity;
    _Alignas(16) char bytes[];
} chunk;

static void *take(gn__arena *arena, size_t bytes) {
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

static gn_status push(machine *m, gn__node *node) {
    if (node == NULL || gn__grow((void **)&m->stack, &m->capacity, m->depth, sizeof *m->stack))
        return gn_error_status();
    m->stack[m->depth++] = node;
    return GN_OK;
}

/* NULL with an error. */
static gn__node *pop(machine *m) {
    if (m->depth == 0 || m->stack[m->depth - 1]->kind == GN__NODE_MARK)
        return wrong(m, "takes a value where there is none"), NULL;
    return m->stack[--m->depth];
}

static gn__node *top(machine *m, gn__node_kind kind, const char *why) {
    if (m->depth == 0 || m->stack[m->depth - 1]->kind != kind)
        return wrong(m, why), NULL;
    return m->stack[m->depth - 1];
}

/* The place of the topmost mark; -1 with an error. */
static int64_t find_mark(machine *m) {
    for (size_t i = m->depth; i-- > 0;)
        if (m->stack[i]->kind == GN__NODE_MARK)
            return (int64_t)i;
    wrong(m, "there is no mark");
    return -1;
}

/* ---- Making values. What there are many of has a node for all. */

static gn__node none = {.kind = GN__NODE_NONE}, no = {.kind = GN__NODE_BOOL},
                yes = {.kind = GN__NODE_BOOL, .integer = 1}, mark = {.kind = GN__NODE_MARK},
                empty_tuple = {.kind = GN__NODE_TUPLE};

static gn__node *make(machine *m, gn__node_kind kind) {
    gn__node *node = take(m->arena, sizeof *node);
    if (node)
        *node = (gn__node){.kind = (uint8_t)kind};
    return node;
}

static gn_status push_int(machine *m, int64_t value) {
    gn__node *node = make(m, GN__NODE_INT);
    if (node)
        node->integer = value;
    return push(m, node);
}

static gn_status push_float(machine *m, double value) {
    gn__node *node = make(m, GN__NODE_FLOAT);
    if (node)
        node->number = value;
    return push(m, node);
}

/* Appends n values to a list, tuple or dictionary. */
static gn_status append(machine *m, gn__node *to, gn__node *const *values, size_t n) {
    if (n > UINT32_MAX / 2 - to->n)
        return wrong(m, "has more values than there can be");
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
static gn_status gather(machine *m, gn__node_kind kind, size_t from) {
    gn__node *node = make(m, kind);
    if (node == NULL || append(m, node, m->stack + from, m->depth - from) != GN_OK)
        return gn_error_status();
    m->depth = from;
    return push(m, node);
}

/* The same for all above the topmost mark, which goes as well. */
static gn_status gather_marked(machine *m, gn__node_kind kind) {
    int64_t at = find_mark(m);
    if (at < 0 || gather(m, kind, (size_t)at + 1) != GN_OK)
        return gn_error_status();
    m->stack[at] = m->stack[at + 1];
    m->depth--;
    if (kind == GN__NODE_DICT && m->stack[at]->n % 2 != 0)
        return wrong(m, "a key has no value");
    return GN_OK;
}

/* ---- The pickle's bytes */

/* Moves over n bytes; NULL with an error. */
static const unsigned char *next(machine *m, size_t n) {
    if (n > m->n - m->at)
        return wrong(m, "ends too early"), NULL;
    m->at += n;
    return m->bytes + m->at - n;
}

/* A little-endian number of 1, 2, 4 or 8 bytes. */
static gn_status next_number(machine *m, size_t width, uint64_t *out) {
    const unsigned char *at = next(m, width);
    *out = 0;
    for (size_t i = width; at && i-- > 0;)
        *out = *out << 8 | at[i];
    return at ? GN_OK : gn_error_status();
}

/* n bytes as a text that ends with 0; NULL with an error. */
static const char *text_of(machine *m, size_t n) {
    const unsigned char *at = next(m, n);
    char *text = at ? take(m->arena, n + 1) : NULL;
    if (text == NULL)
        return NULL;
    if (memchr(at, 0, n))
        return wrong(m, "a string has a byte 0"), NULL;
    memcpy(text, at, n);
    text[n] = '\0';
    return text;
}

static gn_status push_string(machine *m, size_t width) {
    uint64_t n;
    if (next_number(m, width, &n) != GN_OK)
        return gn_error_status();
    if (n > m->n - m->at)
        return wrong(m, "a string goes beyond the end");
    gn__node *node = make(m, GN__NODE_STRING);
    if (node == NULL || (node->text = text_of(m, (size_t)n)) == NULL ||
        gn__utf8(op, node->text) != GN_OK)
        return gn_error_status();
    return push(m, node);
}

/* A line, without its end; NULL with an error. */
static const char *next_line(machine *m) {
    const unsigned char *at = m->bytes + m->at, *end = memchr(at, '\n', m->n - m->at);
    if (end == NULL)
        return wrong(m, "a name goes beyond the end"), NULL;
    const char *line = text_of(m, (size_t)(end - at));
    m->at++;
    return line;
}

/* ---- Opcodes: values */

static gn_status do_proto(machine *m) {
    const unsigned char *version = next(m, 1);
    return version && *version > PROTOCOL ? wrong(m, "is of a later protocol") : gn_error_status();
}

static gn_status do_frame(machine *m) { return next(m, 8) ? GN_OK : gn_error_status(); }

static gn_status do_stop(machine *m) {
    m->stopped = true;
    return GN_OK;
}

static gn_status do_mark(machine *m) { return push(m, &mark); }
static gn_status do_none(machine *m) { return push(m, &none); }
static gn_status do_true(machine *m) { return push(m, &yes); }
static gn_status do_false(machine *m) { return push(m, &no); }
static gn_status do_empty_dict(machine *m) { return push(m, make(m, GN__NODE_DICT)); }
static gn_status do_empty_list(machine *m) { return push(m, make(m, GN__NODE_LIST)); }
static gn_status do_empty_tuple(machine *m) { return push(m, &empty_tuple); }
static gn_status do_unicode_short(machine *m) { return push_string(m, 1); }
static gn_status do_unicode(machine *m) { return push_string(m, 4); }
static gn_status do_unicode_long(machine *m) { return push_string(m, 8); }
static gn_status do_tuple(machine *m) { return gather_marked(m, GN__NODE_TUPLE); }
static gn_status do_list(machine *m) { return gather_marked(m, GN__NODE_LIST); }
static gn_status do_dict(machine *m) { return gather_marked(m, GN__NODE_DICT); }

static gn_status do_small_tuple(machine *m, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (m->depth <= i || m->stack[m->depth - 1 - i]->kind == GN__NODE_MARK)
            return wrong(m, "takes a value where there is none");
    return gather(m, GN__NODE_TUPLE, m->depth - n);
}

static gn_status do_tuple1(machine *m) { return do_small_tuple(m, 1); }
static gn_status do_tuple2(machine *m) { return do_small_tuple(m, 2); }
static gn_status do_tuple3(machine *m) { return do_small_tuple(m, 3); }

static gn_status push_unsigned(machine *m, size_t width) {
    uint64_t value;
    return next_number(m, width, &value) == GN_OK ? push_int(m, (int64_t)value) : gn_error_status();
}

static gn_status do_int1(machine *m) { return push_unsigned(m, 1); }
static gn_status do_int2(machine *m) { return push_unsigned(m, 2); }

static gn_status do_int4(machine *m) {
    uint64_t value;
    return next_number(m, 4, &value) == GN_OK ? push_int(m, (int32_t)(uint32_t)value)
                                              : gn_error_status();
}

/* A number of any width, two's complement. One that does not fit 64 bits becomes a float. */
static gn_status do_long(machine *m) {
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

static gn_status do_float(machine *m) {
    const unsigned char *at = next(m, 8);
    uint64_t bits = 0;
    for (int i = 0; at && i < 8; i++) /* big-endian, for once */
        bits = bits << 8 | at[i];
    double value;
    memcpy(&value, &bits, sizeof value);
    return at ? push_float(m, value) : gn_error_status();
}

/* ---- Opcodes: stack, containers, memo */

static gn_status do_pop(machine *m) {
    if (m->depth == 0)
        return wrong(m, "takes a value where there is none");
    m->depth--;
    return GN_OK;
}

static gn_status do_append(machine *m) {
    gn__node *value = pop(m), *list = value ? top(m, GN__NODE_LIST, "appends to no list") : NULL;
    return list ? append(m, list, &value, 1) : gn_error_status();
}

/* Moves all above the topmost mark to the container below it. */
static gn_status fill(machine *m, gn__node_kind kind, const char *why) {
    int64_t at = find_mark(m);
    if (at < 0)
        return gn_error_status();
    size_t from = (size_t)at + 1, n = m->depth - from;
    if (at == 0 || m->stack[at - 1]->kind != kind)
        return wrong(m, why);
    if (kind == GN__NODE_DICT && n % 2 != 0)
        return wrong(m, "a key has no value");
    m->depth = (size_t)at;
    return append(m, m->stack[at - 1], m->stack + from, n);
}

static gn_status do_appends(machine *m) { return fill(m, GN__NODE_LIST, "appends to no list"); }
static gn_status do_set_items(machine *m) {
    return fill(m, GN__NODE_DICT, "sets items of no dictionary");
}

static gn_status do_set_item(machine *m) {
    gn__node *value = pop(m), *key = value ? pop(m) : NULL;
    gn__node *dict = key ? top(m, GN__NODE_DICT, "sets an item of no dictionary") : NULL;
    return dict ? append(m, dict, (gn__node *[]){key, value}, 2) : gn_error_status();
}

/* A memo's numbers count what was put there, so they are less than the bytes of the pickle. */
static gn_status put(machine *m, uint64_t number) {
    if (m->depth == 0 || m->stack[m->depth - 1]->kind == GN__NODE_MARK)
        return wrong(m, "keeps a value where there is none");
    if (number >= m->n)
        return wrong(m, "the number of a kept value is too large");
    while (m->n_memo <= number) {
        if (gn__grow((void **)&m->memo, &m->memo_capacity, m->n_memo, sizeof *m->memo) != GN_OK)
            return gn_error_status();
        m->memo[m->n_memo++] = NULL;
    }
    m->memo[number] = m->stack[m->depth - 1];
    return GN_OK;
}

static gn_status put_numbered(machine *m, size_t width) {
    uint64_t number;
    return next_number(m, width, &number) == GN_OK ? put(m, number) : gn_error_status();
}

static gn_status do_put1(machine *m) { return put_numbered(m, 1); }
static gn_status do_put4(machine *m) { return put_numbered(m, 4); }
static gn_status do_memoize(machine *m) { return put(m, m->n_memo); }

static gn_status get(machine *m, size_t width) {
    uint64_t number;
    if (next_number(m, width, &number) != GN_OK)
        return gn_error_status();
    if (number >= m->n_memo || m->memo[number] == NULL)
        return wrong(m, "uses a value that was not kept");
    return push(m, m->memo[number]);
}

static gn_status do_get1(machine *m) { return get(m, 1); }
static gn_status do_get4(machine *m) { return get(m, 4); }

/* ---- Opcodes: what Python would import and call */

static gn_status push_global(machine *m, const char *module, const char *name) {
    int dtype = 0;
    gn__global_id id = gn__global_find(module, name, &dtype);
    if (id == GN__GLOBAL_UNKNOWN)
        return gn_fail(GN_E_FORMAT, op,
                       "%s: its pickle wants Python's %.100s.%.100s, and nothing of Python is run: "
                       "files may hold tensors, dictionaries, lists, numbers and strings",
                       m->path, module, name);
    gn__node *node = make(m, GN__NODE_GLOBAL);
    if (node) {
        node->global = (uint8_t)id;
        node->dtype = (int8_t)dtype;
    }
    return push(m, node);
}

static gn_status do_global(machine *m) {
    const char *module = next_line(m), *name = module ? next_line(m) : NULL;
    return name ? push_global(m, module, name) : gn_error_status();
}

static gn_status do_stack_global(machine *m) {
    gn__node *name = pop(m), *module = name ? pop(m) : NULL;
    if (module == NULL)
        return gn_error_status();
    if (name->kind != GN__NODE_STRING || module->kind != GN__NODE_STRING)
        return wrong(m, "names a global by no string");
    return push_global(m, module->text, name->text);
}

/* ("storage", storage class, key, location, number of elements): where a tensor's elements are. */
static gn_status do_persistent(machine *m) {
    gn__node *id = pop(m);
    if (id == NULL)
        return gn_error_status();
    gn__node **part = id->items;
    if (id->kind != GN__NODE_TUPLE || id->n != 5 || part[0]->kind != GN__NODE_STRING ||
        strcmp(part[0]->text, "storage") != 0 || part[1]->kind != GN__NODE_GLOBAL ||
        part[1]->global != GN__GLOBAL_STORAGE || part[2]->kind != GN__NODE_STRING ||
        part[4]->kind != GN__NODE_INT || part[4]->integer < 0)
        return wrong(m, "refers to something else than a storage of elements");
    gn__storage_ref *ref = take(m->arena, sizeof *ref);
    gn__node *node = ref ? make(m, GN__NODE_STORAGE) : NULL;
    if (node == NULL)
        return gn_error_status();
    *ref =
        (gn__storage_ref){.key = part[2]->text, .dtype = part[1]->dtype, .count = part[4]->integer};
    node->storage = ref;
    return push(m, node);
}

/* Reads a tuple of numbers >= 0 and returns how many, or -1 with an error. */
static int read_sizes(machine *m, const gn__node *tuple, int64_t out[GN_TENSOR_MAX_DIMS]) {
    if (tuple->kind != GN__NODE_TUPLE)
        return wrong(m, "the shape of a tensor is no tuple"), -1;
    if (tuple->n > GN_TENSOR_MAX_DIMS)
        return gn_fail(GN_E_UNSUPPORTED, op, "%s: a tensor has %u dims, more than %d", m->path,
                       tuple->n, GN_TENSOR_MAX_DIMS),
               -1;
    for (uint32_t d = 0; d < tuple->n; d++) {
        out[d] = tuple->items[d]->integer;
        if (tuple->items[d]->kind != GN__NODE_INT || out[d] < 0)
            return wrong(m, "a size or stride of a tensor is no number >= 0"), -1;
    }
    return (int)tuple->n;
}

/* Whether offset, sizes and strides stay inside the storage. */
static bool inside(const gn__tensor_spec *spec) {
    int64_t last = spec->offset, step, bytes;
    bool empty = false, fits = spec->offset >= 0 && spec->offset <= spec->storage_count;
    for (int d = 0; d < spec->n_dims; d++)
        empty = empty || spec->size[d] == 0;
    for (int d = 0; d < spec->n_dims && !empty; d++)
        fits = fits && gn__mul(spec->size[d] - 1, spec->stride[d], &step) &&
               gn__add(last, step, &last);
    return fits && (empty || last < spec->storage_count) &&
           gn__tensor_bytes(spec->dtype, spec->n_dims, spec->size, &bytes);
}

/* (storage, offset, sizes, strides, requires_grad, hooks, ..): the rest is of no use here. */
static gn_status rebuild_tensor(machine *m, const gn__node *arguments) {
    gn__node **part = arguments->items;
    if (arguments->n < 4 || part[0]->kind != GN__NODE_STORAGE || part[1]->kind != GN__NODE_INT)
        return wrong(m, "a tensor is not made of a storage, an offset, sizes and strides");
    gn__tensor_spec *spec = take(m->arena, sizeof *spec);
    gn__node *node = spec ? make(m, GN__NODE_TENSOR) : NULL;
    if (node == NULL)
        return gn_error_status();
    const gn__storage_ref *storage = part[0]->storage;
    *spec = (gn__tensor_spec){.key = storage->key,
                              .dtype = storage->dtype,
                              .storage_count = storage->count,
                              .offset = part[1]->integer,
                              .n_dims = read_sizes(m, part[2], spec->size)};
    int strides = spec->n_dims >= 0 ? read_sizes(m, part[3], spec->stride) : -1;
    if (strides < 0)
        return gn_error_status();
    if (strides != spec->n_dims)
        return wrong(m, "a tensor has not as many strides as sizes");
    if (!inside(spec))
        return wrong(m, "a tensor reaches beyond its storage");
    node->tensor = spec;
    return push(m, node);
}

static gn_status do_reduce(machine *m) {
    gn__node *arguments = pop(m), *function = arguments ? pop(m) : NULL;
    if (function == NULL)
        return gn_error_status();
    if (function->kind != GN__NODE_GLOBAL || arguments->kind != GN__NODE_TUPLE)
        return wrong(m, "calls what is no function");
    switch (function->global) {
    case GN__GLOBAL_ORDERED_DICT:
        return arguments->n == 0 ? do_empty_dict(m) : wrong(m, "an OrderedDict has arguments");
    case GN__GLOBAL_REBUILD_TENSOR: return rebuild_tensor(m, arguments);
    case GN__GLOBAL_REBUILD_PARAMETER:
        return arguments->n > 0 && arguments->items[0]->kind == GN__NODE_TENSOR
                   ? push(m, arguments->items[0])
                   : wrong(m, "a parameter is made of no tensor");
    case GN__GLOBAL_SIZE:
        return arguments->n == 1 && arguments->items[0]->kind == GN__NODE_TUPLE
                   ? push(m, arguments->items[0])
                   : wrong(m, "a torch.Size is made of no tuple");
    default: return wrong(m, "calls a class of storages");
    }
}

/* Attributes of an OrderedDict: state dicts have versions of modules there, of no use here. */
static gn_status do_build(machine *m) {
    if (pop(m) == NULL)
        return gn_error_status();
    return top(m, GN__NODE_DICT, "sets attributes of no dictionary") ? GN_OK : gn_error_status();
}

/* ---- Running */

static gn_status (*const opcodes[256])(machine *m) = {
    [0x80] = do_proto,        [0x95] = do_frame,        ['.'] = do_stop,
    ['('] = do_mark,          ['0'] = do_pop,           ['N'] = do_none,
    [0x88] = do_true,         [0x89] = do_false,        ['J'] = do_int4,
    ['K'] = do_int1,          ['M'] = do_int2,          [0x8a] = do_long,
    ['G'] = do_float,         ['X'] = do_unicode,       [0x8c] = do_unicode_short,
    [0x8d] = do_unicode_long, ['U'] = do_unicode_short, ['T'] = do_unicode,
    ['}'] = do_empty_dict,    [']'] = do_empty_list,    [')'] = do_empty_tuple,
    ['d'] = do_dict,          ['l'] = do_list,          ['t'] = do_tuple,
    [0x85] = do_tuple1,       [0x86] = do_tuple2,       [0x87] = do_tuple3,
    ['a'] = do_append,        ['e'] = do_appends,       ['s'] = do_set_item,
    ['u'] = do_set_items,     ['q'] = do_put1,          ['r'] = do_put4,
    [0x94] = do_memoize,      ['h'] = do_get1,          ['j'] = do_get4,
    ['c'] = do_global,        [0x93] = do_stack_global, ['Q'] = do_persistent,
    ['R'] = do_reduce,        ['b'] = do_build,
};

static gn_status step(machine *m) {
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
    machine m = {.arena = arena, .path = path, .bytes = bytes, .n = n};
    gn__node *result = NULL;
    while (!m.stopped && step(&m) == GN_OK)
        ;
    if (!gn__failed())
        result = pop(&m);
    free(m.stack);
    free(m.memo);
    return result;
}
