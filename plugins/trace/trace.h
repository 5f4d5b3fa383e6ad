/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.h - what the files of the layer `trace` share.
 *
 *   trace.c    the table: passes each call on to the device below and times it; the entry
 *   device.c   opens and closes a traced device; its blocks of memory, and the counter of them
 *   span.c     describes a call: operation, kernel, shapes, dtypes, bytes, FLOPs
 *   stream.c   the time on the device: the call's own, or that between two events
 *   summary.c  the table of all operations, sorted by time
 *   output.c   the files: events to the trace, tables to the summary
 *   text.c     text put together in a buffer of fixed size
 *
 * What a trace can't do (write a file, time an event) is no failure of the program: it is left
 * out, and said in the log and in the summary. A lack of memory for a device, a stream or a plan
 * is one.
 */
#ifndef GENESIS_TRACE_H
#define GENESIS_TRACE_H

#include <pthread.h>
#include <stdbool.h>

#include <genesis/layer.h>

extern const gn_host *trace_host;

/* ---- Text (text.c) */

/* A string that grows in the caller's buffer; what does not fit is cut off. */
typedef struct trace_text {
    char *bytes;
    size_t size, length; /* bytes[length] is always 0 */
} trace_text;

trace_text trace_text_in(char *bytes, size_t size);
void trace_add(trace_text *text, const char *string);
void trace_add_number(trace_text *text, uint64_t number);
/* Nanoseconds, written in microseconds, the unit of the trace format: 1.234 */
void trace_add_time(trace_text *text, uint64_t ns);
/* A JSON string of at most `most` characters of `string`; '?' for what is not printable ASCII. */
void trace_add_quoted(trace_text *text, const char *string, size_t most);
/* (2, 3) */
void trace_add_shape(trace_text *text, const int64_t *size, uint32_t n_dims);

/* ---- One call (span.c) */

enum {
    TRACE_NAME_BYTES = 64,
    TRACE_ARGS_BYTES = 1024,  /* holds those of any call */
    TRACE_TENSORS_BYTES = 768 /* more tensors than that are cut off */
};

/* A piece of time on a track of the trace, and what it was spent on. */
typedef struct trace_span {
    uint64_t begin, end; /* nanoseconds since the trace began */
    const char *kernel;  /* "map", "conv_forward"; static */
    uint64_t bytes_read, bytes_written, flops;
    char name[TRACE_NAME_BYTES]; /* of the operation */
    char args[TRACE_ARGS_BYTES]; /* members of a JSON object, without the braces */
} trace_span;

/* The layer's plan: that of the device below, and what its runs are. */
struct gn_plan {
    gn_plan *below;
    const char *kernel;
    uint64_t bytes_read, bytes_written, flops; /* of one run */
    char tensors[TRACE_TENSORS_BYTES];         /* "float32 (32, 10), float32 (32, 4), -" */
};

/* These fill all of a span but its times. */
void trace_describe(trace_span *span, const char *kernel);
void trace_describe_bytes(trace_span *span, const char *kernel, uint64_t bytes);
void trace_describe_program(trace_span *span, const char *kernel, const gn_program *program);
void trace_describe_calls(trace_span *span, const char *kernel, const gn_call *calls, uint32_t n);
void trace_describe_scatter(trace_span *span, const gn_scatter_call *call);
void trace_describe_run(trace_span *span, const gn_run *run);
void trace_describe_planning(trace_span *span, const gn_plan *plan);

/* Fills a plan but for `below`. */
void trace_describe_plan(gn_plan *plan, const gn_plan_desc *desc);

/* ---- The files (output.c) */

/* Joins the trace of the process, which begins with its first device. Returns the number under
 * which the device's tracks stand in it. */
uint32_t trace_output_join(const char *device_name);
/* The last device to leave completes the trace. */
void trace_output_leave(void);

/* Nanoseconds since the trace began. */
uint64_t trace_now(void);

/* A span on the track of the calling thread; if the call failed, with its status. */
void trace_output_host(const trace_span *span, gn_status status);
/* A span on a track of a device. */
void trace_output_device(const trace_span *span, uint32_t device, uint32_t track);
/* The name of a device's track, and the bytes of memory that a device has in use from now on. */
void trace_output_track(uint32_t device, uint32_t track, const char *name);
void trace_output_memory(uint32_t device, uint64_t bytes);
/* Text for the summary. */
void trace_output_summary(const char *line);

/* ---- The summary (summary.c) */

typedef struct trace_row trace_row;

enum { TRACE_ROW_LISTS = 64 };

typedef struct trace_summary {
    pthread_mutex_t lock;
    trace_row *rows[TRACE_ROW_LISTS]; /* by hash */
    uint64_t n_lost;                  /* calls without a time or a row */
} trace_summary;

void trace_summary_open(trace_summary *summary);
/* Counts a call that took `ns`. */
void trace_summary_add(trace_summary *summary, const trace_span *span, uint64_t ns);
void trace_summary_lose(trace_summary *summary);
/* Writes the table and frees it. */
void trace_summary_close(trace_summary *summary, const gn_device *device);

/* ---- Devices (device.c) */

/* How the time on the device is found. */
typedef enum trace_clock {
    TRACE_CLOCK_CALL,   /* a synchronous device is done when the call returns */
    TRACE_CLOCK_EVENTS, /* an event before and one after it */
    TRACE_CLOCK_NONE    /* an asynchronous device without such events: only calls are timed */
} trace_clock;

typedef struct trace_stream trace_stream;
typedef struct trace_block trace_block;

enum { TRACE_BLOCK_LISTS = 256 };

struct gn_device {
    struct gn_layer layer;
    char name[128];
    uint32_t number; /* in the trace */
    trace_clock clock;
    trace_summary summary;

    pthread_mutex_t lock;                   /* of what follows */
    trace_stream *streams;                  /* the default one is the last */
    uint32_t n_streams;                     /* ever made */
    trace_block *blocks[TRACE_BLOCK_LISTS]; /* by hash */
    uint64_t bytes, most_bytes;             /* allocated */
};

gn_status trace_device_open(const gn_backend *below, gn_device *inner, const char *name,
                            gn_device **out);
void trace_device_close(gn_device *device);

/* A block was allocated; a block is about to be freed, whose bytes are returned. */
void trace_block_add(gn_device *device, const gn_mem *mem, uint64_t bytes);
uint64_t trace_block_remove(gn_device *device, const gn_mem *mem);

/* ---- Streams (stream.c) */

typedef struct trace_slot trace_slot;

/* Begins to follow a stream of the device below; NULL is its default one. */
gn_status trace_stream_open(gn_device *device, gn_stream *below);
/* Waits for its work and forgets it. */
void trace_stream_close(gn_device *device, gn_stream *below);
void trace_streams_close(gn_device *device);
/* Times what waits for it: all work on the stream is done. */
void trace_stream_drained(gn_device *device, gn_stream *below);

/* Work that a call enqueues. */
typedef struct trace_work {
    trace_stream *stream;
    trace_slot *slot; /* where the work is to be timed by events */
    uint64_t begin;
} trace_work;

/* Before the call. An error is that of earlier work, and then the call must not be made. */
gn_status trace_work_begin(trace_work *work, gn_device *device, gn_stream *stream);
/* At once after it: the time is taken. */
void trace_work_end(trace_work *work, gn_device *device, gn_status status, trace_span *span);
/* When the span is described: writes it and counts it. */
void trace_work_record(trace_work *work, gn_device *device, gn_status status, trace_span *span);

#endif
