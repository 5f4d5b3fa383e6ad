/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices.c - `genesis devices`: every plugin in the search path with its devices, or the reason
 * why it can't be used. That some can't is no failure of the command. How they are asked: probe.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "genesis.h"
#include "json.h"
#include "probe.h"

static const struct {
    const char *name;
    int dtype;
} dtypes[] = {
#define X(name, value, text, bytes) {text, name},
    GN_DTYPES(X)
#undef X
};

enum { N_DTYPES = sizeof dtypes / sizeof *dtypes, WIDTH = 10 };

/* ---- For people */

typedef struct style {
    const char *bold, *dim, *plain;
} style;

static style choose_style(void) {
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
    if (!isatty(STDOUT_FILENO) || (no_colour && *no_colour) ||
        (terminal && strcmp(terminal, "dumb") == 0))
        return (style){"", "", ""};
    return (style){"\033[1m", "\033[2m", "\033[0m"};
}

/* "15.6 GiB" */
static void format_bytes(char text[32], uint64_t bytes) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    int unit = 0;
    for (; value >= 1024 && unit < 6; unit++)
        value /= 1024;
    snprintf(text, 32, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void print_line(const char *label, const char *value) {
    if (*value)
        printf("  %*s  %-7s %s\n", WIDTH, "", label, value);
}

static void print_dtypes(uint32_t bits) {
    printf("  %*s  %-7s", WIDTH, "", "dtypes");
    for (int i = 0; i < N_DTYPES; i++)
        if (bits >> dtypes[i].dtype & 1 && dtypes[i].dtype != GN_U32) /* inside programs only */
            printf(" %s", dtypes[i].name);
    putchar('\n');
}

static void print_device(const probed_device *device, const style *s) {
    const gn_device_info *info = &device->info;
    char text[64];
    const bool is_default = strcmp(device->string, gn_default_device()) == 0;
    printf("  %s%-*s%s  ", s->bold, WIDTH, device->string, s->plain);
    if (device->error[0]) {
        printf("%s\n", device->error);
        return;
    }
    printf("%s%s\n", info->name, is_default ? "  (the default device)" : "");
    print_line("vendor", info->vendor);
    print_line("driver", info->driver);
    if (info->memory_bytes > 0) {
        format_bytes(text, info->memory_bytes);
        print_line("memory", text);
    }
    if (info->units > 0) {
        snprintf(text, sizeof text, "%u", info->units);
        print_line("units", text);
    }
    print_dtypes(info->dtypes);
}

typedef struct listing {
    style style;
    int n_plugins;
} listing;

static void print_plugin(const gn_plugin_report *report, const style *s) {
    printf("%s%s%s", s->bold, report->name, s->plain);
    if (report->version[0])
        printf("  version %s", report->version);
    if (report->abi_major || report->abi_minor)
        printf(", ABI %u.%u", report->abi_major, report->abi_minor);
    printf("  %s%s%s\n", s->dim, report->path, s->plain);
    if (report->reason[0])
        printf("  can't be used: %s\n", report->reason);
    else if (report->layer)
        printf("  a layer: write '%s:' in front of a device\n", report->name);
}

static void list_found(const gn_plugin_report *found, void *context) {
    listing *l = context;
    gn_plugin_report report = *found;
    if (l->n_plugins++ > 0)
        putchar('\n');
    if (report.name[0] == '\0') {
        printf("%s%s%s\n  %s\n", l->style.dim, report.path, l->style.plain, report.reason);
        return;
    }
    probed_device *devices = report.reason[0] ? NULL : probe_plugin(&report);
    print_plugin(&report, &l->style);
    for (int32_t i = 0; devices && i < report.n_devices; i++)
        print_device(&devices[i], &l->style);
    free(devices);
}

static int print_all(void) {
    listing l = {choose_style(), 0};
    if (gn_plugins_visit(list_found, &l) != GN_OK) {
        gn_perror("genesis devices");
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

/* ---- For programs */

static json_t *device_json(const probed_device *device) {
    const gn_device_info *info = &device->info;
    if (device->error[0])
        return json_pack("{s:s, s:o}", "device", device->string, "reason",
                         json_text(device->error));
    json_t *names = json_array();
    for (int i = 0; i < N_DTYPES; i++)
        if (info->dtypes >> dtypes[i].dtype & 1 && dtypes[i].dtype != GN_U32)
            json_array_append_new(names, json_string(dtypes[i].name));
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:i, s:b, s:o}", "device", device->string, "name",
                     info->name, "vendor", info->vendor, "driver", info->driver, "memory_bytes",
                     (json_int_t)info->memory_bytes, "units", (int)info->units, "host_visible",
                     (info->flags & GN_DEVICE_HOST_VISIBLE) != 0, "dtypes", names);
}

typedef struct document {
    json_t *plugins;
    bool failed; /* no memory */
} document;

static void append(document *d, json_t *array, json_t *value) {
    if (json_array_append_new(array, value) != 0)
        d->failed = true;
}

static void add_found(const gn_plugin_report *found, void *context) {
    document *d = context;
    gn_plugin_report report = *found;
    if (report.name[0] == '\0') {
        append(d, d->plugins,
               json_pack("{s:o, s:b, s:o}", "path", json_text(report.path), "usable", 0, "reason",
                         json_text(report.reason)));
        return;
    }
    probed_device *probed = report.reason[0] ? NULL : probe_plugin(&report);
    json_t *devices = json_array();
    for (int32_t i = 0; probed && i < report.n_devices; i++)
        append(d, devices, device_json(&probed[i]));
    free(probed);
    char abi[32];
    snprintf(abi, sizeof abi, "%u.%u", report.abi_major, report.abi_minor);
    append(d, d->plugins,
           json_pack("{s:o, s:s, s:s, s:s, s:b, s:b, s:o, s:o}", "path", json_text(report.path),
                     "name", report.name, "version", report.version, "abi", abi, "layer",
                     report.layer, "usable", !report.reason[0], "reason", json_text(report.reason),
                     "devices", devices));
}

static int print_json(void) {
    int status = EXIT_FAILED;
    document d = {json_array(), false};
    json_t *root = json_pack("{s:s, s:o, s:o}", "version", gn_version(), "default",
                             json_text(gn_default_device()), "plugins", d.plugins);
    if (root && gn_plugins_visit(add_found, &d) != GN_OK)
        gn_perror("genesis devices");
    else if (root == NULL || d.failed)
        fputs("genesis devices: no memory\n", stderr);
    else if (json_dumpf(root, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF)
        status = EXIT_DONE;
    json_decref(root);
    return status;
}

/* ---- The command */

static int help(void) {
    puts("Usage: genesis devices [--json]\n"
         "\n"
         "Lists the backend plugins in the search path: their version and devices, or why they\n"
         "can't be used. A program takes a device by the string at the start of its line, as in\n"
         "GENESIS_DEVICE=cuda:1 ./train.\n"
         "\n"
         "Plugins are files genesis_NAME.so in the folders of GENESIS_PLUGIN_PATH (separated by\n"
         "colons), then in the installed plugin folder. The first one of a name is used. Each is\n"
         "asked in a process of its own, so that one that crashes or hangs is just named.\n"
         "Layers stand in front of a device, as in trace:cuda:1.\n"
         "\n"
         "Options:\n"
         "  --json      write JSON\n"
         "  -h, --help  print this");
    return EXIT_DONE;
}

int command_devices(int argc, char **argv) {
    bool json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return help();
        if (strcmp(argv[i], "--json") != 0)
            return usage_error("devices", "there is no argument '%s'", argv[i]);
        json = true;
    }
    return json ? print_json() : print_all();
}
