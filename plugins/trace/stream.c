/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.c - the time that work takes on the device, on each of its streams.
 *
 * A synchronous device works while it is called: its time is the call's. On others an event is
 * recorded before and after the call, in one of the slots of its stream, and read when somebody
 * waits for the stream anyhow. Only when all slots are taken the oldest is waited for, and then the
 * device still has the work of all the others before it.
 */
#include <stdlib.h>

#include "trace.h"

enum { SLOTS = 256 }; /* a power of two */

struct trace_slot {
    gn_event *before, *after;
    trace_span span; /* its times are those of the call until the events are read */
};

/* Calls n_timed..n_taken-1 wait for their times, call i in slot i % SLOTS. The slot before them is
 * never taken: its event `after` is the point from which the next times are counted. */
struct trace_stream {
    trace_stream *next;
    gn_stream *below;
    uint32_t track;
    trace_slot *slots; /* NULL where none are used */
    uint64_t n_taken, n_timed;
    uint64_t known; /* when that event was reached, in the time of the trace */
};

static trace_slot *slot_of(trace_stream *stream, uint64_t call) {
    return &stream->slots[call % SLOTS];
}

/* The default stream is the first of the list, and always there. */
static trace_stream *find(gn_device *device, const gn_stream *below) {
    if (below == NULL)
        return device->streams;
    pthread_mutex_lock(&device->lock);
    trace_stream *stream = device->streams;
    while (stream && stream->below != below)
        stream = stream->next;
    pthread_mutex_unlock(&device->lock);
    return stream;
}

/* ---- Reading the events */

/* Times the oldest call that waits for it. Fails with the error of the device's work. */
static gn_status time_oldest(gn_device *device, trace_stream *stream) {
    trace_slot *slot = slot_of(stream, stream->n_timed);
    gn_event *known = slot_of(stream, stream->n_timed - 1)->after;
    uint64_t pause, took;
    stream->n_timed++;
    gn_status status = gn_layer_event_synchronise(device, slot->after);
    if (status == GN_OK && gn_layer_event_elapsed(device, known, slot->before, &pause) == GN_OK &&
        gn_layer_event_elapsed(device, slot->before, slot->after, &took) == GN_OK) {
        slot->span.begin = stream->known + pause;
        slot->span.end = stream->known = slot->span.begin + took;
        trace_output_device(&slot->span, device->number, stream->track);
        trace_summary_add(&device->summary, &slot->span, took);
    } else {
        stream->known = slot->span.end; /* the best guess */
        trace_summary_lose(&device->summary);
    }
    return status;
}

void trace_stream_drained(gn_device *device, gn_stream *below) {
    trace_stream *stream = find(device, below);
    while (stream && stream->n_timed < stream->n_taken)
        time_oldest(device, stream);
}

/* ---- Opening and closing */

static bool make_events(gn_device *device, trace_slot *slots) {
    for (int i = 0; i < SLOTS; i++)
        if (gn_layer_event_create(device, &slots[i].before) != GN_OK ||
            gn_layer_event_create(device, &slots[i].after) != GN_OK)
            return false;
    return true;
}

static void free_slots(gn_device *device, trace_slot *slots) {
    for (int i = 0; slots && i < SLOTS; i++) {
        if (slots[i].before)
            gn_layer_event_destroy(device, slots[i].before);
        if (slots[i].after)
            gn_layer_event_destroy(device, slots[i].after);
    }
    free(slots);
}

/* The slots of a stream, and the first known point of its time. Without them its calls are lost. */
static void open_slots(gn_device *device, trace_stream *stream) {
    stream->slots = calloc(SLOTS, sizeof *stream->slots);
    if (stream->slots == NULL)
        return;
    gn_event **first = &slot_of(stream, (uint64_t)-1)->after;
    if (!make_events(device, stream->slots) ||
        gn_layer_event_record(device, stream->below, *first) != GN_OK ||
        gn_layer_event_synchronise(device, *first) != GN_OK) {
        free_slots(device, stream->slots);
        stream->slots = NULL;
    }
    stream->known = trace_now();
}

gn_status trace_stream_open(gn_device *device, gn_stream *below) {
    char bytes[32];
    trace_text name = trace_text_in(bytes, sizeof bytes);
    trace_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return trace_host->set_error(GN_E_MEMORY, 0, "trace: no memory for a stream");
    stream->below = below;
    if (device->clock == TRACE_CLOCK_EVENTS)
        open_slots(device, stream);
    pthread_mutex_lock(&device->lock);
    stream->track = device->n_streams++;
    if (device->streams) {
        stream->next = device->streams->next;
        device->streams->next = stream;
    } else {
        device->streams = stream;
    }
    pthread_mutex_unlock(&device->lock);
    trace_add(&name, "stream ");
    trace_add_number(&name, stream->track);
    trace_output_track(device->number, stream->track, bytes);
    return GN_OK;
}

void trace_stream_close(gn_device *device, gn_stream *below) {
    trace_stream_drained(device, below);
    pthread_mutex_lock(&device->lock);
    trace_stream **link = &device->streams;
    while (*link && (*link)->below != below)
        link = &(*link)->next;
    trace_stream *stream = *link;
    if (stream)
        *link = stream->next;
    pthread_mutex_unlock(&device->lock);
    if (stream)
        free_slots(device, stream->slots);
    free(stream);
}

void trace_streams_close(gn_device *device) {
    while (device->streams)
        trace_stream_close(device, device->streams->below);
}

/* ---- Work */

gn_status trace_work_begin(trace_work *work, gn_device *device, gn_stream *below) {
    gn_status status = GN_OK;
    trace_stream *stream = find(device, below);
    work->stream = stream;
    work->slot = NULL;
    if (stream && stream->slots) {
        if (stream->n_taken - stream->n_timed == SLOTS - 1)
            status = time_oldest(device, stream);
        trace_slot *slot = slot_of(stream, stream->n_taken);
        if (status == GN_OK && gn_layer_event_record(device, below, slot->before) == GN_OK)
            work->slot = slot;
    }
    work->begin = trace_now();
    return status;
}

void trace_work_end(trace_work *work, gn_device *device, gn_status status, trace_span *span) {
    span->begin = work->begin;
    span->end = trace_now();
    /* After an error the device below is asked nothing, so that what it said of it stands. */
    if (work->slot && (status != GN_OK || gn_layer_event_record(device, work->stream->below,
                                                                work->slot->after) != GN_OK))
        work->slot = NULL;
}

void trace_work_record(trace_work *work, gn_device *device, gn_status status, trace_span *span) {
    trace_output_host(span, status);
    if (status != GN_OK)
        return;
    if (work->slot) {
        work->slot->span = *span;
        work->stream->n_taken++;
    } else if (device->clock == TRACE_CLOCK_EVENTS || work->stream == NULL) {
        trace_summary_lose(&device->summary);
    } else {
        if (device->clock == TRACE_CLOCK_CALL)
            trace_output_device(span, device->number, work->stream->track);
        trace_summary_add(&device->summary, span, span->end - span->begin);
    }
}
