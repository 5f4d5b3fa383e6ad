/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.c - blocks and copies, the end of memory, what open and close, create and release leave
 * behind, and several devices.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "libgenesis/runtime/internal.h"

#include "../kernels/kernel.h"

enum { MIB = 1 << 20 };

static gn_mem *take(uint64_t bytes) {
    gn_mem *mem = NULL;
    expect_status(CALL(alloc, device, bytes, &mem), GN_OK);
    EXPECT(mem, "alloc succeeds without a block");
    return mem;
}

static void put_bytes(gn_mem *mem, uint64_t offset, const void *source, uint64_t bytes) {
    expect_status(CALL(upload, device, NULL, mem, offset, source, bytes), GN_OK);
}

static void get_bytes(void *to, const gn_mem *mem, uint64_t offset, uint64_t bytes) {
    expect_status(CALL(download, device, NULL, to, mem, offset, bytes), GN_OK);
}

/* ---- Blocks and copies ----------------------------------------------------------------------- */

/* Copies of any length at any offset; blocks of one byte; NULL is no block. */
static void copies(void) {
    unsigned char source[300], back[300];
    for (int i = 0; i < 300; i++)
        source[i] = (unsigned char)(i * 7);
    gn_mem *mem = take(300), *tiny = take(1);
    put_bytes(mem, 0, source, 300);
    put_bytes(mem, 13, source + 100, 29);
    memcpy(source + 13, source + 100, 29);
    get_bytes(back, mem, 0, 300);
    EXPECT(memcmp(back, source, 300) == 0, "300 bytes come back changed");
    get_bytes(back, mem, 7, 31);
    EXPECT(memcmp(back, source + 7, 31) == 0, "31 bytes at offset 7 come back changed");
    backend->free(device, mem);
    backend->free(device, tiny);
    backend->free(device, NULL);
}

/* upload returns when its source may be reused. */
static void reused_source(void) {
    unsigned char *source = case_alloc(8, MIB), *back = case_alloc(8, MIB);
    gn_mem *mem = take(8 * MIB);
    memset(source, 1, 8 * MIB);
    put_bytes(mem, 0, source, 8 * MIB);
    memset(source, 2, 8 * MIB);
    get_bytes(back, mem, 0, 8 * MIB);
    for (int i = 0; i < 8 * MIB; i++)
        EXPECT(back[i] == 1, "byte %d is what was written to the source after the upload", i);
    backend->free(device, mem);
}

/* Blocks do not overlap. */
static void many_blocks(void) {
    enum { BLOCKS = 300, LARGEST = 999 };
    gn_mem *blocks[BLOCKS];
    unsigned char bytes[LARGEST];
    for (int i = 0; i < BLOCKS; i++) {
        memset(bytes, i % 251, sizeof bytes);
        blocks[i] = take((uint64_t)(i * 37 % LARGEST + 1));
        put_bytes(blocks[i], 0, bytes, (uint64_t)(i * 37 % LARGEST + 1));
    }
    for (int i = 0; i < BLOCKS; i++) {
        const int n = i * 37 % LARGEST + 1;
        get_bytes(bytes, blocks[i], 0, (uint64_t)n);
        for (int k = 0; k < n; k++)
            EXPECT(bytes[k] == i % 251, "block %d of %d bytes was written by another", i, n);
        backend->free(device, blocks[i]);
    }
}

/* Work that was enqueued before a block is freed may use it to its end. */
static void freed_in_use(void) {
    enum { N = MIB, TIMES = 20 };
    subject("map", GN_F32);
    float *ones = case_alloc(N, sizeof *ones), *twos = case_alloc(N, sizeof *twos);
    for (int i = 0; i < N; i++)
        ones[i] = 1, twos[i] = 2;
    struct buffer *y = buffer_new(GN_F32, N);
    program_begin("add");
    store(2, GN_F32, add(load(0, GN_F32), load(1, GN_F32)));
    const gn_program *program = program_end();
    memset(y->data, 0, N * sizeof(float));
    for (int i = 0; i < TIMES; i++) {
        gn_mem *x = take(N * sizeof(float));
        put_bytes(x, 0, ones, N * sizeof(float));
        map(program, SIZES(N), OPERANDS({.mem = x, .stride = {1}}, AT(y, 0, 1), AT(y, 0, 1)), NULL);
        backend->free(device, x);
        gn_mem *other = take(N * sizeof(float));
        put_bytes(other, 0, twos, N * sizeof(float));
        backend->free(device, other);
    }
    for (int i = 0; i < N; i++)
        F32(y)[i] = TIMES;
    check_exact(y);
}

