/* SPDX-License-Identifier: Apache-2.0 */
/*
 * span.c - describes a call: its operation, its kernel, its shapes and dtypes, the bytes that it
 * moves and, of a planned kernel, its floating-point operations.
 *
 * Bytes count each element once that a call reads or writes, however often it does: what a kernel
 * that keeps everything at hand would move.
 */
#include <string.h>

#include "trace.h"

static const char *const dtype_names[GN_N_DTYPES] = {
#define X(name, value, text, bytes) [value] = text,
    GN_DTYPES(X)
#undef X
};

static const char *dtype_name(int dtype) {
    const char *name = dtype > 0 && dtype < GN_N_DTYPES ? dtype_names[dtype] : NULL;
    return name ? name : "?";
}

static void set_name(trace_span *span, const char *name) {
    trace_text text = trace_text_in(span->name, sizeof span->name);
    trace_add(&text, name);
}

/* ---- Arguments: what the viewer shows of a span */

static void add_member(trace_text *args, const char *name) {
    if (args->length > 0)
        trace_add(args, ",");
    trace_add(args, "\"");
    trace_add(args, name);
    trace_add(args, "\":");
}

static void add_string(trace_text *args, const char *name, const char *string) {
    add_member(args, name);
    trace_add_quoted(args, string, TRACE_NAME_BYTES);
}

static void add_shape(trace_text *args, const int64_t *size, uint32_t n_dims) {
    add_member(args, "shape");
    trace_add(args, "\"");
    trace_add_shape(args, size, n_dims);
    trace_add(args, "\"");
}

static void add_count(trace_text *args, const char *name, uint64_t number) {
    add_member(args, name);
    trace_add_number(args, number);
}

/* Arguments that every span has first: the kernel, or what else the call is. */
static trace_text begin_args(trace_span *span) {
    trace_text args = trace_text_in(span->args, sizeof span->args);
    add_string(&args, "kernel", span->kernel);
    return args;
}

static void add_work(trace_text *args, const trace_span *span) {
    add_count(args, "bytes read", span->bytes_read);
    add_count(args, "bytes written", span->bytes_written);
    if (span->flops > 0)
        add_count(args, "flops", span->flops);
}

static trace_text begin_plain(trace_span *span, const char *kernel) {
    span->kernel = kernel;
    span->bytes_read = span->bytes_written = span->flops = 0;
    set_name(span, kernel);
    return begin_args(span);
}

void trace_describe(trace_span *span, const char *kernel) { begin_plain(span, kernel); }

void trace_describe_bytes(trace_span *span, const char *kernel, uint64_t bytes) {
    trace_text args = begin_plain(span, kernel);
    span->bytes_read = bytes;
    add_count(&args, "bytes", bytes);
}

void trace_describe_program(trace_span *span, const char *kernel, const gn_program *program) {
    trace_text args = begin_plain(span, kernel);
    add_string(&args, "program", program->name);
}

/* ---- Programs */

/* How many elements an operand reaches: not more than there are coordinates that move it, nor than
 * lie between the first and the last. */
static uint64_t count_elements(const gn_operand *operand, const int64_t *size, uint32_t n_dims) {
    uint64_t coordinates = 1, moving = 1, range = 1;
    for (uint32_t d = 0; d < n_dims; d++) {
        const int64_t stride = operand->stride[d];
        coordinates *= (uint64_t)size[d];
        if (stride == 0)
            continue;
        moving *= (uint64_t)size[d];
        range += (uint64_t)(size[d] - 1) * (uint64_t)(stride < 0 ? -stride : stride);
    }
    if (operand->axis_extent > 0) { /* the index moves it, too */
        const int64_t stride = operand->axis_stride;
        moving = coordinates;
        range += (uint64_t)(operand->axis_extent - 1) * (uint64_t)(stride < 0 ? -stride : stride);
    }
    return moving < range ? moving : range;
}

static const gn_operand *operand_of(const gn_call *call, uint32_t k) {
    return (const gn_operand *)((const char *)call->operands + (size_t)k * call->operand_size);
}

static void count_bytes(trace_span *span, const gn_call *call) {
    for (uint32_t k = 0; k < call->n_operands; k++) {
        const gn_operand_info *info = &call->program->operands[k];
        if (info->role & GN_INDEX)
            continue;
        const uint64_t bytes = count_elements(operand_of(call, k), call->size, call->n_dims) *
                               gn_dtype_bytes(info->dtype);
        if (info->role & GN_READ)
            span->bytes_read += bytes;
        else
            span->bytes_written += bytes;
    }
}

static void add_dtypes_of(trace_text *args, const gn_program *program, uint16_t roles) {
    const char *between = "";
    for (uint32_t k = 0; k < program->n_operands; k++) {
        const gn_operand_info *info = &program->operands[k];
        if (!(info->role & roles))
            continue;
        trace_add(args, between);
        trace_add(args, info->role & GN_INDEX ? "index" : dtype_name(info->dtype));
        between = ", ";
    }
}

