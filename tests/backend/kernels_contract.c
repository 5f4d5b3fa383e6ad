/* SPDX-License-Identifier: Apache-2.0 */
/* kernels_contract.c - what the header asks of a plugin besides its kernels. */
#include "kernel_test.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Entry and table ------------------------------------------------------------------------- */

START_TEST(refuses_other_versions) {
    static const uint32_t requests[][3] = {
        {GN_ABI_MAJOR + 1, 0, 100},
        {GN_ABI_MAJOR, GN_ABI_MINOR + 1, GN_ABI_MINOR + 9},
        {GN_ABI_MAJOR, 0, GN_ABI_MINOR - 1},
    };
    const gn_backend *out = NULL;
    gn_abi_request request = {.struct_size = sizeof request,
                              .major = requests[_i][0],
                              .minor_min = requests[_i][1],
                              .minor_max = requests[_i][2],
                              .needed_major = 77,
                              .needed_minor = 77};
    ck_assert_int_eq(plugin_entry(&request, &out), GN_E_VERSION);
    ck_assert_ptr_null(out);
    ck_assert_uint_eq(request.needed_major, GN_ABI_MAJOR);
    ck_assert_uint_eq(request.needed_minor, GN_ABI_MINOR);
}
END_TEST

/* A host of a newer minor, too, and twice in one process. */
START_TEST(accepts_a_range) {
    const gn_backend *out = NULL;
    gn_abi_request request = {
        .struct_size = sizeof request, .major = GN_ABI_MAJOR, .minor_max = GN_ABI_MINOR + 5};
    ck_assert_int_eq(plugin_entry(&request, &out), GN_OK);
    ck_assert_ptr_nonnull(out);
}
END_TEST

START_TEST(table_is_complete) {
    ck_assert_uint_eq(backend->abi_major, GN_ABI_MAJOR);
    ck_assert_uint_eq(backend->abi_minor, GN_ABI_MINOR);
    ck_assert(backend->name && *backend->name && backend->version && *backend->version);
    ck_assert(backend->count && backend->info && backend->open && backend->close);
    ck_assert(backend->alloc && backend->free && backend->upload && backend->download);
    ck_assert(backend->map && backend->reduce && backend->scatter);
    ck_assert(!backend->stream_create == !backend->stream_destroy);
    ck_assert(!backend->stream_create == !backend->synchronise);
    ck_assert(!backend->event_create == !backend->event_destroy);
    ck_assert(!backend->plan == !backend->run);
    ck_assert(!backend->plan == !backend->plan_release);
    ck_assert(!backend->program_create == !backend->program_release);
}
END_TEST

/* ---- Devices --------------------------------------------------------------------------------- */

/* info writes no byte beyond the struct's size, and leaves the size as it is. */
START_TEST(info_keeps_to_its_size) {
    const size_t size = offsetof(gn_device_info, memory_bytes);
    gn_device_info info;
    memset(&info, 0x5A, sizeof info);
    info.struct_size = size;
    ck_assert_int_eq(backend->info(0, &info), GN_OK);
    ck_assert_uint_eq(info.struct_size, size);
    for (size_t i = size; i < sizeof info; i++)
        ck_assert_uint_eq(((unsigned char *)&info)[i], 0x5A);
    ck_assert_ptr_nonnull(memchr(info.name, 0, sizeof info.name));
    ck_assert(info.name[0]);
}
END_TEST

START_TEST(bad_ordinals) {
    static const int32_t bad[] = {-1, 1 << 20};
    gn_device_info info = {.struct_size = sizeof info};
    gn_device *opened = NULL;
    ck_assert_int_lt(backend->info(bad[_i], &info), GN_OK);
    ck_assert_int_lt(backend->open(bad[_i], &opened), GN_OK);
}
END_TEST

START_TEST(required_types) {
    for (int dtype = GN_BOOL; dtype <= GN_F32; dtype++)
        ck_assert(plugin_has(dtype) || dtype == GN_U32);
}
END_TEST

/* ---- Memory ---------------------------------------------------------------------------------- */

/* Copies of any length at any offset; blocks of one byte; NULL is no block. */
START_TEST(memory) {
    unsigned char source[300], back[300];
    for (int i = 0; i < 300; i++)
        source[i] = (unsigned char)(i * 7);
    gn_mem *mem = NULL, *tiny = NULL;
    ck_assert_int_eq(backend->alloc(device, 300, &mem), GN_OK);
    ck_assert_int_eq(backend->alloc(device, 1, &tiny), GN_OK);
    ck_assert_int_eq(backend->upload(device, NULL, mem, 0, source, 300), GN_OK);
    ck_assert_int_eq(backend->upload(device, NULL, mem, 13, source + 100, 29), GN_OK);
    memcpy(source + 13, source + 100, 29);
    ck_assert_int_eq(backend->download(device, NULL, back, mem, 0, 300), GN_OK);
    ck_assert_mem_eq(back, source, 300);
    ck_assert_int_eq(backend->download(device, NULL, back, mem, 7, 31), GN_OK);
    ck_assert_mem_eq(back, source + 7, 31);
    if (backend->host_pointer)
        ck_assert_uint_eq((uintptr_t)backend->host_pointer(device, mem) % GN_MEM_ALIGNMENT, 0);
    backend->free(device, mem);
    backend->free(device, tiny);
    backend->free(device, NULL);
}
END_TEST

START_TEST(too_much_memory) {
    static const uint64_t bytes[] = {UINT64_MAX, UINT64_MAX - 300, UINT64_C(1) << 60};
    gn_mem *mem = NULL;
    ck_assert_int_eq(backend->alloc(device, bytes[_i], &mem), GN_E_MEMORY);
}
END_TEST

