/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer with every function, each of which passes the call on. Its table is also what a layer
 * that has nothing of its own to add looks like.
 */
#include <stdlib.h>

#include <genesis/layer.h>

struct gn_device {
    struct gn_layer layer;
};

static const gn_host *host;
static int n_open;

static gn_status layer_open(const gn_backend *below, gn_device *device, const char *name,
                            gn_device **out) {
    const char *refused = getenv("GENESIS_TEST_VEIL_REFUSES");
    if (refused)
        return host->set_error(GN_E_STATE, 0, refused);
    (void)name;
    *out = malloc(sizeof **out);
    if (*out == NULL)
        return GN_E_MEMORY;
    **out = (gn_device){{below, device}};
    n_open++;
    return GN_OK;
}

static void close_device(gn_device *device) {
    n_open -= device != NULL;
    free(device);
}

static void shut_down(void) {
    if (n_open != 0)
        host->log(GN_LOG_ERROR, "veil: not all devices were closed");
}

static const gn_backend table = {
    .struct_size = sizeof table,
    .abi_major = GN_ABI_MAJOR,
    .abi_minor = GN_ABI_MINOR,
    .name = "veil",
    .version = "0.0.1",
    .close = close_device,
    .alloc = gn_layer_alloc,
    .free = gn_layer_free,
    .upload = gn_layer_upload,
    .download = gn_layer_download,
    .map = gn_layer_map,
    .reduce = gn_layer_reduce,
    .scatter = gn_layer_scatter,
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
    .row_map = gn_layer_row_map,
    .map_many = gn_layer_map_many,
    .plan = gn_layer_plan,
    .plan_release = gn_layer_plan_release,
    .run = gn_layer_run,
    .shutdown = shut_down,
    .layer_open = layer_open,
};

gn_status gn_backend_entry(const gn_host *services, gn_abi_request *request,
                           const gn_backend **out) {
    (void)request;
    host = services;
    *out = &table;
    return GN_OK;
}