/* "float32, index -> float32": what is read, and what is written. */
static void add_dtypes(trace_text *args, const gn_program *program) {
    add_member(args, "dtypes");
    trace_add(args, "\"");
    add_dtypes_of(args, program, GN_READ | GN_INDEX);
    trace_add(args, " -> ");
    add_dtypes_of(args, program, GN_WRITE);
    trace_add(args, "\"");
}

void trace_describe_calls(trace_span *span, const char *kernel, const gn_call *calls, uint32_t n) {
    const gn_program *program = calls->program;
    const char *op = trace_host->tag_text(calls->tag);
    span->kernel = kernel;
    span->bytes_read = span->bytes_written = span->flops = 0;
    for (uint32_t i = 0; i < n; i++)
        count_bytes(span, (const gn_call *)((const char *)calls + i * calls->struct_size));
    set_name(span, *op ? op : program->name);
    trace_text args = begin_args(span);
    add_string(&args, "program", program->name);
    if (n == 1) {
        add_shape(&args, calls->size, calls->n_dims);
        if (calls->n_reduced > 0)
            add_count(&args, "dims reduced", calls->n_reduced);
    } else {
        add_count(&args, "calls", n);
    }
    add_dtypes(&args, program);
    add_work(&args, span);
}

void trace_describe_scatter(trace_span *span, const gn_scatter_call *call) {
    const char *op = trace_host->tag_text(call->tag);
    const uint64_t bytes = gn_dtype_bytes(call->dtype);
    span->kernel = "scatter";
    span->flops = 0;
    span->bytes_written = bytes * count_elements(call->target, call->size, call->n_dims);
    span->bytes_read = bytes * count_elements(call->source, call->size, call->n_dims);
    if (call->index->mem)
        span->bytes_read +=
            gn_dtype_bytes(GN_I64) * count_elements(call->index, call->size, call->n_dims);
    if (call->combine != GN_SCATTER_SET)
        span->bytes_read += span->bytes_written;
    set_name(span, *op ? op : "scatter");
    trace_text args = begin_args(span);
    add_shape(&args, call->size, call->n_dims);
    add_string(&args, "dtypes", dtype_name(call->dtype));
    add_work(&args, span);
}

/* ---- Planned kernels */

static const gn_tensor_desc *tensor_of(const gn_plan_desc *desc, uint32_t i) {
    const char *at = (const char *)desc->tensors + (size_t)i * desc->tensor_size;
    return (const gn_tensor_desc *)at;
}

/* The elements of a tensor in memory: a stride of 0 repeats them. */
static uint64_t tensor_elements(const gn_tensor_desc *tensor) {
    uint64_t n = tensor->n_dims >= 0;
    for (int32_t d = 0; d < tensor->n_dims; d++)
        n *= tensor->stride[d] ? (uint64_t)tensor->size[d] : 1;
    return n;
}

/* How often a kernel multiplies and adds. First products, c = a b. */

static uint64_t count_product(const gn_plan_desc *desc) {
    const gn_tensor_desc *a = tensor_of(desc, 1);
    return tensor_elements(tensor_of(desc, 0)) * (uint64_t)(a->n_dims ? a->size[a->n_dims - 1] : 1);
}

/* Convolutions: for each element of y or dy C / groups times the window. */
static uint64_t count_window(const gn_plan_desc *desc, uint32_t outputs, uint32_t weight) {
    const gn_tensor_desc *w = tensor_of(desc, weight);
    uint64_t n = tensor_elements(tensor_of(desc, outputs));
    for (int32_t d = 1; d < w->n_dims; d++)
        n *= (uint64_t)w->size[d];
    return n;
}

static uint64_t count_forward(const gn_plan_desc *desc) { return count_window(desc, 0, 2); }
static uint64_t count_data(const gn_plan_desc *desc) { return count_window(desc, 1, 2); }
static uint64_t count_weight(const gn_plan_desc *desc) { return count_window(desc, 2, 0); }

/* Attention, q and v being tensors q and q + 2: for each pair of a query and a key that it may see
 * `for_depth` times D and `for_width` times E. */
static uint64_t count_pairs(const gn_plan_desc *desc, uint32_t q, uint64_t for_depth,
                            uint64_t for_width) {
    const gn_tensor_desc *queries = tensor_of(desc, q), *values = tensor_of(desc, q + 2);
    const gn_attention_attr *attr = desc->attributes;
    const int32_t n = queries->n_dims;
    const uint64_t l = (uint64_t)queries->size[n - 2], s = (uint64_t)values->size[n - 2];
    const uint64_t corner = l < s ? l : s;
    uint64_t pairs = attr->causal ? corner * (corner + 1) / 2 + (l - corner) * s : l * s;
    for (int32_t d = 0; d < n - 2; d++)
        pairs *= (uint64_t)queries->size[d];
    return pairs *
           (for_depth * (uint64_t)queries->size[n - 1] + for_width * (uint64_t)values->size[n - 1]);
}

