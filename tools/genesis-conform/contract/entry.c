/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entry.c - what the header asks of a plugin besides memory and kernels: its entry, its table, what
 * it tells of its devices, programs that it can't know, a forked child.
 */
#include <dlfcn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <genesis/tensor.h>

#include "libgenesis/runtime/internal.h"

#include "../kernels/kernel.h"

/* ---- Entry and table ------------------------------------------------------------------------- */

/* The loader has called it once; a second call must do no harm. */
static gn_status enter(gn_abi_request *request, const gn_backend **out) {
    void *library = dlopen(tested->plugin->path, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    void *symbol = library ? dlsym(library, "gn_backend_entry") : NULL;
    gn_backend_entry_fn *entry;
    EXPECT(symbol, "%s has lost its gn_backend_entry", tested->plugin->path);
    memcpy(&entry, &symbol, sizeof entry);
    raw_begin();
    return entry(&gn__host, request, out);
}

static void refuses_other_versions(int index) {
    const uint32_t major = backend->abi_major, minor = backend->abi_minor;
    const uint32_t requests[][3] = {
        {major + 1, 0, 100},
        {major, minor + 1, minor + 9},
    };
    const gn_backend *out = NULL;
    gn_abi_request request = {.struct_size = sizeof request,
                              .major = requests[index][0],
                              .minor_min = requests[index][1],
                              .minor_max = requests[index][2],
                              .needed_major = 77,
                              .needed_minor = 77};
    context("a host that speaks ABI %u.%u to %u.%u", request.major, request.minor_min,
            request.major, request.minor_max);
    expect_status(enter(&request, &out), GN_E_VERSION);
    EXPECT(!out, "a table is given together with GN_E_VERSION");
    EXPECT(request.needed_major == major && request.needed_minor == minor,
           "it says that it needs %u.%u, but it was compiled for %u.%u", request.needed_major,
           request.needed_minor, major, minor);
}

/* A host of a newer minor. */
static void accepts_a_range(void) {
    const gn_backend *out = NULL;
    gn_abi_request request = {.struct_size = sizeof request,
                              .major = backend->abi_major,
                              .minor_max = backend->abi_minor + 5};
    context("a host that speaks ABI %u.0 to %u.%u", request.major, request.major,
            request.minor_max);
    expect_status(enter(&request, &out), GN_OK);
    EXPECT(out, "GN_OK, but no table");
}

/* The loader has checked what it can't do without. */
static void table_is_complete(void) {
    EXPECT(backend->version && *backend->version, "the table has no version");
    EXPECT(!backend->stream_create == !backend->stream_destroy,
           "of stream_create and stream_destroy there is one");
    EXPECT(!backend->event_create == !backend->event_destroy,
           "of event_create and event_destroy there is one");
    EXPECT(!backend->event_create ||
               (backend->event_record && backend->event_wait && backend->event_synchronise),
           "there are events, but not event_record, event_wait and event_synchronise");
    EXPECT(!backend->event_create || backend->stream_create, "there are events, but no streams");
    EXPECT(!backend->plan == !backend->run, "of plan and run there is one");
    EXPECT(!backend->program_create == !backend->program_release,
           "of program_create and program_release there is one");
}

/* ---- Devices --------------------------------------------------------------------------------- */

static void needs_devices(void) {
    if (!backend->info)
        skip_case("%s is a layer, which counts no devices", options.device);
}

static void counts_its_devices(void) {
    int32_t first = -1, second = -1;
    needs_devices();
    expect_status(CALL(count, &first), GN_OK);
    expect_status(CALL(count, &second), GN_OK);
    EXPECT(first > tested->ordinal && first == second, "count gives %d, and then %d", first,
           second);
}

/* info writes no byte beyond the struct's size, and leaves the size as it is. */
static void info_keeps_to_its_size(void) {
    const size_t size = offsetof(gn_device_info, memory_bytes);
    gn_device_info info;
    needs_devices();
    memset(&info, 0x5A, sizeof info);
    info.struct_size = size;
    expect_status(CALL(info, tested->ordinal, &info), GN_OK);
    EXPECT(info.struct_size == size, "info changes struct_size from %zu to %zu", size,
           info.struct_size);
    for (size_t i = size; i < sizeof info; i++)
        EXPECT(((unsigned char *)&info)[i] == 0x5A,
               "info writes byte %zu of a struct whose size is %zu", i, size);
}

/* A text that ends, and has nothing that harms a terminal. */
static void check_text(const char *what, const char *text, size_t bytes) {
    const char *end = memchr(text, 0, bytes);
    EXPECT(end, "the %s has no end within its %zu bytes", what, bytes);
    for (const char *at = text; at < end; at++)
        EXPECT((unsigned char)*at >= ' ' && *at != 0x7f, "the %s has the control character %d",
               what, *at);
}

static void info_is_sound(void) {
    gn_device_info info;
    needs_devices();
    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    memset(info.name, 'x', sizeof info.name);
    expect_status(CALL(info, tested->ordinal, &info), GN_OK);
    check_text("name", info.name, sizeof info.name);
    check_text("vendor", info.vendor, sizeof info.vendor);
    check_text("driver", info.driver, sizeof info.driver);
    EXPECT(info.name[0], "the device has no name");
    EXPECT((info.dtypes & ~((2u << (GN_N_DTYPES - 1)) - 2)) == 0,
           "dtypes has bits of no dtype: %#x", info.dtypes);
    EXPECT(!(info.flags & GN_DEVICE_HOST_VISIBLE) || backend->host_pointer,
           "GN_DEVICE_HOST_VISIBLE, but there is no host_pointer");
}

static void bad_ordinals(int index) {
    static const int32_t bad[] = {-1, 1 << 20};
    gn_device_info info = {.struct_size = sizeof info};
    gn_device *opened = NULL;
    needs_devices();
    context("ordinal %d", bad[index]);
    EXPECT(CALL(info, bad[index], &info) < GN_OK, "info succeeds");
    EXPECT(CALL(open, bad[index], &opened) < GN_OK, "open succeeds");
}

/* All but f64, which few accelerators have. */
static void required_types(void) {
    for (int dtype = GN_BOOL; dtype <= GN_F32; dtype++)
        EXPECT(dtype == GN_U32 || gn__device_has_dtype(tested, dtype), "the device lacks %s",
               gn_dtype_name((gn_dtype)dtype));
}

/* ---- Programs -------------------------------------------------------------------------------- */

/* An opcode of a later minor is refused, by program_create or else by the call. */
static void unknown_opcode(void) {
    static const gn_insn insns[] = {{.op = GN_OP_LOAD, .type = GN_F32},
                                    {.op = 255, .type = GN_F32},
                                    {.op = GN_OP_STORE, .type = GN_F32, .a = 1, .b = 1}};
    static const gn_operand_info infos[] = {{GN_READ, GN_F32}, {GN_WRITE, GN_F32}};
    static const gn_program program = {.struct_size = sizeof program,
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
        expect_status(CALL(program_create, device, &program, &handle), GN_E_UNSUPPORTED);
        return;
    }
    struct buffer *x = buffer_random(GN_F32, 4);
    const int64_t size = 4;
    const gn_operand operands[] = {AT(x, 0, 1), AT(x, 0, 1)};
    const gn_call call = {.struct_size = sizeof call,
                          .tag = test_tag(),
                          .program = &program,
                          .n_dims = 1,
                          .n_operands = 2,
                          .operand_size = sizeof *operands,
                          .size = &size,
                          .operands = operands};
    expect_status(CALL(map, device, NULL, &call), GN_E_UNSUPPORTED);
    check_exact(x);
}

/* ---- Fork ------------------------------------------------------------------------------------ */

enum { FORKED_SECONDS = 20 };

/* What the child finds wrong, as its exit status. */
static const char *const forked_faults[] = {"", "count and info do not work",
                                            "alloc does not answer GN_E_FORKED",
                                            "upload or download does not answer GN_E_FORKED"};

static int calls_in_child(struct buffer *b) {
    int32_t count = 0;
    gn_device_info info = {.struct_size = sizeof info};
    gn_mem *mem = NULL;
    char byte = 0;
    alarm(FORKED_SECONDS);
    if (backend->count && (backend->count(&count) != GN_OK || count < 1 ||
                           backend->info(tested->ordinal, &info) != GN_OK))
        return 1;
    if (backend->alloc(device, 1, &mem) != GN_E_FORKED)
        return 2;
    if (backend->upload(device, NULL, b->mem, 0, &byte, 1) != GN_E_FORKED ||
        backend->download(device, NULL, &byte, b->mem, 0, 1) != GN_E_FORKED)
        return 3;
    return 0;
}

/* In a child process the device is refused, and the parent's goes on. */
static void forked_child(void) {
    struct buffer *b = buffer_random(GN_F32, 10);
    buffer_upload(b);
    const pid_t child = fork();
    if (child == 0)
        _exit(calls_in_child(b));
    int status = -1;
    EXPECT(child > 0 && waitpid(child, &status, 0) == child, "there is no process to fork");
    EXPECT(!WIFSIGNALED(status), "the child crashed, or hung for %d s: SIG%d", FORKED_SECONDS,
           WTERMSIG(status));
    const size_t fault = (size_t)WEXITSTATUS(status);
    EXPECT(fault == 0, "in the child %s",
           fault < GN_LENGTH(forked_faults) ? forked_faults[fault] : "the plugin exits");
    check_exact(b);
}

static const test_case cases[] = {
    {.name = "refuses_other_versions", .each = refuses_other_versions, .n = 2},
    {.name = "accepts_a_range", .run = accepts_a_range},
    {.name = "table_is_complete", .run = table_is_complete},
    {.name = "counts_its_devices", .run = counts_its_devices},
    {.name = "info_keeps_to_its_size", .run = info_keeps_to_its_size},
    {.name = "info_is_sound", .run = info_is_sound},
    {.name = "bad_ordinals", .each = bad_ordinals, .n = 2},
    {.name = "required_types", .run = required_types},
    {.name = "unknown_opcode", .run = unknown_opcode},
    {.name = "forked_child", .run = forked_child},
};

const test_group contract_group = {
    .name = "contract", .row = "contract", CASES(cases), .after = kernel_after};
