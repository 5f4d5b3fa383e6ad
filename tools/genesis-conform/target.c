/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.c - the devices of a child: the one under test and the reference, both opened by the
 * library's own loader, so that every device string works, layers included.
 */
#include <string.h>

#include "libgenesis/runtime/internal.h"

#include "run.h"
#include "target.h"

gn__device *tested;
const gn_backend *backend;
gn_device *device;

/* "mine" of "/path/to/genesis_mine.so" */
bool plugin_file_name(const char *path, char *name, size_t bytes) {
    static const char prefix[] = "genesis_", suffix[] = ".so";
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    const size_t length = strlen(file), around = sizeof prefix + sizeof suffix - 2;
    if (length <= around || length - around >= bytes ||
        strncmp(file, prefix, sizeof prefix - 1) != 0 ||
        strcmp(file + length - (sizeof suffix - 1), suffix) != 0)
        return false;
    memcpy(name, file + sizeof prefix - 1, length - around);
    name[length - around] = '\0';
    return gn__plugin_name_fits(name, length - around);
}

static void load_plugin(void) {
    char name[64];
    gn__reason why;
    EXPECT(plugin_file_name(options.plugin, name, sizeof name), "%s is no genesis_NAME.so",
           options.plugin);
    gn__registry_lock();
    const gn__plugin *plugin = gn__plugin_load(options.plugin, name, &why);
    gn__registry_unlock();
    EXPECT(plugin, "%s can't be used: %s", options.plugin, why.text);
}

static gn__device *open_named(const char *name) {
    gn__device *opened = gn__device_get(name);
    EXPECT(opened, "%s", gn_error());
    return opened;
}

void target_open(void) {
    if (options.plugin)
        load_plugin();
    tested = open_named(options.device);
    backend = tested->table;
    device = tested->handle;
}

gn__device *reference_device(void) { return open_named(options.reference); }

device_report target_report(void) {
    device_report report = {.abi_major = backend->abi_major, .abi_minor = backend->abi_minor};
    if (gn_device_describe(options.device, &report.info) != GN_OK)
        fail_case("%s", gn_error());
    snprintf(report.path, sizeof report.path, "%s", tested->plugin ? tested->plugin->path : "");
    snprintf(report.version, sizeof report.version, "%s", backend->version ? backend->version : "");
    return report;
}

void target_close(void) {
    tested = NULL;
    gn_shutdown();
}

/* ---- Raw calls */

void raw_begin(void) { gn__late_clear(gn__self()); }

gn_status raw_end(gn_status status) {
    gn__scratch_release(tested);
    return status;
}

const char *said(gn_status status) { return gn__late_text(status); }

uint64_t said_tag(void) { return gn__self()->late_tag; }