static void host_pointers(void) {
    if (!backend->host_pointer)
        skip_case("the device is not host visible");
    unsigned char byte = 0;
    for (int i = 1; i < 2000; i *= 3) {
        gn_mem *mem = take((uint64_t)i);
        unsigned char *host = backend->host_pointer(device, mem);
        EXPECT(host, "host_pointer gives NULL for a block of %d bytes", i);
        EXPECT((uintptr_t)host % GN_MEM_ALIGNMENT == 0, "a block is at %p, no multiple of %d",
               (void *)host, GN_MEM_ALIGNMENT);
        memset(host, i % 251, (size_t)i);
        get_bytes(&byte, mem, (uint64_t)i - 1, 1);
        EXPECT(byte == i % 251, "what is written at host_pointer is not in the block");
        backend->free(device, mem);
    }
}

static void wrapped_memory(void) {
    if (!backend->wrap)
        skip_case("the device can't use memory of the host's");
    enum { N = 4096 };
    float *memory = aligned_alloc(GN_MEM_ALIGNMENT, N * sizeof *memory);
    EXPECT(memory, "no host memory");
    for (int i = 0; i < N; i++)
        memory[i] = (float)i;
    gn_mem *mem = NULL;
    gn_status status = CALL(wrap, device, memory, N * sizeof *memory, &mem);
    int wrong = -1;
    if (status == GN_OK) {
        program_begin("double");
        int x = load(0, GN_F32);
        store(1, GN_F32, add(x, x));
        const gn_operand operand = {.mem = mem, .stride = {1}};
        map(program_end(), SIZES(N), OPERANDS(operand, operand), NULL);
        status = settle();
        backend->free(device, mem);
        for (int i = 0; i < N && wrong < 0; i++)
            wrong = memory[i] == 2 * (float)i ? -1 : i;
    }
    free(memory);
    expect_status(status, GN_OK);
    EXPECT(wrong < 0, "element %d of the host's memory is not what the kernel wrote", wrong);
}

/* ---- The end of memory ----------------------------------------------------------------------- */

static void too_much(int index) {
    static const uint64_t bytes[] = {UINT64_MAX, UINT64_MAX - 300, UINT64_C(1) << 60};
    gn_mem *mem = NULL;
    context("%llu bytes", (unsigned long long)bytes[index]);
    expect_status(CALL(alloc, device, bytes[index], &mem), GN_E_MEMORY);
    backend->free(device, take(1000));
}

/* More than there is, in pieces: the last ones fail, and after they are freed all is as before. */
static void until_it_is_full(void) {
    enum { PIECES = 12 };
    uint64_t left = 0, total = 0;
    if (tested->flags & GN_DEVICE_HOST_VISIBLE || !backend->memory_info)
        skip_case("%s", backend->memory_info ? "its memory is the host's, which is not used up here"
                                             : "the device does not say how much memory is free");
    expect_status(CALL(memory_info, device, &left, &total), GN_OK);
    EXPECT(left > 0 && left <= total, "memory_info: %llu of %llu bytes are free",
           (unsigned long long)left, (unsigned long long)total);
    gn_mem *pieces[PIECES] = {NULL};
    gn_status status = GN_OK;
    for (int i = 0; i < PIECES && status == GN_OK; i++)
        status = CALL(alloc, device, left / 8, &pieces[i]);
    for (int i = 0; i < PIECES; i++)
        backend->free(device, pieces[i]);
    expect_status(status, GN_E_MEMORY);
    backend->free(device, take(left / 8));
}

/* ---- Leaks ----------------------------------------------------------------------------------- */

enum { WARM_UP = 5, CYCLES = 200, ROUNDS = 5 };

/* Bytes a cycle: less is noise, or what drivers keep of each context that they had. */
enum { LEAK_BYTES = 8, OPEN_LEAK_BYTES = 256 };

