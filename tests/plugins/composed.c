/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer that leaves the device below alone and runs everything on what the host's device_open
 * gives for the same string: so the composed forms of planned kernels are tested as a backend's.
 */
#include <stdlib.h>

#include <genesis/layer.h>

struct gn_device {
    struct gn_layer layer; /* over the table of device_open */
};

static const gn_host *host;

static gn_status layer_open(const gn_backend *below, gn_device *device, const char *name,
                            gn_device **out) {
    (void)below, (void)device;
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return GN_E_MEMORY;
    gn_status status = host->device_open(name, &(*out)->layer.below, &(*out)->layer.device);
    if (status != GN_OK)
        free(*out);
    return status;
}

static void close_device(gn_device *device) {
    if (device == NULL)
        return;
    device->layer.below->close(device->layer.device);
    free(device);
}

static const gn_backend table = {
    .struct_size = sizeof table,
    .abi_major = GN_ABI_MAJOR,
    .abi_minor = GN_ABI_MINOR,
    .name = "composed",
    .version = "0.0.1",
    .close = close_device,
    .alloc = gn_layer_alloc,
    .free = gn_layer_free,
    .upload = gn_layer_upload,
    .download = gn_layer_download,
    .map = gn_layer_map,
    .reduce = gn_layer_reduce,
    .scatter = gn_layer_scatter,
    .row_map = gn_layer_row_map,
    .map_many = gn_layer_map_many,
    .plan = gn_layer_plan,
    .plan_release = gn_layer_plan_release,
    .run = gn_layer_run,
    .layer_open = layer_open,
};

gn_status gn_backend_entry(const gn_host *services, gn_abi_request *request,
                           const gn_backend **out) {
    (void)request;
    host = services;
    *out = &table;
    return GN_OK;
}