/* ---- Programs -------------------------------------------------------------------------------- */

/* An opcode of a later minor is refused, by program_create or else by the call. */
START_TEST(unknown_opcode) {
    gn_insn insns[] = {{.op = GN_OP_LOAD, .type = GN_F32},
                       {.op = 255, .type = GN_F32},
                       {.op = GN_OP_STORE, .type = GN_F32, .a = 1, .b = 1}};
    gn_operand_info infos[] = {{GN_READ, GN_F32}, {GN_WRITE, GN_F32}};
    gn_program program = {.struct_size = sizeof program,
                          .name = "unknown",
                          .hash = {1, 2},
                          .n_insns = 3,
                          .insn_size = sizeof *insns,
                          .n_operands = 2,
                          .n_parts = 1,
                          .insns = insns,
                          .operands = infos};
    void *handle = NULL;
    if (backend->program_create) {
        ck_assert_int_eq(backend->program_create(device, &program, &handle), GN_E_UNSUPPORTED);
        return;
    }
    struct buffer *x = buffer_random(GN_F32, 4);
    int64_t size = 4;
    gn_operand operands[] = {AT(x, 0, 1), AT(x, 0, 1)};
    gn_call call = {.struct_size = sizeof call,
                    .tag = TEST_TAG,
                    .program = &program,
                    .n_dims = 1,
                    .n_operands = 2,
                    .operand_size = sizeof *operands,
                    .size = &size,
                    .operands = operands};
    ck_assert_int_eq(backend->map(device, NULL, &call), GN_E_UNSUPPORTED);
    check_exact(x);
}
END_TEST

/* ---- Streams --------------------------------------------------------------------------------- */

/* Work of one stream is seen by another one that waited for its event. */
START_TEST(streams) {
    gn_stream *stream[2] = {0};
    gn_event *event = NULL;
    if (!backend->stream_create || !backend->event_create)
        return;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(backend->stream_create(device, &stream[i]), GN_OK);
    ck_assert_int_eq(backend->event_create(device, &event), GN_OK);
    enum { N = 100000 };
    uint8_t *source = malloc(N), *back = malloc(N);
    memset(source, 42, N);
    gn_mem *mem = NULL;
    ck_assert_int_eq(backend->alloc(device, N, &mem), GN_OK);
    ck_assert_int_eq(backend->upload(device, stream[0], mem, 0, source, N), GN_OK);
    ck_assert_int_eq(backend->event_record(device, stream[0], event), GN_OK);
    ck_assert_int_eq(backend->event_wait(device, stream[1], event), GN_OK);
    ck_assert_int_eq(backend->download(device, stream[1], back, mem, 0, N), GN_OK);
    ck_assert_mem_eq(back, source, N);
    ck_assert_int_eq(backend->event_synchronise(device, event), GN_OK);
    backend->free(device, mem);
    backend->event_destroy(device, event);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(backend->synchronise(device, stream[i]), GN_OK);
        backend->stream_destroy(device, stream[i]);
    }
    free(source);
    free(back);
}
END_TEST

/* ---- Fork ------------------------------------------------------------------------------------ */

static int calls_in_child(struct buffer *b) {
    int32_t count = 0;
    gn_device_info info = {.struct_size = sizeof info};
    gn_mem *mem = NULL;
    char byte = 0;
    if (backend->count(&count) != GN_OK || count < 1 || backend->info(0, &info) != GN_OK)
        return 1;
    if (backend->alloc(device, 1, &mem) != GN_E_FORKED)
        return 2;
    if (backend->upload(device, NULL, b->mem, 0, &byte, 1) != GN_E_FORKED ||
        backend->download(device, NULL, &byte, b->mem, 0, 1) != GN_E_FORKED)
        return 3;
    return 0;
}

/* In a child process the device is refused, and the parent's goes on. */
START_TEST(forked_child) {
    struct buffer *b = buffer_random(GN_F32, 10);
    buffer_upload(b);
    pid_t child = fork();
    if (child == 0)
        _exit(calls_in_child(b));
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    check_exact(b);
}
END_TEST

TCase *contract_cases(void) {
    TCase *cases = tcase_create("contract");
    tcase_add_loop_test(cases, refuses_other_versions, 0, 3);
    tcase_add_test(cases, accepts_a_range);
    tcase_add_test(cases, table_is_complete);
    tcase_add_test(cases, info_keeps_to_its_size);
    tcase_add_loop_test(cases, bad_ordinals, 0, 2);
    tcase_add_test(cases, required_types);
    tcase_add_test(cases, memory);
    tcase_add_loop_test(cases, too_much_memory, 0, 3);
    tcase_add_test(cases, unknown_opcode);
    tcase_add_test(cases, streams);
    tcase_add_test(cases, forked_child);
    return cases;
}

/* ---- Coverage -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int op;
} opcodes[] = {
#define X(name, value, arity, ulp, meaning) {#name, value},
    GN_OPCODES(X)
#undef X
};

/* Runs last: an opcode that is added to the table without a case fails here. ELEMENTS is used by
 * row programs, which are built whether or not the plugin has row_map. */
START_TEST(every_opcode_has_a_case) {
    if (getenv("CK_RUN_CASE") || getenv("CK_RUN_SUITE"))
        return;
    for (size_t i = 0; i < COUNT(opcodes); i++)
        ck_assert_msg(op_was_used(opcodes[i].op), "no test uses %s", opcodes[i].name);
}
END_TEST

TCase *coverage_cases(void) {
    TCase *cases = tcase_create("coverage");
    tcase_add_test(cases, every_opcode_has_a_case);
    return cases;
}