/* Bytes that the process has from malloc; 0 where a sanitizer has replaced it. */
static size_t heap_bytes(void) {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* Bytes by which the heap grows with each cycle. Of a few rounds the best one counts: what caches
 * and threads take once is no leak, which grows in every round. */
static size_t growth_of(void (*cycle)(void), int cycles, size_t bound) {
    size_t least = SIZE_MAX;
    for (int round = 0; round < ROUNDS && least >= bound; round++) {
        const size_t before = heap_bytes();
        for (int i = 0; i < cycles; i++)
            cycle();
        const size_t after = heap_bytes(), growth = after > before ? after - before : 0;
        least = growth / (size_t)cycles < least ? growth / (size_t)cycles : least;
    }
    return least;
}

/* Runs a cycle many times: neither the heap nor the device's memory may grow with it. */
static void expect_growth_below(size_t bound, const char *what, void (*cycle)(void), int cycles) {
    uint64_t free_before = 0, free_after = 0, total = 0;
    const bool is_own = backend->memory_info && !(tested->flags & GN_DEVICE_HOST_VISIBLE);
    if (heap_bytes() == 0)
        skip_case("a sanitizer counts the heap by itself");
    growth_of(cycle, WARM_UP, bound);
    if (is_own)
        expect_status(CALL(memory_info, device, &free_before, &total), GN_OK);
    const size_t growth = growth_of(cycle, cycles, bound);
    EXPECT(growth < bound, "%s leaves %zu bytes of the heap each time", what, growth);
    if (is_own)
        expect_status(CALL(memory_info, device, &free_after, &total), GN_OK);
    EXPECT(free_after + (uint64_t)cycles * MIB / 2 >= free_before,
           "%s leaves %llu bytes of the device each time", what,
           (unsigned long long)(free_before - free_after) / (unsigned)cycles);
}

static void expect_no_leak(const char *what, void (*cycle)(void), int cycles) {
    expect_growth_below(LEAK_BYTES, what, cycle, cycles);
}

static void block_cycle(void) {
    char byte = 0;
    gn_mem *mem = take(MIB);
    put_bytes(mem, 0, &byte, 1);
    get_bytes(&byte, mem, 0, 1);
    backend->free(device, mem);
}

static void block_leaks(void) {
    expect_no_leak("a block that is allocated, written, read and freed", block_cycle, CYCLES);
}

static const gn_program *cycled_program;

static void program_cycle(void) {
    void *handle = NULL;
    expect_status(CALL(program_create, device, cycled_program, &handle), GN_OK);
    backend->program_release(device, handle);
}

static void program_leaks(void) {
    if (!backend->program_create)
        skip_case("the device makes nothing of programs");
    program_begin("cycled");
    store(1, GN_F32, op1(GN_OP_EXP, load(0, GN_F32)));
    cycled_program = program_end();
    expect_no_leak("program_create and program_release", program_cycle, CYCLES);
}

static void plan_cycle(void) {
    gn_tensor_desc descs[4];
    for (int i = 0; i < 4; i++)
        descs[i] = (gn_tensor_desc){.dtype = GN_F32,
                                    .n_dims = i < 3 ? 2 : -1,
                                    .size = {40, 40},
                                    .stride = {40, 1},
                                    .alignment = 4};
    const gn_matmul_attr attr = {.struct_size = sizeof attr};
    const gn_plan_desc desc = {.struct_size = sizeof desc,
                               .kernel = GN_KERNEL_MATMUL,
                               .n_tensors = 4,
                               .tensor_size = sizeof descs[0],
                               .tensors = descs,
                               .attributes = &attr};
    gn_plan_info info = {.struct_size = sizeof info};
    gn_plan *plan = NULL;
    const gn_status status = CALL(plan, device, &desc, &info, &plan);
    if (status == GN_E_UNSUPPORTED)
        skip_case("the device declines a matmul");
    expect_status(status, GN_OK);
    backend->plan_release(device, plan);
}

static void plan_leaks(void) {
    if (!backend->plan)
        skip_case("the device plans nothing");
    expect_no_leak("plan and plan_release", plan_cycle, CYCLES);
}

static void stream_cycle(void) {
    gn_stream *stream = NULL;
    expect_status(CALL(stream_create, device, &stream), GN_OK);
    backend->stream_destroy(device, stream);
}

static void stream_leaks(void) {
    if (!backend->stream_create)
        skip_case("the device has no streams");
    expect_no_leak("stream_create and stream_destroy", stream_cycle, CYCLES);
}

static struct buffer *cycled[2];

/* All that a call may leave behind: of a map, and of a failing scatter. */
static void call_cycle(void) {
    map(cycled_program, SIZES(100), OPERANDS(AT(cycled[0], 0, 1), AT(cycled[0], 0, 1)), NULL);
    gn_status status =
        try_scatter(GN_F32, GN_SCATTER_SET, false, 1, SIZES(100), AT(cycled[0], 0, 1),
                    AT(cycled[1], 0, 1), with_axis(AT(cycled[0], 0, 0), 1, 1));
    expect_status(status == GN_OK ? settle() : status, GN_E_INDEX);
}

static void call_leaks(void) {
    cycled[0] = buffer_random(GN_F32, 100);
    cycled[1] = buffer_new(GN_I64, 100);
    for (int i = 0; i < 100; i++)
        I64(cycled[1])[i] = 7;
    program_begin("cycled");
    store(1, GN_F32, op1(GN_OP_NEG, load(0, GN_F32)));
    cycled_program = program_end();
    expect_no_leak("a map and a scatter that fails", call_cycle, CYCLES);
}

/* ---- Devices --------------------------------------------------------------------------------- */

/* Closed and opened again, with shutdown between, which is how a process ends. */
static void open_cycle(void) {
    const int64_t number = 4711;
    int64_t back = 0;
    target_close();
    target_open();
    gn_mem *mem = take(sizeof number);
    put_bytes(mem, 0, &number, sizeof number);
    get_bytes(&back, mem, 0, sizeof back);
    EXPECT(back == number, "memory fails after the device was closed and opened again");
    backend->free(device, mem);
}

static void open_and_close(void) {
    enum { TIMES = 10 };
    for (int i = 0; i < TIMES; i++)
        open_cycle();
    expect_growth_below(OPEN_LEAK_BYTES, "closing and opening the device", open_cycle, TIMES);
}

/* The string of the device under test with number i instead of its own. */
static void name_device(char *name, size_t bytes, int i) {
    const char *string = options.device, *tail = strrchr(string, ':');
    const bool numbered = tail && tail[1] >= '0' && tail[1] <= '9';
    const int length = (int)(numbered ? (size_t)(tail - string) : strlen(string));
    snprintf(name, bytes, i ? "%.*s:%d" : "%.*s", length, string, i);
}

/* What is written to one is not in another. */
static void several_devices(void) {
    enum { MOST = 8, N = 1000 };
    if (!backend->count)
        skip_case("%s is a layer, which counts no devices", options.device);
    int32_t n = 0;
    expect_status(CALL(count, &n), GN_OK);
    if (n < 2)
        skip_case("there is one device");
    n = n < MOST ? n : MOST;
    gn__device *devices[MOST];
    gn_mem *blocks[MOST];
    int64_t data[N];
    for (int i = 0; i < n; i++) {
        char name[80];
        name_device(name, sizeof name, i);
        context("%s", name);
        devices[i] = gn__device_get(name);
        EXPECT(devices[i], "%s", gn_error());
        expect_status(CALL(alloc, devices[i]->handle, sizeof data, &blocks[i]), GN_OK);
        for (int k = 0; k < N; k++)
            data[k] = 1000 * i + k;
        expect_status(CALL(upload, devices[i]->handle, NULL, blocks[i], 0, data, sizeof data),
                      GN_OK);
    }
    for (int i = 0; i < n; i++) {
        context("%s", devices[i]->name);
        expect_status(CALL(download, devices[i]->handle, NULL, data, blocks[i], 0, sizeof data),
                      GN_OK);
        for (int k = 0; k < N; k++)
            EXPECT(data[k] == 1000 * i + k, "memory of one device is another's");
        backend->free(devices[i]->handle, blocks[i]);
    }
}

static const test_case cases[] = {
    {.name = "copies", .run = copies},
    {.name = "reused_source", .run = reused_source},
    {.name = "many_blocks", .run = many_blocks},
    {.name = "freed_in_use", .run = freed_in_use},
    {.name = "host_pointers", .run = host_pointers},
    {.name = "wrapped_memory", .run = wrapped_memory},
    {.name = "too_much", .each = too_much, .n = 3},
    {.name = "until_it_is_full", .run = until_it_is_full},
    {.name = "block_leaks", .run = block_leaks},
    {.name = "program_leaks", .run = program_leaks},
    {.name = "plan_leaks", .run = plan_leaks},
    {.name = "stream_leaks", .run = stream_leaks},
    {.name = "call_leaks", .run = call_leaks},
    {.name = "several_devices", .run = several_devices},
    {.name = "open_and_close", .run = open_and_close},
};

const test_group memory_group = {
    .name = "memory", .row = "memory", CASES(cases), .after = kernel_after};