/* Scores and y; then scores again, dq and dk, and dp and dv. */
static uint64_t count_attention(const gn_plan_desc *desc) { return count_pairs(desc, 1, 1, 1); }
static uint64_t count_gradients(const gn_plan_desc *desc) { return count_pairs(desc, 5, 3, 2); }

typedef struct kernel_row {
    const char *name;
    uint32_t writes;                                     /* bit (1 << i) for tensor i */
    uint64_t (*multiply_adds)(const gn_plan_desc *desc); /* NULL: not counted */
} kernel_row;

static const kernel_row kernels[] = {
    [GN_KERNEL_MATMUL] = {.name = "matmul", .writes = 1, .multiply_adds = count_product},
    [GN_KERNEL_CONV_FORWARD] = {.name = "conv_forward",
                                .writes = 1,
                                .multiply_adds = count_forward},
    [GN_KERNEL_CONV_BACKWARD_DATA] = {.name = "conv_backward_data",
                                      .writes = 1,
                                      .multiply_adds = count_data},
    [GN_KERNEL_CONV_BACKWARD_WEIGHT] = {.name = "conv_backward_weight",
                                        .writes = 1 | 1 << 3,
                                        .multiply_adds = count_weight},
    [GN_KERNEL_MAX_POOL_FORWARD] = {.name = "max_pool_forward", .writes = 1},
    [GN_KERNEL_MAX_POOL_BACKWARD] = {.name = "max_pool_backward", .writes = 1},
    [GN_KERNEL_AVG_POOL_FORWARD] = {.name = "avg_pool_forward", .writes = 1},
    [GN_KERNEL_AVG_POOL_BACKWARD] = {.name = "avg_pool_backward", .writes = 1},
    [GN_KERNEL_BATCH_NORM_FORWARD] = {.name = "batch_norm_forward", .writes = 1 | 1 << 4 | 1 << 5},
    [GN_KERNEL_BATCH_NORM_BACKWARD] = {.name = "batch_norm_backward",
                                       .writes = 1 | 1 << 1 | 1 << 2},
    [GN_KERNEL_ATTENTION_FORWARD] = {.name = "attention_forward",
                                     .writes = 1,
                                     .multiply_adds = count_attention},
    [GN_KERNEL_ATTENTION_BACKWARD] = {.name = "attention_backward",
                                      .writes = 1 | 1 << 1 | 1 << 2,
                                      .multiply_adds = count_gradients},
};

static const kernel_row *kernel_of(uint32_t number) {
    static const kernel_row unknown = {.name = "kernel"}; /* of a later version of the ABI */
    const bool known = number < sizeof kernels / sizeof *kernels && kernels[number].name;
    return known ? &kernels[number] : &unknown;
}

void trace_describe_plan(gn_plan *plan, const gn_plan_desc *desc) {
    const kernel_row *row = kernel_of(desc->kernel);
    trace_text tensors = trace_text_in(plan->tensors, sizeof plan->tensors);
    plan->kernel = row->name;
    plan->bytes_read = plan->bytes_written = plan->flops = 0;
    for (uint32_t i = 0; i < desc->n_tensors; i++) {
        const gn_tensor_desc *tensor = tensor_of(desc, i);
        const uint64_t bytes = tensor_elements(tensor) * gn_dtype_bytes(tensor->dtype);
        if (row->writes >> i & 1)
            plan->bytes_written += bytes;
        else
            plan->bytes_read += bytes;
        trace_add(&tensors, i > 0 ? ", " : "");
        trace_add(&tensors, tensor->n_dims < 0 ? "-" : dtype_name(tensor->dtype));
        if (tensor->n_dims >= 0) {
            trace_add(&tensors, " ");
            trace_add_shape(&tensors, tensor->size, (uint32_t)tensor->n_dims);
        }
    }
    if (row->multiply_adds)
        plan->flops = 2 * row->multiply_adds(desc);
}

static void add_tensors(trace_text *args, const gn_plan *plan) {
    add_member(args, "tensors");
    trace_add_quoted(args, plan->tensors, sizeof plan->tensors);
}

void trace_describe_planning(trace_span *span, const gn_plan *plan) {
    trace_text args = begin_plain(span, plan->kernel);
    set_name(span, "plan");
    add_tensors(&args, plan);
}

void trace_describe_run(trace_span *span, const gn_run *run) {
    const gn_plan *plan = run->plan;
    const char *op = trace_host->tag_text(run->tag);
    span->kernel = plan->kernel;
    span->bytes_read = plan->bytes_read;
    span->bytes_written = plan->bytes_written;
    span->flops = plan->flops;
    set_name(span, *op ? op : plan->kernel);
    trace_text args = begin_args(span);
    add_tensors(&args, plan);
    add_work(&args, span);
}
