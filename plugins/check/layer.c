/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer.c - the layer "check": its table, its options, and the summary when it is closed.
 *
 *     GENESIS_DEVICE=check:opencl ./program
 *
 * runs every kernel also on a reference, on copies of the device's own inputs, and reports the
 * first difference. Everything that is no kernel passes through.
 */
#include "check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const gn_host *check_host;

gn_status check_fail(gn_status status, uint64_t tag, const char *format, ...) {
    char message[REPORT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return check_host->set_error(status, tag, message);
}

void check_log(int level, const char *format, ...) {
    char message[REPORT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    check_host->log(level, message);
}

bool check_is_due(gn_device *check, uint64_t calls_before) {
    const bool due = calls_before % check->every == 0;
    check->counts.passed_by += !due;
    return due;
}

/* ---- Options --------------------------------------------------------------------------------- */

static gn_status read_options(gn_device *check) {
    const char *mode = getenv("GENESIS_CHECK"), *every = getenv("GENESIS_CHECK_EVERY");
    char *end = NULL;
    check->warn = mode && strcmp(mode, "warn") == 0;
    if (mode && !check->warn && strcmp(mode, "error") != 0)
        return check_fail(GN_E_ARGUMENT, 0, "GENESIS_CHECK is '%s': give it as warn or error",
                          mode);
    check->every = 1;
    if (every == NULL)
        return GN_OK;
    errno = 0;
    const long long n = strtoll(every, &end, 10);
    if (n < 1 || errno != 0 || *end != '\0')
        return check_fail(GN_E_ARGUMENT, 0,
                          "GENESIS_CHECK_EVERY is '%s': give a number N of 1 or more, to check "
                          "each N-th call of a program",
                          every);
    check->every = (uint64_t)n;
    return GN_OK;
}

static gn_status open_reference(gn_device *check) {
    const char *name = getenv("GENESIS_CHECK_REFERENCE");
    return check_host->device_open(name ? name : "ref", &check->reference,
                                   &check->reference_device);
}

/* ---- Open and close -------------------------------------------------------------------------- */

static gn_status layer_open(const gn_backend *below, gn_device *device, const char *name,
                            gn_device **out) {
    gn_device *check = calloc(1, sizeof *check);
    if (check == NULL)
        return check_fail(GN_E_MEMORY, 0, "no memory on the host for the layer check");
    check->layer = (struct gn_layer){below, device};
    snprintf(check->name, sizeof check->name, "%s", name);
    gn_status status = read_options(check);
    if (status == GN_OK)
        status = open_reference(check);
    if (status != GN_OK) {
        free(check);
        return status;
    }
    pthread_mutex_init(&check->lock, NULL);
    *out = check;
    return GN_OK;
}

static void summarise(const gn_device *check) {
    const struct counts *c = &check->counts;
    char worst[128] = "";
    if (c->worst > 0)
        snprintf(worst, sizeof worst, "; the worst error is %.3g of its bound, in %s", c->worst,
                 c->worst_op);
    check_log(GN_LOG_INFO,
              "check:%s: %llu calls checked, %llu with differences, %llu passed by, %llu can't be "
              "checked; %llu elements compared, %llu near ties among them skipped%s",
              check->name, (unsigned long long)c->checked, (unsigned long long)c->different,
              (unsigned long long)c->passed_by, (unsigned long long)c->unchecked,
              (unsigned long long)c->compared, (unsigned long long)c->skipped, worst);
}

static void layer_close(gn_device *check) {
    if (check == NULL)
        return;
    summarise(check);
    blocks_free(check);
    saved_free(check);
    check->reference->close(check->reference_device);
    known_free(check); /* the reference has used its programs until now */
    pthread_mutex_destroy(&check->lock);
    free(check);
}

/* ---- Table and entry ------------------------------------------------------------------------- */

static const gn_backend table = {
    .struct_size = sizeof table,
    .abi_major = GN_ABI_MAJOR,
    .abi_minor = GN_ABI_MINOR,
    .name = "check",
    .version = "0.1",
    .close = layer_close,
    .alloc = gn_layer_alloc,
    .free = gn_layer_free,
    .upload = gn_layer_upload,
    .download = gn_layer_download,
    .map = check_map,
    .reduce = check_reduce,
    .scatter = check_scatter,
    .program_create = gn_layer_program_create,
    .program_release = gn_layer_program_release,
    .host_pointer = gn_layer_host_pointer,
    .wrap = gn_layer_wrap,
    .memory_info = gn_layer_memory_info,
    .stream_create = gn_layer_stream_create,
    .stream_destroy = gn_layer_stream_destroy,
    .synchronise = gn_layer_synchronise,
    .event_create = gn_layer_event_create,
    .event_destroy = gn_layer_event_destroy,
    .event_record = gn_layer_event_record,
    .event_wait = gn_layer_event_wait,
    .event_synchronise = gn_layer_event_synchronise,
    .event_elapsed = gn_layer_event_elapsed,
    .row_map = check_row_map,
    .map_many = check_map_many,
    .plan = check_plan,
    .plan_release = check_plan_release,
    .run = check_run,
    .layer_open = layer_open,
};

gn_status gn_backend_entry(const gn_host *services, gn_abi_request *request,
                           const gn_backend **out) {
    if (request->major != GN_ABI_MAJOR || request->minor_min > GN_ABI_MINOR ||
        request->minor_max < GN_ABI_MINOR) {
        request->needed_major = GN_ABI_MAJOR;
        request->needed_minor = GN_ABI_MINOR;
        return GN_E_VERSION;
    }
    check_host = services;
    *out = &table;
    return GN_OK;
}
